//! Which messages are gone, for clients that were away (RFC 7162 §3.2): expunge rows, and how far back they reach.

use super::SharedMailbox;
use super::log::ranges;
use crate::codec::{Corrupt, Reader};
use crate::rows::{read_number, read_uids, write_number};
use crate::{MailError, Mailstore, keys};
use postroom_store::{CommitBuilder, Key, Value, prefix_end, scan};
use postroom_types::{InboxId, MailboxId, ModSeq, Uid};
use std::collections::BTreeSet;

/// Beyond this many UIDs it is cheaper, and no longer to tell, to name all that are not there.
const MOST_UIDS: usize = 100_000;

impl Mailstore {
    /// Which of these UIDs (ascending ranges, both ends included) are not there any more: at least all that were expunged
    /// after `since`, and never one that is there. Ascending ranges. True of the state as it was last brought up to date.
    ///
    /// # Errors
    /// The store's own.
    pub async fn vanished(
        &self,
        shared: &SharedMailbox,
        since: ModSeq,
        among: &[(Uid, Uid)],
    ) -> Result<Vec<(Uid, Uid)>, MailError> {
        if let Some(mut expunged) = self.expunged_since(shared, since).await? {
            let state = shared.read();
            expunged.retain(|uid| is_among(*uid, among) && state.find(*uid).is_none());
            let expunged: Vec<Uid> = expunged.into_iter().collect();
            return Ok(ranges(&expunged).into_vec());
        }
        let state = shared.read();
        let Some(last) = Uid::new(state.uid_next().saturating_sub(1)) else {
            return Ok(Vec::new());
        };
        Ok(missing(state.rows().iter().map(|row| row.uid), among, last))
    }

    /// What the expunge rows say; `None` if they do not reach back that far. Also those beyond the modseq that the state
    /// was read up to: a message that went while it was read is not in it, and nothing later tells that it is gone.
    async fn expunged_since(&self, shared: &SharedMailbox, since: ModSeq) -> Result<Option<BTreeSet<Uid>>, MailError> {
        let (inbox, mailbox) = (shared.inbox, shared.id);
        let mut expunged = BTreeSet::new();
        let low = keys::expunged(inbox, mailbox, ModSeq(since.0.saturating_add(1)));
        let high = prefix_end(&keys::expunged_prefix(inbox, mailbox));
        let mut rows = scan(&*self.store, low, high);
        while let Some((_, value)) = rows.next().await? {
            expunged.extend(read_expunged(&value)?.1);
            if expunged.len() > MOST_UIDS {
                return Ok(None);
            }
        }
        // Read last: what was trimmed while the rows were read is below it.
        let floor = self.store.get(&keys::expunge_floor(inbox, mailbox)).await?;
        let floor = floor.map_or(Ok(0), |value| read_number(&value))?;
        Ok((since.0 >= floor).then_some(expunged))
    }

    /// Removes expunge rows of a mailbox, the oldest first, and remembers up to which; `false` if the mailbox is gone.
    pub(crate) async fn trim_expunged(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        rows: Vec<Key>,
    ) -> Result<bool, MailError> {
        let Some(last) = rows.last().and_then(|key| keys::trailing_number(key)) else {
            return Ok(true);
        };
        let (floor, record) = (keys::expunge_floor(inbox, mailbox), keys::mailbox(inbox, mailbox));
        let mut attempts = crate::attempts::Attempts::new();
        loop {
            attempts.next().await?;
            let values = self.store.get_many(&[floor.clone(), record.clone()]).await?;
            let [old, Some(there)] = values.as_slice() else {
                // The rows of a mailbox that was deleted go with it.
                return Ok(false);
            };
            let mut builder = CommitBuilder::new();
            rows.iter().for_each(|key| {
                builder.delete(key.clone());
            });
            builder.require(record.clone(), there.clone());
            raise(&mut builder, &floor, old.as_ref(), last)?;
            if let crate::attempts::Tried::Done(_) = self.try_commit(builder.build()).await? {
                return Ok(true);
            }
        }
    }
}

fn raise(builder: &mut CommitBuilder, floor: &Key, old: Option<&Value>, to: u64) -> Result<(), MailError> {
    match old {
        None => {
            builder.put_new(floor.clone(), write_number(to));
        }
        Some(old) => {
            let to = to.max(read_number(old)?);
            builder.replace(floor.clone(), old.clone(), write_number(to));
        }
    }
    Ok(())
}

/// When, and which UIDs.
pub(crate) fn read_expunged(value: &[u8]) -> Result<(i64, Vec<Uid>), Corrupt> {
    let mut reader = Reader::value(value, "expunge row")?;
    let at = reader.i64()?;
    let uids = read_uids(&mut reader)?;
    reader.end()?;
    Ok((at, uids))
}

fn is_among(uid: Uid, among: &[(Uid, Uid)]) -> bool {
    let at = among.partition_point(|(_, last)| *last < uid);
    among.get(at).is_some_and(|(first, _)| *first <= uid)
}

/// The UIDs of `among`, none beyond `most`, that are not there.
fn missing(there: impl Iterator<Item = Uid>, among: &[(Uid, Uid)], most: Uid) -> Vec<(Uid, Uid)> {
    let mut there = there.map(Uid::get).peekable();
    let mut gaps = Vec::new();
    let mut gap = |first: u32, last: u32| {
        if let (true, Some(first), Some(last)) = (first <= last, Uid::new(first), Uid::new(last)) {
            gaps.push((first, last));
        }
    };
    for (first, last) in among {
        let last = last.get().min(most.get());
        let mut next = first.get();
        while there.next_if(|uid| *uid < next).is_some() {}
        while let Some(uid) = there.next_if(|uid| *uid <= last) {
            gap(next, uid - 1);
            next = uid.saturating_add(1);
        }
        gap(next, last);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uid(number: u32) -> Uid {
        Uid::new(number).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_missing(
            there: BTreeSet<u8>,
            bounds in prop::collection::btree_set(1..300u32, 0..8),
            most in 1..300u32,
        ) {
            let there: BTreeSet<u32> = there.into_iter().map(|uid| u32::from(uid) + 1).collect();
            let bounds: Vec<u32> = bounds.into_iter().collect();
            let among: Vec<(Uid, Uid)> = bounds.chunks_exact(2).map(|two| (uid(two[0]), uid(two[1]))).collect();
            let told = missing(there.iter().map(|number| uid(*number)), &among, uid(most));
            let expected: Vec<u32> = (1..=most)
                .filter(|number| is_among(uid(*number), &among) && !there.contains(number))
                .collect();
            let numbers: Vec<u32> = told.iter().flat_map(|(first, last)| first.get()..=last.get()).collect();
            prop_assert_eq!(numbers, expected);
        }
    }
}
