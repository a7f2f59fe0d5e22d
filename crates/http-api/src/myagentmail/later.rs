//! Routes of the contract that this server does not have: known callers are told so, and not that there is no such route.

use super::operations::{ANYBODY, Operation};
use crate::error::ApiError;
use axum::routing::any;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::any("/inboxes/{inbox}/lists", ANYBODY, || any(recipient_lists)),
    Operation::any("/inboxes/{inbox}/lists/{*rest}", ANYBODY, || any(recipient_lists)),
    Operation::any("/linkedin", ANYBODY, || any(linkedin)),
    Operation::any("/linkedin/{*rest}", ANYBODY, || any(linkedin)),
];

async fn recipient_lists() -> ApiError {
    ApiError::NotSupported("recipient lists")
}

async fn linkedin() -> ApiError {
    ApiError::NotSupported("LinkedIn")
}
