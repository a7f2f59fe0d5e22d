//! What all sessions of submission share.

use crate::answer::Session;
use crate::options::Options;
use postroom_identity::{Identity, random_seed};
use postroom_intake::{Intake, Spooler};
use postroom_net::Peer;
use postroom_smtp_proto::Server;
use postroom_wire::ScramOptions;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Submission, one for each listener.
pub struct Service {
    pub(crate) identity: Arc<Identity>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) spooler: Spooler,
    pub(crate) failure_delay: Duration,
    protocol: Arc<postroom_smtp_proto::Options>,
}

impl Service {
    /// A service on these parts.
    #[must_use]
    pub fn new(identity: Arc<Identity>, intake: Arc<Intake>, spooler: Spooler, options: Options) -> Self {
        Self {
            identity,
            intake,
            spooler,
            failure_delay: options.failure_delay,
            protocol: Arc::new(options.protocol),
        }
    }

    /// The machine and the answers for a new connection.
    #[must_use]
    pub fn session(self: &Arc<Self>, peer: &Peer) -> (Server, Session) {
        let scram = self.identity.scram_parameters().map(|parameters| ScramOptions {
            parameters,
            seed: random_seed(),
        });
        let machine = Server::submission(Arc::clone(&self.protocol), scram, Instant::now());
        let session = Session::new(Arc::clone(self), peer.address.ip().to_canonical());
        (machine, session)
    }
}
