//! A server without sockets: one inbox on one store, and connections to it. Each test adds what it asks of it.

#![allow(dead_code, reason = "each test uses its part")]

use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord};
use postroom_imap::{Options, Service, Session};
use postroom_intake::{Intake, Spooler};
use postroom_mailstore::Mailstore;
use postroom_net::Peer;
use postroom_queue::Queue;
use postroom_store::SharedStore;
use postroom_testkit::Driven;
use postroom_types::{Domain, EmailId, Secret};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct World {
    service: Arc<Service>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) mailstore: Arc<Mailstore>,
    /// That of scout@example.test.
    pub(crate) inbox: InboxRecord,
    pub(crate) password: Secret<String>,
    /// Costs less to check than a password.
    pub(crate) api_key: Secret<String>,
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
        let made = identity.create_organization("test", None).await.expect("is new");
        let wanted = CreateInbox {
            username: Some("scout".to_owned()),
            strict: true,
            ..CreateInbox::new(made.organization.id)
        };
        let CreateOutcome::Created {
            inbox,
            password: Some(password),
            api_key: Some(api_key),
        } = identity.create_inbox(&wanted).await.expect("is new")
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
        let spool = std::env::temp_dir().join(format!("postroom-imap-{}", EmailId::new()));
        let spooler = Spooler::new(spool.clone()).expect("a folder of our own");
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
            spool,
        }
    }

    /// A connection from loopback that has been greeted.
    pub(crate) async fn connection(&self) -> Driven<Session> {
        let address = "127.0.0.1:4000".parse().expect("an address");
        let peer = Peer {
            address,
            local: address,
            implicit_tls: false,
        };
        Driven::connect(self.service.session(&peer)).await.0
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.spool);
    }
}
