//! What is composed reads back as what went in.

use bytes::Bytes;
use postroom_message::{
    ComposeError, Mailbox, Outgoing, OutgoingAttachment, attachments, complete, compose, decode_words, decoded_body,
    fields, header_values, html_text, leaf, plain_text, summarize,
};
use postroom_types::{AddressEntry, Domain, EmailAddress};
use proptest::prelude::*;

fn mailbox(name: Option<&str>, address: &str) -> Mailbox {
    Mailbox {
        name: name.map(str::to_owned),
        address: EmailAddress::parse(address).unwrap(),
    }
}

fn empty() -> Outgoing {
    Outgoing {
        from: mailbox(None, "a@b"),
        to: Vec::new(),
        cc: Vec::new(),
        bcc: Vec::new(),
        reply_to: Vec::new(),
        subject: String::new(),
        text: None,
        html: None,
        attachments: Vec::new(),
        in_reply_to: None,
        references: Vec::new(),
        auto_submitted: None,
        extra: Vec::new(),
        date_seconds: 1_795_269_274,
        message_id: "new@b".into(),
    }
}

fn file(filename: &str, content_type: &str, content: &[u8]) -> OutgoingAttachment {
    OutgoingAttachment {
        filename: Some(filename.into()),
        content_type: content_type.into(),
        content: Bytes::copy_from_slice(content),
        content_id: None,
        inline: false,
    }
}

fn composed(message: &Outgoing) -> String {
    String::from_utf8(compose(message).unwrap()).unwrap()
}

#[test]
fn a_plain_message_is_plain() {
    let message = Outgoing {
        to: vec![mailbox(Some("Bee, Ann"), "ann@example.net"), mailbox(None, "c@d")],
        bcc: vec![mailbox(None, "e@f")],
        subject: "Grüße 👋".into(),
        text: Some("Hello,\n\nyou.\n".into()),
        in_reply_to: Some("<old@x>".into()),
        references: vec!["older@x".into(), "old@x".into(), "not usable".into()],
        auto_submitted: Some("auto-generated"),
        extra: vec![("X-Ticket".into(), "42".into())],
        ..empty()
    };
    assert_eq!(
        composed(&message),
        "From: a@b\r\nTo: \"Bee, Ann\" <ann@example.net>, c@d\r\nBcc: e@f\r\n\
         Subject: =?utf-8?b?R3LDvMOfZSDwn5GL?=\r\nDate: Sat, 21 Nov 2026 13:54:34 +0000\r\nMessage-ID: <new@b>\r\n\
         In-Reply-To: <old@x>\r\nReferences: <older@x> <old@x>\r\nAuto-Submitted: auto-generated\r\nX-Ticket: 42\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         Hello,\r\n\r\nyou.\r\n"
    );
}

#[test]
fn an_empty_message_is_fine() {
    let content = composed(&empty());
    assert!(content.ends_with("7bit\r\n\r\n"), "{content}");
    assert_eq!(
        plain_text(content.as_bytes(), &summarize(content.as_bytes()).root).as_deref(),
        Some("")
    );
}

#[test]
fn the_tree_has_no_needless_parts() {
    let shape = |message: &Outgoing| {
        let content = composed(message);
        let types = content.lines().filter_map(|line| line.strip_prefix("Content-Type: "));
        types
            .map(|line| line.split(';').next().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let image = OutgoingAttachment {
        content_id: Some("<i@x>".into()),
        inline: true,
        ..file("i.png", "image/png", b"x")
    };
    let both = Outgoing {
        text: Some("t".into()),
        html: Some("<p>".into()),
        ..empty()
    };
    assert_eq!(
        shape(&Outgoing {
            text: None,
            ..both.clone()
        }),
        "text/html"
    );
    assert_eq!(shape(&both), "multipart/alternative text/plain text/html");
    let with_image = Outgoing {
        attachments: vec![image.clone(), file("a", "text/csv; header=present; name=b", b"y")],
        ..both.clone()
    };
    assert_eq!(
        shape(&with_image),
        "multipart/mixed multipart/alternative text/plain multipart/related text/html image/png text/csv"
    );
    let content = composed(&with_image);
    assert!(
        content.contains("Content-Type: text/csv; header=\"present\"\r\n"),
        "{content}"
    );
    assert!(content.contains("Content-ID: <i@x>\r\n"));
    // Without HTML there is nothing for the image to be related to.
    let text_only = Outgoing {
        attachments: vec![image],
        text: Some("t".into()),
        ..empty()
    };
    assert_eq!(shape(&text_only), "multipart/mixed text/plain image/png");
}

#[test]
fn attachments_of_every_type_come_back() {
    let message = b"Subject: inner\r\n\r\nFrom inside\r\n";
    let cases: [(&str, &[u8], &str); 8] = [
        ("image/png", b"\x89PNG\r\n\x1a\n\0", "image/png"),
        ("text/plain; charset=utf-16", b"\n\r\n ", "text/plain"),
        ("message/rfc822", message, "message/rfc822"),
        ("message/rfc822", b"Subject: \xe9\n\n", "application/octet-stream"),
        ("multipart/mixed; boundary=x", b"--x--", "application/octet-stream"),
        ("rubbish", b"", "application/octet-stream"),
        ("text/", b"x", "application/octet-stream"),
        ("Application/PDF", b"%PDF", "application/pdf"),
    ];
    for (content_type, bytes, expected) in cases {
        let given = Outgoing {
            attachments: vec![file("näme \"x\".bin", content_type, bytes)],
            ..empty()
        };
        let content = composed(&given);
        let root = summarize(content.as_bytes()).root;
        let found = attachments(&root);
        assert_eq!(found.len(), 1, "{content}");
        assert_eq!(
            (found[0].content_type.as_str(), found[0].filename.as_deref()),
            (expected, Some("näme \"x\".bin"))
        );
        let body = decoded_body(content.as_bytes(), leaf(&root, found[0].index).unwrap()).into_owned();
        assert_eq!(body, bytes, "{content_type}");
    }
}

#[test]
fn a_message_that_travels_as_bytes_keeps_a_name() {
    let attached = OutgoingAttachment {
        filename: None,
        ..file("", "message/rfc822", b"Subject: \xe9\n\n")
    };
    let content = composed(&Outgoing {
        attachments: vec![attached],
        ..empty()
    });
    let root = summarize(content.as_bytes()).root;
    assert_eq!(attachments(&root)[0].filename.as_deref(), Some("message.eml"));
}

#[test]
fn injection_is_an_error_that_names_the_field() {
    for bad in ["x\r\nBcc: evil@x", "x\ny", "x\ry", "x\0y"] {
        let text = bad.to_owned();
        let named = Mailbox {
            name: Some(text.clone()),
            ..mailbox(None, "c@d")
        };
        let cases = [
            (
                Outgoing {
                    subject: text.clone(),
                    ..empty()
                },
                "Subject",
            ),
            (
                Outgoing {
                    from: named.clone(),
                    ..empty()
                },
                "From",
            ),
            (
                Outgoing {
                    to: vec![named.clone()],
                    ..empty()
                },
                "To",
            ),
            (
                Outgoing {
                    cc: vec![named.clone()],
                    ..empty()
                },
                "Cc",
            ),
            (
                Outgoing {
                    bcc: vec![named.clone()],
                    ..empty()
                },
                "Bcc",
            ),
            (
                Outgoing {
                    reply_to: vec![named],
                    ..empty()
                },
                "Reply-To",
            ),
            (
                Outgoing {
                    message_id: text.clone(),
                    ..empty()
                },
                "Message-ID",
            ),
            (
                Outgoing {
                    in_reply_to: Some(text.clone()),
                    ..empty()
                },
                "In-Reply-To",
            ),
            (
                Outgoing {
                    references: vec![text.clone()],
                    ..empty()
                },
                "References",
            ),
            (
                Outgoing {
                    extra: vec![("X-A".into(), text.clone())],
                    ..empty()
                },
                "X-A",
            ),
            (
                Outgoing {
                    extra: vec![(text.clone(), "v".into())],
                    ..empty()
                },
                "header name",
            ),
            (
                Outgoing {
                    attachments: vec![file(bad, "a/b", b"")],
                    ..empty()
                },
                "attachment filename",
            ),
            (
                Outgoing {
                    attachments: vec![file("a", bad, b"")],
                    ..empty()
                },
                "attachment content type",
            ),
        ];
        for (message, field) in cases {
            assert_eq!(compose(&message), Err(ComposeError::Injection(field.into())), "{bad:?}");
        }
        let mut image = file("a", "a/b", b"");
        image.content_id = Some(text);
        let message = Outgoing {
            attachments: vec![image],
            ..empty()
        };
        assert_eq!(
            compose(&message),
            Err(ComposeError::Injection("attachment content id".into()))
        );
    }
}

#[test]
fn fields_that_are_ours_cannot_be_extra() {
    for name in [
        "from",
        "BCC",
        "Content-Type",
        "Received",
        "dkim-signature",
        "X Y",
        "X:Y",
        "",
        "Resent-To",
        "é",
    ] {
        let message = Outgoing {
            extra: vec![(name.into(), "v".into())],
            ..empty()
        };
        assert_eq!(compose(&message), Err(ComposeError::Unusable(name.into())));
    }
    let message = Outgoing {
        message_id: "a b".into(),
        ..empty()
    };
    assert_eq!(compose(&message), Err(ComposeError::Unusable("Message-ID".into())));
}

#[test]
fn a_text_that_knows_the_boundary_stays_whole() {
    let message = |text: &str| Outgoing {
        text: Some(text.into()),
        html: Some("<p>".into()),
        ..empty()
    };
    let content = composed(&message("x"));
    let boundary = content
        .split("boundary=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let hostile = format!("x\n--{boundary}--\ny");
    let content = composed(&message(&hostile));
    let text = plain_text(content.as_bytes(), &summarize(content.as_bytes()).root).unwrap();
    assert_eq!(text, hostile.replace('\n', "\r\n"));
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "[ -~\t\u{a0}éß日本\u{202e}😀👩‍🚀,\"\\\\=?_]{0,90}",
        "(word ){0,40}",
        "=\\?utf-8\\?q\\?x\\?= ?"
    ]
}

fn mailboxes() -> impl Strategy<Value = Vec<Mailbox>> {
    let one = (
        proptest::option::of(line()),
        "(a|first[.]last|\"q s\"|o'neil\\+x)@(b|[a-z]{1,60}[.]example)",
    );
    let parsed = one.prop_map(|(name, address)| mailbox(name.as_deref(), &address));
    proptest::collection::vec(parsed, 0..5)
}

fn text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of("([ -~é日😀\t\0]{0,120}\r?\n){0,6}[ -~\t]{0,5}")
}

fn shown(entries: Option<&Vec<AddressEntry>>) -> Vec<(String, String)> {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(decode_words).unwrap_or_default();
    let entry = |entry: &AddressEntry| {
        let mailbox = text(&entry.mailbox);
        let mailbox = if mailbox.contains(' ') {
            format!("\"{mailbox}\"")
        } else {
            mailbox
        };
        (text(&entry.name), format!("{mailbox}@{}", text(&entry.host)))
    };
    entries.into_iter().flatten().map(entry).collect()
}

fn given(mailboxes: &[Mailbox]) -> Vec<(String, String)> {
    let pair = |mailbox: &Mailbox| (mailbox.name.clone().unwrap_or_default(), mailbox.address.to_string());
    mailboxes.iter().map(pair).collect()
}

fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

proptest! {
    #[test]
    fn what_is_composed_reads_back(
        (to, cc, reply_to) in (mailboxes(), mailboxes(), mailboxes()),
        subject in line(),
        (text, html) in (text(), text()),
        files in proptest::collection::vec((line(), proptest::collection::vec(any::<u8>(), 0..80), any::<bool>()), 0..3),
        extra in line(),
    ) {
        let attachments_given: Vec<_> = files
            .iter()
            .map(|(name, bytes, inline)| OutgoingAttachment { inline: *inline, ..file(name, "image/png", bytes) })
            .collect();
        let message = Outgoing {
            to, cc, reply_to, subject, text, html,
            attachments: attachments_given.clone(),
            extra: vec![("X-Extra".into(), extra.clone())],
            ..empty()
        };
        let content = compose(&message).unwrap();
        prop_assert!(content.is_ascii() && content.ends_with(b"\r\n"));
        let lines = String::from_utf8(content.clone()).unwrap();
        prop_assert!(lines.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])));

        let summary = summarize(&content);
        prop_assert_eq!(header_values(&content, "Subject"), [message.subject.as_str()]);
        prop_assert_eq!(shown(summary.envelope.to.as_ref()), given(&message.to));
        prop_assert_eq!(shown(summary.envelope.cc.as_ref()), given(&message.cc));
        prop_assert_eq!(shown(summary.envelope.reply_to.as_ref()), given(&message.reply_to));
        prop_assert_eq!(header_values(&content, "X-Extra"), [extra]);
        prop_assert_eq!(summary.sent_at, Some(1_795_269_274));
        prop_assert_eq!(summary.message_id.as_deref(), Some("new@b"));

        // A message that is nothing but text ends its last line.
        let alone = message.attachments.is_empty() && (message.text.is_none() || message.html.is_none());
        let ended = |text: String| if alone { text.trim_end_matches("\r\n").to_owned() } else { text };
        let expected_text = message.text.clone().or(message.html.is_none().then(String::new));
        prop_assert_eq!(
            plain_text(&content, &summary.root).map(ended),
            expected_text.map(|text| ended(normal(&text)))
        );
        prop_assert_eq!(
            html_text(&content, &summary.root).map(ended),
            message.html.as_deref().map(normal).map(ended)
        );
        let found = attachments(&summary.root);
        prop_assert_eq!(found.len(), attachments_given.len());
        for (found, file) in found.iter().zip(&attachments_given) {
            prop_assert_eq!(&found.filename, &file.filename.clone().filter(|name| !name.is_empty()));
            prop_assert_eq!(found.inline, file.inline);
            let part = leaf(&summary.root, found.index).unwrap();
            prop_assert_eq!(decoded_body(&content, part).into_owned(), file.content.to_vec());
        }

        // A submission server has nothing to add.
        let completed = complete(content.clone().into(), &Domain::parse("b").unwrap(), 0).unwrap();
        prop_assert_eq!(completed.content, content);
        prop_assert!(!completed.eight_bit);
    }
}

#[test]
fn internationalized_addresses_are_written_in_utf_8() {
    let message = Outgoing {
        to: vec![mailbox(Some("用户"), "用户@例子.测试")],
        ..empty()
    };
    let content = composed(&message);
    assert!(
        content.contains("To: =?utf-8?b?55So5oi3?= <用户@例子.测试>\r\n"),
        "{content}"
    );
    assert!(
        complete(content.into(), &Domain::parse("b").unwrap(), 0)
            .unwrap()
            .eight_bit
    );
}

#[test]
fn many_recipients_are_folded() {
    let to = (0..2_000)
        .map(|number| mailbox(Some("Some One"), &format!("user{number}@example.net")))
        .collect();
    let content = composed(&Outgoing { to, ..empty() });
    assert!(content.lines().all(|line| line.len() <= 78));
    assert_eq!(fields(content.as_bytes()).filter(|field| field.is("To")).count(), 1);
}
