//! The HTTP faces of the mailbox: MyAgentMail under `/v1`, our own under `/postroom/v1`, `/healthz` and `/readyz`.
//!
//! What always holds:
//! - Every answer is JSON, errors included, in the form of the dialect; only the source of a message is not.
//! - What a key may not see is 404, so that no answer tells what other tenants have; a key that is too narrow for a
//!   route is 403; no key, or a dead one, is 401 before anything else is looked at.
//! - A body is bounded before it is read, a request has a deadline, and a panic is one 500.
//! - Secrets appear in the one answer that makes them.

mod auth;
mod error;
mod guard;
mod large;
mod model;
mod myagentmail;
mod outgoing;
mod own;
mod request;
mod serve;

pub use serve::{Limits, serve, serve_tls};

use axum::Router;
use error::ApiError;
use large::Turns;
use postroom_identity::Identity;
use postroom_intake::Intake;
use postroom_mailstore::Mailstore;
use postroom_queue::Queue;
use std::sync::Arc;

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
}

/// What every handler has.
#[derive(Clone)]
pub struct State(Arc<Parts>);

struct Parts {
    identity: Arc<Identity>,
    mailstore: Arc<Mailstore>,
    intake: Arc<Intake>,
    queue: Arc<Queue>,
    turns: Turns,
    options: Options,
}

impl State {
    /// The API of these; all must be on the same store.
    #[must_use]
    pub fn new(
        identity: Arc<Identity>,
        mailstore: Arc<Mailstore>,
        intake: Arc<Intake>,
        queue: Arc<Queue>,
        options: Options,
    ) -> Self {
        Self(Arc::new(Parts {
            identity,
            mailstore,
            intake,
            queue,
            turns: Turns::new(),
            options,
        }))
    }

    fn identity(&self) -> &Identity {
        &self.0.identity
    }

    fn mailstore(&self) -> &Mailstore {
        &self.0.mailstore
    }

    fn intake(&self) -> &Intake {
        &self.0.intake
    }

    fn queue(&self) -> &Queue {
        &self.0.queue
    }

    fn turns(&self) -> &Turns {
        &self.0.turns
    }

    fn options(&self) -> &Options {
        &self.0.options
    }
}

/// All routes.
pub fn router(state: State) -> Router {
    let routes = Router::new()
        .nest("/v1", myagentmail::routes())
        .merge(own::routes())
        .fallback(async || ApiError::NoRoute)
        .method_not_allowed_fallback(async || ApiError::Method);
    guard::guarded(routes).with_state(state)
}
