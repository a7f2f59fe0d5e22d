//! What all IMAP sessions share.

use crate::answer::Session;
use crate::damage::Damaged;
use crate::options::Options;
use crate::recent::Recent;
use crate::room::DECODING_KIBIBYTES;
use postroom_identity::{Identity, random_seed};
use postroom_imap_proto::{Options as ProtocolOptions, Server};
use postroom_intake::{Intake, Spooler};
use postroom_mailstore::Mailstore;
use postroom_net::Peer;
use postroom_wire::ScramOptions;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What all sessions share.
pub struct Service {
    pub(crate) identity: Arc<Identity>,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) spooler: Spooler,
    pub(crate) recent: Recent,
    /// Room for large parts that are decoded, in KiB.
    pub(crate) decoding: Arc<Semaphore>,
    pub(crate) damaged: Damaged,
    pub(crate) failure_delay: Duration,
    protocol: Arc<ProtocolOptions>,
    /// The same for clients on loopback.
    loopback: Arc<ProtocolOptions>,
}

impl Service {
    /// A service on these parts.
    #[must_use]
    pub fn new(
        identity: Arc<Identity>,
        mailstore: Arc<Mailstore>,
        intake: Arc<Intake>,
        spooler: Spooler,
        options: Options,
    ) -> Self {
        let Options {
            protocol,
            loopback_login,
            failure_delay,
        } = options;
        let allow_plaintext_login = protocol.allow_plaintext_login || loopback_login;
        let loopback = ProtocolOptions {
            allow_plaintext_login,
            ..protocol.clone()
        };
        Self {
            identity,
            mailstore,
            intake,
            spooler,
            recent: Recent::default(),
            decoding: Arc::new(Semaphore::new(DECODING_KIBIBYTES as usize)),
            damaged: Damaged::default(),
            failure_delay,
            protocol: Arc::new(protocol),
            loopback: Arc::new(loopback),
        }
    }

    /// Our name, as it stands in URLs that name us.
    pub(crate) fn hostname(&self) -> &str {
        &self.protocol.hostname
    }

    /// The machine and the answers for a new connection.
    #[must_use]
    pub fn session(self: &Arc<Self>, peer: &Peer) -> (Server, Session) {
        let address = peer.address.ip().to_canonical();
        let protocol = if address.is_loopback() {
            &self.loopback
        } else {
            &self.protocol
        };
        let scram = self.identity.scram_parameters().map(|parameters| ScramOptions {
            parameters,
            seed: random_seed(),
        });
        let server = Server::new(Arc::clone(protocol), scram, Instant::now());
        (server, Session::new(Arc::clone(self), address))
    }
}
