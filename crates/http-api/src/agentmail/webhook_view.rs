//! A webhook as the dialect shows it (agentmail.md §14).

use super::failure::Answer;
use crate::State;
use crate::model::time;
use postroom_identity::IdentityError;
use postroom_types::InboxId;
use postroom_webhooks::Webhook;
use serde::Serialize;
use utoipa::ToSchema;

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookView {
    webhook_id: String,
    url: String,
    /// What it hears of; not there: all standard types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    event_types: Vec<&'static str>,
    /// The pods it hears of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pod_ids: Vec<String>,
    /// The inboxes it hears of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    inbox_ids: Vec<String>,
    /// The pod it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_id: Option<String>,
    /// The inbox it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    inbox_id: Option<String>,
    secret: String,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    updated_at: String,
    created_at: String,
}

/// A page of webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookList {
    pub(crate) count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<String>,
    pub(crate) webhooks: Vec<WebhookView>,
}

/// The names of the header fields that a webhook adds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookHeaders)]
pub(crate) struct HeaderNames {
    pub(crate) header_names: Vec<String>,
}

pub(crate) async fn view(state: &State, webhook: &Webhook) -> Answer<WebhookView> {
    let mut inbox_ids = Vec::new();
    for inbox in &webhook.inboxes {
        inbox_ids.extend(address(state, *inbox).await?);
    }
    let inbox_id = match webhook.scope.inbox {
        None => None,
        Some(own) => address(state, own).await?,
    };
    Ok(WebhookView {
        webhook_id: webhook.id.to_string(),
        url: webhook.url.clone(),
        event_types: webhook
            .event_types
            .iter()
            .map(|event_type| event_type.as_str())
            .collect(),
        pod_ids: webhook.pods.iter().map(ToString::to_string).collect(),
        inbox_ids,
        pod_id: webhook.scope.pod.map(|pod| pod.to_string()),
        inbox_id,
        secret: webhook.secret.expose().clone(),
        enabled: webhook.enabled,
        client_id: webhook.client_id.clone(),
        updated_at: time(webhook.updated_at),
        created_at: time(webhook.created_at),
    })
}

/// What the dialect calls an inbox; `None` if it is gone.
async fn address(state: &State, id: InboxId) -> Answer<Option<String>> {
    match state.identity().inbox(id).await {
        Ok(inbox) => Ok(Some(inbox.canonical.to_string())),
        Err(IdentityError::NoSuchInbox) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
