//! Where the bytes of a message are, and reading them.

use crate::rows::MessageRow;
use crate::{MailError, Mailstore, keys};
use bytes::Bytes;
use postroom_store::Value;
use postroom_types::{BlobId, BlobSpan, EmailId, InboxId, Piece};
use std::ops::Range;

/// Where the bytes of a message are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What comes before the body.
    pub prefix: Vec<u8>,
    /// The body.
    pub blob: BlobId,
    /// Its length.
    pub body_octets: u64,
}

impl Content {
    /// Size of the whole message.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.prefix.len() as u64 + self.body_octets
    }

    /// The pieces that these octets of the message are; a range beyond the end is cut.
    #[must_use]
    pub fn pieces(&self, range: Range<u64>) -> Vec<Piece> {
        let prefix = self.prefix.len() as u64;
        let end = range.end.min(self.octets());
        let start = range.start.min(end);
        let mut pieces = Vec::with_capacity(2);
        if start < prefix {
            // Both are within the prefix, which is a usize.
            let bytes = &self.prefix[start as usize..end.min(prefix) as usize];
            if !bytes.is_empty() {
                pieces.push(Piece::Inline(Bytes::copy_from_slice(bytes)));
            }
        }
        if end > prefix {
            let offset = start.max(prefix) - prefix;
            let octets = end - prefix - offset;
            if octets > 0 {
                pieces.push(Piece::Stored(BlobSpan {
                    id: self.blob,
                    offset,
                    octets,
                }));
            }
        }
        pieces
    }
}

impl Mailstore {
    /// Where the bytes of a message are; `None` once it is gone.
    ///
    /// # Errors
    /// The store's own.
    pub async fn content(&self, inbox: InboxId, email_id: EmailId) -> Result<Option<Content>, MailError> {
        let value = self.store.get(&keys::message(inbox, email_id)).await?;
        Ok(value
            .map(|value| MessageRow::read(&value))
            .transpose()?
            .map(MessageRow::content))
    }

    /// Bytes of a message; a range beyond its end is cut. `None` if the body is gone.
    ///
    /// # Errors
    /// The store's own.
    pub async fn read(&self, content: &Content, range: Range<u64>) -> Result<Option<Bytes>, MailError> {
        let mut bytes = Vec::new();
        let mut pieces = content.pieces(range);
        // The usual case, the body alone, is handed on as the store gives it.
        if let [Piece::Stored(span)] = pieces.as_slice() {
            return self.read_blob(*span).await;
        }
        for piece in pieces.drain(..) {
            match piece {
                Piece::Inline(inline) => bytes.extend(inline),
                Piece::Stored(span) => match self.read_blob(span).await? {
                    Some(stored) => bytes.extend_from_slice(&stored),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(bytes.into()))
    }

    /// Where the bytes of several messages are, in the order of their ids; `None` for those that are gone.
    ///
    /// # Errors
    /// The store's own.
    pub async fn contents(&self, inbox: InboxId, ids: &[EmailId]) -> Result<Vec<Option<Content>>, MailError> {
        let values = self.message_values(inbox, ids).await?;
        let read = |value: Value| Ok(MessageRow::read_content(&value)?);
        values.into_iter().map(|value| value.map(read).transpose()).collect()
    }

    /// Reads several small spans at once, in their order; the caller bounds their sum. `None` for a body that is gone.
    ///
    /// # Errors
    /// The store's own.
    pub async fn read_blobs(&self, spans: &[BlobSpan]) -> Result<Vec<Option<Bytes>>, MailError> {
        let range = |span: &BlobSpan| (span.id, span.offset..span.offset.saturating_add(span.octets));
        let wanted: Vec<_> = spans.iter().map(range).collect();
        Ok(self.store.blobs(&wanted).await?)
    }

    /// Bytes of a body. `None` if it is gone.
    ///
    /// # Errors
    /// The store's own.
    pub async fn read_blob(&self, span: BlobSpan) -> Result<Option<Bytes>, MailError> {
        let BlobSpan { id, offset, octets } = span;
        Ok(self.store.blob(id, offset..offset.saturating_add(octets)).await?)
    }
}
