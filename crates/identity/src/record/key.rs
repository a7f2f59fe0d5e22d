//! An API key as stored.

use super::{optional_text, text};
use crate::Permissions;
use crate::scram::ScramKeys;
use postroom_types::{InboxId, KeyId, OrganizationId, PodId};
use serde::{Deserialize, Serialize};

/// What a key is for; its first letters say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// `sa_`: the operator.
    Operator,
    /// `tk_`: everything in an organization.
    Tenant,
    /// `am_`: everything in an organization, in the AgentMail dialect.
    Organization,
    /// `am_`: everything in a pod, in the AgentMail dialect.
    AgentPod,
    /// `am_`: one inbox, in the AgentMail dialect.
    AgentInbox,
    /// `wk_`: everything in a pod.
    Pod,
    /// `ak_`: one inbox.
    Inbox,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Operator,
        Self::Tenant,
        Self::Organization,
        Self::AgentPod,
        Self::AgentInbox,
        Self::Pod,
        Self::Inbox,
    ];

    /// The first letters of its keys.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "sa_",
            Self::Tenant => "tk_",
            Self::Organization | Self::AgentPod | Self::AgentInbox => "am_",
            Self::Pod => "wk_",
            Self::Inbox => "ak_",
        }
    }
}

/// An API key as stored; the secret itself is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredKey {
    #[serde(with = "text")]
    pub(crate) id: KeyId,
    pub(crate) kind: KeyKind,
    #[serde(with = "text")]
    pub(crate) organization: OrganizationId,
    #[serde(with = "optional_text", default)]
    pub(crate) pod: Option<PodId>,
    #[serde(with = "optional_text", default)]
    pub(crate) inbox: Option<InboxId>,
    pub(crate) name: Option<String>,
    pub(crate) shown: String,
    /// Its last letters; older rows have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) last: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// The key that made it, where that is known.
    #[serde(with = "optional_text", default, skip_serializing_if = "Option::is_none")]
    pub(crate) maker: Option<KeyId>,
    pub(crate) created_at: i64,
    /// SHA-256 of the key, compared in constant time.
    pub(crate) hash: [u8; 32],
    /// What it may do; `None`: everything within its scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) permissions: Option<Permissions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changed_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) used_at: Option<i64>,
    /// Of keys that may log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scram: Option<ScramKeys>,
}
