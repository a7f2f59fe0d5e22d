//! Who calls, whether the route is for keys of that kind, and whether the key is permitted what it does.
//!
//! What always holds: each dialect has a table of its operations, which says what each [`Needs`]; its door asks for that
//! before a handler runs. So a key may do the same in all of them.

use crate::State;
use crate::error::ApiError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use postroom_identity::{InboxRecord, KeyKind, Permission, Principal, Reach};
use postroom_mailstore::Include;
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

/// What a key has to be permitted for an operation; a key without restrictions may do all that its kind may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    first: Option<Permission>,
    second: Option<Permission>,
    /// Whether it gives out a key or a password that nothing restricts: no key makes a stronger one.
    gives_keys: bool,
}

/// Why a key is not permitted an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It does not have this permission.
    Permission(Permission),
    /// It is restricted itself.
    Freedom,
}

impl Needs {
    /// Any key will do.
    pub(crate) const NOTHING: Self = Self {
        first: None,
        second: None,
        gives_keys: false,
    };

    pub(crate) const fn of(permission: Permission) -> Self {
        Self {
            first: Some(permission),
            ..Self::NOTHING
        }
    }

    /// A second one besides.
    pub(crate) const fn and(self, permission: Permission) -> Self {
        Self {
            second: Some(permission),
            ..self
        }
    }

    /// For an operation that gives out a key or a password.
    pub(crate) const fn giving_keys(self) -> Self {
        Self {
            gives_keys: true,
            ..self
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Permission> {
        self.first.into_iter().chain(self.second)
    }

    /// What the caller lacks for it.
    pub(crate) fn lack(self, principal: &Principal) -> Option<Lack> {
        let missing = self.iter().find(|permission| !principal.allows(*permission));
        let is_restricted = self.gives_keys && principal.permissions.is_some();
        missing.map(Lack::Permission).or(is_restricted.then_some(Lack::Freedom))
    }
}

/// Which mail beside the plain a key may see, and do anything with.
pub(crate) fn may_see(principal: &Principal) -> Include {
    Include {
        spam: principal.allows(Permission::LabelSpamRead),
        trash: principal.allows(Permission::LabelTrashRead),
        blocked: principal.allows(Permission::LabelBlockedRead),
        unauthenticated: principal.allows(Permission::LabelUnauthenticatedRead),
    }
}

/// What a key that provisions may see: an organization, or one pod of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) organization: OrganizationId,
    pub(crate) pod: Option<PodId>,
}

impl Manager {
    /// The inboxes that it may see.
    pub(crate) const fn reach(&self) -> Reach {
        Reach {
            organization: self.organization,
            pod: self.pod,
            inbox: None,
        }
    }
}

impl Caller {
    /// Asks for a permission, on routes that no table names. The operator needs none for what is the operator's.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), ApiError> {
        if self.0.allows(permission) {
            Ok(())
        } else {
            Err(ApiError::MissingPermission(permission))
        }
    }

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
        Ok(state.identity().inbox_within(&manager.reach(), id).await?)
    }

    /// An inbox to be read, or its mail: also by its own key.
    pub(crate) async fn readable(&self, state: &State, id: InboxId) -> Result<InboxRecord, ApiError> {
        match (self.0.kind, self.0.inbox) {
            (KeyKind::Inbox, _) => Ok(state.identity().inbox_within(&self.0.reach(), id).await?),
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
