//! The MyAgentMail dialect, under `/v1`.
//!
//! What always holds: [`operations`] is the one table; no route is reached but through its door.

mod addresses;
mod attachments;
mod domains;
mod draft_body;
mod draft_view;
mod drafts;
pub(crate) mod event_view;
mod inbox_view;
mod inboxes;
mod keys;
mod later;
mod letter;
mod me;
mod message_view;
mod messages;
mod operations;
mod send;
mod strangers;
mod tenants;
pub(crate) mod texts;
mod webhooks;
mod websocket;
mod workspaces;

pub(crate) use inboxes::rotation;
pub use operations::{MyAgentMailOperation, myagentmail_operations};

use crate::State;
use axum::Router;

/// All routes, below `/v1`.
pub(crate) fn routes(state: &State) -> Router<State> {
    operations::routes(state)
}
