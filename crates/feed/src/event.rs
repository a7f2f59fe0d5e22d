//! What can happen.

use crate::Cursor;
use postroom_types::{Domain, EmailId, InboxId};

/// Longest [`What::Rejected`] reason, in octets; more is cut.
pub const MAX_REASON_OCTETS: usize = 512;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place.
    pub cursor: Cursor,
    /// When, in milliseconds since 1970 UTC.
    pub at: i64,
    /// In which inbox; `None` if it is about the organization.
    pub inbox: Option<InboxId>,
    /// What.
    pub what: What,
}

/// Something that is about to happen: it gets its place when it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// When, in milliseconds since 1970 UTC.
    pub at: i64,
    /// In which inbox; `None` if it is about the organization.
    pub inbox: Option<InboxId>,
    /// What.
    pub what: What,
}

/// What happened. `message` of mail that was sent is the id of the copy in the sender's Sent, by which the queue knows it
/// too; `recipients` are the queue's numbers of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A message came in.
    Received {
        /// Its id in the inbox.
        message: EmailId,
        /// What it was taken for.
        received_as: ReceivedAs,
    },
    /// A message was taken for sending: stored, signed and queued.
    Sent {
        /// Which.
        message: EmailId,
        /// Whether it passes another message on.
        forwarded: bool,
    },
    /// The next server took it, or an inbox here did.
    Delivered {
        /// Which.
        message: EmailId,
        /// For whom.
        recipients: Vec<u16>,
    },
    /// It did not reach them: the next server refused it, or took it and reported back, or it could not be delivered in
    /// time.
    Bounced {
        /// Which.
        message: EmailId,
        /// Whom.
        recipients: Vec<u16>,
        /// Whether another message will fare no better. Not so if time ran out.
        permanent: bool,
    },
    /// A recipient called it junk (RFC 5965).
    Complained {
        /// Which.
        message: EmailId,
        /// Who.
        recipients: Vec<u16>,
    },
    /// It is not sent, by a decision made here: kept back or cancelled.
    Rejected {
        /// Which.
        message: EmailId,
        /// Why, for people; at most [`MAX_REASON_OCTETS`].
        reason: String,
    },
    /// A domain of the organization proved to be its own.
    DomainVerified {
        /// Which.
        domain: Domain,
    },
}

/// What a received message was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReceivedAs {
    /// Mail like any other.
    Plain = 1,
    /// Junk.
    Spam = 2,
    /// From somebody whom the inbox does not want to hear of.
    Blocked = 3,
    /// Nothing says that it comes from where it claims to.
    Unauthenticated = 4,
}
