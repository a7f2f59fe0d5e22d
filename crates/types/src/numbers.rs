//! IMAP's numbers: four types, never a bare `u32` (RFC 9051 §2.3.1, RFC 7162 §3.1).

use std::fmt;
use std::num::NonZeroU32;

macro_rules! nonzero {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The least of them.
            pub const MIN: Self = Self(NonZeroU32::MIN);

            /// `None` for zero.
            #[must_use]
            pub const fn new(value: u32) -> Option<Self> {
                match NonZeroU32::new(value) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// The bare number, for the wire and for keys.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

nonzero!(
    /// A message's unique identifier in one mailbox under one UIDVALIDITY; ascends, never reused.
    Uid
);
nonzero!(
    /// Names one life of a mailbox name: while it stays, UIDs mean what they meant (RFC 9051 §2.3.1.1).
    UidValidity
);
nonzero!(
    /// A message's place in one client's numbering of one mailbox, from 1; means nothing without that client's view.
    SeqNum
);

/// An inbox's modification sequence; every change takes the next (RFC 7162 §3.1). 63 bits, as the RFC asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModSeq(pub u64);

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A store's log sequence number: the place of one commit in the order of all commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
