//! A server without sockets, with a clock that the test moves.

use postroom_drafts::{Draft, Drafts, GivenLetter, NewDraft};
use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord};
use postroom_intake::Intake;
use postroom_mailstore::{MailboxRef, Mailstore, NewMessage, Origin, Placed, Placing, ThreadChoice};
use postroom_message::{Mailbox, summarize};
use postroom_queue::Queue;
use postroom_store::{MemoryStore, SharedStore};
use postroom_types::{
    Domain, EmailAddress, EmailId, Flag, Flags, InboxId, InternalDate, MessageFlags, OrganizationId, SpecialUse,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub(crate) const START_MS: i64 = 1_700_000_000_000;
pub(crate) const DAY_MS: i64 = 86_400_000;

pub(crate) struct World {
    pub(crate) store: SharedStore,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) drafts: Arc<Drafts>,
    pub(crate) organization: OrganizationId,
    clock: Arc<AtomicI64>,
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox {
        name: None,
        address: EmailAddress::parse(text).expect("an address"),
    }
}

/// A draft to somebody elsewhere.
pub(crate) fn to_ann(text: &str) -> NewDraft {
    NewDraft {
        letter: GivenLetter {
            to: Some(vec![mailbox("ann@example.net")]),
            subject: Some("Plan".into()),
            plain: Some(Some(text.into())),
            ..GivenLetter::default()
        },
        ..NewDraft::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(MemoryStore::new()).await
    }

    pub(crate) async fn on(store: SharedStore) -> Self {
        let clock = Arc::new(AtomicI64::new(START_MS));
        let mut world = Self::start(store, clock, OrganizationId::new()).await;
        world.identity.bootstrap().await.expect("a fresh store");
        let made = world.identity.create_organization("Example", None).await.expect("room");
        world.organization = made.organization.id;
        world
    }

    /// The same store and clock after a crash.
    pub(crate) async fn again(&self, store: SharedStore) -> Self {
        Self::start(store, Arc::clone(&self.clock), self.organization).await
    }

    async fn start(store: SharedStore, clock: Arc<AtomicI64>, organization: OrganizationId) -> Self {
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
        let identity_options = postroom_identity::Options::new(domain.clone());
        let identity = Arc::new(Identity::new(
            Arc::clone(&store),
            Arc::clone(&mailstore),
            identity_options,
        ));
        let queue_options = postroom_queue::Options {
            clock: now.clone(),
            ..postroom_queue::Options::new("mx.example.test".into(), domain)
        };
        let queue = Arc::new(Queue::new(Arc::clone(&store), queue_options));
        let options = postroom_intake::Options {
            hostname: "mx.example.test".into(),
            send_limits: None,
            clock: now,
            ..postroom_intake::Options::default()
        };
        let intake = Intake::new(Arc::clone(&mailstore), Arc::clone(&identity), queue, options);
        let drafts = Drafts::new(Arc::clone(&mailstore), Arc::clone(&identity), Arc::new(intake));
        Self {
            store,
            mailstore,
            identity,
            drafts: Arc::new(drafts),
            organization,
            clock,
        }
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
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

    /// Puts a message into a mailbox, as a delivery or a mail program does.
    pub(crate) async fn put(&self, inbox: InboxId, origin: Origin, mailbox: MailboxRef, content: &str) -> Placed {
        let body = bytes::Bytes::from(content.replace('\n', "\r\n"));
        let message = NewMessage {
            summary: Arc::new(summarize(&body)),
            body,
            prefix: Vec::new(),
            origin,
            received_at: self.now(),
            verdict: Vec::new(),
            shared_body: None,
        };
        let draft = Flags::NONE.with(Flag::Draft).with(Flag::Seen);
        let placing = Placing {
            inbox,
            mailbox,
            email_id: EmailId::new(),
            flags: MessageFlags::system(if origin == Origin::Imported { draft } else { Flags::NONE }),
            internal_date: InternalDate::utc(self.now() / 1000),
            thread: ThreadChoice::Find,
            announce: None,
        };
        let placed = self.mailstore.deliver(&message, vec![placing]).await.expect("room");
        placed[0]
    }

    /// Saves a draft again as a mail program does: appends a message, then expunges the old one.
    pub(crate) async fn save_again(&self, draft: &Draft, content: &str) {
        let drafts = MailboxRef::Special(SpecialUse::Drafts);
        self.put(draft.inbox, Origin::Imported, drafts, content).await;
        let (mailbox, uids) = (draft.record.mailbox, [draft.record.uid]);
        let gone = self.mailstore.expunge(draft.inbox, mailbox, &uids, false).await;
        assert_eq!(gone.expect("done").len(), 1);
    }

    /// All that an inbox has sent, oldest first, as text.
    pub(crate) async fn sent(&self, inbox: InboxId) -> Vec<String> {
        let mut sent = Vec::new();
        for record in self.mailstore.messages(inbox, None, 100).await.expect("readable") {
            if record.origin == Origin::Sent {
                let read = self
                    .mailstore
                    .read(&record.content, 0..u64::MAX)
                    .await
                    .expect("readable");
                sent.push(String::from_utf8(read.expect("there").to_vec()).expect("UTF-8"));
            }
        }
        sent.reverse();
        sent
    }

    /// Messages in Drafts, whatever they are.
    pub(crate) async fn in_drafts(&self, inbox: InboxId) -> usize {
        self.mailstore
            .drafts(inbox, None, true, 100)
            .await
            .expect("readable")
            .drafts
            .len()
    }

    /// Rows of drafts.
    pub(crate) async fn rows(&self) -> usize {
        let mut rows = postroom_store::scan_prefix(&*self.store, b"d");
        let mut count = 0;
        while rows.next().await.expect("readable").is_some() {
            count += 1;
        }
        count
    }

    /// What was sent is known for a day; then no row of a draft is left.
    pub(crate) async fn is_forgotten_in_a_day(&self) {
        self.pass(DAY_MS);
        self.drafts.work().await.expect("readable");
        assert_eq!(self.rows().await, 0);
    }

    pub(crate) async fn text(&self, draft: &Draft) -> String {
        let content = self.drafts.content(draft).await.expect("there");
        String::from_utf8(content.to_vec()).expect("UTF-8")
    }
}
