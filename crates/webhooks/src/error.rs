//! What can go wrong when webhooks are managed.

use postroom_outgoing_http::OutgoingError;
use postroom_store::StoreError;

/// Why a webhook could not be made, read or changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is none of this name within the scope.
    #[error("no such webhook")]
    NoSuchWebhook,
    /// A field is not as it should be.
    #[error("{field}: {why}")]
    Invalid {
        /// Which, as the API calls it.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// There may be no more.
    #[error("there are at most {0} webhooks")]
    TooMany(usize),
    /// No such attempt was logged, or it is too long ago.
    #[error("no such delivery")]
    NoSuchDelivery,
    /// It cannot be sent again.
    #[error("{0}")]
    NotReplayable(&'static str),
    /// Others changed the same at the same time, again and again.
    #[error("too many changes at once")]
    Busy,
    /// The store has no room.
    #[error("out of space")]
    Full,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WebhookError {
    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }
}

impl From<OutgoingError> for WebhookError {
    fn from(error: OutgoingError) -> Self {
        Self::invalid("url", error.to_string())
    }
}
