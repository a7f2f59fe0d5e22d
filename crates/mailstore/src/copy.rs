//! COPY: more placements of the same messages, all or none (RFC 9051 §6.4.7).
//!
//! What always holds: a copy takes nothing of what its inbox and its organization may hold, since a message counts once, in
//! however many mailboxes it is; so one that is full may still be tidied up.

use crate::Cause;
use crate::attempts::{Attempts, Tried};
use crate::change::{Change, Delta};
use crate::labels::{KnownPlacement, Labels, Placement, Told};
use crate::once::OnceRow;
use crate::relocate::{Mover, Movers, distances, distinct, pair_up, place_again};
use crate::rows::MessageRow;
use crate::{Copied, MailError, Mailstore, keys};
use postroom_store::{CommitBuilder, Key, MAX_BULK_OCTETS, MAX_COMMIT_OPERATIONS, Value};
use postroom_types::{EmailId, InboxId, MailboxId, Uid};
use std::collections::BTreeMap;

/// Most messages of one COPY; their rows are bounded too.
const MAX_MESSAGES: usize = 100_000;
/// Messages read at once, after which it is seen whether their rows become too many.
const READ_PIECE: usize = 2000;
/// Of so many messages it is asked that their flags are as they were read, also where no label can change.
const FEW: usize = 250;
/// Most placements that are looked at for what labels the messages get or lose.
const MAX_PLACEMENTS: usize = 300_000;
/// Octets of the feed that it takes to tell of one label of one message, with its part of the row.
const TOLD_OCTETS: usize = 18;
/// Most octets of the rows of one COPY; the rest of a bulk commit is for the others it writes.
const MAX_ROW_OCTETS: usize = MAX_BULK_OCTETS - (1 << 20);

impl Mailstore {
    /// Copies messages to another mailbox (or the same), with their flags and dates; all that are still there, or none.
    ///
    /// # Errors
    /// [`MailError::Limit`] (more than 100,000 messages or, if their headers are long, some 20,000; or a message with too
    /// many placements),
    /// [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`]; the store's own.
    pub async fn copy(
        &self,
        inbox: InboxId,
        source: MailboxId,
        uids: &[Uid],
        target: MailboxId,
    ) -> Result<Copied, MailError> {
        if uids.len() > MAX_MESSAGES {
            return Err(MailError::Limit("too many messages"));
        }
        self.check_mailbox(inbox, source).await?;
        let uid_validity = self.mailbox_state(inbox, target).await?.row.uid_validity;
        let uids = &distinct(uids);
        let copied = |pairs: Vec<(Uid, Uid)>| Copied {
            uid_validity,
            gone: uids.len() - pairs.len(),
            pairs,
        };
        let once = keys::once(inbox, EmailId::new());
        let mut tried: Vec<Vec<Uid>> = Vec::new();
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            if let Some(pairs) = self.copied_before(&once, &tried).await? {
                return Ok(copied(pairs));
            }
            let Some((movers, octets)) = self.copies(inbox, source, uids).await? else {
                continue;
            };
            let sources: Vec<Uid> = movers.placements.iter().map(|mover| mover.uid).collect();
            if sources.is_empty() {
                return Ok(copied(Vec::new()));
            }
            let Some(told) = self.told_of_copies(inbox, (source, target), &movers).await? else {
                continue;
            };
            let labels: usize = told.iter().map(|(_, told)| told.labels()).sum();
            if octets + labels * TOLD_OCTETS > MAX_ROW_OCTETS {
                return Err(MailError::Limit("too many messages"));
            }
            let (builder, uid_operation) = self.plan_copy(inbox, target, movers, told, (&once, tried.len()))?;
            match self.try_commit(builder.build()).await? {
                Tried::Done(receipt) => {
                    return Ok(copied(pair_up(sources.into_iter(), receipt.numbers[uid_operation])));
                }
                Tried::Unknown => tried.push(sources),
                Tried::Conflict(_) => {
                    self.check_mailbox(inbox, source).await?;
                    self.check_mailbox(inbox, target).await?;
                }
            }
        }
    }

    /// Reads all that is copied, and says how many octets its rows have, unless it is too much for one commit; `None` if it
    /// does not fit together.
    async fn copies(
        &self,
        inbox: InboxId,
        source: MailboxId,
        uids: &[Uid],
    ) -> Result<Option<(Movers, usize)>, MailError> {
        let mut all = Movers::default();
        let mut octets = 0;
        for piece in uids.chunks(READ_PIECE) {
            let Some(movers) = self.movers(inbox, source, piece).await? else {
                return Ok(None);
            };
            octets += row_octets(&movers);
            if octets > MAX_ROW_OCTETS {
                return Err(MailError::Limit("too many messages"));
            }
            all.placements.extend(movers.placements);
            all.messages.extend(movers.messages);
        }
        Ok(Some((all, octets)))
    }

    /// What becomes of the labels of messages that are copied. Of many that cannot get or lose any, nothing is read.
    async fn told_of_copies(
        &self,
        inbox: InboxId,
        (source, target): (MailboxId, MailboxId),
        movers: &Movers,
    ) -> Result<Option<Vec<(EmailId, Told)>>, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let may_relabel = Labels::may_change_by_copy(&roles, source, target);
        if !may_relabel && movers.messages.len() > FEW {
            return Ok(Some(Vec::new()));
        }
        let placements = movers.messages.values().map(|(_, row)| row.placements.len());
        if placements.sum::<usize>() > MAX_PLACEMENTS {
            return Err(MailError::Limit("too many placements"));
        }
        let mut more: BTreeMap<EmailId, Vec<Placement>> = BTreeMap::new();
        for mover in &movers.placements {
            let placement = (target, mover.flags.flags.clone());
            more.entry(mover.flags.email_id).or_default().push(placement);
        }
        let stays = |placed: &KnownPlacement| Some((placed.mailbox, placed.flags.flags.clone()));
        let (here, mut messages) = (movers.rows(), movers.messages.iter().peekable());
        let mut told = Vec::with_capacity(movers.messages.len());
        while messages.peek().is_some() {
            let piece = messages.by_ref().take(READ_PIECE);
            let piece = piece.map(|(id, row)| (*id, row.clone())).collect();
            let Some(known) = self.known_around(inbox, source, &here, piece).await? else {
                return Ok(None);
            };
            told.extend(known.into_iter().map(|message| {
                let more = more.get(&message.email_id).map_or(&[][..], Vec::as_slice);
                (message.email_id, message.told(inbox, &roles, stays, more))
            }));
        }
        Ok(Some(told))
    }

    /// The result of an earlier try whose outcome was unknown, if it was done.
    async fn copied_before(&self, once: &Key, tried: &[Vec<Uid>]) -> Result<Option<Vec<(Uid, Uid)>>, MailError> {
        if tried.is_empty() {
            return Ok(None);
        }
        let Some(value) = self.store.get(once).await? else {
            return Ok(None);
        };
        let OnceRow { number, attempt, .. } = OnceRow::read(&value)?;
        let sources = tried.get(attempt);
        Ok(sources.map(|sources| pair_up(sources.iter().copied(), number)))
    }

    fn plan_copy(
        &self,
        inbox: InboxId,
        target: MailboxId,
        movers: Movers,
        told: Vec<(EmailId, Told)>,
        (once, attempt): (&Key, usize),
    ) -> Result<(CommitBuilder, usize), MailError> {
        let Movers {
            placements,
            mut messages,
        } = movers;
        let mut change = Change::begin(CommitBuilder::new(), inbox, self.now());
        let uid_operation = change.allot_uids(target, placements.len(), Cause::Placed, None);
        let mut delta = Delta::default();
        let count = placements.len();
        let distances = distances(&placements);
        // Placements first: a bulk commit is seen half done, and who finds a placement in a message row reads its flags. A
        // UID beyond the mailbox's counter is no message yet, and the counter comes last.
        for (index, mover) in placements.into_iter().enumerate() {
            let size = messages
                .get(&mover.flags.email_id)
                .map_or(0, |(_, row)| row.size_octets());
            delta.add(mover.flags.flags.system, size);
            let minus = (count - 1 - index) as u64;
            change.put_placement(target, uid_operation, minus, &mover.flags, mover.meta);
        }
        for (email_id, minus) in distances {
            let Some((old, row)) = messages.get_mut(&email_id) else {
                continue;
            };
            let key = keys::message(inbox, email_id);
            let (value, patches) = place_again(row, target, uid_operation, &minus)
                .ok_or(MailError::Limit("too many placements of one message"))?;
            change.builder.require(key.clone(), old.clone());
            change.builder.put_patched(key, value, patches);
        }
        change.count_mailbox(target, delta);
        for (message, told) in told {
            told.add(&mut change, message);
        }
        OnceRow::add(&mut change, once, self.now(), uid_operation, attempt);
        let mut builder = change.finish();
        if builder.operations() > MAX_COMMIT_OPERATIONS {
            builder.bulk();
        }
        Ok((builder, uid_operation))
    }
}

/// Octets of the keys and values that a copy writes, at most.
fn row_octets(movers: &Movers) -> usize {
    /// Lengths of a message key, and of the keys of a placement.
    const KEYS: (usize, usize) = (33, 42);
    /// A placement in a message row.
    const PLACEMENT: usize = 24;
    let message = |(value, _): &(Value, MessageRow)| KEYS.0 + value.len();
    let placement = |mover: &Mover| PLACEMENT + 2 * KEYS.1 + mover.flags.write().len() + mover.meta.len();
    let messages: usize = movers.messages.values().map(message).sum();
    messages + movers.placements.iter().map(placement).sum::<usize>()
}
