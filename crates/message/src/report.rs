//! Reports of other servers: delivery status (RFC 3464, RFC 6533) and complaints (RFC 5965).
//!
//! What always holds: anybody can write a report, so nothing in it is more than a claim; the number of recipients and the
//! length of every text are bounded.

use crate::decode::{decode_words, guarded};
use crate::header::{body_offset, fields, unfold};
use crate::references::message_ids;
use crate::structure;
use crate::text::{decoded_body, leaf};
use postroom_types::{Part, PartBody};

/// Most recipients read of one report.
const MAX_RECIPIENTS: usize = 1_000;
/// Longest diagnostic kept, in characters.
const MAX_DIAGNOSTIC_CHARS: usize = 1_000;
/// Longest recipient kept, in octets (RFC 5321 §4.5.3.1.3, and the escapes of RFC 6533).
const MAX_RECIPIENT_OCTETS: usize = 1_000;
/// Where a report that is not MIME is searched for the header of the message it is about.
const MAX_SEARCHED_OCTETS: usize = 64 << 10;

/// What a report says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// Given up.
    Failed,
    /// Still being tried.
    Delayed,
    /// In the recipient's mailbox.
    Delivered,
    /// Handed to a system that reports nothing.
    Relayed,
    /// Handed to the members of a list.
    Expanded,
    /// The recipient calls it spam, fraud or worse.
    Complaint,
}

/// What a report says of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub kind: ReportKind,
    /// The recipient, as far as the report names it; in a complaint often nobody.
    pub final_recipient: Option<String>,
    /// The enhanced status code, such as `5.1.1`; empty in a complaint.
    pub status: String,
    /// What the last server said, on one line; in a complaint its type, such as `abuse`.
    pub diagnostic: String,
    /// The Message-ID of the message that it is about, without angle brackets.
    pub original_message_id: Option<String>,
}

/// Reads a delivery status notification or a complaint; `None` if the message is neither. A report without a recipient
/// that it says something of is none.
#[must_use]
pub fn parse_report(content: &[u8]) -> Option<Vec<Report>> {
    guarded(|| parse(content)).flatten()
}

fn parse(content: &[u8]) -> Option<Vec<Report>> {
    let (_, root) = structure::parse(content);
    let parts: Vec<&Part> = (0..).map_while(|index| leaf(&root, index)).take(20).collect();
    let is = |part: &Part, kind: &str, subtypes: &[&str]| {
        part.media_type.eq_ignore_ascii_case(kind.as_bytes())
            && subtypes
                .iter()
                .any(|subtype| part.subtype.eq_ignore_ascii_case(subtype.as_bytes()))
    };
    let find = |subtypes: &[&str]| parts.iter().find(|part| is(part, "message", subtypes));
    let status = find(&["delivery-status", "global-delivery-status"]);
    let feedback = find(&["feedback-report"]);
    let original = || {
        let about = |part: &&&Part| {
            is(part, "text", &["rfc822-headers"])
                || is(
                    part,
                    "message",
                    &["rfc822", "rfc822-headers", "global", "global-headers"],
                )
        };
        parts
            .iter()
            .rev()
            .find(about)
            .and_then(|part| original_message_id(content, part))
    };
    let reports = match (status, feedback) {
        (Some(part), _) => delivery_reports(&decoded_body(content, part), original().as_deref()),
        (None, Some(part)) => complaints(&decoded_body(content, part), original().as_deref()),
        (None, None) => failed_recipients(content),
    };
    (!reports.is_empty()).then_some(reports)
}

/// The Message-ID in the header section that a report returns.
fn original_message_id(content: &[u8], part: &Part) -> Option<String> {
    match &part.body {
        PartBody::Message(inner) => {
            let id = inner.0.message_id.as_deref()?;
            message_ids(id).into_iter().next()
        }
        _ => message_id_in(&decoded_body(content, part)),
    }
}

fn message_id_in(header: &[u8]) -> Option<String> {
    let field = fields(header).find(|field| field.is("Message-ID"))?;
    message_ids(&unfold(field.value)).into_iter().next()
}

/// The groups of fields of a delivery status, the first of which is about the message (RFC 3464 §2.1). Some servers
/// forget the empty line after that one, so a group counts if it names a recipient.
fn delivery_reports(mut status: &[u8], original: Option<&str>) -> Vec<Report> {
    let mut reports = Vec::new();
    while !status.is_empty() && reports.len() < MAX_RECIPIENTS {
        reports.extend(delivery_report(status, original));
        status = &status[body_offset(status)..];
    }
    reports
}

fn delivery_report(group: &[u8], original: Option<&str>) -> Option<Report> {
    let (mut action, mut status, mut diagnostic) = (String::new(), String::new(), String::new());
    let (mut last, mut first) = (None, None);
    for field in fields(group) {
        let value = || decode_words(&unfold(field.value));
        if field.is("Final-Recipient") {
            last = recipient(&value());
        } else if field.is("Original-Recipient") {
            first = recipient(&value());
        } else if field.is("Action") {
            action = first_word(&value()).to_ascii_lowercase();
        } else if field.is("Status") {
            status = enhanced_status(&value()).unwrap_or_default();
        } else if field.is("Diagnostic-Code") {
            diagnostic = without_type(&value()).chars().take(MAX_DIAGNOSTIC_CHARS).collect();
        }
    }
    let final_recipient = Some(last.or(first)?);
    let kind = match (action.as_str(), status.as_bytes().first()) {
        ("failed", _) => ReportKind::Failed,
        ("delayed", _) => ReportKind::Delayed,
        ("delivered", _) => ReportKind::Delivered,
        ("relayed", _) => ReportKind::Relayed,
        ("expanded", _) => ReportKind::Expanded,
        (_, Some(b'5')) => ReportKind::Failed,
        (_, Some(b'4')) => ReportKind::Delayed,
        (_, Some(b'2')) => ReportKind::Delivered,
        _ => return None,
    };
    if status.is_empty() {
        // RFC 3463 §3.1: nothing more is known.
        let class = match kind {
            ReportKind::Failed => "5.0.0",
            ReportKind::Delayed => "4.0.0",
            _ => "2.0.0",
        };
        status = class.to_owned();
    }
    Some(Report {
        kind,
        final_recipient,
        status,
        diagnostic,
        original_message_id: original.map(str::to_owned),
    })
}

/// The types that are complaints (RFC 5965 §7.3). `not-spam` praises, and the rest is about neither.
const COMPLAINTS: [&str; 4] = ["abuse", "fraud", "virus", "other"];

fn complaints(feedback: &[u8], original: Option<&str>) -> Vec<Report> {
    let value = |name: &'static str| {
        fields(feedback)
            .filter(move |field| field.is(name))
            .map(|field| decode_words(&unfold(field.value)))
            .take(MAX_RECIPIENTS)
    };
    let kind = value("Feedback-Type")
        .next()
        .map(|kind| first_word(&kind).to_ascii_lowercase());
    let Some(diagnostic) = kind.filter(|kind| COMPLAINTS.contains(&kind.as_str())) else {
        return Vec::new();
    };
    let mut recipients: Vec<_> = value("Original-Rcpt-To")
        .filter_map(|value| recipient(&value))
        .map(Some)
        .collect();
    if recipients.is_empty() {
        recipients.push(None);
    }
    let report = |final_recipient| Report {
        kind: ReportKind::Complaint,
        final_recipient,
        status: String::new(),
        diagnostic: diagnostic.clone(),
        original_message_id: original.map(str::to_owned),
    };
    recipients.into_iter().map(report).collect()
}

/// Exim before 4.85 and others after it: no MIME, but a field that names the recipients, and a copy of the header in
/// the text. Only with Auto-Submitted, which Exim writes and which no person's mail has.
fn failed_recipients(content: &[u8]) -> Vec<Report> {
    let body = body_offset(content);
    let header = &content[..body];
    if !fields(header).any(|field| field.is("Auto-Submitted")) {
        return Vec::new();
    }
    let mut reports = Vec::new();
    let searched = &content[body..content.len().min(body + MAX_SEARCHED_OCTETS)];
    for field in fields(header).filter(|field| field.is("X-Failed-Recipients")) {
        let value = decode_words(&unfold(field.value));
        for final_recipient in value
            .split(',')
            .filter_map(recipient)
            .take(MAX_RECIPIENTS - reports.len())
        {
            reports.push(Report {
                kind: ReportKind::Failed,
                final_recipient: Some(final_recipient),
                status: "5.0.0".to_owned(),
                diagnostic: String::new(),
                original_message_id: None,
            });
        }
    }
    if !reports.is_empty() {
        let id = copied_message_id(searched);
        reports
            .iter_mut()
            .for_each(|report| report.original_message_id.clone_from(&id));
    }
    reports
}

/// The first line of a text that is a Message-ID field.
fn copied_message_id(text: &[u8]) -> Option<String> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let starts = |line: &&[u8]| {
        line.get(..11)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"Message-ID:"))
    };
    message_ids(lines.find(starts)?).into_iter().next()
}

/// `rfc822; a@b` or only the address, with or without angle brackets.
fn recipient(value: &str) -> Option<String> {
    let (kind, address) = match value.split_once(';') {
        // A semicolon in a quoted local-part ends no type.
        Some((kind, address)) if !kind.contains(['"', '@']) => (kind.trim(), address),
        _ => ("", value),
    };
    let address = address.trim();
    let address = address
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
        .unwrap_or(address);
    if address.is_empty() || address.len() > MAX_RECIPIENT_OCTETS {
        return None;
    }
    let utf8 = kind.eq_ignore_ascii_case("utf-8");
    Some(if utf8 {
        from_utf8_addr_xtext(address)
    } else {
        address.to_owned()
    })
}

/// Undoes `\x{…}` (RFC 6533 §3); what does not decode stays.
fn from_utf8_addr_xtext(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    let mut rest = address;
    while let Some(at) = rest.find("\\x{") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let hex = from[3..]
            .split_once('}')
            .filter(|(hex, _)| (1..=6).contains(&hex.len()));
        let decoded = hex.and_then(|(hex, after)| {
            let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
            (!c.is_control()).then_some((c, after))
        });
        match decoded {
            Some((c, after)) => {
                out.push(c);
                rest = after;
            }
            None => {
                out.push_str(&from[..3]);
                rest = &from[3..];
            }
        }
    }
    out + rest
}

/// `smtp; 550 …` without its type, white space reduced.
fn without_type(value: &str) -> String {
    let text = match value.split_once(';') {
        Some((kind, text)) if !kind.trim().contains(char::is_whitespace) => text,
        _ => value,
    };
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

fn first_word(value: &str) -> &str {
    value
        .split(|c: char| c.is_whitespace() || c == '(' || c == ';')
        .find(|word| !word.is_empty())
        .unwrap_or_default()
}

/// `5.1.1` (RFC 3463 §2), perhaps with a comment after it.
fn enhanced_status(value: &str) -> Option<String> {
    let word = first_word(value);
    let numbers: Vec<_> = word.split('.').collect();
    let digits = |number: &&str| (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let good = numbers.len() == 3 && ["2", "4", "5"].contains(&numbers[0]) && numbers.iter().all(digits);
    good.then(|| word.to_owned())
}
