//! Who calls, and whether the route is for keys of that kind.

use crate::State;
use crate::error::ApiError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use postroom_identity::{IdentityError, InboxRecord, KeyKind, Principal};
use postroom_types::{InboxId, OrganizationId, PodId};

/// A caller with a live key.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<State> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        // Who was let in at the door of a dialect is known already.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        Self::of(state, bearer_or_key(&parts.headers)).await
    }
}

impl Caller {
    /// Whose key it is.
    pub(crate) async fn of(state: &State, key: Option<&str>) -> Result<Self, ApiError> {
        let principal = state.identity().authenticate_key(key.unwrap_or_default()).await?;
        principal.map(Self).ok_or(ApiError::Unauthorized)
    }
}

/// The key of a request: `X-API-Key`, else a bearer token. Never from the query string, which ends up in logs.
pub(crate) fn bearer_or_key(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok().map(str::trim);
    }
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// What a key that provisions may see: an organization, or one pod of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) organization: OrganizationId,
    pub(crate) pod: Option<PodId>,
}

impl Manager {
    /// Whether the inbox is among what it may see.
    pub(crate) fn sees(&self, inbox: &InboxRecord) -> bool {
        inbox.organization == self.organization && self.pod.is_none_or(|pod| pod == inbox.pod)
    }
}

impl Caller {
    /// For the operator's routes.
    pub(crate) fn operator(&self) -> Result<(), ApiError> {
        match self.0.kind {
            KeyKind::Operator => Ok(()),
            KeyKind::Tenant
            | KeyKind::Organization
            | KeyKind::AgentPod
            | KeyKind::AgentInbox
            | KeyKind::Pod
            | KeyKind::Inbox => Err(ApiError::Forbidden),
        }
    }

    /// For routes of a tenant as a whole.
    pub(crate) fn tenant(&self) -> Result<OrganizationId, ApiError> {
        match self.0.kind {
            KeyKind::Tenant => Ok(self.0.organization),
            KeyKind::Operator
            | KeyKind::Organization
            | KeyKind::AgentPod
            | KeyKind::AgentInbox
            | KeyKind::Pod
            | KeyKind::Inbox => Err(ApiError::Forbidden),
        }
    }

    /// For routes that make and change inboxes.
    pub(crate) fn manager(&self) -> Result<Manager, ApiError> {
        match self.0.kind {
            KeyKind::Tenant | KeyKind::Pod => Ok(Manager {
                organization: self.0.organization,
                pod: self.0.pod,
            }),
            KeyKind::Operator | KeyKind::Organization | KeyKind::AgentPod | KeyKind::AgentInbox | KeyKind::Inbox => {
                Err(ApiError::Forbidden)
            }
        }
    }

    /// An inbox to be changed by who provisions it.
    pub(crate) async fn managed(&self, state: &State, id: InboxId) -> Result<InboxRecord, ApiError> {
        let manager = self.manager()?;
        let inbox = state.identity().inbox(id).await?;
        if manager.sees(&inbox) {
            Ok(inbox)
        } else {
            // To the letter what is said of one that is nowhere.
            Err(IdentityError::NoSuchInbox.into())
        }
    }

    /// An inbox to be read, or its mail: also by its own key.
    pub(crate) async fn readable(&self, state: &State, id: InboxId) -> Result<InboxRecord, ApiError> {
        match (self.0.kind, self.0.inbox) {
            (KeyKind::Inbox, own) if own == Some(id) => Ok(state.identity().inbox(id).await?),
            (KeyKind::Inbox, _) => Err(IdentityError::NoSuchInbox.into()),
            (
                KeyKind::Operator
                | KeyKind::Tenant
                | KeyKind::Organization
                | KeyKind::AgentPod
                | KeyKind::AgentInbox
                | KeyKind::Pod,
                _,
            ) => self.managed(state, id).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_key_is() {
        let check = |fields: &[(&'static str, &str)], expected| {
            let headers = fields.iter().map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().expect("a header value"),
                )
            });
            assert_eq!(bearer_or_key(&headers.collect()), expected, "{fields:?}");
        };
        check(&[], None);
        check(&[("x-api-key", " tk_a ")], Some("tk_a"));
        check(&[("authorization", "Bearer tk_b")], Some("tk_b"));
        check(&[("authorization", "bEARER  tk_b")], Some("tk_b"));
        check(&[("authorization", "Basic tk_b")], None);
        check(&[("authorization", "tk_b")], None);
        check(&[("x-api-key", "tk_a"), ("authorization", "Bearer tk_b")], Some("tk_a"));
        check(&[("x-api-key", ""), ("authorization", "Bearer tk_b")], Some(""));
    }
}
