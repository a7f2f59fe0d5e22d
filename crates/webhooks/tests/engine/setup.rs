//! A store with an organization, and webhooks at work on it.

use crate::receiver::Receiver;
use bytes::Bytes;
use postroom_feed::{Cursor, Feed, NewEvent, What, announce};
use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord};
use postroom_mailstore::Mailstore;
use postroom_outgoing_http::{OutgoingHttp, Reach};
use postroom_store::{BoxFuture, CommitBuilder, MemoryStore, Outcome, SharedStore};
use postroom_types::{Domain, EmailId, InboxId, OrganizationId, PodId};
use postroom_webhooks::{
    Dialect, EventType, Hidden, Hubs, LabelRights, Options, Placed, Render, RenderError, Scope, Told, Webhook,
    WebhookWish, Webhooks,
};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Tells the number that [`Setup::happen`] gave an event.
#[derive(Default)]
pub(crate) struct Numbers {
    /// What hides the messages now.
    pub(crate) hidden: Mutex<Hidden>,
    pub(crate) rendered: AtomicUsize,
    /// Deleted before the next event is told, of which nothing is found then.
    pub(crate) victim: Mutex<Option<(Arc<Identity>, OrganizationId)>>,
}

impl Render for Numbers {
    fn render<'a>(
        &'a self,
        _: OrganizationId,
        dialect: Dialect,
        placed: &'a Placed,
    ) -> BoxFuture<'a, Result<Option<Told>, RenderError>> {
        self.rendered.fetch_add(1, Ordering::Relaxed);
        let hidden = self.hidden.lock().expect("no panic").to_owned();
        let body: Option<Bytes> = match &placed.event.what {
            What::Rejected { reason, .. } if reason == "gone" => None,
            What::Rejected { reason, .. } if reason.starts_with("long") => {
                Some(format!("{{\"long\":\"{}\"}}", "x".repeat(20_000)).into())
            }
            What::Rejected { reason, .. } => Some(format!("{{\"number\":{reason}}}").into()),
            _ => EventType::told(dialect, &placed.event).map(|event_type| event_type.as_str().into()),
        };
        let is_closing = self.victim.lock().expect("no panic").is_some();
        Box::pin(async move {
            crate::closing::delete(&self.victim).await;
            Ok(body.filter(|_| !is_closing).map(|body| Told { body, hidden }))
        })
    }
}

pub(crate) struct Setup {
    pub(crate) store: SharedStore,
    pub(crate) organization: OrganizationId,
    pub(crate) identity: Arc<Identity>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) hours: Arc<AtomicI64>,
}

/// Webhooks at work; dropped, they are as dead as after kill -9.
pub(crate) struct Working {
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) hubs: Arc<Hubs>,
    task: JoinHandle<()>,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Setup {
    pub(crate) async fn new() -> Self {
        Self::on(MemoryStore::new()).await
    }

    pub(crate) async fn on(store: SharedStore) -> Self {
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&store),
            postroom_mailstore::Options::default(),
        ));
        let domain = Domain::parse("example.test").expect("a domain");
        let options = postroom_identity::Options::new(domain);
        let identity = Arc::new(Identity::new(Arc::clone(&store), mailstore, options));
        let made = identity
            .create_organization("one", None)
            .await
            .expect("an organization");
        Self {
            store,
            organization: made.organization.id,
            identity,
            numbers: Arc::default(),
            hours: Arc::default(),
        }
    }

    pub(crate) fn options(&self) -> Options {
        let hours = Arc::clone(&self.hours);
        let began = std::time::Instant::now();
        Options {
            waits: vec![Duration::from_millis(20); 3],
            deadline: Duration::from_millis(300),
            poll: Duration::from_millis(200),
            // Runs with the real one, and can be set forward.
            clock: Arc::new(move || {
                let passed = i64::try_from(began.elapsed().as_millis()).expect("a short test");
                1_790_000_000_000 + hours.load(Ordering::Relaxed) * 3_600_000 + passed
            }),
            ..Options::default()
        }
    }

    pub(crate) fn start(&self) -> Working {
        self.start_with(self.options())
    }

    pub(crate) fn start_with(&self, options: Options) -> Working {
        let feed = Arc::new(Feed::new(Arc::clone(&self.store), postroom_feed::Options::default()));
        let hubs = Hubs::new(feed, Arc::clone(&self.identity), options.poll);
        let http = OutgoingHttp::new(&postroom_outgoing_http::Options {
            reach: Reach::Loopback,
            servers: vec!["127.0.0.1:9".parse().expect("an address")],
            ..postroom_outgoing_http::Options::default()
        });
        let webhooks = Arc::new(Webhooks::new(
            Arc::clone(&self.store),
            Arc::clone(&self.identity),
            Arc::clone(&hubs),
            http.expect("a client"),
            options,
        ));
        let running = Arc::clone(&webhooks).run(Arc::clone(&self.numbers) as Arc<dyn Render>, CancellationToken::new());
        Working {
            webhooks,
            hubs,
            task: tokio::spawn(running),
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::organization(self.organization)
    }

    /// An inbox of this name in a pod, or in the default one.
    pub(crate) async fn inbox(&self, name: &str, pod: Option<PodId>) -> InboxRecord {
        let wish = CreateInbox {
            username: Some(name.to_owned()),
            pod,
            credentials: false,
            ..CreateInbox::new(self.organization)
        };
        match self.identity.create_inbox(&wish).await.expect("an answer") {
            CreateOutcome::Created { inbox, .. } => *inbox,
            other => panic!("{other:?}"),
        }
    }

    /// A webhook to this receiver.
    pub(crate) async fn webhook(&self, working: &Working, receiver: &Receiver) -> Webhook {
        let wish = WebhookWish {
            url: receiver.url(),
            rights: LabelRights::ALL,
            ..WebhookWish::default()
        };
        working.webhooks.create(&self.scope(), &wish).await.expect("a webhook")
    }

    /// Events with these numbers, a commit for each.
    pub(crate) async fn happen(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.say(&number.to_string()).await;
        }
    }

    pub(crate) async fn say(&self, reason: &str) {
        self.announce(What::Rejected {
            message: EmailId::new(),
            reason: reason.to_owned(),
        })
        .await;
    }

    pub(crate) async fn announce(&self, what: What) {
        self.announce_in(None, what).await;
    }

    pub(crate) async fn announce_in(&self, inbox: Option<InboxId>, what: What) {
        let event = NewEvent { at: 0, inbox, what };
        let mut builder = CommitBuilder::new();
        announce(&mut builder, self.organization, &[event]);
        let commit = builder.build();
        // Another outcome is a hostile store's; an event twice would be another event.
        while !matches!(self.store.commit(commit.clone()).await, Ok(Outcome::Done(_))) {}
    }

    /// Whether anything is left to be tried again.
    pub(crate) async fn retries(&self) -> usize {
        let rows = postroom_store::scan_prefix(&*self.store, b"wr").collect().await;
        rows.expect("a store").len()
    }
}

/// So that a cursor can be told apart from nothing.
pub(crate) const START: Cursor = Cursor::START;
