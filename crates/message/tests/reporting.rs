//! Reports in the styles of common servers, and our own read back.

use postroom_message::{
    Dsn, DsnAction, DsnRecipient, Report, ReportKind, compose_dsn, fields, header_values, parse_report, plain_text,
    summarize,
};
use postroom_types::{Domain, EmailAddress};
use proptest::prelude::*;

type Expected<'a> = (ReportKind, Option<&'a str>, &'a str, &'a str);

fn check(name: &str, content: &[u8], expected: &[Expected<'_>]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(kind, recipient, status, diagnostic)| Report {
            kind: *kind,
            final_recipient: recipient.map(str::to_owned),
            status: (*status).to_owned(),
            diagnostic: (*diagnostic).to_owned(),
            original_message_id: Some("original@example.test".to_owned()),
        })
        .collect();
    assert_eq!(parse_report(content), Some(expected.clone()), "{name}");
    // Relays may have changed the line ends.
    let bare: Vec<u8> = content.iter().copied().filter(|byte| *byte != b'\r').collect();
    assert_eq!(parse_report(&bare), Some(expected), "{name} with LF");
}

macro_rules! check_file {
    ($name:literal, $($expected:expr),+) => {
        check($name, include_bytes!(concat!("reports/", $name, ".eml")), &[$($expected),+])
    };
}

#[test]
fn reports_of_common_servers() {
    use ReportKind::{Complaint, Delayed, Failed};
    let nobody = Some("nobody@example.org");
    check_file!(
        "postfix",
        (
            Failed,
            nobody,
            "5.1.1",
            "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown"
        ),
        (
            Delayed,
            Some("slow@example.com"),
            "4.4.1",
            "connect to mail.example.com[198.51.100.9]:25: Connection timed out"
        )
    );
    check_file!("exim", (Failed, nobody, "5.0.0", "550 No such user here"));
    check_file!(
        "exim-old",
        (Failed, nobody, "5.0.0", ""),
        (Failed, Some("gone@example.org"), "5.0.0", "")
    );
    check_file!(
        "sendmail",
        (
            Failed,
            nobody,
            "5.1.1",
            "550 5.1.1 <nobody@example.org>... User unknown"
        )
    );
    check_file!(
        "exchange",
        (
            Failed,
            Some("nobody@contoso.example"),
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient nobody@contoso.example not found by SMTP address lookup"
        )
    );
    check_file!(
        "gmail",
        (
            Delayed,
            nobody,
            "4.4.1",
            "The recipient server did not accept our requests to connect. [mail.example.org. 192.0.2.7: timed out]"
        )
    );
    check_file!("arf", (Complaint, Some("annoyed@example.com"), "", "abuse"));
    check_file!(
        "smtputf8",
        (Failed, Some("用户@例子.测试"), "5.6.7", "553 5.6.7 nicht möglich")
    );
}

fn with_status(status: &str) -> Option<Vec<Report>> {
    let content = format!(
        "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n--b--\r\n"
    );
    parse_report(content.as_bytes())
}

#[test]
fn what_the_fields_of_a_recipient_mean() {
    use ReportKind::{Delayed, Delivered, Expanded, Failed, Relayed};
    type Meaning<'a> = Option<(ReportKind, &'a str, &'a str)>;
    let cases: [(&str, Meaning<'_>); 14] = [
        (
            "Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.0.0",
            Some((Failed, "a@b", "5.0.0")),
        ),
        (
            "Final-Recipient: a@b\r\nACTION: Delivered (x)\r\nStatus: 2.0.0 (ok)",
            Some((Delivered, "a@b", "2.0.0")),
        ),
        (
            "Final-Recipient: rfc822;<a@b>\r\nAction: relayed\r\nStatus: 2.0.0",
            Some((Relayed, "a@b", "2.0.0")),
        ),
        (
            "Final-Recipient: rfc822;a@b\r\nAction: expanded\r\nStatus: rubbish",
            Some((Expanded, "a@b", "2.0.0")),
        ),
        (
            "Original-Recipient: rfc822;a@b\r\nAction: failed",
            Some((Failed, "a@b", "5.0.0")),
        ),
        (
            "Original-Recipient: rfc822;c@d\r\nFinal-Recipient: rfc822;a@b\r\nAction: delayed",
            Some((Delayed, "a@b", "4.0.0")),
        ),
        (
            "Final-Recipient: rfc822;a@b\r\nStatus: 5.2.2",
            Some((Failed, "a@b", "5.2.2")),
        ),
        (
            "Final-Recipient: rfc822;a@b\r\nAction: odd\r\nStatus: 4.2.2",
            Some((Delayed, "a@b", "4.2.2")),
        ),
        (
            "Final-Recipient: rfc822;a@b\r\nAction: failed\r\nStatus: 9.9.9",
            Some((Failed, "a@b", "5.0.0")),
        ),
        (
            "Final-Recipient: rfc822; \"x;y\"@b\r\nAction: failed\r\nStatus: 5.1.1",
            Some((Failed, "\"x;y\"@b", "5.1.1")),
        ),
        (
            "Final-Recipient: utf-8; a\\x{2B}\\x{zz}\\x{110000}\\x{0}@b\r\nAction: failed\r\nStatus: 5.1.1",
            Some((Failed, "a+\\x{zz}\\x{110000}\\x{0}@b", "5.1.1")),
        ),
        ("Final-Recipient: rfc822;a@b", None),
        ("Action: failed\r\nStatus: 5.1.1", None),
        ("", None),
    ];
    for (status, expected) in cases {
        let found = with_status(status).map(|reports| {
            let [report] = <[Report; 1]>::try_from(reports).unwrap();
            (report.kind, report.final_recipient.unwrap(), report.status)
        });
        assert_eq!(
            found,
            expected.map(|(kind, to, code)| (kind, to.to_owned(), code.to_owned())),
            "{status}"
        );
    }
}

#[test]
fn what_is_no_report() {
    let exim = String::from_utf8_lossy(include_bytes!("reports/exim-old.eml"));
    let arf = String::from_utf8_lossy(include_bytes!("reports/arf.eml"));
    for content in [
        String::new(),
        "From: a@b\r\n\r\nfailed: nobody@example.org\r\n".to_owned(),
        exim.replace("Auto-Submitted", "X-Auto"),
        arf.replace("abuse\r\n", "not-spam\r\n"),
        arf.replace("abuse\r\n", "auth-failure\r\n"),
        "Content-Type: message/rfc822\r\n\r\nX-Failed-Recipients: a@b\r\nAuto-Submitted: auto-replied\r\n\r\n"
            .to_owned(),
    ] {
        assert_eq!(parse_report(content.as_bytes()), None, "{content:.200}");
    }
}

#[test]
fn hostile_reports_are_bounded() {
    let group = "Final-Recipient: rfc822;a@b\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n";
    assert_eq!(with_status(&group.repeat(20_000)).unwrap().len(), 1_000);
    let long = format!(
        "Final-Recipient: rfc822;a@b\r\nAction: failed\r\nDiagnostic-Code: smtp; {}",
        "x y ".repeat(100_000)
    );
    assert!(with_status(&long).unwrap()[0].diagnostic.len() <= 1_000);
    let long = format!(
        "Final-Recipient: rfc822;{}@b\r\nAction: failed",
        "\\x{41}".repeat(100_000)
    );
    assert_eq!(with_status(&long), None);
    assert_eq!(with_status(&"\r\n".repeat(500_000)), None);
    assert_eq!(with_status(&"\\x{".repeat(300_000)), None);
    let many = format!(
        "X-Failed-Recipients: {}\r\nAuto-Submitted: auto-replied\r\n\r\n",
        "a@b,".repeat(100_000)
    );
    assert_eq!(parse_report(many.as_bytes()).unwrap().len(), 1_000);
}

fn dsn<'a>(to: &'a EmailAddress, domain: &'a Domain, header: &'a [u8], recipients: Vec<DsnRecipient<'a>>) -> Dsn<'a> {
    Dsn {
        reporting_host: "mx.example.test",
        from_domain: domain,
        to,
        message_id: "dsn@example.test",
        envelope_id: Some("QQ314159"),
        arrival: 1_795_269_000,
        date: 1_795_269_274,
        recipients,
        original_header: header,
    }
}

fn recipient<'a>(address: &'a EmailAddress, action: DsnAction, diagnostic: &'a str) -> DsnRecipient<'a> {
    DsnRecipient {
        address,
        action,
        status: if action == DsnAction::Failed { "5.1.1" } else { "4.4.1" },
        remote_host: "mail.example.org",
        diagnostic,
        last_attempt: 1_795_269_270,
        will_retry_until: (action == DsnAction::Delayed).then_some(1_795_700_000),
    }
}

const HEADER: &[u8] = b"From: agent@example.test\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nMessage-ID: <original@example.test>\r\n\r\nthe body";

#[test]
fn a_failure_notice_is_what_the_standards_ask() {
    let (to, domain) = (
        EmailAddress::parse("agent@example.test").unwrap(),
        Domain::parse("example.test").unwrap(),
    );
    let nobody = EmailAddress::parse("nobody@example.org").unwrap();
    let content = compose_dsn(&dsn(
        &to,
        &domain,
        HEADER,
        vec![recipient(&nobody, DsnAction::Failed, "550 5.1.1 Who?")],
    ));
    let text = String::from_utf8(content.clone()).unwrap();
    assert!(text.is_ascii() && !text.contains("the body"), "{text}");
    for (name, value) in [
        ("From", "Mail Delivery System <MAILER-DAEMON@example.test>"),
        ("To", "agent@example.test"),
        ("Subject", "Undelivered mail: café"),
        ("Date", "Sat, 21 Nov 2026 13:54:34 +0000"),
        ("Message-ID", "<dsn@example.test>"),
        ("In-Reply-To", "<original@example.test>"),
        ("Auto-Submitted", "auto-replied"),
    ] {
        assert_eq!(header_values(&content, name), [value]);
    }
    let status = "Content-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: QQ314159\r\nReporting-MTA: dns; mx.example.test\r\n\
        Arrival-Date: Sat, 21 Nov 2026 13:50:00 +0000\r\n\r\nFinal-Recipient: rfc822; nobody@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\
        Remote-MTA: dns; mail.example.org\r\nDiagnostic-Code: smtp; 550 5.1.1 Who?\r\nLast-Attempt-Date: Sat, 21 Nov 2026 13:54:30 +0000\r\n\r\n--";
    assert!(text.contains(status), "{text}");
    let shown = plain_text(&content, &summarize(&content).root).unwrap();
    assert!(shown.contains(
        "could not be delivered to:\r\n\r\n  <nobody@example.org>\r\n    mail.example.org said: 550 5.1.1 Who?\r\n"
    ));
}

#[test]
fn a_delay_notice_says_until_when() {
    let (to, domain) = (
        EmailAddress::parse("agent@example.test").unwrap(),
        Domain::parse("example.test").unwrap(),
    );
    let slow = EmailAddress::parse("slow@example.org").unwrap();
    let late = DsnRecipient {
        remote_host: "",
        ..recipient(&slow, DsnAction::Delayed, "connection timed out")
    };
    let text = String::from_utf8(compose_dsn(&dsn(&to, &domain, HEADER, vec![late]))).unwrap();
    assert!(text.contains("Subject: =?utf-8?q?Delayed_mail"), "{text}");
    assert!(text.contains("You need not send it again") && text.contains("Will-Retry-Until: Thu, 26 Nov 2026"));
    assert!(text.contains("Action: delayed\r\nStatus: 4.4.1\r\nDiagnostic-Code: x-postroom; connection timed out\r\n"));
}

#[test]
fn of_a_huge_header_is_returned_what_tells() {
    let (to, domain) = (
        EmailAddress::parse("agent@example.test").unwrap(),
        Domain::parse("example.test").unwrap(),
    );
    let header = format!(
        "{}Subject: é\r\nMessage-ID: <original@example.test>\r\n\r\n",
        "Received: by somebody\r\n".repeat(5_000)
    );
    let nobody = EmailAddress::parse("nobody@example.org").unwrap();
    let content = compose_dsn(&dsn(
        &to,
        &domain,
        header.as_bytes(),
        vec![recipient(&nobody, DsnAction::Failed, "no")],
    ));
    assert!(content.is_ascii() && content.len() < 12_000);
    assert_eq!(
        parse_report(&content).unwrap()[0].original_message_id.as_deref(),
        Some("original@example.test")
    );
}

proptest! {
    #[test]
    fn what_we_report_reads_back(
        recipients in proptest::collection::vec(
            ("(a|\"q  s\"|o'neil[+]x|\"=[?]u[?]q[?]x[?]=\"|用户|ü[+=]|a[=\\\\]b)@(b|例子[.]测试|[a-z]{1,50}[.]example)", any::<bool>(), "[!-~]([ -~]{0,200}[!-~])?|([!-~]{1,900})"),
            1..5,
        ),
        id in "[a-z0-9]{1,200}@[a-z]{1,50}",
    ) {
        let (to, domain) = (EmailAddress::parse("agent@example.test").unwrap(), Domain::parse("example.test").unwrap());
        let parsed: Vec<_> = recipients
            .iter()
            .filter_map(|(address, failed, said)| {
                let action = if *failed { DsnAction::Failed } else { DsnAction::Delayed };
                Some((EmailAddress::parse(address).ok()?, action, said.split_whitespace().collect::<Vec<_>>().join(" ")))
            })
            .collect();
        let header = format!("Subject: é\r\nMessage-ID: <{id}>\r\nFrom: a@b\r\n");
        let given = parsed.iter().map(|(address, action, said)| recipient(address, *action, said)).collect();
        let content = compose_dsn(&dsn(&to, &domain, header.as_bytes(), given));
        prop_assert!(content.is_ascii());
        prop_assert!(content.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        prop_assert_eq!(fields(&content).filter(|field| field.is("Subject")).count(), 1);
        let expected: Vec<_> = parsed
            .iter()
            .map(|(address, action, said)| Report {
                kind: if *action == DsnAction::Failed { ReportKind::Failed } else { ReportKind::Delayed },
                final_recipient: Some(address.to_string()),
                status: if *action == DsnAction::Failed { "5.1.1" } else { "4.4.1" }.to_owned(),
                diagnostic: said.chars().take(800).collect::<String>().trim_end().to_owned(),
                original_message_id: Some(id.clone()),
            })
            .collect();
        prop_assert_eq!(parse_report(&content).unwrap_or_default(), expected);
    }

    #[test]
    fn no_bytes_panic(
        at in 0_usize..3_000,
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut content = include_bytes!("reports/postfix.eml").to_vec();
        let at = at.min(content.len());
        let end = (at + bytes.len()).min(content.len());
        content.splice(at..end, bytes.iter().copied());
        let _ = (parse_report(&content), parse_report(&bytes));
    }
}
