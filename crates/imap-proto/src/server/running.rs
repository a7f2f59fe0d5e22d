//! What the connection is in the middle of.

use crate::collector::LiteralMark;
use crate::command::AppendRequest;
use crate::session::{Dialogue, Done, Refusal, Task};

/// The command under way.
pub(super) enum Running {
    /// None: the next line is a command.
    Nothing,
    /// A question is open.
    Question { of: Origin, task: Box<dyn Task> },
    /// The command is done but for the news before its tagged response.
    Polling { of: Origin, outcome: Result<Done, Refusal> },
    /// Lines of a dialogue are awaited.
    Dialogue { of: Origin, dialogue: Dialogue },
    /// The outside is asked whether a message may be appended.
    AppendStart {
        of: Origin,
        request: AppendRequest,
        mark: LiteralMark,
    },
    /// A message streams in.
    AppendBody {
        of: Origin,
        request: AppendRequest,
        left: u64,
        nul: bool,
    },
    /// The message is in; the line's end is awaited.
    AppendEnd {
        of: Origin,
        request: AppendRequest,
        nul: bool,
    },
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
