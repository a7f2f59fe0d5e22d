//! A driver without sockets.

use bytes::Bytes;
use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord};
use postroom_imap::{Options, Service, Session};
use postroom_imap_proto::Server;
use postroom_intake::{Intake, Spooler};
use postroom_mailstore::Mailstore;
use postroom_net::{Answerer, Peer};
use postroom_queue::Queue;
use postroom_store::{MemoryStore, SharedStore};
use postroom_types::{Domain, EmailId, Secret};
use postroom_wire::{Action, ChannelBinding, Input, Machine};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server with one inbox.
pub(crate) struct World {
    service: Arc<Service>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) inbox: InboxRecord,
    pub(crate) password: Secret<String>,
    pub(crate) api_key: Secret<String>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(MemoryStore::new()).await
    }

    /// On a store that conflicts, loses answers and gives short pages wherever it may.
    pub(crate) async fn hostile(seed: u64) -> Self {
        Self::on(MemoryStore::hostile(seed)).await
    }

    async fn on(store: SharedStore) -> Self {
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&store),
            postroom_mailstore::Options::default(),
        ));
        let domain = Domain::parse("example.test").unwrap();
        let options = postroom_identity::Options::new(domain.clone());
        let identity = Arc::new(Identity::new(Arc::clone(&store), Arc::clone(&mailstore), options));
        identity.bootstrap().await.unwrap();
        let organization = identity.create_organization("test", None).await.unwrap().organization;
        let wanted = CreateInbox {
            username: Some("scout".to_owned()),
            strict: true,
            ..CreateInbox::new(organization.id)
        };
        let CreateOutcome::Created {
            inbox,
            password: Some(password),
            api_key: Some(api_key),
        } = identity.create_inbox(&wanted).await.unwrap()
        else {
            panic!("the inbox is new")
        };
        let queue = postroom_queue::Options::new("mx.example.test".to_owned(), domain);
        let intake = Arc::new(Intake::new(
            Arc::clone(&mailstore),
            Arc::clone(&identity),
            Arc::new(Queue::new(store, queue)),
            postroom_intake::Options::default(),
        ));
        let folder = std::env::temp_dir().join(format!("postroom-imap-{}", EmailId::new()));
        let spooler = Spooler::new(folder).unwrap();
        let options = Options {
            loopback_login: true,
            failure_delay: Duration::from_millis(1),
            ..Options::default()
        };
        let service = Service::new(Arc::clone(&identity), Arc::clone(&mailstore), intake, spooler, options);
        Self {
            service: Arc::new(service),
            identity,
            mailstore,
            inbox: *inbox,
            password,
            api_key,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        let address = "127.0.0.1:4000".parse().unwrap();
        let peer = Peer {
            address,
            local: address,
            implicit_tls: false,
        };
        let (server, session) = self.service.session(&peer);
        let mut client = Client {
            server,
            session,
            closed: false,
        };
        client.act().await;
        client
    }

    pub(crate) async fn log_in(&self) -> Client {
        let mut client = self.connect().await;
        let told = client
            .say(&format!("l LOGIN scout@example.test {}", self.password.expose()))
            .await;
        assert!(told.starts_with("l OK"), "{told}");
        client
    }

    /// A client that has selected INBOX.
    pub(crate) async fn selected(&self) -> Client {
        let mut client = self.log_in().await;
        let told = client.say("s SELECT INBOX").await;
        assert!(told.ends_with("s OK [READ-WRITE] SELECT completed\r\n"), "{told}");
        client
    }

    pub(crate) async fn check(&self) {
        let wrong = self.mailstore.check_consistency(self.inbox.id).await.unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

pub(crate) struct Client {
    server: Server,
    session: Session,
    pub(crate) closed: bool,
}

impl Client {
    /// Sends a line and hears what comes.
    pub(crate) async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> String {
        self.server.handle(Input::Bytes(bytes), Instant::now());
        self.act().await
    }

    /// TLS is up, with this binding.
    pub(crate) async fn secure(&mut self, binding: ChannelBinding) -> String {
        self.server.handle(Input::TlsUp(Some(binding)), Instant::now());
        self.act().await
    }

    /// Sends a line and asserts that the command is done with this tag; hears what came before its tagged response.
    pub(crate) async fn ok(&mut self, line: &str) -> String {
        let told = self.say(line).await;
        let tag = line.split(' ').next().unwrap_or_default();
        let (before, last) = told
            .rsplit_once(&format!("{tag} OK "))
            .unwrap_or_else(|| panic!("{line}: {told}"));
        assert!(last.matches("\r\n").count() == 1, "{line}: {told}");
        before.to_owned()
    }

    /// Appends a message with a literal that is not waited for.
    pub(crate) async fn append(&mut self, arguments: &str, message: &str) -> String {
        self.send(format!("a APPEND {arguments} {{{}+}}\r\n{message}\r\n", message.len()).as_bytes())
            .await
    }

    /// Waits for news and hears what is told.
    pub(crate) async fn listen(&mut self) -> String {
        let news = tokio::time::timeout(Duration::from_secs(5), self.session.news())
            .await
            .expect("there are news");
        self.server.handle(Input::News(news), Instant::now());
        self.act().await
    }

    /// Whether nothing happens for a moment.
    pub(crate) async fn hears_nothing(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(50), self.session.news())
            .await
            .is_err()
    }

    async fn act(&mut self) -> String {
        let mut told = Vec::new();
        while let Some(action) = self.server.next_action() {
            match action {
                Action::Send(bytes) => told.extend_from_slice(&bytes),
                Action::Ask(question) => {
                    let answer = self.session.answer(question).await;
                    self.server.handle(Input::Answer(answer), Instant::now());
                }
                Action::Body(bytes) => self.session.body(bytes).await,
                Action::BodyEnd => self.session.body_end().await,
                Action::SendBlob(span) => {
                    let bytes: Bytes = self.session.read_blob(span).await.expect("the body is there");
                    assert_eq!(bytes.len() as u64, span.octets);
                    told.extend_from_slice(&bytes);
                }
                Action::StartTls | Action::Compress(_) => panic!("not asked for"),
                Action::Close => self.closed = true,
            }
        }
        String::from_utf8(told).expect("these tests speak ASCII")
    }
}
