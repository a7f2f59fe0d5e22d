//! COPY: more placements of the same messages, all or none (RFC 9051 §6.4.7).

use crate::Cause;
use crate::attempts::{Attempts, Tried};
use crate::change::{Change, Delta};
use crate::codec::{Corrupt, Reader, Writer};
use crate::relocate::{Mover, Movers, distances, pair_up, place_again};
use crate::{Copied, MailError, Mailstore, keys};
use postroom_store::{CommitBuilder, Key, MAX_COMMIT_OPERATIONS, Patch, PatchPlace, PatchSource};
use postroom_types::{EmailId, InboxId, MailboxId, Uid};

/// Most messages of one COPY.
const MAX_MESSAGES: usize = 20_000;
/// Most octets of their rows, below what a bulk commit holds.
const MAX_ROW_OCTETS: usize = 60 * 1024 * 1024;

/// Where the last UID stands in a once-row.
const ONCE_LAST_UID: usize = 9;

impl Mailstore {
    /// Copies messages to another mailbox (or the same), with their flags and dates; all that are still there, or none.
    ///
    /// # Errors
    /// [`MailError::Limit`] (more than 20,000 messages, or a message with too many placements),
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
        let once = keys::once(inbox, EmailId::new());
        let mut tried: Vec<Vec<Uid>> = Vec::new();
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            if let Some(pairs) = self.copied_before(&once, &tried).await? {
                return Ok(Copied { uid_validity, pairs });
            }
            let Some(movers) = self.movers(inbox, source, uids).await? else {
                continue;
            };
            let sources: Vec<Uid> = movers.placements.iter().map(|mover| mover.uid).collect();
            if sources.is_empty() {
                let pairs = Vec::new();
                return Ok(Copied { uid_validity, pairs });
            }
            let (builder, uid_operation) = self.plan_copy(inbox, target, movers, &once, tried.len())?;
            match self.try_commit(builder.build()).await? {
                Tried::Done(receipt) => {
                    let pairs = pair_up(sources.into_iter(), receipt.numbers[uid_operation]);
                    return Ok(Copied { uid_validity, pairs });
                }
                Tried::Unknown => tried.push(sources),
                Tried::Conflict(_) => {
                    self.check_mailbox(inbox, source).await?;
                    self.check_mailbox(inbox, target).await?;
                }
            }
        }
    }

    /// The result of an earlier try whose outcome was unknown, if it was done.
    async fn copied_before(&self, once: &Key, tried: &[Vec<Uid>]) -> Result<Option<Vec<(Uid, Uid)>>, MailError> {
        if tried.is_empty() {
            return Ok(None);
        }
        let Some(value) = self.store.get(once).await? else {
            return Ok(None);
        };
        let OnceRow { last_uid, attempt, .. } = OnceRow::read(&value)?;
        let sources = usize::try_from(attempt).ok().and_then(|attempt| tried.get(attempt));
        Ok(sources.map(|sources| pair_up(sources.iter().copied(), last_uid)))
    }

    fn plan_copy(
        &self,
        inbox: InboxId,
        target: MailboxId,
        movers: Movers,
        once: &Key,
        attempt: usize,
    ) -> Result<(CommitBuilder, usize), MailError> {
        let Movers {
            placements,
            mut messages,
        } = movers;
        let mut change = Change::begin(CommitBuilder::new(), inbox, self.now());
        let uid_operation = change.allot_uids(target, placements.len(), Cause::Placed, None);
        for (email_id, minus) in distances(&placements) {
            let Some((old, row)) = messages.get_mut(&email_id) else {
                continue;
            };
            let key = keys::message(inbox, email_id);
            let (value, patches) = place_again(row, target, uid_operation, &minus)
                .ok_or(MailError::Limit("too many placements of one message"))?;
            change.builder.require(key.clone(), old.clone());
            change.builder.put_patched(key, value, patches);
        }
        let message_octets: usize = messages.values().map(|(value, _)| value.len() + 64).sum();
        let row_octets = |mover: &Mover| mover.flags_value.len() + mover.meta.len() + 128;
        if message_octets + placements.iter().map(row_octets).sum::<usize>() > MAX_ROW_OCTETS {
            return Err(MailError::Limit("too many messages"));
        }
        let mut delta = Delta::default();
        let count = placements.len();
        for (index, mover) in placements.into_iter().enumerate() {
            let size = messages
                .get(&mover.flags.email_id)
                .map_or(0, |(_, row)| row.size_octets());
            delta.add(mover.flags.flags.system, size);
            let minus = (count - 1 - index) as u64;
            change.put_placement(target, uid_operation, minus, &mover.flags, mover.meta);
        }
        change.count_mailbox(target, delta);
        let row = OnceRow {
            at: self.now(),
            last_uid: 0,
            attempt: attempt as u64,
        };
        let patch = Patch {
            source: PatchSource::Counter(uid_operation),
            minus: 0,
            place: PatchPlace::Value(ONCE_LAST_UID),
        };
        change.put_new_patched(once.clone(), row.write(), vec![patch]);
        let mut builder = change.finish();
        if builder.operations() > MAX_COMMIT_OPERATIONS {
            builder.bulk();
        }
        Ok((builder, uid_operation))
    }
}

/// Says that a COPY was done, and with what result.
pub(crate) struct OnceRow {
    pub(crate) at: i64,
    last_uid: u64,
    attempt: u64,
}

impl OnceRow {
    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::value(32);
        writer.i64(self.at);
        writer.u64(self.last_uid);
        writer.varint(self.attempt);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "once row")?;
        let row = Self {
            at: reader.i64()?,
            last_uid: reader.u64()?,
            attempt: reader.varint()?,
        };
        reader.end()?;
        Ok(row)
    }
}
