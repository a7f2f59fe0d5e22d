//! What is kept of each message of an open mailbox.

use super::KeywordSet;
use crate::rows::FlagsRow;
use postroom_types::{Flags, InternalDate, MessageFlags, ModSeq, Uid};

/// One message, 32 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The modseq of the last change of its flags.
    pub modseq: ModSeq,
    /// When INTERNALDATE is, in seconds since 1970 UTC; see [`internal_date`](Self::internal_date).
    pub internal_seconds: i64,
    /// Its UID.
    pub uid: Uid,
    /// Its size; 2^32 - 1 stands for all that is larger.
    pub size_octets: u32,
    /// When it was put into this mailbox, seconds since 1970 UTC; 0: not known.
    pub saved_at: u32,
    /// Its keywords, see [`Keywords`](super::Keywords).
    pub keywords: KeywordSet,
    /// Its system flags.
    pub flags: Flags,
    /// The zone of INTERNALDATE, in quarter hours east of UTC.
    pub internal_zone: i8,
}

/// What is known of a message without reading its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageState {
    /// The modseq of the last change of its flags.
    pub modseq: ModSeq,
    /// Its flags.
    pub flags: MessageFlags,
    /// INTERNALDATE.
    pub internal_date: InternalDate,
    /// Its size.
    pub size_octets: u64,
    /// When it was put into this mailbox, seconds since 1970 UTC; `None`: not known.
    pub saved_at: Option<i64>,
}

impl MessageState {
    /// What a flags row says; `None` if it is of the first version and does not say it all.
    pub(super) fn of(row: FlagsRow) -> Option<Self> {
        let arrival = row.arrival?;
        Some(Self {
            modseq: row.modseq,
            flags: row.flags,
            internal_date: arrival.internal_date,
            size_octets: arrival.size_octets,
            saved_at: arrival.saved_at,
        })
    }
}

impl Row {
    /// INTERNALDATE.
    #[must_use]
    pub const fn internal_date(&self) -> InternalDate {
        InternalDate::with_quarters(self.internal_seconds, self.internal_zone)
    }

    /// The time of saving as it stands in a row.
    pub(super) fn pack_saved_at(saved_at: Option<i64>) -> u32 {
        saved_at.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
    }

    /// The time of saving.
    #[must_use]
    pub fn saved_at(&self) -> Option<i64> {
        (self.saved_at != 0).then(|| i64::from(self.saved_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_takes_32_octets() {
        assert_eq!(size_of::<Row>(), 32);
    }
}
