//! mbox files (RFC 4155), in the variant that can be undone: a line of a message that begins with `From `, or with `>`s
//! and then `From `, gets one more `>`.
//!
//! What always holds: what is written comes back octet by octet, whatever its line ends; only a message that does not end
//! with a line end comes back with one.

mod from_line;
mod read;
mod write;

pub use from_line::FromLine;
pub use read::{MboxEntry, MboxReader};
pub use write::MboxWriter;

/// What begins the line above each message.
const FROM: &[u8] = b"From ";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(messages: &[&[&[u8]]]) -> Vec<u8> {
        let mut writer = MboxWriter::new(Vec::new());
        for pieces in messages {
            writer.begin("a@example.test", 0).unwrap();
            pieces.iter().for_each(|piece| writer.write(piece).unwrap());
            writer.end().unwrap();
        }
        writer.into_inner()
    }

    fn read(file: &[u8]) -> Vec<Vec<u8>> {
        let mut reader = MboxReader::new(file, 1 << 20);
        let mut all = Vec::new();
        while let Some(entry) = reader.next().unwrap() {
            match entry {
                MboxEntry::Message { content, .. } => all.push(content),
                MboxEntry::TooLarge => all.push(b"too large".to_vec()),
            }
        }
        all
    }

    #[test]
    fn lines_that_would_begin_a_message_are_marked() {
        let file = written(&[&[b"A: b\r\n\r\nFrom me\r\n>From you\r\n From us\r\nFromage\r\n"]]);
        let text = String::from_utf8(file.clone()).unwrap();
        assert_eq!(
            text,
            "From a@example.test Thu Jan  1 00:00:00 1970\nA: b\r\n\r\n>From me\r\n>>From you\r\n From us\r\nFromage\r\n\n"
        );
        assert_eq!(
            read(&file),
            [b"A: b\r\n\r\nFrom me\r\n>From you\r\n From us\r\nFromage\r\n"]
        );
    }

    #[test]
    fn files_of_others() {
        let check = |file: &str, expected: &[&str]| {
            let found = read(file.as_bytes());
            let found: Vec<_> = found
                .iter()
                .map(|content| std::str::from_utf8(content).unwrap())
                .collect();
            assert_eq!(found, expected, "{file:?}");
        };
        check("", &[]);
        check("\n\nFrom a Thu Jan  1 00:00:00 1970\nA: b\n\nc\n", &["A: b\n\nc\n"]);
        check("From \nA: b\n\nc\n\nFrom \nD: e\n\n", &["A: b\n\nc\n", "D: e\n"]);
        check(
            "From a 1970 00:00\r\nA: b\r\n\r\nc\r\n\r\nFrom - 1970 00:00\r\nD: e\r\n",
            &["A: b\r\n\r\nc\r\n", "D: e\r\n"],
        );
        // Not after an empty line, and not like one: part of the text.
        check(
            "From a 1970 00:00\nA: b\n\nc\nFrom d 1970 00:00\n\nFrom here on\n",
            &["A: b\n\nc\nFrom d 1970 00:00\n\nFrom here on\n"],
        );
        check("From a 1970 00:00", &[""]);
    }

    #[test]
    fn what_is_no_mbox_and_what_is_too_large() {
        assert!(MboxReader::new(&b"A: b\n\n"[..], 100).next().is_err());
        assert!(MboxReader::new(&b"\x00\xff"[..], 100).next().is_err());
        let mut file = written(&[&[b"A: b\n\n", &[b'x'; 500], b"\n"], &[b"C: d\n\n"]]);
        file.extend(b"From ");
        file.extend([b'y'; 5000]);
        let mut reader = MboxReader::new(&file[..], 100);
        assert!(matches!(reader.next().unwrap(), Some(MboxEntry::TooLarge)));
        let second = reader.next().unwrap();
        assert!(matches!(second, Some(MboxEntry::TooLarge)), "{second:?}");
        assert!(reader.next().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_comes_back(
            messages in prop::collection::vec("([>From ]{0,7}[a-z]{0,2}\r?\n){0,6}", 0..5),
            at in 0..40usize,
        ) {
            let cut: Vec<Vec<&[u8]>> = messages
                .iter()
                .map(|message| {
                    let (one, other) = message.as_bytes().split_at(at.min(message.len()));
                    vec![one, other]
                })
                .collect();
            let cut: Vec<&[&[u8]]> = cut.iter().map(Vec::as_slice).collect();
            let file = written(&cut);
            let whole: Vec<Vec<&[u8]>> = messages.iter().map(|message| vec![message.as_bytes()]).collect();
            let whole: Vec<&[&[u8]]> = whole.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(&file, &written(&whole));
            let expected: Vec<Vec<u8>> = messages.iter().map(|message| message.clone().into_bytes()).collect();
            prop_assert_eq!(read(&file), expected);
        }

        #[test]
        fn nothing_panics(file in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut file = file;
            for head in [&b""[..], b"From \n"] {
                file.splice(0..0, head.iter().copied());
                let mut reader = MboxReader::new(&file[..], 64);
                while let Ok(Some(_)) = reader.next() {}
            }
        }
    }
}
