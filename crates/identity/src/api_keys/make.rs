//! Making keys, none stronger than the key that asks.

use super::{MAX_KEYS, NewKey, encode_hash, encode_hash_and_pod};
use crate::attempts::ATTEMPTS;
use crate::identities::check_description;
use crate::organizations::check_name;
use crate::record::{InboxRecord, KeyKind, Organization, StoredKey, decode, encode, now_ms};
use crate::{Identity, IdentityError, KeyScope, Permissions, Principal, keys};
use postroom_store::{CommitBuilder, Key, MAX_VALUE_OCTETS, Value};
use postroom_types::{KeyId, ScramParameters};

/// What a key's row grows by when the key is used and changed.
const LATER_OCTETS: usize = 128;

/// What a new key is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyWish {
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it is for, in its owner's words; at most 1,000 characters.
    pub description: Option<String>,
    /// The key that makes it, where that is known.
    pub maker: Option<KeyId>,
    /// What it may do; `None`: everything within its scope.
    pub permissions: Option<Permissions>,
    /// When it stops, in milliseconds since 1970; `None`: with its maker.
    pub expires_at: Option<i64>,
}

impl Identity {
    /// Makes a key for whoever runs the server: without restrictions, for ever.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`], [`IdentityError::NoSuchPod`] or [`IdentityError::NoSuchInbox`];
    /// [`IdentityError::Invalid`] for a bad name; [`IdentityError::TooMany`].
    pub async fn create_key(&self, scope: &KeyScope, name: Option<&str>) -> Result<NewKey, IdentityError> {
        let wish = KeyWish {
            name: name.map(str::to_owned),
            ..KeyWish::default()
        };
        self.insert_key(scope, &wish).await
    }

    /// Makes an `am_` key for somebody with a key: within its scope, with nothing it may not do itself, and with its
    /// end if none is wished.
    ///
    /// # Errors
    /// Those of [`create_key`](Self::create_key), [`IdentityError::NoSuchPod`] and [`IdentityError::NoSuchInbox`] also
    /// for what the maker does not see; [`IdentityError::Escalation`] for a wider scope or more permissions than its
    /// own; [`IdentityError::UnrestrictedKeyRequired`]; [`IdentityError::OutlivesMaker`]; [`IdentityError::Invalid`]
    /// for an end that has passed.
    pub async fn create_key_with(
        &self,
        maker: &Principal,
        scope: &KeyScope,
        wish: &KeyWish,
    ) -> Result<NewKey, IdentityError> {
        check_scope(maker, scope)?;
        check_permissions(maker.permissions, wish.permissions)?;
        let expires_at = check_end(maker.expires_at, wish.expires_at, now_ms())?;
        let wish = KeyWish {
            expires_at,
            ..wish.clone()
        };
        self.insert_key(scope, &wish).await
    }

    /// Makes a key as wished, for somebody with a key of its whole organization that nothing restricts.
    ///
    /// # Errors
    /// Those of [`create_key`](Self::create_key).
    pub async fn create_wished_key(&self, scope: &KeyScope, wish: &KeyWish) -> Result<NewKey, IdentityError> {
        self.insert_key(scope, wish).await
    }

    async fn insert_key(&self, scope: &KeyScope, wish: &KeyWish) -> Result<NewKey, IdentityError> {
        wish.name.as_deref().map_or(Ok(()), check_name)?;
        wish.description.as_deref().map_or(Ok(()), check_description)?;
        if self.key_rows(scope.listed()).await?.len() >= MAX_KEYS {
            return Err(IdentityError::TooMany("keys"));
        }
        for _ in 0..ATTEMPTS {
            let owner = self.store.get(&scope.owner()).await?;
            let owner = owner.filter(|value| is_live(scope, value)).ok_or(match scope {
                KeyScope::Operator(_) | KeyScope::Tenant(_) | KeyScope::Organization(_) => {
                    IdentityError::NoSuchOrganization
                }
                KeyScope::Pod(..) | KeyScope::AgentPod(..) => IdentityError::NoSuchPod,
                KeyScope::Inbox(..) | KeyScope::AgentInbox(..) => IdentityError::NoSuchInbox,
            })?;
            let mut builder = CommitBuilder::new();
            builder.require(scope.owner(), owner);
            let ((once_key, row), new) = add_wished(&mut builder, self.scram().await?, scope, wish);
            if row.len() + LATER_OCTETS > MAX_VALUE_OCTETS {
                return Err(IdentityError::Invalid(
                    "its name and its description are too long together",
                ));
            }
            if self.commit_new(builder, &once_key).await?.is_none() {
                return Ok(new);
            }
        }
        Err(IdentityError::Busy)
    }
}

/// Adds a new key without restrictions to a commit that makes or holds on to its owner; returns its row too.
pub(crate) fn add_key(
    builder: &mut CommitBuilder,
    parameters: &ScramParameters,
    scope: &KeyScope,
    name: Option<&str>,
) -> ((Key, Value), NewKey) {
    let wish = KeyWish {
        name: name.map(str::to_owned),
        ..KeyWish::default()
    };
    add_wished(builder, parameters, scope, &wish)
}

fn add_wished(
    builder: &mut CommitBuilder,
    parameters: &ScramParameters,
    scope: &KeyScope,
    wish: &KeyWish,
) -> ((Key, Value), NewKey) {
    let (stored, new) = StoredKey::make(parameters, scope, wish);
    let row = (keys::api_key(&stored.hash), encode(&stored));
    builder.put_new(row.0.clone(), row.1.clone());
    builder.put(
        keys::listed_api_key(scope.listed(), stored.id),
        encode_hash(&stored.hash),
    );
    if let KeyScope::AgentPod(organization, pod) | KeyScope::AgentInbox(organization, pod, _) = scope {
        builder.put(
            keys::agent_key(*organization, stored.id),
            encode_hash_and_pod(&stored.hash, *pod),
        );
    }
    if let KeyScope::Inbox(organization, _) = scope {
        builder.put(keys::inbox_key(*organization, stored.id), encode_hash(&stored.hash));
    }
    (row, new)
}

impl KeyKind {
    /// Whether its keys are listed for their organization as a whole, beside the organization's own.
    pub(super) const fn is_within_agents(self) -> bool {
        match self {
            Self::AgentPod | Self::AgentInbox => true,
            Self::Operator | Self::Tenant | Self::Organization | Self::Pod | Self::Inbox => false,
        }
    }
}

/// Whether the owner's row says that it may have keys of this scope.
fn is_live(scope: &KeyScope, owner: &[u8]) -> bool {
    match scope {
        KeyScope::Operator(_) | KeyScope::Tenant(_) | KeyScope::Organization(_) => {
            decode::<Organization>(owner).is_ok_and(|organization| organization.deleted_at.is_none())
        }
        KeyScope::Pod(..) | KeyScope::AgentPod(..) => true,
        KeyScope::Inbox(organization, _) | KeyScope::AgentInbox(organization, ..) => decode::<InboxRecord>(owner)
            .is_ok_and(|inbox| {
                inbox.deleted_at.is_none()
                    && inbox.organization == *organization
                    && scope.pod().is_none_or(|pod| pod == inbox.pod)
            }),
    }
}

/// Whether a key may make one of this scope.
fn check_scope(maker: &Principal, scope: &KeyScope) -> Result<(), IdentityError> {
    if maker.organization != scope.organization() {
        return Err(IdentityError::NoSuchOrganization);
    }
    match (scope, maker.pod, maker.inbox) {
        (KeyScope::AgentInbox(_, pod, inbox), own_pod, own) => {
            let sees = own_pod.is_none_or(|own| own == *pod) && own.is_none_or(|own| own == *inbox);
            sees.then_some(()).ok_or(IdentityError::NoSuchInbox)
        }
        (KeyScope::AgentPod(_, wanted), Some(own), None) if *wanted != own => Err(IdentityError::NoSuchPod),
        (KeyScope::AgentPod(..), _, None) | (KeyScope::Organization(_), None, None) => Ok(()),
        // The kinds of other dialects do more than their scope says, so no `am_` key makes one.
        (
            KeyScope::AgentPod(..)
            | KeyScope::Organization(_)
            | KeyScope::Operator(_)
            | KeyScope::Tenant(_)
            | KeyScope::Pod(..)
            | KeyScope::Inbox(..),
            ..,
        ) => Err(IdentityError::Escalation),
    }
}

/// What a key with these permissions may give to another.
pub(super) fn check_permissions(own: Option<Permissions>, wanted: Option<Permissions>) -> Result<(), IdentityError> {
    match (own, wanted) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(IdentityError::UnrestrictedKeyRequired),
        (Some(own), Some(wanted)) if wanted.is_subset(own) => Ok(()),
        (Some(_), Some(_)) => Err(IdentityError::Escalation),
    }
}

/// When a new key stops.
fn check_end(own: Option<i64>, wanted: Option<i64>, now: i64) -> Result<Option<i64>, IdentityError> {
    match (own, wanted) {
        (_, Some(wanted)) if wanted <= now => Err(IdentityError::Invalid("expires_at must lie in the future")),
        (Some(own), Some(wanted)) if wanted > own => Err(IdentityError::OutlivesMaker),
        (own, None) => Ok(own),
        (_, wanted) => Ok(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let check = |own, wanted| check_end(own, wanted, 100).map_err(|error| error.to_string());
        assert_eq!(check(None, None), Ok(None));
        assert_eq!(check(None, Some(101)), Ok(Some(101)));
        assert_eq!(check(Some(200), None), Ok(Some(200)));
        assert_eq!(check(Some(200), Some(200)), Ok(Some(200)));
        assert_eq!(check(Some(200), Some(101)), Ok(Some(101)));
        assert_eq!(
            check(Some(200), Some(201)),
            Err(IdentityError::OutlivesMaker.to_string())
        );
        assert!(check(None, Some(100)).is_err() && check(Some(200), Some(0)).is_err());
    }
}
