//! Whole sessions of submission, without sockets, on the store in memory.

use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxChange, InboxRecord};
use postroom_intake::{Intake, SendLimits, Spooler};
use postroom_mailstore::Mailstore;
use postroom_net::Peer;
use postroom_queue::Queue;
use postroom_smtp_submission::{Options, Service, Session};
use postroom_store::MemoryStore;
use postroom_testkit::Driven;
use postroom_types::{Domain, OrganizationId, Secret};
use postroom_wire::base64_encode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

struct World {
    store: Arc<MemoryStore>,
    mailstore: Arc<Mailstore>,
    identity: Arc<Identity>,
    queue: Arc<Queue>,
    service: Arc<Service>,
    organization: OrganizationId,
    spool: std::path::PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.spool);
    }
}

struct Made {
    inbox: InboxRecord,
    password: Secret<String>,
    key: Secret<String>,
}

async fn world() -> World {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let spool = std::env::temp_dir().join(format!("postroom-submission-{}-{number}", std::process::id()));
    let store = MemoryStore::new();
    let mailstore = Arc::new(Mailstore::new(store.clone(), postroom_mailstore::Options::default()));
    let domain = Domain::parse("example.test").expect("a domain");
    let identity_options = postroom_identity::Options::new(domain.clone());
    let identity = Arc::new(Identity::new(store.clone(), Arc::clone(&mailstore), identity_options));
    identity.bootstrap().await.expect("a fresh store");
    let made = identity.create_organization("Example", None).await.expect("room");
    let queue_options = postroom_queue::Options::new("mx.example.test".into(), domain);
    let queue = Arc::new(Queue::new(store.clone(), queue_options));
    let intake_options = postroom_intake::Options {
        hostname: "mx.example.test".into(),
        send_limits: Some(SendLimits {
            messages: 4,
            new_recipients: 100,
        }),
        ..postroom_intake::Options::default()
    };
    let intake = Intake::new(
        Arc::clone(&mailstore),
        Arc::clone(&identity),
        Arc::clone(&queue),
        intake_options,
    );
    let options = Options {
        protocol: postroom_smtp_proto::Options {
            hostname: "mx.example.test".into(),
            size_octets: 5_000_000,
            ..postroom_smtp_proto::Options::default()
        },
        failure_delay: Duration::from_millis(1),
    };
    let spooler = Spooler::new(spool.clone()).expect("a folder");
    let service = Service::new(Arc::clone(&identity), Arc::new(intake), spooler, options);
    World {
        service: Arc::new(service),
        store,
        mailstore,
        identity,
        queue,
        organization: made.organization.id,
        spool,
    }
}

impl World {
    async fn inbox(&self, name: &str) -> Made {
        let request = CreateInbox {
            username: Some(name.to_owned()),
            strict: true,
            ..CreateInbox::new(self.organization)
        };
        match self.identity.create_inbox(&request).await {
            Ok(CreateOutcome::Created {
                inbox,
                password: Some(password),
                api_key: Some(api_key),
            }) => Made {
                inbox: *inbox,
                password,
                key: api_key,
            },
            other => panic!("{name} is free: {other:?}"),
        }
    }

    /// Connected over TLS and greeted.
    async fn client(&self) -> Client {
        let address = "127.0.0.1:4000".parse().expect("an address");
        let peer = Peer {
            address,
            local: address,
            implicit_tls: true,
        };
        let (driven, greeting) = Driven::connect_tls(self.service.session(&peer), None).await;
        assert!(greeting.starts_with(b"220 "));
        let mut client = Client(driven);
        assert!(client.say("EHLO client.example.net").await.contains("AUTH "));
        client
    }

    async fn logged_in(&self, made: &Made) -> Client {
        let mut client = self.client().await;
        let plain = format!("\0{}\0{}", made.inbox.canonical, made.password.expose());
        let told = client
            .say(&format!("AUTH PLAIN {}", base64_encode(plain.as_bytes())))
            .await;
        assert_eq!(told, "235 2.7.0 Authentication successful\r\n");
        client
    }

    async fn count(&self, made: &Made) -> usize {
        let messages = self.mailstore.messages(made.inbox.id, None, 100).await;
        messages.expect("readable").len()
    }
}

struct Client(Driven<Session>);

impl Client {
    async fn say(&mut self, line: &str) -> String {
        let told = self.0.send(format!("{line}\r\n").as_bytes()).await;
        self.text(told)
    }

    /// What it hears by itself within this time.
    async fn hear(&mut self, limit: Duration) -> Option<String> {
        let told = self.0.listen(limit).await?;
        Some(self.text(told))
    }

    /// As text, with the end of the connection.
    fn text(&self, mut told: Vec<u8>) -> String {
        if self.0.is_closed() {
            told.extend_from_slice(b"closed");
        }
        String::from_utf8(told).expect("ASCII")
    }

    /// A whole transaction; the last reply.
    async fn send(&mut self, from: &str, to: &[&str], message: &str) -> String {
        assert_eq!(self.say(&format!("MAIL FROM:<{from}>")).await, "250 2.1.0 OK\r\n");
        for to in to {
            assert_eq!(self.say(&format!("RCPT TO:<{to}>")).await, "250 2.1.5 OK\r\n");
        }
        assert!(self.say("DATA").await.starts_with("354 "));
        self.say(&format!("{message}.")).await
    }
}

const HELLO: &str = "From: scout@example.test\r\nSubject: hello\r\n\r\nhello\r\n";

#[tokio::test]
async fn mail_is_taken_from_who_logs_in() {
    let world = world().await;
    let scout = world.inbox("scout").await;
    let mut client = world.client().await;
    assert!(
        client
            .say("MAIL FROM:<scout@example.test>")
            .await
            .starts_with("530 5.7.0")
    );
    let mut client = world.logged_in(&scout).await;
    let told = client.send("scout@example.test", &["a@example.net"], HELLO).await;
    assert!(told.starts_with("250 2.0.0 Accepted, id "), "{told}");
    let id = told
        .trim_end()
        .rsplit(' ')
        .next()
        .expect("an id")
        .parse()
        .expect("an id");
    assert_eq!(world.queue.recipients(id).await.expect("readable").len(), 1);
    assert_eq!(world.count(&scout).await, 1);
    // Large ones go through a file, and the next transaction has nothing of the first.
    let large = format!("{HELLO}{}", "0123456789\r\n".repeat(200_000));
    let told = client
        .send(
            "scout@example.test",
            &["postmaster@example.test", "b@example.net"],
            &large,
        )
        .await;
    assert!(told.starts_with("250 2.0.0 Accepted"), "{told}");
    let newest = &world
        .mailstore
        .messages(scout.inbox.id, None, 1)
        .await
        .expect("readable")[0];
    assert!(newest.size_octets() > large.len() as u64);
    assert_eq!(
        world.queue.recipients(newest.email_id).await.expect("readable").len(),
        2
    );
}

#[tokio::test]
async fn keys_and_wrong_passwords() {
    let world = world().await;
    let (scout, other) = (world.inbox("scout").await, world.inbox("other").await);
    let bearer = |user: &str, key: &Secret<String>| {
        let response = format!("n,a={user},\x01auth=Bearer {}\x01\x01", key.expose());
        format!("AUTH OAUTHBEARER {}", base64_encode(response.as_bytes()))
    };
    let mut client = world.client().await;
    let told = client.say(&bearer("scout@example.test", &scout.key)).await;
    assert!(told.starts_with("235 "), "{told}");
    assert!(client.say("MAIL FROM:<scout@example.test>").await.starts_with("250 "));

    let mut client = world.client().await;
    let plain = format!("\0scout@example.test\0{}", other.password.expose());
    let told = client
        .say(&format!("AUTH PLAIN {}", base64_encode(plain.as_bytes())))
        .await;
    assert_eq!(told, "535 5.7.8 Wrong user or password\r\n");
    assert!(
        client
            .say("MAIL FROM:<scout@example.test>")
            .await
            .starts_with("530 5.7.0")
    );
}

#[tokio::test]
async fn what_is_refused_and_where() {
    let world = world().await;
    let scout = world.inbox("scout").await;
    world.inbox("ranger").await;
    let mut client = world.logged_in(&scout).await;
    for (line, reply) in [
        ("MAIL FROM:<>", "250 2.1.0 OK\r\n"),
        ("RSET", "250 2.0.0 OK\r\n"),
        (
            "MAIL FROM:<ranger@example.test>",
            "550 5.7.1 Not an address of yours\r\n",
        ),
        ("MAIL FROM:<scout+news@example.test>", "250 2.1.0 OK\r\n"),
        ("RCPT TO:<nobody@example.test>", "550 5.1.1 No such mailbox here\r\n"),
        ("RCPT TO:<ranger@example.test>", "250 2.1.5 OK\r\n"),
        ("RCPT TO:<Postmaster>", "250 2.1.5 OK\r\n"),
        ("RSET", "250 2.0.0 OK\r\n"),
        ("MAIL FROM:<scout@example.test> SMTPUTF8", "250 2.1.0 OK\r\n"),
        ("RCPT TO:<x@out.test\u{2028}y>", "550 5.1.2 Not a domain name\r\n"),
        ("RCPT TO:<x@bücher.example>", "250 2.1.5 OK\r\n"),
        ("RSET", "250 2.0.0 OK\r\n"),
    ] {
        assert_eq!(client.say(line).await, reply, "{line}");
    }
    let to = ["a@example.net"];
    for (message, reply) in [
        (
            HELLO.replace("scout@", "ranger@"),
            "550 5.7.1 Not an address of yours\r\n",
        ),
        (
            "Subject: x\r\n\r\n".into(),
            "550 5.7.1 Need a From with an address of yours\r\n",
        ),
        (
            HELLO.replace("Subject: hello\r\n", "Subject: hello\n"),
            "554 5.6.0 Message has a bare CR or LF\r\n",
        ),
        (
            HELLO.replace("Subject", "no field\r\nSubject"),
            "554 5.6.0 Malformed message: header line is no field\r\n",
        ),
    ] {
        assert_eq!(
            client.send("scout@example.test", &to, &message).await,
            reply,
            "{message}"
        );
    }
    world.store.set_full(true);
    let full = client.send("scout@example.test", &to, HELLO).await;
    assert_eq!(full, "452 4.3.1 Out of space, try later\r\n");
    world.store.set_full(false);
    assert_eq!(world.count(&scout).await, 0);
    for number in 0..4 {
        let told = client
            .send("scout@example.test", &to, &HELLO.replace("hello", &format!("{number}")))
            .await;
        assert!(told.starts_with("250 2.0.0 Accepted"), "{told}");
    }
    let limited = client.send("scout@example.test", &to, HELLO).await;
    assert!(
        limited.starts_with("450 4.7.1 Daily limit reached, again in "),
        "{limited}"
    );
    let pause = InboxChange {
        send_paused: Some(true),
        ..InboxChange::default()
    };
    world
        .identity
        .update_inbox(scout.inbox.id, &pause)
        .await
        .expect("it is there");
    let paused = client.say("MAIL FROM:<scout@example.test>").await;
    assert_eq!(paused, "550 5.7.1 Sending is paused for this mailbox\r\n");
}

#[tokio::test]
async fn a_login_that_no_longer_counts_ends_the_session() {
    let world = world().await;
    let scout = world.inbox("scout").await;
    let mut at_mail = world.logged_in(&scout).await;
    let mut at_message = world.logged_in(&scout).await;
    at_message.say("MAIL FROM:<scout@example.test>").await;
    at_message.say("RCPT TO:<a@example.net>").await;
    at_message.say("DATA").await;
    world.identity.delete_inbox(scout.inbox.id).await.expect("it is there");
    let closed = "421 4.7.0 The credentials are no longer valid, closing\r\nclosed";
    assert_eq!(at_mail.say("MAIL FROM:<scout@example.test>").await, closed);
    assert_eq!(at_message.say(&format!("{HELLO}.")).await, closed);
}

#[tokio::test]
async fn a_silent_session_ends_as_soon_as_its_login_does() {
    let world = world().await;
    for state in ["idle", "in a transaction", "amid a message"] {
        let name = state.replace(' ', "-");
        let scout = world.inbox(&name).await;
        let mut client = world.logged_in(&scout).await;
        if state != "idle" {
            client.say(&format!("MAIL FROM:<{name}@example.test>")).await;
            client.say("RCPT TO:<a@example.net>").await;
        }
        if state == "amid a message" {
            client.say("DATA").await;
            client.say("Subject: half").await;
        }
        let heard = client.hear(Duration::from_millis(50)).await;
        assert_eq!(heard, None, "{state}: nothing has happened");
        world.identity.delete_inbox(scout.inbox.id).await.expect("it is there");
        let heard = client.hear(Duration::from_secs(5)).await;
        let closed = "421 4.7.0 The credentials are no longer valid, closing\r\nclosed";
        assert_eq!(heard.as_deref(), Some(closed), "{state}");
    }
}
