//! Whole IMAP sessions: any bytes, cut anyhow, to two sessions of one inbox with some mail, on the store in memory. Each
//! choice says how much comes next, and to which session. In the end every session answers or is closed, and the
//! store is consistent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use postroom_fuzz::{cut, split};
use postroom_identity::{CreateInbox, CreateOutcome, Identity};
use postroom_imap::{Options, Service, Session};
use postroom_intake::{Intake, Spooler};
use postroom_mailstore::Mailstore;
use postroom_net::Peer;
use postroom_queue::Queue;
use postroom_store::{CommitBuilder, Key, MemoryStore, Outcome, SharedStore, Value, scan};
use postroom_testkit::Driven;
use postroom_types::{Domain, InboxId, Secret};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Largest literal that is taken, or read and thrown away, octets.
const LITERAL_OCTETS: u64 = 4096;
/// Longest command, octets.
const COMMAND_OCTETS: usize = 16 << 10;

/// The mail that is there before.
const MAIL: [&str; 3] = [
    "From: a@example.net\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\n\r\nhello\r\n",
    "From: b <b@example.net>\r\nSubject: Re: x\r\nIn-Reply-To: <1@x>\r\nMIME-Version: 1.0\r\n\
     Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n\
     --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner\r\n--b--\r\n",
    "no header",
];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime of our own")
});

/// An inbox as it is made: making one takes the time of two password hashes.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| RUNTIME.block_on(Template::make()));

struct Template {
    rows: Vec<(Key, Value)>,
    inbox: InboxId,
    api_key: Secret<String>,
    spool: PathBuf,
}

fn domain() -> Domain {
    Domain::parse("example.test").expect("a domain")
}

fn identity_on(store: &SharedStore, mailstore: &Arc<Mailstore>) -> Arc<Identity> {
    let options = postroom_identity::Options::new(domain());
    Arc::new(Identity::new(Arc::clone(store), Arc::clone(mailstore), options))
}

impl Template {
    async fn make() -> Self {
        let store: SharedStore = MemoryStore::new();
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&store),
            postroom_mailstore::Options::default(),
        ));
        let identity = identity_on(&store, &mailstore);
        identity.bootstrap().await.expect("a new store");
        let organization = identity
            .create_organization("fuzz", None)
            .await
            .expect("is new")
            .organization;
        let wanted = CreateInbox {
            username: Some("scout".to_owned()),
            strict: true,
            ..CreateInbox::new(organization.id)
        };
        let created = identity.create_inbox(&wanted).await.expect("is new");
        let CreateOutcome::Created {
            inbox,
            api_key: Some(api_key),
            ..
        } = created
        else {
            panic!("the inbox is new")
        };
        let mut rows = Vec::new();
        let mut pairs = scan(&*store, Vec::new(), vec![0xff; 8]);
        while let Some(pair) = pairs.next().await.expect("memory can be read") {
            rows.push(pair);
        }
        let spool = std::env::temp_dir().join(format!("postroom-fuzz-{}", std::process::id()));
        Self {
            rows,
            inbox: inbox.id,
            api_key,
            spool,
        }
    }

    /// A store with these rows.
    async fn copy(&self) -> SharedStore {
        let store: SharedStore = MemoryStore::new();
        for rows in self.rows.chunks(500) {
            let mut builder = CommitBuilder::new();
            for (key, value) in rows {
                builder.put(key.clone(), value.clone());
            }
            let outcome = store.commit(builder.build()).await;
            assert!(matches!(outcome, Ok(Outcome::Done(_))), "memory can be written");
        }
        store
    }
}

struct World {
    service: Arc<Service>,
    mailstore: Arc<Mailstore>,
}

impl World {
    async fn new() -> Self {
        let store = TEMPLATE.copy().await;
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&store),
            postroom_mailstore::Options::default(),
        ));
        let identity = identity_on(&store, &mailstore);
        let queue = postroom_queue::Options::new("mx.example.test".to_owned(), domain());
        let intake = Intake::new(
            Arc::clone(&mailstore),
            Arc::clone(&identity),
            Arc::new(Queue::new(store, queue)),
            postroom_intake::Options::default(),
        );
        let spooler = Spooler::new(TEMPLATE.spool.clone()).expect("a folder of our own");
        let protocol = postroom_imap_proto::Options {
            append_limit_octets: LITERAL_OCTETS,
            skip_octets: LITERAL_OCTETS,
            command_octets: COMMAND_OCTETS,
            compress: false,
            ..postroom_imap_proto::Options::default()
        };
        let options = Options {
            protocol,
            loopback_login: true,
            failure_delay: Duration::ZERO,
        };
        let service = Service::new(identity, Arc::clone(&mailstore), Arc::new(intake), spooler, options);
        Self {
            service: Arc::new(service),
            mailstore,
        }
    }

    /// A session that has logged in and selected INBOX.
    async fn session(&self) -> Connection {
        let address = "127.0.0.1:4000".parse().expect("an address");
        let peer = Peer {
            address,
            local: address,
            implicit_tls: false,
        };
        let (mut connection, _) = Driven::connect(self.service.session(&peer)).await;
        let login = format!(
            "l LOGIN scout@example.test {}\r\ns SELECT INBOX\r\n",
            TEMPLATE.api_key.expose()
        );
        let told = connection.send(login.as_bytes()).await;
        assert!(contains(&told, b"s OK"), "{}", String::from_utf8_lossy(&told));
        connection
    }
}

type Connection = Driven<Session>;

/// Whatever the input left open ends: a command is answered before long, or the connection is closed.
async fn end(connection: &mut Connection) {
    let line = b"\r\nDONE\r\nzzz NOOP\r\n";
    let mut sent = 0;
    while !connection.is_closed() {
        let told = connection.send(line).await;
        if contains(&told, b"zzz ") {
            return;
        }
        sent += line.len();
        assert!(sent <= 4 * COMMAND_OCTETS, "nothing is answered");
    }
}

fn contains(told: &[u8], text: &[u8]) -> bool {
    told.windows(text.len()).any(|window| window == text)
}

async fn run(input: &[u8]) {
    let (mut choices, mut bytes) = split(input);
    let world = World::new().await;
    let mut sessions = [world.session().await, world.session().await];
    for mail in MAIL {
        sessions[0]
            .send(format!("m APPEND INBOX {{{}+}}\r\n{mail}\r\n", mail.len()).as_bytes())
            .await;
    }
    while !bytes.is_empty() && sessions.iter().any(|session| !session.is_closed()) {
        let choice = choices.take();
        let (piece, rest) = bytes.split_at(cut(choice & 0x7f, bytes.len()));
        bytes = rest;
        sessions[usize::from(choice >> 7)].send(piece).await;
        for session in &mut sessions {
            // Takes news, if there are any now.
            session.listen(Duration::ZERO).await;
        }
    }
    for session in &mut sessions {
        end(session).await;
    }
    drop(sessions);
    let wrong = world
        .mailstore
        .check_consistency(TEMPLATE.inbox)
        .await
        .expect("memory can be read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fuzz_target!(|input: &[u8]| {
    LazyLock::force(&TEMPLATE);
    RUNTIME.block_on(run(input));
});
