//! What all sessions of port 25 share.

use crate::answer::Session;
use crate::options::Options;
use postroom_identity::Identity;
use postroom_intake::{Intake, Spooler};
use postroom_mailstore::Mailstore;
use postroom_message::Verifier;
use postroom_net::Peer;
use postroom_queue::Queue;
use postroom_smtp_proto::Server;
use std::sync::Arc;
use std::time::Instant;

/// Port 25, one for each listener.
pub struct Service {
    pub(crate) identity: Arc<Identity>,
    pub(crate) mailstore: Arc<Mailstore>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) verifier: Verifier,
    pub(crate) spooler: Spooler,
    protocol: Arc<postroom_smtp_proto::Options>,
}

impl Service {
    /// A service on these parts; `queue` is the one that intake uses.
    #[must_use]
    pub fn new(
        identity: Arc<Identity>,
        mailstore: Arc<Mailstore>,
        intake: Arc<Intake>,
        queue: Arc<Queue>,
        verifier: Verifier,
        spooler: Spooler,
        options: Options,
    ) -> Self {
        Self {
            identity,
            mailstore,
            intake,
            queue,
            verifier,
            spooler,
            protocol: Arc::new(options.protocol),
        }
    }

    /// The machine and the answers for a new connection.
    #[must_use]
    pub fn session(self: &Arc<Self>, peer: &Peer) -> (Server, Session) {
        let machine = Server::new(Arc::clone(&self.protocol), Instant::now());
        let session = Session::new(Arc::clone(self), peer.address.ip().to_canonical());
        (machine, session)
    }
}
