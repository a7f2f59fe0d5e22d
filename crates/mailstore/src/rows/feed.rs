//! A feed row: what one commit did to one inbox.

use super::uids::{read_uids, write_uids};
use crate::codec::{Corrupt, Reader, Writer};
use crate::{Cause, FeedEntry, FeedEvent, Marked, Origin};
use postroom_types::{EmailId, Lsn, MailboxId, ModSeq, Uid};

/// What a commit that is being built will tell: UIDs that are not known yet are named by their counter operation.
#[derive(Clone, Debug)]
pub(crate) enum Patchable {
    /// Messages appear; the last UID comes from the counter operation with this index.
    Appended {
        mailbox: MailboxId,
        uid_operation: usize,
        count: u32,
        cause: Cause,
        email_id: Option<EmailId>,
    },
    /// All numbers are known.
    Known(FeedEvent),
}

/// The encoded row, and which numbers are to be patched in where.
pub(crate) struct FeedRow {
    pub(crate) value: Vec<u8>,
    /// Counter operation and offset.
    pub(crate) uids: Vec<(usize, usize)>,
}

impl FeedRow {
    /// Where the lsn stands.
    pub(crate) const LSN: usize = 1;

    pub(crate) fn write(at: i64, events: &[Patchable]) -> Self {
        let mut writer = Writer::value(128);
        let mut uids = Vec::new();
        writer.u64(0);
        writer.i64(at);
        writer.varint(events.len() as u64);
        for event in events {
            match event {
                Patchable::Known(event) => write_event(&mut writer, event),
                Patchable::Appended {
                    mailbox,
                    uid_operation,
                    count,
                    cause,
                    email_id,
                } => {
                    writer.u8(1);
                    writer.raw(mailbox.as_bytes());
                    uids.push((*uid_operation, writer.octets()));
                    write_appended(&mut writer, 0, *count, *cause, *email_id);
                }
            }
        }
        Self {
            value: writer.finish(),
            uids,
        }
    }

    pub(crate) fn read(modseq: ModSeq, value: &[u8]) -> Result<FeedEntry, Corrupt> {
        let mut reader = Reader::value(value, "feed row")?;
        let lsn = Lsn(reader.u64()?);
        let at = reader.i64()?;
        let count = reader.count()?;
        let mut events = Vec::with_capacity(count);
        for _ in 0..count {
            events.push(read_event(&mut reader)?);
        }
        reader.end()?;
        Ok(FeedEntry {
            modseq,
            lsn,
            at,
            events,
        })
    }
}

fn write_appended(writer: &mut Writer, last: u64, count: u32, cause: Cause, email_id: Option<EmailId>) {
    writer.u64(last);
    writer.varint(u64::from(count));
    writer.u8(match cause {
        Cause::Placed => 0,
        Cause::New(origin) => origin as u8,
    });
    writer.maybe_bytes(email_id.as_ref().map(|id| id.as_bytes().as_slice()));
}

fn write_event(writer: &mut Writer, event: &FeedEvent) {
    let mut head = |kind: u8, mailbox: &MailboxId| {
        writer.u8(kind);
        writer.raw(mailbox.as_bytes());
    };
    match event {
        FeedEvent::Appended {
            mailbox,
            last,
            count,
            cause,
            email_id,
        } => {
            head(1, mailbox);
            write_appended(writer, u64::from(last.get()), *count, *cause, *email_id);
        }
        FeedEvent::Flags { mailbox, uids } => {
            head(2, mailbox);
            write_uids(writer, uids);
        }
        FeedEvent::Expunged { mailbox, uids, gone } => {
            head(3, mailbox);
            write_uids(writer, uids);
            writer.varint(gone.len() as u64);
            for email_id in gone {
                writer.raw(email_id.as_bytes());
            }
        }
        FeedEvent::Labels(marks) => write_marks(writer, marks),
        FeedEvent::MailboxCreated(mailbox) => head(4, mailbox),
        FeedEvent::MailboxDeleted(mailbox) => head(5, mailbox),
        FeedEvent::MailboxRenamed(mailbox) => head(6, mailbox),
    }
}

fn read_event(reader: &mut Reader<'_>) -> Result<FeedEvent, Corrupt> {
    let kind = reader.u8()?;
    if kind == 7 {
        return Ok(FeedEvent::Labels(read_marks(reader)?));
    }
    let mailbox = MailboxId::from_bytes(reader.array()?);
    Ok(match kind {
        1 => read_appended(reader, mailbox)?,
        2 => FeedEvent::Flags {
            mailbox,
            uids: read_uids(reader)?,
        },
        3 => {
            let uids = read_uids(reader)?;
            let count = reader.count()?;
            let mut gone = Vec::new();
            for _ in 0..count {
                gone.push(EmailId::from_bytes(reader.array()?));
            }
            FeedEvent::Expunged { mailbox, uids, gone }
        }
        4 => FeedEvent::MailboxCreated(mailbox),
        5 => FeedEvent::MailboxDeleted(mailbox),
        6 => FeedEvent::MailboxRenamed(mailbox),
        _ => return Err(reader.corrupt()),
    })
}

fn write_marks(writer: &mut Writer, marks: &[Marked]) {
    writer.u8(7);
    writer.varint(marks.len() as u64);
    for mark in marks {
        writer.bytes(mark.label.as_bytes());
        writer.u8(u8::from(mark.added));
        writer.varint(mark.messages.len() as u64);
        for email_id in &mark.messages {
            writer.raw(email_id.as_bytes());
        }
    }
}

fn read_marks(reader: &mut Reader<'_>) -> Result<Vec<Marked>, Corrupt> {
    let count = reader.count()?;
    let mut marks = Vec::new();
    for _ in 0..count {
        let label = reader.text()?.to_owned();
        let added = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(reader.corrupt()),
        };
        let messages = reader.count()?;
        let mut mark = Marked {
            label,
            added,
            messages: Vec::new(),
        };
        for _ in 0..messages {
            mark.messages.push(EmailId::from_bytes(reader.array()?));
        }
        marks.push(mark);
    }
    Ok(marks)
}

fn read_appended(reader: &mut Reader<'_>, mailbox: MailboxId) -> Result<FeedEvent, Corrupt> {
    let last = u32::try_from(reader.u64()?).ok().and_then(Uid::new);
    let last = last.ok_or(reader.corrupt())?;
    let count = u32::try_from(reader.varint()?).map_err(|_| reader.corrupt())?;
    if count == 0 || count > last.get() {
        return Err(reader.corrupt());
    }
    let cause = match reader.u8()? {
        0 => Cause::Placed,
        origin => Cause::New(Origin::from_byte(origin).ok_or(reader.corrupt())?),
    };
    let email_id = match reader.maybe_bytes()? {
        None => None,
        Some(bytes) => Some(EmailId::from_bytes(bytes.try_into().map_err(|_| reader.corrupt())?)),
    };
    Ok(FeedEvent::Appended {
        mailbox,
        last,
        count,
        cause,
        email_id,
    })
}
