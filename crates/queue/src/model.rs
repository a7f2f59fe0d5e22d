//! The plain data that goes in and out of the queue.

use postroom_types::{BlobId, Domain, EmailAddress, EmailId, InboxId, OrganizationId, ReversePath};

/// A message for the queue. One row and one row per recipient; the body is shared with the inboxes that have it.
#[derive(Clone, Debug)]
pub struct NewQueued {
    /// Names it everywhere: in log lines, in the history, and as the EMAILID of the copy in the sender's Sent.
    pub id: EmailId,
    /// The inbox it comes from. `None`: a notice of our own, or mail from outside for more inboxes than one commit takes.
    pub sender: Option<InboxId>,
    /// Whose feed tells what becomes of it: the sender's organization, if this is mail that the sender knows of.
    pub organization: Option<OrganizationId>,
    /// Where notices go. With `verp`, peers see an address of ours in its domain instead, which leads back to the recipient.
    pub reverse_path: ReversePath,
    /// Whether to replace the reverse-path towards other servers by a signed one per recipient.
    pub verp: bool,
    /// Stands before the body: signatures, trace fields; at most 2,560 octets.
    pub prefix: Vec<u8>,
    /// Where the body is.
    pub body: QueuedBody,
    /// Whether prefix or body has octets above 127 (RFC 6152).
    pub eight_bit: bool,
    /// Whether the message needs SMTPUTF8 whoever gets it (RFC 6531); what a recipient's address needs is seen when it is
    /// sent.
    pub smtputf8: bool,
    /// Each gets a state and a history of its own; 1 to [`MAX_RECIPIENTS`](crate::MAX_RECIPIENTS).
    pub recipients: Vec<NewRecipient>,
    /// Milliseconds since 1970 UTC.
    pub created_at: i64,
    /// Nothing is sent before somebody says so (the loop breaker).
    pub held: Option<String>,
}

/// A stored body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedBody {
    /// Its name.
    pub blob: BlobId,
    /// Its size.
    pub octets: u64,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecipient {
    /// Where it goes, as given.
    pub address: EmailAddress,
    /// What it waits in line for.
    pub destination: Destination,
}

/// What work is lined up by: each destination has its own line and its own limit of concurrency.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// An inbox here.
    Inbox(InboxId),
    /// A domain elsewhere.
    Domain(Domain),
}

/// One recipient of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId {
    /// The message.
    pub message: EmailId,
    /// Which of its recipients, from 0.
    pub recipient: u16,
}

/// Where a recipient stands. The last five are final; each recipient reaches exactly one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ItemState {
    /// Waits for its first attempt, or for the next after a deferral.
    Queued = 1,
    /// An attempt is open.
    Attempting = 2,
    /// Waits until somebody lets it go: by the operator's command, or by the loop breaker.
    OnHold = 3,
    /// The next server took responsibility, or the inbox has it.
    Delivered = 4,
    /// Refused for good; the sender was told.
    Bounced = 5,
    /// Not delivered within the lifetime; the sender was told.
    Expired = 6,
    /// Taken back by the sender or the operator.
    Cancelled = 7,
    /// The final reply was lost, and `on_lost_reply` says not to try again; the sender was told.
    Held = 8,
}

impl ItemState {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Delivered | Self::Bounced | Self::Expired | Self::Cancelled | Self::Held
        )
    }
}

/// What one attempt came to, for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken.
    Delivered(Reason),
    /// Try again later.
    Deferred(Reason),
    /// Never.
    Bounced(Reason),
    /// The message may have been taken: the final reply was lost (RFC 1047).
    Uncertain(Reason),
}

/// Why: the peer's reply, or what happened instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// The reply's code; 0 if there was none.
    pub code: u16,
    /// The enhanced status code (RFC 3463), the peer's or ours.
    pub status: String,
    /// The peer's text or ours, at most 512 octets, one line.
    pub text: String,
}

/// With whom, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Host name of the server tried; empty if none was reached. `local` for an inbox here, `captured` for capture.
    pub host: String,
    /// Its address and port.
    pub address: String,
    /// TLS version and cipher suite, with ` (verified)` if the certificate was; empty for clear text.
    pub tls: String,
}
