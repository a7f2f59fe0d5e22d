//! What is stored: a format byte, then JSON. New fields get a default, so that older rows stay readable.

mod forms;
mod key;

use postroom_store::{StoreError, Value};
use postroom_types::{Domain, EmailAddress, InboxId, OrganizationId, PodId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{AgentHandle, FilterMode};
use forms::{address, addresses};
pub(crate) use forms::{optional_address, optional_text, text};
pub use key::KeyKind;
pub(crate) use key::StoredKey;

const FORMAT: u8 = 1;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id.
    #[serde(with = "text")]
    pub id: OrganizationId,
    /// Its name, as given.
    pub name: String,
    /// The pod of inboxes that name none.
    #[serde(with = "text")]
    pub default_pod: PodId,
    /// Most live inboxes; `None` is without limit.
    pub max_inboxes: Option<u32>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// What it is if an agent signed itself up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentState>,
    /// When it was changed last; older rows have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changed_at: Option<i64>,
    /// Most octets that its inboxes hold together; `None` is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_octets: Option<u64>,
    /// Most messages that its inboxes send a day together; `None` is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_messages: Option<u32>,
    /// Since when nothing of it leaves, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<i64>,
    /// The domain of addresses that name none; `None` is the server's.
    #[serde(with = "optional_text", default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_domain: Option<Domain>,
    /// Set once it is deleted: no face shows it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_at: Option<i64>,
    /// Deleted, but with everything it had: it can be had back. Without it, what a deleted one had is being cleared away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) restorable: bool,
}

impl Organization {
    /// When it was deleted, in milliseconds since 1970.
    #[must_use]
    pub const fn deleted_at(&self) -> Option<i64> {
        self.deleted_at
    }

    /// What it may do now.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        match (self.deleted_at, self.restorable, self.suspended_at) {
            (Some(_), true, _) => Standing::Deleted,
            (Some(_), false, _) => Standing::Gone,
            (None, _, Some(_)) => Standing::Suspended,
            (None, _, None) => Standing::Active,
        }
    }

    /// Notes that it changes now.
    pub(crate) fn touch(&mut self) {
        self.changed_at = Some(now_ms().max(self.updated_at() + 1));
    }

    /// When it was changed last, in milliseconds since 1970.
    #[must_use]
    pub fn updated_at(&self) -> i64 {
        self.changed_at.unwrap_or(self.created_at)
    }
}

/// What an organization may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything.
    Active,
    /// Nothing of it leaves: no mail, no webhook. It takes mail, and may be read.
    Suspended,
    /// Nothing, and nobody sees it; the operator can have it back.
    Deleted,
    /// Nothing: it is not there any more.
    Gone,
}

/// What an organization is that an agent made by signing up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentState {
    /// The human who answers for it; folded.
    #[serde(with = "optional_address", default)]
    pub human_email: Option<EmailAddress>,
    /// Whether that human has confirmed it.
    pub verified: bool,
    /// How often the human was replaced.
    #[serde(default)]
    pub(crate) replacements: u8,
    /// Counts new keys, so that of two at once the second sees what the first made.
    #[serde(default)]
    pub(crate) rotations: u64,
}

/// An isolated part of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its id.
    #[serde(with = "text")]
    pub id: PodId,
    /// Whose it is.
    #[serde(with = "text")]
    pub organization: OrganizationId,
    /// Its name, as given.
    pub name: String,
    /// Its short name, one of a kind in the organization.
    pub slug: String,
    /// What its maker calls it, so that asking twice makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl Pod {
    /// When it was changed last, in milliseconds since 1970: when it was made, since nothing changes a pod.
    #[must_use]
    pub const fn updated_at(&self) -> i64 {
        self.created_at
    }
}

/// Counts the passwords an inbox has had. A session that logged in under an older one is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CredentialEpoch(pub u64);

/// One address with its credentials, mailboxes and mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxRecord {
    /// Its id.
    #[serde(with = "text")]
    pub id: InboxId,
    /// Whose it is.
    #[serde(with = "text")]
    pub organization: OrganizationId,
    /// The part of the organization it belongs to.
    #[serde(with = "text")]
    pub pod: PodId,
    /// Its login name; folded, never changes.
    #[serde(with = "address")]
    pub canonical: EmailAddress,
    /// Its address in From; folded, the canonical one or an alias.
    #[serde(with = "address")]
    pub primary: EmailAddress,
    /// Its further addresses; folded.
    #[serde(with = "addresses", default)]
    pub aliases: Vec<EmailAddress>,
    /// The name shown in From.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Whether it may not send.
    #[serde(default)]
    pub send_paused: bool,
    /// Whether it takes no mail.
    #[serde(default)]
    pub receive_paused: bool,
    /// Where a copy of each message it gets is sent on to.
    #[serde(with = "optional_address", default, skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<EmailAddress>,
    /// Messages it may send a day; `None` is the server's limit, 0 is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_messages: Option<u32>,
    /// Addresses a day that it may write to for the first time; `None` is the server's limit, 0 is without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_new_recipients: Option<u32>,
    /// The identity that it is the inbox of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentHandle>,
    /// What becomes of mail from whom no contact rule names.
    #[serde(default, skip_serializing_if = "FilterMode::is_default")]
    pub inbound_mode: FilterMode,
    /// Whether it may write to whom no contact rule names.
    #[serde(default, skip_serializing_if = "FilterMode::is_default")]
    pub outbound_mode: FilterMode,
    /// How many contact rules it has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) rules: u32,
    /// Which password is the valid one.
    #[serde(default)]
    pub epoch: CredentialEpoch,
    /// What its maker calls it, so that asking twice makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// When it was changed last. Grows with each change, whatever the clock does; older rows have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changed_at: Option<i64>,
    /// What was asked for when it was made, so that deleting it forgets that too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Request>,
    /// Counts changes of credentials, so that of two rotations at once the second sees what the first made.
    #[serde(default)]
    pub(crate) rotations: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_at: Option<i64>,
}

impl InboxRecord {
    /// When it was changed last, in milliseconds since 1970.
    #[must_use]
    pub fn updated_at(&self) -> i64 {
        self.changed_at.unwrap_or(self.created_at)
    }

    /// Notes that it changes now.
    pub(crate) fn touch(&mut self) {
        self.changed_at = Some(now_ms().max(self.updated_at() + 1));
    }

    /// The canonical address, then the aliases.
    pub fn addresses(&self) -> impl Iterator<Item = &EmailAddress> {
        std::iter::once(&self.canonical).chain(&self.aliases)
    }
}

/// A request for an address by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The address asked for, folded.
    #[serde(with = "address")]
    pub(crate) address: EmailAddress,
    /// Whether it came from a key that sees one pod only.
    pub(crate) within_pod: bool,
}

/// Who has an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AddressRow {
    /// An inbox; `canonical` tells its login name from an alias.
    Inbox {
        #[serde(with = "text")]
        inbox: InboxId,
        #[serde(with = "text")]
        organization: OrganizationId,
        #[serde(with = "text")]
        pod: PodId,
        canonical: bool,
    },
    /// Nobody; it is kept back since an inbox elsewhere has it as its agent's handle.
    Handle {
        #[serde(with = "text")]
        inbox: InboxId,
        #[serde(with = "text")]
        organization: OrganizationId,
    },
    /// Nobody any more, but only this organization may have it again: mail for its former owner would follow.
    Tombstone {
        #[serde(with = "text")]
        organization: OrganizationId,
    },
}

/// The operator's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredOperator {
    #[serde(with = "text")]
    pub(crate) organization: OrganizationId,
    #[serde(with = "text")]
    pub(crate) postmaster: InboxId,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

pub(crate) fn encode<T: Serialize>(record: &T) -> Value {
    let mut value = vec![FORMAT];
    serde_json::to_writer(&mut value, record).expect("records have string keys, and writing to a Vec does not fail");
    value
}

pub(crate) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, StoreError> {
    match value.split_first() {
        Some((&FORMAT, json)) => serde_json::from_slice(json)
            .map_err(|error| StoreError::Corrupt(format!("an identity record: {error}").into())),
        _ => Err(StoreError::Corrupt("an identity record of an unknown format".into())),
    }
}

/// A bare id as a value.
pub(crate) fn encode_id(id: &[u8; 16]) -> Value {
    [&[FORMAT][..], id].concat()
}

pub(crate) fn decode_id(value: &[u8]) -> Result<[u8; 16], StoreError> {
    let id = value.strip_prefix(&[FORMAT]).and_then(|id| id.try_into().ok());
    id.ok_or_else(|| StoreError::Corrupt("an identity row that should hold an id".into()))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::StoredDomain;

    /// Rows as the first release wrote them.
    #[test]
    fn older_rows_stay_readable() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let inbox = format!(
            "\u{1}{{\"id\":\"{id}\",\"organization\":\"{id}\",\"pod\":\"{id}\",\"canonical\":\"a@example.test\",\
             \"primary\":\"a@example.test\",\"created_at\":7}}"
        );
        let inbox: InboxRecord = decode(inbox.as_bytes()).unwrap();
        assert_eq!((inbox.daily_messages, inbox.daily_new_recipients), (None, None));
        assert!(inbox.forward_to.is_none());
        assert!(inbox.updated_at() == 7 && inbox.client_id.is_none());
        assert!(inbox.agent.is_none() && inbox.rules == 0);
        assert_eq!((inbox.inbound_mode, inbox.outbound_mode), Default::default());
        let pod = format!(
            "\u{1}{{\"id\":\"{id}\",\"organization\":\"{id}\",\"name\":\"P\",\"slug\":\"p\",\"created_at\":7}}"
        );
        let pod: Pod = decode(pod.as_bytes()).unwrap();
        assert_eq!((pod.updated_at(), pod.client_id), (7, None));
        let organization = format!(
            "\u{1}{{\"id\":\"{id}\",\"name\":\"A\",\"default_pod\":\"{id}\",\"max_inboxes\":null,\"created_at\":7}}"
        );
        let organization: Organization = decode(organization.as_bytes()).unwrap();
        assert_eq!((organization.updated_at(), organization.agent), (7, None));
        let hash = vec!["9"; 32].join(",");
        let key = format!(
            "\u{1}{{\"id\":\"{id}\",\"kind\":\"Organization\",\"organization\":\"{id}\",\"pod\":null,\"inbox\":null,\
             \"name\":\"ci\",\"shown\":\"am_abcdef\",\"created_at\":7,\"hash\":[{hash}]}}"
        );
        let key: StoredKey = decode(key.as_bytes()).unwrap();
        assert_eq!((key.permissions, key.expires_at, key.used_at), (None, None, None));
        assert!(!key.has_expired());
        let domain: StoredDomain = decode(b"\x01{\"created_at\":7}").unwrap();
        assert!(!domain.added && domain.organization.is_none());
    }
}
