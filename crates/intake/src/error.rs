//! Why a message was not taken.

use postroom_identity::IdentityError;
use postroom_mailstore::MailError;
use postroom_queue::QueueError;
use postroom_types::{EmailAddress, RuleId};
use std::time::Duration;

/// Why a message was not taken. Each listener turns these into its own codes, in one place.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The inbox of this address is full.
    #[error("{0} is over quota")]
    OverQuota(EmailAddress),
    /// Too many Received fields (RFC 5321 §6.3).
    #[error("mail loop: {hops} Received fields")]
    Loop {
        /// How many.
        hops: usize,
    },
    /// The From domain asks that mail which fails its test be refused (RFC 7489 §6.3).
    #[error("DMARC policy of {domain} is reject")]
    DmarcReject {
        /// The From domain.
        domain: String,
    },
    /// Several From fields: what one reader shows is not what another has judged (RFC 5322 §3.6).
    #[error("{fields} From fields")]
    SeveralFrom {
        /// How many.
        fields: usize,
    },
    /// Larger than the server takes.
    #[error("message of {octets} octets is too large")]
    TooBig {
        /// Its size.
        octets: u64,
    },
    /// The mail store refused or failed.
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// Why a submission was not taken. Nothing was kept, unless the text says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The reverse-path, or an address in From or Sender, is none of the inbox's.
    #[error("{0} is not an address of the sender")]
    SenderNotYours(EmailAddress),
    /// There is no From with an address.
    #[error("no sender")]
    NoFrom,
    /// The inbox may not send at present.
    #[error("sending is paused")]
    SendPaused,
    /// The operator has suspended the organization of the inbox: nothing of it leaves.
    #[error("the organization is suspended")]
    Suspended,
    /// The inboxes of the organization hold as much together as they may.
    #[error("the organization is over its storage limit")]
    StorageLimit,
    /// A recipient in a domain of ours that nobody has.
    #[error("no such mailbox here: {0}")]
    NoSuchRecipient(EmailAddress),
    /// A list bars the sender from writing to the recipient, or nobody has confirmed the sender yet.
    #[error("{recipient}: {why}")]
    Rejected {
        /// Whom.
        recipient: EmailAddress,
        /// Why, for the user.
        why: String,
        /// The contact rule that bars it, if one does.
        rule: Option<RuleId>,
    },
    /// There are no recipients.
    #[error("no recipients")]
    NoRecipients,
    /// More than [`MAX_RECIPIENTS`](postroom_queue::MAX_RECIPIENTS).
    #[error("too many recipients")]
    TooManyRecipients,
    /// Not a message that can be sent; the text says why.
    #[error("{0}")]
    Malformed(&'static str),
    /// Larger than the server takes.
    #[error("message of {octets} octets is too large")]
    TooBig {
        /// Its size.
        octets: u64,
    },
    /// The inbox has sent as much as it may today, or has written to as many new addresses as it may.
    #[error("{}", daily(*retry_after))]
    DailyLimit {
        /// When the next day begins, in UTC. `None`: it has more recipients than any day takes.
        retry_after: Option<Duration>,
    },
    /// Too many Received fields (RFC 5321 §6.3).
    #[error("mail loop: {hops} Received fields")]
    Loop {
        /// How many.
        hops: usize,
    },
    /// The idempotency key was used for another request, not too long ago.
    #[error("idempotency key used for another request")]
    KeyReused,
    /// A request with the same idempotency key is under way.
    #[error("a request with the same idempotency key is under way")]
    KeyInUse,
    /// A condition that the caller added to the commit does not hold.
    #[error("a condition of the caller does not hold")]
    Conflict,
    /// The sender's inbox is full.
    #[error("the inbox is over quota")]
    OverQuota,
    /// The store is out of space; it may be tried again later.
    #[error("out of space")]
    Full,
    /// It is not known whether it was done, or others kept interfering. Repeated with the same idempotency key, it is
    /// done once.
    #[error("unavailable, try again")]
    Unavailable,
    /// The mail store refused or failed.
    #[error(transparent)]
    Mail(MailError),
    /// The sender or a recipient could not be looked up.
    #[error(transparent)]
    Identity(IdentityError),
    /// The queue failed.
    #[error(transparent)]
    Queue(QueueError),
}

fn daily(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) => format!("daily limit reached, again in {} s", wait.as_secs()),
        None => "the message has more recipients than the limit of a day allows".to_owned(),
    }
}
