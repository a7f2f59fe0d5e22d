//! Removing messages for good, with all their placements.
//!
//! What always holds: a message goes with its last placement in the same commit, so no face sees a part of it.

use crate::attempts::{Attempts, Tried};
use crate::change::{Change, Delta, signed};
use crate::labels::Known;
use crate::rows::IndexRow;
use crate::shared::Leaving;
use crate::{MailError, Mailstore, keys};
use postroom_store::{CommitBuilder, Key, MAX_COMMIT_OPERATIONS, Value};
use postroom_types::{EmailId, InboxId, MailboxId, ThreadId, Uid};
use std::collections::BTreeMap;

/// Messages of one commit: each takes seven operations, and three more for each further placement.
const COMMIT_PIECE: usize = 60;
/// Most mailboxes that one commit changes, since one feed row tells of all of them.
const MAX_MAILBOXES: usize = 24;

impl Mailstore {
    /// Removes a message for good, from all mailboxes, in one commit; `false` if there is none.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn delete_message(&self, inbox: InboxId, id: EmailId) -> Result<bool, MailError> {
        Ok(self.delete_messages(inbox, &[id]).await? > 0)
    }

    /// Removes the messages of a thread for good; those that come meanwhile too. How many there were.
    ///
    /// # Errors
    /// As [`delete_message`](Self::delete_message); some may be gone then.
    pub async fn delete_thread(&self, inbox: InboxId, thread: ThreadId) -> Result<usize, MailError> {
        let mut removed = 0;
        loop {
            let ids = self.thread(inbox, thread).await?;
            let count = self.delete_messages(inbox, &ids).await?;
            removed += count;
            if count == 0 {
                return Ok(removed);
            }
        }
    }

    /// Removes messages for good, at most 60 in a commit; how many of them there were.
    ///
    /// # Errors
    /// As [`delete_message`](Self::delete_message); some may be gone then.
    pub async fn delete_messages(&self, inbox: InboxId, ids: &[EmailId]) -> Result<usize, MailError> {
        let mut removed = 0;
        for piece in ids.chunks(COMMIT_PIECE) {
            removed += self.delete_piece(inbox, piece).await?;
        }
        Ok(removed)
    }

    async fn delete_piece(&self, inbox: InboxId, ids: &[EmailId]) -> Result<usize, MailError> {
        let mut done = 0;
        let mut tried: Option<usize> = None;
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            self.inbox_row(inbox).await?;
            let mut known: Vec<Known> = self.known(inbox, ids).await?.into_iter().flatten().collect();
            // Of what was tried with an unknown outcome, that which is gone was (as good as) removed here.
            done += tried.take().map_or(0, |tried: usize| tried.saturating_sub(known.len()));
            if known.is_empty() {
                return Ok(done);
            }
            let all = known.len();
            known.truncate(fitting(&known));
            let index = self.index_rows(inbox, &known).await?;
            for (mailbox, leaving) in leaving(&known) {
                self.keep_ghosts(inbox, mailbox, || Ok(leaving)).await?;
            }
            let counted = self.counted(inbox, &known).await?;
            let change = Change::begin(CommitBuilder::new(), inbox, self.now());
            let count = known.len();
            let commit = remove_all(change, inbox, known, index, &counted).build();
            match self.try_commit(commit).await? {
                Tried::Done(_) if count == all => return Ok(done + count),
                Tried::Done(_) => {
                    done += count;
                    attempts = Attempts::new();
                }
                Tried::Conflict(_) => {}
                Tried::Unknown => tried = Some(all),
            }
        }
    }

    /// The Message-ID rows that name these messages, in their order.
    async fn index_rows(&self, inbox: InboxId, known: &[Known]) -> Result<Vec<Option<(Key, Value)>>, MailError> {
        let mut with_keys: Vec<(usize, Key)> = Vec::with_capacity(known.len());
        for (at, message) in known.iter().enumerate() {
            with_keys.extend(message.row.index_keys(inbox).map(|key| (at, key)));
        }
        let keys: Vec<Key> = with_keys.iter().map(|(_, key)| key.clone()).collect();
        let values = self.store.get_many(&keys).await?;
        let mut rows = vec![None; known.len()];
        for ((at, key), value) in with_keys.into_iter().zip(values) {
            let Some(value) = value else { continue };
            if IndexRow::read(&value)?.email_id == known[at].email_id {
                rows[at] = Some((key, value));
            }
        }
        Ok(rows)
    }

    /// Which of the mailboxes still have counters: one that is being deleted has none.
    async fn counted(&self, inbox: InboxId, known: &[Known]) -> Result<Vec<MailboxId>, MailError> {
        let mut mailboxes: Vec<MailboxId> = known
            .iter()
            .flat_map(|message| message.placements.iter().map(|placed| placed.mailbox))
            .collect();
        mailboxes.sort_unstable();
        mailboxes.dedup();
        let counters: Vec<Key> = mailboxes
            .iter()
            .map(|mailbox| keys::mailbox_counters(inbox, *mailbox))
            .collect();
        let values = self.store.get_many(&counters).await?;
        let there = mailboxes.into_iter().zip(values);
        Ok(there.filter_map(|(mailbox, value)| value.map(|_| mailbox)).collect())
    }
}

/// How many of the messages, from the first on, fit into one commit: at least one.
fn fitting(known: &[Known]) -> usize {
    let mut mailboxes: Vec<MailboxId> = Vec::new();
    let mut operations = 50 + 4 * MAX_MAILBOXES;
    for (index, message) in known.iter().enumerate() {
        operations += 5 + 3 * message.placements.len();
        mailboxes.extend(message.placements.iter().map(|placed| placed.mailbox));
        mailboxes.sort_unstable();
        mailboxes.dedup();
        if index > 0 && (operations > MAX_COMMIT_OPERATIONS || mailboxes.len() > MAX_MAILBOXES) {
            return index;
        }
    }
    known.len()
}

fn leaving(known: &[Known]) -> BTreeMap<MailboxId, Vec<Leaving>> {
    let mut leaving: BTreeMap<MailboxId, Vec<Leaving>> = BTreeMap::new();
    for message in known {
        for placed in &message.placements {
            leaving.entry(placed.mailbox).or_default().push(Leaving {
                uid: placed.uid,
                flags: placed.flags.clone(),
                content: message.row.clone().content(),
            });
        }
    }
    leaving
}

fn remove_all(
    mut change: Change,
    inbox: InboxId,
    known: Vec<Known>,
    index: Vec<Option<(Key, Value)>>,
    counted: &[MailboxId],
) -> CommitBuilder {
    let mut left: BTreeMap<MailboxId, (Delta, Vec<Uid>, Vec<EmailId>)> = BTreeMap::new();
    let (mut messages, mut octets) = (0, 0);
    for (message, index) in known.into_iter().zip(index) {
        let size = message.row.size_octets();
        for (place, placed) in message.placements.into_iter().enumerate() {
            let (delta, uids, gone) = left.entry(placed.mailbox).or_default();
            delta.remove(placed.flags.flags.system, size);
            uids.push(placed.uid);
            if place == 0 {
                gone.push(message.email_id);
            }
            change.remove_placement(placed.mailbox, placed.uid, placed.value);
        }
        let key = keys::message(inbox, message.email_id);
        change
            .builder
            .require(key.clone(), message.value)
            .delete(key)
            .delete(keys::thread_member(inbox, message.row.thread_id, message.email_id));
        if let Some((key, value)) = index {
            change.builder.require(key.clone(), value).delete(key);
        }
        messages += 1;
        octets += signed(size);
    }
    change.count_usage(-messages, -octets);
    for (mailbox, (delta, mut uids, gone)) in left {
        uids.sort_unstable();
        if counted.contains(&mailbox) {
            change.count_mailbox(mailbox, delta);
            change.tell_expunged(mailbox, uids, gone);
        } else {
            change.tell(crate::FeedEvent::Expunged { mailbox, uids, gone });
        }
    }
    change.finish()
}
