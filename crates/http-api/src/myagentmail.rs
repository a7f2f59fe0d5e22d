//! The MyAgentMail dialect, under `/v1`.

mod addresses;
mod inbox_view;
mod inboxes;
mod keys;
mod later;
mod letter;
mod me;
mod message_view;
mod messages;
mod send;
mod tenants;
pub(crate) mod texts;
mod workspaces;

use crate::State;
use axum::Router;
use axum::routing::{delete, get, post};

pub(crate) fn routes() -> Router<State> {
    Router::new()
        .route("/me", get(me::show))
        .route("/tenants", get(tenants::list).post(tenants::create))
        .route(
            "/tenants/{tenant}",
            get(tenants::show).patch(tenants::update).delete(tenants::remove),
        )
        .route("/workspaces", get(workspaces::list).post(workspaces::create))
        .route("/workspaces/{workspace}", get(workspaces::show))
        .route("/workspaces/{workspace}/keys", get(keys::list).post(keys::create))
        .route("/workspaces/{workspace}/keys/{key}", delete(keys::revoke))
        .route("/inboxes", get(inboxes::list).post(inboxes::create))
        .route(
            "/inboxes/{inbox}",
            get(inboxes::show).patch(inboxes::update).delete(inboxes::remove),
        )
        .route("/inboxes/{inbox}/rotate-credentials", post(inboxes::rotate))
        .route("/inboxes/{inbox}/addresses", post(addresses::add))
        .route("/inboxes/{inbox}/addresses/{address}", delete(addresses::remove))
        .route("/inboxes/{inbox}/messages", get(messages::list))
        .route(
            "/inboxes/{inbox}/messages/{message}",
            get(messages::show).patch(messages::update).delete(messages::remove),
        )
        .route("/inboxes/{inbox}/threads/{thread}", get(messages::thread))
        .route("/inboxes/{inbox}/send", post(send::send))
        .route("/inboxes/{inbox}/reply/{message}", post(send::reply))
        .route("/inboxes/{inbox}/reply-all/{message}", post(send::reply_all))
        .route("/inboxes/{inbox}/forward/{message}", post(send::forward))
        .merge(later::routes())
}
