//! What is stored: a format byte, then JSON. New fields get a default, so that older rows stay readable.

use crate::scram::ScramKeys;
use postroom_store::{StoreError, Value};
use postroom_types::{EmailAddress, InboxId, KeyId, OrganizationId, PodId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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
    /// Set once it is deleted; what it had is being cleared away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_at: Option<i64>,
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
    /// Milliseconds since 1970.
    pub created_at: i64,
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
    /// Which password is the valid one.
    #[serde(default)]
    pub epoch: CredentialEpoch,
    /// Milliseconds since 1970.
    pub created_at: i64,
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
    /// Nobody any more, but only this organization may have it again: mail for its former owner would follow.
    Tombstone {
        #[serde(with = "text")]
        organization: OrganizationId,
    },
}

/// What a key is for; its first letters say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// `sa_`: the operator.
    Operator,
    /// `tk_`: everything in an organization.
    Tenant,
    /// `am_`: everything in an organization, in the AgentMail dialect.
    Organization,
    /// `wk_`: everything in a pod.
    Pod,
    /// `ak_`: one inbox.
    Inbox,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Operator, Self::Tenant, Self::Organization, Self::Pod, Self::Inbox];

    /// The first letters of its keys.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "sa_",
            Self::Tenant => "tk_",
            Self::Organization => "am_",
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
    pub(crate) created_at: i64,
    /// SHA-256 of the key, compared in constant time.
    pub(crate) hash: [u8; 32],
    /// Of keys that may log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scram: Option<ScramKeys>,
}

/// The operator's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredOperator {
    #[serde(with = "text")]
    pub(crate) organization: OrganizationId,
    #[serde(with = "text")]
    pub(crate) postmaster: InboxId,
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

mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

pub(crate) mod optional_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::{fmt::Display, str::FromStr};

    pub(crate) fn serialize<T: Display, S: Serializer>(id: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

pub(crate) mod optional_address {
    use postroom_types::EmailAddress;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(address: &Option<EmailAddress>, serializer: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => serializer.collect_str(address),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EmailAddress>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| EmailAddress::parse(&text).map_err(D::Error::custom))
            .transpose()
    }
}

mod address {
    use postroom_types::EmailAddress;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(address: &EmailAddress, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EmailAddress, D::Error> {
        EmailAddress::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

mod addresses {
    use postroom_types::EmailAddress;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(addresses: &[EmailAddress], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(addresses.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EmailAddress>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts
            .iter()
            .map(|text| EmailAddress::parse(text).map_err(D::Error::custom))
            .collect()
    }
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
        assert_eq!(
            (inbox.forward_to, inbox.daily_messages, inbox.daily_new_recipients),
            (None, None, None)
        );
        let domain: StoredDomain = decode(b"\x01{\"created_at\":7}").unwrap();
        assert!(!domain.added && domain.organization.is_none());
    }
}
