//! Deciding what is to be done in one inbox: store the message, add a placement to one that is there, or nothing.

use super::{IndexChange, Plan, Shared, message_id_hash, to_uid};
use crate::inbox::counter_record;
use crate::keys::{self, inbox_lane};
use crate::model::Origin;
use crate::rows::{InboxRow, IndexRow, MailboxRow, MessageRow, Role};
use crate::{MailError, Mailstore, Placed, Placing, ThreadChoice};
use postroom_store::{Value, scan_prefix};
use postroom_types::{EmailId, InboxId, MailboxId, ThreadId, UidValidity};

/// What is read of an inbox to plan.
struct Seen {
    mailbox: MailboxId,
    uid_validity: UidValidity,
    roles: InboxRow,
    over_quota: bool,
}

/// A message that is there with the same Message-ID and body.
struct Twin {
    email_id: EmailId,
    old: Value,
    row: MessageRow,
}

impl Mailstore {
    pub(super) async fn plan(&self, shared: &Shared<'_>, placing: &Placing) -> Result<Plan, MailError> {
        let inbox = placing.inbox;
        let roles = self.inbox_row(inbox).await?;
        let mailbox = roles.find(placing.mailbox).ok_or(MailError::NoSuchMailbox)?;
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
        let twin = match &index_value {
            Some(value) => self.twin(shared, inbox, &IndexRow::read(value)?).await?,
            None => None,
        };
        let has_twin = twin.is_some();
        if let (Some(twin), Origin::Received) = (twin, shared.message.origin)
            && let Some(plan) = self.plan_duplicate(inbox, &seen, twin).await?
        {
            return Ok(plan);
        }
        let is_named = match &shared.message_id {
            Some(hash) => !self.has_namesake(inbox, &seen.roles, hash).await?,
            None => false,
        };
        let index = match (index_key, index_value) {
            (None, _) => IndexChange::Keep,
            (Some(key), None) => IndexChange::Put(key),
            // A message that may have duplicates takes the row from one that may not, or no longer.
            (Some(key), Some(old)) if has_duplicates(shared.message.origin) && !has_twin => {
                IndexChange::Replace(key, old)
            }
            (Some(_), Some(_)) => IndexChange::Keep,
        };
        Ok(Plan::New {
            mailbox,
            uid_validity: seen.uid_validity,
            home: home(&seen),
            thread_id: self.choose_thread(shared, placing).await?,
            index,
            is_named,
            over_quota: seen.over_quota,
        })
    }

    /// Whether another message has this Message-ID. A draft does not count: what is sent bears the Message-ID of its draft.
    async fn has_namesake(&self, inbox: InboxId, roles: &InboxRow, hash: &[u8; 16]) -> Result<bool, MailError> {
        let prefix = keys::message_ids(inbox, hash);
        let mut rows = scan_prefix(&*self.store, &prefix).page_pairs(8);
        while let Some((_, value)) = rows.next().await? {
            let key = keys::message(inbox, IndexRow::read(&value)?.email_id);
            let Some(value) = self.store.get(&key).await? else {
                continue;
            };
            let drafts = roles.id_of(Role::Drafts);
            if MessageRow::read(&value)?
                .placements
                .iter()
                .any(|(mailbox, _)| *mailbox != drafts)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The message that has the same Message-ID and body, if that is lately received or sent.
    async fn twin(&self, shared: &Shared<'_>, inbox: InboxId, index: &IndexRow) -> Result<Option<Twin>, MailError> {
        let age = shared.message.received_at.abs_diff(index.received_at);
        if u128::from(age) > self.options.duplicate_window.as_millis() {
            return Ok(None);
        }
        let Some(old) = self.store.get(&keys::message(inbox, index.email_id)).await? else {
            return Ok(None);
        };
        let row = MessageRow::read(&old)?;
        let is_twin = row.body_hash == shared.body_hash && has_duplicates(row.origin);
        Ok(is_twin.then_some(Twin {
            email_id: index.email_id,
            old,
            row,
        }))
    }

    /// What to do instead of storing a received message that is there. `None`: it is being removed.
    async fn plan_duplicate(&self, inbox: InboxId, seen: &Seen, twin: Twin) -> Result<Option<Plan>, MailError> {
        let Twin { email_id, old, row } = twin;
        if row.origin == Origin::Received || row.placements.iter().any(|(mailbox, _)| *mailbox == seen.mailbox) {
            let there = self.there(inbox, &row, email_id, Some(seen.mailbox)).await?;
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
            row: Box::new(row),
            email_id,
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
}

/// Whether what is received may be a duplicate of a message that came so. What a client appends is its own affair.
const fn has_duplicates(origin: Origin) -> bool {
    matches!(origin, Origin::Received | Origin::Sent)
}

fn home(seen: &Seen) -> MailboxId {
    match seen.roles.role_of(seen.mailbox) {
        Some(role) if !role.is_home() => seen.roles.id_of(Role::Inbox),
        _ => seen.mailbox,
    }
}
