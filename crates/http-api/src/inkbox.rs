//! The Inkbox dialect, under `/api/v1` and at `/api/whoami` (inkbox.md).
//!
//! What always holds:
//! - [`operations`] is the one table from which the routes are made. No route is reached but through [`call::admit`], which
//!   asks for a key and its scope first; the few that need no key say so there.
//! - Each route is served with and without a slash at its end, since the vendor's client follows no redirect.
//! - Every error is `{"detail": {"error", "message"}}`; what a key may not see is 404.

mod access;
mod api_keys;
mod attachments;
pub(crate) mod call;
mod contact_rules;
mod dates;
mod domains;
mod draft_body;
mod draft_files;
mod draft_view;
mod drafts;
pub(crate) mod event_view;
pub(crate) mod failure;
mod files;
mod identities;
mod identity_view;
pub(crate) mod imports;
mod keyed;
mod letter;
mod mailboxes;
pub(crate) mod message_view;
mod messages;
mod names;
mod not_mail;
mod operations;
pub(crate) mod paging;
pub(crate) mod room;
mod search;
mod send;
mod signing_keys;
mod thread_view;
mod threads;
mod webhook_body;
mod webhook_deliveries;
mod webhooks;
mod whoami;
pub(crate) mod wire;

pub use operations::{InkboxOperation, inkbox_operations};

use crate::State;
use axum::Router;

/// Routes beside those below `/api`.
pub(crate) fn outside(state: &State) -> Router<State> {
    not_mail::outside(state)
}

/// All routes, below `/api`.
pub(crate) fn routes(state: &State) -> Router<State> {
    operations::routes(state)
}
