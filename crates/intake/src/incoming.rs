//! What comes from outside, and what becomes of it: plain data.

use bytes::Bytes;
use postroom_identity::{EntryScope, InboxRecord};
use postroom_mailstore::Placed;
use postroom_message::Verdict;
use postroom_queue::ItemId;
use postroom_types::{EmailAddress, EmailId, InboxId, InternalDate, MessageFlags, OrganizationId, PodId, ReversePath};
use std::net::IpAddr;

/// A message from outside with its accepted recipients.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The client's EHLO or HELO argument.
    pub client: String,
    /// Whether it said EHLO.
    pub extended: bool,
    /// Its address.
    pub peer: IpAddr,
    /// Whether the session ran over TLS.
    pub tls: bool,
    /// Whether the transaction used SMTPUTF8.
    pub smtputf8: bool,
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// The local inboxes it is for; not empty, and at most 100 addresses.
    pub recipients: Vec<LocalRecipient>,
    /// The message as it came.
    pub content: Bytes,
    /// What verification said.
    pub verdict: Verdict,
}

/// One recipient that is an inbox of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRecipient {
    /// The inbox.
    pub inbox: InboxId,
    /// The organization that hears of what the inbox gets.
    pub organization: OrganizationId,
    /// The pod it belongs to.
    pub pod: PodId,
    /// The address as given in RCPT.
    pub address: EmailAddress,
    /// The address is a bounce address of ours: what comes is about this recipient of a message that the inbox sent.
    pub bounce: Option<ItemId>,
    /// What the inbox sends on.
    pub forward: Option<Forward>,
}

impl LocalRecipient {
    /// Whose lists count for what it gets.
    pub(crate) const fn lists(&self) -> EntryScope {
        EntryScope::Inbox(self.organization, self.pod, self.inbox)
    }

    /// An inbox, reached under this address.
    #[must_use]
    pub fn new(inbox: &InboxRecord, address: EmailAddress) -> Self {
        Self {
            inbox: inbox.id,
            organization: inbox.organization,
            pod: inbox.pod,
            address,
            bounce: None,
            forward: Forward::of(inbox),
        }
    }
}

/// Where an inbox sends a copy of each message it gets, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The inbox.
    pub(crate) inbox: InboxId,
    /// Whose lists count for what it sends.
    pub(crate) lists: EntryScope,
    /// Its name in Delivered-To, which tells that a message was here.
    pub(crate) canonical: EmailAddress,
    /// The reverse-path of the copies.
    pub(crate) from: EmailAddress,
    /// Where they go.
    pub(crate) to: EmailAddress,
    /// The inbox may not send at present, so none is made.
    pub(crate) is_paused: bool,
}

impl Forward {
    /// What an inbox sends on, if it does.
    #[must_use]
    pub fn of(inbox: &InboxRecord) -> Option<Self> {
        let to = inbox.forward_to.clone()?;
        Some(Self {
            inbox: inbox.id,
            lists: inbox.into(),
            canonical: inbox.canonical.clone(),
            from: inbox.primary.clone(),
            to,
            is_paused: inbox.send_paused,
        })
    }
}

/// A message was taken, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id in the first recipient's inbox; also in Received and in every log line.
    pub id: EmailId,
    /// Octets as stored.
    pub octets: u64,
    /// The Message-ID that it came with.
    pub message_id: Option<String>,
    /// Where it went, one for each inbox.
    pub placed: Vec<Placed>,
    /// The inboxes beyond the first [`MAX_PLACINGS`](postroom_mailstore::MAX_PLACINGS): they get it from the queue.
    pub queued: Vec<InboxId>,
}

/// A message that a client brings itself.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The message as it came.
    pub content: Bytes,
    /// Its flags.
    pub flags: MessageFlags,
    /// INTERNALDATE; `None` is now, in UTC.
    pub internal_date: Option<InternalDate>,
}
