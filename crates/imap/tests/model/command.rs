//! Steps of a program, and the commands that a client makes of them: always some that fit what it believes.

use crate::mail::{Mail, Moment};
use crate::search::{Key, SortBy};
use crate::truth::Mode;
use crate::view::{Cache, Flags};
use std::sync::Arc;

/// What is done in a step; who and how else, the step's dice say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Noop,
    Select,
    Idle,
    Fetch,
    Store,
    Copy,
    Move,
    Append,
    Replace,
    Expunge,
    Search,
    Sort,
    Thread,
    Create,
    Delete,
    Rename,
    List,
    Status,
    Subscribe,
    Close,
    Drop,
    Pipeline,
    ApiDeliver,
    ApiMany,
    ApiFlags,
    ApiMove,
    ApiExpunge,
}

/// How often each is done.
pub(crate) const KINDS: [(usize, Kind); 27] = [
    (8, Kind::Noop),
    (8, Kind::Select),
    (5, Kind::Idle),
    (10, Kind::Fetch),
    (14, Kind::Store),
    (5, Kind::Copy),
    (6, Kind::Move),
    (10, Kind::Append),
    (3, Kind::Replace),
    (8, Kind::Expunge),
    (8, Kind::Search),
    (3, Kind::Sort),
    (3, Kind::Thread),
    (3, Kind::Create),
    (2, Kind::Delete),
    (2, Kind::Rename),
    (2, Kind::List),
    (4, Kind::Status),
    (1, Kind::Subscribe),
    (3, Kind::Close),
    (6, Kind::Drop),
    (5, Kind::Pipeline),
    (6, Kind::ApiDeliver),
    (0, Kind::ApiMany),
    (5, Kind::ApiFlags),
    (4, Kind::ApiMove),
    (4, Kind::ApiExpunge),
];

/// One step. Its dice begin at `seed`, so leaving out other steps changes it as little as can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) session: usize,
    pub(crate) kind: Kind,
    pub(crate) seed: u64,
}

/// A command, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// After each part but the last, the server has to say `+`. Without the tag.
    pub(crate) parts: Vec<Vec<u8>>,
    pub(crate) verb: &'static str,
    pub(crate) by_uid: bool,
    pub(crate) what: What,
}

/// What it is to do. UIDs are those the set names of messages the client knows, ascending.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Noop,
    Select {
        name: String,
        read_only: bool,
        /// What QRESYNC's arguments were made of.
        resync: Option<Box<Cache>>,
        /// With the CONDSTORE parameter.
        enables: bool,
    },
    Fetch {
        uids: Vec<u32>,
        asked: Vec<&'static str>,
        seen: bool,
        changed_since: Option<u64>,
        vanished: bool,
    },
    Store {
        uids: Vec<u32>,
        mode: Mode,
        flags: Flags,
        silent: bool,
        unchanged_since: Option<u64>,
    },
    Copy {
        uids: Vec<u32>,
        to: String,
    },
    Move {
        uids: Vec<u32>,
        to: String,
    },
    Append {
        to: String,
        messages: Vec<New>,
        replaces: Option<u32>,
    },
    Expunge {
        /// UID EXPUNGE: of these alone.
        uids: Option<Vec<u32>>,
    },
    Search {
        key: Key,
        returns: Option<Vec<&'static str>>,
    },
    Sort {
        key: Key,
        by: Vec<(bool, SortBy)>,
    },
    Thread(Key),
    Create(String),
    Delete(String),
    Rename(String, String),
    List {
        status: bool,
    },
    Status(String),
    Subscribe(String, bool),
    Close,
    Unselect,
    Idle,
}

/// A message to append.
#[derive(Clone, Debug)]
pub(crate) struct New {
    pub(crate) mail: Arc<Mail>,
    pub(crate) flags: Flags,
    pub(crate) date: Option<Moment>,
}

impl Command {
    pub(crate) fn line(verb: &'static str, by_uid: bool, text: String, what: What) -> Self {
        Self {
            parts: vec![format!("{text}\r\n").into_bytes()],
            verb,
            by_uid,
            what,
        }
    }

    /// What may be told because of it.
    pub(crate) fn asked(&self) -> Vec<&'static str> {
        match &self.what {
            What::Fetch { asked, .. } => asked.clone(),
            What::Select { enables: true, .. } => vec!["MODSEQ"],
            _ => Vec::new(),
        }
    }
}
