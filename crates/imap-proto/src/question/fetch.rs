//! What FETCH asks of messages, and what it is told.

use bytes::Bytes;
use postroom_types::{EmailId, Envelope, InternalDate, MessageFlags, ModSeq, Part, Piece, Summary, ThreadId, Uid};
use std::fmt;
use std::sync::Arc;

/// What a FETCH wants of each message. Sections are numbered by their place in `sections`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchItems {
    /// FLAGS (also asked when a section sets `\Seen`).
    pub flags: bool,
    /// INTERNALDATE
    pub internal_date: bool,
    /// RFC822.SIZE
    pub size: bool,
    /// ENVELOPE, BODY, BODYSTRUCTURE
    pub summary: bool,
    /// Message sections.
    pub sections: Vec<Section>,
    /// Set `\Seen` on each message first (a BODY[…] without PEEK in a mailbox that is not read-only).
    pub set_seen: bool,
    /// EMAILID, THREADID
    pub ids: bool,
    /// SAVEDATE (RFC 8514)
    pub save_date: bool,
    /// PREVIEW (RFC 8970)
    pub preview: bool,
}

impl FetchItems {
    /// Whether nothing is asked but what [`LIGHT_PIECE`](super::LIGHT_PIECE) names.
    #[must_use]
    pub fn is_light(&self) -> bool {
        !self.summary && self.sections.is_empty() && !self.set_seen && !self.ids && !self.preview
    }
}

/// One message section: RFC 3501 §6.4.5, `section-spec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Part numbers; empty is the message itself.
    pub part: Vec<u32>,
    /// What of it.
    pub text: SectionText,
    /// What is told of that.
    pub form: SectionForm,
    /// `<origin.count>`: only these octets; with a count of [`u64::MAX`] all from the origin on.
    pub partial: Option<(u64, u64)>,
}

impl Section {
    /// Whether it is the body of a part with its transfer encoding undone. Headers and texts have none, and the message
    /// itself is told as it is (RFC 3516 §4.2).
    #[must_use]
    pub fn is_decoded(&self) -> bool {
        self.form != SectionForm::Body && self.text == SectionText::All && !self.part.is_empty()
    }
}

/// What is told of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SectionForm {
    /// `BODY[…]`: its octets.
    #[default]
    Body,
    /// `BINARY[…]`: its octets, those of a part's body with its transfer encoding undone (RFC 3516 §4.2).
    Binary,
    /// `BINARY.SIZE[…]`: how many these are.
    BinarySize,
}

/// What of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// All of it: `BODY[]`, or a part's body `BODY[1]`.
    All,
    /// HEADER
    Header,
    /// HEADER.FIELDS, or HEADER.FIELDS.NOT
    HeaderFields {
        /// Field names, as given.
        names: Vec<String>,
        /// NOT
        not: bool,
    },
    /// TEXT
    Text,
    /// MIME: the part's own header.
    Mime,
}

/// What was found of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionData {
    /// No such part: NIL.
    Nothing,
    /// Its octets.
    Octets(Vec<Piece>),
    /// Its octets, which may hold NUL: told as a literal8 if they do.
    Decoded(Bytes),
    /// The number asked for.
    Size(u64),
    /// The transfer encoding is not known here: the command ends with NO `[UNKNOWN-CTE]`.
    UnknownEncoding,
    /// What is kept of it cannot be read: it is not told, and the command ends with NO.
    Unreadable,
}

/// What ENVELOPE, BODY and BODYSTRUCTURE tell of a message, decoded when it is written: an answer of hundreds of messages
/// holds them as they are stored.
pub trait Summarized: fmt::Debug + Send + Sync {
    /// The fields of ENVELOPE. `None`: they cannot be read; empty ones are told, and the command ends with NO.
    fn envelope(&self) -> Option<Envelope>;
    /// The tree of parts, likewise.
    fn root(&self) -> Option<Part>;
}

impl Summarized for Summary {
    fn envelope(&self) -> Option<Envelope> {
        Some(self.envelope.clone())
    }

    fn root(&self) -> Option<Part> {
        Some(self.root.clone())
    }
}

/// Data of one message.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Which message.
    pub uid: Uid,
    /// Its flags, if asked or just changed (after `\Seen` was set).
    pub flags: Option<MessageFlags>,
    /// Its MODSEQ.
    pub modseq: ModSeq,
    /// Whether this very question changed its flags.
    pub flags_changed: bool,
    /// INTERNALDATE.
    pub internal_date: InternalDate,
    /// Octets.
    pub size_octets: u64,
    /// EMAILID and THREADID.
    pub email_id: EmailId,
    /// Its conversation.
    pub thread_id: ThreadId,
    /// Envelope and structure, if asked.
    pub summary: Option<Arc<dyn Summarized>>,
    /// One for each section asked, in order.
    pub sections: Vec<SectionData>,
    /// SAVEDATE, seconds since 1970 UTC, if asked; `None` is NIL: not known.
    pub save_date: Option<i64>,
    /// PREVIEW, if asked.
    pub preview: Option<String>,
}

/// The answer to a piece of FETCH.
#[derive(Clone, Debug, Default)]
pub struct FetchedPiece {
    /// Ascending; messages that are gone, or not changed since, are left out.
    pub messages: Vec<Fetched>,
    /// How many of those asked for are gone.
    pub gone: usize,
    /// The last of those asked for, if the answer is large enough without them: they are asked for again.
    pub left: Vec<Uid>,
    /// What is kept of some of them cannot be read: they are told as far as they can, and the command fails.
    pub unreadable: bool,
}
