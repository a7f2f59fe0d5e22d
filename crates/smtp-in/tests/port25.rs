//! Port 25 over real sockets, on the store in memory.

use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxChange, InboxRecord};
use postroom_intake::{Intake, Spooler};
use postroom_mailstore::Mailstore;
use postroom_message::Verifier;
use postroom_net::{CancellationToken, ListenerOptions, serve};
use postroom_queue::{Destination, ListFilter, NewQueued, NewRecipient, Queue, QueuedBody};
use postroom_smtp_in::{Options, Service, Session};
use postroom_store::{CommitBuilder, MemoryStore, Outcome, Store};
use postroom_types::{BlobId, Domain, EmailAddress, EmailId, InboxId, OrganizationId, ReversePath};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

struct World {
    store: Arc<MemoryStore>,
    mailstore: Arc<Mailstore>,
    identity: Arc<Identity>,
    queue: Arc<Queue>,
    organization: OrganizationId,
    postmaster: InboxId,
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    spool: std::path::PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let _ = std::fs::remove_dir_all(&self.spool);
    }
}

async fn world() -> World {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let spool = std::env::temp_dir().join(format!("postroom-smtp-in-{}-{number}", std::process::id()));
    let store = MemoryStore::new();
    let mailstore = Arc::new(Mailstore::new(store.clone(), postroom_mailstore::Options::default()));
    let domain = Domain::parse("example.test").expect("a domain");
    let identity_options = postroom_identity::Options {
        quota_octets: 3_000_000,
        ..postroom_identity::Options::new(domain.clone())
    };
    let identity = Arc::new(Identity::new(store.clone(), Arc::clone(&mailstore), identity_options));
    let queue_options = postroom_queue::Options::new("mx.example.test".into(), domain);
    let queue = Arc::new(Queue::new(store.clone(), queue_options));
    queue.start().await.expect("a fresh queue");
    let postmaster = identity.bootstrap().await.expect("a fresh store").postmaster.id;
    let organization = identity
        .create_organization("Example", None)
        .await
        .expect("room")
        .organization
        .id;
    let intake_options = postroom_intake::Options {
        hostname: "mx.example.test".into(),
        ..postroom_intake::Options::default()
    };
    let intake = Intake::new(
        Arc::clone(&mailstore),
        Arc::clone(&identity),
        Arc::clone(&queue),
        intake_options,
    );
    let service = Arc::new(Service::new(
        Arc::clone(&identity),
        Arc::clone(&mailstore),
        Arc::new(intake),
        Arc::clone(&queue),
        Verifier::off(),
        Spooler::new(spool.clone()).expect("a folder"),
        Options {
            protocol: postroom_smtp_proto::Options {
                hostname: "mx.example.test".into(),
                ..postroom_smtp_proto::Options::default()
            },
        },
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let make = move |peer: &_| service.session(peer);
    tokio::spawn(serve::<Session, _>(
        listener,
        ListenerOptions::default(),
        make,
        shutdown.clone(),
    ));
    World {
        store,
        mailstore,
        identity,
        queue,
        organization,
        postmaster,
        address,
        shutdown,
        spool,
    }
}

impl World {
    async fn inbox(&self, name: &str) -> InboxRecord {
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

    async fn client(&self) -> Client {
        let tcp = TcpStream::connect(self.address).await.expect("connected");
        let (read, write) = tcp.into_split();
        let mut client = Client {
            read: BufReader::new(read),
            write,
        };
        assert_eq!(client.reply().await, "220 mx.example.test ESMTP postroom");
        assert!(client.say("HELO client.example.net").await.starts_with("250 "));
        client
    }

    /// The stored messages, newest first, whole; the inbox is found consistent.
    async fn messages(&self, inbox: InboxId) -> Vec<String> {
        assert_eq!(
            self.mailstore.check_consistency(inbox).await.expect("readable"),
            Vec::<String>::new()
        );
        let mut all = Vec::new();
        for id in self.ids(inbox).await {
            let content = self
                .mailstore
                .content(inbox, id)
                .await
                .expect("readable")
                .expect("there");
            let bytes = self
                .mailstore
                .read(&content, 0..content.octets())
                .await
                .expect("readable")
                .expect("there");
            all.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        all
    }

    async fn ids(&self, inbox: InboxId) -> Vec<EmailId> {
        let records = self.mailstore.messages(inbox, None, 100).await.expect("readable");
        records.into_iter().map(|record| record.email_id).collect()
    }
}

struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Client {
    async fn reply(&mut self) -> String {
        let mut line = String::new();
        self.read.read_line(&mut line).await.expect("a reply");
        line.trim_end().to_owned()
    }

    async fn say(&mut self, line: &str) -> String {
        self.write
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .expect("sent");
        self.reply().await
    }

    /// A whole transaction whose recipients are accepted; gives the last reply.
    async fn send(&mut self, recipients: &[&str], message: &str) -> String {
        assert_eq!(self.say("MAIL FROM:<a@example.net>").await, "250 2.1.0 OK");
        for recipient in recipients {
            assert_eq!(self.say(&format!("RCPT TO:<{recipient}>")).await, "250 2.1.5 OK");
        }
        assert!(self.say("DATA").await.starts_with("354 "));
        self.say(&format!("{message}.")).await
    }
}

#[tokio::test]
async fn mail_arrives_whole_and_once() {
    let world = world().await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let mut client = world.client().await;
    let reply = client
        .send(
            &["Scout+tag@EXAMPLE.test", "scout@example.test", "ranger@example.test"],
            "Subject: hello\r\n\r\n..dots\r\n",
        )
        .await;
    assert!(reply.starts_with("250 2.0.0 Accepted, id "), "{reply}");
    for inbox in [scout.id, ranger.id] {
        let messages = world.messages(inbox).await;
        assert_eq!(messages.len(), 1, "one message, however many addresses");
        assert!(
            messages[0].starts_with("Return-Path: <a@example.net>\r\n"),
            "{}",
            messages[0]
        );
        assert!(
            messages[0].ends_with("\r\nSubject: hello\r\n\r\n.dots\r\n"),
            "{}",
            messages[0]
        );
    }
    let id = reply.rsplit(' ').next().expect("the id");
    let received = format!("by mx.example.test (postroom) with SMTP id {id}");
    assert!(world.messages(scout.id).await[0].contains(&received));

    // The next transaction of the session has nothing of the first.
    assert!(
        client
            .send(&["ranger@example.test"], "Subject: two\r\n\r\n")
            .await
            .starts_with("250 ")
    );
    assert_eq!(world.messages(scout.id).await.len(), 1);
    assert_eq!(world.messages(ranger.id).await.len(), 2);
}

#[tokio::test]
async fn recipients_are_judged_at_rcpt() {
    let world = world().await;
    let paused = world.inbox("paused").await;
    let change = InboxChange {
        receive_paused: Some(true),
        ..InboxChange::default()
    };
    world.identity.update_inbox(paused.id, &change).await.expect("exists");
    world.inbox("scout").await;
    let mut client = world.client().await;
    client.say("MAIL FROM:<>").await;
    for (path, expected) in [
        ("<nobody@example.test>", "550 5.1.1 No such mailbox here"),
        ("<scout@elsewhere.test>", "550 5.7.1 Relaying denied"),
        ("<scout@[127.0.0.1]>", "550 5.7.1 Relaying denied"),
        ("<paused@example.test>", "550 5.2.1 Mailbox does not accept mail"),
        ("<postmaster>", "250 2.1.5 OK"),
        ("<abuse@example.test>", "250 2.1.5 OK"),
        ("<\"scout\"@example.test>", "250 2.1.5 OK"),
    ] {
        assert_eq!(client.say(&format!("RCPT TO:{path}")).await, expected, "{path}");
    }
    assert!(client.say("DATA").await.starts_with("354 "));
    assert!(
        client
            .say("Subject: to whom it may concern\r\n\r\n.")
            .await
            .starts_with("250 ")
    );
    assert_eq!(world.messages(world.postmaster).await.len(), 1);
}

#[tokio::test]
async fn quota_counts_what_is_declared_and_allows_one_message_beyond() {
    let world = world().await;
    let scout = world.inbox("scout").await;
    let mut client = world.client().await;
    assert!(client.say("EHLO client.example.net").await.starts_with("250-"));
    while client.reply().await.starts_with("250-") {}
    client.say("MAIL FROM:<> SIZE=3000001").await;
    assert_eq!(
        client.say("RCPT TO:<scout@example.test>").await,
        "452 4.2.2 Mailbox full, try later"
    );
    client.say("RSET").await;
    let large = format!(
        "Subject: large\r\n\r\n{}",
        format!("{}\r\n", "x".repeat(998)).repeat(3_001)
    );
    assert!(client.send(&["scout@example.test"], &large).await.starts_with("250 "));
    client.say("MAIL FROM:<>").await;
    assert_eq!(
        client.say("RCPT TO:<scout@example.test>").await,
        "452 4.2.2 Mailbox full, try later"
    );
    let messages = world.messages(scout.id).await;
    assert!(
        messages[0].ends_with(&large),
        "a message beyond a MiB goes through a file and is whole"
    );
}

#[tokio::test]
async fn trouble_is_told_and_nothing_is_kept() {
    let world = world().await;
    let scout = world.inbox("scout").await;
    let mut client = world.client().await;
    let hops = "Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n".repeat(101);
    let looping = client.send(&["scout@example.test"], &format!("{hops}\r\n")).await;
    assert_eq!(looping, "554 5.4.6 Routing loop detected");
    let bare = client.send(&["scout@example.test"], "Subject: x\n\r\n").await;
    assert_eq!(bare, "554 5.6.0 Message has a bare CR or LF");
    // Readers differ in which of them they show.
    let two = client
        .send(
            &["scout@example.test"],
            "From: a@b.c\r\nSubject: x\r\nfrom : d@e.f\r\n\r\n",
        )
        .await;
    assert_eq!(two, "554 5.6.0 Message has more than one From field");
    world.store.set_full(true);
    let full = client.send(&["scout@example.test"], "Subject: x\r\n\r\n").await;
    assert_eq!(full, "452 4.3.1 Out of space, try later");
    assert_eq!(world.messages(scout.id).await.len(), 0);
    world.store.set_full(false);
    assert!(
        client
            .send(&["scout@example.test"], "Subject: x\r\n\r\n")
            .await
            .starts_with("250 ")
    );
    assert_eq!(world.messages(scout.id).await.len(), 1);
}

#[tokio::test]
async fn more_inboxes_than_one_commit_takes_are_accepted_together() {
    let world = world().await;
    let mut inboxes = Vec::new();
    let mut recipients = Vec::new();
    for number in 0..18 {
        inboxes.push(world.inbox(&format!("inbox-{number}")).await.id);
        recipients.push(format!("inbox-{number}@example.test"));
    }
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let mut client = world.client().await;
    let reply = client.send(&recipients, "Subject: all\r\n\r\n").await;
    assert!(reply.starts_with("250 "), "{reply}");
    for inbox in &inboxes[..16] {
        assert_eq!(world.messages(*inbox).await.len(), 1);
    }
    let queued = world
        .queue
        .list(&ListFilter::default(), None, 100)
        .await
        .expect("readable")
        .items;
    let mut waiting: Vec<String> = queued.iter().map(|recipient| recipient.address.to_string()).collect();
    waiting.sort_unstable();
    assert_eq!(waiting, recipients[16..]);
}

#[tokio::test]
async fn what_comes_back_reaches_the_sender_and_nobody_else_can_make_such_addresses() {
    let world = world().await;
    let scout = world.inbox("scout").await;
    let paused = InboxChange {
        receive_paused: Some(true),
        ..InboxChange::default()
    };
    world
        .identity
        .update_inbox(scout.id, &paused)
        .await
        .expect("it is there");
    let to = EmailAddress::parse("x@example.net").expect("an address");
    let message = NewQueued {
        id: EmailId::new(),
        sender: Some(scout.id),
        organization: Some(scout.organization),
        reverse_path: ReversePath::Mailbox(scout.canonical.clone()),
        verp: true,
        prefix: Vec::new(),
        body: QueuedBody {
            blob: BlobId::new(),
            octets: 2,
        },
        eight_bit: false,
        smtputf8: false,
        recipients: vec![NewRecipient {
            destination: Destination::Domain(to.domain().clone()),
            address: to,
        }],
        created_at: 0,
        held: None,
    };
    let mut builder = CommitBuilder::new();
    let body = Some("\r\n".into());
    world
        .queue
        .enqueue(&mut builder, &message, body)
        .expect("within bounds");
    let outcome = world.store.commit(builder.build()).await.expect("a store");
    assert!(matches!(outcome, Outcome::Done(_)));
    let item = world.queue.recipients(message.id).await.expect("readable")[0].id;
    let bounce = world
        .queue
        .bounce_address(item, scout.canonical.domain())
        .expect("short enough");
    let bounce = bounce.to_string();
    // One octet of it is another.
    let at = bounce.find('@').expect("an address") - 1;
    let last = if bounce.as_bytes()[at] == b'a' { "b" } else { "a" };
    let forged = format!("{}{last}{}", &bounce[..at], &bounce[at + 1..]);

    // Not even a catch-all gets those.
    let keeper = world.inbox("keeper").await.canonical;
    let caught = world.identity.set_catch_all(keeper.domain(), Some(&keeper)).await;
    caught.expect("it is there");

    let mut client = world.client().await;
    assert_eq!(client.say("MAIL FROM:<>").await, "250 2.1.0 OK");
    for (to, reply) in [
        (forged.as_str(), "550 5.1.1 No such mailbox here"),
        ("b=@example.test", "550 5.1.1 No such mailbox here"),
        ("B=x@example.test", "550 5.1.1 No such mailbox here"),
        ("\"b=x\"@example.test", "550 5.1.1 No such mailbox here"),
        ("b=x@example.net", "550 5.7.1 Relaying denied"),
        ("b-x@example.test", "250 2.1.5 OK"),
    ] {
        assert_eq!(client.say(&format!("RCPT TO:<{to}>")).await, reply, "{to}");
    }
    assert_eq!(client.say("RSET").await, "250 2.0.0 OK");
    assert_eq!(client.say("MAIL FROM:<>").await, "250 2.1.0 OK");
    assert_eq!(client.say(&format!("RCPT TO:<{bounce}>")).await, "250 2.1.5 OK");
    assert!(client.say("DATA").await.starts_with("354 "));
    let report = "Subject: failed\r\nMIME-Version: 1.0\r\n\
                  Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
                  --b\r\nContent-Type: message/delivery-status\r\n\r\n\
                  Reporting-MTA: dns; mx.example.net\r\n\r\n\
                  Final-Recipient: rfc822; x@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n.";
    assert!(client.say(report).await.starts_with("250 "));
    assert_eq!(world.messages(scout.id).await.len(), 1);
    let reports = &world.queue.recipients(message.id).await.expect("readable")[0].reports;
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].status, "5.1.1");
}

#[tokio::test]
async fn an_inbox_deleted_after_rcpt_costs_the_others_nothing() {
    let world = world().await;
    let scout = world.inbox("scout").await;
    let both = ["scout@example.test", "gone@example.test"];
    for (recipients, reply) in [
        (&both[..], "451 4.3.0 Local trouble, try later"),
        (&both[1..], "550 5.1.1 No such mailbox here"),
    ] {
        let gone = world.inbox("gone").await;
        let mut client = world.client().await;
        client.say("MAIL FROM:<a@example.net>").await;
        for recipient in recipients {
            assert_eq!(client.say(&format!("RCPT TO:<{recipient}>")).await, "250 2.1.5 OK");
        }
        world.identity.delete_inbox(gone.id).await.expect("it is there");
        assert!(client.say("DATA").await.starts_with("354 "));
        assert_eq!(client.say("Subject: x\r\n\r\n.").await, reply);
    }
    assert_eq!(world.messages(scout.id).await.len(), 0, "all or none");
}
