//! Allow and block lists of an organization, a pod, or an inbox (agentmail.md §13).

use super::call::{Call, Scope};
use super::failure::{Answer, Failure};
use super::operations::{EVERYWHERE, Operation, PAGED_ONE_WAY};
use super::paging::{Paging, bad_token};
use super::wire::{Asked, Body, Segments};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use postroom_identity::{Direction, EntryScope, IdentityError, List, ListEntry, ListType, Listed, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const PATH: &str = "/lists/{direction}/{type}";
const ENTRY_PATH: &str = "/lists/{direction}/{type}/{entry}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("lists.list", EVERYWHERE, PATH, || get(entries))
        .needs(Permission::ListEntryRead)
        .asks(PAGED_ONE_WAY)
        .answers::<EntryList>(),
    Operation::post("lists.create", EVERYWHERE, PATH, || post(create))
        .needs(Permission::ListEntryCreate)
        .takes::<CreateEntryBody>()
        .answers::<EntryView>(),
    Operation::get("lists.get", EVERYWHERE, ENTRY_PATH, || get(show))
        .needs(Permission::ListEntryRead)
        .answers::<EntryView>(),
    Operation::delete("lists.delete", EVERYWHERE, ENTRY_PATH, || delete(remove)).needs(Permission::ListEntryDelete),
];

/// An entry of a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListEntry)]
struct EntryView {
    entry: String,
    organization_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    direction: &'static str,
    list_type: &'static str,
    entry_type: &'static str,
    read_only: bool,
    created_at: String,
}

/// A page of a list, by entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListEntryList)]
struct EntryList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    entries: Vec<EntryView>,
}

/// A wanted entry; the reason is for block lists.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateListEntryRequest)]
struct CreateEntryBody {
    entry: String,
    reason: Option<String>,
}

/// The list that a path names; another name is no route.
fn named(scope: &Scope, path: &Segments) -> Answer<List> {
    let direction = Direction::named(path.text("direction")?).ok_or_else(Failure::no_route)?;
    let list_type = ListType::named(path.text("type")?).ok_or_else(Failure::no_route)?;
    let organization = scope.organization;
    let scope = match (&scope.inbox, scope.pod) {
        (Some(inbox), _) => EntryScope::from(&**inbox),
        (None, Some(pod)) => EntryScope::Pod(organization, pod),
        (None, None) => EntryScope::Organization(organization),
    };
    Ok(List {
        scope,
        direction,
        list_type,
    })
}

fn view(scope: &Scope, list: &List, entry: ListEntry) -> EntryView {
    let pod = match list.scope {
        EntryScope::Organization(_) => None,
        EntryScope::Pod(_, pod) | EntryScope::Inbox(_, pod, _) => Some(pod),
    };
    EntryView {
        entry: entry.name.to_string(),
        organization_id: scope.organization.to_string(),
        pod_id: pod.map(|pod| pod.to_string()),
        inbox_id: scope.inbox.as_ref().map(|inbox| inbox.canonical.to_string()),
        reason: entry.reason,
        direction: list.direction.as_str(),
        list_type: list.list_type.as_str(),
        entry_type: match entry.name {
            Listed::Address(_) => "email",
            Listed::Domain(_) => "domain",
        },
        read_only: entry.read_only,
        created_at: time(entry.created_at),
    }
}

async fn entries(Shared(state): Shared<State>, call: Call, path: Segments, asked: Asked) -> Answer<Json<EntryList>> {
    let list = named(&call.scope, &path)?;
    // A token belongs to one list.
    let mark = [list.direction as u8, list.list_type as u8];
    let paging = Paging::read(&call, &asked, &[])?;
    let after = match &paging.position {
        None => None,
        Some(position) => {
            let text = position
                .strip_prefix(&mark)
                .and_then(|text| std::str::from_utf8(text).ok());
            Some(text.and_then(|text| Listed::parse(text).ok()).ok_or_else(bad_token)?)
        }
    };
    let found = state
        .identity()
        .list_entries(&list, after.as_ref(), paging.limit)
        .await?;
    let token = |next: Listed| paging.token(&[&mark[..], next.to_string().as_bytes()].concat());
    let entries = found.entries.into_iter().map(|entry| view(&call.scope, &list, entry));
    let entries: Vec<_> = entries.collect();
    Ok(Json(EntryList {
        count: entries.len(),
        limit: paging.asked_limit,
        next_page_token: found.next.map(token),
        entries,
    }))
}

async fn create(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    Body(wanted): Body<CreateEntryBody>,
) -> Answer<Json<EntryView>> {
    let list = named(&call.scope, &path)?;
    let name = Listed::parse(&wanted.entry).map_err(|error| Failure::field("entry", error.to_string()))?;
    let reason = wanted.reason.filter(|_| list.list_type == ListType::Block);
    let entry = state.identity().add_list_entry(&list, &name, reason.as_deref()).await?;
    Ok(Json(view(&call.scope, &list, entry)))
}

/// The entry that a path names; what cannot be one is on no list.
fn entry_of(path: &Segments) -> Answer<Listed> {
    let name = Listed::parse(path.text("entry")?);
    Ok(name.map_err(|_| IdentityError::NoSuchEntry)?)
}

async fn show(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<Json<EntryView>> {
    let list = named(&call.scope, &path)?;
    let entry = state.identity().list_entry(&list, &entry_of(&path)?).await?;
    Ok(Json(view(&call.scope, &list, entry)))
}

async fn remove(Shared(state): Shared<State>, call: Call, path: Segments) -> Answer<StatusCode> {
    let list = named(&call.scope, &path)?;
    state.identity().remove_list_entry(&list, &entry_of(&path)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
