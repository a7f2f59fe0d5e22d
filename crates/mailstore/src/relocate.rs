//! MOVE: a placement gets another mailbox and UID (RFC 6851), in one commit a piece, so no message is ever in both
//! mailboxes or in none.

use crate::Cause;
use crate::attempts::{Attempts, Tried};
use crate::change::{Change, Delta};
use crate::labels::{KnownPlacement, MessageRows};
use crate::pieces::{Pieces, first_half};
use crate::rows::{Arrival, FlagsRow, InboxRow, MessageRow, MetaRow};
use crate::shared::Leaving;
use crate::{Copied, MailError, Mailstore, PIECE, keys};
use postroom_store::{CommitBuilder, Patch, PatchPlace, PatchSource, Value};
use postroom_types::{EmailId, InboxId, MailboxId, Uid};
use std::collections::{BTreeMap, BTreeSet};

/// Messages of one commit: each takes seven operations, and one more for each placement that stays, so they may be fewer.
const COMMIT_PIECE: usize = 120;

/// One placement that moves.
pub(crate) struct Mover {
    pub(crate) uid: Uid,
    pub(crate) flags_value: Value,
    /// The row for the new placement.
    pub(crate) flags: FlagsRow,
    pub(crate) meta: Value,
}

/// What is read for a piece: its placements, ascending, and the rows of their messages.
#[derive(Default)]
pub(crate) struct Movers {
    pub(crate) placements: Vec<Mover>,
    pub(crate) messages: MessageRows,
}

impl Movers {
    /// The flags rows, as they are stored and as they read, but for their dates.
    pub(crate) fn rows(&self) -> Vec<(Uid, Value, FlagsRow)> {
        let row = |mover: &Mover| (mover.uid, mover.flags_value.clone(), mover.flags.clone());
        self.placements.iter().map(row).collect()
    }

    fn uids(&self) -> Vec<Uid> {
        self.placements.iter().map(|mover| mover.uid).collect()
    }

    fn has(&self, uid: Uid) -> bool {
        self.placements.binary_search_by_key(&uid, |mover| mover.uid).is_ok()
    }
}

impl Mailstore {
    /// Moves at most [`PIECE`] messages to another mailbox, with their flags and dates.
    ///
    /// # Errors
    /// [`MailError::Limit`], [`MailError::NoSuchMailbox`], [`MailError::NoSuchInbox`], [`MailError::Unavailable`] (some
    /// may be done); the store's own.
    pub async fn move_messages(
        &self,
        inbox: InboxId,
        source: MailboxId,
        uids: &[Uid],
        target: MailboxId,
    ) -> Result<Copied, MailError> {
        if uids.len() > PIECE {
            return Err(MailError::Limit("too many messages"));
        }
        let roles = self.inbox_row(inbox).await?;
        self.check_mailbox(inbox, source).await?;
        let uid_validity = self.mailbox_state(inbox, target).await?.row.uid_validity;
        let uids = &distinct(uids);
        let mut pairs = Vec::with_capacity(uids.len());
        let mut pieces = Pieces::new(uids, COMMIT_PIECE);
        while let Some(piece) = pieces.piece() {
            let (moved, done) = self.move_piece(inbox, source, piece, target, &roles).await?;
            pairs.extend(moved);
            pieces.done(done);
        }
        pairs.sort_unstable();
        let gone = uids.len() - pairs.len();
        Ok(Copied {
            uid_validity,
            pairs,
            gone,
        })
    }

    /// Moves as many of these as fit into one commit, from the first on: where they went, and how many are done with.
    async fn move_piece(
        &self,
        inbox: InboxId,
        source: MailboxId,
        mut uids: &[Uid],
        target: MailboxId,
        roles: &InboxRow,
    ) -> Result<(Vec<(Uid, Uid)>, usize), MailError> {
        let mut done = Vec::new();
        let mut uncertain: Option<Movers> = None;
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            if let Some(movers) = uncertain.take() {
                done.extend(self.moved(inbox, source, target, &movers).await?);
            }
            let Some(movers) = self.movers(inbox, source, uids).await? else {
                continue;
            };
            if movers.placements.is_empty() {
                return Ok((done, uids.len()));
            }
            let Some(known) = self
                .known_around(inbox, source, &movers.rows(), movers.messages.clone())
                .await?
            else {
                continue;
            };
            let mut change = Change::begin(CommitBuilder::new(), inbox, self.now());
            let uid_operation = relocate(&mut change, inbox, source, target, &movers, roles);
            let moves = |placed: &KnownPlacement| placed.mailbox == source && movers.has(placed.uid);
            for message in known {
                let told = message.told(
                    inbox,
                    roles,
                    |placed| {
                        let mailbox = if moves(placed) { target } else { placed.mailbox };
                        Some((mailbox, placed.flags.flags.clone()))
                    },
                    &[],
                );
                told.add(&mut change, message.email_id);
            }
            if !change.fits()
                && let Some(half) = first_half(uids, &movers.uids())
            {
                uids = half;
                attempts = Attempts::new();
                continue;
            }
            self.keep_ghosts(inbox, source, || leaving(&movers)).await?;
            match self.try_commit(change.finish().build()).await? {
                Tried::Done(receipt) => {
                    let last = receipt.numbers[uid_operation];
                    done.extend(pair_up(movers.placements.iter().map(|mover| mover.uid), last));
                    return Ok((done, uids.len()));
                }
                Tried::Unknown => uncertain = Some(movers),
                Tried::Conflict(_) => {
                    self.check_mailbox(inbox, source).await?;
                    self.check_mailbox(inbox, target).await?;
                }
            }
        }
    }

    /// Reads placements with their messages; `None` if they do not fit together, because something changed meanwhile.
    pub(crate) async fn movers(
        &self,
        inbox: InboxId,
        source: MailboxId,
        uids: &[Uid],
    ) -> Result<Option<Movers>, MailError> {
        let flags = self.flags_rows(inbox, source, uids).await?;
        let metas = self.rows_of(|uid| keys::metadata(inbox, source, uid), uids).await?;
        if flags.len() != metas.len() {
            return Ok(None);
        }
        let mut placements = Vec::with_capacity(flags.len());
        let saved_at = Some(self.now_seconds());
        for ((uid, flags_value, mut flags), (of, meta)) in flags.into_iter().zip(metas) {
            if uid != of {
                return Ok(None);
            }
            flags.arrival = Some(Arrival {
                saved_at,
                ..MetaRow::raw(&meta)?.arrival()
            });
            placements.push(Mover {
                uid,
                flags_value,
                flags,
                meta,
            });
        }
        let ids: BTreeSet<EmailId> = placements.iter().map(|mover| mover.flags.email_id).collect();
        let ids: Vec<EmailId> = ids.into_iter().collect();
        let messages = self.message_rows(inbox, &ids).await?;
        Ok(messages.map(|messages| Movers { placements, messages }))
    }

    /// After an unknown outcome: where the messages went, as their rows say.
    async fn moved(
        &self,
        inbox: InboxId,
        source: MailboxId,
        target: MailboxId,
        movers: &Movers,
    ) -> Result<Vec<(Uid, Uid)>, MailError> {
        let ids: Vec<EmailId> = movers.messages.keys().copied().collect();
        let values = self.message_values(inbox, &ids).await?;
        let mut arrived: BTreeMap<EmailId, (MessageRow, Vec<u64>)> = BTreeMap::new();
        for (id, value) in ids.into_iter().zip(values) {
            let (Some(value), Some((_, old))) = (value, movers.messages.get(&id)) else {
                continue;
            };
            let now = MessageRow::read(&value)?;
            let is_new = |placement: &&(MailboxId, u64)| placement.0 == target && !old.placements.contains(placement);
            let mut fresh: Vec<u64> = now.placements.iter().filter(is_new).map(|(_, uid)| *uid).collect();
            fresh.sort_unstable_by(|a, b| b.cmp(a));
            arrived.insert(id, (now, fresh));
        }
        let mut pairs = Vec::new();
        for mover in &movers.placements {
            let Some((now, fresh)) = arrived.get_mut(&mover.flags.email_id) else {
                continue;
            };
            if now.placements.contains(&(source, u64::from(mover.uid.get()))) {
                continue;
            }
            let uid = fresh.pop().and_then(|uid| Uid::new(u32::try_from(uid).ok()?));
            pairs.extend(uid.map(|uid| (mover.uid, uid)));
        }
        Ok(pairs)
    }
}

/// UIDs ascending, each once.
pub(crate) fn distinct(uids: &[Uid]) -> Vec<Uid> {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    uids.dedup();
    uids
}

/// The messages as they were.
fn leaving(movers: &Movers) -> Result<Vec<Leaving>, MailError> {
    let mut all = Vec::with_capacity(movers.placements.len());
    for mover in &movers.placements {
        if let Some((_, message)) = movers.messages.get(&mover.flags.email_id) {
            all.push(Leaving {
                uid: mover.uid,
                flags: FlagsRow::read(&mover.flags_value)?,
                content: message.clone().content(),
            });
        }
    }
    Ok(all)
}

/// Pairs ascending source UIDs with the UIDs allotted for them, of which this is the last.
pub(crate) fn pair_up(sources: impl ExactSizeIterator<Item = Uid>, last: u64) -> Vec<(Uid, Uid)> {
    let first = last + 1 - sources.len() as u64;
    let targets = (first..=last).filter_map(|uid| Uid::new(u32::try_from(uid).ok()?));
    sources.zip(targets).collect()
}

/// Gives each message row its new placements: the value, and where their UIDs are patched in.
pub(crate) fn place_again(
    row: &mut MessageRow,
    target: MailboxId,
    uid_operation: usize,
    minus: &[u64],
) -> Option<(Value, Vec<Patch>)> {
    let mut patches = Vec::with_capacity(minus.len());
    for minus in minus {
        patches.push(Patch {
            source: PatchSource::Counter(uid_operation),
            minus: *minus,
            place: PatchPlace::Value(MessageRow::uid_offset(row.placements.len())),
        });
        row.placements.push((target, 0));
    }
    Some((row.write()?, patches))
}

/// How far below the last allotted UID each placement's UID lies, by message.
pub(crate) fn distances(placements: &[Mover]) -> BTreeMap<EmailId, Vec<u64>> {
    let mut by_message: BTreeMap<EmailId, Vec<u64>> = BTreeMap::new();
    for (index, mover) in placements.iter().enumerate() {
        let minus = (placements.len() - 1 - index) as u64;
        by_message.entry(mover.flags.email_id).or_default().push(minus);
    }
    by_message
}

fn relocate(
    change: &mut Change,
    inbox: InboxId,
    source: MailboxId,
    target: MailboxId,
    movers: &Movers,
    roles: &InboxRow,
) -> usize {
    let placements = &movers.placements;
    let uid_operation = change.allot_uids(target, placements.len(), Cause::Placed, None);
    let (mut leaving, mut arriving) = (Delta::default(), Delta::default());
    for (index, mover) in placements.iter().enumerate() {
        let size = movers
            .messages
            .get(&mover.flags.email_id)
            .map_or(0, |(_, row)| row.size_octets());
        leaving.remove(mover.flags.flags.system, size);
        arriving.add(mover.flags.flags.system, size);
        let minus = (placements.len() - 1 - index) as u64;
        change.remove_placement(source, mover.uid, mover.flags_value.clone());
        change.put_placement(target, uid_operation, minus, &mover.flags, mover.meta.clone());
    }
    let leaves: BTreeSet<(EmailId, u64)> = placements
        .iter()
        .map(|mover| (mover.flags.email_id, u64::from(mover.uid.get())))
        .collect();
    let becomes_home = roles.role_of(target).is_none_or(|role| role.is_home());
    for (email_id, minus) in distances(placements) {
        let Some((old, row)) = movers.messages.get(&email_id) else {
            continue;
        };
        let mut row = row.clone();
        row.placements
            .retain(|(mailbox, uid)| *mailbox != source || !leaves.contains(&(email_id, *uid)));
        if becomes_home {
            (row.home, row.other_home) = (target, None);
        }
        let key = keys::message(inbox, email_id);
        change.builder.require(key.clone(), old.clone());
        // As long as before: as many placements go as come.
        if let Some((value, patches)) = place_again(&mut row, target, uid_operation, &minus) {
            change.builder.put_patched(key, value, patches);
        }
    }
    // Arrivals first: within one mailbox the counts must not fall below zero on the way.
    change.count_mailbox(target, arriving);
    change.count_mailbox(source, leaving);
    change.tell_expunged(source, movers.uids(), Vec::new());
    uid_operation
}
