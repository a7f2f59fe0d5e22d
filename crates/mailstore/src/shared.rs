//! One state for each open mailbox, shared by all its sessions.
//!
//! What always holds:
//! - A [`SharedMailbox`] is the mailbox as it was at [`Snapshot::modseq`]: all that commits up to that modseq did to it
//!   is in it. Of later commits it may know flags, never the place of a message.
//! - It only goes forward, UIDs are only added at the end, and a UID that left it never comes back.
//! - It is read by one session at a time; those who come meanwhile wait and are content with what a reading found that
//!   began after they asked.
//! - A message takes 32 octets. Lists of keywords are kept once for all messages that have them.

mod cache;
mod ghosts;
mod keywords;
mod load;
mod log;
mod named;
mod news;
mod refresh;
mod row;
mod state;
mod table;
mod vanished;

pub use ghosts::Ghost;
pub use keywords::{Holding, KeywordSet, Keywords};
pub use news::SharedNews;
pub use row::{MessageState, Row};
pub use state::Snapshot;

pub(crate) use cache::OpenMailboxes;
pub(crate) use ghosts::{Ghosts, Leaving};
pub(crate) use vanished::read_expunged;

use postroom_types::{InboxId, MailboxId, ModSeq, Uid, UidValidity};
use refresh::Turns;
use state::State;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// One open mailbox. Reading it costs no access to the store.
pub struct SharedMailbox {
    inbox: InboxId,
    id: MailboxId,
    uid_validity: UidValidity,
    turns: Turns,
    state: RwLock<State>,
    ghosts: Arc<Ghosts>,
}

impl SharedMailbox {
    /// A mailbox that was not read yet.
    fn new(inbox: InboxId, id: MailboxId, uid_validity: UidValidity, ghosts: Arc<Ghosts>) -> Self {
        Self {
            inbox,
            id,
            uid_validity,
            turns: Turns::default(),
            state: RwLock::default(),
            ghosts,
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn inbox(&self) -> InboxId {
        self.inbox
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> MailboxId {
        self.id
    }

    /// Its UIDVALIDITY.
    #[must_use]
    pub const fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// The mailbox as a whole. Costs nothing that grows with it, but for the first time after messages came or went.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.read().snapshot()
    }

    /// What a session that was told everything up to `cursor`, and of the UIDs up to `last`, has to be told.
    #[must_use]
    pub fn news(&self, cursor: ModSeq, last: Option<Uid>) -> SharedNews {
        self.read().news(cursor, last)
    }

    /// The state of these messages, in their order; also of those expunged that are remembered. `None`: gone.
    #[must_use]
    pub fn states(&self, uids: &[Uid]) -> Vec<Option<MessageState>> {
        let state = self.read();
        let of = |uid: &Uid| match state.find(*uid) {
            Some(row) => Some(state.state_of(row)),
            None => self.ghost(*uid).map(|ghost| ghost.state.clone()),
        };
        uids.iter().map(of).collect()
    }

    /// All rows, ascending, and the keyword table, under one lock and without copying. The closure must be short:
    /// nothing is learnt of the mailbox meanwhile.
    pub fn with_rows<T>(&self, f: impl FnOnce(&[Row], &Keywords) -> T) -> T {
        let state = self.read();
        f(state.rows(), state.keywords())
    }

    /// What a FETCH needs of an expunged message that sessions may not have been told of yet.
    #[must_use]
    pub fn ghost(&self, uid: Uid) -> Option<Arc<Ghost>> {
        self.ghosts.get(self.id, uid)
    }

    /// What it takes in memory, in messages.
    fn weight(&self) -> usize {
        let state = self.read();
        state.rows().len() + state.keywords().octets() / size_of::<Row>()
    }

    // A state is changed by code that does not panic; and a panic elsewhere leaves it whole.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
