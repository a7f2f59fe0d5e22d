//! The AgentMail dialect, under `/v0`.
//!
//! What always holds:
//! - [`operations`] is the one table: routes, permissions, and the OpenAPI document come from it. No route is reached
//!   but through [`call::admit`], which asks for a key, its scope and its permission.
//! - What a key may not see is 404 (agentmail.md §5); a permission it lacks is 403 and says which.

mod agent;
mod api_keys;
mod attachments;
pub(crate) mod call;
mod domains;
mod download;
mod draft_body;
mod draft_view;
mod drafts;
pub(crate) mod event_view;
pub(crate) mod failure;
mod fetch;
mod hosted;
mod inbox_events;
mod inbox_view;
mod inboxes;
mod letter;
mod listing;
mod lists;
pub(crate) mod message_id;
pub(crate) mod message_view;
mod messages;
mod metrics;
mod openapi;
mod operations;
mod organization;
mod paging;
mod pods;
mod scope_inboxes;
mod search;
mod send;
mod sign_ups;
mod thread_merge;
mod thread_view;
mod threads;
mod webhook_view;
mod webhooks;
mod websocket;
pub(crate) mod wire;

pub(crate) use attachments::base_url;
pub(crate) use download::{Download, DownloadKey, What, downloaded, file, given_name, routes as downloads, whole};
pub(crate) use message_id::own as own_message_id;
pub(crate) use openapi::document;
pub(crate) use sign_ups::SignUps;

use crate::State;
use axum::Router;

/// All routes, below `/v0`.
pub(crate) fn routes(state: &State) -> Router<State> {
    operations::routes(state).merge(websocket::routes())
}
