//! A whole server without its listeners, with one inbox that sends.

use crate::network::Net;
use bytes::Bytes;
use postroom_delivery::{Delivery, Options};
use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord};
use postroom_intake::{Incoming, Intake, LocalRecipient};
use postroom_mailstore::Mailstore;
use postroom_message::{Report, Verdict, parse_report};
use postroom_net::CancellationToken;
use postroom_queue::{Destination, ListFilter, NewQueued, NewRecipient, Queue, QueuedBody, RecipientStatus};
use postroom_store::{CommitBuilder, MemoryStore, Outcome, Store};
use postroom_testkit::remote::Taken;
use postroom_types::{BlobId, Domain, EmailAddress, EmailId, ReversePath};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// When the clock begins, milliseconds since 1970 UTC.
const START_MS: i64 = 1_700_000_000_000;
/// Stands before every message.
const PREFIX: &str = "Received: by us.example\r\n";
/// Longer than any message may live, with its notices.
const LIFE: Duration = Duration::from_secs(6 * 86_400);

pub(crate) struct World {
    store: Arc<MemoryStore>,
    mailstore: Arc<Mailstore>,
    identity: Arc<Identity>,
    pub(crate) net: Arc<Net>,
    pub(crate) sender: InboxRecord,
    begun: Instant,
    intake: Arc<Intake>,
    pub(crate) queue: Arc<Queue>,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

/// What runs anew after a restart.
struct Running {
    intake: Arc<Intake>,
    queue: Arc<Queue>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

/// A message that was accepted for others.
pub(crate) struct Sent {
    pub(crate) id: EmailId,
    pub(crate) message_id: String,
    /// As other servers get it.
    pub(crate) content: Vec<u8>,
}

impl World {
    pub(crate) async fn new(net: Net) -> Self {
        let begun = Instant::now();
        let store = MemoryStore::new();
        let mailstore_options = postroom_mailstore::Options {
            clock: clock(begun),
            ..postroom_mailstore::Options::default()
        };
        let mailstore = Arc::new(Mailstore::new(store.clone(), mailstore_options));
        let identity_options = postroom_identity::Options::new(here());
        let identity = Arc::new(Identity::new(store.clone(), Arc::clone(&mailstore), identity_options));
        identity.bootstrap().await.expect("a fresh store");
        let sender = make_inbox(&identity).await;
        let net = Arc::new(net);
        let running = run(begun, &store, &mailstore, &identity, &net).await;
        Self {
            store,
            mailstore,
            identity,
            net,
            sender,
            begun,
            intake: running.intake,
            queue: running.queue,
            shutdown: running.shutdown,
            running: running.task,
        }
    }

    /// Goes down in an orderly way and comes up again on the same store.
    pub(crate) async fn restart(&mut self) {
        self.shutdown.cancel();
        (&mut self.running).await.expect("no panic");
        let running = run(self.begun, &self.store, &self.mailstore, &self.identity, &self.net).await;
        self.intake = running.intake;
        self.queue = running.queue;
        self.shutdown = running.shutdown;
        self.running = running.task;
    }

    /// Accepts a message of the inbox; `number` names it.
    pub(crate) async fn accept(&self, number: u8, recipients: &[String]) -> Sent {
        let message_id = format!("{number}@here.example");
        let body = format!("Message-ID: <{message_id}>\r\nSubject: {number}\r\n\r\n.dot\r\n..\r\nlast\r\n");
        let recipients = recipients.iter().map(|text| {
            let address = EmailAddress::parse(text).expect("an address");
            NewRecipient {
                destination: Destination::Domain(address.domain().clone()),
                address,
            }
        });
        let message = NewQueued {
            id: EmailId::from_bytes([number; 16]),
            sender: Some(self.sender.id),
            organization: Some(self.sender.organization),
            reverse_path: ReversePath::Mailbox(self.sender.canonical.clone()),
            verp: true,
            prefix: PREFIX.into(),
            body: QueuedBody {
                blob: BlobId::new(),
                octets: body.len() as u64,
            },
            eight_bit: false,
            smtputf8: false,
            recipients: recipients.collect(),
            created_at: START_MS + i64::try_from(self.begun.elapsed().as_millis()).expect("a few days"),
            held: None,
        };
        let content = [PREFIX, &body].concat().into_bytes();
        let mut builder = CommitBuilder::new();
        let enqueued = self
            .queue
            .enqueue(&mut builder, &message, Some(Bytes::from(body)))
            .expect("within bounds");
        let outcome = self.store.commit(builder.build()).await.expect("a working store");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        self.queue.committed(&enqueued);
        Sent {
            id: message.id,
            message_id,
            content,
        }
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn settle(&self) {
        let end = Instant::now() + LIFE;
        while self.all().await.iter().any(|status| !status.state.is_final()) {
            assert!(Instant::now() < end, "not final after {LIFE:?}: {:?}", self.all().await);
            sleep(Duration::from_secs(3_600)).await;
        }
    }

    /// Every recipient of every message in the queue, notices too.
    pub(crate) async fn all(&self) -> Vec<RecipientStatus> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .queue
                .list(&ListFilter::default(), after, 100)
                .await
                .expect("a working store");
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    /// What the sender was told, oldest first.
    pub(crate) async fn notices(&self) -> Vec<Report> {
        let records = self
            .mailstore
            .messages(self.sender.id, None, 1_000)
            .await
            .expect("an inbox");
        let mut reports = Vec::new();
        for record in records.iter().rev() {
            let whole = self.mailstore.read(&record.content, 0..record.size_octets()).await;
            let content = whole.expect("a working store").expect("not deleted");
            reports.extend(parse_report(&content).expect("only notices come"));
        }
        reports
    }

    /// A server that took a message says later that it could not deliver it.
    pub(crate) async fn bounce(&self, taken: &Taken) {
        let to = EmailAddress::parse(&taken.reverse_path).expect("an address");
        let incoming = Incoming {
            client: "mx.there.example".into(),
            extended: true,
            peer: Ipv4Addr::new(192, 0, 2, 1).into(),
            tls: false,
            smtputf8: false,
            reverse_path: ReversePath::Null,
            recipients: vec![LocalRecipient {
                bounce: self.queue.parse_bounce_address(&to),
                ..LocalRecipient::new(&self.sender, to)
            }],
            content: taken.late_dsn("mx.there.example", "5.2.2").into(),
            verdict: Verdict::default(),
        };
        self.intake.deliver_local(incoming).await.expect("accepted");
    }

    /// Goes down in an orderly way.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.expect("no panic");
    }
}

fn here() -> Domain {
    Domain::parse("here.example").expect("a domain")
}

/// Follows the executor's.
fn clock(begun: Instant) -> Arc<dyn Fn() -> i64 + Send + Sync> {
    Arc::new(move || START_MS + i64::try_from(begun.elapsed().as_millis()).expect("a few days"))
}

async fn run(
    begun: Instant,
    store: &Arc<MemoryStore>,
    mailstore: &Arc<Mailstore>,
    identity: &Arc<Identity>,
    net: &Arc<Net>,
) -> Running {
    let queue_options = postroom_queue::Options {
        clock: clock(begun),
        ..postroom_queue::Options::new("us.example".into(), here())
    };
    let queue = Arc::new(Queue::new(store.clone(), queue_options));
    queue.start().await.expect("a good store");
    let intake_options = postroom_intake::Options {
        clock: clock(begun),
        ..postroom_intake::Options::default()
    };
    let intake = Arc::new(Intake::new(
        Arc::clone(mailstore),
        Arc::clone(identity),
        Arc::clone(&queue),
        intake_options,
    ));
    let delivery = Delivery::new(
        Arc::clone(&queue),
        Arc::clone(&intake),
        Arc::clone(identity),
        store.clone(),
        net.clone(),
        Options::new("us.example"),
    );
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(Arc::new(delivery.expect("good options")).run(shutdown.clone()));
    Running {
        intake,
        queue,
        shutdown,
        task,
    }
}

async fn make_inbox(identity: &Identity) -> InboxRecord {
    let organization = identity
        .create_organization("Example", None)
        .await
        .expect("room")
        .organization
        .id;
    let request = CreateInbox {
        username: Some("sender".into()),
        strict: true,
        ..CreateInbox::new(organization)
    };
    match identity.create_inbox(&request).await {
        Ok(CreateOutcome::Created { inbox, .. }) => *inbox,
        other => panic!("the name is free: {other:?}"),
    }
}
