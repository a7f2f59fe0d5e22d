//! What a client hears.

use crate::parse::{Condition, Value};
use crate::view::Flags;
use std::collections::BTreeMap;

/// A command that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) tag: String,
    pub(crate) verb: &'static str,
    pub(crate) by_uid: bool,
    /// The FETCH items asked for; empty if it is no FETCH.
    pub(crate) asked: Vec<&'static str>,
}

/// One FETCH response.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) seq: u32,
    /// The message's UID, as far as the client knows it now.
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<Flags>,
    pub(crate) modseq: Option<u64>,
    pub(crate) items: BTreeMap<String, Value>,
}

/// What is told of a mailbox before the client has a view of it.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    Exists(u32),
    Expunge(u32),
    Vanished(u32),
    Fetched(Fetched),
}

/// All that was said between two tagged responses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) condition: Option<Condition>,
    /// Response codes, of untagged and the tagged response.
    pub(crate) codes: Vec<Vec<Value>>,
    pub(crate) fetched: Vec<Fetched>,
    /// VANISHED (EARLIER), and VANISHED of UID FETCH with the VANISHED modifier.
    pub(crate) vanished_earlier: Vec<u32>,
    /// What a SELECT told of the new mailbox, in order.
    pub(crate) opening: Vec<Opening>,
    /// Other untagged data.
    pub(crate) data: Vec<Vec<Value>>,
    pub(crate) bye: bool,
}

impl Heard {
    pub(crate) fn is_ok(&self) -> bool {
        self.condition == Some(Condition::Ok)
    }

    /// Arguments of a response code; of several, the last.
    pub(crate) fn code(&self, name: &str) -> Option<&[Value]> {
        let found = self
            .codes
            .iter()
            .rev()
            .find(|code| code.first().is_some_and(|word| word.word() == name));
        found.map(|code| &code[1..])
    }

    pub(crate) fn code_number(&self, name: &str) -> Option<u64> {
        self.code(name)?.first()?.number()
    }

    /// Untagged data that begins with this word.
    pub(crate) fn data(&self, name: &str) -> impl Iterator<Item = &[Value]> {
        self.data
            .iter()
            .filter(move |data| data[0].word() == name)
            .map(|data| &data[1..])
    }
}
