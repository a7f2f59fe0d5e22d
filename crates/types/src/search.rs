//! What is searched for, and in which order it is wanted: SEARCH (RFC 9051 §6.4.4), SORT and THREAD (RFC 5256) and their
//! extensions, in terms of UIDs. The API's search is built from the same words.

use crate::{EmailId, Flags, Keyword, ModSeq, ThreadId, Uid};

/// A search program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    /// ALL
    All,
    /// All of these.
    And(Vec<SearchKey>),
    /// One of these.
    Or(Box<(SearchKey, SearchKey)>),
    /// NOT
    Not(Box<SearchKey>),
    /// UID, or sequence numbers turned into UIDs: ascending ranges, both ends included.
    Uids(Vec<(Uid, Uid)>),
    /// These system flags are set (`UNSEEN` is `Not(Has(Seen))`).
    Has(Flags),
    /// A keyword is set.
    Keyword(Keyword),
    /// `\Recent` in this session: from this UID on.
    RecentFrom(Option<Uid>),
    /// Substring of the addresses of an envelope field; an empty text asks for the field alone.
    Address {
        /// Which field.
        field: AddressField,
        /// Text, UTF-8 after charset conversion.
        text: String,
    },
    /// Substring of the decoded subject; an empty text asks for the field alone.
    Subject(String),
    /// Substring of a header field; an empty text asks for the field alone.
    Header {
        /// Field name.
        name: String,
        /// Text, UTF-8 after charset conversion.
        text: String,
    },
    /// Substring of the body text.
    Body(String),
    /// Substring of header or body.
    Text(String),
    /// RFC822.SIZE larger than.
    Larger(u64),
    /// RFC822.SIZE smaller than.
    Smaller(u64),
    /// INTERNALDATE's date, in its own zone, before this day (days since 1970-01-01).
    Before(i64),
    /// INTERNALDATE's date is this day.
    On(i64),
    /// INTERNALDATE's date is this day or later.
    Since(i64),
    /// Date field's date, without time and zone, before this day.
    SentBefore(i64),
    /// Date field's date is this day.
    SentOn(i64),
    /// Date field's date is this day or later.
    SentSince(i64),
    /// The day of the save date, in UTC, before this day (RFC 8514 §4.3).
    SavedBefore(i64),
    /// The day of the save date is this day.
    SavedOn(i64),
    /// The day of the save date is this day or later.
    SavedSince(i64),
    /// Save dates are kept here (RFC 8514 §4.3, SAVEDATESUPPORTED): always true.
    SaveDateSupported,
    /// INTERNALDATE is within this many seconds before now (RFC 5032).
    Younger(u64),
    /// INTERNALDATE is this many seconds before now, or longer ago (RFC 5032).
    Older(u64),
    /// The modseq is this or above (RFC 7162 §3.1.5).
    ModSeq(ModSeq),
    /// The message's id (RFC 8474 §6); `None` is an id that no message has.
    EmailId(Option<EmailId>),
    /// The id of its conversation; `None` is an id that none has.
    ThreadId(Option<ThreadId>),
}

/// An envelope field that holds addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressField {
    /// From
    From,
    /// To
    To,
    /// Cc
    Cc,
    /// Bcc
    Bcc,
}

impl SearchKey {
    /// Whether any key of the program is one of these.
    #[must_use]
    pub fn any(&self, wanted: &impl Fn(&Self) -> bool) -> bool {
        wanted(self)
            || match self {
                Self::And(keys) => keys.iter().any(|key| key.any(wanted)),
                Self::Or(both) => both.0.any(wanted) || both.1.any(wanted),
                Self::Not(key) => key.any(wanted),
                _ => false,
            }
    }
}

/// One criterion of SORT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// By what.
    pub by: SortBy,
    /// REVERSE
    pub reverse: bool,
}

/// By what SORT orders (RFC 5256 §3, RFC 5957).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// INTERNALDATE with its time.
    Arrival,
    /// Mailbox of the first Cc address.
    Cc,
    /// Sent date and time, adjusted to UTC; INTERNALDATE where it does not parse.
    Date,
    /// Mailbox of the first From address.
    From,
    /// Octets.
    Size,
    /// Base subject.
    Subject,
    /// Mailbox of the first To address.
    To,
    /// Display name of the first From address, else `mailbox@host`.
    DisplayFrom,
    /// Display name of the first To address, else `mailbox@host`.
    DisplayTo,
}

/// How THREAD threads (RFC 5256 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadAlgorithm {
    /// ORDEREDSUBJECT
    OrderedSubject,
    /// REFERENCES
    References,
}

/// Threads in preorder: how deep a message stands (0 is a root), and which it is. `None` is a place holder for a message
/// that is not there (its children are siblings without a parent, RFC 5256 §4).
pub type Threads = Vec<(u32, Option<Uid>)>;
