//! Deciding what is to be done in one inbox: store the message, add a placement to one that is there, or nothing.

use super::{IndexChange, Plan, Shared, message_id_hash, to_uid};
use crate::attempts::Attempts;
use crate::inbox::counter_record;
use crate::keys::{self, inbox_lane};
use crate::labels::{Known, KnownPlacement};
use crate::model::Origin;
use crate::rows::{InboxRow, IndexRow, MAX_PLACEMENTS, MailboxRow, MessageRow, Role};
use crate::{MailError, Mailstore, Placed, Placing, ThreadChoice};
use postroom_store::{Key, Value, scan_prefix};
use postroom_types::{EmailId, Flag, InboxId, MailboxId, MessageFlags, ThreadId, UidValidity};

/// What is read of an inbox to plan.
struct Seen {
    mailbox: MailboxId,
    uid_validity: UidValidity,
    roles: InboxRow,
    over_quota: bool,
}

/// Rows under which a message may be known, with what they say.
struct KnownBy {
    /// That of the one message that is called by the Message-ID.
    name: (Key, Option<Value>),
    /// That of another, by its body besides.
    body: (Key, Option<Value>),
}

/// A message that is there with the same Message-ID and body.
struct Twin {
    email_id: EmailId,
    /// Its row.
    value: Value,
}

impl Mailstore {
    pub(super) async fn plan(&self, shared: &Shared<'_>, placing: &Placing) -> Result<Plan, MailError> {
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            if let Some(plan) = self.plan_once(shared, placing).await? {
                return Ok(plan);
            }
        }
    }

    /// `None`: something came while it was looked at.
    async fn plan_once(&self, shared: &Shared<'_>, placing: &Placing) -> Result<Option<Plan>, MailError> {
        let inbox = placing.inbox;
        let roles = self.inbox_row(inbox).await?;
        let mailbox = roles.find(placing.mailbox).ok_or(MailError::NoSuchMailbox)?;
        let keys = [
            keys::inbox_counters(inbox),
            keys::mailbox(inbox, mailbox),
            keys::message(inbox, placing.email_id),
        ];
        let values = self.store.get_many(&keys).await?;
        if let Some(value) = &values[2] {
            let row = MessageRow::read(value)?;
            return self.there(inbox, &row, placing.email_id, None).await.map(Some);
        }
        let counters = counter_record(values[0].as_ref().ok_or(MailError::NoSuchInbox(inbox))?)?;
        let mailbox_row = MailboxRow::read(values[1].as_ref().ok_or(MailError::NoSuchMailbox)?)?;
        let seen = Seen {
            mailbox,
            uid_validity: mailbox_row.uid_validity,
            over_quota: counters.0[inbox_lane::OCTETS] >= roles.quota_octets,
            roles,
        };
        let known = match &shared.message_id {
            Some(hash) => Some(self.known_by(inbox, hash, &shared.body_hash).await?),
            None => None,
        };
        let (twin, is_known) = match &known {
            Some(known) => self.twin(shared, inbox, known).await?,
            None => (None, false),
        };
        let mut has_twin = twin.is_some();
        if let (Some(twin), Origin::Received) = (twin, shared.message.origin) {
            if let Some(plan) = self.plan_duplicate(inbox, &seen, &placing.flags, twin).await? {
                return Ok(Some(plan));
            }
            // The newcomer is what later ones are duplicates of.
            has_twin = false;
        }
        let (name, index) = match (known, &shared.message_id) {
            (Some(KnownBy { name, body }), Some(hash)) => {
                // What is sent bears the Message-ID of its draft: a draft is never called by it.
                let is_draft = mailbox == seen.roles.id_of(Role::Drafts);
                let is_free = !is_draft && !self.has_namesake(inbox, &seen.roles, hash).await?;
                // One came between the two looks: it may be this very message, under a row that this plan knows nothing of.
                if !is_free && name.1.is_none() && self.store.get(&name.0).await?.is_some() {
                    return Ok(None);
                }
                // A message that may have duplicates takes the row from one that may not, or no longer.
                let takes = has_duplicates(shared.message.origin) && !has_twin;
                let index = match body {
                    (key, None) if takes || !is_known => IndexChange::Put(key),
                    (key, Some(old)) if takes => IndexChange::Replace(key, old),
                    _ => IndexChange::Keep,
                };
                let name = is_free.then_some(match name {
                    (key, None) => IndexChange::Put(key),
                    (key, Some(old)) => IndexChange::Replace(key, old),
                });
                (name, index)
            }
            _ => (None, IndexChange::Keep),
        };
        Ok(Some(Plan::New {
            mailbox,
            uid_validity: seen.uid_validity,
            home: home(&seen),
            thread_id: self.choose_thread(shared, placing).await?,
            name,
            index,
            over_quota: seen.over_quota,
        }))
    }

    /// The rows under which a message with this Message-ID and body may be known.
    async fn known_by(&self, inbox: InboxId, hash: &[u8; 16], body: &[u8; 32]) -> Result<KnownBy, MailError> {
        let keys = [keys::message_name(inbox, hash), keys::message_id(inbox, hash, body)];
        let mut values = self.store.get_many(&keys).await?.into_iter();
        let [name, body] = keys.map(|key| (key, values.next().flatten()));
        Ok(KnownBy { name, body })
    }

    /// The message of which this one may be a duplicate; and whether any is known that has the same Message-ID and body.
    async fn twin(
        &self,
        shared: &Shared<'_>,
        inbox: InboxId,
        known: &KnownBy,
    ) -> Result<(Option<Twin>, bool), MailError> {
        let (mut twin, mut is_known) = (None, false);
        for value in [&known.body.1, &known.name.1].into_iter().flatten() {
            let namesake = self.namesake(shared, inbox, &IndexRow::read(value)?).await?;
            is_known |= namesake.is_some();
            twin = twin.or(namesake.filter(|(is_twin, _)| *is_twin).map(|(_, twin)| twin));
        }
        Ok((twin, is_known))
    }

    /// Whether the message is there under the id asked for, or is a duplicate of what came before to this mailbox, be that
    /// about to go or not.
    pub(super) async fn came_before(&self, shared: &Shared<'_>, placing: &Placing) -> Result<bool, MailError> {
        let inbox = placing.inbox;
        let own = keys::message(inbox, placing.email_id);
        if self.store.get(&own).await?.is_some() {
            return Ok(true);
        }
        let (Some(hash), Origin::Received) = (&shared.message_id, shared.message.origin) else {
            return Ok(false);
        };
        let known = self.known_by(inbox, hash, &shared.body_hash).await?;
        let (Some(twin), _) = self.twin(shared, inbox, &known).await? else {
            return Ok(false);
        };
        let row = MessageRow::read(&twin.value)?;
        if row.origin == Origin::Received {
            return Ok(true);
        }
        // Of what was sent it is only there if it came in as well.
        let mailbox = self.inbox_row(inbox).await?.find(placing.mailbox);
        Ok(row.placements.iter().any(|(at, _)| Some(*at) == mailbox))
    }

    /// Whether another message has this Message-ID. A draft that is not called by it does not count.
    async fn has_namesake(&self, inbox: InboxId, roles: &InboxRow, hash: &[u8; 16]) -> Result<bool, MailError> {
        let name = keys::message_name(inbox, hash);
        let prefix = keys::message_ids(inbox, hash);
        let mut rows = scan_prefix(&*self.store, &prefix).page_pairs(8);
        while let Some((index_key, value)) = rows.next().await? {
            let key = keys::message(inbox, IndexRow::read(&value)?.email_id);
            let Some(value) = self.store.get(&key).await? else {
                continue;
            };
            if index_key == name {
                return Ok(true);
            }
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

    /// The message that has the same Message-ID and body, and whether that is lately received or sent.
    async fn namesake(
        &self,
        shared: &Shared<'_>,
        inbox: InboxId,
        index: &IndexRow,
    ) -> Result<Option<(bool, Twin)>, MailError> {
        let age = shared.message.received_at.abs_diff(index.received_at);
        let is_recent = u128::from(age) <= self.options.duplicate_window.as_millis();
        let Some(value) = self.store.get(&keys::message(inbox, index.email_id)).await? else {
            return Ok(None);
        };
        let row = MessageRow::read(&value)?;
        if row.body_hash != shared.body_hash {
            return Ok(None);
        }
        let is_twin = is_recent && has_duplicates(row.origin);
        let email_id = index.email_id;
        Ok(Some((is_twin, Twin { email_id, value })))
    }

    /// What to do instead of storing a received message that is there. A placement that is about to go does not count,
    /// since the newcomer would go with it; one in Trash or Spam does. `None`: it is being removed, or has no room for one
    /// more placement.
    async fn plan_duplicate(
        &self,
        inbox: InboxId,
        seen: &Seen,
        flags: &MessageFlags,
        twin: Twin,
    ) -> Result<Option<Plan>, MailError> {
        let Twin { email_id, value } = twin;
        let Some(known) = self.known_of(inbox, vec![(email_id, value)]).await?.pop() else {
            return Ok(None);
        };
        let staying = self.staying(inbox, &known).await?;
        let is_here = |(mailbox, _): &(MailboxId, u64)| *mailbox == seen.mailbox;
        let is_there = match known.row.origin {
            Origin::Received => !staying.is_empty(),
            _ => staying.iter().any(is_here),
        };
        if is_there {
            let row = MessageRow {
                placements: staying,
                ..known.row
            };
            return self.there(inbox, &row, email_id, Some(seen.mailbox)).await.map(Some);
        }
        if known.row.placements.len() >= MAX_PLACEMENTS {
            return Ok(None);
        }
        // The metadata is that of the message as it is stored, whose prefix may differ from that of the newcomer.
        let Some((source, uid)) = known.row.placements.first().copied() else {
            return Ok(None);
        };
        let Some(meta) = self.store.get(&keys::metadata(inbox, source, uid)).await? else {
            return Ok(None);
        };
        // If it was moved meanwhile its row is another one, and the commit is not done.
        let as_it_is = |placed: &KnownPlacement| Some((placed.mailbox, placed.flags.flags.clone()));
        let comes = [(seen.mailbox, flags.clone())];
        Ok(Some(Plan::Another {
            told: known.told(inbox, &seen.roles, as_it_is, &comes),
            mailbox: seen.mailbox,
            uid_validity: seen.uid_validity,
            old: known.value,
            row: Box::new(known.row),
            email_id,
            meta,
        }))
    }

    /// The placements that are not about to go: with the next EXPUNGE, or with their mailbox, which keeps them for a moment
    /// when it is deleted.
    async fn staying(&self, inbox: InboxId, known: &Known) -> Result<Vec<(MailboxId, u64)>, MailError> {
        let keys = known
            .placements
            .iter()
            .map(|placed| keys::mailbox(inbox, placed.mailbox));
        let mailboxes = self.store.get_many(&Vec::from_iter(keys)).await?;
        let placements = known.placements.iter().zip(mailboxes);
        let staying = placements.filter(|(placed, mailbox)| {
            let is_marked = placed.flags.flags.system.contains(Flag::Deleted);
            mailbox.is_some() && !is_marked
        });
        Ok(staying
            .map(|(placed, _)| (placed.mailbox, u64::from(placed.uid.get())))
            .collect())
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
