//! What is changed: messages that come, flags, copies.

use postroom_types::{InternalDate, MessageFlags, ModSeq, Uid, UidValidity};

/// Flags and date of a message that is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appending {
    /// Initial flags.
    pub flags: MessageFlags,
    /// INTERNALDATE; `None` is now.
    pub internal_date: Option<InternalDate>,
    /// It came as a literal8, so it may hold NUL (RFC 3516 §4.4).
    pub binary: bool,
}

/// How STORE changes flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagChange {
    /// `+FLAGS`, `-FLAGS` or `FLAGS`.
    pub mode: ChangeMode,
    /// The flags named.
    pub flags: MessageFlags,
}

/// See [`FlagChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeMode {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// A message's flags after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagsNow {
    /// Which message.
    pub uid: Uid,
    /// Its flags.
    pub flags: MessageFlags,
    /// Its MODSEQ.
    pub modseq: ModSeq,
}

/// The answer to a piece of STORE.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The flags now of each message that is there and was not refused, ascending.
    pub now: Vec<FlagsNow>,
    /// Those left alone because they have changed since (RFC 7162 §3.1.3), ascending.
    pub modified: Vec<Uid>,
    /// How many of those asked for are gone.
    pub gone: usize,
}

/// What COPY or MOVE did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uid_validity: UidValidity,
    /// Source and target.
    pub pairs: Vec<(Uid, Uid)>,
}
