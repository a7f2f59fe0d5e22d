//! The row of a message, and the row that finds it by its Message-ID.

use super::TextPlace;
use crate::codec::{Corrupt, Reader, Writer};
use crate::{Content, MessageRecord, Origin, keys};
use postroom_store::{Key, MAX_VALUE_OCTETS};
use postroom_types::{BlobId, EmailId, InboxId, MailboxId, ThreadId, Uid};

/// Most placements of one message.
pub(crate) const MAX_PLACEMENTS: usize = 100;

/// The second version of a message row says where the search text is, the third whether the Message-ID is its alone, the
/// fourth what of the blob the hash does not cover, the fifth where else it goes back to.
const VERSION: u8 = 5;
const VERSION_OF_TEXT: u8 = 2;
const VERSION_OF_NAME: u8 = 3;
const VERSION_OF_HASHED: u8 = 4;

/// A message: where its bytes are, where it came from, where it appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow {
    /// Mailbox and UID; UID 0 stands for one that is patched in.
    pub(crate) placements: Vec<(MailboxId, u64)>,
    pub(crate) blob: BlobId,
    pub(crate) body_octets: u64,
    /// SHA-256 of the blob from [`hashed_from`](Self::hashed_from) on.
    pub(crate) body_hash: [u8; 32],
    /// The blob of the summary if that is long.
    pub(crate) summary_blob: Option<BlobId>,
    pub(crate) origin: Origin,
    pub(crate) home: MailboxId,
    pub(crate) thread_id: ThreadId,
    pub(crate) received_at: i64,
    /// Hash of the Message-ID, if there is one.
    pub(crate) message_id: Option<[u8; 16]>,
    pub(crate) verdict: Vec<u8>,
    pub(crate) prefix: Vec<u8>,
    pub(crate) text: TextPlace,
    /// No other message of the inbox, drafts aside, had its Message-ID when it came.
    pub(crate) is_named: bool,
    /// How many octets of the blob were put before what came: they differ between messages that are the same.
    pub(crate) hashed_from: u64,
    /// It was there too when it was put into one place that is no home: what its owner sent to itself goes back to both.
    pub(crate) other_home: Option<MailboxId>,
}

impl MessageRow {
    /// Where the UID of a placement stands in the value.
    pub(crate) const fn uid_offset(placement: usize) -> usize {
        2 + placement * 24 + 16
    }

    /// The rows of which one may name this message by its Message-ID.
    pub(crate) fn index_keys(&self, inbox: InboxId) -> impl Iterator<Item = Key> {
        let hash = self.message_id.as_ref();
        let name = hash
            .filter(|_| self.is_named)
            .map(|hash| keys::message_name(inbox, hash));
        let body = hash.map(|hash| keys::message_id(inbox, hash, &self.body_hash));
        name.into_iter().chain(body)
    }

    pub(crate) fn size_octets(&self) -> u64 {
        self.prefix.len() as u64 + self.body_octets
    }

    /// The value; `None` if it is longer than a value may be, or has too many placements.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        if self.placements.len() > MAX_PLACEMENTS {
            return None;
        }
        let mut writer = Writer::version(
            VERSION,
            256 + self.prefix.len() + self.verdict.len() + self.placements.len() * 24,
        );
        // At most 100, as just checked.
        writer.u8(self.placements.len() as u8);
        for (mailbox, uid) in &self.placements {
            writer.raw(mailbox.as_bytes());
            writer.u64(*uid);
        }
        writer.raw(&self.blob.0);
        writer.varint(self.body_octets);
        writer.raw(&self.body_hash);
        writer.maybe_bytes(self.summary_blob.as_ref().map(|id| id.0.as_slice()));
        writer.u8(self.origin as u8);
        writer.raw(self.home.as_bytes());
        writer.raw(self.thread_id.as_bytes());
        writer.i64(self.received_at);
        writer.maybe_bytes(self.message_id.as_ref().map(<[u8; 16]>::as_slice));
        writer.bytes(&self.verdict);
        writer.bytes(&self.prefix);
        self.text.write(&mut writer);
        writer.u8(u8::from(self.is_named));
        writer.varint(self.hashed_from);
        writer.maybe_bytes(self.other_home.as_ref().map(|id| id.as_bytes().as_slice()));
        let value = writer.finish();
        (value.len() <= MAX_VALUE_OCTETS).then_some(value)
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let (version, mut reader) = Reader::versions(value, "message row", VERSION)?;
        let count = usize::from(reader.u8()?);
        let mut placements = Vec::with_capacity(count);
        for _ in 0..count {
            placements.push((MailboxId::from_bytes(reader.array()?), reader.u64()?));
        }
        let mut row = Self {
            placements,
            blob: BlobId(reader.array()?),
            body_octets: reader.varint()?,
            body_hash: reader.array()?,
            summary_blob: reader.maybe_array()?.map(BlobId),
            origin: Origin::from_byte(reader.u8()?).ok_or(reader.corrupt())?,
            home: MailboxId::from_bytes(reader.array()?),
            thread_id: ThreadId::from_bytes(reader.array()?),
            received_at: reader.i64()?,
            message_id: reader.maybe_array()?,
            verdict: reader.bytes()?.to_vec(),
            prefix: reader.bytes()?.to_vec(),
            text: if version < VERSION_OF_TEXT {
                TextPlace::Nowhere
            } else {
                TextPlace::read(&mut reader)?
            },
            is_named: false,
            hashed_from: 0,
            other_home: None,
        };
        row.is_named = match version {
            VERSION_OF_NAME.. => reader.u8()? != 0,
            // Not known; most are.
            _ => row.message_id.is_some(),
        };
        if version >= VERSION_OF_HASHED {
            row.hashed_from = reader.varint()?;
        }
        if version >= VERSION {
            row.other_home = reader.maybe_array()?.map(MailboxId::from_bytes);
        }
        reader.end()?;
        Ok(row)
    }

    /// The blob that is the message from its first octet to its last.
    pub(crate) fn whole(&self) -> Option<BlobId> {
        self.prefix.is_empty().then_some(self.blob)
    }

    /// Where the bytes are, without reading the rest of the row.
    pub(crate) fn read_content(value: &[u8]) -> Result<Content, Corrupt> {
        let (_, mut reader) = Reader::versions(value, "message row", VERSION)?;
        let placements = usize::from(reader.u8()?);
        reader.raw(24 * placements)?;
        let (blob, body_octets) = (BlobId(reader.array()?), reader.varint()?);
        let _body_hash = reader.array::<32>()?;
        let _summary_blob = reader.maybe_bytes()?;
        let _origin_home_thread_received = reader.raw(1 + 16 + 16 + 8)?;
        let _message_id = reader.maybe_bytes()?;
        let _verdict = reader.bytes()?;
        Ok(Content {
            prefix: reader.bytes()?.to_vec(),
            blob,
            body_octets,
        })
    }

    pub(crate) fn content(self) -> Content {
        Content {
            prefix: self.prefix,
            blob: self.blob,
            body_octets: self.body_octets,
        }
    }

    pub(crate) fn record(self, email_id: EmailId) -> MessageRecord {
        let placement =
            |(mailbox, uid): &(MailboxId, u64)| Some((*mailbox, u32::try_from(*uid).ok().and_then(Uid::new)?));
        MessageRecord {
            email_id,
            thread_id: self.thread_id,
            origin: self.origin,
            received_at: self.received_at,
            verdict: self.verdict.clone(),
            is_named: self.is_named,
            home: self.home,
            placements: self.placements.iter().filter_map(placement).collect(),
            content: self.content(),
        }
    }
}

/// Which message has a Message-ID and body: for threads and duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexRow {
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
    pub(crate) received_at: i64,
}

impl IndexRow {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::value(41);
        writer.raw(self.email_id.as_bytes());
        writer.raw(self.thread_id.as_bytes());
        writer.i64(self.received_at);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "Message-ID row")?;
        let row = Self {
            email_id: EmailId::from_bytes(reader.array()?),
            thread_id: ThreadId::from_bytes(reader.array()?),
            received_at: reader.i64()?,
        };
        reader.end()?;
        Ok(row)
    }
}
