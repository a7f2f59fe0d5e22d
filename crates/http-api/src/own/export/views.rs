//! How records stand in the lists of an archive.

use crate::model::time;
use postroom_identity::{DomainStatus, InboxRecord, Signature, TenantDomain};
use postroom_webhooks::Webhook;
use serde_json::{Value, json};

pub(super) fn inbox_record(inbox: &InboxRecord, metadata: Option<&str>, signature: &Signature) -> Value {
    // What was kept as text that is no JSON is given as text.
    let metadata = metadata.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
    json!({
        "id": inbox.id.to_string(),
        "pod": inbox.pod.to_string(),
        "canonical": inbox.canonical.to_string(),
        "primary": inbox.primary.to_string(),
        "addresses": inbox.addresses().map(ToString::to_string).collect::<Vec<_>>(),
        "displayName": inbox.display_name,
        "clientId": inbox.client_id,
        "sendPaused": inbox.send_paused,
        "receivePaused": inbox.receive_paused,
        "forwardTo": inbox.forward_to.as_ref().map(ToString::to_string),
        "dailyMessages": inbox.daily_messages,
        "dailyNewRecipients": inbox.daily_new_recipients,
        "inboundMode": inbox.inbound_mode.as_str(),
        "outboundMode": inbox.outbound_mode.as_str(),
        "metadata": metadata,
        "signature": { "html": signature.html, "text": signature.text, "enabled": signature.enabled },
        "createdAt": time(inbox.created_at),
        "updatedAt": time(inbox.updated_at()),
    })
}

pub(super) fn claim_record(claim: &TenantDomain) -> Value {
    json!({
        "kind": "claim",
        "domain": claim.domain.to_string(),
        "pod": claim.pod.map(|pod| pod.to_string()),
        "status": match claim.status {
            DomainStatus::NotStarted => "not_started",
            DomainStatus::Pending => "pending",
            DomainStatus::Invalid => "invalid",
            DomainStatus::Verified => "verified",
        },
        "feedback": claim.feedback,
        "inbound": claim.inbound,
        "subdomains": claim.subdomains,
        "createdAt": time(claim.created_at),
        "updatedAt": time(claim.updated_at),
    })
}

/// Further header fields of its requests are named only: what they hold may be secret.
pub(super) fn webhook_record(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id.to_string(),
        "dialect": webhook.dialect.as_str(),
        "pod": webhook.scope.pod.map(|pod| pod.to_string()),
        "inbox": webhook.scope.inbox.map(|inbox| inbox.to_string()),
        "pods": webhook.pods.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "inboxes": webhook.inboxes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "url": webhook.url,
        "eventTypes": webhook.event_types.iter().map(|event| event.as_str()).collect::<Vec<_>>(),
        "headers": webhook.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "context": webhook.context,
        "enabled": webhook.enabled,
        "clientId": webhook.client_id,
        "createdAt": time(webhook.created_at),
        "updatedAt": time(webhook.updated_at),
    })
}
