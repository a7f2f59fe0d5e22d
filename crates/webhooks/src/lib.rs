//! Who hears of which events: one rule that says what passes, one hub that all subscribers of an organization share, and
//! webhooks, which post events to URLs.
//!
//! What always holds:
//! - The feed is the truth; a hub and its bodies are memory that can be lost at any time.
//! - A webhook's cursor moves past an event only in the commit that knows what became of it: it was delivered, it is none
//!   of its business, or a row says when it is tried again. So after a crash each event is delivered at least once.
//! - An endpoint that fails delays nobody else, and its own later events only by the requests that may be open at once.
//! - What is paused does not hear later of what happened meanwhile.
//! - Nobody is told of mail that is hidden from them by the time it is told.
//! - A log of attempts says what was sent; it is bounded in number and in time, and goes with the inbox it belongs to.

mod bodies;
mod change;
mod check;
mod deliveries;
mod dialect;
mod endpoint;
mod engine;
mod error;
mod event_type;
mod headers;
mod hub;
mod keys;
mod log;
mod manage;
mod model;
mod replay;
mod rows;
mod schedule;
mod shares;
mod sign;
mod stored;
mod subscription;
mod tidy;
mod worker;

pub use bodies::{Hidden, Render, RenderError, Told};
pub use deliveries::DeliveryQuery;
pub use dialect::{Dialect, UnknownDialect};
pub use error::WebhookError;
pub use event_type::{EventType, Label, UnknownEventType};
pub use hub::{Hub, HubPage, Hubs};
pub use model::{Attempt, Delivery, Webhook, WebhookChange, WebhookId, WebhookIdError, WebhookPage, WebhookWish};
pub use postroom_store::BoxFuture;
pub use subscription::{LabelRights, Placed, Scope, Subscription};

use engine::Nudges;
use postroom_feed::Clock;
use postroom_identity::Identity;
use postroom_outgoing_http::OutgoingHttp;
use postroom_store::SharedStore;
use replay::Replays;
use shares::Shares;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How webhooks behave.
#[derive(Clone)]
pub struct Options {
    /// How long to wait after each failed attempt before the next one; there is one attempt more than there are waits.
    /// Default: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h.
    pub waits: Vec<Duration>,
    /// For one request. Default 15 s.
    pub deadline: Duration,
    /// An endpoint that has failed for so long is paused, but for those of Inkbox, which knows no pause. Default 5 days.
    pub disable_after: Duration,
    /// Requests at once to one endpoint, for events that are new to it; half as many for those that are tried again.
    /// Default 16.
    pub per_endpoint: usize,
    /// Requests at once to all; those of one organization take at most a quarter. Default 256.
    pub at_once: usize,
    /// How often a webhook looks at what it waits for when nothing wakes it. Default 5 s.
    pub poll: Duration,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            waits: [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
                .map(Duration::from_secs)
                .to_vec(),
            deadline: Duration::from_secs(15),
            disable_after: Duration::from_secs(5 * 86_400),
            per_endpoint: 16,
            at_once: 256,
            poll: Duration::from_secs(5),
            clock: Arc::new(system_milliseconds),
        }
    }
}

fn system_milliseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// The webhooks of all organizations, on one store. One for the whole server.
pub struct Webhooks {
    store: SharedStore,
    identity: Arc<Identity>,
    hubs: Arc<Hubs>,
    http: OutgoingHttp,
    options: Options,
    requests: Arc<Shares>,
    replays: Arc<Replays>,
    /// Held while one is made, so that those made at once are counted.
    making: tokio::sync::Mutex<()>,
    nudges: Nudges,
}

impl Webhooks {
    /// The webhooks on this store; identity and the hubs must be on the same one.
    #[must_use]
    pub fn new(
        store: SharedStore,
        identity: Arc<Identity>,
        hubs: Arc<Hubs>,
        http: OutgoingHttp,
        options: Options,
    ) -> Self {
        Self {
            store,
            identity,
            hubs,
            http,
            requests: Shares::new(options.at_once),
            replays: Arc::default(),
            making: tokio::sync::Mutex::default(),
            nudges: Nudges::default(),
            options,
        }
    }

    fn now(&self) -> i64 {
        (self.options.clock)()
    }
}
