//! The one door in: a message is stored, threaded, counted and announced in up to sixteen inboxes by one commit.
//!
//! What always holds: the message row, put under Absent, is the once-key, so a delivery repeated after an unknown
//! outcome finds its own row and stores nothing.

use crate::attempts::{Attempts, Tried};
use crate::change::{Change, Delta, signed};
use crate::inbox::counter_record;
use crate::keys::{self, inbox_lane};
use crate::model::{Cause, Origin};
use crate::rows::{FlagsRow, InboxRow, IndexRow, MailboxRow, MessageRow, MetaRow, SummaryPlace};
use crate::{
    MAX_PLACINGS, MAX_PREFIX_OCTETS, MAX_VERDICT_OCTETS, MailError, Mailstore, NewMessage, Placed, Placing,
    ThreadChoice,
};
use postroom_store::{BlobPut, CommitBuilder, Key, Patch, PatchPlace, PatchSource, Value, scan_prefix};
use postroom_types::{BlobId, EmailId, InboxId, MailboxId, ModSeq, ThreadId, Uid, UidValidity};
use sha2::{Digest, Sha256};

/// What all inboxes of a delivery share.
struct Shared<'a> {
    message: &'a NewMessage,
    blob: BlobId,
    body_hash: [u8; 32],
    message_id: Option<[u8; 16]>,
    summary: SummaryPlace,
    summary_blob: Option<(BlobId, Vec<u8>)>,
    /// Whether the rule of duplicates applies.
    deduplicate: bool,
}

/// What is to be done in one inbox.
enum Plan {
    /// Nothing: it is there.
    There(Placed),
    /// A new message.
    New {
        mailbox: MailboxId,
        uid_validity: UidValidity,
        home: MailboxId,
        thread_id: ThreadId,
        index: IndexChange,
    },
    /// One more placement of a message that is there.
    Another {
        mailbox: MailboxId,
        uid_validity: UidValidity,
        old: Value,
        row: MessageRow,
        email_id: EmailId,
        meta: Value,
    },
}

/// What becomes of the Message-ID row.
enum IndexChange {
    /// There is no Message-ID, or an older message keeps the row.
    Keep,
    Put(Key),
    Replace(Key, Value),
}

/// What is read of an inbox to plan.
struct Seen {
    mailbox: MailboxId,
    uid_validity: UidValidity,
    roles: InboxRow,
    over_quota: bool,
}

impl Mailstore {
    /// Delivers a message to at most [`MAX_PLACINGS`] different inboxes in one durable commit.
    ///
    /// The same Message-ID with the same body within [`Options::duplicate_window`](crate::Options) is one message:
    /// received again, nothing is written; received after it was sent (or the other way round), it gets one more
    /// placement.
    ///
    /// # Errors
    /// Nothing was written: [`MailError::OverQuota`], [`MailError::NoSuchInbox`], [`MailError::NoSuchMailbox`],
    /// [`MailError::TooBig`], [`MailError::Limit`], [`MailError::Full`], [`MailError::Cannot`] (an inbox named twice).
    /// [`MailError::Unavailable`]: the outcome is unknown; the same `email_id` may be sent again and is stored once.
    pub async fn deliver(&self, message: &NewMessage, placings: Vec<Placing>) -> Result<Vec<Placed>, MailError> {
        self.deliver_with(message, placings, &CommitBuilder::new()).await
    }

    /// As [`deliver`](Self::deliver), in one commit with what the caller asks for. If all is there already, nothing is
    /// written, the caller's part neither: `Placed::duplicate` of all says so.
    ///
    /// # Errors
    /// Also [`MailError::Conflict`] with the key of the caller's condition that does not hold.
    pub async fn deliver_with(
        &self,
        message: &NewMessage,
        placings: Vec<Placing>,
        with: &CommitBuilder,
    ) -> Result<Vec<Placed>, MailError> {
        let deduplicate = matches!(message.origin, Origin::Received | Origin::Sent);
        self.place(message, placings, with, deduplicate).await
    }

    pub(crate) async fn place(
        &self,
        message: &NewMessage,
        placings: Vec<Placing>,
        with: &CommitBuilder,
        deduplicate: bool,
    ) -> Result<Vec<Placed>, MailError> {
        check(message, &placings)?;
        let shared = Shared::new(message, deduplicate);
        let mut attempts = Attempts::new();
        let mut uncertain = false;
        loop {
            attempts.next().await?;
            let mut plans = Vec::with_capacity(placings.len());
            for placing in &placings {
                let mut plan = self.plan(&shared, placing).await?;
                if let Plan::There(placed) = &mut plan {
                    // What is there under the id asked for was put there by this very call.
                    placed.duplicate &= !(uncertain && placed.email_id == placing.email_id);
                }
                plans.push(plan);
            }
            if plans.iter().all(|plan| matches!(plan, Plan::There(_))) {
                return Ok(placed(&placings, plans, &[], &[]));
            }
            let mut builder = with.clone();
            let mut operations = Vec::with_capacity(plans.len());
            let mut kept = false;
            for (placing, plan) in placings.iter().zip(&plans) {
                let operation;
                (builder, operation) = self.add(builder, &shared, placing, plan, &mut kept)?;
                operations.push(operation);
            }
            match self.try_commit(builder.build()).await? {
                Tried::Done(receipt) => return Ok(placed(&placings, plans, &operations, &receipt.numbers)),
                Tried::Conflict(key) if !is_ours(&key) => return Err(MailError::Conflict(key)),
                Tried::Conflict(_) => {}
                Tried::Unknown => uncertain = true,
            }
        }
    }

    async fn plan(&self, shared: &Shared<'_>, placing: &Placing) -> Result<Plan, MailError> {
        let inbox = placing.inbox;
        let roles = self.inbox_row(inbox).await?;
        let mailbox = roles.find(placing.mailbox);
        let index_key = shared
            .message_id
            .map(|hash| keys::message_id(inbox, &hash, &shared.body_hash));
        let mut keys = vec![
            keys::inbox_counters(inbox),
            keys::mailbox(inbox, mailbox),
            keys::message(inbox, placing.email_id),
        ];
        keys.extend(index_key.clone());
        let mut values = self.store.get_many(&keys).await?;
        let index_value = if index_key.is_some() {
            values.pop().flatten()
        } else {
            None
        };
        if let Some(value) = &values[2] {
            return self
                .there(inbox, &MessageRow::read(value)?, placing.email_id, None)
                .await;
        }
        let counters = counter_record(values[0].as_ref().ok_or(MailError::NoSuchInbox(inbox))?)?;
        let mailbox_row = MailboxRow::read(values[1].as_ref().ok_or(MailError::NoSuchMailbox)?)?;
        let seen = Seen {
            mailbox,
            uid_validity: mailbox_row.uid_validity,
            over_quota: counters.0[inbox_lane::OCTETS] >= roles.quota_octets,
            roles,
        };
        if let Some(value) = &index_value
            && let Some(plan) = self
                .plan_duplicate(shared, inbox, &seen, &IndexRow::read(value)?)
                .await?
        {
            return Ok(plan);
        }
        if seen.over_quota {
            return Err(MailError::OverQuota(inbox));
        }
        let index = match (index_key, index_value) {
            (None, _) => IndexChange::Keep,
            (Some(key), None) => IndexChange::Put(key),
            (Some(key), Some(old)) if shared.deduplicate => IndexChange::Replace(key, old),
            (Some(_), Some(_)) => IndexChange::Keep,
        };
        Ok(Plan::New {
            mailbox,
            uid_validity: seen.uid_validity,
            home: home(&seen),
            thread_id: self.choose_thread(shared, placing).await?,
            index,
        })
    }

    /// If the message is a duplicate: what to do instead of storing it.
    async fn plan_duplicate(
        &self,
        shared: &Shared<'_>,
        inbox: InboxId,
        seen: &Seen,
        index: &IndexRow,
    ) -> Result<Option<Plan>, MailError> {
        let age = shared.message.received_at.abs_diff(index.received_at);
        if !shared.deduplicate || u128::from(age) > self.options.duplicate_window.as_millis() {
            return Ok(None);
        }
        let Some(old) = self.store.get(&keys::message(inbox, index.email_id)).await? else {
            return Ok(None);
        };
        let row = MessageRow::read(&old)?;
        if row.body_hash != shared.body_hash || !matches!(row.origin, Origin::Received | Origin::Sent) {
            return Ok(None);
        }
        if row.origin == shared.message.origin || row.placements.iter().any(|(mailbox, _)| *mailbox == seen.mailbox) {
            let there = self.there(inbox, &row, index.email_id, Some(seen.mailbox)).await?;
            return Ok(Some(there));
        }
        // The metadata is that of the message as it is stored, whose prefix may differ from that of the newcomer.
        let (source, uid) = row.placements[0];
        let Some(meta) = self.store.get(&keys::metadata(inbox, source, uid)).await? else {
            return Ok(None);
        };
        Ok(Some(Plan::Another {
            mailbox: seen.mailbox,
            uid_validity: seen.uid_validity,
            old,
            row,
            email_id: index.email_id,
            meta,
        }))
    }

    /// The message is there: where, if possible in the mailbox asked for.
    async fn there(
        &self,
        inbox: InboxId,
        row: &MessageRow,
        email_id: EmailId,
        mailbox: Option<MailboxId>,
    ) -> Result<Plan, MailError> {
        let wanted = row.placements.iter().find(|(at, _)| Some(*at) == mailbox);
        let (at, uid) = *wanted.or(row.placements.first()).ok_or(MailError::Unavailable)?;
        // A mailbox that was deleted meanwhile keeps its placements for a moment.
        let value = self.store.get(&keys::mailbox(inbox, at)).await?;
        let uid_validity = match value {
            Some(value) => MailboxRow::read(&value)?.uid_validity,
            None => UidValidity::MIN,
        };
        Ok(Plan::There(Placed {
            inbox,
            mailbox: at,
            uid_validity,
            uid: to_uid(uid),
            email_id,
            thread_id: row.thread_id,
            duplicate: true,
        }))
    }

    async fn choose_thread(&self, shared: &Shared<'_>, placing: &Placing) -> Result<ThreadId, MailError> {
        match placing.thread {
            ThreadChoice::Given(thread_id) => return Ok(thread_id),
            ThreadChoice::New => return Ok(ThreadId::new()),
            ThreadChoice::Find => {}
        }
        for ancestor in &shared.message.summary.ancestors {
            if let Some(found) = self.message_by_id(placing.inbox, ancestor).await? {
                return Ok(found.thread_id);
            }
        }
        Ok(ThreadId::new())
    }

    /// A message with this Message-ID (without angle brackets), if there is one.
    pub(crate) async fn message_by_id(&self, inbox: InboxId, message_id: &str) -> Result<Option<IndexRow>, MailError> {
        let prefix = keys::message_ids(inbox, &message_id_hash(message_id));
        let first = scan_prefix(&*self.store, &prefix).page_pairs(1).next().await?;
        Ok(first.map(|(_, value)| IndexRow::read(&value)).transpose()?)
    }

    /// Adds a plan to the commit; the counter operation that allots its UID.
    fn add(
        &self,
        builder: CommitBuilder,
        shared: &Shared<'_>,
        placing: &Placing,
        plan: &Plan,
        kept: &mut bool,
    ) -> Result<(CommitBuilder, usize), MailError> {
        match plan {
            Plan::There(_) => Ok((builder, 0)),
            Plan::New {
                mailbox,
                home,
                thread_id,
                index,
                ..
            } => {
                let mut change = Change::begin(builder, placing.inbox, self.now());
                let cause = Cause::New(shared.message.origin);
                let operation = change.allot_uids(*mailbox, 1, cause, Some(placing.email_id));
                add_message(&mut change, shared, placing, (*mailbox, operation), *home, *thread_id)?;
                add_index(&mut change, shared, placing, *thread_id, index);
                add_blobs(&mut change, shared, placing, kept);
                Ok((change.finish(), operation))
            }
            Plan::Another {
                mailbox,
                old,
                row,
                email_id,
                meta,
                ..
            } => {
                let mut change = Change::begin(builder, placing.inbox, self.now());
                let operation = change.allot_uids(*mailbox, 1, Cause::Placed, Some(*email_id));
                let mut row = row.clone();
                let (value, patches) = crate::relocate::place_again(&mut row, *mailbox, operation, &[0])
                    .ok_or(MailError::Limit("too many placements of one message"))?;
                let key = keys::message(placing.inbox, *email_id);
                change.builder.require(key.clone(), old.clone());
                change.builder.put_patched(key, value, patches);
                add_placement(
                    &mut change,
                    placing,
                    *mailbox,
                    operation,
                    *email_id,
                    row.size_octets(),
                    meta.clone(),
                );
                Ok((change.finish(), operation))
            }
        }
    }
}

impl<'a> Shared<'a> {
    fn new(message: &'a NewMessage, deduplicate: bool) -> Self {
        let (summary, summary_blob) = SummaryPlace::of(&message.summary);
        Self {
            message,
            blob: BlobId::new(),
            body_hash: Sha256::digest(&message.body).into(),
            message_id: message.summary.message_id.as_deref().map(message_id_hash),
            summary,
            summary_blob,
            deduplicate,
        }
    }
}

/// Hash of a Message-ID without angle brackets, as it stands in keys.
pub(crate) fn message_id_hash(message_id: &str) -> [u8; 16] {
    keys::short_hash(message_id.as_bytes())
}

fn check(message: &NewMessage, placings: &[Placing]) -> Result<(), MailError> {
    if message.prefix.len() > MAX_PREFIX_OCTETS
        || message.verdict.len() > MAX_VERDICT_OCTETS
        || u32::try_from(message.body.len()).is_err()
    {
        return Err(MailError::TooBig);
    }
    if placings.len() > MAX_PLACINGS {
        return Err(MailError::Limit("too many inboxes"));
    }
    for (index, placing) in placings.iter().enumerate() {
        crate::flags::check_keywords(&placing.flags)?;
        if placings[..index].iter().any(|other| other.inbox == placing.inbox) {
            return Err(MailError::Cannot("an inbox is named twice"));
        }
    }
    Ok(())
}

fn home(seen: &Seen) -> MailboxId {
    match seen.roles.role_of(seen.mailbox) {
        Some(role) if !role.is_home() => seen.roles.find(crate::MailboxRef::Inbox),
        _ => seen.mailbox,
    }
}

fn add_message(
    change: &mut Change,
    shared: &Shared<'_>,
    placing: &Placing,
    (mailbox, operation): (MailboxId, usize),
    home: MailboxId,
    thread_id: ThreadId,
) -> Result<(), MailError> {
    let message = shared.message;
    let row = MessageRow {
        placements: vec![(mailbox, 0)],
        blob: shared.blob,
        body_octets: message.body.len() as u64,
        body_hash: shared.body_hash,
        summary_blob: shared.summary_blob.as_ref().map(|(id, _)| *id),
        origin: message.origin,
        home,
        thread_id,
        received_at: message.received_at,
        message_id: shared.message_id,
        verdict: message.verdict.clone(),
        prefix: message.prefix.clone(),
    };
    let value = row.write().ok_or(MailError::TooBig)?;
    let meta = MetaRow {
        email_id: placing.email_id,
        thread_id,
        internal_date: placing.internal_date,
        size_octets: message.octets(),
        summary: shared.summary.clone(),
    };
    let uid = Patch {
        source: PatchSource::Counter(operation),
        minus: 0,
        place: PatchPlace::Value(MessageRow::uid_offset(0)),
    };
    let key = keys::message(placing.inbox, placing.email_id);
    change
        .builder
        .put_new(key.clone(), value.clone())
        .put_patched(key, value, vec![uid])
        .put(
            keys::thread_member(placing.inbox, thread_id, placing.email_id),
            vec![crate::codec::FORMAT],
        );
    change.count_usage(1, signed(message.octets()));
    add_placement(
        change,
        placing,
        mailbox,
        operation,
        placing.email_id,
        message.octets(),
        meta.write(),
    );
    Ok(())
}

fn add_placement(
    change: &mut Change,
    placing: &Placing,
    mailbox: MailboxId,
    operation: usize,
    email_id: EmailId,
    octets: u64,
    meta: Value,
) {
    let mut delta = Delta::default();
    delta.add(placing.flags.system, octets);
    change.count_mailbox(mailbox, delta);
    let mut flags = postroom_types::MessageFlags::default();
    flags.add(&placing.flags);
    let row = FlagsRow {
        modseq: ModSeq(0),
        email_id,
        flags,
    };
    change.put_placement(mailbox, operation, 0, &row, meta);
}

fn add_index(change: &mut Change, shared: &Shared<'_>, placing: &Placing, thread_id: ThreadId, index: &IndexChange) {
    let row = IndexRow {
        email_id: placing.email_id,
        thread_id,
        received_at: shared.message.received_at,
    };
    match index {
        IndexChange::Keep => {}
        IndexChange::Put(key) => {
            change.builder.put_new(key.clone(), row.write());
        }
        IndexChange::Replace(key, old) => {
            change.builder.replace(key.clone(), old.clone(), row.write());
        }
    }
}

/// The first inbox brings the bodies, the others adopt them.
fn add_blobs(change: &mut Change, shared: &Shared<'_>, placing: &Placing, kept: &mut bool) {
    let witness = keys::message(placing.inbox, placing.email_id);
    let body = (shared.blob, shared.message.body.clone());
    let summary = shared
        .summary_blob
        .as_ref()
        .map(|(id, bytes)| (*id, bytes.clone().into()));
    for (id, bytes) in [Some(body), summary].into_iter().flatten() {
        change.builder.blob(BlobPut {
            id,
            bytes: if *kept { bytes::Bytes::new() } else { bytes },
            witness: witness.clone(),
            adopt: *kept,
        });
    }
    *kept = true;
}

fn placed(placings: &[Placing], plans: Vec<Plan>, operations: &[usize], numbers: &[u64]) -> Vec<Placed> {
    let uid = |index: usize| to_uid(operations.get(index).map_or(0, |operation| numbers[*operation]));
    let place = |(index, (placing, plan)): (usize, (&Placing, Plan))| match plan {
        Plan::There(placed) => placed,
        Plan::New {
            mailbox,
            uid_validity,
            thread_id,
            ..
        } => Placed {
            inbox: placing.inbox,
            mailbox,
            uid_validity,
            uid: uid(index),
            email_id: placing.email_id,
            thread_id,
            duplicate: false,
        },
        Plan::Another {
            mailbox,
            uid_validity,
            row,
            email_id,
            ..
        } => Placed {
            inbox: placing.inbox,
            mailbox,
            uid_validity,
            uid: uid(index),
            email_id,
            thread_id: row.thread_id,
            duplicate: true,
        },
    };
    placings.iter().zip(plans).enumerate().map(place).collect()
}

/// A mailbox whose UIDs are used up gives 0 bits of a UID; 2^32 messages are more than a mailbox sees in its life.
fn to_uid(number: u64) -> Uid {
    u32::try_from(number).ok().and_then(Uid::new).unwrap_or(Uid::MIN)
}

/// Keys of the mailstore begin with `m`; others are the caller's.
fn is_ours(key: &Key) -> bool {
    key.first() == Some(&b'm')
}
