//! What the client machine asks, and what it can be told.

use crate::client::extensions::Extensions;
use crate::client::result::{SessionFailure, TransactionResult};
use bytes::Bytes;
use postroom_types::{ForwardPath, ReversePath, Secret};

/// What only the outside knows. Each is answered by one [`ClientAnswer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientQuestion {
    /// Something new may begin: after EHLO, after STARTTLS and its EHLO, after AUTH, after a transaction. Answered by
    /// [`StartTls`](ClientAnswer::StartTls), [`Authenticate`](ClientAnswer::Authenticate),
    /// [`Send`](ClientAnswer::Send) or [`Quit`](ClientAnswer::Quit). A connection may be kept for later mail by
    /// answering late.
    Next {
        /// What the server offers now.
        extensions: Extensions,
        /// Whether the session runs over TLS.
        tls: bool,
        /// Whether AUTH succeeded.
        authenticated: bool,
    },
    /// 354 was given: the next bytes of the content, about so many. Answered by [`Content`](ClientAnswer::Content)
    /// or [`ContentUnreadable`](ClientAnswer::ContentUnreadable).
    Content {
        /// How much to give at once.
        octets: usize,
    },
    /// A transaction is over; this is all that is said of it. Answered by [`Done`](ClientAnswer::Done). Then comes
    /// `Next`, unless the connection cannot be used any more.
    Result(TransactionResult),
    /// The session cannot go on, and no transaction was open. Answered by [`Done`](ClientAnswer::Done); then the
    /// connection is closed.
    Failed(SessionFailure),
}

/// What the outside says. An answer that does not fit the question closes the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAnswer {
    /// Begin TLS (RFC 3207). Fails the session if it is not offered, or is up already.
    StartTls,
    /// Log in with AUTH PLAIN or LOGIN (RFC 4954). Fails the session without TLS, or if neither is offered.
    Authenticate {
        /// Whose password it is.
        user: String,
        /// The password.
        password: Secret<String>,
    },
    /// Send a message.
    Send(Transaction),
    /// The next bytes of the content, without dot-stuffing; empty: that was all.
    Content(Bytes),
    /// The content cannot be read to its end: the connection is closed before the final dot, and each recipient that
    /// was not refused gets [`Lost`](crate::client::RecipientResult::Lost) with
    /// [`Unreadable`](crate::client::Failure::Unreadable).
    ContentUnreadable,
    /// Say QUIT and close.
    Quit,
    /// Heard.
    Done,
}

/// What to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// RCPT TO, at least one; the results come in the same order.
    pub forward_paths: Vec<ForwardPath>,
    /// Size of the content, octets, CRLF counted as two, without dot-stuffing (RFC 1870 §5).
    pub size_octets: u64,
    /// The content has octets over 127 (RFC 6152).
    pub eight_bit: bool,
    /// The header section has UTF-8 (RFC 6531); that addresses are internationalized, the machine sees itself.
    pub smtputf8: bool,
}
