//! The messages in Drafts, as what lets a program write them sees them: newest first, found by name, replaced.
//!
//! What always holds: a message that has `\Deleted` is no draft any more; the name of a draft is that of its Message-ID,
//! so one that a mail program saves again under the same Message-ID keeps it.

use crate::inbox::counter_record;
use crate::keys::{self, mailbox_lane};
use crate::rows::{FlagsRow, InboxRow, IndexRow, MessageRow, Role};
use crate::{MailError, Mailstore, MessageRecord};
use postroom_store::{Key, scan, scan_prefix};
use postroom_types::{EmailId, Flag, InboxId, MailboxId, MessageFlags, Uid};

/// Copies of one draft that are looked at. A mail program leaves two for a moment; more are a mistake of somebody's.
const MAX_COPIES: usize = 16;

/// Rows of Drafts that one call looks at; those with `\Deleted` are not drafts, however many there are.
const MAX_ROWS: usize = 2000;

/// A part of the messages in Drafts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftRecords {
    /// The messages.
    pub drafts: Vec<DraftRecord>,
    /// The last place that was looked at, beyond which there may be more; `None`: that was all.
    pub next: Option<DraftPlace>,
}

/// A place in Drafts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftPlace {
    /// Its UID.
    pub uid: Uid,
    /// When the message there was put there, milliseconds since 1970 UTC.
    pub saved_at: i64,
}

/// A message in Drafts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRecord {
    /// The mailbox, which every inbox has for life.
    pub mailbox: MailboxId,
    /// Its place there: of two drafts the one saved later has the higher one.
    pub uid: Uid,
    /// Its flags and keywords.
    pub flags: MessageFlags,
    /// When it was put there, milliseconds since 1970 UTC.
    pub saved_at: i64,
    /// The message.
    pub message: MessageRecord,
}

impl Mailstore {
    /// The name of a message with this Message-ID (without angle brackets): half a SHA-256.
    #[must_use]
    pub fn draft_name(message_id: &str) -> [u8; 16] {
        crate::deliver::message_id_hash(message_id)
    }

    /// Up to `limit` messages of Drafts beyond this one (or all), newest first unless `ascending`. A call looks at a bounded
    /// number of rows, so there may be none on a page that is not the last.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn drafts(
        &self,
        inbox: InboxId,
        beyond: Option<Uid>,
        ascending: bool,
        limit: usize,
    ) -> Result<DraftRecords, MailError> {
        let mailbox = self.inbox_row(inbox).await?.id_of(Role::Drafts);
        let beyond = beyond.map(|uid| u64::from(uid.get()));
        let low = beyond.filter(|_| ascending).map_or(0, |uid| uid + 1);
        let high = beyond.filter(|_| !ascending).unwrap_or(u64::MAX);
        let mut rows = scan(
            &*self.store,
            keys::flags(inbox, mailbox, low),
            keys::flags(inbox, mailbox, high),
        )
        .page_pairs(limit.clamp(1, 500));
        if !ascending {
            rows = rows.reverse();
        }
        let (mut found, mut last, mut looked) = (Vec::new(), None, 0);
        while found.len() < limit && looked < MAX_ROWS {
            let Some((key, value)) = rows.next().await? else {
                last = None;
                break;
            };
            looked += 1;
            let row = FlagsRow::read(&value)?;
            let Some(uid) = keys::trailing_uid(&key) else { continue };
            if row.flags.system.contains(Flag::Deleted) {
                last = Some((uid, row));
            } else {
                last = Some((uid, row.clone()));
                found.push((uid, row));
            }
        }
        let next = match last {
            Some((uid, row)) => Some(DraftPlace {
                uid,
                // One that goes at this moment counts as the oldest.
                saved_at: self.saved_at(inbox, &row).await?.unwrap_or(0),
            }),
            None => None,
        };
        Ok(DraftRecords {
            drafts: self.draft_records(inbox, mailbox, found).await?,
            next,
        })
    }

    /// Beyond which message of Drafts those begin that were saved at this time: then or later if `ascending`, then or
    /// before if not. `None`: at the beginning of the list. Found by halving, since what was saved later has a higher UID.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn drafts_since(&self, inbox: InboxId, at_ms: i64, ascending: bool) -> Result<Option<Uid>, MailError> {
        let mailbox = self.inbox_row(inbox).await?.id_of(Role::Drafts);
        // The first UID that was saved too late to be below `at_ms`: at it or after it, or after it alone.
        let is_above = |saved_at: i64| if ascending { saved_at >= at_ms } else { saved_at > at_ms };
        let (mut low, mut high) = (1, u64::from(u32::MAX) + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let (from, to) = (keys::flags(inbox, mailbox, middle), keys::flags(inbox, mailbox, high));
            match self.first_saved(inbox, from, to).await? {
                Some((uid, saved_at)) if !is_above(saved_at) => low = u64::from(uid.get()) + 1,
                _ => high = middle,
            }
        }
        let beyond = if ascending { low.checked_sub(1) } else { Some(low) };
        Ok(beyond.and_then(|uid| Uid::new(u32::try_from(uid).ok()?)))
    }

    /// The first message of these flags rows, and when it was saved. Those that go at this moment are passed over.
    async fn first_saved(&self, inbox: InboxId, from: Key, to: Key) -> Result<Option<(Uid, i64)>, MailError> {
        let mut rows = scan(&*self.store, from, to).page_pairs(1);
        for _ in 0..MAX_ROWS {
            let Some((key, value)) = rows.next().await? else { break };
            let Some(uid) = keys::trailing_uid(&key) else { continue };
            if let Some(saved_at) = self.saved_at(inbox, &FlagsRow::read(&value)?).await? {
                return Ok(Some((uid, saved_at)));
            }
        }
        Ok(None)
    }

    /// When the message of a row was saved; `None`: it goes at this moment.
    async fn saved_at(&self, inbox: InboxId, row: &FlagsRow) -> Result<Option<i64>, MailError> {
        let value = self.message_values(inbox, &[row.email_id]).await?.pop().flatten();
        let message = value.map(|value| MessageRow::read(&value)).transpose()?;
        Ok(message.map(|message| saved_at(row, message.received_at)))
    }

    /// The drafts of this name, the one saved last first. A message without a Message-ID has its EMAILID for a name.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn drafts_named(&self, inbox: InboxId, name: &[u8; 16]) -> Result<Vec<DraftRecord>, MailError> {
        let mailbox = self.inbox_row(inbox).await?.id_of(Role::Drafts);
        let mut ids = vec![EmailId::from_bytes(*name)];
        let prefix = keys::message_ids(inbox, name);
        let mut rows = scan_prefix(&*self.store, &prefix).page_pairs(MAX_COPIES);
        while let Some((_, value)) = rows.next().await?
            && ids.len() <= MAX_COPIES
        {
            ids.push(IndexRow::read(&value)?.email_id);
        }
        let mut uids = Vec::new();
        for value in self.message_values(inbox, &ids).await?.into_iter().flatten() {
            let row = MessageRow::read(&value)?;
            let placed = row.placements.iter().filter(|(at, _)| *at == mailbox);
            uids.extend(placed.filter_map(|(_, uid)| Uid::new(u32::try_from(*uid).ok()?)));
        }
        let rows = self.flags_rows(inbox, mailbox, &uids).await?.into_iter().rev();
        let live = rows.filter(|(_, _, row)| !row.flags.system.contains(Flag::Deleted));
        let live = live.map(|(uid, _, row)| (uid, row)).collect();
        self.draft_records(inbox, mailbox, live).await
    }

    /// Which of these inboxes have something in Drafts; one that is gone has not.
    ///
    /// # Errors
    /// The store's own.
    pub async fn have_drafts(&self, inboxes: &[InboxId]) -> Result<Vec<bool>, MailError> {
        let rows: Vec<Key> = inboxes.iter().map(|inbox| keys::inbox_row(*inbox)).collect();
        let mut counters = Vec::with_capacity(inboxes.len());
        let mut have = vec![false; inboxes.len()];
        let mut places = Vec::with_capacity(inboxes.len());
        for (place, value) in self.store.get_many(&rows).await?.into_iter().enumerate() {
            let Some(value) = value else { continue };
            let drafts = InboxRow::read(&value)?.id_of(Role::Drafts);
            counters.push(keys::mailbox_counters(inboxes[place], drafts));
            places.push(place);
        }
        for (place, value) in places.into_iter().zip(self.store.get_many(&counters).await?) {
            let Some(value) = value else { continue };
            have[place] = counter_record(&value)?.0[mailbox_lane::EXISTS] > 0;
        }
        Ok(have)
    }

    /// The messages of these placements; those that are gone by now are left out.
    async fn draft_records(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        found: Vec<(Uid, FlagsRow)>,
    ) -> Result<Vec<DraftRecord>, MailError> {
        let ids: Vec<EmailId> = found.iter().map(|(_, row)| row.email_id).collect();
        let mut drafts = Vec::with_capacity(found.len());
        for ((uid, row), value) in found.into_iter().zip(self.message_values(inbox, &ids).await?) {
            let Some(value) = value else { continue };
            let message = MessageRow::read(&value)?.record(row.email_id);
            drafts.push(DraftRecord {
                mailbox,
                uid,
                saved_at: saved_at(&row, message.received_at),
                flags: row.flags,
                message,
            });
        }
        Ok(drafts)
    }
}

/// When a message was put into its mailbox. The row knows the second; when that is the one it was received in, the
/// message knows it more exactly.
fn saved_at(row: &FlagsRow, received_at: i64) -> i64 {
    match row.arrival.and_then(|arrival| arrival.saved_at) {
        Some(seconds) if seconds != received_at.div_euclid(1000) => seconds.saturating_mul(1000),
        _ => received_at,
    }
}
