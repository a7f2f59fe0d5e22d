//! Where the dialogue stands. No flag to forget on RSET: what a transaction knows lives and dies with its state.

use crate::command::Text;
use crate::question::{Envelope, MailParams};
use crate::reply::Reply;
use postroom_types::{ForwardPath, ReversePath};

/// Where the dialogue stands. Each state carries what is true in it.
#[derive(Debug)]
pub(crate) enum State {
    /// Greeted by us, not yet by the client.
    Connected,
    /// No transaction is open.
    Ready(Client),
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
    Mail(Client, Mail),
    FirstRecipient(Client, Mail, ForwardPath),
    Recipient(Envelope, ForwardPath),
    Data(Envelope),
    Message(Client),
    Refused(Client, Reply),
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
