//! What the tests share: a clock that follows tokio's paused time, and short ways to put mail in and take it out.

use bytes::Bytes;
use postroom_feed::{Cursor, Event, Feed};
use postroom_queue::{
    Contact, Destination, ItemId, ItemState, Job, NewQueued, NewRecipient, Options, Outcome, Queue, QueuedBody, Reason,
    RecipientStatus, Turn,
};
use postroom_store::{CommitBuilder, MemoryOptions, MemoryStore, SharedStore, commit_once};
use postroom_types::{BlobId, Domain, EmailAddress, EmailId, OrganizationId, ReversePath};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(crate) const EPOCH: i64 = 1_700_000_000_000;
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Whose feed is told.
pub(crate) const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([9; 16]);
pub(crate) const BODY: &[u8] = b"Subject: hello\r\nMessage-ID: <1@sender.test>\r\n\r\nsecret text\r\n";

/// Milliseconds since 1970 by tokio's clock, from [`EPOCH`] on.
pub(crate) fn options() -> Options {
    let start = Instant::now();
    options_from(start)
}

pub(crate) fn options_from(start: Instant) -> Options {
    Options {
        clock: Arc::new(move || EPOCH + i64::try_from(start.elapsed().as_millis()).unwrap()),
        ..Options::new("mx.sender.test".into(), domain("sender.test"))
    }
}

/// A store that shows at once when nobody keeps a body.
pub(crate) fn store() -> Arc<MemoryStore> {
    MemoryStore::with_options(MemoryOptions {
        blob_grace: Duration::ZERO,
        ..MemoryOptions::default()
    })
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// The `n`th message of a test, made at `at`.
pub(crate) fn id(at: i64, n: u64) -> EmailId {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&at.to_be_bytes()[2..]);
    bytes[6] = 0x70;
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    bytes[8] = 0x80;
    EmailId::from_bytes(bytes)
}

/// A message for these addresses, each to its domain.
pub(crate) fn message(options: &Options, n: u64, recipients: &[&str]) -> NewQueued {
    let created_at = (options.clock)();
    let recipients = recipients.iter().map(|text| NewRecipient {
        address: address(text),
        destination: Destination::Domain(address(text).domain().clone()),
    });
    let id = id(created_at, n);
    NewQueued {
        id,
        sender: None,
        organization: None,
        reverse_path: ReversePath::Mailbox(address("agent@sender.test")),
        verp: false,
        prefix: b"Received: here\r\n".to_vec(),
        body: QueuedBody {
            blob: BlobId(*id.as_bytes()),
            octets: BODY.len() as u64,
        },
        eight_bit: false,
        smtputf8: false,
        recipients: recipients.collect(),
        created_at,
        held: None,
    }
}

/// Puts a message into the queue, durably.
pub(crate) async fn put(queue: &Queue, store: &SharedStore, message: &NewQueued) {
    let mut builder = CommitBuilder::new();
    let enqueued = queue
        .enqueue(&mut builder, message, Some(Bytes::from_static(BODY)))
        .unwrap();
    let once = [b"qm", &message.id.as_bytes()[..]].concat();
    commit_once(&**store, builder.build(), &once).await.unwrap();
    queue.committed(&enqueued);
}

/// A queue that was started on this store.
pub(crate) async fn started(store: &Arc<MemoryStore>, options: &Options) -> (Queue, SharedStore) {
    let shared: SharedStore = Arc::clone(store) as SharedStore;
    let queue = Queue::new(Arc::clone(&shared), options.clone());
    queue.start().await.unwrap();
    (queue, shared)
}

/// The next turn with a job; the paused clock runs until there is one.
pub(crate) async fn job(queue: &Queue) -> (Turn, Job) {
    loop {
        let mut turn = queue.next_turn().await;
        if let Some(job) = turn.next_job().await.unwrap() {
            return (turn, job);
        }
    }
}

pub(crate) fn reason(code: u16, status: &str, text: &str) -> Reason {
    Reason {
        code,
        status: status.into(),
        text: text.into(),
    }
}

pub(crate) fn contact() -> Contact {
    Contact {
        host: "mx.peer.test".into(),
        address: "192.0.2.1:25".into(),
        tls: "TLSv1.3".into(),
    }
}

/// Works on the next job with the same outcome for all of its recipients.
pub(crate) async fn work(queue: &Queue, outcome: Outcome) -> Vec<ItemId> {
    let (_turn, job) = job(queue).await;
    let attempt = queue.open_attempt(&job, &contact()).await.unwrap();
    let outcomes: Vec<(ItemId, Outcome)> = job.items.iter().map(|item| (item.id, outcome.clone())).collect();
    queue.close_attempt(attempt, &contact(), &outcomes).await.unwrap();
    outcomes.into_iter().map(|(id, _)| id).collect()
}

pub(crate) fn delivered() -> Outcome {
    Outcome::Delivered(reason(250, "2.0.0", "queued as 1"))
}

pub(crate) fn deferred() -> Outcome {
    Outcome::Deferred(reason(451, "4.3.0", "later"))
}

pub(crate) fn bounced() -> Outcome {
    Outcome::Bounced(reason(550, "5.1.1", "no such user"))
}

pub(crate) async fn recipient(queue: &Queue, message: EmailId, recipient: usize) -> RecipientStatus {
    queue.recipients(message).await.unwrap().swap_remove(recipient)
}

pub(crate) async fn states(queue: &Queue, message: EmailId) -> Vec<ItemState> {
    let recipients = queue.recipients(message).await.unwrap();
    recipients.iter().map(|recipient| recipient.state).collect()
}

/// All that the organization was told.
pub(crate) async fn events(store: &SharedStore) -> Vec<Event> {
    // A hostile store may show the last commits late.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let feed = Feed::new(Arc::clone(store), postroom_feed::Options::default());
    let (mut events, mut after) = (Vec::new(), Cursor::START);
    loop {
        let page = feed.page(ORGANIZATION, after, 1000).await.unwrap();
        events.extend(page.events);
        if !page.more {
            return events;
        }
        after = page.next;
    }
}

/// Whether anybody keeps the body.
pub(crate) async fn is_kept(store: &SharedStore, blob: BlobId) -> bool {
    store.blob(blob, 0..1).await.unwrap().is_some()
}
