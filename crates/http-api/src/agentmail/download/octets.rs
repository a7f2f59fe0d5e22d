//! The octets of a message on their way to a client.
//!
//! What always holds: of a message that is damaged, no part comes to its end: the answer is cut off before.

use crate::pipe::{Pipe, pipe};
use axum::body::{Body, Bytes};
use postroom_mailstore::{BlobReader, Content, Mailstore};
use postroom_message::TransferDecoder;
use std::ops::Range;
use std::sync::Arc;

/// Octets read from the store at a time.
const CHUNK_OCTETS: u64 = 64 << 10;

/// A message as it is stored.
pub(crate) fn whole(mailstore: &Arc<Mailstore>, content: Content) -> Body {
    let range = 0..content.octets();
    streamed(mailstore, content, range, TransferDecoder::identity())
}

/// Octets of a message, decoded on the way.
pub(super) fn streamed(
    mailstore: &Arc<Mailstore>,
    content: Content,
    range: Range<u64>,
    decoder: TransferDecoder,
) -> Body {
    let (pipe, body) = pipe();
    let mailstore = Arc::clone(mailstore);
    tokio::spawn(async move {
        if let Err(error) = copy(&mailstore, &content, range, decoder, &pipe).await {
            tracing::debug!(reason = %error, "a download was cut short");
            pipe.fail(error).await;
        }
    });
    body
}

/// Reads the whole message, whatever is wanted of it, and holds the last octets back until its end was reached: of a message
/// that is damaged nothing passes for whole.
async fn copy(
    mailstore: &Mailstore,
    content: &Content,
    range: Range<u64>,
    mut decoder: TransferDecoder,
    to: &Pipe,
) -> std::io::Result<()> {
    let mut octets = Octets::of(mailstore, content);
    let mut held = Vec::new();
    while let Some((from, bytes)) = octets.next().await? {
        let place = |offset: u64| offset.saturating_sub(from).min(bytes.len() as u64) as usize;
        let wanted = &bytes[place(range.start)..place(range.end).max(place(range.start))];
        if to.is_closed() {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        if wanted.is_empty() {
            continue;
        }
        let mut decoded = Vec::with_capacity(wanted.len());
        decoder.push(wanted, &mut decoded);
        to.send(std::mem::replace(&mut held, decoded)).await?;
    }
    decoder.finish(&mut held);
    to.send(held).await
}

/// The octets of a message, from its first to its last.
struct Octets<'a> {
    mailstore: &'a Mailstore,
    content: &'a Content,
    reader: BlobReader,
    /// Of the message.
    at: u64,
}

impl<'a> Octets<'a> {
    fn of(mailstore: &'a Mailstore, content: &'a Content) -> Self {
        Self {
            mailstore,
            content,
            reader: BlobReader::at(content.blob, 0),
            at: 0,
        }
    }

    /// The next ones and where they begin; `None` after the last.
    async fn next(&mut self) -> std::io::Result<Option<(u64, Bytes)>> {
        let (from, end) = (self.at, self.content.octets());
        let prefix = &self.content.prefix;
        let bytes = if from == 0 && !prefix.is_empty() {
            Bytes::copy_from_slice(prefix)
        } else if from < end {
            let octets = CHUNK_OCTETS.min(end - from);
            let read = self.mailstore.read_on(&mut self.reader, octets).await;
            read.map_err(std::io::Error::other)?.unwrap_or_default()
        } else {
            return Ok(None);
        };
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.at += bytes.len() as u64;
        Ok(Some((from, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use postroom_mailstore::Options;
    use postroom_store::{BlobPut, BoxFuture, CommitBuilder, Front, MemoryStore, Store, StoreError};
    use postroom_types::BlobId;

    /// A store whose blobs are found to be damaged at their end, which is there.
    struct Damaged(Arc<MemoryStore>, Option<u64>);

    impl Front for Damaged {
        fn behind(&self) -> &dyn Store {
            &*self.0
        }

        fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
            match self.1 {
                Some(end) if range.end >= end => Box::pin(async { Err(StoreError::Corrupt("damaged".into())) }),
                _ => self.0.blob(id, range),
            }
        }
    }

    #[tokio::test]
    async fn nothing_of_a_damaged_message_passes_for_whole() {
        let body: Bytes = (0..200_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let store = MemoryStore::new();
        let mut commit = CommitBuilder::new();
        commit.put(b"m".to_vec(), vec![1]).blob(BlobPut {
            id: BlobId([7; 16]),
            bytes: body.clone(),
            witness: b"m".to_vec(),
            adopt: false,
        });
        store.commit(commit.build()).await.unwrap();
        let content = Content {
            prefix: b"A: b\r\n".to_vec(),
            blob: BlobId([7; 16]),
            body_octets: 200_000,
        };
        let whole = [&content.prefix[..], &body].concat();
        for is_damaged in [false, true] {
            let end = is_damaged.then_some(200_000);
            let mailstore = Mailstore::new(Arc::new(Damaged(Arc::clone(&store), end)), Options::default());
            let mailstore = Arc::new(mailstore);
            for range in [
                0..200_006,
                0..3,
                4..90,
                70_000..70_001,
                60_000..140_000,
                200_000..200_006,
            ] {
                let octets = streamed(&mailstore, content.clone(), range.clone(), TransferDecoder::identity());
                let read = to_bytes(octets, usize::MAX).await;
                assert_eq!(read.is_err(), is_damaged, "{range:?}");
                let expected = &whole[range.start as usize..range.end as usize];
                assert!(read.is_err() || read.is_ok_and(|read| read == expected), "{range:?}");
            }
        }
    }
}
