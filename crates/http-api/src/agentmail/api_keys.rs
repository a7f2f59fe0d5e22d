//! API keys (agentmail.md §5).

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{ASCENDING, EVERYWHERE, Kind, LIMIT, Level, Operation, PAGE_TOKEN, Parameter};
use super::paging::Paging;
use super::wire::{Asked, Body, Segments, given, time as read_time};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use postroom_identity::{
    IdentityError, KeyChange, KeyPage, KeyRecord, KeyScope, KeyWish, PageOf, Permission, Permissions,
};
use postroom_types::KeyId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("apiKeys.list", EVERYWHERE, "/api-keys", || get(list))
        .needs(Permission::ApiKeyRead)
        .asks(&[
            LIMIT,
            PAGE_TOKEN,
            ASCENDING,
            Parameter {
                name: "type",
                kind: Kind::Text,
            },
        ])
        .answers::<KeyList>(),
    Operation::post("apiKeys.create", EVERYWHERE, "/api-keys", || post(create))
        .needs(Permission::ApiKeyCreate)
        .takes::<CreateKeyBody>()
        .answers::<CreatedKey>(),
    Operation::get("apiKeys.get", EVERYWHERE, "/api-keys/{api_key_id}", || get(show))
        .needs(Permission::ApiKeyRead)
        .answers::<KeyView>(),
    Operation::patch("apiKeys.update", EVERYWHERE, "/api-keys/{api_key_id}", || patch(update))
        .needs(Permission::ApiKeyUpdate)
        .takes::<UpdateKeyBody>()
        .answers::<KeyView>(),
    Operation::delete("apiKeys.delete", EVERYWHERE, "/api-keys/{api_key_id}", || {
        delete(remove)
    })
    .needs(Permission::ApiKeyDelete),
];

/// Names and whether they are held.
type Named = BTreeMap<String, bool>;

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct KeyView {
    #[serde(rename = "type")]
    kind: &'static str,
    api_key_id: String,
    prefix: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Named>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// A key just made: the only answer with the secret.
#[derive(Serialize, ToSchema)]
#[schema(as = CreateApiKeyResponse)]
struct CreatedKey {
    /// The secret.
    api_key: String,
    #[serde(flatten)]
    key: KeyView,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKeyList)]
struct KeyList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    api_keys: Vec<KeyView>,
}

/// A wanted key.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateApiKeyRequest)]
struct CreateKeyBody {
    name: Option<String>,
    permissions: Option<BTreeMap<String, Option<bool>>>,
    expires_at: Option<String>,
    /// Signing in with a key of one's own, which is the hosted service's.
    #[schema(ignore)]
    public_key: Option<serde_json::Value>,
}

/// What to change of a key.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateApiKeyRequest)]
struct UpdateKeyBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<BTreeMap<String, Option<bool>>>)]
    permissions: Option<Option<BTreeMap<String, Option<bool>>>>,
}

/// The permissions that are `true`. Unknown names are those of the hosted service alone: nothing here asks for them.
fn permissions(named: BTreeMap<String, Option<bool>>) -> Permissions {
    let held = named.into_iter().filter(|(_, held)| *held == Some(true));
    held.filter_map(|(name, _)| name.parse::<Permission>().ok()).collect()
}

async fn view(state: &State, key: KeyRecord) -> Answer<KeyView> {
    let inbox_id = match key.inbox {
        None => None,
        Some(inbox) => Some(state.identity().inbox(inbox).await?.canonical.to_string()),
    };
    let named = |held: Permissions| held.iter().map(|permission| (permission.to_string(), true)).collect();
    Ok(KeyView {
        kind: "bearer",
        api_key_id: key.id.to_string(),
        prefix: key.prefix,
        name: key.name.unwrap_or_default(),
        pod_id: key.pod.map(|pod| pod.to_string()),
        inbox_id,
        used_at: key.used_at.map(time),
        permissions: key.permissions.map(named),
        created_at: time(key.created_at),
        updated_at: time(key.updated_at),
        expires_at: key.expires_at.map(time),
    })
}

/// What a route is about: what lies within its level, or within the caller's own key.
fn scope(call: &Call) -> KeyScope {
    let scope = &call.scope;
    match (call.level, scope.pod, &scope.inbox) {
        (_, _, Some(inbox)) => KeyScope::AgentInbox(scope.organization, inbox.pod, inbox.id),
        (Level::Organization | Level::Pod, Some(pod), None) => KeyScope::AgentPod(scope.organization, pod),
        (_, _, None) => KeyScope::Organization(scope.organization),
    }
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<KeyList>> {
    let paging = Paging::read(&call, &asked, &["type"])?;
    let page = PageOf {
        after: paging.position_id(KeyId::from_bytes)?,
        ascending: paging.ascending,
        limit: paging.limit,
    };
    let found = match asked.text("type")? {
        // Only the hosted service has others.
        None | Some("bearer") => state.identity().key_page(&scope(&call), &page).await?,
        Some(_) => KeyPage::default(),
    };
    let mut api_keys = Vec::with_capacity(found.keys.len());
    for key in found.keys {
        api_keys.push(view(&state, key).await?);
    }
    Ok(Json(KeyList {
        count: api_keys.len(),
        next_page_token: found.next.map(|next| paging.token(next.as_bytes())),
        api_keys,
    }))
}

async fn create(
    Shared(state): Shared<State>,
    call: Call,
    Body(wanted): Body<CreateKeyBody>,
) -> Answer<Json<CreatedKey>> {
    if wanted.public_key.is_some() {
        return Err(Failure::unprocessable("this server has no sign-in with public keys"));
    }
    let expires_at = wanted
        .expires_at
        .map(|text| read_time("expires_at", &text))
        .transpose()?;
    let wish = KeyWish {
        name: wanted.name,
        permissions: wanted.permissions.map(permissions),
        expires_at,
        ..KeyWish::default()
    };
    let new = state
        .identity()
        .create_key_with(&call.principal, &scope(&call), &wish)
        .await?;
    Ok(Json(CreatedKey {
        api_key: new.secret.expose().clone(),
        key: view(&state, new.record).await?,
    }))
}

/// The key that the path names, if it lies in what the caller manages.
async fn find(state: &State, call: &Call, path: &Segments) -> Answer<KeyRecord> {
    let key = state
        .identity()
        .key(call.scope.organization, path.id("api_key_id")?)
        .await?;
    let scope = &call.scope;
    let within = scope.pod.is_none_or(|pod| key.pod == Some(pod))
        && scope.inbox.as_ref().is_none_or(|inbox| key.inbox == Some(inbox.id));
    // To the letter what is said of one that is nowhere.
    if within {
        Ok(key)
    } else {
        Err(IdentityError::NoSuchKey.into())
    }
}

async fn show(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<KeyView>> {
    let key = find(&state, &call, &path).await?;
    Ok(Json(view(&state, key).await?))
}

async fn update(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    Body(wanted): Body<UpdateKeyBody>,
) -> Answer<Json<KeyView>> {
    let key = find(&state, &call, &path).await?;
    let change = KeyChange {
        name: wanted.name,
        permissions: wanted.permissions.map(|named| named.map(permissions)),
    };
    let changed = state.identity().update_key(&call.principal, key.id, &change).await?;
    Ok(Json(view(&state, changed).await?))
}

async fn remove(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    let key = find(&state, &call, &path).await?;
    state.identity().revoke_key(&key.scope(), key.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
