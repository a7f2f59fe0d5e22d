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

/// What DMARC says of mail with this From field, from a sender who can prove to be `attacker.com`.
async fn dmarc_of_attacker(from: &str) -> (MechanismResult, Disposition, String) {
    let texts = [
        ("attacker.com", "v=spf1 ip4:192.0.2.1 -all"),
        ("_dmarc.attacker.com", "v=DMARC1; p=none"),
        ("_dmarc.bank.com", "v=DMARC1; p=reject"),
        ("_dmarc.shop.com", "v=DMARC1; p=quarantine"),
        ("_dmarc.club.com", "v=DMARC1; p=none"),
    ];
    let content = format!("{from}\r\n\r\nhi\r\n").into_bytes();
    let verdict = verdict(&texts, "192.0.2.1", "x@attacker.com", content).await;
    assert_eq!(verdict.spf.result, MechanismResult::Pass);
    (verdict.dmarc.result, verdict.disposition(), verdict.dmarc.domain)
}

#[tokio::test]
async fn every_author_is_asked_about() {
    use Disposition::{Deliver, Quarantine, Reject};
    use MechanismResult::{Fail, None, Pass};
    for (from, result, disposition, domain) in [
        ("From: x@attacker.com", Pass, Deliver, "attacker.com"),
        ("From: x@attacker.com, y@attacker.com", Pass, Deliver, "attacker.com"),
        ("From: ceo@bank.com, x@attacker.com", Fail, Reject, "bank.com"),
        ("From: x@attacker.com, ceo@bank.com", Fail, Reject, "bank.com"),
        ("From: x@attacker.com\r\nFrom: ceo@bank.com", Fail, Reject, "bank.com"),
        (
            "From: a@club.com, b@shop.com, c@bank.com, x@attacker.com",
            Fail,
            Reject,
            "bank.com",
        ),
        (
            "From: a@club.com, b@shop.com, x@attacker.com",
            Fail,
            Quarantine,
            "shop.com",
        ),
        (
            "From: nobody@nowhere.example, x@attacker.com",
            None,
            Deliver,
            "nowhere.example",
        ),
        // What is shown and what is judged are two.
        ("From: ceo@bank.co m, x@attacker.com", Fail, Quarantine, "bank.co m"),
        ("From: <x@attacker.com> <ceo@bank.com>", Fail, Reject, "bank.com"),
        ("From: <ceo@bank.com> <x@attacker.com>", Fail, Reject, "bank.com"),
        ("From: x@attacker.com@attacker.com", Fail, Quarantine, "attacker.com"),
        ("From: \"ceo@bank.com\" (x)", Fail, Reject, "bank.com"),
    ] {
        let said = dmarc_of_attacker(from).await;
        assert_eq!(said, (result, disposition, domain.to_owned()), "{from}");
    }
}

/// Signatures that are too many to look at are no way around the policy of the author.
#[tokio::test]
async fn many_signatures_do_not_hide_the_author() {
    let signatures = "DKIM-Signature: v=1; d=attacker.com; s=a; h=from; bh=AAAA; b=AAAA\r\n".repeat(100);
    let (result, disposition, _) = dmarc_of_attacker(&format!("{signatures}From: ceo@bank.com")).await;
    assert_eq!((result, disposition), (MechanismResult::Fail, Disposition::Reject));
    let (result, disposition, _) = dmarc_of_attacker(&format!("{signatures}From: x@attacker.com")).await;
    assert_eq!((result, disposition), (MechanismResult::Pass, Disposition::Deliver));
}

/// A sender whose own name servers say nothing does not keep the author's policy from being asked for.
#[tokio::test]
async fn silence_of_the_sender_is_none_of_the_author() {
    use MechanismResult::{Fail, TempError};
    let texts = [
        ("_dmarc.bank.com", "v=DMARC1; p=reject"),
        ("_dmarc.football.example.com", "v=DMARC1; p=reject"),
        ("football.example.com", "v=spf1 include:silent.attacker.com -all"),
    ];
    let junk = "DKIM-Signature: v=1; a=rsa-sha256; d=bank.com; s=x; r=y; h=from; bh=AAAA; b=AAAA\n";
    let signed = |from: &str, before: &str, after: &str| {
        let example = String::from_utf8(EXAMPLE.to_vec()).unwrap();
        let silent = example.replace("d=football.example.com", "d=silent.attacker.com");
        let silent = silent.replace("From: ", &format!("{after}From: "));
        format!("{before}{}", silent.replace("joe@football.example.com", from)).into_bytes()
    };
    let verdict_of = |from: &'static str, mail_from: &'static str, (before, after): (&str, &str)| {
        let content = signed(from, before, after);
        async move { verdict(&texts, "192.0.2.1", mail_from, content).await }
    };
    let (forged, before, after, own) = tokio::join!(
        verdict_of("ceo@bank.com", "x@silent.attacker.com", ("", "")),
        verdict_of("ceo@bank.com", "x@silent.attacker.com", (junk, "")),
        verdict_of("ceo@bank.com", "x@silent.attacker.com", ("", junk)),
        verdict_of("joe@football.example.com", "joe@football.example.com", ("", "")),
    );
    for forged in [&forged, &before, &after] {
        assert_eq!(forged.spf.result, MechanismResult::TempError);
        assert_eq!(forged.disposition(), Disposition::Reject, "{forged:?}");
    }
    // Only who is silent is waited for.
    let results = |verdict: &Verdict| verdict.dkim.iter().map(|dkim| dkim.result).collect::<Vec<_>>();
    assert_eq!(results(&before), [Fail, TempError, TempError]);
    assert_eq!(results(&after), [TempError, TempError, Fail]);
    // What could have been the author's is no failure.
    assert_eq!(own.dmarc.result, MechanismResult::TempError, "{own:?}");
}

/// The key is asked for once, whichever reading of the body matches, and who cannot be asked has not failed.
#[tokio::test]
async fn a_key_that_does_not_come_is_no_failure_of_a_body_with_a_blank_tail() {
    let example = String::from_utf8(EXAMPLE.to_vec()).unwrap();
    let content = example.replace("s=brisbane", "s=silent") + " \r\n\t\r\n";
    let verdict = verdict(
        &keys_and(&[("_dmarc.football.example.com", "v=DMARC1; p=reject")]),
        "192.0.2.1",
        "x@elsewhere.example",
        content.replace("s=test", "s=silenter").into_bytes(),
    )
    .await;
    assert_eq!(
        verdict.dkim.iter().map(|dkim| dkim.result).collect::<Vec<_>>(),
        [MechanismResult::TempError; 2],
        "{verdict:?}"
    );
    assert_eq!(
        (verdict.dmarc.result, verdict.disposition()),
        (MechanismResult::TempError, Disposition::Deliver),
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
