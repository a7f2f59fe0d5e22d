//! The content of a queued message, read as it is sent.
//!
//! What always holds: never more than one chunk is in memory; of a body that is damaged the last chunk never comes, so that
//! nobody is given the final dot of one.

use bytes::Bytes;
use postroom_queue::{Job, QueuedBody};
use postroom_store::{BlobReader, SharedStore};

/// Most octets of one chunk.
const CHUNK_OCTETS: u64 = 256 * 1024;

/// What is left of one message to send.
pub(crate) struct Content {
    store: SharedStore,
    prefix: Bytes,
    body: QueuedBody,
    reader: BlobReader,
    offset: u64,
}

/// The body is not what the queue says, or cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable;

impl Content {
    pub(crate) fn of(job: &Job, store: SharedStore) -> Self {
        Self {
            store,
            prefix: Bytes::copy_from_slice(&job.prefix),
            body: job.body,
            reader: BlobReader::at(job.body.blob, 0),
            offset: 0,
        }
    }

    /// The next chunk, about as large as asked for; empty at the end.
    pub(crate) async fn next(&mut self, octets: usize) -> Result<Bytes, Unreadable> {
        if !self.prefix.is_empty() {
            return Ok(std::mem::take(&mut self.prefix));
        }
        let left = self.body.octets.saturating_sub(self.offset);
        let octets = left.min(CHUNK_OCTETS).min(octets as u64);
        if octets == 0 {
            return Ok(Bytes::new());
        }
        match self.reader.next(&*self.store, octets).await {
            Ok(Some(chunk)) if !chunk.is_empty() => {
                self.offset += chunk.len() as u64;
                Ok(chunk)
            }
            Ok(_) => {
                tracing::error!(blob = ?self.body.blob, offset = self.offset, "the body of a queued message is gone");
                Err(Unreadable)
            }
            Err(error) => {
                tracing::error!(blob = ?self.body.blob, %error, "cannot read the body of a queued message");
                Err(Unreadable)
            }
        }
    }
}
