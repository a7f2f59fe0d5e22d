//! A whole server but for its sockets, on a store in memory, with a clock that the test moves.

use bytes::Bytes;
use postroom_feed::{Cursor, Feed, What};
use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxChange, InboxRecord};
use postroom_intake::{Intake, Options, Settled, Submission, SubmitError, Submitted, Via};
use postroom_mailstore::{Mailstore, MessageRecord, ThreadChoice};
use postroom_queue::{Contact, Destination, Job, Outcome, Queue, QueueError, Reason};
use postroom_store::{MemoryStore, SharedStore};
use postroom_types::{Domain, EmailAddress, EmailId, InboxId, OrganizationId, ReversePath};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub(crate) const DAY_MS: i64 = 86_400_000;
/// Noon of some day, so that a few hours are the same day.
const START_MS: i64 = 20_000 * DAY_MS + DAY_MS / 2;

pub(crate) struct World {
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) intake: Arc<Intake>,
    organization: OrganizationId,
    clock: Arc<AtomicI64>,
}

/// What was handed to another server.
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) envelope_from: String,
    pub(crate) smtputf8: bool,
    pub(crate) text: String,
}

/// A message as it is stored.
pub(crate) struct Stored {
    pub(crate) record: MessageRecord,
    pub(crate) text: String,
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

impl World {
    pub(crate) async fn new(change: impl FnOnce(&mut Options)) -> Self {
        Self::on(MemoryStore::new(), change).await
    }

    pub(crate) async fn on(store: SharedStore, change: impl FnOnce(&mut Options)) -> Self {
        let clock = Arc::new(AtomicI64::new(START_MS));
        let now = {
            let clock = Arc::clone(&clock);
            Arc::new(move || clock.load(Ordering::SeqCst))
        };
        let mailstore_options = postroom_mailstore::Options {
            clock: now.clone(),
            ..postroom_mailstore::Options::default()
        };
        let mailstore = Arc::new(Mailstore::new(Arc::clone(&store), mailstore_options));
        let domain = Domain::parse("example.test").expect("a domain");
        let identity_options = postroom_identity::Options {
            quota_octets: 3_000_000,
            ..postroom_identity::Options::new(domain.clone())
        };
        let identity = Arc::new(Identity::new(
            Arc::clone(&store),
            Arc::clone(&mailstore),
            identity_options,
        ));
        identity.bootstrap().await.expect("a fresh store");
        let queue_options = postroom_queue::Options {
            clock: now.clone(),
            ..postroom_queue::Options::new("mx.example.test".into(), domain)
        };
        let queue = Arc::new(Queue::new(store, queue_options));
        queue.start().await.expect("a fresh queue");
        let made = identity.create_organization("Example", None).await.expect("room");
        let mut options = Options {
            hostname: "mx.example.test".into(),
            send_limits: None,
            clock: now,
            ..Options::default()
        };
        change(&mut options);
        let intake = Intake::new(
            Arc::clone(&mailstore),
            Arc::clone(&identity),
            Arc::clone(&queue),
            options,
        );
        Self {
            intake: Arc::new(intake),
            mailstore,
            identity,
            queue,
            organization: made.organization.id,
            clock,
        }
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
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

    pub(crate) async fn change(&self, inbox: InboxId, change: InboxChange) -> InboxRecord {
        self.identity.update_inbox(inbox, &change).await.expect("it is there")
    }

    /// A message of this inbox, over SMTP.
    pub(crate) fn submission(&self, from: &InboxRecord, to: &[&str], content: &str) -> Submission {
        Submission {
            inbox: from.clone(),
            via: Via::Smtp {
                client: "[203.0.113.9]".into(),
                tls: true,
                smtputf8: false,
            },
            reverse_path: ReversePath::Mailbox(from.canonical.clone()),
            recipients: to.iter().map(|to| address(to)).collect(),
            content: Bytes::copy_from_slice(content.as_bytes()),
            thread: ThreadChoice::Find,
            idempotency: None,
            answers: None,
        }
    }

    /// The same with nothing special about it.
    pub(crate) async fn send(&self, from: &InboxRecord, to: &[&str], text: &str) -> Result<Submitted, SubmitError> {
        let content = plain(from, text);
        self.intake.submit(self.submission(from, to, &content)).await
    }

    /// Does all the work that is due in the queue: other servers take everything.
    pub(crate) async fn work(&self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Ok(mut turn) = tokio::time::timeout(Duration::from_millis(100), self.queue.next_turn()).await {
            loop {
                match turn.next_job().await {
                    Ok(Some(job)) => self.do_job(&job, &mut sent).await,
                    Ok(None) => break,
                    Err(QueueError::Busy | QueueError::LeaseLost) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        sent
    }

    async fn do_job(&self, job: &Job, sent: &mut Vec<Sent>) {
        let contact = Contact {
            host: "local".into(),
            ..Contact::default()
        };
        let attempt = self.queue.open_attempt(job, &contact).await.expect("opened");
        let mut outcomes = Vec::new();
        for item in &job.items {
            let outcome = match &job.destination {
                Destination::Inbox(_) => match self.intake.deliver_queued(job, &attempt, item.id).await {
                    Ok(Settled::Delivered | Settled::Gone) => continue,
                    Ok(Settled::Refused(outcome)) => outcome,
                    Err(error) => panic!("{error}"),
                },
                Destination::Domain(_) => {
                    let span = postroom_types::BlobSpan {
                        id: job.body.blob,
                        offset: 0,
                        octets: job.body.octets,
                    };
                    let body = self.mailstore.read_blob(span).await.expect("readable").expect("there");
                    let text = [&job.prefix[..], &body].concat();
                    sent.push(Sent {
                        to: item.address.to_string(),
                        envelope_from: item.envelope_from.to_string(),
                        smtputf8: job.smtputf8,
                        text: String::from_utf8(text).expect("UTF-8"),
                    });
                    Outcome::Delivered(Reason::default())
                }
            };
            outcomes.push((item.id, outcome));
        }
        self.queue
            .close_attempt(attempt, &contact, &outcomes)
            .await
            .expect("closed");
    }

    /// What an inbox has, newest first; it is found consistent.
    pub(crate) async fn messages(&self, inbox: InboxId) -> Vec<Stored> {
        let faults = self.mailstore.check_consistency(inbox).await.expect("readable");
        assert_eq!(faults, Vec::<String>::new());
        let mut all = Vec::new();
        for record in self.mailstore.messages(inbox, None, 1000).await.expect("readable") {
            let whole = self.mailstore.read(&record.content, 0..record.size_octets()).await;
            let bytes = whole.expect("readable").expect("there");
            let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
            all.push(Stored { record, text });
        }
        all
    }

    /// What the organization was told, and of which inbox.
    pub(crate) async fn heard(&self) -> Vec<(InboxId, What)> {
        // A hostile store may show the last commits late.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let feed = Feed::new(Arc::clone(self.mailstore.store()), postroom_feed::Options::default());
        let page = feed
            .page(self.organization, Cursor::START, 1000)
            .await
            .expect("readable");
        assert!(!page.more, "few enough for a test");
        let told = |event: postroom_feed::Event| (event.inbox.expect("of an inbox"), event.what);
        page.events.into_iter().map(told).collect()
    }

    /// The ids of what is in a mailbox.
    pub(crate) async fn in_mailbox(&self, inbox: InboxId, name: &str) -> Vec<EmailId> {
        let mailboxes = self.mailstore.mailboxes(inbox).await.expect("readable");
        let mailbox = mailboxes
            .iter()
            .find(|mailbox| mailbox.name == name)
            .expect("made with it")
            .id;
        let here = |stored: &Stored| stored.record.placements.iter().any(|(at, _)| *at == mailbox);
        let messages = self.messages(inbox).await;
        messages
            .iter()
            .filter(|stored| here(stored))
            .map(|stored| stored.record.email_id)
            .collect()
    }
}

pub(crate) fn plain(from: &InboxRecord, text: &str) -> String {
    format!(
        "From: {}\r\nTo: x@example.net\r\nSubject: {text}\r\n\r\n{text}\r\n",
        from.primary
    )
}
