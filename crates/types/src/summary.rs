//! What is known of a message without opening its body: computed once when it enters, stored, and read by ENVELOPE,
//! BODYSTRUCTURE, section fetches, search and the API.
//!
//! Header values are raw, as they stand in the message (unfolded, still encoded): IMAP sends them so, and the API
//! decodes them when it shows them. Sizes and offsets are octets, CRLF counted as two.

/// Everything computed at intake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The fields of ENVELOPE.
    pub envelope: Envelope,
    /// The tree of parts; the root is the message itself.
    pub root: Part,
    /// Decoded subject, for the API and for sorting.
    pub subject_text: String,
    /// The first ~200 characters of the readable text, white space folded.
    pub preview: String,
    /// Message-IDs of In-Reply-To then References (newest first), without angle brackets; at most 32.
    pub ancestors: Vec<String>,
    /// Message-IDs of References alone, in their order (oldest first), or of In-Reply-To (its first) if there is no
    /// References field with one: the parents of RFC 5256 §3 (REFERENCES). Without angle brackets; at most 32, the newest.
    pub references: Vec<String>,
    /// The Message-ID without angle brackets, if there is exactly one usable.
    pub message_id: Option<String>,
    /// The Date field as seconds since 1970 UTC, if it parses.
    pub sent_at: Option<i64>,
}

/// The fields of an ENVELOPE (RFC 3501 §7.4.2, RFC 9051 §7.5.2). `None` is NIL: no such field.
/// An absent Sender or Reply-To is `None` here; who renders applies the RFC's default (From).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date, raw.
    pub date: Option<Vec<u8>>,
    /// Subject, raw.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Option<Vec<AddressEntry>>,
    /// Sender.
    pub sender: Option<Vec<AddressEntry>>,
    /// Reply-To.
    pub reply_to: Option<Vec<AddressEntry>>,
    /// To.
    pub to: Option<Vec<AddressEntry>>,
    /// Cc.
    pub cc: Option<Vec<AddressEntry>>,
    /// Bcc.
    pub bcc: Option<Vec<AddressEntry>>,
    /// In-Reply-To, raw.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID, raw with its angle brackets.
    pub message_id: Option<Vec<u8>>,
}

/// One address of a header field. RFC 3501 §7.4.2: a group starts with an entry whose `host` is `None` and whose
/// `mailbox` is the group's name, and ends with one in which both are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressEntry {
    /// Display name, raw (quotes removed, encoded words kept).
    pub name: Option<Vec<u8>>,
    /// Source route of the oldest mail, `@a,@b` (RFC 3501 §7.4.2, `addr-adl`; RFC 5322 §4.4, `obs-route`).
    pub route: Option<Vec<u8>>,
    /// Local-part, or the group's name.
    pub mailbox: Option<Vec<u8>>,
    /// Domain.
    pub host: Option<Vec<u8>>,
}

/// Content-Disposition (RFC 2183).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// `attachment`, `inline`, …
    pub kind: Vec<u8>,
    /// Parameters in order.
    pub params: Vec<(Vec<u8>, Vec<u8>)>,
}

/// One MIME part: what BODYSTRUCTURE says of it, and where its bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Media type, as written: `text`.
    pub media_type: Vec<u8>,
    /// Media subtype, as written: `plain`.
    pub subtype: Vec<u8>,
    /// Content-Type parameters in order.
    pub params: Vec<(Vec<u8>, Vec<u8>)>,
    /// Content-ID, raw.
    pub content_id: Option<Vec<u8>>,
    /// Content-Description, raw.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding; empty means the default, `7BIT`.
    pub encoding: Vec<u8>,
    /// Content-MD5, raw.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// Content-Language tags.
    pub language: Vec<Vec<u8>>,
    /// Content-Location, raw.
    pub location: Option<Vec<u8>>,
    /// Where the part's header begins in the whole stored message.
    pub header_offset: u64,
    /// Where its body begins: just after the empty line, or equal to the end if there is none.
    pub body_offset: u64,
    /// Where its body ends.
    pub end_offset: u64,
    /// Lines of the body, for text and message/rfc822.
    pub lines: u64,
    /// Size of a leaf's body with its transfer encoding undone.
    pub decoded_octets: u64,
    /// What is inside.
    pub body: PartBody,
}

/// What a part holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PartBody {
    /// Text or binary data.
    #[default]
    Leaf,
    /// `multipart/*`, its parts in order.
    Multipart(Vec<Part>),
    /// `message/rfc822` (or `message/global`): the inner message's envelope and root part.
    Message(Box<(Envelope, Part)>),
}

impl Part {
    /// Moves the part of a whole message down by `octets` of header fields that were put on top of it. The root keeps
    /// its header's beginning, since what is on top belongs to its header.
    pub fn lower(&mut self, octets: u64) {
        let top = self.header_offset;
        self.shift(octets);
        self.header_offset = top;
    }

    fn shift(&mut self, octets: u64) {
        self.header_offset += octets;
        self.body_offset += octets;
        self.end_offset += octets;
        match &mut self.body {
            PartBody::Leaf => {}
            PartBody::Multipart(parts) => parts.iter_mut().for_each(|part| part.shift(octets)),
            PartBody::Message(inner) => inner.1.shift(octets),
        }
    }

    /// Size of the body in octets.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.end_offset.saturating_sub(self.body_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_on_top_move_all_but_the_first_offset() {
        let leaf = |header_offset, body_offset, end_offset| Part {
            header_offset,
            body_offset,
            end_offset,
            ..Part::default()
        };
        let mut root = Part {
            body: PartBody::Multipart(vec![leaf(20, 30, 40)]),
            ..leaf(0, 10, 50)
        };
        root.lower(7);
        assert_eq!(
            (root.header_offset, root.body_offset, root.end_offset, root.octets()),
            (0, 17, 57, 40)
        );
        let PartBody::Multipart(parts) = &root.body else {
            panic!("still a multipart")
        };
        assert_eq!(
            (parts[0].header_offset, parts[0].body_offset, parts[0].end_offset),
            (27, 37, 47)
        );
    }
}
