//! What this server writes on top of a message it takes: Return-Path, Authentication-Results, Received
//! (RFC 5321 §4.4, RFC 8601).

use crate::{Incoming, Via};
use postroom_types::{EmailAddress, EmailId, ReversePath};
use std::fmt::Write;

/// Longest client name shown in Received; what a client says of itself is its own affair, but has an end.
const MAX_CLIENT_OCTETS: usize = 255;

/// The trace fields, each with its CRLF. If the content does not begin with a header of its own, an empty line follows,
/// so that the content stays what it is: a body.
pub(crate) fn trace_fields(incoming: &Incoming, hostname: &str, id: EmailId, now: jiff::Timestamp) -> String {
    let mail_from = match &incoming.reverse_path {
        ReversePath::Null => String::new(),
        ReversePath::Mailbox(address) => address.to_string(),
    };
    let mut fields = format!("Return-Path: <{mail_from}>\r\n");
    fields.push_str(&incoming.verdict.authentication_results(hostname, &mail_from));
    write!(
        fields,
        "Received: from {client} ([{ip}])\r\n\tby {hostname} (postroom) with {protocol} id {id}",
        client = printable(&incoming.client),
        ip = incoming.peer,
        protocol = protocol(incoming),
    )
    .expect("writing to a String cannot fail");
    if let [only] = incoming.recipients.as_slice() {
        // With several, naming them all would tell each of the others (RFC 5321 §7.2).
        write!(fields, "\r\n\tfor <{}>", only.address).expect("writing to a String cannot fail");
    }
    write!(fields, ";\r\n\t{}\r\n", date(now)).expect("writing to a String cannot fail");
    if !begins_with_header(&incoming.content) {
        fields.push_str("\r\n");
    }
    fields
}

/// The trace of a submission. It says nothing of the client: where somebody sits is not the recipients' affair, and
/// RFC 6409 asks for no such thing.
pub(crate) fn submission_received(hostname: &str, via: &Via, id: EmailId, now_ms: i64) -> String {
    // RFC 3848 and RFC 6531 §4.3, with the letter for a login.
    let protocol = match via {
        Via::Smtp { tls, smtputf8, .. } => match (tls, smtputf8) {
            (true, true) => "UTF8SMTPSA",
            (true, false) => "ESMTPSA",
            (false, true) => "UTF8SMTPA",
            (false, false) => "ESMTPA",
        },
        Via::Api => "HTTP",
    };
    let date = date(timestamp(now_ms));
    format!("Received: by {hostname} (postroom) with {protocol} id {id};\r\n\t{date}\r\n")
}

/// The trace of a message that comes out of our own queue. For mail submitted here the login is what was checked
/// (RFC 8601 §2.7.4); which name it was under is not told, since the reverse-path may be an alias.
pub(crate) fn queue_trace(
    hostname: &str,
    reverse_path: &ReversePath,
    is_submitted: bool,
    to: &EmailAddress,
    id: EmailId,
    now_ms: i64,
) -> String {
    let mut fields = format!("Return-Path: {reverse_path}\r\n");
    if let (true, ReversePath::Mailbox(address)) = (is_submitted, reverse_path) {
        write!(
            fields,
            "Authentication-Results: {hostname};\r\n\tauth=pass smtp.mailfrom={address}\r\n"
        )
        .expect("writing to a String cannot fail");
    }
    let date = date(timestamp(now_ms));
    write!(
        fields,
        "Received: by {hostname} (postroom) with LMTP id {id}\r\n\tfor <{to}>;\r\n\t{date}\r\n"
    )
    .expect("writing to a String cannot fail");
    fields
}

/// A time that our own clock said.
pub(crate) fn timestamp(now_ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(now_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// A date as RFC 5322 §3.3 has it, in UTC.
pub(crate) fn date(now: jiff::Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// The protocol types of RFC 3848 and RFC 6531 §4.3.
fn protocol(incoming: &Incoming) -> &'static str {
    match (incoming.extended, incoming.smtputf8, incoming.tls) {
        (_, true, true) => "UTF8SMTPS",
        (_, true, false) => "UTF8SMTP",
        (true, false, true) => "ESMTPS",
        (true, false, false) => "ESMTP",
        (false, ..) => "SMTP",
    }
}

/// The client's name, without anything that could end the field or open a comment.
fn printable(client: &str) -> String {
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || "-._:[]".contains(c) {
            c
        } else {
            '?'
        }
    };
    let shown: String = client.chars().take(MAX_CLIENT_OCTETS).map(harmless).collect();
    if shown.is_empty() { "unknown".to_owned() } else { shown }
}

/// Whether the first line is a header field (`name:`) or the empty line that ends an empty header.
fn begins_with_header(content: &[u8]) -> bool {
    if content.starts_with(b"\r\n") {
        return true;
    }
    let name = content
        .iter()
        .take_while(|byte| byte.is_ascii_graphic() && **byte != b':')
        .count();
    let rest = content[name..].trim_ascii_start();
    name > 0 && rest.first() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalRecipient;
    use bytes::Bytes;
    use postroom_message::Verdict;
    use postroom_types::{EmailAddress, InboxId, OrganizationId, PodId};

    fn incoming(content: &'static [u8]) -> Incoming {
        let address = EmailAddress::parse("scout@example.test").unwrap();
        Incoming {
            client: "mail.example.net\r\nX: y (".into(),
            extended: true,
            peer: "192.0.2.1".parse().unwrap(),
            tls: true,
            smtputf8: false,
            reverse_path: ReversePath::Null,
            recipients: vec![LocalRecipient {
                inbox: InboxId::new(),
                organization: OrganizationId::new(),
                pod: PodId::new(),
                address,
                bounce: None,
                forward: None,
            }],
            content: Bytes::from_static(content),
            verdict: Verdict::default(),
        }
    }

    #[test]
    fn fields_in_order() {
        let id = EmailId::new();
        let fields = trace_fields(
            &incoming(b"Subject: x\r\n\r\n"),
            "mx.example.test",
            id,
            jiff::Timestamp::UNIX_EPOCH,
        );
        let expected = format!(
            "Return-Path: <>\r\nAuthentication-Results: mx.example.test; none\r\nReceived: from mail.example.net??X:?y?? ([192.0.2.1])\r\n\tby \
             mx.example.test (postroom) with ESMTPS id {id}\r\n\tfor <scout@example.test>;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
        );
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_message_without_header_stays_a_body() {
        for (content, header) in [
            (&b"Subject: x\r\n"[..], true),
            (b"X-Y : z\r\n", true),
            (b"\r\nbody", true),
            (b"just text, no colon\r\n", false),
            (b": x\r\n", false),
            (b"", false),
            (b"two words: x", false),
        ] {
            assert_eq!(begins_with_header(content), header, "{content:?}");
        }
        let fields = trace_fields(&incoming(b"hello"), "mx", EmailId::new(), jiff::Timestamp::UNIX_EPOCH);
        assert!(fields.ends_with("+0000\r\n\r\n"));
    }
}
