//! New messages from their parts: what the API sends.
//!
//! What always holds: the result is 7-bit unless an address is internationalized (RFC 6532); reading it gives back what
//! went in; no value of a field can begin another field.

mod body;

use crate::complete::is_field_name;
use crate::date::rfc5322_date;
use crate::field_writer::FieldWriter;
pub(crate) use body::{boundary, text_content, write_content};
use postroom_types::EmailAddress;

/// Longest Message-ID written (RFC 5322 §2.1.1 keeps lines to 998 octets).
const MAX_ID_OCTETS: usize = 900;
/// Longest name of an extra field.
const MAX_NAME_OCTETS: usize = 60;
/// Fields that are ours, or a relay's, to write.
const RESERVED: [&str; 17] = [
    "From",
    "Sender",
    "To",
    "Cc",
    "Bcc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "DKIM-Signature",
    "Received",
    "Return-Path",
    "Authentication-Results",
    "Delivered-To",
];

/// An address with the name shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name, any Unicode text on one line.
    pub name: Option<String>,
    /// The address.
    pub address: EmailAddress,
}

/// A file that goes along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingAttachment {
    /// Its name, any Unicode text on one line.
    pub filename: Option<String>,
    /// Its media type; what is no media type becomes `application/octet-stream`.
    pub content_type: String,
    /// Its bytes.
    pub content: bytes::Bytes,
    /// Its Content-ID, with or without angle brackets; HTML refers to it as `cid:`.
    pub content_id: Option<String>,
    /// To be shown in the text, not listed beside it.
    pub inline: bool,
}

/// A message to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// From.
    pub from: Mailbox,
    /// To.
    pub to: Vec<Mailbox>,
    /// Cc.
    pub cc: Vec<Mailbox>,
    /// Bcc; written as a field, which [`complete`](crate::complete()) takes out again for the sender's own copy.
    pub bcc: Vec<Mailbox>,
    /// Reply-To.
    pub reply_to: Vec<Mailbox>,
    /// Subject, any Unicode text on one line.
    pub subject: String,
    /// The text.
    pub text: Option<String>,
    /// The text as HTML.
    pub html: Option<String>,
    /// Files, in order.
    pub attachments: Vec<OutgoingAttachment>,
    /// The Message-ID of the message answered, with or without angle brackets.
    pub in_reply_to: Option<String>,
    /// The Message-IDs of References, oldest first, with or without angle brackets.
    pub references: Vec<String>,
    /// Auto-Submitted (RFC 3834 §5).
    pub auto_submitted: Option<&'static str>,
    /// Further fields: name and value.
    pub extra: Vec<(String, String)>,
    /// Date, seconds since 1970.
    pub date_seconds: i64,
    /// The new Message-ID, with or without angle brackets.
    pub message_id: String,
}

/// Why a message cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A value of this field holds CR, LF or NUL, which would make other fields of it.
    #[error("{0} must be one line of text")]
    Injection(String),
    /// A value of this field cannot be written: a Message-ID with spaces, an extra field that is ours to write.
    #[error("{0} is not usable")]
    Unusable(String),
}

/// Writes a message with CRLF line ends and lines of at most 998 octets.
///
/// An inline attachment with a Content-ID is bound to the HTML (multipart/related); other files stand beside the text.
/// What of In-Reply-To and References cannot be written in ASCII is left out: a broken Message-ID of a message answered
/// is not the fault of who answers.
///
/// # Errors
/// [`ComposeError`] names the field.
pub fn compose(message: &Outgoing) -> Result<Vec<u8>, ComposeError> {
    let tree = body::tree(message)?;
    let id = message_id("Message-ID", &message.message_id)?;
    let mut fields = FieldWriter::default();
    for (name, mailboxes) in [
        ("From", std::slice::from_ref(&message.from)),
        ("To", &message.to),
        ("Cc", &message.cc),
        ("Bcc", &message.bcc),
        ("Reply-To", &message.reply_to),
    ] {
        for shown in mailboxes.iter().filter_map(|mailbox| mailbox.name.as_deref()) {
            one_line(name, shown)?;
        }
        fields.mailboxes(name, mailboxes);
    }
    one_line("Subject", &message.subject)?;
    fields.text("Subject", &message.subject);
    fields.plain("Date", &rfc5322_date(message.date_seconds));
    fields.message_ids("Message-ID", [id]);
    fields.message_ids(
        "In-Reply-To",
        usable_ids("In-Reply-To", message.in_reply_to.as_slice())?,
    );
    fields.message_ids("References", usable_ids("References", &message.references)?);
    if let Some(kind) = message.auto_submitted {
        fields.plain("Auto-Submitted", kind);
    }
    for (name, value) in &message.extra {
        check_extra(message, name, value)?;
        fields.structured(name, value);
    }
    fields.plain("MIME-Version", "1.0");
    let mut out = fields.finish();
    body::write(&tree, id, &mut out);
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

fn check_extra(message: &Outgoing, name: &str, value: &str) -> Result<(), ComposeError> {
    one_line("header name", name)?;
    one_line(name, value)?;
    let reserved = RESERVED.iter().any(|ours| name.eq_ignore_ascii_case(ours));
    let begins = |start: &str| name.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start));
    let doubled = message.auto_submitted.is_some() && name.eq_ignore_ascii_case("Auto-Submitted");
    let good = is_field_name(name.as_bytes()) && name.len() <= MAX_NAME_OCTETS;
    if !good || reserved || doubled || begins("Content-") || begins("Resent-") || begins("ARC-") {
        return Err(ComposeError::Unusable(name.chars().take(MAX_NAME_OCTETS).collect()));
    }
    Ok(())
}

fn one_line(field: &str, text: &str) -> Result<(), ComposeError> {
    match text.contains(['\r', '\n', '\0']) {
        true => Err(ComposeError::Injection(field.chars().take(MAX_NAME_OCTETS).collect())),
        false => Ok(()),
    }
}

/// A Message-ID or Content-ID without angle brackets.
fn message_id<'a>(field: &str, id: &'a str) -> Result<&'a str, ComposeError> {
    one_line(field, id)?;
    bare_id(id).ok_or_else(|| ComposeError::Unusable(field.to_owned()))
}

fn bare_id(id: &str) -> Option<&str> {
    let id = id.trim_matches(' ');
    let id = id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id);
    let good = |byte: u8| byte.is_ascii_graphic() && byte != b'<' && byte != b'>';
    (!id.is_empty() && id.len() <= MAX_ID_OCTETS && id.bytes().all(good)).then_some(id)
}

fn usable_ids<'a>(field: &str, ids: &'a [String]) -> Result<Vec<&'a str>, ComposeError> {
    ids.iter().try_for_each(|id| one_line(field, id))?;
    Ok(ids.iter().filter_map(|id| bare_id(id)).collect())
}
