//! All that is said in the transcripts can be read, as far as `imap-codec` has words for it.

use imap_codec::decode::Decoder;
use imap_codec::imap_types::response::{Data, Response};
use imap_codec::{GreetingCodec, ResponseCodec};
use postroom_testkit::unescape;

/// What `imap-codec` has no words for: extensions that it does not speak.
const BEYOND: &[&str] = &[
    "* ESEARCH ",
    "CHILDINFO",
    "OLDNAME",
    "PREVIEW",
    "SAVEDATE",
    "EMAILID",
    "MAILBOXID",
    "APPENDLIMIT ",
    "BINARY[2]<5>",
    "BINARY[TEXT]",
];

/// What the server says in a transcript.
fn said(transcript: &str) -> Vec<u8> {
    let mut said = Vec::new();
    for line in transcript.lines() {
        let (keyword, rest) = line.split_once(':').unwrap_or((line, ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match keyword {
            "S" => said.extend_from_slice(format!("{rest}\r\n").as_bytes()),
            "L" => said.extend_from_slice(&unescape(rest).unwrap()),
            "BLOB" => {
                let (_, octets) = rest.split_once('+').unwrap();
                said.resize(said.len() + octets.parse::<usize>().unwrap(), b'x');
            }
            _ => {}
        }
    }
    said
}

/// One response, with its literals. For those that are beyond `imap-codec`.
fn skip(said: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let end = at + said[at..].windows(2).position(|pair| pair == b"\r\n").unwrap();
        let line = &said[at..end];
        at = end + 2;
        let Some(open) = line
            .iter()
            .rposition(|byte| *byte == b'{')
            .filter(|_| line.ends_with(b"}"))
        else {
            return at;
        };
        let digits = std::str::from_utf8(&line[open + 1..line.len() - 1]).unwrap();
        at += digits.parse::<usize>().unwrap();
    }
}

#[test]
fn responses() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let (mut read, mut beyond, mut data) = (0, 0, 0);
    let mut failed = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let all = said(&std::fs::read_to_string(&path).unwrap());
        let mut rest = all.as_slice();
        if rest.starts_with(b"* OK [CAP") {
            rest = GreetingCodec::default().decode(rest).unwrap().0;
        }
        while !rest.is_empty() {
            if let Ok((after, response)) = ResponseCodec::default().decode(rest) {
                read += 1;
                data += usize::from(matches!(
                    response,
                    Response::Data(Data::Fetch { .. } | Data::List { .. })
                ));
                rest = after;
                continue;
            }
            let (response, after) = rest.split_at(skip(rest));
            let shown = String::from_utf8_lossy(response).into_owned();
            // Nor does it read UTF-8 in quoted strings.
            if BEYOND.iter().any(|word| shown.contains(word)) || !shown.is_ascii() {
                beyond += 1;
            } else {
                failed.push(format!("{}: {shown}", path.display()));
            }
            rest = after;
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(
        read > 800 && data > 60 && beyond < read / 5,
        "{read} read, {data} with data, {beyond} beyond"
    );
}
