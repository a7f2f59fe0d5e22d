//! What a session may do that logged in with a key.

use crate::{Permission, Permissions};

/// What a session that reads mail may do beyond that: everything with the inbox's password or a key without
/// restrictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginRights(Option<Permissions>);

impl LoginRights {
    /// Those of a key with these permissions, or of the password.
    pub(super) const fn of(permissions: Option<Permissions>) -> Self {
        Self(permissions)
    }

    /// What is needed to change anything: a mail client that may delete but not mark, say, would be of no use.
    const CHANGES: [Permission; 5] = [
        Permission::MessageUpdate,
        Permission::MessageDelete,
        Permission::DraftCreate,
        Permission::DraftUpdate,
        Permission::DraftDelete,
    ];

    /// Whether mail and mailboxes may be changed.
    #[must_use]
    pub fn may_change(self) -> bool {
        Self::CHANGES.into_iter().all(|permission| self.has(permission))
    }

    /// Whether the mailbox is shown for which this label stands (`spam`, `trash`, `blocked`, `draft`).
    #[must_use]
    pub fn shows(self, label: &str) -> bool {
        match label {
            "spam" => self.has(Permission::LabelSpamRead),
            "trash" => self.has(Permission::LabelTrashRead),
            "blocked" => self.has(Permission::LabelBlockedRead),
            "draft" => self.has(Permission::DraftRead),
            _ => true,
        }
    }

    fn has(self, permission: Permission) -> bool {
        self.0.is_none_or(|permissions| permissions.contains(permission))
    }
}
