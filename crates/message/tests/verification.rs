//! Verification against a DNS server in this process: the example of RFC 8463 Appendix A and variations of it.

mod support;

use bytes::Bytes;
use postroom_message::{Disposition, MechanismResult, SmtpPeer, Verdict, Verifier};
use postroom_types::ReversePath;
use std::time::Duration;
use support::verdict;

const EXAMPLE: &[u8] = include_bytes!("rfc8463.eml");
const DOMAIN: &str = "football.example.com";
const ED25519: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16J\
                   Yi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT\
                   +l/K4w3QIDAQAB";

fn keys_and(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let mut texts = vec![
        ("brisbane._domainkey.football.example.com", ED25519),
        ("test._domainkey.football.example.com", RSA),
    ];
    texts.extend(more);
    texts
}

const POLICIES: [(&str, &str); 2] = [
    (DOMAIN, "v=spf1 ip4:127.0.0.1 -all"),
    ("_dmarc.football.example.com", "v=DMARC1; p=reject"),
];

#[tokio::test]
async fn both_signatures_of_rfc_8463_pass() {
    let verdict = verdict(
        &keys_and(&POLICIES),
        "127.0.0.1",
        "joe@football.example.com",
        EXAMPLE.to_vec(),
    )
    .await;
    assert_eq!(
        verdict.dkim.iter().map(|dkim| dkim.result).collect::<Vec<_>>(),
        [MechanismResult::Pass; 2],
        "{verdict:?}"
    );
    assert_eq!(verdict.spf.result, MechanismResult::Pass);
    assert_eq!(verdict.dmarc.result, MechanismResult::Pass);
    assert_eq!(verdict.disposition(), Disposition::Deliver);
    assert!(verdict.is_authenticated());
}

/// The fault of mail-auth 0.13 that `without_blank_tail` works around: RFC 6376 §3.4.4 ignores such lines.
#[tokio::test]
async fn whitespace_only_lines_at_the_end_do_not_break_a_relaxed_signature() {
    let content = [EXAMPLE, b" \r\n\t\r\n"].concat();
    let verdict = verdict(&keys_and(&POLICIES), "192.0.2.1", "x@elsewhere.example", content).await;
    assert_eq!(
        verdict.dkim.iter().map(|dkim| dkim.result).collect::<Vec<_>>(),
        [MechanismResult::Pass; 2],
        "{verdict:?}"
    );
    assert_eq!(verdict.dmarc.result, MechanismResult::Pass);
}

#[tokio::test]
async fn a_changed_body_fails_and_the_policy_is_known() {
    let content = String::from_utf8(EXAMPLE.to_vec())
        .unwrap()
        .replace("We lost", "We won");
    let verdict = verdict(
        &keys_and(&POLICIES),
        "192.0.2.1",
        "joe@football.example.com",
        content.into_bytes(),
    )
    .await;
    assert_eq!(verdict.dkim[0].result, MechanismResult::Fail);
    assert_eq!(verdict.spf.result, MechanismResult::Fail);
    assert_eq!(
        (verdict.dmarc.result, verdict.disposition()),
        (MechanismResult::Fail, Disposition::Reject),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn names_without_records_say_nothing() {
    let verdict = verdict(
        &[],
        "127.0.0.1",
        "joe@football.example.com",
        b"From: joe@football.example.com\r\n\r\nhi\r\n".to_vec(),
    )
    .await;
    assert_eq!(verdict.spf.result, MechanismResult::None);
    assert_eq!(verdict.dmarc.result, MechanismResult::None);
    assert_eq!(
        (verdict.dkim.len(), verdict.disposition(), verdict.is_authenticated()),
        (0, Disposition::Deliver, false)
    );
}

#[tokio::test]
async fn a_null_reverse_path_is_judged_by_the_client_name() {
    let host = [("mail.football.example.com", "v=spf1 a -all")];
    let good = verdict(&host, "127.0.0.1", "", b"Subject: x\r\n\r\n".to_vec()).await;
    assert_eq!(
        (good.spf.result, good.spf.domain.as_str()),
        (MechanismResult::Pass, "mail.football.example.com")
    );
}

#[tokio::test]
async fn hostile_messages_are_judged_in_time() {
    let signatures =
        "DKIM-Signature: v=1; a=rsa-sha256; d=football.example.com; s=test; h=from; l=1; bh=AAAA; b=AAAA\r\n"
            .repeat(5_000);
    let messages: [Vec<u8>; 4] = [
        format!("{signatures}From: a@football.example.com\r\n\r\nx\r\n").into_bytes(),
        b"DKIM-Signature: v=1; a=rsa-sha256; d=..; s=\xff; h=; bh=; b=\r\nFrom: \xff\xfe\r\n\r\n".to_vec(),
        Vec::new(),
        vec![0; 4096],
    ];
    for content in messages {
        let started = std::time::Instant::now();
        let verdict = verdict(&keys_and(&POLICIES), "127.0.0.1", "joe@football.example.com", content).await;
        assert!(verdict.dkim.len() <= Verdict::MAX_SIGNATURES);
        assert!(verdict.dkim.iter().all(|dkim| dkim.result != MechanismResult::Pass));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn without_dns_every_verdict_is_none() {
    let peer = SmtpPeer {
        ip: "127.0.0.1".parse().unwrap(),
        client: "x".into(),
        hostname: "y".into(),
    };
    let verdict = Verifier::off()
        .verify(&peer, &ReversePath::Null, &Bytes::from_static(EXAMPLE))
        .await;
    assert_eq!(verdict, Verdict::default());
}
