//! What FETCH tells of messages without their bodies, as it is stored.

use crate::rows::{MetaRow, RawMeta, read_envelope_of, read_root_of, read_summary, write_summary};
use crate::{MailError, Mailstore, keys};
use bytes::Bytes;
use postroom_store::{StoreError, Value};
use postroom_types::{BlobId, EmailId, Envelope, InboxId, MailboxId, Part, Summary, ThreadId, Uid};

/// What is known of a placement without opening the body, with its summary as it is stored.
#[derive(Clone, Debug)]
pub struct StoredMeta {
    /// The UID.
    pub uid: Uid,
    /// The message.
    pub email_id: EmailId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// Its summary.
    pub summary: StoredSummary,
}

/// A summary as it is stored: it takes a fraction of what it does decoded, and what is not asked for is not decoded.
#[derive(Clone, Debug)]
pub struct StoredSummary {
    bytes: Vec<u8>,
    /// Where it begins.
    start: usize,
}

impl StoredSummary {
    /// One that has been read.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        Self {
            bytes: write_summary(summary),
            start: 0,
        }
    }

    /// The fields of ENVELOPE.
    ///
    /// # Errors
    /// The store is corrupt.
    pub fn envelope(&self) -> Result<Envelope, MailError> {
        Ok(read_envelope_of(self.encoded())?)
    }

    /// The tree of parts.
    ///
    /// # Errors
    /// The store is corrupt.
    pub fn root(&self) -> Result<Part, MailError> {
        Ok(read_root_of(self.encoded())?)
    }

    /// All of it.
    ///
    /// # Errors
    /// The store is corrupt.
    pub fn read(&self) -> Result<Summary, MailError> {
        Ok(read_summary(self.encoded())?)
    }

    fn encoded(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl Mailstore {
    /// What is known of messages without their bodies, ascending; those that are gone are left out. The caller bounds
    /// their number: a summary takes up to 200 KiB, if mostly a few hundred octets.
    ///
    /// # Errors
    /// The store's own.
    pub async fn stored_metadata(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<StoredMeta>, MailError> {
        let rows = self.rows_of(|uid| keys::metadata(inbox, mailbox, uid), uids).await?;
        let (mut all, mut long) = (Vec::with_capacity(rows.len()), Vec::new());
        for (uid, value) in rows {
            let (meta, blob) = stored_meta(uid, value)?;
            long.extend(blob.map(|blob| (all.len(), (blob, 0..u64::MAX))));
            all.push(Some(meta));
        }
        if !long.is_empty() {
            let (places, wanted): (Vec<usize>, Vec<_>) = long.into_iter().unzip();
            let found = self.store.blobs(&wanted).await;
            for (place, bytes) in places.into_iter().zip(found) {
                let bytes = match bytes {
                    Ok(bytes) => bytes,
                    // What is told of the message is that its summary does not read.
                    Err(StoreError::Corrupt(_)) => Some(Bytes::new()),
                    Err(error) => return Err(error.into()),
                };
                // Without its blob the message was expunged since its row was read.
                all[place] = all[place].take().zip(bytes).map(|(mut meta, bytes)| {
                    meta.summary = StoredSummary {
                        bytes: bytes.into(),
                        start: 0,
                    };
                    meta
                });
            }
        }
        Ok(all.into_iter().flatten().collect())
    }

    /// The summary of a metadata row, and how many octets of it lie outside of the row; `None` if those are gone.
    pub(crate) async fn summary_of(&self, row: &RawMeta<'_>) -> Result<Option<(Summary, usize)>, MailError> {
        match row.blob() {
            Some(blob) => self.long_summary(blob).await,
            None => Ok(row.summary()?.map(|summary| (summary, 0))),
        }
    }

    /// A summary that lies in a blob, and how long it is; `None` if that is gone. One that is damaged is as one that is gone:
    /// what is asked of many messages is told of the others.
    async fn long_summary(&self, blob: BlobId) -> Result<Option<(Summary, usize)>, MailError> {
        let bytes = self.store.blob(blob, 0..u64::MAX).await.map_err(MailError::from);
        let read = bytes.and_then(|bytes| {
            let read = |bytes: Bytes| Ok((read_summary(&bytes)?, bytes.len()));
            bytes.map(read).transpose()
        });
        match read {
            Err(error) if error.is_damage() => {
                tracing::error!(?blob, %error, "cannot read a summary");
                Ok(None)
            }
            read => read,
        }
    }
}

/// A metadata row, and the blob that holds its summary if that is long.
fn stored_meta(uid: Uid, value: Value) -> Result<(StoredMeta, Option<BlobId>), MailError> {
    let row = MetaRow::raw(&value)?;
    let (email_id, thread_id, blob) = (row.email_id, row.thread_id, row.blob());
    // A summary is the end of its row.
    let start = value.len() - row.summary_octets();
    let summary = StoredSummary { bytes: value, start };
    let meta = StoredMeta {
        uid,
        email_id,
        thread_id,
        summary,
    };
    Ok((meta, blob))
}
