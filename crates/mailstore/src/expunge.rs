//! EXPUNGE: removing placements, and messages with their last one.

use crate::FeedEvent;
use crate::attempts::{Attempts, Tried};
use crate::change::{Change, Delta, signed};
use crate::labels::{KnownPlacement, MessageRows, Told};
use crate::pieces::{Pieces, first_half};
use crate::relocate::distinct;
use crate::rows::{FlagsRow, IndexRow, MessageRow};
use crate::shared::Leaving;
use crate::{MailError, Mailstore, PIECE, keys};
use postroom_store::{CommitBuilder, Key, Value};
use postroom_types::{EmailId, Flag, InboxId, MailboxId, Uid};
use std::collections::{BTreeMap, BTreeSet};

/// Messages of one commit: each takes up to eight operations, and one more for each placement that stays, so they may be
/// fewer.
const COMMIT_PIECE: usize = 100;

/// One message of which placements go.
pub(crate) struct Removal {
    email_id: EmailId,
    old: Value,
    row: MessageRow,
    placements: Vec<(Uid, Value, FlagsRow)>,
    /// The Message-ID row if it names this message.
    pub(crate) index: Option<(Key, Value)>,
    /// What becomes of its labels, if it stays elsewhere.
    told: Option<Told>,
}

impl Removal {
    /// Octets that the inbox no longer has.
    pub(crate) fn octets_gone(&self) -> u64 {
        match self.row.placements.len() > self.placements.len() {
            true => 0,
            false => self.row.size_octets(),
        }
    }
}

impl Mailstore {
    /// Removes at most [`PIECE`] messages from a mailbox, with `only_deleted` only those that have `\Deleted`, and
    /// returns those removed, ascending.
    ///
    /// # Errors
    /// [`MailError::Limit`], [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`] (some
    /// may be done); the store's own.
    pub async fn expunge(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
        only_deleted: bool,
    ) -> Result<Vec<Uid>, MailError> {
        if uids.len() > PIECE {
            return Err(MailError::Limit("too many messages"));
        }
        self.check_mailbox(inbox, mailbox).await?;
        self.expunge_rows(inbox, mailbox, uids, only_deleted).await
    }

    /// Removes messages from a mailbox that exists or is being purged.
    pub(crate) async fn expunge_rows(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
        only_deleted: bool,
    ) -> Result<Vec<Uid>, MailError> {
        let mut removed = Vec::new();
        let uids = distinct(uids);
        let mut pieces = Pieces::new(&uids, COMMIT_PIECE);
        while let Some(piece) = pieces.piece() {
            let (gone, done) = self.expunge_piece(inbox, mailbox, piece, only_deleted).await?;
            removed.extend(gone);
            pieces.done(done);
        }
        removed.sort_unstable();
        Ok(removed)
    }

    /// Removes as many of these as fit into one commit, from the first on: which, and how many are done with.
    async fn expunge_piece(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        mut uids: &[Uid],
        only_deleted: bool,
    ) -> Result<(BTreeSet<Uid>, usize), MailError> {
        let (mut removed, mut tried) = (BTreeSet::new(), BTreeSet::new());
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let rows = self.flags_rows(inbox, mailbox, uids).await?;
            // Of what was tried with an unknown outcome, that which is gone was (as good as) removed here.
            let gone = |uid: &Uid| !rows.iter().any(|(there, ..)| there == uid);
            removed.extend(tried.iter().copied().filter(gone));
            let due = |(_, _, row): &(Uid, Value, FlagsRow)| !only_deleted || row.flags.system.contains(Flag::Deleted);
            let rows: Vec<_> = rows.into_iter().filter(due).collect();
            if rows.is_empty() {
                return Ok((removed, uids.len()));
            }
            let due: Vec<Uid> = rows.iter().map(|(uid, ..)| *uid).collect();
            let Some(removals) = self.removals(inbox, mailbox, rows).await? else {
                continue;
            };
            let counted = self.store.get(&keys::mailbox_counters(inbox, mailbox)).await?.is_some();
            let mut change = Change::begin(CommitBuilder::new(), inbox, self.now());
            remove(&mut change, inbox, mailbox, &removals, counted);
            if !change.fits()
                && let Some(half) = first_half(uids, &due)
            {
                uids = half;
                tried.retain(|uid| half.binary_search(uid).is_ok());
                attempts = Attempts::new();
                continue;
            }
            self.keep_ghosts(inbox, mailbox, || Ok(leaving(&removals))).await?;
            match self.try_commit(change.finish().build()).await? {
                Tried::Done(_) => {
                    removed.extend(due);
                    return Ok((removed, uids.len()));
                }
                Tried::Unknown => tried.extend(due),
                Tried::Conflict(key) if key == keys::inbox_counters(inbox) => {
                    self.inbox_row(inbox).await.map(|_| ())?
                }
                Tried::Conflict(_) => {}
            }
        }
    }

    /// The message rows that belong to these placements; `None` if one is gone, so the placements are stale.
    pub(crate) async fn removals(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        rows: Vec<(Uid, Value, FlagsRow)>,
    ) -> Result<Option<Vec<Removal>>, MailError> {
        let mut by_message: BTreeMap<EmailId, Vec<_>> = BTreeMap::new();
        for row in rows {
            by_message.entry(row.2.email_id).or_default().push(row);
        }
        let ids: Vec<EmailId> = by_message.keys().copied().collect();
        let Some(messages) = self.message_rows(inbox, &ids).await? else {
            return Ok(None);
        };
        let mut removals = Vec::with_capacity(ids.len());
        for ((email_id, placements), (old, row)) in by_message.into_iter().zip(messages.into_values()) {
            removals.push(Removal {
                email_id,
                row,
                old,
                placements,
                index: None,
                told: None,
            });
        }
        if !self.find_told(inbox, mailbox, &mut removals).await? {
            return Ok(None);
        }
        self.find_index_rows(inbox, &mut removals).await?;
        Ok(Some(removals))
    }

    /// What becomes of the labels of those that stay elsewhere. `false`: something changed meanwhile.
    async fn find_told(&self, inbox: InboxId, mailbox: MailboxId, removals: &mut [Removal]) -> Result<bool, MailError> {
        let staying: Vec<&mut Removal> = removals
            .iter_mut()
            .filter(|removal| removal.octets_gone() == 0)
            .collect();
        if staying.is_empty() {
            return Ok(true);
        }
        let roles = self.inbox_row(inbox).await?;
        let (mut messages, mut here) = (MessageRows::new(), Vec::new());
        for removal in &staying {
            messages.insert(removal.email_id, (removal.old.clone(), removal.row.clone()));
            here.extend(removal.placements.iter().cloned());
        }
        here.sort_unstable_by_key(|(uid, ..)| *uid);
        let Some(known) = self.known_around(inbox, mailbox, &here, messages).await? else {
            return Ok(false);
        };
        let goes = |placed: &KnownPlacement| {
            placed.mailbox == mailbox && here.binary_search_by_key(&placed.uid, |(uid, ..)| *uid).is_ok()
        };
        // Both are in the order of the messages.
        for (removal, message) in staying.into_iter().zip(known) {
            let then = |placed: &KnownPlacement| (!goes(placed)).then(|| (placed.mailbox, placed.flags.flags.clone()));
            removal.told = Some(message.told(inbox, &roles, then, &[]));
        }
        Ok(true)
    }

    async fn find_index_rows(&self, inbox: InboxId, removals: &mut [Removal]) -> Result<(), MailError> {
        let mut with_keys: Vec<(usize, Key)> = Vec::with_capacity(removals.len());
        for (at, removal) in removals.iter().enumerate() {
            with_keys.extend(removal.row.index_keys(inbox).map(|key| (at, key)));
        }
        let keys: Vec<Key> = with_keys.iter().map(|(_, key)| key.clone()).collect();
        let values = self.store.get_many(&keys).await?;
        for ((at, key), value) in with_keys.into_iter().zip(values) {
            let Some(value) = value else { continue };
            if IndexRow::read(&value)?.email_id == removals[at].email_id {
                removals[at].index = Some((key, value));
            }
        }
        Ok(())
    }
}

pub(crate) fn leaving(removals: &[Removal]) -> Vec<Leaving> {
    let of = |removal: &Removal| {
        let content = removal.row.clone().content();
        let leave = move |(uid, _, flags): &(Uid, Value, FlagsRow)| Leaving {
            uid: *uid,
            flags: flags.clone(),
            content: content.clone(),
        };
        removal.placements.iter().map(leave).collect::<Vec<_>>()
    };
    removals.iter().flat_map(of).collect()
}

pub(crate) fn remove(change: &mut Change, inbox: InboxId, mailbox: MailboxId, removals: &[Removal], counted: bool) {
    let mut delta = Delta::default();
    let mut uids = Vec::new();
    let mut gone = Vec::new();
    let mut octets_gone = 0;
    for removal in removals {
        let Removal {
            email_id,
            old,
            row,
            placements,
            index,
            told,
        } = removal;
        let mut row = row.clone();
        let size = row.size_octets();
        for (uid, value, flags) in placements {
            row.placements
                .retain(|placement| *placement != (mailbox, u64::from(uid.get())));
            delta.remove(flags.flags.system, size);
            change.remove_placement(mailbox, *uid, value.clone());
            uids.push(*uid);
        }
        let key = keys::message(inbox, *email_id);
        change.builder.require(key.clone(), old.clone());
        match row.write() {
            Some(value) if !row.placements.is_empty() => {
                change.builder.put(key, value);
                told.clone().unwrap_or_default().add(change, *email_id);
                continue;
            }
            _ => {}
        }
        change
            .builder
            .delete(key)
            .delete(keys::thread_member(inbox, row.thread_id, *email_id));
        if let Some((key, value)) = index {
            change.builder.require(key.clone(), value.clone()).delete(key.clone());
        }
        octets_gone += signed(size);
        gone.push(*email_id);
    }
    uids.sort_unstable();
    change.count_usage(-signed(gone.len() as u64), -octets_gone);
    if counted {
        change.count_mailbox(mailbox, delta);
        change.tell_expunged(mailbox, uids, gone);
    } else {
        change.tell(FeedEvent::Expunged { mailbox, uids, gone });
    }
}
