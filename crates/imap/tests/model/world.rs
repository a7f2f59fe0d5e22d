//! A server without sockets: one inbox on one store, and connections to it.

use bytes::Bytes;
use postroom_identity::{CreateInbox, CreateOutcome, Identity};
use postroom_imap::{Options, Service, Session};
use postroom_imap_proto::Server;
use postroom_intake::{Intake, Spooler};
use postroom_mailstore::Mailstore;
use postroom_net::{Answerer, Peer};
use postroom_queue::Queue;
use postroom_store::SharedStore;
use postroom_types::{Domain, EmailId, InboxId, Secret};
use postroom_wire::{Action, Input, Machine};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct World {
    service: Arc<Service>,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) inbox: InboxId,
    /// Costs less to check than a password.
    api_key: Secret<String>,
    spool: PathBuf,
}

impl World {
    pub(crate) async fn on(store: SharedStore) -> Self {
        let mailstore = Arc::new(Mailstore::new(
            Arc::clone(&store),
            postroom_mailstore::Options::default(),
        ));
        let domain = Domain::parse("example.test").expect("a domain");
        let options = postroom_identity::Options::new(domain.clone());
        let identity = Arc::new(Identity::new(Arc::clone(&store), Arc::clone(&mailstore), options));
        identity.bootstrap().await.expect("a new store");
        let organization = identity
            .create_organization("test", None)
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
        let queue = postroom_queue::Options::new("mx.example.test".to_owned(), domain);
        let intake = Arc::new(Intake::new(
            Arc::clone(&mailstore),
            Arc::clone(&identity),
            Arc::new(Queue::new(store, queue)),
            postroom_intake::Options::default(),
        ));
        let spool = std::env::temp_dir().join(format!("postroom-imap-model-{}", EmailId::new()));
        let spooler = Spooler::new(spool.clone()).expect("a folder of our own");
        let options = Options {
            loopback_login: true,
            ..Options::default()
        };
        let service = Service::new(identity, Arc::clone(&mailstore), intake, spooler, options);
        Self {
            service: Arc::new(service),
            mailstore,
            inbox: inbox.id,
            api_key,
            spool,
        }
    }

    /// A connection that has been greeted.
    pub(crate) async fn connect(&self) -> Connection {
        let address = "127.0.0.1:4000".parse().expect("an address");
        let peer = Peer {
            address,
            local: address,
            implicit_tls: false,
        };
        let (server, session) = self.service.session(&peer);
        let mut connection = Connection {
            server,
            session,
            closed: false,
        };
        connection.act().await;
        connection
    }

    pub(crate) fn login(&self) -> String {
        format!("LOGIN scout@example.test {}", self.api_key.expose())
    }

    /// Modseq of the last change in the inbox.
    pub(crate) async fn modseq(&self) -> u64 {
        self.mailstore.modseq(self.inbox).await.expect("the inbox is there").0
    }

    pub(crate) async fn check_consistency(&self) -> Result<(), String> {
        let wrong = self.mailstore.check_consistency(self.inbox).await;
        match wrong.map_err(|e| e.to_string())? {
            wrong if wrong.is_empty() => Ok(()),
            wrong => Err(format!("the store is inconsistent: {wrong:#?}")),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.spool);
    }
}

/// The server's side of a connection. Dropped, it is gone as if the network had failed.
pub(crate) struct Connection {
    server: Server,
    session: Session,
    pub(crate) closed: bool,
}

impl Connection {
    /// Hands bytes in and takes what is said.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.closed {
            return Vec::new();
        }
        self.server.handle(Input::Bytes(bytes), Instant::now());
        self.act().await
    }

    /// What is said of news, if there are any within this time.
    pub(crate) async fn listen(&mut self, limit: Duration) -> Option<Vec<u8>> {
        if self.closed {
            return None;
        }
        let news = tokio::time::timeout(limit, self.session.news()).await.ok()?;
        self.server.handle(Input::News(news), Instant::now());
        Some(self.act().await)
    }

    async fn act(&mut self) -> Vec<u8> {
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
                    assert_eq!(bytes.len() as u64, span.octets, "small bodies come at once");
                    told.extend_from_slice(&bytes);
                }
                Action::StartTls | Action::Compress(_) => panic!("nobody asked for it"),
                Action::Close => self.closed = true,
            }
        }
        told
    }
}
