//! An inbox as the dialect shows it (agentmail.md §7).

use super::wire::Object;
use crate::model::time;
use postroom_identity::InboxRecord;
use serde::Serialize;
use utoipa::ToSchema;

/// An inbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Inbox)]
pub(crate) struct InboxView {
    pod_id: String,
    /// The address itself.
    inbox_id: String,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Object>,
    /// `paused`, or not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    updated_at: String,
    created_at: String,
}

impl InboxView {
    pub(crate) fn new(inbox: &InboxRecord, metadata: Option<Object>) -> Self {
        Self {
            pod_id: inbox.pod.to_string(),
            inbox_id: inbox.canonical.to_string(),
            email: inbox.canonical.to_string(),
            display_name: inbox.display_name.clone(),
            client_id: inbox.client_id.clone(),
            metadata: metadata.filter(|metadata| !metadata.is_empty()),
            status: (inbox.send_paused && inbox.receive_paused).then_some("paused"),
            updated_at: time(inbox.updated_at()),
            created_at: time(inbox.created_at),
        }
    }
}

/// A page of inboxes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InboxList {
    pub(crate) count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<String>,
    pub(crate) inboxes: Vec<InboxView>,
}
