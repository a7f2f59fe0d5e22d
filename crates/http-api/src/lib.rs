//! The HTTP faces of the mailbox: AgentMail under `/v0`, MyAgentMail under `/v1`, Inkbox under `/api`, MCP at `/mcp`, our
//! own under `/postroom/v1`, `/healthz`, `/readyz` and `/openapi.json`.
//!
//! What always holds:
//! - Every answer is JSON, errors included, in the form of the dialect; only what is to be kept or passed on as it is
//!   comes as bytes or text: sources, attachments, exports, DNS records.
//! - What a key may not see is 404, so that no answer tells what other tenants have; a key that is too narrow for a
//!   route is 403; no key, or a dead one, is 401 before anything else is looked at.
//! - A body is bounded before it is read, a request has a deadline, and a panic is one 500.
//! - Secrets appear in the one answer that makes them.

mod agentmail;
mod auth;
mod client;
mod error;
mod guard;
mod inkbox;
mod large;
mod leftover;
mod list_token;
mod mcp;
mod model;
mod myagentmail;
mod outgoing;
mod own;
mod pipe;
mod request;
mod segments;
mod serve;
mod socket;
mod sockets;
mod subscriber;
mod telling;
mod wire;

pub use inkbox::{InkboxOperation, inkbox_operations};
pub use myagentmail::{MyAgentMailOperation, myagentmail_operations};
pub use serve::{Limits, serve, serve_tls};

use agentmail::DownloadKey;
use agentmail::SignUps;
use axum::Router;
use error::ApiError;
use large::Turns;
use postroom_drafts::Drafts;
use postroom_feed::Feed;
use postroom_identity::{DomainNames, Identity};
use postroom_imports::Imports;
use postroom_intake::Intake;
use postroom_mailstore::Mailstore;
use postroom_outgoing_http::OutgoingHttp;
use postroom_queue::Queue;
use postroom_webhooks::{Hubs, Webhooks};
use sockets::Sockets;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

/// Where clients dial a service; not where it is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What the API needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// IMAP over TLS.
    pub imap: Endpoint,
    /// Submission with STARTTLS.
    pub smtp: Endpoint,
    /// Where clients reach this API, such as `https://mail.example.org`, for links to what it serves. `None`: where the
    /// request that asks for a link came to.
    pub public_url: Option<String>,
    /// Whether agents may sign themselves up, each with an organization of its own.
    pub agent_sign_up: bool,
    /// Whether the MyAgentMail dialect sends to who never wrote to the inbox only if the request says `verified`.
    pub verified_sends: bool,
}

/// What the API speaks for; all must be on the same store.
#[derive(Clone)]
pub struct Services {
    /// Who may do what.
    pub identity: Arc<Identity>,
    /// All mail.
    pub mailstore: Arc<Mailstore>,
    /// The one door in.
    pub intake: Arc<Intake>,
    /// Mail on its way out.
    pub queue: Arc<Queue>,
    /// What happened.
    pub feed: Arc<Feed>,
    /// Mail being written.
    pub drafts: Arc<Drafts>,
    /// What happened, for all who listen.
    pub hubs: Arc<Hubs>,
    /// Who is told of it by HTTP.
    pub webhooks: Arc<Webhooks>,
    /// Fetches what requests name by a URL.
    pub outgoing_http: OutgoingHttp,
    /// Mail that is brought along in files.
    pub imports: Arc<Imports>,
    /// Asks the DNS about the domains of organizations.
    pub names: Arc<dyn DomainNames>,
    /// Cancelled when the server stops, so that those who only listen do not hold it up.
    pub stopping: CancellationToken,
    /// Set while the store has no room for mail, which is refused until it has.
    pub is_short_of_space: Arc<AtomicBool>,
}

/// What every handler has.
#[derive(Clone)]
pub struct State(Arc<Parts>);

struct Parts {
    services: Services,
    turns: Turns,
    sign_ups: SignUps,
    sockets: Arc<Sockets>,
    download_key: DownloadKey,
    options: Options,
}

impl State {
    /// The API of these.
    #[must_use]
    pub fn new(services: Services, options: Options) -> Self {
        Self(Arc::new(Parts {
            services,
            turns: Turns::new(),
            sign_ups: SignUps::new(),
            sockets: Arc::default(),
            download_key: DownloadKey::default(),
            options,
        }))
    }

    fn identity(&self) -> &Identity {
        &self.0.services.identity
    }

    fn mailstore(&self) -> &Arc<Mailstore> {
        &self.0.services.mailstore
    }

    fn intake(&self) -> &Intake {
        &self.0.services.intake
    }

    fn queue(&self) -> &Queue {
        &self.0.services.queue
    }

    fn feed(&self) -> &Arc<Feed> {
        &self.0.services.feed
    }

    fn drafts(&self) -> &Drafts {
        &self.0.services.drafts
    }

    fn hubs(&self) -> &Arc<Hubs> {
        &self.0.services.hubs
    }

    fn webhooks(&self) -> &Arc<Webhooks> {
        &self.0.services.webhooks
    }

    fn stopping(&self) -> &CancellationToken {
        &self.0.services.stopping
    }

    fn takes_mail(&self) -> bool {
        !self.0.services.is_short_of_space.load(Ordering::Relaxed)
    }

    fn sockets(&self) -> &Arc<Sockets> {
        &self.0.sockets
    }

    fn imports(&self) -> &Imports {
        &self.0.services.imports
    }

    fn outgoing_http(&self) -> &OutgoingHttp {
        &self.0.services.outgoing_http
    }

    fn names(&self) -> &dyn DomainNames {
        &*self.0.services.names
    }

    fn sign_ups(&self) -> &SignUps {
        &self.0.sign_ups
    }

    fn turns(&self) -> &Turns {
        &self.0.turns
    }

    fn download_key(&self) -> &DownloadKey {
        &self.0.download_key
    }

    fn options(&self) -> &Options {
        &self.0.options
    }
}

/// All routes.
pub fn router(state: State) -> Router {
    let routes = Router::new()
        .nest("/v0", agentmail::routes(&state))
        .nest("/v1", myagentmail::routes(&state))
        .nest("/api", inkbox::routes(&state))
        .merge(inkbox::outside(&state))
        .merge(agentmail::downloads())
        .merge(own::routes())
        .fallback(async || ApiError::NoRoute)
        .method_not_allowed_fallback(async || ApiError::Method);
    let routes = segments::mended(guard::guarded(routes).with_state(state.clone()));
    let tools = guard::guarded(mcp::routes(&state, routes.clone())).with_state(state);
    tools.fallback_service(routes)
}
