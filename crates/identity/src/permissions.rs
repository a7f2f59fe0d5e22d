//! What a key may do: a set of names, of which nothing is granted that is not named.
//!
//! What always holds: a set is only ever narrowed from what its maker holds; names that are not known grant nothing.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! permissions {
    ($($variant:ident $name:literal $meaning:literal,)+) => {
        /// One thing that a key may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $(#[doc = $meaning] $variant,)+
        }

        impl Permission {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name over HTTP.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

permissions! {
    InboxRead "inbox_read" "Listing and reading inboxes.",
    InboxCreate "inbox_create" "Making inboxes.",
    InboxUpdate "inbox_update" "Changing inboxes.",
    InboxDelete "inbox_delete" "Deleting inboxes.",
    MessageRead "message_read" "Reading messages and threads; logging in over IMAP.",
    MessageSend "message_send" "Sending; logging in for submission.",
    MessageUpdate "message_update" "Changing labels of messages and threads.",
    MessageDelete "message_delete" "Deleting messages and threads.",
    LabelSpamRead "label_spam_read" "Seeing what is labelled `spam`.",
    LabelBlockedRead "label_blocked_read" "Seeing what is labelled `blocked`.",
    LabelTrashRead "label_trash_read" "Seeing what is labelled `trash`.",
    LabelUnauthenticatedRead "label_unauthenticated_read" "Seeing what is labelled `unauthenticated`.",
    DraftRead "draft_read" "Reading drafts.",
    DraftCreate "draft_create" "Making drafts.",
    DraftUpdate "draft_update" "Changing drafts.",
    DraftDelete "draft_delete" "Deleting drafts.",
    DraftSend "draft_send" "Sending drafts.",
    WebhookRead "webhook_read" "Reading webhooks.",
    WebhookCreate "webhook_create" "Making webhooks.",
    WebhookUpdate "webhook_update" "Changing webhooks.",
    WebhookDelete "webhook_delete" "Deleting webhooks.",
    DomainRead "domain_read" "Reading domains.",
    DomainCreate "domain_create" "Adding domains.",
    DomainUpdate "domain_update" "Changing and verifying domains.",
    DomainDelete "domain_delete" "Removing domains.",
    ListEntryRead "list_entry_read" "Reading allow and block lists.",
    ListEntryCreate "list_entry_create" "Adding to allow and block lists.",
    ListEntryDelete "list_entry_delete" "Removing from allow and block lists.",
    MetricsRead "metrics_read" "Reading metrics.",
    ApiKeyRead "api_key_read" "Reading keys.",
    ApiKeyCreate "api_key_create" "Making keys, none stronger than its own.",
    ApiKeyUpdate "api_key_update" "Changing keys, none to be stronger than its own.",
    ApiKeyDelete "api_key_delete" "Revoking keys.",
    PodRead "pod_read" "Reading pods.",
    PodCreate "pod_create" "Making pods.",
    PodUpdate "pod_update" "Changing pods.",
    PodDelete "pod_delete" "Deleting pods.",
}

/// A name that is no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such permission")]
pub struct UnknownPermission;

impl FromStr for Permission {
    type Err = UnknownPermission;

    /// Reads a name, also the two older ones for threads, which messages stand for now.
    fn from_str(name: &str) -> Result<Self, UnknownPermission> {
        match name {
            "thread_read" => Ok(Self::MessageRead),
            "thread_delete" => Ok(Self::MessageDelete),
            _ => Self::ALL
                .iter()
                .find(|permission| permission.as_str() == name)
                .copied()
                .ok_or(UnknownPermission),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u64);

// One bit for each.
const _: () = assert!(Permission::ALL.len() < 64);

impl Permissions {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << Permission::ALL.len()) - 1);

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | bit(permission))
    }

    /// These but for one.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !bit(permission))
    }

    /// What is in both.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the other set has all of these.
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// They, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(move |permission| self.contains(*permission))
    }
}

const fn bit(permission: Permission) -> u64 {
    1 << permission as u64
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Permission::as_str))
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        // A name from a later version says nothing here, and so allows nothing.
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
        }
        assert_eq!("thread_read".parse(), Ok(Permission::MessageRead));
        assert_eq!("thread_delete".parse(), Ok(Permission::MessageDelete));
        for unknown in ["", "Inbox_read", "inbox_read ", "message_reply", "all"] {
            assert_eq!(unknown.parse::<Permission>(), Err(UnknownPermission), "{unknown}");
        }
    }

    #[test]
    fn a_name_of_a_later_version_allows_nothing() {
        let read: Permissions = serde_json::from_str(r#"["draft_read","draft_paint"]"#).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), [Permission::DraftRead]);
    }

    fn sets() -> impl Strategy<Value = Permissions> {
        proptest::collection::vec(proptest::sample::select(Permission::ALL), 0..40).prop_map(Permissions::from_iter)
    }

    proptest! {
        #[test]
        fn sets_are_sets(one in sets(), other in sets()) {
            let both = one.intersect(other);
            prop_assert!(both.is_subset(one) && both.is_subset(other));
            prop_assert_eq!(one.is_subset(other), one.iter().all(|permission| other.contains(permission)));
            prop_assert!(one.is_subset(Permissions::ALL) && Permissions::NONE.is_subset(one));
            let text = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(serde_json::from_str::<Permissions>(&text).unwrap(), one);
        }
    }
}
