//! How far the dialogue came, and what that means for each recipient.

use crate::client::reply::RemoteReply;

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionResult {
    /// One for each forward-path, in their order.
    pub recipients: Vec<RecipientResult>,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientResult {
    /// The server has taken the message for this recipient; this is its reply to the final dot.
    Accepted(RemoteReply),
    /// The server said no, with 4xx or 5xx.
    Refused {
        /// What the server answered.
        phase: Phase,
        /// Its answer.
        reply: RemoteReply,
    },
    /// We said no: the server lacks what the message needs. Another one may have it.
    Unsupported {
        /// `5.6.7`
        status: &'static str,
        /// For people.
        text: &'static str,
    },
    /// We said no: the message may not leave as it is, to whatever server.
    Unfit {
        /// `5.6.0`
        status: &'static str,
        /// For people.
        text: &'static str,
    },
    /// The dialogue broke off; the server has certainly not taken the message.
    Lost {
        /// What was going on.
        phase: Phase,
        /// How it broke off.
        failure: Failure,
    },
    /// The dialogue broke off between the final dot and its reply: the server may or may not have taken the message.
    Unknown {
        /// How it broke off.
        failure: Failure,
    },
}

/// Parts of the dialogue, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before the first byte; only the outside uses this.
    Connect,
    /// The first reply.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The content, up to the final dot.
    Content,
    /// The reply to the final dot.
    Final,
}

/// How a dialogue broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// The server did not answer, or did not read, in time.
    #[error("timed out")]
    Timeout,
    /// The connection was closed or reset.
    #[error("connection closed")]
    Closed,
    /// The server does not speak SMTP.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// We go down and waited for the server as long as we may.
    #[error("our server is shutting down")]
    Shutdown,
    /// Our own content could not be read.
    #[error("content cannot be read")]
    Unreadable,
}

/// Why a session cannot go on. It has a reply or a failure, never neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFailure {
    /// What was going on.
    pub phase: Phase,
    /// The server's 4xx or 5xx, if that is why.
    pub reply: Option<RemoteReply>,
    /// Otherwise, how it broke off.
    pub failure: Option<Failure>,
}
