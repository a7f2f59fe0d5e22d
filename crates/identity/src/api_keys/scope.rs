//! What a key is made for, and whose key it then is.

use super::KeyRecord;
use crate::{KeyKind, Permission, Permissions, Reach, keys};
use postroom_store::Key;
use postroom_types::{InboxId, KeyId, OrganizationId, PodId};

/// What a key is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// `sa_`: the server; the organization is the operator's own.
    Operator(OrganizationId),
    /// `tk_`: an organization.
    Tenant(OrganizationId),
    /// `am_`: an organization, in the AgentMail dialect.
    Organization(OrganizationId),
    /// `am_`: a pod, in the AgentMail dialect.
    AgentPod(OrganizationId, PodId),
    /// `am_`: an inbox, in the AgentMail dialect.
    AgentInbox(OrganizationId, PodId, InboxId),
    /// `wk_`: a pod.
    Pod(OrganizationId, PodId),
    /// `ak_`: an inbox.
    Inbox(OrganizationId, InboxId),
}

impl KeyScope {
    /// What such keys are for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self {
            Self::Operator(_) => KeyKind::Operator,
            Self::Tenant(_) => KeyKind::Tenant,
            Self::Organization(_) => KeyKind::Organization,
            Self::AgentPod(..) => KeyKind::AgentPod,
            Self::AgentInbox(..) => KeyKind::AgentInbox,
            Self::Pod(..) => KeyKind::Pod,
            Self::Inbox(..) => KeyKind::Inbox,
        }
    }

    /// The organization they belong to.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        match self {
            Self::Operator(id)
            | Self::Tenant(id)
            | Self::Organization(id)
            | Self::AgentPod(id, _)
            | Self::AgentInbox(id, ..)
            | Self::Pod(id, _)
            | Self::Inbox(id, _) => *id,
        }
    }

    pub(crate) const fn pod(&self) -> Option<PodId> {
        match self {
            Self::Pod(_, pod) | Self::AgentPod(_, pod) | Self::AgentInbox(_, pod, _) => Some(*pod),
            Self::Operator(_) | Self::Tenant(_) | Self::Organization(_) | Self::Inbox(..) => None,
        }
    }

    pub(crate) const fn inbox(&self) -> Option<InboxId> {
        match self {
            Self::Inbox(_, inbox) | Self::AgentInbox(_, _, inbox) => Some(*inbox),
            Self::Operator(_) | Self::Tenant(_) | Self::Organization(_) | Self::AgentPod(..) | Self::Pod(..) => None,
        }
    }

    /// Under which its keys are listed.
    pub(crate) const fn listed(&self) -> (u8, [u8; 16]) {
        match self {
            Self::Operator(id) => (b's', *id.as_bytes()),
            Self::Tenant(id) => (b't', *id.as_bytes()),
            Self::Organization(id) => (b'o', *id.as_bytes()),
            Self::AgentPod(_, id) => (b'P', *id.as_bytes()),
            Self::AgentInbox(_, _, id) => (b'I', *id.as_bytes()),
            Self::Pod(_, id) => (b'p', *id.as_bytes()),
            Self::Inbox(_, id) => (b'i', *id.as_bytes()),
        }
    }

    /// The row that exists as long as keys of this scope may.
    pub(crate) fn owner(&self) -> Key {
        match self {
            Self::Operator(id) | Self::Tenant(id) | Self::Organization(id) => keys::organization(*id),
            Self::Pod(organization, id) | Self::AgentPod(organization, id) => keys::pod(*organization, *id),
            Self::Inbox(_, id) | Self::AgentInbox(_, _, id) => keys::inbox(*id),
        }
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The key used.
    pub key: KeyId,
    /// What the key is for.
    pub kind: KeyKind,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// The pod it is bound to; of a key of an inbox, the inbox's.
    pub pod: Option<PodId>,
    /// The inbox it is bound to.
    pub inbox: Option<InboxId>,
    /// What it may do within its scope; `None`: everything. An unverified agent's organization takes from it.
    pub permissions: Option<Permissions>,
    /// When it stops, in milliseconds since 1970.
    pub expires_at: Option<i64>,
}

impl Principal {
    /// Whether its permissions have this one; what it is for is another question.
    #[must_use]
    pub fn allows(&self, permission: Permission) -> bool {
        self.permissions
            .is_none_or(|permissions| permissions.contains(permission))
    }

    /// The inboxes within its scope; of an operator's, who sees into none, that of its own organization.
    #[must_use]
    pub const fn reach(&self) -> Reach {
        Reach {
            organization: self.organization,
            pod: self.pod,
            inbox: self.inbox,
        }
    }

    /// Whether it is not the operator's, who has no business in anybody's mail.
    #[must_use]
    pub fn is_of_a_tenant(&self) -> bool {
        self.kind != KeyKind::Operator
    }

    /// Whether a key of its own dialect and organization lies within its scope.
    pub(crate) fn reaches(&self, key: &KeyRecord) -> bool {
        key.organization == self.organization
            && match (self.inbox, self.pod) {
                (Some(inbox), _) => key.inbox == Some(inbox),
                (None, Some(pod)) => key.pod == Some(pod),
                (None, None) => true,
            }
    }
}
