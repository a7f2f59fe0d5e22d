//! Pods (agentmail.md §11).

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{ORGANIZATION, Operation, PAGED, POD};
use super::paging::Paging;
use super::wire::{Asked, Body};
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use postroom_identity::{Permission, Pod, PodWish};
use postroom_types::PodId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("pods.list", ORGANIZATION, "/pods", || get(list))
        .needs(Permission::PodRead)
        .asks(PAGED)
        .answers::<PodList>(),
    Operation::post("pods.create", ORGANIZATION, "/pods", || post(create))
        .needs(Permission::PodCreate)
        .takes::<CreatePodBody>()
        .answers::<PodView>(),
    Operation::get("pods.get", POD, "", || get(show))
        .needs(Permission::PodRead)
        .answers::<PodView>(),
    Operation::delete("pods.delete", POD, "", || delete(remove)).needs(Permission::PodDelete),
];

/// A pod.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pod)]
struct PodView {
    pod_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    updated_at: String,
    created_at: String,
}

impl From<Pod> for PodView {
    fn from(pod: Pod) -> Self {
        Self {
            pod_id: pod.id.to_string(),
            updated_at: time(pod.updated_at()),
            created_at: time(pod.created_at),
            name: pod.name,
            client_id: pod.client_id,
        }
    }
}

/// A page of pods.
#[derive(Debug, Serialize, ToSchema)]
struct PodList {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    pods: Vec<PodView>,
}

/// A wanted pod.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreatePodRequest)]
struct CreatePodBody {
    name: Option<String>,
    client_id: Option<String>,
}

async fn list(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<PodList>> {
    let paging = Paging::read(&call, &asked, &[])?;
    let scope = &call.scope;
    // Keys of a pod, or of an inbox in it, see that one.
    let mut pods = match scope.pod {
        Some(own) => vec![state.identity().pod(scope.organization, own).await?],
        None => state.identity().pods(scope.organization).await?,
    };
    if !paging.ascending {
        pods.reverse();
    }
    if let Some(after) = paging.position_id(PodId::from_bytes)? {
        let past = |pod: &Pod| {
            if paging.ascending {
                pod.id <= after
            } else {
                pod.id >= after
            }
        };
        pods.retain(|pod| !past(pod));
    }
    let more = pods.len() > paging.limit;
    pods.truncate(paging.limit);
    let last = pods.last().map(|pod| pod.id);
    Ok(Json(PodList {
        count: pods.len(),
        limit: paging.asked_limit,
        next_page_token: last.filter(|_| more).map(|last| paging.token(last.as_bytes())),
        pods: pods.into_iter().map(PodView::from).collect(),
    }))
}

async fn create(Shared(state): Shared<State>, call: Call, Body(wanted): Body<CreatePodBody>) -> Answer<Json<PodView>> {
    if call.scope.pod.is_some() {
        return Err(Failure::forbidden("only a key of the organization makes pods"));
    }
    let wish = PodWish {
        name: wanted.name,
        client_id: wanted.client_id,
    };
    let pod = state.identity().create_pod_with(call.scope.organization, &wish).await?;
    Ok(Json(pod.into()))
}

async fn show(Shared(state): Shared<State>, call: Call) -> Answer<Json<PodView>> {
    let pod = call.scope.pod.ok_or_else(Failure::not_found)?;
    Ok(Json(state.identity().pod(call.scope.organization, pod).await?.into()))
}

async fn remove(Shared(state): Shared<State>, call: Call) -> Answer<StatusCode> {
    let pod = call.scope.pod.ok_or_else(Failure::not_found)?;
    state.identity().delete_pod(call.scope.organization, pod).await?;
    Ok(StatusCode::NO_CONTENT)
}
