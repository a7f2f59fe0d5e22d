//! What the connection is in the middle of.

use super::append::Appends;
use crate::session::{Dialogue, Done, Refusal, Task};

/// The command under way.
pub(super) enum Running {
    /// None: the next line is a command.
    Nothing,
    /// A question is open.
    Question { of: Origin, task: Box<dyn Task> },
    /// The command is done but for the news before its tagged response.
    Polling { of: Origin, outcome: Result<Done, Refusal> },
    /// The same, and the searches that the client follows are asked again (RFC 5267 §4.3).
    Updating {
        of: Origin,
        outcome: Result<Done, Refusal>,
        task: Box<dyn Task>,
    },
    /// Lines of a dialogue are awaited.
    Dialogue { of: Origin, dialogue: Dialogue },
    /// The outside is asked whether a part of a message may be appended.
    AppendAsking(Box<Appends>),
    /// A literal streams in, with so many octets to come.
    AppendBody { appends: Box<Appends>, left: u64 },
    /// A literal is in; what follows it is awaited.
    AppendLine(Box<Appends>),
    /// No command runs, or IDLE does; what is told of new messages (RFC 5465 §5.2) or followed searches is awaited.
    Announcing { task: Box<dyn Task>, then: Box<Running> },
    /// A refused command's literal goes by.
    Skipping { of: Origin, refusal: Refusal },
    /// The handshake is awaited.
    TlsHandshake,
    /// Nothing more is said.
    Closed,
}

/// Whose response it will be.
pub(super) struct Origin {
    pub(super) tag: Vec<u8>,
    pub(super) tells_expunges: bool,
}

impl Origin {
    pub(super) fn of(tag: &[u8]) -> Self {
        Self {
            tag: tag.to_vec(),
            tells_expunges: true,
        }
    }

    /// For what has no tag to answer to.
    pub(super) fn untagged() -> Self {
        Self::of(b"*")
    }
}
