//! Expunged messages that sessions may not have been told of: what a FETCH needs of them, for a while (RFC 2180 §4.1.2).
//!
//! What always holds: they are bounded in time, by mailbox and in all; the oldest go first.

use super::row::MessageState;
use crate::rows::{FlagsRow, MetaRow};
use crate::{Clock, Content, MailError, Mailstore, Meta, keys};
use postroom_store::Value;
use postroom_types::{InboxId, MailboxId, Uid};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long one is kept, in milliseconds: as long as a body that nobody owns is.
const KEEP: i64 = 3_600_000;
/// Most octets of one mailbox.
const MAILBOX_OCTETS: usize = 8 << 20;
/// Most octets of all mailboxes.
const ALL_OCTETS: usize = 64 << 20;

/// An expunged message.
#[derive(Clone, Debug)]
pub struct Ghost {
    /// Its UID.
    pub uid: Uid,
    /// Its metadata, with the summary.
    pub meta: Meta,
    /// Where its bytes are. They may be gone.
    pub content: Content,
    /// Its flags and numbers.
    pub state: MessageState,
}

/// A message that is about to leave a mailbox.
pub(crate) struct Leaving {
    pub(crate) uid: Uid,
    pub(crate) flags: FlagsRow,
    pub(crate) content: Content,
}

/// See the module.
pub(crate) struct Ghosts {
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    mailboxes: HashMap<MailboxId, Graveyard>,
    octets: usize,
    /// None has to go for its age before.
    next_end: i64,
}

/// The ghosts of one mailbox.
#[derive(Default)]
struct Graveyard {
    ghosts: BTreeMap<Uid, (Arc<Ghost>, usize)>,
    /// When each came, the oldest first.
    order: VecDeque<(i64, Uid)>,
    octets: usize,
}

impl Ghosts {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            kept: Mutex::default(),
        }
    }

    pub(super) fn get(&self, mailbox: MailboxId, uid: Uid) -> Option<Arc<Ghost>> {
        let mut kept = self.lock();
        kept.expire((self.clock)());
        let (ghost, _) = kept.mailboxes.get(&mailbox)?.ghosts.get(&uid)?;
        Some(Arc::clone(ghost))
    }

    /// Keeps a message with about this many octets.
    fn add(&self, mailbox: MailboxId, ghost: Ghost, octets: usize) {
        let now = (self.clock)();
        let mut kept = self.lock();
        kept.expire(now);
        kept.next_end = kept.next_end.min(now.saturating_add(KEEP));
        let graveyard = kept.mailboxes.entry(mailbox).or_default();
        match graveyard.ghosts.get_mut(&ghost.uid) {
            // Kept before by a try that was not done; only its state may be old.
            Some((kept, _)) if kept.state.modseq < ghost.state.modseq => Arc::make_mut(kept).state = ghost.state,
            Some(_) => return,
            None => {
                graveyard.order.push_back((now, ghost.uid));
                graveyard.octets += octets;
                graveyard.ghosts.insert(ghost.uid, (Arc::new(ghost), octets));
                kept.octets += octets;
            }
        }
        while kept.octets_of(mailbox) > MAILBOX_OCTETS {
            kept.drop_oldest(mailbox);
        }
        while kept.octets > ALL_OCTETS
            && let Some(mailbox) = kept.oldest()
        {
            kept.drop_oldest(mailbox);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn octets_of(&self, mailbox: MailboxId) -> usize {
        self.mailboxes.get(&mailbox).map_or(0, |graveyard| graveyard.octets)
    }

    /// The mailbox that has the oldest ghost.
    fn oldest(&self) -> Option<MailboxId> {
        let first = |(mailbox, graveyard): (&MailboxId, &Graveyard)| Some((graveyard.order.front()?.0, *mailbox));
        self.mailboxes
            .iter()
            .filter_map(first)
            .min()
            .map(|(_, mailbox)| mailbox)
    }

    fn drop_oldest(&mut self, mailbox: MailboxId) {
        let Some(graveyard) = self.mailboxes.get_mut(&mailbox) else {
            return;
        };
        if let Some((_, uid)) = graveyard.order.pop_front()
            && let Some((_, octets)) = graveyard.ghosts.remove(&uid)
        {
            graveyard.octets -= octets;
            self.octets -= octets;
        }
        if graveyard.order.is_empty() {
            self.mailboxes.remove(&mailbox);
        }
    }

    fn expire(&mut self, now: i64) {
        while now >= self.next_end {
            let end = |graveyard: &Graveyard| Some(graveyard.order.front()?.0.saturating_add(KEEP));
            self.next_end = self.mailboxes.values().filter_map(end).min().unwrap_or(i64::MAX);
            if now >= self.next_end
                && let Some(mailbox) = self.oldest()
            {
                self.drop_oldest(mailbox);
            }
        }
    }
}

impl Mailstore {
    /// Keeps what sessions may still ask of messages that are about to leave a mailbox. Called before the commit, so that
    /// there is no moment at which a message is found neither in the store nor here; one that stays after all is found
    /// in the store first.
    pub(crate) async fn keep_ghosts(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        leaving: impl FnOnce() -> Result<Vec<Leaving>, MailError>,
    ) -> Result<(), MailError> {
        if !self.open.is_open(inbox, mailbox) {
            return Ok(());
        }
        let leaving = leaving()?;
        let uids: Vec<Uid> = leaving.iter().map(|message| message.uid).collect();
        let metas = self.rows_of(|uid| keys::metadata(inbox, mailbox, uid), &uids).await?;
        let metas: BTreeMap<Uid, Value> = metas.into_iter().collect();
        for Leaving {
            uid,
            mut flags,
            content,
        } in leaving
        {
            let Some(value) = metas.get(&uid) else { continue };
            let Some((meta, encoded)) = self.decode_meta(uid, value, true).await? else {
                continue;
            };
            flags.arrival.get_or_insert(MetaRow::raw(value)?.arrival());
            let Some(state) = MessageState::of(flags) else { continue };
            // A decoded summary takes a few times what it takes encoded.
            let octets = 512 + content.prefix.len() + 4 * encoded;
            let ghost = Ghost {
                uid,
                meta,
                content,
                state,
            };
            self.ghosts.add(mailbox, ghost, octets);
        }
        Ok(())
    }
}
