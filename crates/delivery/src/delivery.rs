//! Takes turns from the queue and gives each to a worker, until the shutdown.

use crate::hop::HopKey;
use crate::link::Link;
use crate::network::Network;
use crate::options::Options;
use crate::patience::{Patience, Patiences};
use crate::pool::Pool;
use crate::tls::TlsClient;
use crate::{capture, local, remote};
use postroom_identity::Identity;
use postroom_intake::Intake;
use postroom_net::CancellationToken;
use postroom_queue::{Destination, Queue, Turn};
use postroom_store::SharedStore;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Turns held at one time, most of them waiting for a connection: destinations whose servers are slow must not keep mail
/// for inboxes here from being looked at. One that waits costs about a kilobyte.
const TURNS: usize = 10_000;
/// How long after the drain the last attempts may take to be closed.
const CLOSING: Duration = Duration::from_secs(5);
/// Pause of a worker after trouble with the store, which would come again at once.
pub(crate) const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Room for one connection; shared by the worker that opens it and the task that keeps it.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

/// Why mail cannot go out.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The extra certificates cannot be used.
    #[error("bad certificates of authorities: {0}")]
    Roots(String),
}

/// Sends what is queued. One for the whole server.
pub struct Delivery {
    pub(crate) queue: Arc<Queue>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) store: SharedStore,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) options: Options,
    patiences: Patiences,
    pub(crate) tls: Arc<TlsClient>,
    pub(crate) pool: Pool,
    pub(crate) tasks: TaskTracker,
    /// No new work; what is under way may end.
    pub(crate) shutdown: CancellationToken,
    /// Nothing may go on.
    pub(crate) kill: CancellationToken,
    connections: Arc<Semaphore>,
}

impl Delivery {
    /// Delivery of this queue's mail. `store` is where its bodies are.
    ///
    /// # Errors
    /// [`DeliveryError`] if the options cannot be used.
    pub fn new(
        queue: Arc<Queue>,
        intake: Arc<Intake>,
        identity: Arc<Identity>,
        store: SharedStore,
        network: Arc<dyn Network>,
        options: Options,
    ) -> Result<Self, DeliveryError> {
        Ok(Self {
            tls: Arc::new(TlsClient::new(&options.extra_roots).map_err(DeliveryError::Roots)?),
            connections: Arc::new(Semaphore::new(options.connections.max(1))),
            patiences: Patiences::of(&options),
            pool: Pool::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            kill: CancellationToken::new(),
            queue,
            intake,
            identity,
            store,
            network,
            options,
        })
    }

    /// Delivers until `shutdown`; then lets transactions end within [`Options::drain_timeout`], closes the attempts
    /// of those that did not, and returns. To be called once.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let turns = Arc::new(Semaphore::new(TURNS));
        let next = async || {
            let room = Arc::clone(&turns).acquire_owned().await.ok()?;
            Some((self.queue.next_turn().await, room))
        };
        loop {
            let taken = tokio::select! {
                () = shutdown.cancelled() => break,
                taken = next() => taken,
            };
            let Some((turn, room)) = taken else { break };
            let delivery = Arc::clone(&self);
            self.tasks.spawn(async move {
                delivery.work(turn).await;
                drop(room);
            });
        }
        self.drain().await;
    }

    /// What it waits in is boxed, so that it is not as large as what it will do.
    async fn work(&self, turn: Turn) {
        match turn.destination().clone() {
            Destination::Domain(domain) if !self.identity.is_local(&domain) => {
                if self.options.capture {
                    Box::pin(capture::serve(self, turn)).await;
                } else if let Some(permit) = self.permit().await {
                    Box::pin(remote::serve(self, turn, domain, permit)).await;
                }
            }
            Destination::Domain(_) | Destination::Inbox(_) => Box::pin(local::serve(self, turn)).await,
        }
    }

    async fn drain(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        // The machines end at the same time, with a word on each recipient; they go first.
        let patience = self.options.drain_timeout + Duration::from_secs(1);
        if timeout(patience, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.kill.cancel();
        if timeout(CLOSING, self.tasks.wait()).await.is_err() {
            tracing::warn!("attempts stay open: the store did not answer in time");
        }
    }

    /// Room for one connection. `None`: the server is going down.
    pub(crate) async fn permit(&self) -> Option<Permit> {
        let connections = Arc::clone(&self.connections);
        let permit = match Arc::clone(&connections).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.pool.drop_one();
                tokio::select! {
                    () = self.shutdown.cancelled() => return None,
                    permit = connections.acquire_owned() => permit.ok()?,
                }
            }
        };
        Some(Arc::new(permit))
    }

    /// How long a connection that is made now may take. Its own permit is taken already.
    pub(crate) fn patience(&self) -> &Patience {
        self.patiences.with_free(self.connections.available_permits())
    }

    /// A kept connection to this server.
    pub(crate) fn kept(&self, key: &HopKey) -> Option<Link> {
        std::iter::from_fn(|| self.pool.take(key)).find(|link| link.is_good(self.options.messages_per_connection))
    }

    /// Keeps a connection for others, unless it has done its part or somebody waits for room.
    pub(crate) fn keep(&self, link: Link) {
        if link.is_good(self.options.messages_per_connection) && self.connections.available_permits() > 0 {
            self.pool.put(link);
        }
    }
}
