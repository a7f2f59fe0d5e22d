//! 8-bit bodies made 7-bit, so that every server takes them and nobody on the way has to convert what is signed
//! (RFC 6376 §5.3, RFC 6152 §3); and bodies with NUL made such as can be kept.
//!
//! What always holds: each part decodes to what it decoded to before; what is signed or encrypted (RFC 1847, RFC 8551,
//! enclosed messages with DKIM signatures), header fields with octets above 127, preambles and epilogues stay byte for byte; the work is linear in the size.

use crate::encode::{add_base64_lines, add_quoted_printable};
use crate::header::fields;
use crate::structure;
use crate::transfer::transfer_decode;
use postroom_types::{Part, PartBody};
use std::borrow::Cow;
use std::ops::Range;

/// Text up to this size is quoted-printable in any case.
const SHORT_OCTETS: usize = 4 << 10;

/// The message with every leaf encoded that has octets above 127 and may be encoded: text as quoted-printable, unless that
/// would be larger than base64, the rest as base64. `None` if there is nothing to change. Lines end in CRLF, and an empty one ends the header section.
#[must_use]
pub fn to_seven_bit(content: &[u8]) -> Option<Vec<u8>> {
    encode(content, Goal::SevenBit)
}

/// The message with every leaf encoded that holds NUL, as a client may append one (RFC 3516 §4.4) and most readers cannot
/// take one: text as quoted-printable, unless that would be larger than base64, the rest as base64. Each part decodes to
/// what it decoded to before. `None` if a NUL stands where it cannot be encoded: in a header, or in what is signed.
#[must_use]
pub fn without_nul(content: &[u8]) -> Option<Cow<'_, [u8]>> {
    if Goal::NoNul.is_met_by(content) {
        return Some(Cow::Borrowed(content));
    }
    let encoded = encode(content, Goal::NoNul)?;
    Goal::NoNul.is_met_by(&encoded).then_some(Cow::Owned(encoded))
}

/// What no leaf shall have afterwards.
#[derive(Clone, Copy)]
enum Goal {
    /// Octets above 127.
    SevenBit,
    /// NUL.
    NoNul,
}

impl Goal {
    fn is_met_by(self, stretch: &[u8]) -> bool {
        match self {
            Self::SevenBit => stretch.is_ascii(),
            Self::NoNul => memchr::memchr(0, stretch).is_none(),
        }
    }

    /// What a composite part is labelled of which everything meets the goal.
    const fn label(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::NoNul => "8bit",
        }
    }
}

fn encode(content: &[u8], goal: Goal) -> Option<Vec<u8>> {
    let mut walk = Walk {
        content,
        goal,
        at: 0,
        kept: 0,
        edits: Vec::new(),
    };
    let (_, root) = structure::parse(content);
    walk.part(&root, true);
    // A composite part knows its label only after its children are known.
    walk.edits.sort_by_key(|edit| edit.place.start);
    (!walk.edits.is_empty()).then(|| apply(content, &walk.edits))
}

struct Walk<'a> {
    content: &'a [u8],
    goal: Goal,
    /// Up to here the content has been looked at.
    at: usize,
    /// How many stretches stay that do not meet the goal.
    kept: usize,
    edits: Vec<Edit>,
}

struct Edit {
    place: Range<usize>,
    to: Change,
}

enum Change {
    /// A header section gets another Content-Transfer-Encoding.
    Header(Label),
    /// A body in this encoding gets quoted-printable or base64.
    Body { encoding: Vec<u8>, quoted: bool },
}

#[derive(Clone, Copy)]
struct Label {
    encoding: &'static str,
    /// It is the header of a message, which needs MIME-Version (RFC 2045 §4).
    message: bool,
    /// The body is text in UTF-8, to be said if there is no Content-Type (RFC 2045 §5.2 takes it for US-ASCII).
    utf8: bool,
}

impl Walk<'_> {
    /// Goes over one part; `message` says that its header is that of a message.
    fn part(&mut self, part: &Part, message: bool) {
        self.keep(offset(part.body_offset));
        let (kept, edits) = (self.kept, self.edits.len());
        match &part.body {
            _ if is_sealed(part) || structure::is_undivided(part) => {}
            PartBody::Leaf => self.leaf(part, message),
            PartBody::Multipart(children) => children.iter().for_each(|child| self.part(child, false)),
            PartBody::Message(inner) if self.is_signed(&inner.1) => {}
            PartBody::Message(inner) => self.part(&inner.1, true),
        }
        self.keep(offset(part.end_offset));
        let became_good = self.kept == kept && self.edits.len() > edits;
        // A server that goes by the labels would convert it again, and break the signature.
        if became_good && is_one_of(&part.encoding, &["8bit", "binary"]) && !matches!(part.body, PartBody::Leaf) {
            self.relabel(
                part,
                Label {
                    encoding: self.goal.label(),
                    message: false,
                    utf8: false,
                },
            );
        }
    }

    /// What lies before `end` and was not looked at stays as it is.
    fn keep(&mut self, end: usize) {
        if let Some(stretch) = self.content.get(self.at..end) {
            self.kept += usize::from(!self.goal.is_met_by(stretch));
            self.at = end;
        }
    }

    /// Whether an enclosed message carries signatures of its own, which whoever gets it may want to verify.
    fn is_signed(&self, message: &Part) -> bool {
        let header = &self.content[offset(message.header_offset)..offset(message.body_offset)];
        fields(header).any(|field| field.is("DKIM-Signature") || field.is("ARC-Seal"))
    }

    fn leaf(&mut self, part: &Part, message: bool) {
        let place = offset(part.body_offset)..offset(part.end_offset);
        let body = &self.content[place.clone()];
        // RFC 2045 §6.4: composite types cannot be encoded, not even where they could not be looked into.
        if self.goal.is_met_by(body) || is_one_of(&part.media_type, &["multipart", "message"]) {
            return;
        }
        let Some(decoded) = decoded(&part.encoding, body) else {
            return;
        };
        let text = is_one_of(&part.media_type, &["text"]);
        let utf8 = text && std::str::from_utf8(&decoded).is_ok();
        let quoted = text && !is_better_in_base64(&decoded);
        let encoding = if quoted { "quoted-printable" } else { "base64" };
        self.relabel(
            part,
            Label {
                encoding,
                message,
                utf8,
            },
        );
        self.at = place.end;
        let encoding = part.encoding.clone();
        self.edits.push(Edit {
            place,
            to: Change::Body { encoding, quoted },
        });
    }

    fn relabel(&mut self, part: &Part, label: Label) {
        let place = offset(part.header_offset)..offset(part.body_offset);
        self.edits.push(Edit {
            place,
            to: Change::Header(label),
        });
    }
}

fn offset(octets: u64) -> usize {
    usize::try_from(octets).expect("an offset into content that is in memory")
}

fn is_one_of(value: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| value.eq_ignore_ascii_case(name.as_bytes()))
}

/// Text of which a person could read little in quoted-printable, and which that would make larger than base64 does. What is
/// short stays as it looks most like itself.
pub(crate) fn is_better_in_base64(text: &[u8]) -> bool {
    let raised = text.iter().filter(|octet| !octet.is_ascii()).count();
    text.len() > SHORT_OCTETS && raised * 6 > text.len()
}

/// Whatever changes a signed part breaks its signature (RFC 1847 §2.1).
pub(crate) fn is_sealed(part: &Part) -> bool {
    let is = |media_type, subtypes| is_one_of(&part.media_type, &[media_type]) && is_one_of(&part.subtype, subtypes);
    is("multipart", &["signed", "encrypted"]) || is("application", &["pkcs7-mime", "x-pkcs7-mime"])
}

/// A body that does not meet the goal, without its encoding. `None` if that is not known, or is base64: then only its
/// readers know what it means.
fn decoded<'a>(encoding: &[u8], body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let known = ["", "7bit", "8bit", "binary", "quoted-printable"];
    // Base64 that does not meet the goal holds what is not of its alphabet, or no line ends: perhaps the label is wrong.
    is_one_of(encoding, &known).then(|| transfer_decode(encoding, body))
}

fn apply(content: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 2);
    let mut from = 0;
    for Edit { place, to } in edits {
        out.extend_from_slice(&content[from..place.start]);
        from = place.end;
        let old = &content[place.clone()];
        match to {
            Change::Header(label) => add_header(&mut out, old, *label),
            Change::Body { encoding, quoted } => {
                add_body(
                    &mut out,
                    &transfer_decode(encoding, old),
                    *quoted,
                    from == content.len(),
                );
            }
        }
    }
    out.extend_from_slice(&content[from..]);
    out
}

/// The header section with this label in place of any other. It ends in an empty line, as its part has a body.
fn add_header(out: &mut Vec<u8>, header: &[u8], label: Label) {
    let encoding = format!("Content-Transfer-Encoding: {}\r\n", label.encoding);
    let (mut labelled, mut versioned, mut typed) = (false, false, false);
    let mut from = 0;
    for field in fields(header) {
        versioned |= field.is("MIME-Version");
        typed |= field.is("Content-Type");
        if field.is("Content-Transfer-Encoding") {
            out.extend_from_slice(&header[from..field.start]);
            from = field.end;
            if !std::mem::replace(&mut labelled, true) {
                out.extend_from_slice(encoding.as_bytes());
            }
        }
    }
    let empty_line = if header.ends_with(b"\r\n") { 2 } else { 1 };
    let end = header.len().saturating_sub(empty_line).max(from);
    out.extend_from_slice(&header[from..end]);
    if label.message && !versioned {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    if label.utf8 && !typed {
        out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    }
    if !labelled {
        out.extend_from_slice(encoding.as_bytes());
    }
    out.extend_from_slice(&header[end..]);
}

/// `last`: the message ends here, so the body has to end its last line; elsewhere the line end belongs to the delimiter.
fn add_body(out: &mut Vec<u8>, decoded: &[u8], quoted: bool, last: bool) {
    if !quoted {
        let start = out.len();
        add_base64_lines(out, decoded);
        if !last {
            out.truncate(out.len().saturating_sub(b"\r\n".len()).max(start));
        }
        return;
    }
    add_quoted_printable(out, decoded);
    if last && !out.ends_with(b"\r\n") {
        // A line end that is none.
        out.extend_from_slice(b"=\r\n");
    }
}
