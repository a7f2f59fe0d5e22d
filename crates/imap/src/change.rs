//! What this session does to the selected mailbox: flags, copies, moves, expunges.
//!
//! What always holds: a change of flags counts as this session's own, and is no news to it, only for messages whose flags
//! the client knew, and which became what the change makes of them: then the client knows what they are now.

use crate::answer::Session;
use crate::fault::of_mail;
use crate::selected::{SelectedMailbox, flags_now};
use postroom_imap_proto::{ChangeMode, Copied, Fault, FlagChange, Stored};
use postroom_mailstore::{FlagMode, FlagsAt, MessageState, Stored as Done, is_reserved_keyword};
use postroom_types::{MessageFlags, ModSeq, Uid};
use std::collections::BTreeMap;

/// Flags that became at this modseq what the client knows they are.
#[derive(Debug)]
pub(crate) struct OwnChange {
    pub(crate) modseq: ModSeq,
    /// Ascending ranges, both ends included.
    uids: Vec<(Uid, Uid)>,
}

impl SelectedMailbox {
    /// Whether a change of flags was this session's own and nothing else.
    pub(crate) fn is_own(&self, uid: Uid, modseq: ModSeq) -> bool {
        // In the order of their modseqs: a STORE of 100,000 messages leaves hundreds of them.
        let first = self.own.partition_point(|own| own.modseq < modseq);
        let same = self.own[first..].iter().take_while(|own| own.modseq == modseq);
        same.into_iter().any(|own| {
            let at = own.uids.partition_point(|(_, last)| *last < uid);
            own.uids.get(at).is_some_and(|(first, _)| *first <= uid)
        })
    }

    /// Remembers what of a change was this session's doing alone. `before` is what was known of the messages of `uids`
    /// when it began; it is at least as new as what the client was told.
    fn remember_own(&mut self, uids: &[Uid], before: &[Option<MessageState>], now: &[FlagsAt], change: &FlagChange) {
        // One change is several commits, each with its modseq.
        let mut own: BTreeMap<ModSeq, Vec<(Uid, Uid)>> = BTreeMap::new();
        for (uid, flags, modseq) in now.iter().filter(|(.., at)| *at > self.cursor) {
            let was = uids.binary_search(uid).ok().and_then(|index| before[index].as_ref());
            let alone = was.is_some_and(|was| {
                let known = was.modseq <= self.cursor || self.is_own(*uid, was.modseq);
                known && was.modseq != *modseq && same(&applied(&was.flags, change), flags)
            });
            if alone {
                add(own.entry(*modseq).or_default(), *uid);
            }
        }
        if !own.is_empty() {
            self.own
                .extend(own.into_iter().map(|(modseq, uids)| OwnChange { modseq, uids }));
            // What somebody else made the same may be older than the last of ours.
            self.own.sort_by_key(|own| own.modseq);
        }
    }
}

/// Adds a UID above all others.
fn add(ranges: &mut Vec<(Uid, Uid)>, uid: Uid) {
    match ranges.last_mut() {
        Some((_, last)) if last.get() + 1 == uid.get() => *last = uid,
        _ => ranges.push((uid, uid)),
    }
}

impl Session {
    pub(crate) async fn store(
        &mut self,
        uids: &[Uid],
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, Fault> {
        // Keywords that would be taken for labels of ours.
        if change.mode != ChangeMode::Remove && change.flags.keywords.iter().any(is_reserved_keyword) {
            return Err(Fault::Cannot);
        }
        let done = self.change_flags(uids, change, unchanged_since).await?;
        Ok(Stored {
            gone: uids.len().saturating_sub(done.now.len() + done.modified.len()),
            now: done.now.into_iter().map(flags_now).collect(),
            modified: done.modified,
        })
    }

    /// Changes flags of messages, ascending. What this alone has done is no news later.
    pub(crate) async fn change_flags(
        &mut self,
        uids: &[Uid],
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Done, Fault> {
        let inbox = self.inbox()?;
        let shared = self.shared()?;
        let before = shared.states(uids);
        let mode = match change.mode {
            ChangeMode::Add => FlagMode::Add,
            ChangeMode::Remove => FlagMode::Remove,
            ChangeMode::Replace => FlagMode::Replace,
        };
        let mailstore = &self.service.mailstore;
        let stored = mailstore.store_flags(inbox, shared.id(), uids, mode, &change.flags, unchanged_since);
        let done = stored.await.map_err(|e| of_mail(&e))?;
        if let Some(selected) = &mut self.selected {
            selected.remember_own(uids, &before, &done.now, change);
        }
        Ok(done)
    }

    pub(crate) async fn copy(&self, uids: &[Uid], to: &str) -> Result<Copied, Fault> {
        let (inbox, target) = self.find(to).await?;
        let copied = self
            .service
            .mailstore
            .copy(inbox, self.shared()?.id(), uids, target)
            .await;
        copied.map(told).map_err(|e| of_mail(&e))
    }

    pub(crate) async fn move_messages(&self, uids: &[Uid], to: &str) -> Result<Copied, Fault> {
        let (inbox, target) = self.find(to).await?;
        let source = self.shared()?.id();
        let moved = self.service.mailstore.move_messages(inbox, source, uids, target).await;
        moved.map(told).map_err(|e| of_mail(&e))
    }

    pub(crate) async fn expunge(&self, uids: &[Uid]) -> Result<(), Fault> {
        let mailbox = self.shared()?.id();
        let expunged = self.service.mailstore.expunge(self.inbox()?, mailbox, uids, true).await;
        expunged.map(|_| ()).map_err(|e| of_mail(&e))
    }
}

fn told(copied: postroom_mailstore::Copied) -> Copied {
    Copied {
        uid_validity: copied.uid_validity,
        pairs: copied.pairs,
    }
}

fn applied(old: &MessageFlags, change: &FlagChange) -> MessageFlags {
    let mut flags = old.clone();
    match change.mode {
        ChangeMode::Add => flags.add(&change.flags),
        ChangeMode::Remove => flags.remove(&change.flags),
        ChangeMode::Replace => flags = change.flags.clone(),
    }
    flags
}

fn same(a: &MessageFlags, b: &MessageFlags) -> bool {
    a.system == b.system
        && a.keywords.len() == b.keywords.len()
        && a.keywords.iter().all(|keyword| b.keywords.contains(keyword))
}
