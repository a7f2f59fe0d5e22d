//! The message row: what all recipients share.

use crate::codec::{Corrupt, Reader, Writer};
use crate::model::{NewQueued, QueuedBody};
use postroom_store::Value;
use postroom_types::{BlobId, InboxId, ReversePath};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) sender: Option<InboxId>,
    pub(crate) reverse_path: ReversePath,
    pub(crate) verp: bool,
    pub(crate) eight_bit: bool,
    pub(crate) smtputf8: bool,
    pub(crate) body: QueuedBody,
    pub(crate) created_at: i64,
    pub(crate) recipients: u16,
    pub(crate) prefix: Vec<u8>,
}

impl MessageRow {
    pub(crate) fn of(message: &NewQueued) -> Self {
        Self {
            sender: message.sender,
            reverse_path: message.reverse_path.clone(),
            verp: message.verp,
            eight_bit: message.eight_bit,
            smtputf8: message.smtputf8,
            body: message.body,
            created_at: message.created_at,
            recipients: u16::try_from(message.recipients.len()).unwrap_or(u16::MAX),
            prefix: message.prefix.clone(),
        }
    }

    pub(crate) fn write(&self) -> Value {
        let mut writer = Writer::value();
        writer.inbox(self.sender);
        writer.reverse_path(&self.reverse_path);
        writer.bool(self.verp);
        writer.bool(self.eight_bit);
        writer.bool(self.smtputf8);
        writer.raw(&self.body.blob.0);
        writer.u64(self.body.octets);
        writer.i64(self.created_at);
        writer.u16(self.recipients);
        writer.bytes(&self.prefix);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "queued message")?;
        let row = Self {
            sender: reader.inbox()?,
            reverse_path: reader.reverse_path()?,
            verp: reader.bool()?,
            eight_bit: reader.bool()?,
            smtputf8: reader.bool()?,
            body: QueuedBody {
                blob: BlobId(reader.array()?),
                octets: reader.u64()?,
            },
            created_at: reader.i64()?,
            recipients: reader.u16()?,
            prefix: reader.bytes()?.to_vec(),
        };
        reader.end()?;
        Ok(row)
    }
}
