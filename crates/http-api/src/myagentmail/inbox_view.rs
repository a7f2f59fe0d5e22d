//! An inbox as the dialect shows it.

use crate::Options;
use crate::model::time;
use postroom_identity::InboxRecord;
use postroom_types::Secret;
use serde::Serialize;

/// The inbox object. What is `None` is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InboxView {
    id: String,
    email: String,
    canonical_email: String,
    username: String,
    domain: String,
    display_name: Option<String>,
    workspace_id: String,
    addresses: Vec<AddressView>,
    imap: Imap,
    smtp: Smtp,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    existed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imap_password: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AddressView {
    address: String,
    is_primary: bool,
}

#[derive(Debug, Serialize)]
struct Imap {
    host: String,
    port: u16,
    tls: bool,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

#[derive(Debug, Serialize)]
struct Smtp {
    host: String,
    port: u16,
    starttls: bool,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl InboxView {
    /// Without secrets.
    pub(super) fn new(inbox: &InboxRecord, options: &Options) -> Self {
        let login = inbox.canonical.to_string();
        let addresses = inbox.addresses().map(|address| AddressView {
            address: address.to_string(),
            is_primary: *address == inbox.primary,
        });
        Self {
            id: inbox.id.to_string(),
            email: inbox.primary.to_string(),
            canonical_email: login.clone(),
            username: inbox.canonical.local_part().to_owned(),
            domain: inbox.canonical.domain().to_string(),
            display_name: inbox.display_name.clone(),
            workspace_id: inbox.pod.to_string(),
            addresses: addresses.collect(),
            imap: Imap {
                host: options.imap.host.clone(),
                port: options.imap.port,
                tls: true,
                username: login.clone(),
                password: None,
            },
            smtp: Smtp {
                host: options.smtp.host.clone(),
                port: options.smtp.port,
                starttls: true,
                username: login,
                password: None,
            },
            created_at: time(inbox.created_at),
            metadata: None,
            existed: None,
            api_key: None,
            imap_password: None,
        }
    }

    /// With secrets, for the one answer that tells them.
    pub(super) fn with_secrets(mut self, api_key: Option<&Secret<String>>, password: Option<&Secret<String>>) -> Self {
        let text = |secret: &Secret<String>| secret.expose().clone();
        self.api_key = api_key.map(text);
        self.imap_password = password.map(text);
        self.imap.password = password.map(text);
        self.smtp.password = password.map(text);
        self
    }

    /// For an answer to a create that made nothing.
    pub(super) fn existed(mut self) -> Self {
        self.existed = Some(true);
        self
    }

    /// With what its owner keeps with it.
    pub(super) fn with_metadata(mut self, metadata: Option<&str>) -> Self {
        self.metadata = metadata.and_then(|text| serde_json::from_str(text).ok());
        self
    }
}
