//! Keys (inkbox.md §3): an admin makes and revokes those of agents; no key makes another of its own scope.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::operations::Operation;
use super::paging::{Page, Paging};
use super::wire::{Asked, Body, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use postroom_identity::{KeyRecord, KeyScope, KeyWish, PageOf, Permission};
use postroom_types::{IdentityId, KeyId};
use serde::{Deserialize, Serialize};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post("api_keys.create", "/v1/api-keys", || post(create))
        .needs(Permission::ApiKeyCreate)
        .gives_keys()
        .admin(),
    Operation::get("api_keys.list", "/v1/api-keys", || get(list))
        .needs(Permission::ApiKeyRead)
        .admin(),
    Operation::get("api_keys.self", "/v1/api-keys/self", || get(own)),
    Operation::delete("api_keys.revoke", "/v1/api-keys/{key}", || delete(revoke))
        .needs(Permission::ApiKeyDelete)
        .admin(),
];

/// A key, as it is shown.
#[derive(Debug, Serialize)]
struct KeyView {
    id: String,
    organization_id: String,
    created_by: String,
    creator_type: &'static str,
    scoped_identity_id: Option<String>,
    label: String,
    description: Option<String>,
    status: &'static str,
    last4: String,
    display_prefix: String,
    last_used_at: Option<String>,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl KeyView {
    async fn new(state: &State, record: KeyRecord) -> Answer<Self> {
        let identity = match record.inbox {
            Some(inbox) => state.identity().identity_of(inbox).await?,
            None => None,
        };
        let maker = record.maker.map(|maker| maker.to_string());
        Ok(Self {
            id: record.id.to_string(),
            organization_id: record.organization.to_string(),
            created_by: maker.unwrap_or_else(|| record.organization.to_string()),
            creator_type: "human",
            scoped_identity_id: identity.map(|identity| identity.id.to_string()),
            label: record.name.unwrap_or_default(),
            description: record.description,
            // A key that is revoked is not kept.
            status: "active",
            last4: record.last4,
            display_prefix: record.prefix,
            last_used_at: record.used_at.map(time),
            expires_at: record.expires_at.map(time),
            revoked_at: None,
            created_at: time(record.created_at),
            updated_at: time(record.updated_at),
        })
    }
}

/// The record of the key that asks.
pub(super) async fn own_record(state: &State, caller: &Caller) -> Answer<KeyRecord> {
    let scope = match caller.inbox_scope() {
        None => KeyScope::Tenant(caller.organization()),
        Some(inbox) => KeyScope::Inbox(caller.organization(), inbox),
    };
    let keys = state.identity().keys(&scope).await?;
    let own = keys.into_iter().find(|key| key.id == caller.principal.key);
    // Revoked since it was let in.
    own.ok_or_else(Failure::unauthorized)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    label: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    scoped_identity_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Created {
    /// Told here only.
    api_key: String,
    record: KeyView,
}

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    Body(wish): Body<Wish>,
) -> Answer<(StatusCode, Json<Created>)> {
    let organization = caller.admin()?;
    let Some(identity) = wish.scoped_identity_id else {
        return Err(Failure::forbidden(
            "no key makes an admin-scoped key: name a scoped_identity_id",
        ));
    };
    let identity: IdentityId = identity
        .parse()
        .map_err(|_| Failure::field("scoped_identity_id", "scoped_identity_id is a UUID"))?;
    let (identity, _) = state.identity().identity_by_id(organization, identity).await?;
    let wish = KeyWish {
        name: Some(wish.label),
        description: wish.description,
        maker: Some(caller.principal.key),
        ..KeyWish::default()
    };
    let new = state
        .identity()
        .create_wished_key(&KeyScope::Inbox(organization, identity.inbox), &wish)
        .await?;
    let created = Created {
        api_key: new.secret.expose().clone(),
        record: KeyView::new(&state, new.record).await?,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// The keys of this dialect: the organization's and those of its agents and inboxes, newest first.
async fn list(Shared(state): Shared<State>, caller: Caller, asked: Asked) -> Answer<Json<Page<KeyView>>> {
    let organization = caller.admin()?;
    let paging = Paging::read(&asked, &[caller.operation])?;
    let page = PageOf {
        after: paging.position_id(KeyId::from_bytes)?,
        ascending: false,
        limit: paging.limit,
    };
    let found = state.identity().tenant_keys(organization, &page).await?;
    let mut views = Vec::with_capacity(found.keys.len());
    for record in found.keys {
        views.push(KeyView::new(&state, record).await?);
    }
    Ok(Json(
        paging.page(views, found.next.as_ref().map(|next| &next.as_bytes()[..])),
    ))
}

async fn own(Shared(state): Shared<State>, caller: Caller) -> Answer<Json<KeyView>> {
    let record = own_record(&state, &caller).await?;
    Ok(Json(KeyView::new(&state, record).await?))
}

async fn revoke(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<StatusCode> {
    let organization = caller.admin()?;
    let id: KeyId = path.id("key")?;
    let record = state.identity().tenant_key(organization, id).await?;
    if record.id == caller.principal.key {
        return Err(Failure::conflict("key_in_use", "a key does not revoke itself"));
    }
    state.identity().revoke_key(&record.scope(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
