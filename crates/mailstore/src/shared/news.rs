//! What a session is told of a mailbox.

use crate::FlagsAt;
use postroom_types::{ModSeq, Uid};
use std::sync::Arc;

/// What happened in a mailbox since a session was last told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedNews {
    /// New messages, ascending.
    pub appended: Vec<Uid>,
    /// Messages that the session knows and whose flags changed, ascending, with their flags as they are now.
    pub flags: Vec<FlagsAt>,
    /// Messages that are gone, ascending; may name some the session never heard of.
    pub expunged: Vec<Uid>,
    /// Given when it is not known any more which are gone: what is there. All others are gone.
    pub present: Option<Arc<[Uid]>>,
    /// The session is told everything up to here once it was told this.
    pub now: ModSeq,
    /// Modseq of the mailbox's last change.
    pub highest_modseq: ModSeq,
}
