//! Our signatures, judged by our own verifier against a DNS server in this process.

mod support;

use postroom_message::{DkimAlgorithm, DkimKey, MechanismResult, SignError, Signer, complete, fields};
use postroom_types::Domain;
use std::sync::LazyLock;
use std::time::Instant;
use support::verdict;

const DOMAIN: &str = "football.example.com";
/// The secret key of RFC 8463 Appendix A.2, wrapped as PKCS#8 (RFC 8410 §7).
const RFC_8463_KEY: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0x9d, 0x61, 0xb1,
    0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

struct Keys {
    signer: Signer,
    records: Vec<(String, String)>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let rsa = DkimKey::generate(DkimAlgorithm::RsaSha256).unwrap();
    let ed25519 = DkimKey::generate(DkimAlgorithm::Ed25519Sha256).unwrap();
    let record = |selector: &str, key: &DkimKey| (format!("{selector}._domainkey.{DOMAIN}"), key.dns_record());
    let records = vec![record("r1", &rsa), record("e1", &ed25519)];
    let keys = vec![("r1".to_owned(), rsa), ("e1".to_owned(), ed25519)];
    let signer = Signer::new(Domain::parse(DOMAIN).unwrap(), keys).unwrap();
    Keys { signer, records }
});

fn signed(content: &[u8]) -> Vec<u8> {
    [KEYS.signer.sign(content).unwrap(), content.to_vec()].concat()
}

async fn results(content: Vec<u8>) -> Vec<MechanismResult> {
    let records: Vec<_> = KEYS
        .records
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let verdict = verdict(&records, "127.0.0.1", "", content).await;
    verdict.dkim.iter().map(|dkim| dkim.result).collect()
}

const MESSAGE: &str = "From: Joe <joe@football.example.com>\r\nTo: a@b\r\nSubject: hello\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n\
    Message-ID: <1@football.example.com>\r\n\r\nHi.\r\n\r\nJoe.\r\n";

#[tokio::test]
async fn messages_of_all_shapes_verify() {
    let from = "From: joe@football.example.com\r\n";
    let long = format!(
        "{from}To: {}\r\n\r\n{}",
        ["someone@example.net"; 60].join(",\r\n "),
        "word  \t word\r\n".repeat(20_000)
    );
    let cases = [
        MESSAGE.to_owned(),
        format!("{from}\r\n"),
        from.to_owned(),
        format!("{from}\r\n\r\n\r\n\r\n"),
        format!("{from}\r\nno line end"),
        format!("{from}\r\n  inner \t white  space \r\n \r\nx\r\n"),
        format!("{from}\r\n\u{e9}\u{65e5}\u{1f600}\r\n"),
        "fRoM: joe@football.example.com\r\nSUBJECT:\r\n\tfolded  \r\n  oddly\t\r\ndate:x\r\nX: y\r\n\r\nx\r\n"
            .to_owned(),
        format!(
            "{from}Subject: one\r\nTo: a@b\r\nSubject: two\r\nTo: c@d\r\nX-Between: z\r\nSubject: three\r\n\r\nx\r\n"
        ),
        format!(
            "{from}Subject: \u{e9}\r\nContent-Type: text/plain\r\nMIME-Version: 1.0\r\nReferences: <a@b>\r\n <c@d>\r\n\r\nx\r\n"
        ),
        long,
    ];
    for content in cases {
        assert_eq!(
            results(signed(content.as_bytes())).await,
            [MechanismResult::Pass; 2],
            "{content:.300}"
        );
    }
}

/// RFC 6376 §3.4.4 ignores whitespace-only lines at the end, mail-auth 0.13 does not, and other verifiers may be of either
/// mind. So `complete` removes them, and what is sent verifies with both.
#[tokio::test]
async fn whitespace_only_lines_at_the_end_are_gone_before_signing() {
    let content = format!("{MESSAGE} \r\n\t\r\n");
    let completed = complete(content.clone().into(), &Domain::parse(DOMAIN).unwrap(), 0).unwrap();
    assert_eq!(completed.content, MESSAGE);
    assert_eq!(results(signed(&completed.content)).await, [MechanismResult::Pass; 2]);
    // The two hashes are the same, as the RFC has it, so the lines may come and go on the way.
    let signature = KEYS.signer.sign(content.as_bytes()).unwrap();
    assert_eq!(signature, KEYS.signer.sign(MESSAGE.as_bytes()).unwrap());
    assert_eq!(
        results([signature, content.into_bytes()].concat()).await,
        [MechanismResult::Pass; 2]
    );
}

#[tokio::test]
async fn nothing_signed_can_be_changed_or_added() {
    let signature = String::from_utf8(KEYS.signer.sign(MESSAGE.as_bytes()).unwrap()).unwrap();
    let changes = [
        ("Joe <joe@", "Jim <joe@"),
        ("To: a@b", "To: a@c"),
        ("Subject: hello", "Subject: hullo"),
        ("2003", "2004"),
        ("<1@", "<2@"),
        ("Hi.", "Ho."),
        ("\r\n\r\nHi.", "\r\n\r\n\r\nHi."),
        ("From: Joe", "From: evil@football.example.com\r\nFrom: Joe"),
        ("\r\n\r\nHi", "\r\nFrom: evil@football.example.com\r\n\r\nHi"),
        ("To: a@b", "To: a@b\r\nTo: c@d"),
        ("Subject: hello", "Subject: evil\r\nSubject: hello"),
        ("Subject: hello", "Subject: hello\r\nSubject: evil"),
        ("Date: Fri", "Date: Sat, 12 Jul 2003 21:00:37 -0700\r\nDate: Fri"),
    ];
    for (from, to) in changes {
        assert!(MESSAGE.contains(from));
        let results = results(format!("{signature}{}", MESSAGE.replacen(from, to, 1)).into_bytes()).await;
        assert!(
            results.len() == 2 && results.iter().all(|result| *result == MechanismResult::Fail),
            "{to:?}: {results:?}"
        );
    }
    // A field that lacked when we signed cannot be added either.
    let bare = "From: joe@football.example.com\r\n\r\nx\r\n";
    let signature = String::from_utf8(KEYS.signer.sign(bare.as_bytes()).unwrap()).unwrap();
    for added in ["To: a@b", "Subject: x", "Date: Fri, 11 Jul 2003 21:00:37 -0700"] {
        let results = results(format!("{signature}{added}\r\n{bare}").into_bytes()).await;
        assert!(
            results.iter().all(|result| *result == MechanismResult::Fail),
            "{added}: {results:?}"
        );
    }
}

#[tokio::test]
async fn what_relays_do_harms_no_signature() {
    let content = String::from_utf8(signed(MESSAGE.as_bytes())).unwrap();
    let changed = format!(
        "Received: from a by b; Fri, 11 Jul 2003 21:00:38 -0700\r\n{}",
        content
            .replace("Subject: hello", "SUBJECT:   \r\n hello ")
            .replace("Hi.", "Hi. \t")
    );
    assert_eq!(results(changed.into_bytes()).await, [MechanismResult::Pass; 2]);
}

#[tokio::test]
async fn the_key_of_rfc_8463_signs() {
    let key = DkimKey::from_pkcs8(&RFC_8463_KEY).unwrap();
    let record = key.dns_record();
    assert_eq!(
        record,
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    );
    let signer = Signer::new(Domain::parse(DOMAIN).unwrap(), vec![("brisbane".into(), key)]).unwrap();
    let content = [signer.sign(MESSAGE.as_bytes()).unwrap(), MESSAGE.into()].concat();
    let verdict = verdict(
        &[("brisbane._domainkey.football.example.com", &record)],
        "127.0.0.1",
        "",
        content,
    )
    .await;
    assert_eq!(verdict.dkim[0].result, MechanismResult::Pass);
    assert_eq!(
        (verdict.dkim[0].domain.as_str(), verdict.dkim[0].selector.as_str()),
        (DOMAIN, "brisbane")
    );
}

#[test]
fn signatures_are_folded_and_say_what_they_cover() {
    let signature = String::from_utf8(KEYS.signer.sign(MESSAGE.as_bytes()).unwrap()).unwrap();
    assert_eq!(fields(signature.as_bytes()).count(), 2);
    assert!(
        signature
            .lines()
            .all(|line| line.len() <= 78 && !line.trim().is_empty()),
        "{signature}"
    );
    let flat: String = signature.split_whitespace().collect();
    assert!(
        flat.contains("h=from:from:to:to:subject:subject:date:date:message-id;bh="),
        "{flat}"
    );
    assert!(flat.contains("a=rsa-sha256;") && flat.contains("a=ed25519-sha256;"));
    assert!(!flat.contains(";l=") && !flat.contains(";x="));
}

#[test]
fn what_cannot_be_signed() {
    let no_from = KEYS.signer.sign(b"To: a@b\r\n\r\nx\r\n").unwrap_err();
    assert_eq!(no_from, SignError::NoFrom);
    let many = format!("From: a@b\r\n{}\r\n", "To: c@d\r\n".repeat(1_000));
    assert_eq!(KEYS.signer.sign(many.as_bytes()).unwrap_err(), SignError::TooManyFields);
    for (domain, selector) in [
        ("[127.0.0.1]", "s"),
        ("b\u{fc}cher.example", "s"),
        ("a.b", ""),
        ("a.b", "s;x"),
        ("a.b", "s\r\n"),
    ] {
        let key = DkimKey::from_pkcs8(&RFC_8463_KEY).unwrap();
        let made = Signer::new(Domain::parse(domain).unwrap(), vec![(selector.into(), key)]);
        assert_eq!(made.unwrap_err(), SignError::Name, "{domain} {selector:?}");
    }
}

/// Signing must not be what a queue waits for: twice RSA-2048 would be a bug, and so would a body hashed for each key.
#[test]
fn signing_is_fast() {
    let content = format!(
        "{MESSAGE}{}",
        "A line of text as people write it, some sixty octets.\r\n".repeat(75)
    );
    KEYS.signer.sign(content.as_bytes()).unwrap();
    let started = Instant::now();
    for _ in 0..20 {
        KEYS.signer.sign(content.as_bytes()).unwrap();
    }
    let each = started.elapsed() / 20;
    println!("{each:?} for {} octets with two signatures", content.len());
    assert!(each.as_millis() < 20, "{each:?}");
}
