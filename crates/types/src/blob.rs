//! Stored bytes, by name and range. The store keeps them; protocols stream them.

use crate::ids::EmailId;
use bytes::Bytes;
use std::fmt;

/// The name of one stored body. Never changes, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 16]);

impl BlobId {
    /// A new name.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default name would suggest a fixed one")]
    pub fn new() -> Self {
        Self(*EmailId::new().as_bytes())
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({})", uuid::Uuid::from_bytes(self.0).simple())
    }
}

/// Part of a stored body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobSpan {
    /// Which body.
    pub id: BlobId,
    /// First byte, from 0.
    pub offset: u64,
    /// How many bytes.
    pub octets: u64,
}

/// Bytes to be sent: either here already or still in the store, so that large bodies are never held whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes in memory.
    Inline(Bytes),
    /// Bytes in the store.
    Stored(BlobSpan),
}

impl Piece {
    /// How many bytes this piece is.
    #[must_use]
    pub fn octets(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stored(span) => span.octets,
        }
    }
}

/// How many bytes the pieces are together.
#[must_use]
pub fn pieces_octets(pieces: &[Piece]) -> u64 {
    pieces.iter().map(Piece::octets).sum()
}
