//! The plain data that goes in and out of the mailstore.

use crate::content::Content;
use bytes::Bytes;
use postroom_feed::ReceivedAs;
use postroom_types::{
    BlobId, EmailId, InboxId, InternalDate, MailboxId, MessageFlags, ModSeq, OrganizationId, SpecialUse, Summary,
    ThreadId, Uid, UidValidity,
};
use std::sync::Arc;

/// How a message came into the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Origin {
    /// From the outside, or from another inbox here.
    Received = 1,
    /// Submitted by the inbox's owner.
    Sent = 2,
    /// Put there by IMAP APPEND or an import.
    Imported = 3,
    /// Made as a draft over the API.
    Draft = 4,
}

impl Origin {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Received),
            2 => Some(Self::Sent),
            3 => Some(Self::Imported),
            4 => Some(Self::Draft),
            _ => None,
        }
    }
}

/// A message on its way in.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The content as it came, without what this server puts before it.
    pub body: Bytes,
    /// Trace fields and the like that this server puts before the body; at most 2,560 octets.
    pub prefix: Vec<u8>,
    /// Summary of prefix and body together.
    pub summary: Arc<Summary>,
    /// How it came.
    pub origin: Origin,
    /// When it came: milliseconds since 1970 UTC.
    pub received_at: i64,
    /// Stored verdict of the verification, at most 512 octets; empty if there is none.
    pub verdict: Vec<u8>,
    /// The body is kept under this id by the caller's part of the commit (see
    /// [`deliver_with`](crate::Mailstore::deliver_with)), which puts it or proves an owner; the inboxes become further
    /// owners. `None`: the inboxes are the first.
    pub shared_body: Option<BlobId>,
}

impl NewMessage {
    /// Size of the stored message: prefix and body.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.prefix.len() as u64 + self.body.len() as u64
    }
}

/// A mailbox by role or id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailboxRef {
    /// INBOX
    Inbox,
    /// Blocked
    Blocked,
    /// The one with this special use that every inbox has for life; none has `\Important`.
    Special(SpecialUse),
    /// Any.
    Id(MailboxId),
}

/// Which thread a message joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadChoice {
    /// That of the nearest ancestor in this inbox, else a new one.
    Find,
    /// This one.
    Given(ThreadId),
    /// A new one.
    New,
}

/// Where a message is to be put in one inbox.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The inbox.
    pub inbox: InboxId,
    /// The mailbox in it.
    pub mailbox: MailboxRef,
    /// The message's id in this inbox; the same id is stored once, however often it is sent.
    pub email_id: EmailId,
    /// Initial flags.
    pub flags: MessageFlags,
    /// INTERNALDATE.
    pub internal_date: InternalDate,
    /// Its thread.
    pub thread: ThreadChoice,
    /// How it is announced in the organization's feed as received, unless it was received before. `None`: not at all.
    pub announce: Option<Announce>,
}

/// Whose feed tells of a message that was received, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The organization that the inbox belongs to.
    pub organization: OrganizationId,
    /// What the message was taken for.
    pub received_as: ReceivedAs,
}

/// Where a message was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The inbox.
    pub inbox: InboxId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The mailbox's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The UID.
    pub uid: Uid,
    /// The message's id: the given one, or that of the message it is a duplicate of.
    pub email_id: EmailId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// Whether the message was in the inbox already.
    pub duplicate: bool,
}

/// A mailbox that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxInfo {
    /// Its id.
    pub id: MailboxId,
    /// Its full name, levels separated by `/`.
    pub name: String,
    /// Its role.
    pub special_use: Option<SpecialUse>,
    /// The label that stands for it: `spam`, `trash`, `blocked` or `draft`.
    pub label: Option<&'static str>,
    /// Whether its name is subscribed.
    pub subscribed: bool,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
}

/// Counts of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Messages in it.
    pub messages: u32,
    /// Those without `\Seen`.
    pub unseen: u32,
    /// Those with `\Deleted`.
    pub deleted: u32,
    /// Octets of all of them.
    pub size_octets: u64,
    /// The UID the next message will at least get.
    pub uid_next: Uid,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// Modseq of its last change.
    pub highest_modseq: ModSeq,
}

/// A message's flags and the modseq of their last change.
pub type FlagsAt = (Uid, MessageFlags, ModSeq);

/// What is known of a placement without opening the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The UID.
    pub uid: Uid,
    /// The message.
    pub email_id: EmailId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// INTERNALDATE.
    pub internal_date: InternalDate,
    /// Size of the message.
    pub size_octets: u64,
    /// Its summary, if asked for.
    pub summary: Option<Summary>,
}

/// How flags are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagMode {
    /// Set these, keep the rest.
    Add,
    /// Clear these, keep the rest.
    Remove,
    /// Set exactly these.
    Replace,
}

/// What STORE did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The flags now of each message that is there and was not refused, ascending.
    pub now: Vec<FlagsAt>,
    /// Those left alone because they have changed since (RFC 7162 §3.1.3), ascending.
    pub modified: Vec<Uid>,
}

/// Source and target UIDs of COPY or MOVE, ascending; messages that were gone are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uid_validity: UidValidity,
    /// Source and target.
    pub pairs: Vec<(Uid, Uid)>,
    /// How many of those asked for were gone.
    pub gone: usize,
}

/// A message in an inbox, with its placements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its id.
    pub email_id: EmailId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// How it came.
    pub origin: Origin,
    /// When it came: milliseconds since 1970 UTC.
    pub received_at: i64,
    /// The stored verdict; empty if there is none.
    pub verdict: Vec<u8>,
    /// Whether its Message-ID was its alone in this inbox, drafts aside, when it came, so that it may be called by it.
    pub is_named: bool,
    /// Where it goes back to when it leaves Spam, Trash, Blocked or Drafts.
    pub home: MailboxId,
    /// Where it appears.
    pub placements: Vec<(MailboxId, Uid)>,
    /// Where its bytes are.
    pub content: Content,
}

impl MessageRecord {
    /// Size of the message.
    #[must_use]
    pub fn size_octets(&self) -> u64 {
        self.content.octets()
    }
}

/// How full an inbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Octets of all messages.
    pub octets: u64,
    /// Number of messages.
    pub messages: u64,
    /// Octets it may hold. One message beyond is taken.
    pub quota_octets: u64,
}
