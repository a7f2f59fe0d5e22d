//! Reading a blob piece by piece, and finding damage on the way.

use crate::{Store, StoreError};
use bytes::Bytes;
use postroom_types::BlobId;

/// What a backend has worked out of a blob's octets from its beginning to some place. What the number means is the
/// backend's affair; that of nothing is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobSum(pub u32);

/// A place in a blob, from where it is read on. Who begins at its beginning and comes to its end has read what was
/// written, or was told before the last piece that it is damaged, without reading anything twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobReader {
    id: BlobId,
    offset: u64,
    /// `None` if it was not read from its beginning.
    sum: Option<BlobSum>,
}

impl BlobReader {
    /// Reads from there on.
    #[must_use]
    pub const fn at(id: BlobId, offset: u64) -> Self {
        let sum = if offset == 0 { Some(BlobSum(0)) } else { None };
        Self { id, offset, sum }
    }

    /// Whether the next octets are those of this blob from there on.
    #[must_use]
    pub fn is_at(&self, id: BlobId, offset: u64) -> bool {
        self.id == id && self.offset == offset
    }

    /// The next octets, at most so many; none at the end. `None` if there is no such blob (any more).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] instead of the last octets, if those read since the beginning are not what was written. After
    /// an error the place is the same.
    pub async fn next(&mut self, store: &dyn Store, octets: u64) -> Result<Option<Bytes>, StoreError> {
        let range = self.offset..self.offset.saturating_add(octets);
        let read = match self.sum {
            None => store.blob(self.id, range).await?.map(|bytes| (bytes, None)),
            Some(sum) => {
                let read = store.blob_piece(self.id, range, sum).await?;
                read.map(|(bytes, sum)| (bytes, Some(sum)))
            }
        };
        Ok(read.map(|(bytes, sum)| {
            self.offset += bytes.len() as u64;
            self.sum = sum;
            bytes
        }))
    }
}
