//! Several messages at once into one mailbox: MULTIAPPEND (RFC 3502), and REPLACE (RFC 8508). All or none.

use super::write::{Place, Tally, add_blobs, add_index, add_message};
use super::{IndexChange, Kept, Plan, Shared, check, is_ours};
use crate::attempts::{Attempts, Tried};
use crate::change::Change;
use crate::expunge::{Removal, leaving, remove};
use crate::keys;
use crate::once::OnceRow;
use crate::rows::MailboxRow;
use crate::{Cause, MailError, MailboxRef, Mailstore, NewMessage, Placing, ThreadChoice};
use postroom_store::{CommitBuilder, Key, MAX_BULK_OCTETS, MAX_COMMIT_OPERATIONS};
use postroom_types::{EmailId, InboxId, InternalDate, MailboxId, MessageFlags, ThreadId, Uid, UidValidity};
use std::collections::{HashMap, HashSet};

/// Most messages of one call.
const MAX_MESSAGES: usize = 10_000;
/// Most octets of their bodies together.
const MAX_BODY_OCTETS: u64 = 256 << 20;

/// A message that is appended, with its flags and INTERNALDATE.
type Appending = (NewMessage, MessageFlags, InternalDate);

/// What earlier messages of the same commit bring.
#[derive(Default)]
struct Batch {
    threads: HashMap<[u8; 16], ThreadId>,
    index_keys: HashSet<Key>,
}

impl Mailstore {
    /// Appends messages to a mailbox by name, all in one commit, durable on return; their UIDs, which are consecutive.
    /// With `replaces`, this message is expunged from its mailbox in the same commit. Each becomes a message of its own,
    /// but for one that is appended alone, see [`append`](Self::append).
    ///
    /// # Errors
    /// Nothing was written: [`MailError::NoSuchMailbox`] (also that of the message to be replaced),
    /// [`MailError::NoSuchMessage`] (that message is gone), [`MailError::OverQuota`] (before the last message was added),
    /// [`MailError::Limit`] (more than 10,000 messages or 256 MiB), [`MailError::TooBig`], [`MailError::NoSuchInbox`],
    /// [`MailError::Full`]. [`MailError::Unavailable`]: the outcome is unknown. The store's own.
    pub async fn append_many(
        &self,
        inbox: InboxId,
        mailbox: &str,
        messages: &[Appending],
        replaces: Option<(MailboxId, Uid)>,
    ) -> Result<(UidValidity, Vec<Uid>), MailError> {
        if let ([(message, flags, date)], None) = (messages, replaces) {
            let placed = self.append(inbox, mailbox, message, flags.clone(), *date).await?;
            return Ok((placed.uid_validity, vec![placed.uid]));
        }
        let octets: u64 = messages.iter().map(|(message, ..)| message.octets()).sum();
        if messages.len() > MAX_MESSAGES || octets > MAX_BODY_OCTETS {
            return Err(MailError::Limit("too many messages"));
        }
        let id = self.mailbox_id(inbox, mailbox).await?;
        let mut shared = Vec::with_capacity(messages.len());
        let mut placings = Vec::with_capacity(messages.len());
        for (message, flags, internal_date) in messages {
            let placing = Placing {
                inbox,
                mailbox: MailboxRef::Id(id),
                email_id: EmailId::new(),
                flags: flags.clone(),
                internal_date: *internal_date,
                thread: ThreadChoice::Find,
                announce: None,
            };
            check(message, std::slice::from_ref(&placing))?;
            shared.push(Shared::new(message));
            placings.push(placing);
        }
        self.append_all(id, &shared, placings, replaces, &CommitBuilder::new())
            .await
    }

    /// Puts a message where another is expunged, in one commit with what the caller asks for; its UID.
    ///
    /// # Errors
    /// Nothing was written: those of [`append_many`](Self::append_many), and [`MailError::Conflict`] with the key of the
    /// caller's condition that does not hold.
    pub async fn replace_with(
        &self,
        message: &NewMessage,
        placing: Placing,
        replaces: (MailboxId, Uid),
        with: &CommitBuilder,
    ) -> Result<Uid, MailError> {
        let roles = self.inbox_row(placing.inbox).await?;
        let mailbox = roles.find(placing.mailbox).ok_or(MailError::NoSuchMailbox)?;
        check(message, std::slice::from_ref(&placing))?;
        let shared = [Shared::new(message)];
        let (_, uids) = self
            .append_all(mailbox, &shared, vec![placing], Some(replaces), with)
            .await?;
        uids.first().copied().ok_or(MailError::Unavailable)
    }

    async fn append_all(
        &self,
        mailbox: MailboxId,
        shared: &[Shared<'_>],
        mut placings: Vec<Placing>,
        replaces: Option<(MailboxId, Uid)>,
        with: &CommitBuilder,
    ) -> Result<(UidValidity, Vec<Uid>), MailError> {
        let Some(inbox) = placings.first().map(|placing| placing.inbox) else {
            return Err(MailError::Cannot("no message"));
        };
        let once = keys::once(inbox, EmailId::new());
        let mut uncertain = false;
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            let row = self.store.get(&keys::mailbox(inbox, mailbox)).await?;
            if uncertain && let Some(value) = self.store.get(&once).await? {
                let last = OnceRow::read(&value)?.number;
                // A mailbox that was deleted meanwhile had one that does not matter any more.
                let row = row.map(|row| MailboxRow::read(&row)).transpose()?;
                let uid_validity = row.map_or(UidValidity::MIN, |row| row.uid_validity);
                return Ok((uid_validity, uids_up_to(last, placings.len())));
            }
            let uid_validity = MailboxRow::read(&row.ok_or(MailError::NoSuchMailbox)?)?.uid_validity;
            let mut removals = match replaces {
                None => Vec::new(),
                Some((source, uid)) => match self.replaced(inbox, source, uid).await? {
                    Some(removals) => removals,
                    None => continue,
                },
            };
            let mut plans = self.plan_all(shared, &mut placings).await?;
            inherit_index(inbox, shared, &mut plans, &mut removals);
            self.check_quota(inbox, shared, &removals).await?;
            for shared in shared {
                shared.prepare_text().await;
            }
            let mut change = Change::begin(with.clone(), inbox, self.now());
            let operation = self.add_all(&mut change, shared, &placings, mailbox, &plans)?;
            if let Some((source, _)) = replaces {
                self.keep_ghosts(inbox, source, || Ok(leaving(&removals))).await?;
                remove(&mut change, inbox, source, &removals, true);
            }
            OnceRow::add(&mut change, &once, self.now(), operation, 0);
            let mut builder = change.finish();
            if builder.operations() > MAX_COMMIT_OPERATIONS {
                builder.bulk();
            }
            let commit = builder.build();
            let octets = commit.puts.iter().map(|put| put.key.len() + put.value.len());
            if octets.sum::<usize>() > MAX_BULK_OCTETS - (1 << 20) {
                return Err(MailError::Limit("too many messages"));
            }
            match self.try_commit(commit).await? {
                Tried::Done(receipt) => {
                    return Ok((uid_validity, uids_up_to(receipt.numbers[operation], placings.len())));
                }
                // Perhaps since an earlier try was done after all: then its row is there.
                Tried::Conflict(key) if !is_ours(&key) => {
                    if !uncertain || self.store.get(&once).await?.is_none() {
                        return Err(MailError::Conflict(key));
                    }
                }
                Tried::Conflict(_) => self.check_mailbox(inbox, mailbox).await?,
                Tried::Unknown => uncertain = true,
            }
        }
    }

    /// Plans each message as if those before it were there.
    async fn plan_all(&self, shared: &[Shared<'_>], placings: &mut [Placing]) -> Result<Vec<Plan>, MailError> {
        let mut batch = Batch::default();
        let mut plans = Vec::with_capacity(placings.len());
        for (shared, placing) in shared.iter().zip(placings) {
            let thread_id = match placing.thread {
                ThreadChoice::Given(thread_id) => thread_id,
                ThreadChoice::Find => self.find_thread(placing.inbox, shared, &batch).await?,
                ThreadChoice::New => ThreadId::new(),
            };
            placing.thread = ThreadChoice::Given(thread_id);
            let mut plan = self.plan(shared, placing).await?;
            if let (Plan::New { name, .. }, Some(hash)) = (&mut plan, shared.message_id)
                && batch.threads.contains_key(&hash)
            {
                // The first one of the batch has the name.
                *name = None;
            }
            if let Plan::New { name: None, index, .. } = &mut plan
                && let IndexChange::Put(key) | IndexChange::Replace(key, _) = index
                && !batch.index_keys.insert(key.clone())
            {
                *index = IndexChange::Keep;
            }
            if let Some(hash) = shared.message_id {
                batch.threads.entry(hash).or_insert(thread_id);
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    async fn find_thread(&self, inbox: InboxId, shared: &Shared<'_>, batch: &Batch) -> Result<ThreadId, MailError> {
        for ancestor in &shared.message.summary.ancestors {
            if let Some(thread_id) = batch.threads.get(&super::message_id_hash(ancestor)) {
                return Ok(*thread_id);
            }
            if let Some(found) = self.message_by_id(inbox, ancestor).await? {
                return Ok(found.thread_id);
            }
        }
        Ok(ThreadId::new())
    }

    /// The message that is to be replaced; `None` if its rows do not fit together at this moment.
    async fn replaced(&self, inbox: InboxId, mailbox: MailboxId, uid: Uid) -> Result<Option<Vec<Removal>>, MailError> {
        self.check_mailbox(inbox, mailbox).await?;
        let rows = self.flags_rows(inbox, mailbox, &[uid]).await?;
        if rows.is_empty() {
            return Err(MailError::NoSuchMessage);
        }
        self.removals(inbox, mailbox, rows).await
    }

    /// The inbox may not be full before the last message comes; what goes makes room.
    async fn check_quota(&self, inbox: InboxId, shared: &[Shared<'_>], removals: &[Removal]) -> Result<(), MailError> {
        let usage = self.usage(inbox).await?;
        let before_last = shared.split_last().map_or(&[][..], |(_, before)| before);
        let coming: u64 = before_last.iter().map(|shared| shared.message.octets()).sum();
        let going: u64 = removals.iter().map(Removal::octets_gone).sum();
        if (usage.octets + coming).saturating_sub(going) >= usage.quota_octets {
            return Err(MailError::OverQuota(inbox));
        }
        Ok(())
    }

    /// Adds all messages; the counter operation that allots their UIDs.
    fn add_all(
        &self,
        change: &mut Change,
        shared: &[Shared<'_>],
        placings: &[Placing],
        mailbox: MailboxId,
        plans: &[Plan],
    ) -> Result<usize, MailError> {
        let count = placings.len();
        let origin = shared[0].message.origin;
        let email_id = (count == 1).then(|| placings[0].email_id);
        let operation = change.allot_uids(mailbox, count, Cause::New(origin), email_id);
        let mut tally = Tally::default();
        for (at, ((shared, placing), plan)) in shared.iter().zip(placings).zip(plans).enumerate() {
            // An id that is new and an origin that has no duplicates is always a new message.
            let Plan::New {
                home,
                thread_id,
                name,
                index,
                ..
            } = plan
            else {
                return Err(MailError::Cannot("the message is there already"));
            };
            let place = Place {
                mailbox,
                operation,
                minus: (count - 1 - at) as u64,
                saved_at: self.now_seconds(),
            };
            add_message(
                change,
                shared,
                placing,
                &place,
                (*home, *thread_id, name.is_some()),
                &mut tally,
            )?;
            add_index(change, shared, placing, *thread_id, name.as_ref().unwrap_or(index));
            let mut kept = Kept {
                body: shared.message.shared_body.is_some(),
                summary: false,
                text: false,
            };
            add_blobs(change, shared, placing, &mut kept);
        }
        tally.count(change, mailbox);
        Ok(operation)
    }
}

/// The Message-ID row of a message that goes becomes that of one that comes with the same Message-ID and body.
fn inherit_index(inbox: InboxId, shared: &[Shared<'_>], plans: &mut [Plan], removals: &mut [Removal]) {
    for removal in removals.iter_mut().filter(|removal| removal.octets_gone() > 0) {
        for (shared, plan) in shared.iter().zip(&mut *plans) {
            let key = shared
                .message_id
                .map(|hash| keys::message_id(inbox, &hash, &shared.body_hash));
            if let Plan::New { name: None, index, .. } = plan
                && let Some((old_key, _)) = &removal.index
                && key.as_ref() == Some(old_key)
                && let Some((key, old)) = removal.index.take()
            {
                *index = IndexChange::Replace(key, old);
            }
        }
    }
}

/// So many UIDs, of which this is the last.
fn uids_up_to(last: u64, count: usize) -> Vec<Uid> {
    let first = (last + 1).saturating_sub(count as u64);
    (first..=last)
        .filter_map(|uid| Uid::new(u32::try_from(uid).ok()?))
        .collect()
}
