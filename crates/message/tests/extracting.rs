//! Codes and links, in mail of many languages, and what only looks like them.

use postroom_message::{Purpose, extract_codes, extract_links};
use proptest::prelude::*;
use std::fs;
use std::time::{Duration, Instant};

/// What separates a mail from what is found in it, in the files of `tests/extract`. Their first line is the subject.
const SEPARATOR: &str = "\n\n=== found ===\n";

fn found(text: Option<&str>, html: Option<&str>, subject: &str) -> String {
    let seconds = |seconds: Option<u32>| seconds.map_or("-".to_owned(), |seconds| seconds.to_string());
    let mut out = String::new();
    for code in extract_codes(text, html, subject) {
        assert!(!code.evidence.is_empty());
        out.push_str(&format!("code {} {}\n", code.code, seconds(code.valid_seconds)));
    }
    for link in extract_links(text, html) {
        let purpose = match link.purpose {
            Purpose::Verify => "verify",
            Purpose::Reset => "reset",
            Purpose::Login => "login",
            Purpose::Other => "other",
        };
        out.push_str(&format!("{purpose} {} {}\n", link.url, seconds(link.valid_seconds)));
    }
    out
}

#[test]
fn mails() {
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/extract")).unwrap() {
        let path = entry.unwrap().path();
        let case = fs::read_to_string(&path).unwrap();
        let (mail, expected) = case.split_once(SEPARATOR).unwrap();
        let (subject, body) = mail.split_once('\n').unwrap();
        let html = path.extension().is_some_and(|extension| extension == "html");
        let found = found((!html).then_some(body), html.then_some(body), subject);
        if found != expected {
            failed.push(format!("{}\n{expected}---\n{found}", path.display()));
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
    assert!(count > 60);
}

#[test]
fn evidence_is_the_sentence() {
    let text =
        "Hello. Your code is 482913. Keep it.\n\nOr open this link to verify: https://example.com/v/8fK2mQ9xT4vB7nL1\n";
    assert_eq!(extract_codes(Some(text), None, "")[0].evidence, "Your code is 482913.");
    let links = extract_links(Some(text), None);
    assert_eq!(
        links[0].evidence,
        "Or open this link to verify: https://example.com/v/8fK2mQ9xT4vB7nL1"
    );
    let html = "<p>Your login code</p><p>482913</p><p><a href='https://example.com/v/8fK2mQ9xT4vB7nL1'>Confirm</a></p>";
    assert_eq!(
        extract_codes(None, Some(html), "")[0].evidence,
        "Your login code 482913"
    );
    let links = extract_links(None, Some(html));
    assert_eq!(
        (links[0].text.as_str(), links[0].evidence.as_str()),
        ("Confirm", "482913 Confirm")
    );
}

fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("your code is "),
        Just("482913"),
        Just("48-29-13 "),
        Just("\n"),
        Just("код: "),
        Just("İ"),
        Just("验证码"),
        Just("G-1234"),
        Just("https://a.b/reset/8fK2mQ9xT4vB7nL1"),
        Just("<a href='http://x/y'>"),
        Just("</a>"),
        Just("<td>"),
        Just("$"),
        Just(" expires in 10 minutes. "),
        Just("http"),
    ];
    prop::collection::vec(prop_oneof![8 => piece.prop_map(str::to_owned), 1 => ".{0,8}"], 0..40)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_mail_is_read(mail in soup(), subject in soup()) {
        for code in extract_codes(Some(&mail), Some(&mail), &subject) {
            prop_assert!((4..=16).contains(&code.code.len()), "{code:?}");
            prop_assert!(code.evidence.chars().count() <= 300);
        }
        for link in extract_links(Some(&mail), Some(&mail)) {
            prop_assert!(link.url.to_lowercase().starts_with("http"), "{link:?}");
        }
    }
}

/// Only the beginning of a mail is read, and none of it too often.
#[test]
fn time_is_bounded() {
    for piece in [
        "code ",
        "code 482913 ",
        "482913\n",
        "code: ",
        "1 2 3 4 ",
        "http",
        "https://a.b/c ",
        "<a href=http://a.b>",
        "<td>1",
        "expires ",
        "AB-",
    ] {
        let mail = piece.repeat((1 << 18) / piece.len());
        let start = Instant::now();
        let _ = (
            extract_codes(Some(&mail), Some(&mail), "code"),
            extract_links(Some(&mail), Some(&mail)),
        );
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{piece:?} {:?}",
            start.elapsed()
        );
    }
}
