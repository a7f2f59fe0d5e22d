//! What a submission server adds to a message and takes from it (RFC 6409 §8).
//!
//! What always holds: every byte that is not part of a field named here or of an 8-bit body stays as it came, in its
//! place; every part decodes to what it did; completing a completed message changes nothing; the work is linear in the
//! size of the message.

use crate::address_list::parse_address_list;
use crate::date::rfc5322_date;
use crate::header::{Field, body_offset, fields, unfold};
use crate::lexer::{Token, tokens};
use crate::references::message_ids;
use crate::seven_bit::to_seven_bit;
use crate::verify::without_blank_tail;
use bytes::Bytes;
use mail_parser::DateTime;
use postroom_types::{AddressEntry, Domain, EmailAddress, EmailId};

/// Longest line, without its line end (RFC 5322 §2.1.1).
const MAX_LINE_OCTETS: usize = 998;
/// Most authors of one message.
const MAX_FROM: usize = 100;
/// Longest Message-ID kept; it must fit into a line of its own and into the keys of a store.
const MAX_MESSAGE_ID_OCTETS: usize = 500;

/// A message ready to be signed and sent, and what its header says that sending depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The message that goes out: no Bcc, no Return-Path, with Date and Message-ID, ending in CRLF.
    pub content: Bytes,
    /// The Bcc and Resent-Bcc fields taken out, each with its CRLF, for the sender's own copy.
    pub bcc: Vec<u8>,
    /// The Message-ID without angle brackets.
    pub message_id: String,
    /// The addresses of From. Empty if there is no From.
    pub from: Vec<EmailAddress>,
    /// The address of Sender.
    pub sender: Option<EmailAddress>,
    /// There are octets above 127 somewhere, so the next server must offer 8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// Auto-Submitted is there and does not say `no` (RFC 3834 §5).
    pub auto_submitted: bool,
    /// The first Message-ID of In-Reply-To, without angle brackets.
    pub in_reply_to: Option<String>,
}

/// Why a message cannot be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompleteError {
    /// It breaks RFC 5322 in a way that nobody should mend by guessing; says which.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
}

/// Completes a message as a submission server may: takes out Bcc, Resent-Bcc and Return-Path, adds Date, Message-ID and
/// MIME-Version where they lack or cannot be read, and removes whitespace-only lines from the end of the body, which
/// DKIM verifiers disagree about (see [`without_blank_tail`]). `domain` is the right side of a new Message-ID.
///
/// Parts with octets above 127 become quoted-printable or base64, so that no server on the way need do it and break our
/// signature (RFC 6376 §5.3). What the client signed or encrypted stays as it is; `eight_bit` says if anything is left.
///
/// # Errors
/// [`CompleteError::Malformed`]: bare CR or LF, NUL, a line over 998 octets, a header section that is not UTF-8, a header
/// line that is no field or has a space before its colon, a field doubled that may stand once, From or Sender that are
/// not addresses, several authors without a Sender (RFC 5322 §3.6.2).
pub fn complete(content: Bytes, domain: &Domain, now_seconds: i64) -> Result<Completed, CompleteError> {
    check_lines(&content)?;
    let body = body_offset(&content);
    let seen = Seen::read(&content[..body])?;
    let message_id = seen.message_id.clone();
    let (made_id, message_id) = match message_id {
        Some(id) => (false, id),
        None => (true, format!("{}@{domain}", EmailId::new())),
    };
    let mut added = Vec::new();
    if !seen.has_date {
        added.extend_from_slice(format!("Date: {}\r\n", rfc5322_date(now_seconds)).as_bytes());
    }
    if made_id {
        added.extend_from_slice(format!("Message-ID: <{message_id}>\r\n").as_bytes());
    }
    if seen.has_mime_fields && !seen.has_mime_version {
        added.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    let mut content = rebuild(content, body, &added, &seen.cuts);
    let body_is_ascii = content[body_offset(&content)..].is_ascii();
    if !body_is_ascii && let Some(converted) = to_seven_bit(&content) {
        content = converted.into();
    }
    Ok(Completed {
        eight_bit: !content.is_ascii(),
        content,
        bcc: seen.bcc,
        message_id,
        from: seen.from,
        sender: seen.sender,
        auto_submitted: seen.auto_submitted,
        in_reply_to: seen.in_reply_to,
    })
}

/// Bare CR or LF could mean another message to another server (RFC 5321 §2.3.8); the rest cannot be sent at all.
pub(crate) fn check_lines(content: &[u8]) -> Result<(), CompleteError> {
    let mut rest = content;
    while !rest.is_empty() {
        let line = match memchr::memchr(b'\n', rest) {
            Some(newline) => {
                let Some(line) = rest[..newline].strip_suffix(b"\r") else {
                    return Err(CompleteError::Malformed("bare LF"));
                };
                rest = &rest[newline + 1..];
                line
            }
            None => std::mem::take(&mut rest),
        };
        match memchr::memchr2(b'\r', 0, line).map(|at| line[at]) {
            Some(0) => return Err(CompleteError::Malformed("NUL")),
            Some(_) => return Err(CompleteError::Malformed("bare CR")),
            None if line.len() > MAX_LINE_OCTETS => return Err(CompleteError::Malformed("line over 998 octets")),
            None => {}
        }
    }
    Ok(())
}

/// What the header section says.
#[derive(Default)]
struct Seen {
    /// Fields to take out, in order.
    cuts: Vec<std::ops::Range<usize>>,
    bcc: Vec<u8>,
    message_id: Option<String>,
    has_date: bool,
    has_mime_version: bool,
    has_mime_fields: bool,
    from: Vec<EmailAddress>,
    sender: Option<EmailAddress>,
    auto_submitted: bool,
    in_reply_to: Option<String>,
}

/// Fields that may stand once (RFC 5322 §3.6) and of which a second one would mean that readers and checkers may look
/// at different ones.
const SINGLE: [(&str, &str); 5] = [
    ("From", "more than one From field"),
    ("Sender", "more than one Sender field"),
    ("Subject", "more than one Subject field"),
    ("Date", "more than one Date field"),
    ("Message-ID", "more than one Message-ID field"),
];

impl Seen {
    fn read(header: &[u8]) -> Result<Self, CompleteError> {
        if std::str::from_utf8(header).is_err() {
            return Err(CompleteError::Malformed("header section is neither ASCII nor UTF-8"));
        }
        let mut seen = Self::default();
        let mut counts = [0_usize; SINGLE.len()];
        for field in fields(header) {
            if !is_field_name(field.name) {
                return Err(CompleteError::Malformed("header line is no field"));
            }
            // RFC 5322 §4.5 has it read but never written, and signature checkers differ in what they take it for.
            if header.get(field.start + field.name.len()) != Some(&b':') {
                return Err(CompleteError::Malformed("space before the colon of a field"));
            }
            for (count, (name, doubled)) in counts.iter_mut().zip(SINGLE) {
                *count += usize::from(field.is(name));
                if *count > 1 {
                    return Err(CompleteError::Malformed(doubled));
                }
            }
            seen.take(header, &field)?;
        }
        if seen.from.len() > 1 && seen.sender.is_none() {
            return Err(CompleteError::Malformed("several From addresses need a Sender"));
        }
        Ok(seen)
    }

    fn take(&mut self, header: &[u8], field: &Field<'_>) -> Result<(), CompleteError> {
        let cut = field.start..field.end;
        if field.is("Bcc") || field.is("Resent-Bcc") {
            self.bcc.extend_from_slice(&header[cut.clone()]);
            if !self.bcc.ends_with(b"\r\n") {
                self.bcc.extend_from_slice(b"\r\n");
            }
            self.cuts.push(cut);
        } else if field.is("Return-Path") {
            self.cuts.push(cut);
        } else if field.is("Message-ID") {
            self.message_id = usable_message_id(field.value);
            if self.message_id.is_none() {
                self.cuts.push(cut);
            }
        } else if field.is("Date") {
            self.has_date = is_date(field.value);
            if !self.has_date {
                self.cuts.push(cut);
            }
        } else if field.is("From") {
            self.from = addresses(field.value).ok_or(CompleteError::Malformed("From is not a list of addresses"))?;
        } else if field.is("Sender") {
            let sender = addresses(field.value).and_then(|list| <[EmailAddress; 1]>::try_from(list).ok());
            let [sender] = sender.ok_or(CompleteError::Malformed("Sender is not one address"))?;
            self.sender = Some(sender);
        } else if field.is("Auto-Submitted") {
            self.auto_submitted |= !says_no(field.value);
        } else if field.is("In-Reply-To") && self.in_reply_to.is_none() {
            self.in_reply_to = message_ids(&unfold(field.value)).into_iter().next();
        } else if field.is("MIME-Version") {
            self.has_mime_version = true;
        } else if field
            .name
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"Content-"))
        {
            self.has_mime_fields = true;
        }
        Ok(())
    }
}

/// RFC 5322 §3.6.8: printable ASCII but the colon.
pub(crate) fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':')
}

fn usable_message_id(value: &[u8]) -> Option<String> {
    let value = unfold(value);
    let [id] = <[String; 1]>::try_from(message_ids(&value)).ok()?;
    let as_written = format!("<{id}>");
    let good = id.len() <= MAX_MESSAGE_ID_OCTETS && !id.chars().any(char::is_control);
    (good && memchr::memmem::find(&value, as_written.as_bytes()).is_some()).then_some(id)
}

fn is_date(value: &[u8]) -> bool {
    let value = unfold(value);
    let date = std::str::from_utf8(&value).ok().and_then(DateTime::parse_rfc822);
    date.is_some_and(|date| date.is_valid())
}

/// The addresses of a field that may hold nothing else: no groups, nothing without a domain.
fn addresses(value: &[u8]) -> Option<Vec<EmailAddress>> {
    let entries = parse_address_list(value);
    if entries.is_empty() || entries.len() > MAX_FROM || has_more_behind(value) {
        return None;
    }
    entries.iter().map(address).collect()
}

/// Whether something stands behind a closing angle bracket: other readers may take it for the address, or for a part of it.
fn has_more_behind(value: &[u8]) -> bool {
    let mut is_closed = false;
    tokens(&unfold(value), b"<>,").any(|token| match token {
        Token::Special(b'>') => std::mem::replace(&mut is_closed, true),
        Token::Special(b',') => {
            is_closed = false;
            false
        }
        Token::Comment(_) => false,
        Token::Atom(_) | Token::Quoted(_) | Token::Special(_) => is_closed,
    })
}

fn address(entry: &AddressEntry) -> Option<EmailAddress> {
    let local_part = std::str::from_utf8(entry.mailbox.as_deref()?).ok()?;
    let domain = Domain::parse(std::str::from_utf8(entry.host.as_deref()?).ok()?).ok()?;
    let quoted = || {
        let escaped = local_part.replace('\\', "\\\\").replace('"', "\\\"");
        EmailAddress::from_parts(&format!("\"{escaped}\""), domain.clone())
    };
    EmailAddress::from_parts(local_part, domain.clone())
        .or_else(|_| quoted())
        .ok()
}

/// `no`, perhaps with a comment or parameters (RFC 3834 §5).
fn says_no(value: &[u8]) -> bool {
    let value = unfold(value);
    let first = tokens(&value, b";").find(|token| !matches!(token, Token::Comment(_)));
    matches!(first, Some(Token::Atom(word)) if word.eq_ignore_ascii_case(b"no"))
}

/// The message with fields added at the top and others cut out, an empty line after the header section, no
/// whitespace-only lines at its end, and CRLF as its last octets. Copies only if something changes.
fn rebuild(content: Bytes, body: usize, added: &[u8], cuts: &[std::ops::Range<usize>]) -> Bytes {
    let header = &content[..body];
    let has_empty_line = header == b"\r\n" || header.ends_with(b"\r\n\r\n");
    let ends = content.ends_with(b"\r\n");
    if added.is_empty() && cuts.is_empty() && has_empty_line && ends {
        return match without_blank_tail(&content, body) {
            Some(kept) => content.slice(..kept.len()),
            None => content,
        };
    }
    let mut out = Vec::with_capacity(added.len() + content.len() + 4);
    out.extend_from_slice(added);
    let mut from = 0;
    for cut in cuts {
        out.extend_from_slice(&header[from..cut.start]);
        from = cut.end;
    }
    out.extend_from_slice(&header[from..]);
    if !has_empty_line {
        if !out.is_empty() && !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
    let new_body = out.len();
    out.extend_from_slice(&content[body..]);
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    if let Some(kept) = without_blank_tail(&out, new_body).map(<[u8]>::len) {
        out.truncate(kept);
    }
    out.into()
}
