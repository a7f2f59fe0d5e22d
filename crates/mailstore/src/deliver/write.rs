//! Adding to the commit what a plan asks for.

use super::{IndexChange, Kept, Plan, Shared};
use crate::Cause;
use crate::change::{Change, Delta, signed};
use crate::keys;
use crate::relocate::place_again;
use crate::rows::{FlagsRow, IndexRow, MessageRow, MetaRow};
use crate::{MailError, Mailstore, Placing};
use bytes::Bytes;
use postroom_store::{BlobPut, CommitBuilder, Patch, PatchPlace, PatchSource, Value};
use postroom_types::{EmailId, MailboxId, ModSeq, ThreadId};

impl Mailstore {
    /// Adds a plan to the commit; the counter operation that allots its UID.
    pub(super) fn add(
        &self,
        builder: CommitBuilder,
        shared: &Shared<'_>,
        placing: &Placing,
        plan: &Plan,
        kept: &mut Kept,
    ) -> Result<(CommitBuilder, usize), MailError> {
        match plan {
            Plan::There(_) => Ok((builder, 0)),
            Plan::New {
                mailbox,
                home,
                thread_id,
                index,
                ..
            } => {
                let mut change = Change::begin(builder, placing.inbox, self.now());
                let cause = Cause::New(shared.message.origin);
                let operation = change.allot_uids(*mailbox, 1, cause, Some(placing.email_id));
                add_message(&mut change, shared, placing, (*mailbox, operation), *home, *thread_id)?;
                add_index(&mut change, shared, placing, *thread_id, index);
                add_blobs(&mut change, shared, placing, kept);
                Ok((change.finish(), operation))
            }
            Plan::Another {
                mailbox,
                old,
                row,
                email_id,
                meta,
                ..
            } => {
                let mut change = Change::begin(builder, placing.inbox, self.now());
                let operation = change.allot_uids(*mailbox, 1, Cause::Placed, Some(*email_id));
                let mut row = row.clone();
                let (value, patches) = place_again(&mut row, *mailbox, operation, &[0])
                    .ok_or(MailError::Limit("too many placements of one message"))?;
                let key = keys::message(placing.inbox, *email_id);
                change.builder.require(key.clone(), old.clone());
                change.builder.put_patched(key, value, patches);
                add_placement(
                    &mut change,
                    placing,
                    *mailbox,
                    operation,
                    *email_id,
                    row.size_octets(),
                    meta.clone(),
                );
                Ok((change.finish(), operation))
            }
        }
    }
}

fn add_message(
    change: &mut Change,
    shared: &Shared<'_>,
    placing: &Placing,
    (mailbox, operation): (MailboxId, usize),
    home: MailboxId,
    thread_id: ThreadId,
) -> Result<(), MailError> {
    let message = shared.message;
    let row = MessageRow {
        placements: vec![(mailbox, 0)],
        blob: shared.blob,
        body_octets: message.body.len() as u64,
        body_hash: shared.body_hash,
        summary_blob: shared.summary_blob.as_ref().map(|(id, _)| *id),
        origin: message.origin,
        home,
        thread_id,
        received_at: message.received_at,
        message_id: shared.message_id,
        verdict: message.verdict.clone(),
        prefix: message.prefix.clone(),
    };
    let value = row.write().ok_or(MailError::TooBig)?;
    let meta = MetaRow {
        email_id: placing.email_id,
        thread_id,
        internal_date: placing.internal_date,
        size_octets: message.octets(),
        summary: shared.summary.clone(),
    };
    let uid = Patch {
        source: PatchSource::Counter(operation),
        minus: 0,
        place: PatchPlace::Value(MessageRow::uid_offset(0)),
    };
    let key = keys::message(placing.inbox, placing.email_id);
    change.put_new_patched(key, value, vec![uid]);
    change.builder.put(
        keys::thread_member(placing.inbox, thread_id, placing.email_id),
        vec![crate::codec::FORMAT],
    );
    change.count_usage(1, signed(message.octets()));
    add_placement(
        change,
        placing,
        mailbox,
        operation,
        placing.email_id,
        message.octets(),
        meta.write(),
    );
    Ok(())
}

fn add_placement(
    change: &mut Change,
    placing: &Placing,
    mailbox: MailboxId,
    operation: usize,
    email_id: EmailId,
    octets: u64,
    meta: Value,
) {
    let mut delta = Delta::default();
    delta.add(placing.flags.system, octets);
    change.count_mailbox(mailbox, delta);
    let mut flags = postroom_types::MessageFlags::default();
    flags.add(&placing.flags);
    let row = FlagsRow {
        modseq: ModSeq(0),
        email_id,
        flags,
    };
    change.put_placement(mailbox, operation, 0, &row, meta);
}

fn add_index(change: &mut Change, shared: &Shared<'_>, placing: &Placing, thread_id: ThreadId, index: &IndexChange) {
    let row = IndexRow {
        email_id: placing.email_id,
        thread_id,
        received_at: shared.message.received_at,
    };
    match index {
        IndexChange::Keep => {}
        IndexChange::Put(key) => {
            change.builder.put_new(key.clone(), row.write());
        }
        IndexChange::Replace(key, old) => {
            change.builder.replace(key.clone(), old.clone(), row.write());
        }
    }
}

/// The first owner brings a body, the others adopt it.
fn add_blobs(change: &mut Change, shared: &Shared<'_>, placing: &Placing, kept: &mut Kept) {
    let witness = keys::message(placing.inbox, placing.email_id);
    let mut add = |id, bytes: Bytes, kept: &mut bool| {
        change.builder.blob(BlobPut {
            id,
            bytes: if *kept { Bytes::new() } else { bytes },
            witness: witness.clone(),
            adopt: *kept,
        });
        *kept = true;
    };
    add(shared.blob, shared.message.body.clone(), &mut kept.body);
    if let Some((id, bytes)) = &shared.summary_blob {
        add(*id, bytes.clone().into(), &mut kept.summary);
    }
}
