//! 402 for what there is no room for (inkbox.md §2 "Errors"), with the limit that was hit.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::wire::Segments;
use crate::State;
use axum::response::{IntoResponse, Response};

/// What is full. It goes along with the response, as whoever makes that cannot look up how large the limit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The mailbox of the path.
    Mailbox,
    /// The organization's inboxes together.
    Organization,
}

impl Full {
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Mailbox => "the mailbox is full",
            Self::Organization => "the mailboxes of the organization hold as much together as they may",
        }
    }

    /// Octets; `None` if there is no limit any more.
    async fn limit(self, state: &State, caller: &Caller, path: &Segments) -> Answer<Option<u64>> {
        Ok(match self {
            Self::Mailbox => {
                let inbox = caller.mailbox_of(state, path).await?;
                Some(state.mailstore().usage(inbox.id).await?.quota_octets)
            }
            Self::Organization => state.identity().organization(caller.organization()).await?.max_octets,
        })
    }
}

/// The response with the limit in it, if it says that something is full.
pub(super) async fn with_limit(state: &State, caller: &Caller, path: &Segments, response: Response) -> Response {
    let Some(full) = response.extensions().get::<Full>().copied() else {
        return response;
    };
    match full.limit(state, caller, path).await {
        Ok(Some(limit)) => Failure::storage_limit(full).with("limit_bytes", limit).into_response(),
        // What it says is true all the same.
        Ok(None) | Err(_) => response,
    }
}
