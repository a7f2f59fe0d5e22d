//! Reading a mailbox as a whole.

use super::SharedMailbox;
use super::state::{State, Update};
use crate::attempts::Attempts;
use crate::rows::FlagsRow;
use crate::{MailError, Mailstore, keys};
use postroom_store::scan_prefix;
use postroom_types::{InboxId, MailboxId, Uid};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one page.
const PAGE: usize = 4000;

impl Mailstore {
    /// Reads all flags rows, and then what happened meanwhile.
    pub(super) async fn load(&self, shared: &SharedMailbox) -> Result<(), MailError> {
        let (inbox, mailbox) = (shared.inbox, shared.id);
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let before = self.mailbox_state(inbox, mailbox).await?;
            let mut rows = self.scan_flags(inbox, mailbox).await?;
            let after = self.mailbox_state(inbox, mailbox).await?;
            // The others are of a bulk commit that is not done yet.
            let is_done = |uid: Uid, row: &FlagsRow| uid < before.uid_next() || row.modseq <= after.modseq;
            rows.retain(|(uid, row)| is_done(*uid, row));
            let rows = self.complete(inbox, mailbox, rows).await?;
            // The scan was not a snapshot; what happened meanwhile is in the feed.
            let Some(named) = self.named_by_feed(inbox, mailbox, before.modseq, after.modseq).await? else {
                continue;
            };
            let mut update = Update {
                now: after.modseq,
                highest: after.highest.min(after.modseq),
                uid_next: before.uid_next().get(),
                rows,
                expunged: Vec::new(),
            };
            let again = self.read_states(inbox, mailbox, &named.alive()).await?;
            if !(again.is_empty() && named.expunged.is_empty()) {
                let mut all: BTreeMap<_, _> = update.rows.into_iter().chain(again).collect();
                all.retain(|uid, _| !named.expunged.contains(uid));
                update.rows = all.into_iter().collect();
            }
            if let Some(last) = named.appended.last() {
                update.uid_next = update.uid_next.max(last.get().saturating_add(1));
            }
            let last = update.rows.last().map_or(0, |(uid, _)| uid.get());
            update.uid_next = update.uid_next.max(last.saturating_add(1));
            let state = State::loaded(update);
            *shared.write() = state;
            return Ok(());
        }
    }

    async fn scan_flags(&self, inbox: InboxId, mailbox: MailboxId) -> Result<Vec<(Uid, FlagsRow)>, MailError> {
        let mut rows = Vec::new();
        let mut scan = scan_prefix(&*self.store, &keys::flags_prefix(inbox, mailbox)).page_pairs(PAGE);
        while let Some((key, value)) = scan.next().await? {
            if let Some(uid) = keys::trailing_uid(&key) {
                rows.push((uid, FlagsRow::read(&value)?));
            }
        }
        Ok(rows)
    }

    /// Reads what the feed says happened since; `false` if it does not say, or only at a greater cost than reading all.
    pub(super) async fn catch_up(&self, shared: &SharedMailbox) -> Result<bool, MailError> {
        /// Beyond this many commits it may be cheaper to look at all flags rows than at all feed rows.
        const MOST_COMMITS: u64 = 5000;
        let (inbox, mailbox) = (shared.inbox, shared.id);
        let (since, uid_next, messages) = {
            let state = shared.read();
            (state.cursor(), state.uid_next(), state.rows().len() as u64)
        };
        let now = self.mailbox_state(inbox, mailbox).await?;
        let mut update = Update {
            now: now.modseq.max(since),
            // A commit that came after the modseq was read may have raised it; it will be told next time.
            highest: now.highest.min(now.modseq),
            uid_next,
            ..Update::default()
        };
        if now.highest > since {
            if now.modseq.0.saturating_sub(since.0) > MOST_COMMITS.max(messages / 4) {
                return Ok(false);
            }
            let Some(named) = self.named_by_feed(inbox, mailbox, since, now.modseq).await? else {
                return Ok(false);
            };
            let alive = named.alive();
            update.rows = self.read_states(inbox, mailbox, &alive).await?;
            if let Some(last) = named.appended.last() {
                update.uid_next = uid_next.max(last.get().saturating_add(1));
            }
            // What changed and has no row went after the modseq was read. It is gone now: its flags as they were before
            // the change, which nobody can read any more, are no news.
            let is_read = |uid: &Uid| update.rows.binary_search_by_key(uid, |(uid, _)| *uid).is_ok();
            let went = alive.into_iter().filter(|uid| !is_read(uid));
            let gone: BTreeSet<Uid> = named.expunged.iter().copied().chain(went).collect();
            update.expunged = gone.into_iter().collect();
        }
        shared.write().apply(update);
        Ok(true)
    }
}
