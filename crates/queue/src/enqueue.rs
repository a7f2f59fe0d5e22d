//! The way in: rows for a commit that somebody else makes.

use crate::keys::{self, DueRow, LineId};
use crate::model::{Destination, ItemId, NewQueued};
use crate::rows::{ItemRow, MessageRow};
use crate::shared::Shared;
use crate::{MAX_PREFIX_OCTETS, MAX_RECIPIENTS, Queue, QueueError};
use bytes::Bytes;
use postroom_store::{BlobPut, CommitBuilder};
use std::collections::BTreeSet;

/// What [`Queue::enqueue`] added, for [`Queue::committed`].
#[derive(Clone, Debug)]
pub struct Enqueued {
    due_at: i64,
    /// Empty if the message is held.
    destinations: BTreeSet<Destination>,
}

impl Queue {
    /// Adds a message to a commit. Its row, put under Absent, is the once-key: a conflict on a key that begins with `q`
    /// says that the message is in the queue already.
    ///
    /// With a `body`, the commit also keeps it, as `message.body`; without, it adopts that blob, and the caller's part
    /// of the commit proves an owner.
    ///
    /// # Errors
    /// [`QueueError::Invalid`]: the message breaks a bound; nothing was added.
    pub fn enqueue(
        &self,
        builder: &mut CommitBuilder,
        message: &NewQueued,
        body: Option<Bytes>,
    ) -> Result<Enqueued, QueueError> {
        enqueue(builder, message, body)
    }

    /// Says that the commit with this message is durable: its work may begin. If this call is lost, the work is found
    /// by the next check of the agenda.
    pub fn committed(&self, enqueued: &Enqueued) {
        self.shared.committed(enqueued);
    }
}

impl Shared {
    pub(crate) fn committed(&self, enqueued: &Enqueued) {
        for destination in &enqueued.destinations {
            self.note(destination, enqueued.due_at);
        }
    }

    /// There is work for this destination; if it is ours to do, somebody may wait for it.
    pub(crate) fn note(&self, destination: &Destination, due_at: i64) {
        let line = LineId::of(destination);
        if self.leases.holds(line.shard) {
            self.agenda().note(line, destination, due_at);
            self.changed.notify_waiters();
        }
    }
}

pub(crate) fn enqueue(
    builder: &mut CommitBuilder,
    message: &NewQueued,
    body: Option<Bytes>,
) -> Result<Enqueued, QueueError> {
    check(message, body.as_ref())?;
    let mut destinations = BTreeSet::new();
    let key = keys::message(message.id);
    builder.put_new(key.clone(), MessageRow::of(message).write());
    builder.blob(BlobPut {
        id: message.body.blob,
        adopt: body.is_none(),
        bytes: body.unwrap_or_default(),
        witness: key,
    });
    for (recipient, number) in message.recipients.iter().zip(0u16..) {
        let id = ItemId {
            message: message.id,
            recipient: number,
        };
        let row = ItemRow::of(message, recipient);
        builder.put(keys::item(id), row.write());
        if let Some(due) = row.due_key(id) {
            builder.put(due, DueRow::value(&row.destination));
            destinations.insert(row.destination);
        }
    }
    Ok(Enqueued {
        due_at: message.created_at,
        destinations,
    })
}

fn check(message: &NewQueued, body: Option<&Bytes>) -> Result<(), QueueError> {
    if message.recipients.is_empty() || message.recipients.len() > MAX_RECIPIENTS {
        return Err(QueueError::Invalid("the number of recipients"));
    }
    if message.prefix.len() > MAX_PREFIX_OCTETS {
        return Err(QueueError::Invalid("a prefix over 2,560 octets"));
    }
    if body.is_some_and(|body| body.len() as u64 != message.body.octets) {
        return Err(QueueError::Invalid("the size of the body"));
    }
    Ok(())
}
