//! The two rows of a placement: flags, which change, and metadata, which does not.

use super::summary::{read_summary, write_summary};
use crate::Content;
use crate::codec::{Corrupt, Reader, Writer};
use postroom_types::{BlobId, EmailId, Flags, InternalDate, Keyword, MessageFlags, ModSeq, Summary, ThreadId};

/// The third version of a flags row says where the message is; the second lacks that; the first also lacks the arrival,
/// which is what a mailbox has to know of a message to be opened.
const FLAGS_VERSION: u8 = 3;
const FLAGS_VERSION_OF_ARRIVAL: u8 = 2;

/// The version of metadata rows whose date has a zone; those of the first version are in UTC.
const META_VERSION: u8 = 2;

/// Where the modseq stands in a flags row.
pub(crate) const FLAGS_MODSEQ: usize = 1;

/// Flags of one placement, and which message it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagsRow {
    pub(crate) modseq: ModSeq,
    pub(crate) email_id: EmailId,
    pub(crate) flags: MessageFlags,
    /// `None` in a row of the first version; the metadata row knows most of it.
    pub(crate) arrival: Option<Arrival>,
    /// The blob that is the message from its first octet to its last. `None`: something stands before it, or an earlier
    /// version wrote the row; the message row knows.
    pub(crate) whole: Option<BlobId>,
}

/// How and when a message came into its mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// INTERNALDATE, as in the metadata row.
    pub(crate) internal_date: InternalDate,
    /// As in the metadata row.
    pub(crate) size_octets: u64,
    /// When it was put into the mailbox, seconds since 1970 UTC (RFC 8514); `None`: not known.
    pub(crate) saved_at: Option<i64>,
}

impl FlagsRow {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = match self.arrival {
            None => Writer::value(64),
            Some(_) => Writer::version(FLAGS_VERSION, 80),
        };
        writer.u64(self.modseq.0);
        writer.u8(self.flags.system.bits());
        writer.raw(self.email_id.as_bytes());
        if let Some(arrival) = self.arrival {
            writer.i64(arrival.internal_date.seconds);
            write_zone(&mut writer, arrival.internal_date);
            writer.varint(arrival.size_octets);
            // 0 is not known.
            writer.varint(arrival.saved_at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0));
            writer.maybe_bytes(self.whole.as_ref().map(|id| id.0.as_slice()));
        }
        writer.varint(self.flags.keywords.len() as u64);
        for keyword in &self.flags.keywords {
            writer.bytes(keyword.as_str().as_bytes());
        }
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let (version, mut reader) = Reader::versions(value, "flags row", FLAGS_VERSION)?;
        let modseq = ModSeq(reader.u64()?);
        let system = Flags::from_bits(reader.u8()?);
        let email_id = EmailId::from_bytes(reader.array()?);
        let mut arrival = None;
        if version >= FLAGS_VERSION_OF_ARRIVAL {
            arrival = Some(read_arrival(&mut reader)?);
        }
        let mut whole = None;
        if version >= FLAGS_VERSION {
            whole = reader.maybe_array()?.map(BlobId);
        }
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
            arrival,
            whole,
        })
    }

    /// Where the bytes of the message are, if the row says so.
    pub(crate) fn content(&self) -> Option<Content> {
        Some(Content {
            prefix: Vec::new(),
            blob: self.whole?,
            body_octets: self.arrival?.size_octets,
        })
    }
}

fn read_arrival(reader: &mut Reader<'_>) -> Result<Arrival, Corrupt> {
    let seconds = reader.i64()?;
    let internal_date = read_zone(reader, seconds)?;
    let size_octets = reader.varint()?;
    let saved_at = i64::try_from(reader.varint()?).map_err(|_| reader.corrupt())?;
    Ok(Arrival {
        internal_date,
        size_octets,
        saved_at: (saved_at != 0).then_some(saved_at),
    })
}

/// One octet.
fn write_zone(writer: &mut Writer, date: InternalDate) {
    writer.u8(date.zone_quarters().cast_unsigned());
}

fn read_zone(reader: &mut Reader<'_>, seconds: i64) -> Result<InternalDate, Corrupt> {
    let zone = reader.u8()?.cast_signed();
    let date = InternalDate::with_quarters(seconds, zone);
    // Only what is no zone becomes another.
    if date.zone_quarters() == zone {
        Ok(date)
    } else {
        Err(reader.corrupt())
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
    pub(crate) internal_date: InternalDate,
    pub(crate) size_octets: u64,
    pub(crate) summary: SummaryPlace,
}

/// A metadata row whose summary is not decoded yet.
pub(crate) struct RawMeta<'a> {
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
    pub(crate) internal_date: InternalDate,
    pub(crate) size_octets: u64,
    inline: Option<&'a [u8]>,
    blob: Option<BlobId>,
}

impl<'a> RawMeta<'a> {
    fn read(value: &'a [u8]) -> Result<Self, Corrupt> {
        let (version, mut reader) = Reader::versions(value, "metadata row", META_VERSION)?;
        let email_id = EmailId::from_bytes(reader.array()?);
        let thread_id = ThreadId::from_bytes(reader.array()?);
        let seconds = reader.i64()?;
        let internal_date = match version {
            META_VERSION => read_zone(&mut reader, seconds)?,
            _ => InternalDate::utc(seconds),
        };
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

    /// The length of the summary, which is the end of the row if it is in it at all.
    pub(crate) fn summary_octets(&self) -> usize {
        self.inline.map_or(0, <[u8]>::len)
    }

    /// The summary if it is in the row.
    pub(crate) fn summary(&self) -> Result<Option<Summary>, Corrupt> {
        self.inline.map(read_summary).transpose()
    }

    /// What flags rows of the first version lack; the time of saving is not known.
    pub(crate) const fn arrival(&self) -> Arrival {
        Arrival {
            internal_date: self.internal_date,
            size_octets: self.size_octets,
            saved_at: None,
        }
    }

    /// The blob that holds the summary if it is not in the row.
    pub(crate) const fn blob(&self) -> Option<BlobId> {
        self.blob
    }
}

impl MetaRow {
    pub(crate) fn write(&self) -> Vec<u8> {
        let has_zone = self.internal_date.zone_quarters() != 0;
        let mut writer = match has_zone {
            true => Writer::version(META_VERSION, 128),
            false => Writer::value(128),
        };
        writer.raw(self.email_id.as_bytes());
        writer.raw(self.thread_id.as_bytes());
        writer.i64(self.internal_date.seconds);
        if has_zone {
            write_zone(&mut writer, self.internal_date);
        }
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
