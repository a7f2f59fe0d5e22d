//! Reading rows of messages.

use crate::rows::{FlagsRow, MetaRow};
use crate::{FlagsAt, MailError, Mailstore, Meta, keys};
use postroom_store::{Key, Value, scan};
use postroom_types::{EmailId, InboxId, MailboxId, Uid};

/// So few rows are asked for one by one: those that were just written are in the store's memory, while a scan has to wait
/// for a thread.
const FEW: usize = 16;
/// Keys of one `get_many`.
const GET_PIECE: usize = 1000;

impl Mailstore {
    /// What is known of messages without their bodies, ascending; those that are gone are left out. Without
    /// `summaries` they are not decoded, which is most of the work.
    ///
    /// # Errors
    /// The store's own.
    pub async fn metadata(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
        summaries: bool,
    ) -> Result<Vec<Meta>, MailError> {
        let rows = self.rows_of(|uid| keys::metadata(inbox, mailbox, uid), uids).await?;
        let mut all = Vec::with_capacity(rows.len());
        for (uid, value) in rows {
            all.extend(self.decode_meta(uid, &value, summaries).await?.map(|(meta, _)| meta));
        }
        Ok(all)
    }

    /// A metadata row, and how long it and its summary are together; `None` if the message was expunged since it was read.
    pub(crate) async fn decode_meta(
        &self,
        uid: Uid,
        value: &[u8],
        with_summary: bool,
    ) -> Result<Option<(Meta, usize)>, MailError> {
        let row = MetaRow::raw(value)?;
        let (mut summary, mut octets) = (None, value.len());
        if with_summary {
            let Some((found, outside)) = self.summary_of(&row).await? else {
                return Ok(None);
            };
            summary = Some(found);
            octets += outside;
        }
        let meta = Meta {
            uid,
            email_id: row.email_id,
            thread_id: row.thread_id,
            internal_date: row.internal_date,
            size_octets: row.size_octets,
            summary,
        };
        Ok(Some((meta, octets)))
    }

    /// Which messages these are, ascending; those that are gone are left out. Cheaper than [`metadata`](Self::metadata).
    ///
    /// # Errors
    /// The store's own.
    pub async fn email_ids(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<(Uid, EmailId)>, MailError> {
        let rows = self.flags_rows(inbox, mailbox, uids).await?;
        Ok(rows.into_iter().map(|(uid, _, row)| (uid, row.email_id)).collect())
    }

    /// Flags of messages, ascending; those that are gone are left out.
    ///
    /// # Errors
    /// The store's own.
    pub async fn flags(&self, inbox: InboxId, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<FlagsAt>, MailError> {
        let rows = self.flags_rows(inbox, mailbox, uids).await?;
        let flags = rows.into_iter().map(|(uid, _, row)| (uid, row.flags, row.modseq));
        Ok(flags.collect())
    }

    /// Flags rows as they are stored and as they read, ascending; missing ones are left out.
    pub(crate) async fn flags_rows(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<(Uid, Value, FlagsRow)>, MailError> {
        let rows = self.rows_of(|uid| keys::flags(inbox, mailbox, uid), uids).await?;
        let read = |(uid, value): (Uid, Value)| {
            let row = FlagsRow::read(&value)?;
            Ok((uid, value, row))
        };
        rows.into_iter().map(read).collect()
    }

    /// Rows by UID, ascending: by one range scan where the UIDs are many and dense, else one by one.
    pub(crate) async fn rows_of(&self, key: impl Fn(u64) -> Key, uids: &[Uid]) -> Result<Vec<(Uid, Value)>, MailError> {
        let mut uids = uids.to_vec();
        uids.sort_unstable();
        uids.dedup();
        let (Some(first), Some(last)) = (uids.first(), uids.last()) else {
            return Ok(Vec::new());
        };
        let (first, last) = (u64::from(first.get()), u64::from(last.get()));
        if uids.len() > FEW && last - first < 2 * uids.len() as u64 + 8 {
            self.rows_between(key(first), key(last + 1), &uids).await
        } else {
            self.rows_one_by_one(key, &uids).await
        }
    }

    async fn rows_between(&self, low: Key, high: Key, uids: &[Uid]) -> Result<Vec<(Uid, Value)>, MailError> {
        let mut rows = Vec::with_capacity(uids.len());
        let mut wanted = uids.iter().copied().peekable();
        let mut scan = scan(&*self.store, low, high).page_pairs(uids.len().clamp(16, 2000) + 8);
        while let Some((key, value)) = scan.next().await? {
            let Some(uid) = keys::trailing_uid(&key) else { continue };
            while wanted.next_if(|next| *next < uid).is_some() {}
            if wanted.next_if_eq(&uid).is_some() {
                rows.push((uid, value));
            }
        }
        Ok(rows)
    }

    async fn rows_one_by_one(&self, key: impl Fn(u64) -> Key, uids: &[Uid]) -> Result<Vec<(Uid, Value)>, MailError> {
        let mut rows = Vec::with_capacity(uids.len());
        for piece in uids.chunks(GET_PIECE) {
            let keys: Vec<Key> = piece.iter().map(|uid| key(u64::from(uid.get()))).collect();
            let values = self.store.get_many(&keys).await?;
            let found = piece.iter().zip(values);
            rows.extend(found.filter_map(|(uid, value)| Some((*uid, value?))));
        }
        Ok(rows)
    }

    /// Message rows as they are stored, in the order of the ids.
    pub(crate) async fn message_values(
        &self,
        inbox: InboxId,
        ids: &[EmailId],
    ) -> Result<Vec<Option<Value>>, MailError> {
        let mut all = Vec::with_capacity(ids.len());
        for piece in ids.chunks(GET_PIECE) {
            let keys: Vec<Key> = piece.iter().map(|id| keys::message(inbox, *id)).collect();
            all.extend(self.store.get_many(&keys).await?);
        }
        Ok(all)
    }
}
