//! Where the dialogue stands. No flag to forget on RSET: what a transaction knows lives and dies with its state.

use crate::command::{Login, Text};
use crate::question::{Envelope, MailParams};
use crate::reply::Reply;
use postroom_types::{ForwardPath, ReversePath};
use postroom_wire::Authenticator;

/// Where the dialogue stands. Each state carries what is true in it.
#[derive(Debug)]
pub(crate) enum State {
    /// Greeted by us, not yet by the client.
    Connected,
    /// No transaction is open.
    Ready(Client),
    /// The client is logging in, and its next line belongs to that.
    Auth(Client, Login),
    /// MAIL was accepted, and no recipient yet.
    Mail(Client, Mail),
    /// At least one recipient was accepted.
    Rcpt(Envelope),
    /// Message text is coming.
    Text(Envelope, Text),
    /// A question is open.
    Waiting(Waiting),
    /// The handshake is going on.
    StartingTls,
    /// Nothing more is said or heard.
    Closed,
}

/// What an answer will decide.
#[derive(Debug)]
pub(crate) enum Waiting {
    Auth(Client, Login),
    Mail(Client, Mail),
    FirstRecipient(Client, Mail, ForwardPath),
    Recipient(Envelope, ForwardPath),
    Data(Envelope),
    Message(Client),
    Refused(Client, Reply),
}

/// Who may begin a transaction.
#[derive(Debug)]
pub(crate) enum Access {
    /// Everybody: mail comes in.
    Open,
    /// Nobody yet: mail is submitted, and the client has to log in.
    NeedsLogin(Authenticator),
    /// This client. There is no way back: a session has one login (RFC 4954 §4), and TLS came before it.
    LoggedIn,
}

/// Who the client says it is.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    /// It said EHLO.
    pub(crate) extended: bool,
}

/// What MAIL said.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) reverse_path: ReversePath,
    pub(crate) params: MailParams,
}
