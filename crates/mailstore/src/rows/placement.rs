//! The two rows of a placement: flags, which change, and metadata, which does not.

use super::summary::{read_summary, write_summary};
use crate::codec::{Corrupt, Reader, Writer};
use postroom_types::{BlobId, EmailId, Flags, Keyword, MessageFlags, ModSeq, Summary, ThreadId};

/// Where the modseq stands in a flags row.
pub(crate) const FLAGS_MODSEQ: usize = 1;

/// Flags of one placement, and which message it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagsRow {
    pub(crate) modseq: ModSeq,
    pub(crate) email_id: EmailId,
    pub(crate) flags: MessageFlags,
}

impl FlagsRow {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::value(64);
        writer.u64(self.modseq.0);
        writer.u8(self.flags.system.bits());
        writer.raw(self.email_id.as_bytes());
        writer.varint(self.flags.keywords.len() as u64);
        for keyword in &self.flags.keywords {
            writer.bytes(keyword.as_str().as_bytes());
        }
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "flags row")?;
        let modseq = ModSeq(reader.u64()?);
        let system = Flags::from_bits(reader.u8()?);
        let email_id = EmailId::from_bytes(reader.array()?);
        let count = reader.count()?;
        let mut keywords = Vec::with_capacity(count);
        for _ in 0..count {
            let text = reader.text()?;
            keywords.push(Keyword::new(text).ok_or(reader.corrupt())?);
        }
        reader.end()?;
        Ok(Self {
            modseq,
            email_id,
            flags: MessageFlags { system, keywords },
        })
    }
}

/// Where a summary is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SummaryPlace {
    /// In the row, encoded.
    Inline(Vec<u8>),
    /// In a blob, because it is long; it lives as long as the message row.
    Blob(BlobId),
}

impl SummaryPlace {
    /// Longest summary kept in a row; with the rest of the row it stays below the limit of a value.
    const MAX_INLINE_OCTETS: usize = 3072;

    /// Encodes a summary, and says what is to be put into a blob if it is long.
    pub(crate) fn of(summary: &Summary) -> (Self, Option<(BlobId, Vec<u8>)>) {
        let encoded = write_summary(summary);
        if encoded.len() <= Self::MAX_INLINE_OCTETS {
            return (Self::Inline(encoded), None);
        }
        let id = BlobId::new();
        (Self::Blob(id), Some((id, encoded)))
    }
}

/// What FETCH wants of a placement without the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetaRow {
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
    pub(crate) internal_date: i64,
    pub(crate) size_octets: u64,
    pub(crate) summary: SummaryPlace,
}

/// A metadata row whose summary is not decoded yet.
pub(crate) struct RawMeta<'a> {
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
    pub(crate) internal_date: i64,
    pub(crate) size_octets: u64,
    inline: Option<&'a [u8]>,
    blob: Option<BlobId>,
}

impl<'a> RawMeta<'a> {
    fn read(value: &'a [u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "metadata row")?;
        let email_id = EmailId::from_bytes(reader.array()?);
        let thread_id = ThreadId::from_bytes(reader.array()?);
        let internal_date = reader.i64()?;
        let size_octets = reader.varint()?;
        let (inline, blob) = match reader.u8()? {
            0 => (Some(reader.bytes()?), None),
            1 => (None, Some(BlobId(reader.array()?))),
            _ => return Err(reader.corrupt()),
        };
        reader.end()?;
        Ok(Self {
            email_id,
            thread_id,
            internal_date,
            size_octets,
            inline,
            blob,
        })
    }

    /// The summary if it is in the row.
    pub(crate) fn summary(&self) -> Result<Option<Summary>, Corrupt> {
        self.inline.map(read_summary).transpose()
    }

    /// The blob that holds the summary if it is not in the row.
    pub(crate) const fn blob(&self) -> Option<BlobId> {
        self.blob
    }
}

impl MetaRow {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::value(128);
        writer.raw(self.email_id.as_bytes());
        writer.raw(self.thread_id.as_bytes());
        writer.i64(self.internal_date);
        writer.varint(self.size_octets);
        match &self.summary {
            SummaryPlace::Inline(encoded) => {
                writer.u8(0);
                writer.bytes(encoded);
            }
            SummaryPlace::Blob(id) => {
                writer.u8(1);
                writer.raw(&id.0);
            }
        }
        writer.finish()
    }

    /// Reads the row without decoding the summary, which is most of the work.
    pub(crate) fn raw(value: &[u8]) -> Result<RawMeta<'_>, Corrupt> {
        RawMeta::read(value)
    }
}
