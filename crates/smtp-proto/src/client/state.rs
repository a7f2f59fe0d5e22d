//! Where the dialogue stands. Each state carries what is true in it.

use crate::client::auth::AuthStep;
use crate::client::content::Stuffer;
use crate::client::result::Phase;
use crate::client::transfer::Transfer;

/// Where the dialogue stands.
#[derive(Debug)]
pub(crate) enum State {
    /// A reply is awaited, and no transaction is open.
    Waiting(Awaited),
    /// The handshake is going on.
    StartingTls,
    /// `Next` is asked.
    Ready,
    /// A reply is awaited within a transaction.
    Transfer(Transfer),
    /// Content is asked for.
    Content(Transfer, Stuffer),
    /// `Result` or `Failed` is asked.
    Told(After),
    /// Nothing more is said or heard.
    Closed,
}

/// What the reply will answer.
#[derive(Debug)]
pub(crate) enum Awaited {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth(AuthStep),
    Reset,
    Quit,
}

impl Awaited {
    /// The phase a failure belongs to. `None`: nobody waits for this reply.
    pub(crate) const fn phase(&self) -> Option<Phase> {
        match self {
            Self::Greeting => Some(Phase::Greeting),
            Self::Ehlo | Self::Helo => Some(Phase::Hello),
            Self::StartTls => Some(Phase::StartTls),
            Self::Auth(_) => Some(Phase::Auth),
            Self::Reset | Self::Quit => None,
        }
    }
}

/// What comes when the outside has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Something new may begin.
    Next,
    /// First the server has to forget what it knows of the transaction (RFC 5321 §4.1.1.5).
    Reset,
    /// A goodbye.
    Quit,
    /// Nothing that is said could be understood.
    Close,
}
