//! Where the bytes of a message are, and reading them.

use crate::rows::MessageRow;
use crate::{MailError, Mailstore, keys};
use bytes::Bytes;
use postroom_store::BlobReader;
use postroom_types::{BlobId, BlobSpan, EmailId, InboxId, MailboxId, Piece, Uid};
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

/// A message of a mailbox, and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its UID.
    pub uid: Uid,
    /// The message.
    pub email_id: EmailId,
    /// Where its bytes are.
    pub content: Content,
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

    /// Where the bytes of several messages of a mailbox are, ascending; those that are gone are left out. Most flags rows
    /// say so; for the others message rows are read.
    ///
    /// # Errors
    /// The store's own.
    pub async fn contents(&self, inbox: InboxId, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<Located>, MailError> {
        let rows = self.flags_rows(inbox, mailbox, uids).await?;
        let unsaid: Vec<EmailId> = rows
            .iter()
            .filter(|(_, _, row)| row.whole.is_none())
            .map(|(_, _, row)| row.email_id)
            .collect();
        let mut said = self.message_values(inbox, &unsaid).await?.into_iter();
        let mut all = Vec::with_capacity(rows.len());
        for (uid, _, row) in rows {
            let content = match row.content() {
                Some(content) => Some(content),
                None => said
                    .next()
                    .flatten()
                    .map(|value| MessageRow::read_content(&value))
                    .transpose()?,
            };
            all.extend(content.map(|content| Located {
                uid,
                email_id: row.email_id,
                content,
            }));
        }
        Ok(all)
    }

    /// Reads several small spans at once, in their order; the caller bounds their sum. `None` for a body that is gone; one
    /// that is damaged does not hide the others.
    pub async fn read_blobs(&self, spans: &[BlobSpan]) -> Vec<Result<Option<Bytes>, MailError>> {
        let range = |span: &BlobSpan| (span.id, span.offset..span.offset.saturating_add(span.octets));
        let wanted: Vec<_> = spans.iter().map(range).collect();
        let found = self.store.blobs(&wanted).await;
        found.into_iter().map(|found| Ok(found?)).collect()
    }

    /// The next octets of a body that is read piece by piece, at most so many; none at its end. `None` if it is gone.
    ///
    /// # Errors
    /// The store's own; a body that is damaged, and read from its beginning, never comes to its end.
    pub async fn read_on(&self, reader: &mut BlobReader, octets: u64) -> Result<Option<Bytes>, MailError> {
        Ok(reader.next(&*self.store, octets).await?)
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
