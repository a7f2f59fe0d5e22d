use super::*;
use proptest::prelude::*;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const BOUNDS: Bounds = Bounds {
    message_octets: 1000,
    unpacked_octets: 10_000,
    entries: 10,
    messages: 20,
};

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn all(file: &[u8], format: Format) -> Result<Vec<String>, ArchiveError> {
    let mut found = Vec::new();
    read_messages(Cursor::new(file), format, BOUNDS, |entry| {
        found.push(match entry {
            Entry::Message { content, .. } => String::from_utf8_lossy(&content).into_owned(),
            Entry::TooLarge => "too large".into(),
            Entry::Unsafe => "unsafe".into(),
        });
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[test]
fn messages_of_each_format() {
    let mbox = b"From a 1970 00:00\nA: b\n\nc\n\nFrom a 1970 00:00\nD: e\n\n";
    assert_eq!(all(mbox, Format::Mbox).unwrap(), ["A: b\n\nc\n", "D: e\n"]);
    assert_eq!(all(b"A: b\r\n\r\nc", Format::Eml).unwrap(), ["A: b\r\n\r\nc"]);
    assert_eq!(all(b"\xEF\xBB\xBFA: b\n\nc", Format::Eml).unwrap(), ["A: b\n\nc"]);
    assert!(all(b"\xEF\xBB\xBF", Format::Eml).is_err() && all(b"\xEF\xBBA: b\n\n", Format::Eml).is_err());
    assert_eq!(
        all(&[b"A:".as_slice(), &[b'x'; 2000]].concat(), Format::Eml).unwrap(),
        ["too large"]
    );
    let zip = zipped(&[
        ("one.eml", b"A: 1\n\n"),
        ("in/two.EML", b"A: 2\n\n"),
        ("in/all.mbox", mbox),
        ("readme.txt", b"not mail"),
        ("no.eml", b"\x00no mail"),
        ("__MACOSX/one.eml", b"A: 3\n\n"),
        ("in/.hidden.eml", b"A: 4\n\n"),
    ]);
    assert_eq!(
        all(&zip, Format::Zip).unwrap(),
        ["A: 1\n\n", "A: 2\n\n", "A: b\n\nc\n", "D: e\n"]
    );
}

#[test]
fn taking_may_end() {
    let mut count = 0;
    let mbox = b"From a 1970 00:00\nA: b\n\nFrom a 1970 00:00\nA: b\n\n";
    read_messages(Cursor::new(mbox), Format::Mbox, BOUNDS, |_| {
        count += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(count, 1);
}

#[test]
fn archives_that_are_refused() {
    assert!(matches!(
        all(b"A: b\n\n", Format::Zip),
        Err(ArchiveError::Format("zip"))
    ));
    assert!(matches!(
        all(b"A: b\n\n", Format::Mbox),
        Err(ArchiveError::Format("mbox"))
    ));
    assert!(matches!(all(b"\n\nno", Format::Eml), Err(ArchiveError::Format("eml"))));
    let entries: Vec<String> = (0..11).map(|number| format!("{number}.eml")).collect();
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|name| (name.as_str(), &b"A: b\n\n"[..])).collect();
    assert!(matches!(
        all(&zipped(&entries), Format::Zip),
        Err(ArchiveError::TooManyEntries(10))
    ));
}

#[test]
fn names_that_lead_out_keep_no_other_from_being_read() {
    for name in [
        "../up.eml",
        "/etc/up.eml",
        "a/../../up.eml",
        "a\\..\\up.eml",
        "C:up.eml",
        "../up.mbox",
    ] {
        // The writer mends such names, so the octets are put in afterwards.
        let plain = "x".repeat(name.len());
        let file = zipped(&[
            ("1.eml", b"A: 1\n\n"),
            (plain.as_str(), b"A: b\n\n"),
            ("2.eml", b"A: 2\n\n"),
        ]);
        let file = replaced(&file, plain.as_bytes(), name.as_bytes());
        assert_eq!(
            all(&file, Format::Zip).unwrap(),
            ["A: 1\n\n", "unsafe", "A: 2\n\n"],
            "{name}"
        );
    }
    // What is no mail is passed over, whatever it is called.
    let file = replaced(&zipped(&[("xxxx.txt", b"x")]), b"xxxx.txt", b"../x.txt");
    assert_eq!(all(&file, Format::Zip).unwrap(), Vec::<String>::new());
}

#[test]
fn what_grows_is_not_unpacked() {
    // A message that is too large is not read to its end, so one alone is no harm; a great mbox is.
    let large = vec![b'x'; 5_000_000];
    let eml = zipped(&[("a.eml", &[b"A: b\n\n", large.as_slice()].concat())]);
    assert!(eml.len() < 10_000);
    assert_eq!(all(&eml, Format::Zip).unwrap(), ["too large"]);
    let mbox = zipped(&[("a.mbox", &[b"From \nA: b\n\n", large.as_slice()].concat())]);
    assert!(matches!(all(&mbox, Format::Zip), Err(ArchiveError::TooLarge(10_000))));
}

#[test]
fn what_an_end_claims_is_looked_at_first() {
    // Many entries of one name count each, and so does what an end only claims.
    let file = zipped(&[("a.eml", b"A: b\n\n")]);
    let at = file.len() - 22;
    let directory = file.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let header = file[directory..at].to_vec();
    let mut same = [&file[..directory], &header.repeat(11), &file[at..]].concat();
    let at_same = same.len() - 22;
    same[at_same + 8..at_same + 12].copy_from_slice(&[11, 0, 11, 0]);
    same[at_same + 12..at_same + 16].copy_from_slice(&u32::try_from(11 * header.len()).unwrap().to_le_bytes());
    assert!(matches!(all(&same, Format::Zip), Err(ArchiveError::TooManyEntries(10))));
    let mut claimed = file.clone();
    claimed[at + 10] = 9;
    assert!(matches!(all(&claimed, Format::Zip), Err(ArchiveError::Format("zip"))));
    // Ends without end are not tried one after the other.
    let ends = [file.as_slice(), &b"PK\x05\x06\x00\x00".repeat(500_000)].concat();
    assert!(matches!(all(&ends, Format::Zip), Err(ArchiveError::Format("zip"))));
    // A comment is no harm.
    let mut comment = [file.as_slice(), b"hello"].concat();
    comment[at + 20] = 5;
    assert_eq!(all(&comment, Format::Zip).unwrap(), ["A: b\n\n"]);
}

#[test]
fn messages_of_all_mboxes_count() {
    let many = b"From \n\n".repeat(15);
    assert_eq!(all(&many, Format::Mbox).unwrap().len(), 15);
    let two = zipped(&[("a.mbox", &many), ("b.mbox", &many)]);
    for (file, format) in [(two, Format::Zip), (many.repeat(2), Format::Mbox)] {
        assert!(matches!(all(&file, format), Err(ArchiveError::TooManyMessages(20))));
    }
}

#[test]
fn encrypted_archives_are_told_apart() {
    let mut file = zipped(&[("a.eml", b"A: b\n\n")]);
    // Bit 0 of the flags, in the local header and in the directory (APPNOTE 4.4.4).
    file[6] |= 1;
    let directory = file.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    file[directory + 8] |= 1;
    assert!(matches!(all(&file, Format::Zip), Err(ArchiveError::Encrypted)));
}

fn replaced(file: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    while let Some(at) = file.windows(old.len()).position(|window| window == old) {
        file[at..at + new.len()].copy_from_slice(new);
    }
    file
}

proptest! {
    #[test]
    fn damage_is_an_error_and_no_panic(at in 0..400usize, octet: u8) {
        let mut file = zipped(&[("one.eml", b"A: 1\n\nbody"), ("all.mbox", b"From \nA: b\n\n")]);
        let length = file.len();
        file[at % length] = octet;
        let _ = all(&file, Format::Zip);
    }
}
