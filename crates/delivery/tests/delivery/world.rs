//! A whole server without its listeners.

use crate::network::Net;
use bytes::Bytes;
use postroom_delivery::{Delivery, Options};
use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord};
use postroom_intake::Intake;
use postroom_mailstore::Mailstore;
use postroom_net::CancellationToken;
use postroom_queue::{
    Attempt, Destination, ItemId, NewQueued, NewRecipient, OnLostReply, Queue, QueuedBody, RecipientStatus,
};
use postroom_store::{CommitBuilder, MemoryStore, Outcome, SharedStore};
use postroom_types::{BlobId, Domain, EmailAddress, EmailId, InboxId, OrganizationId, ReversePath};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

pub(crate) struct World {
    pub(crate) store: SharedStore,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) net: Arc<Net>,
    organization: OrganizationId,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: Option<JoinHandle<()>>,
}

pub(crate) const CONTENT: &str = "Subject: hello\r\n\r\n.dot\r\nlast\r\n";

pub(crate) async fn world(net: Net, options: Options) -> World {
    world_on(MemoryStore::new(), net, options).await
}

pub(crate) async fn world_on(store: SharedStore, net: Net, options: Options) -> World {
    world_under(OnLostReply::Retry, store, net, options).await
}

pub(crate) async fn world_under(policy: OnLostReply, store: SharedStore, net: Net, options: Options) -> World {
    let begun = tokio::time::Instant::now();
    let clock = Arc::new(move || 1_700_000_000_000 + i64::try_from(begun.elapsed().as_millis()).expect("a short test"));
    let mailstore_options = postroom_mailstore::Options {
        clock: clock.clone(),
        ..postroom_mailstore::Options::default()
    };
    let mailstore = Arc::new(Mailstore::new(store.clone(), mailstore_options));
    let here = domain("here.example");
    let identity_options = postroom_identity::Options {
        quota_octets: 100_000,
        ..postroom_identity::Options::new(here.clone())
    };
    let identity = Arc::new(Identity::new(store.clone(), Arc::clone(&mailstore), identity_options));
    identity.bootstrap().await.expect("a fresh store");
    let organization = identity
        .create_organization("Example", None)
        .await
        .expect("room")
        .organization
        .id;
    let queue_options = postroom_queue::Options {
        clock: clock.clone(),
        on_lost_reply: policy,
        ..postroom_queue::Options::new("us.example".into(), here)
    };
    let queue = Arc::new(Queue::new(store.clone(), queue_options));
    queue.start().await.expect("a fresh store");
    let intake_options = postroom_intake::Options {
        clock,
        ..postroom_intake::Options::default()
    };
    let intake = Arc::new(Intake::new(
        Arc::clone(&mailstore),
        Arc::clone(&identity),
        Arc::clone(&queue),
        intake_options,
    ));
    let net = Arc::new(net);
    let delivery = Delivery::new(
        Arc::clone(&queue),
        intake,
        Arc::clone(&identity),
        store.clone(),
        net.clone(),
        options,
    );
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(Arc::new(delivery.expect("good options")).run(shutdown.clone()));
    World {
        store,
        mailstore,
        identity,
        queue,
        net,
        organization,
        shutdown,
        running: Some(running),
    }
}

pub(crate) fn options() -> Options {
    Options::new("us.example")
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).expect("a domain")
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

/// A message from `a@here.example`, with a body of its own.
pub(crate) fn message(recipients: &[&str]) -> NewQueued {
    let recipient = |text: &&str| NewRecipient {
        destination: Destination::Domain(address(text).domain().clone()),
        address: address(text),
    };
    NewQueued {
        id: EmailId::new(),
        sender: None,
        organization: None,
        reverse_path: ReversePath::Mailbox(address("a@here.example")),
        verp: false,
        prefix: b"Received: by us\r\n".to_vec(),
        body: QueuedBody {
            blob: BlobId::new(),
            octets: CONTENT.len() as u64,
        },
        eight_bit: false,
        smtputf8: false,
        recipients: recipients.iter().map(recipient).collect(),
        created_at: 1_700_000_000_000,
        held: None,
    }
}

impl World {
    pub(crate) async fn enqueue(&self, message: &NewQueued) {
        self.enqueue_with(message, CONTENT).await;
    }

    pub(crate) async fn enqueue_with(&self, message: &NewQueued, content: &str) {
        let mut builder = CommitBuilder::new();
        let body = Bytes::copy_from_slice(content.as_bytes());
        let enqueued = self
            .queue
            .enqueue(&mut builder, message, Some(body))
            .expect("within bounds");
        let commit = builder.build();
        loop {
            match self.store.commit(commit.clone()).await.expect("a working store") {
                Outcome::Unknown => {}
                // A conflict is on the once-key: it was done.
                Outcome::Done(_) | Outcome::Conflict(_) => break,
                Outcome::Full => panic!("out of space"),
            }
        }
        self.queue.committed(&enqueued);
    }

    /// Queues a message and waits for an end of its first attempts.
    pub(crate) async fn send(&self, message: &NewQueued) -> Vec<String> {
        self.enqueue(message).await;
        self.attempted(message.id).await
    }

    /// Where each recipient stands once it was attempted: `Delivered 250 2.6.0 mx.there.example 192.31.196.1:25`.
    pub(crate) async fn attempted(&self, id: EmailId) -> Vec<String> {
        for _ in 0..100_000 {
            let all = self.queue.recipients(id).await.expect("a working store");
            let settled = |status: &RecipientStatus| {
                status.state.is_final() || (status.attempts > 0 && status.next_attempt.is_some())
            };
            if !all.is_empty() && all.iter().all(settled) {
                return all.iter().map(shown).collect();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never attempted: {:?}", self.queue.recipients(id).await);
    }

    pub(crate) async fn attempts(&self, message: EmailId, recipient: u16) -> Vec<Attempt> {
        let item = ItemId { message, recipient };
        self.queue.attempts(item).await.expect("a working store")
    }

    pub(crate) async fn inbox(&self, name: &str) -> InboxRecord {
        let request = CreateInbox {
            username: Some(name.to_owned()),
            strict: true,
            ..CreateInbox::new(self.organization)
        };
        match self.identity.create_inbox(&request).await {
            Ok(CreateOutcome::Created { inbox, .. }) => *inbox,
            other => panic!("{name} is free: {other:?}"),
        }
    }

    pub(crate) async fn mail_in(&self, inbox: InboxId) -> u64 {
        self.mailstore.usage(inbox).await.expect("an inbox").messages
    }

    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        self.running.take().expect("stopped once").await.expect("no panic");
    }
}

pub(crate) fn shown(status: &RecipientStatus) -> String {
    let (reason, contact) = (&status.reason, &status.contact);
    let text = format!(
        "{:?} {} {} {} {} {}",
        status.state, reason.code, reason.status, contact.host, contact.address, contact.tls
    );
    text.trim_end().to_owned()
}
