//! The smaller rows: attempts, reports, leases, captured messages.

use crate::codec::{Corrupt, MAX_TEXT_OCTETS, Reader, Writer};
use crate::model::{Contact, ItemId, QueuedBody, Reason};
use crate::view::{Attempt, AttemptOutcome, Captured, LaterReport};
use postroom_message::ReportKind;
use postroom_store::Value;
use postroom_types::{BlobId, EmailAddress, ReversePath};

/// How far an attempt is known to have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Open; of the content nothing was sent, where [`ContentMark`](crate::ContentMark) is used.
    Open,
    /// Open, and content may have been sent.
    Content,
    /// Over, at this time.
    Ended(i64),
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttemptRow {
    pub(crate) started_at: i64,
    pub(crate) stage: Stage,
    pub(crate) contact: Contact,
    pub(crate) outcome: AttemptOutcome,
    pub(crate) reason: Reason,
}

impl AttemptRow {
    pub(crate) fn write(&self) -> Value {
        let mut writer = Writer::value();
        writer.i64(self.started_at);
        let (stage, ended_at) = match self.stage {
            Stage::Open => (0, 0),
            Stage::Ended(at) => (1, at),
            Stage::Content => (2, 0),
        };
        writer.u8(stage);
        writer.i64(ended_at);
        writer.contact(&self.contact);
        writer.u8(self.outcome as u8);
        writer.reason(&self.reason);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "delivery attempt")?;
        let row = Self {
            started_at: reader.i64()?,
            stage: match (reader.u8()?, reader.i64()?) {
                (0, _) => Stage::Open,
                (1, at) => Stage::Ended(at),
                (2, _) => Stage::Content,
                _ => return Err(reader.corrupt()),
            },
            contact: reader.contact()?,
            outcome: match reader.u8()? {
                1 => AttemptOutcome::Open,
                2 => AttemptOutcome::Delivered,
                3 => AttemptOutcome::Deferred,
                4 => AttemptOutcome::Bounced,
                5 => AttemptOutcome::Uncertain,
                _ => return Err(reader.corrupt()),
            },
            reason: reader.reason()?,
        };
        reader.end()?;
        Ok(row)
    }

    pub(crate) fn attempt(self, number: u32) -> Attempt {
        Attempt {
            number,
            started_at: self.started_at,
            ended_at: match self.stage {
                Stage::Ended(at) => Some(at),
                Stage::Open | Stage::Content => None,
            },
            contact: self.contact,
            outcome: self.outcome,
            reason: self.reason,
        }
    }
}

pub(crate) fn write_report(report: &LaterReport) -> Value {
    let mut writer = Writer::value();
    writer.u8(match report.kind {
        ReportKind::Failed => 1,
        ReportKind::Delayed => 2,
        ReportKind::Delivered => 3,
        ReportKind::Relayed => 4,
        ReportKind::Expanded => 5,
        ReportKind::Complaint => 6,
    });
    writer.i64(report.received_at);
    writer.line(&report.status, 16);
    writer.line(&report.diagnostic, MAX_TEXT_OCTETS);
    writer.finish()
}

pub(crate) fn read_report(value: &[u8]) -> Result<LaterReport, Corrupt> {
    let mut reader = Reader::value(value, "later report")?;
    let report = LaterReport {
        kind: match reader.u8()? {
            1 => ReportKind::Failed,
            2 => ReportKind::Delayed,
            3 => ReportKind::Delivered,
            4 => ReportKind::Relayed,
            5 => ReportKind::Expanded,
            6 => ReportKind::Complaint,
            _ => return Err(reader.corrupt()),
        },
        received_at: reader.i64()?,
        status: reader.text()?.to_owned(),
        diagnostic: reader.text()?.to_owned(),
    };
    reader.end()?;
    Ok(report)
}

/// Who works on a shard. The number grows with each takeover, so no two holders ever have the same row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseRow {
    pub(crate) number: u64,
    pub(crate) holder: [u8; 16],
}

impl LeaseRow {
    pub(crate) fn write(self) -> Value {
        let mut writer = Writer::value();
        writer.u64(self.number);
        writer.raw(&self.holder);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "lease")?;
        let row = Self {
            number: reader.u64()?,
            holder: reader.array()?,
        };
        reader.end()?;
        Ok(row)
    }
}

/// A message kept instead of sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CapturedRow {
    pub(crate) envelope_from: ReversePath,
    pub(crate) address: EmailAddress,
    pub(crate) captured_at: i64,
    pub(crate) body: QueuedBody,
    pub(crate) prefix: Vec<u8>,
}

impl CapturedRow {
    pub(crate) fn write(&self) -> Value {
        let mut writer = Writer::value();
        writer.reverse_path(&self.envelope_from);
        writer.bytes(self.address.to_string().as_bytes());
        writer.i64(self.captured_at);
        writer.raw(&self.body.blob.0);
        writer.u64(self.body.octets);
        writer.bytes(&self.prefix);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "captured message")?;
        let row = Self {
            envelope_from: reader.reverse_path()?,
            address: reader.address()?,
            captured_at: reader.i64()?,
            body: QueuedBody {
                blob: BlobId(reader.array()?),
                octets: reader.u64()?,
            },
            prefix: reader.bytes()?.to_vec(),
        };
        reader.end()?;
        Ok(row)
    }

    pub(crate) fn shown(self, id: ItemId) -> Captured {
        Captured {
            id,
            size_octets: self.prefix.len() as u64 + self.body.octets,
            envelope_from: self.envelope_from,
            address: self.address,
            captured_at: self.captured_at,
        }
    }
}
