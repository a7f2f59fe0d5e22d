//! Delivery status notifications (RFC 3464, RFC 6522): what we tell a sender.
//!
//! What always holds: the notification is 7-bit unless its own recipient is internationalized; it returns header fields,
//! never a body; what a remote host said cannot begin a field or a part.

use crate::compose::{Mailbox, boundary, text_content, write_content};
use crate::date::rfc5322_date;
use crate::field_writer::FieldWriter;
use crate::header::{Field, fields};
use crate::text::header_values;
use postroom_types::{Domain, EmailAddress};
use std::fmt::Write as _;

/// Most octets of the original header section returned.
const MAX_RETURNED_OCTETS: usize = 8 << 10;
/// Longest diagnostic reported, in characters: it stands on one line.
const MAX_DIAGNOSTIC_CHARS: usize = 800;

/// What became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DsnAction {
    /// Given up.
    Failed,
    /// Still being tried.
    Delayed,
}

/// What is reported of one recipient.
#[derive(Clone, Copy, Debug)]
pub struct DsnRecipient<'a> {
    /// The forward-path.
    pub address: &'a EmailAddress,
    /// What became of it.
    pub action: DsnAction,
    /// The enhanced status code, such as `5.1.1` (RFC 3463).
    pub status: &'a str,
    /// The host that said so; empty if none was reached.
    pub remote_host: &'a str,
    /// What it said, such as `550 5.1.1 No such user`, or our own words if `remote_host` is empty.
    pub diagnostic: &'a str,
    /// When it was last tried, seconds since 1970.
    pub last_attempt: i64,
    /// Until when it will be tried, seconds since 1970.
    pub will_retry_until: Option<i64>,
}

/// A notification to be written.
#[derive(Clone, Debug)]
pub struct Dsn<'a> {
    /// Our host name.
    pub reporting_host: &'a str,
    /// The domain of MAILER-DAEMON, from whom it comes.
    pub from_domain: &'a Domain,
    /// The reverse-path of the message.
    pub to: &'a EmailAddress,
    /// The Message-ID of the notification, without angle brackets.
    pub message_id: &'a str,
    /// ENVID of the message (RFC 3461 §4.4), decoded.
    pub envelope_id: Option<&'a str>,
    /// When the message came, seconds since 1970.
    pub arrival: i64,
    /// Now, seconds since 1970.
    pub date: i64,
    /// The recipients reported on.
    pub recipients: Vec<DsnRecipient<'a>>,
    /// The header section of the message; at most 8 KiB of it are returned, whole fields, and never the body.
    pub original_header: &'a [u8],
}

/// Writes a notification. It is sent with the null reverse-path, or it could be answered by another (RFC 3461 §6.1).
///
/// Characters of a diagnostic that are not printable ASCII are reported as `?`: message/delivery-status is 7-bit.
#[must_use]
pub fn compose_dsn(dsn: &Dsn<'_>) -> Vec<u8> {
    let text = explanation(dsn);
    let status = delivery_status(dsn);
    let returned = returned_header(dsn.original_header);
    let parts = [&text[..], &status, &returned];
    let boundary = (0..)
        .map(|attempt| boundary(dsn.message_id, attempt))
        .find(|boundary| {
            parts
                .iter()
                .all(|part| memchr::memmem::find(part, boundary.as_bytes()).is_none())
        })
        .expect("a finite text holds finitely many of infinitely many boundaries");
    let mut out = header(dsn, &boundary);
    for part in parts {
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

fn has_failures(dsn: &Dsn<'_>) -> bool {
    dsn.recipients
        .iter()
        .any(|recipient| recipient.action == DsnAction::Failed)
}

fn header(dsn: &Dsn<'_>, boundary: &str) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    fields.words(
        "From",
        [
            "Mail",
            "Delivery",
            "System",
            &format!("<MAILER-DAEMON@{}>", dsn.from_domain),
        ],
    );
    let to = Mailbox {
        name: None,
        address: dsn.to.clone(),
    };
    fields.mailboxes("To", &[to]);
    let what = if has_failures(dsn) {
        "Undelivered mail"
    } else {
        "Delayed mail, still being tried"
    };
    let subject = header_values(dsn.original_header, "Subject").into_iter().next();
    let subject = subject
        .filter(|subject| !subject.is_empty())
        .map(|subject| format!(": {subject}"));
    let subject: String = format!("{what}{}", subject.unwrap_or_default())
        .chars()
        .take(200)
        .collect();
    fields.text("Subject", subject.trim_end());
    fields.plain("Date", &rfc5322_date(dsn.date));
    fields.message_ids("Message-ID", [dsn.message_id]);
    let original = crate::summarize(dsn.original_header).message_id;
    let original = original
        .as_deref()
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()));
    for name in ["In-Reply-To", "References"] {
        fields.message_ids(name, original);
    }
    fields.plain("Auto-Submitted", "auto-replied");
    fields.plain("MIME-Version", "1.0");
    let parameters = [("report-type", "delivery-status"), ("boundary", boundary)];
    fields.with_parameters("Content-Type", "multipart/report", &parameters);
    fields.finish()
}

/// The part for people.
fn explanation(dsn: &Dsn<'_>) -> Vec<u8> {
    let mut text = format!("This is the mail system at {}.\n\n", dsn.reporting_host);
    let (failed, delayed): (Vec<_>, Vec<_>) = dsn
        .recipients
        .iter()
        .partition(|recipient| recipient.action == DsnAction::Failed);
    if !failed.is_empty() {
        text.push_str("Your message could not be delivered to:\n\n");
        failed.iter().for_each(|recipient| explain(&mut text, recipient));
    }
    if !delayed.is_empty() {
        text.push_str(
            "Your message has not been delivered yet. You need not send it again: it is tried further for\n\n",
        );
        delayed.iter().for_each(|recipient| explain(&mut text, recipient));
    }
    text.push_str("The header of your message is attached.");
    let content = text_content(&text);
    let mut fields = FieldWriter::default();
    fields.with_parameters("Content-Type", "text/plain", &[("charset", "utf-8")]);
    fields.plain("Content-Transfer-Encoding", content.encoding());
    let mut part = fields.finish();
    part.extend_from_slice(b"\r\n");
    write_content(&content, &mut part);
    part
}

fn explain(text: &mut String, recipient: &DsnRecipient<'_>) {
    let diagnostic = diagnostic(recipient.diagnostic);
    let written = match recipient.remote_host {
        "" => write!(text, "  <{}>\n    {diagnostic}\n", recipient.address),
        host => write!(text, "  <{}>\n    {host} said: {diagnostic}\n", recipient.address),
    };
    written.expect("a String takes all that is written");
    if let Some(until) = recipient.will_retry_until {
        text.push_str(&format!("    It is given up at {}.\n", rfc5322_date(until)));
    }
    text.push('\n');
}

/// The part for programs (RFC 3464 §2): a group of fields for the message, and one for each recipient.
fn delivery_status(dsn: &Dsn<'_>) -> Vec<u8> {
    let mut part = b"Content-Type: message/delivery-status\r\n\r\n".to_vec();
    let mut fields = FieldWriter::default();
    if let Some(id) = dsn.envelope_id {
        fields.structured("Original-Envelope-Id", &printable(id, 100));
    }
    fields.structured("Reporting-MTA", &format!("dns; {}", printable(dsn.reporting_host, 255)));
    fields.plain("Arrival-Date", &rfc5322_date(dsn.arrival));
    part.extend(fields.finish());
    for recipient in &dsn.recipients {
        part.extend_from_slice(b"\r\n");
        part.extend(recipient_status(recipient));
    }
    part
}

fn recipient_status(recipient: &DsnRecipient<'_>) -> Vec<u8> {
    let mut fields = FieldWriter::default();
    let address = recipient.address;
    if address.is_internationalized() {
        fields.structured(
            "Final-Recipient",
            &format!("utf-8; {}", utf8_addr_xtext(&address.to_string())),
        );
    } else {
        fields.structured("Final-Recipient", &format!("rfc822; {address}"));
    }
    let action = match recipient.action {
        DsnAction::Failed => "failed",
        DsnAction::Delayed => "delayed",
    };
    fields.plain("Action", action);
    fields.structured("Status", &printable(recipient.status, 20));
    if !recipient.remote_host.is_empty() {
        fields.structured("Remote-MTA", &format!("dns; {}", printable(recipient.remote_host, 255)));
    }
    let said = diagnostic(recipient.diagnostic);
    if !said.is_empty() {
        let kind = if recipient.remote_host.is_empty() {
            "x-postroom"
        } else {
            "smtp"
        };
        fields.structured("Diagnostic-Code", &format!("{kind}; {said}"));
    }
    fields.plain("Last-Attempt-Date", &rfc5322_date(recipient.last_attempt));
    if let Some(until) = recipient.will_retry_until {
        fields.plain("Will-Retry-Until", &rfc5322_date(until));
    }
    fields.finish()
}

fn diagnostic(text: &str) -> String {
    printable(text, MAX_DIAGNOSTIC_CHARS)
}

/// Words of printable ASCII with one space between them.
fn printable(text: &str, most: usize) -> String {
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    let shown = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    let text: String = words.join(" ").chars().take(most).map(shown).collect();
    text.trim_end().to_owned()
}

/// An internationalized address in a 7-bit report (RFC 6533 §3).
fn utf8_addr_xtext(address: &str) -> String {
    let mut out = String::new();
    for c in address.chars() {
        match c {
            '\\' | '+' | '=' | ' ' => out.push_str(&format!("\\x{{{:02X}}}", u32::from(c))),
            c if c.is_ascii_graphic() => out.push(c),
            c => out.push_str(&format!("\\x{{{:X}}}", u32::from(c))),
        }
    }
    out
}

fn take(room: &mut usize, octets: usize) -> bool {
    let left = room.checked_sub(octets);
    *room = left.unwrap_or(*room);
    left.is_some()
}

/// The header of the message, whole fields only. What is not ASCII is quoted-printable, as RFC 6522 §4 allows.
fn returned_header(header: &[u8]) -> Vec<u8> {
    // Those that tell which message it was go before the trace of its way.
    let tells = |field: &Field<'_>| {
        ["Message-ID", "From", "To", "Subject", "Date"]
            .iter()
            .any(|name| field.is(name))
    };
    let octets = |field: &Field<'_>| field.end - field.start;
    let mut room = MAX_RETURNED_OCTETS;
    let mut kept: Vec<_> = fields(header)
        .filter(|field| tells(field) && take(&mut room, octets(field)))
        .collect();
    kept.extend(fields(header).filter(|field| !tells(field) && take(&mut room, octets(field))));
    kept.sort_by_key(|field| field.start);
    let returned: Vec<_> = kept.iter().map(|field| &header[field.start..field.end]).collect();
    let returned = returned.concat();
    let content = text_content(&String::from_utf8_lossy(&returned));
    let mut fields = FieldWriter::default();
    fields.plain("Content-Type", "text/rfc822-headers");
    fields.plain("Content-Transfer-Encoding", content.encoding());
    let mut part = fields.finish();
    part.extend_from_slice(b"\r\n");
    write_content(&content, &mut part);
    part
}
