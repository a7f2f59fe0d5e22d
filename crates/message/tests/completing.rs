//! What a submission server adds and takes.

use bytes::Bytes;
use postroom_message::{CompleteError, Completed, complete};
use postroom_types::Domain;
use proptest::prelude::*;

const NOW: i64 = 1_795_269_274;

fn completed(content: &str) -> Result<Completed, CompleteError> {
    complete(content.to_owned().into(), &Domain::parse("example.test").unwrap(), NOW)
}

/// The content that leaves, with the Message-ID that was made shown as `<new>`.
fn content(of: &str) -> String {
    let completed = completed(of).unwrap();
    let text = String::from_utf8(completed.content.to_vec()).unwrap();
    text.replace(
        &completed.message_id,
        if of.contains(&completed.message_id) {
            "kept"
        } else {
            "new"
        },
    )
}

const WHOLE: &str = "From: a@b\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\nMessage-ID: <one@b>\r\n";

#[test]
fn fields_are_added_where_they_lack() {
    let date = "Date: Sat, 21 Nov 2026 13:54:34 +0000\r\n";
    let cases = [
        ("From: a@b\r\n\r\nx\r\n", format!("{date}Message-ID: <new>\r\nFrom: a@b\r\n\r\nx\r\n")),
        ("From: a@b\r\nDate: rubbish\r\nmessage-id: rubbish\r\n\r\nx", format!("{date}Message-ID: <new>\r\nFrom: a@b\r\n\r\nx\r\n")),
        ("From: a@b", format!("{date}Message-ID: <new>\r\nFrom: a@b\r\n\r\n")),
        ("", format!("{date}Message-ID: <new>\r\n\r\n")),
        ("\r\nx\r\n", format!("{date}Message-ID: <new>\r\n\r\nx\r\n")),
        (
            "Date: 21 Nov 97 09:55:06 GMT\r\nMessage-ID: <x@y> (c)\r\nContent-Type: text/html\r\n\r\n",
            "MIME-Version: 1.0\r\nDate: 21 Nov 97 09:55:06 GMT\r\nMessage-ID: <kept> (c)\r\nContent-Type: text/html\r\n\r\n".to_owned(),
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(content(given), expected, "{given:?}");
    }
}

#[test]
fn a_whole_message_stays_as_it_is() {
    let given = format!("{WHOLE}Subject:  odd\r\n\tfolding \r\nX-Y:z\r\n\r\nbody \r\n\r\n\r\n");
    let completed = completed(&given).unwrap();
    assert_eq!(completed.content, given);
    assert_eq!(completed.message_id, "one@b");
}

#[test]
fn bcc_and_return_path_are_taken_out() {
    let given = format!("Return-Path: <x@y>\r\nBcc: c@d,\r\n e@f\r\n{WHOLE}RESENT-BCC: g@h\r\n\r\nBcc: body\r\n");
    let completed = completed(&given).unwrap();
    assert_eq!(completed.content, format!("{WHOLE}\r\nBcc: body\r\n"));
    assert_eq!(completed.bcc, b"Bcc: c@d,\r\n e@f\r\nRESENT-BCC: g@h\r\n");
}

/// See `without_blank_tail`: mail-auth 0.13 hashes such lines although RFC 6376 §3.4.4 ignores them.
#[test]
fn whitespace_only_lines_at_the_end_are_removed() {
    for (body, kept) in [
        ("hello\r\n \r\n\t\r\n", "hello\r\n"),
        ("hello\r\n  ", "hello\r\n"),
        ("hello \r\n", "hello \r\n"),
        (" ", ""),
        ("hello\r\n\r\n", "hello\r\n\r\n"),
    ] {
        let given = format!("{WHOLE}\r\n{body}");
        assert_eq!(completed(&given).unwrap().content, format!("{WHOLE}\r\n{kept}"));
    }
}

#[test]
fn what_the_header_says() {
    let given = "From: Ann <ann@b>, \"x y\"@d\r\nSender: <s@b>\r\nAuto-Submitted: auto-generated; x=y\r\nIn-Reply-To: <p@q> <r@s>\r\n\r\n";
    let of = completed(given).unwrap();
    let from: Vec<_> = of.from.iter().map(ToString::to_string).collect();
    assert_eq!(from, ["ann@b", "\"x y\"@d"]);
    assert_eq!(of.sender.unwrap().to_string(), "s@b");
    assert_eq!((of.auto_submitted, of.in_reply_to.as_deref()), (true, Some("p@q")));
    assert!(!of.eight_bit);
    assert!(
        !completed("From: a@b\r\nAuto-Submitted: (x) No\r\n\r\n")
            .unwrap()
            .auto_submitted
    );
    let body = completed("From: a@b\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n\u{e9}").unwrap();
    assert!(body.eight_bit);
    let header = completed("From: a@b\r\nSubject: \u{e9}\r\n\r\n").unwrap();
    assert!(header.eight_bit);
}

#[test]
fn malformed_messages_are_refused() {
    let long = format!("From: a@b\r\n\r\n{}\r\n", "x".repeat(999));
    let cases = [
        ("From: a@b\n\nx\n", "bare LF"),
        ("From: a@b\r\n\r\nx\ry\r\n", "bare CR"),
        ("From: a@b\r\n\r\nx\r\r\n", "bare CR"),
        ("From: a@b\r\n\r\nx\r", "bare CR"),
        ("From: a@b\r\n\r\nx\0\r\n", "NUL"),
        (&long, "line over 998 octets"),
        ("From a@b\r\n\r\n", "header line is no field"),
        ("From: a@b\r\nhello there\r\n\r\n", "header line is no field"),
        (" x\r\nFrom: a@b\r\n\r\n", "header line is no field"),
        ("From: a@b\r\nFROM: c@d\r\n\r\n", "more than one From field"),
        ("From: a@b\r\nDate: x\r\ndate:y\r\n\r\n", "more than one Date field"),
        ("From : a@b\r\n\r\n", "space before the colon of a field"),
        ("From: nobody\r\n\r\n", "From is not a list of addresses"),
        ("From: \r\n\r\n", "From is not a list of addresses"),
        ("From: friends: a@b;\r\n\r\n", "From is not a list of addresses"),
        ("From: <a@b> <c@d>\r\n\r\n", "From is not a list of addresses"),
        ("From: <a@b> .d\r\n\r\n", "From is not a list of addresses"),
        ("From: a@b c\r\n\r\n", "From is not a list of addresses"),
        ("From: a@b, c@d\r\n\r\n", "several From addresses need a Sender"),
        ("From: a@b\r\nSender: c@d, e@f\r\n\r\n", "Sender is not one address"),
    ];
    for (given, why) in cases {
        assert_eq!(
            completed(given).unwrap_err(),
            CompleteError::Malformed(why),
            "{given:?}"
        );
    }
    let latin1 = Bytes::from_static(b"From: a@b\r\nSubject: \xe9\r\n\r\n");
    assert!(complete(latin1, &Domain::parse("b").unwrap(), NOW).is_err());
    assert!(completed(&format!("From: a@b\r\n\r\n{}\r\n", "x".repeat(998))).is_ok());
}

/// What a lenient reader could take for another author is never taken for ours.
#[test]
fn odd_authors_are_nobody_else() {
    for from in ["<evil@c> <a@b>", "a@b evil@c", "evil@c, a@b <", "\"a@b\" <evil@c>"] {
        let authors = completed(&format!("From: {from}\r\nSender: s@b\r\n\r\n"))
            .map(|of| of.from)
            .unwrap_or_default();
        assert!(
            authors.iter().all(|author| author.to_string() != "a@b") || authors.len() > 1,
            "{from}: {authors:?}"
        );
    }
}

proptest! {
    #[test]
    fn completing_twice_changes_nothing_more(
        fields in proptest::collection::vec("(From: a@b|Date: x|Message-ID: <a@b>|Bcc: x|Subject: é|Content-Type: a/b|X:|Return-Path: <>)(\r\n y)?\r\n", 0..6),
        body in "[ a.é\t]{0,3}(\r\n[ a\t]{0,3}){0,4}",
    ) {
        let given = format!("{}\r\n{body}", fields.concat());
        if let Ok(once) = completed(&given) {
            let twice = complete(once.content.clone(), &Domain::parse("other.test").unwrap(), NOW + 1).unwrap();
            prop_assert!(once.content.ends_with(b"\r\n"));
            prop_assert_eq!(&twice.content, &once.content);
            let bcc = once.bcc.clone();
            prop_assert_eq!(twice, Completed { bcc: Vec::new(), ..once });
            prop_assert_eq!(bcc.is_empty(), !fields.iter().any(|field| field.starts_with("Bcc")));
        }
    }

    #[test]
    fn any_bytes_are_completed_or_refused(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = complete(content.into(), &Domain::parse("b").unwrap(), NOW);
    }
}
