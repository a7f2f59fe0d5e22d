//! Real messages, damaged: whatever is left of them, nothing panics, nothing takes long, and what leaves means what came.

mod meaning;

use bytes::Bytes;
use meaning::meaning;
use postroom_message::{
    complete, forward_attachments, forward_html, forward_subject, forward_text, parse_report, quote_html, quote_text,
    references_for, reply_subject, summarize,
};
use postroom_types::Domain;
use proptest::prelude::*;

const SAMPLES: [&[u8]; 9] = [
    include_bytes!("reports/arf.eml"),
    include_bytes!("reports/exchange.eml"),
    include_bytes!("reports/exim-old.eml"),
    include_bytes!("reports/exim.eml"),
    include_bytes!("reports/gmail.eml"),
    include_bytes!("reports/postfix.eml"),
    include_bytes!("reports/sendmail.eml"),
    include_bytes!("reports/smtputf8.eml"),
    include_bytes!("rfc8463.eml"),
];

/// What parsers stumble over.
const PIECES: [&str; 21] = [
    "\r\n",
    "\r\n\r\n",
    "\r\n--",
    "--",
    "\u{e9}",
    "=",
    "=\r\n",
    "=C3",
    "=?utf-8?q?=0D=0A?=",
    "(",
    "\"",
    "\\",
    "<",
    "<p>",
    ";",
    ", ",
    ": ",
    "\t",
    "\r\n\r\n\u{e9}\r\n",
    "Content-Transfer-Encoding: 8bit\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
];

/// Reads the message in all ways that people and machines ask for.
fn read(content: &[u8]) {
    let summary = summarize(content);
    let _ = (parse_report(content), references_for(content));
    let _ = (
        reply_subject(&summary.subject_text),
        forward_subject(&summary.subject_text),
    );
    let _ = (
        forward_text(content, &summary.root),
        forward_html(content, &summary.root),
    );
    let _ = (quote_text(content, &summary.root), quote_html(content, &summary.root));
    let _ = forward_attachments(&Bytes::copy_from_slice(content), &summary.root);
}

/// One damage: where (as a share of 1000), how much is cut, and what comes there instead.
fn damage() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    let piece = prop_oneof![
        4 => (proptest::sample::select(&PIECES[..]), 1..4_usize).prop_map(|(piece, times)| piece.repeat(times).into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        2 => (proptest::sample::select(&SAMPLES[..]), 0..1_000_usize, 0..400_usize).prop_map(|(sample, at, octets)| {
            let at = sample.len() * at / 1_000;
            sample[at..sample.len().min(at + octets)].to_vec()
        }),
    ];
    (0..1_000_usize, prop_oneof![Just(0), 0..300_usize], piece)
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let damages = proptest::collection::vec(damage(), 1..6);
    (proptest::sample::select(&SAMPLES[..]), damages).prop_map(|(sample, damages)| {
        let mut content = sample.to_vec();
        for (at, cut, piece) in damages {
            let at = content.len() * at / 1_000;
            let end = content.len().min(at + cut);
            content.splice(at..end, piece);
        }
        content
    })
}

/// With line ends that can be sent, and a last line.
fn sendable(content: &[u8]) -> Vec<u8> {
    let lines = content.split(|byte| *byte == b'\n').map(|line| {
        let good = line.iter().copied().filter(|byte| !matches!(byte, b'\r' | 0));
        good.take(998).collect::<Vec<u8>>()
    });
    let mut out = lines.collect::<Vec<_>>().join(&b"\r\n"[..]);
    out.extend_from_slice(b"\r\n.\r\n");
    out
}

proptest! {
    #[test]
    fn damaged_messages_are_read(content in damaged()) {
        read(&content);
    }

    #[test]
    fn damaged_messages_are_completed(content in damaged()) {
        const OURS: &[u8] = b"From: a@b\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <one@b>\r\nMIME-Version: 1.0\r\n";
        let domain = Domain::parse("example.test").unwrap();
        let content = sendable(&content);
        // By itself it may be refused; attached it never is.
        let _ = complete(content.clone().into(), &domain, 0);
        let given = [OURS, b"Content-Type: message/rfc822\r\n\r\n", &content].concat();
        let once = complete(given.clone().into(), &domain, 0).unwrap();
        prop_assert_eq!(once.eight_bit, !once.content.is_ascii());
        prop_assert_eq!(meaning(&once.content), meaning(&given), "{}", String::from_utf8_lossy(&once.content));
        prop_assert!(once.content.ends_with(b"\r\n") && (!given.is_ascii() || once.content == given));
        let again = complete(once.content.clone(), &domain, 0).unwrap();
        prop_assert_eq!(again, once);
    }
}

/// An eighth of a megabyte of each piece, in every place that is read in its own way.
#[test]
fn repeated_pieces_are_read_quickly() {
    let domain = Domain::parse("example.test").unwrap();
    for piece in PIECES {
        let bomb = piece.repeat((128 << 10) / piece.len());
        for before in [
            "Subject: ",
            "From: ",
            "References: ",
            "Content-Type: multipart/mixed; boundary=",
            "\r\n",
            "Content-Type: text/html\r\n\r\n",
        ] {
            let started = std::time::Instant::now();
            let content = [before.as_bytes(), bomb.as_bytes(), b"\r\n\r\n"].concat();
            read(&content);
            let _ = complete(sendable(&content).into(), &domain, 0);
            assert!(started.elapsed().as_secs() < 5, "{piece:?} after {before:?}");
        }
    }
}
