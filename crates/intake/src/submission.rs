//! What is handed in to be sent, and what comes of it: plain data.

use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_mailstore::ThreadChoice;
use postroom_store::CommitBuilder;
use postroom_types::{EmailAddress, EmailId, Keyword, ReversePath, ThreadId};

/// A message that an inbox wants sent.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose it is; read just before, so that what it may do is what counts now.
    pub inbox: InboxRecord,
    /// How it came.
    pub via: Via,
    /// MAIL FROM; an address of the inbox. Notices come back to it.
    pub reverse_path: ReversePath,
    /// Where it goes, at most [`MAX_RECIPIENTS`](postroom_queue::MAX_RECIPIENTS) different addresses.
    pub recipients: Vec<EmailAddress>,
    /// The message, Bcc fields and all.
    pub content: Bytes,
    /// The thread in the sender's inbox.
    pub thread: ThreadChoice,
    /// So that a request that is repeated is done once.
    pub idempotency: Option<Idempotency>,
    /// The message of the inbox that this one answers. `None`: the one its In-Reply-To names, if it is there.
    pub answers: Option<EmailId>,
}

/// What is done with a submission, in the commit that takes it.
#[derive(Clone, Debug, Default)]
pub struct Alongside {
    /// The id that the message gets, for who writes it down in the same commit; `None`: a new one.
    pub id: Option<EmailId>,
    /// Keywords of the copy in Sent.
    pub keywords: Vec<Keyword>,
    /// Whether an address in a domain of ours that nobody has is taken like one elsewhere, and a notice tells of it later.
    /// Otherwise it is refused, and with it the message.
    pub bounces_unknown: bool,
    /// Whether it passes another message on; the event that tells of it says so.
    pub forwards: bool,
    /// What the caller wants written and asked; no key of its conditions begins with `m`, `q`, `t` or `i`.
    pub commit: CommitBuilder,
}

/// How a submission came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// Over SMTP, after a login.
    Smtp {
        /// The client's EHLO argument; for the log alone.
        client: String,
        /// Whether the session ran over TLS.
        tls: bool,
        /// Whether MAIL had the SMTPUTF8 parameter: the message goes only where that is known (RFC 6531 §3.4).
        smtputf8: bool,
    },
    /// Over HTTP: by an agent, or for one.
    Api,
}

/// Names a request, so that it can be repeated. Kept for as long as its scope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Within what the key is one of a kind.
    pub scope: KeyScope,
    /// What the client calls it.
    pub key: String,
    /// A hash of all that the request says: the same key with another one is a mistake of the client's.
    pub fingerprint: [u8; 32],
}

/// Within what an idempotency key is one of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// The inbox that sends, for 24 hours.
    Inbox,
    /// Its organization, for 24 hours.
    Organization,
    /// One operation, called so, of the inbox that sends, for seven days.
    Operation(&'static str),
}

/// A message was taken, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its id: in the queue, in log lines, and as EMAILID of the copy in Sent.
    pub id: EmailId,
    /// Its thread in the sender's inbox.
    pub thread_id: ThreadId,
    /// Its Message-ID, without angle brackets.
    pub message_id: String,
    /// Octets of the copy in Sent.
    pub octets: u64,
    /// Whether this is the answer to an earlier request with the same idempotency key; nothing was done now.
    pub replayed: bool,
    /// Whether the loop breaker keeps it back until the operator lets it go.
    pub held: bool,
}
