//! What is done, at random.

use crate::common::{keyword, message};
use postroom_mailstore::{NewMessage, Origin};
use postroom_types::{Flag, MessageFlags};
use proptest::prelude::*;

pub(crate) const NAMES: [&str; 6] = ["INBOX", "Archive", "Trash", "work", "work/a", "play"];

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Deliver {
        mailbox: usize,
        number: u32,
    },
    Submit {
        mailbox: usize,
        number: u32,
    },
    Append {
        mailbox: usize,
        number: u32,
    },
    /// Several at once, of which one may replace a message.
    AppendMany {
        mailbox: usize,
        number: u32,
        count: u32,
        replaces: Option<(usize, u16)>,
    },
    Store {
        mailbox: usize,
        which: u16,
        mode: u8,
        flags: u8,
        /// Only what has not changed since this one of them.
        unchanged: Option<u8>,
    },
    Expunge {
        mailbox: usize,
        which: u16,
        only_deleted: bool,
    },
    Move {
        mailbox: usize,
        which: u16,
        to: usize,
    },
    Copy {
        mailbox: usize,
        which: u16,
        to: usize,
    },
    Create {
        mailbox: usize,
    },
    Delete {
        mailbox: usize,
    },
    Rename {
        from: usize,
        to: usize,
    },
    Poll,
    /// Time passes, and old rows go.
    Age {
        days: i64,
    },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let mailbox = || 0..NAMES.len();
    prop_oneof![
        6 => (mailbox(), 0..12u32).prop_map(|(mailbox, number)| Op::Deliver { mailbox, number }),
        2 => (mailbox(), 0..12u32).prop_map(|(mailbox, number)| Op::Submit { mailbox, number }),
        3 => (mailbox(), 0..12u32).prop_map(|(mailbox, number)| Op::Append { mailbox, number }),
        2 => (mailbox(), 0..12u32, 1..4u32, proptest::option::of((mailbox(), any::<u16>())))
            .prop_map(|(mailbox, number, count, replaces)| Op::AppendMany { mailbox, number, count, replaces }),
        5 => (mailbox(), any::<u16>(), 0..3u8, 0..16u8, proptest::option::of(any::<u8>()))
            .prop_map(|(mailbox, which, mode, flags, unchanged)| Op::Store { mailbox, which, mode, flags, unchanged }),
        3 => (mailbox(), any::<u16>(), any::<bool>())
            .prop_map(|(mailbox, which, only_deleted)| Op::Expunge { mailbox, which, only_deleted }),
        3 => (mailbox(), any::<u16>(), mailbox()).prop_map(|(mailbox, which, to)| Op::Move { mailbox, which, to }),
        3 => (mailbox(), any::<u16>(), mailbox()).prop_map(|(mailbox, which, to)| Op::Copy { mailbox, which, to }),
        2 => mailbox().prop_map(|mailbox| Op::Create { mailbox }),
        1 => mailbox().prop_map(|mailbox| Op::Delete { mailbox }),
        1 => (mailbox(), mailbox()).prop_map(|(from, to)| Op::Rename { from, to }),
        4 => Just(Op::Poll),
        1 => prop_oneof![Just(31), Just(95)].prop_map(|days| Op::Age { days }),
    ]
}

pub(crate) fn flags_of(bits: u8) -> MessageFlags {
    let mut flags = MessageFlags::default();
    for (bit, flag) in [(1, Flag::Seen), (2, Flag::Deleted)] {
        if bits & bit != 0 {
            flags.system = flags.system.with(flag);
        }
    }
    for (bit, text) in [(4, "work"), (8, "$play")] {
        if bits & bit != 0 {
            flags.keywords.push(keyword(text));
        }
    }
    flags
}

pub(crate) fn content(number: u32, origin: Origin) -> NewMessage {
    NewMessage {
        origin,
        ..message(&format!(
            "Message-ID: <m{number}@x>\r\nSubject: {number}\r\n\r\nbody {number}\r\n"
        ))
    }
}
