//! Adding to the commit what a plan asks for.

use super::{IndexChange, Kept, Plan, Shared};
use crate::Cause;
use crate::change::{Change, Delta, signed};
use crate::keys;
use crate::relocate::place_again;
use crate::rows::{Arrival, FlagsRow, IndexRow, MessageRow, MetaRow, TextPlace};
use crate::{Announce, MailError, Mailstore, Placing};
use bytes::Bytes;
use postroom_feed::{NewEvent, What, announce};
use postroom_store::{BlobPut, CommitBuilder, Patch, PatchPlace, PatchSource, Value};
use postroom_types::{BlobId, EmailId, MailboxId, ModSeq, ThreadId};

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
                name,
                index,
                ..
            } => {
                let mut change = Change::begin(builder, placing.inbox, self.now());
                let cause = Cause::New(shared.message.origin);
                let operation = change.allot_uids(*mailbox, 1, cause, Some(placing.email_id));
                let place = Place {
                    mailbox: *mailbox,
                    operation,
                    minus: 0,
                    saved_at: self.now_seconds(),
                };
                let mut tally = Tally::default();
                add_message(
                    &mut change,
                    shared,
                    placing,
                    &place,
                    (*home, *thread_id, name.is_some()),
                    &mut tally,
                )?;
                add_index(&mut change, shared, placing, *thread_id, name.as_ref().unwrap_or(index));
                add_blobs(&mut change, shared, placing, kept);
                announce_received(&mut change, shared, placing, placing.email_id);
                tally.count(&mut change, *mailbox);
                Ok((change.finish(), operation))
            }
            Plan::Another {
                mailbox,
                old,
                row,
                email_id,
                meta,
                told,
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
                let place = Place {
                    mailbox: *mailbox,
                    operation,
                    minus: 0,
                    saved_at: self.now_seconds(),
                };
                let mut tally = Tally::default();
                let of = (*email_id, row.whole());
                add_placement(&mut change, placing, &place, of, meta.clone(), &mut tally)?;
                told.clone().add(&mut change, *email_id);
                announce_received(&mut change, shared, placing, *email_id);
                tally.count(&mut change, *mailbox);
                Ok((change.finish(), operation))
            }
        }
    }
}

/// Where a placement goes.
pub(super) struct Place {
    pub(super) mailbox: MailboxId,
    /// The counter operation that allots its UID.
    pub(super) operation: usize,
    /// How far its UID lies below the last one allotted.
    pub(super) minus: u64,
    /// When: seconds since 1970 UTC.
    pub(super) saved_at: i64,
}

/// How counts move by what is added.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) delta: Delta,
    pub(super) messages: i64,
    pub(super) octets: i64,
}

impl Tally {
    pub(super) fn count(self, change: &mut Change, mailbox: MailboxId) {
        change.count_usage(self.messages, self.octets);
        change.count_mailbox(mailbox, self.delta);
    }
}

pub(super) fn add_message(
    change: &mut Change,
    shared: &Shared<'_>,
    placing: &Placing,
    place: &Place,
    (home, thread_id, is_named): (MailboxId, ThreadId, bool),
    tally: &mut Tally,
) -> Result<(), MailError> {
    let message = shared.message;
    let row = MessageRow {
        placements: vec![(place.mailbox, 0)],
        blob: shared.blob,
        body_octets: (shared.joined_octets() + message.body.len()) as u64,
        body_hash: shared.body_hash,
        summary_blob: shared.summary_blob.as_ref().map(|(id, _)| *id),
        origin: message.origin,
        home,
        thread_id,
        received_at: message.received_at,
        message_id: shared.message_id,
        verdict: message.verdict.clone(),
        prefix: shared.prefix().to_vec(),
        text: shared.text().0,
        is_named,
        hashed_from: shared.joined_octets() as u64,
        other_home: None,
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
        source: PatchSource::Counter(place.operation),
        minus: place.minus,
        place: PatchPlace::Value(MessageRow::uid_offset(0)),
    };
    let key = keys::message(placing.inbox, placing.email_id);
    change.put_new_patched(key, value, vec![uid]);
    change.builder.put(
        keys::thread_member(placing.inbox, thread_id, placing.email_id),
        vec![crate::codec::FORMAT],
    );
    tally.messages += 1;
    tally.octets += signed(message.octets());
    let of = (placing.email_id, row.whole());
    add_placement(change, placing, place, of, meta.write(), tally)
}

fn add_placement(
    change: &mut Change,
    placing: &Placing,
    place: &Place,
    (email_id, whole): (EmailId, Option<BlobId>),
    meta: Value,
    tally: &mut Tally,
) -> Result<(), MailError> {
    // The date is that of the metadata: one more placement of a message that is there has its date.
    let arrival = Arrival {
        saved_at: Some(place.saved_at),
        ..MetaRow::raw(&meta)?.arrival()
    };
    tally.delta.add(placing.flags.system, arrival.size_octets);
    let mut flags = postroom_types::MessageFlags::default();
    flags.add(&placing.flags);
    let row = FlagsRow {
        modseq: ModSeq(0),
        email_id,
        flags,
        arrival: Some(arrival),
        whole,
    };
    change.put_placement(place.mailbox, place.operation, place.minus, &row, meta);
    Ok(())
}

pub(super) fn add_index(
    change: &mut Change,
    shared: &Shared<'_>,
    placing: &Placing,
    thread_id: ThreadId,
    index: &IndexChange,
) {
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

/// Tells the organization, if the caller wants it told.
fn announce_received(change: &mut Change, shared: &Shared<'_>, placing: &Placing, message: EmailId) {
    if let Some(Announce {
        organization,
        received_as,
    }) = placing.announce
    {
        let event = NewEvent {
            at: shared.message.received_at,
            inbox: Some(placing.inbox),
            what: What::Received { message, received_as },
        };
        announce(&mut change.builder, organization, &[event]);
    }
}

/// The first owner brings a body, the others adopt it.
pub(super) fn add_blobs(change: &mut Change, shared: &Shared<'_>, placing: &Placing, kept: &mut Kept) {
    let witness = keys::message(placing.inbox, placing.email_id);
    let mut add = |id, bytes: &dyn Fn() -> Bytes, kept: &mut bool| {
        change.builder.blob(BlobPut {
            id,
            bytes: if *kept { Bytes::new() } else { bytes() },
            witness: witness.clone(),
            adopt: *kept,
        });
        *kept = true;
    };
    add(shared.blob, &|| shared.blob_bytes(), &mut kept.body);
    if let Some((id, bytes)) = &shared.summary_blob {
        add(*id, &|| bytes.clone().into(), &mut kept.summary);
    }
    if let (TextPlace::Blob(id, _), Some(bytes)) = shared.text() {
        add(*id, &|| bytes.clone(), &mut kept.text);
    }
}
