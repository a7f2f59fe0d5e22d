//! The rows of drafts. All begin with `d`.
//!
//! | key | value |
//! |---|---|
//! | `dr` inbox, draft | what the message does not say: [`DraftRow`] |
//! | `dc` inbox, half a SHA-256 of the client's name for it | the draft of that name |
//! | `dw` milliseconds since 1970, inbox, draft | the draft is to be looked at then: to be sent, or to be cleared away |
//!
//! Values are a format byte, then JSON or an id.

use crate::{DraftError, DraftId};
use postroom_store::{CommitBuilder, Key, MAX_VALUE_OCTETS, StoreError, Value};
use postroom_types::{EmailId, InboxId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const FORMAT: u8 = 1;
/// The first octets of the rows of drafts.
pub(crate) const ROWS: &[u8] = b"dr";
/// The first octets of the rows that say when.
pub(crate) const WHEN: &[u8] = b"dw";

pub(crate) fn row_key(inbox: InboxId, id: DraftId) -> Key {
    [ROWS, inbox.as_bytes(), &id.0].concat()
}

pub(crate) fn client_key(inbox: InboxId, client_id: &str) -> Key {
    let hash = Sha256::digest(client_id.as_bytes());
    [b"dc", &inbox.as_bytes()[..], &hash[..16]].concat()
}

pub(crate) fn when_key(at_ms: i64, inbox: InboxId, id: DraftId) -> Key {
    [WHEN, &at_ms.max(0).to_be_bytes(), inbox.as_bytes(), &id.0].concat()
}

/// Inbox and draft, the last 32 octets of a key.
pub(crate) fn named(key: &[u8]) -> Option<(InboxId, DraftId)> {
    let (inbox, id) = key.last_chunk::<32>()?.split_at(16);
    Some((
        InboxId::from_bytes(inbox.try_into().ok()?),
        DraftId(id.try_into().ok()?),
    ))
}

/// The time in a key of [`when_key`].
pub(crate) fn when(key: &[u8]) -> Option<i64> {
    let at = key.strip_prefix(WHEN)?.first_chunk::<8>()?;
    Some(i64::from_be_bytes(*at))
}

pub(crate) fn empty_value() -> Value {
    vec![FORMAT]
}

pub(crate) fn id_value(id: DraftId) -> Value {
    [&[FORMAT][..], &id.0].concat()
}

pub(crate) fn read_id(value: &[u8]) -> Result<DraftId, StoreError> {
    let id = value.strip_prefix(&[FORMAT]).and_then(|id| id.try_into().ok());
    id.map(DraftId).ok_or_else(corrupt)
}

fn corrupt() -> StoreError {
    StoreError::Corrupt("a draft's row that cannot be read".into())
}

/// What the message does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DraftRow {
    /// The message that was written with this row.
    #[serde(with = "text")]
    pub(crate) version: EmailId,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    /// The labels of that message: a mail program that saves the draft again drops them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refers: Option<Refers>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) send_at: Option<i64>,
    /// Why it was not sent when it was time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
    /// The message that was sent; it is to be expunged.
    #[serde(default, with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<EmailId>,
}

/// The message that a draft answers or passes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refers {
    #[serde(with = "text")]
    pub(crate) to: EmailId,
    /// Its Message-ID, which is known still when it is gone.
    pub(crate) message_id: Option<String>,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    Reply,
    ReplyAll,
    Forward,
}

impl DraftRow {
    /// Of a message that has none.
    pub(crate) fn new(version: EmailId, created_at: i64) -> Self {
        Self {
            version,
            created_at,
            labels: Vec::new(),
            client_id: None,
            refers: None,
            send_at: None,
            failed: None,
            sent: None,
        }
    }

    /// When it is to be looked at.
    pub(crate) fn due_at(&self) -> Option<i64> {
        match self.sent {
            Some(_) => Some(0),
            None => self.send_at.filter(|_| self.failed.is_none()),
        }
    }

    pub(crate) fn is_forward(&self) -> bool {
        self.refers.as_ref().is_some_and(|refers| refers.how == How::Forward)
    }

    pub(crate) fn is_reply_all(&self) -> bool {
        self.refers.as_ref().is_some_and(|refers| refers.how == How::ReplyAll)
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, StoreError> {
        let json = value.strip_prefix(&[FORMAT]).ok_or_else(corrupt)?;
        serde_json::from_slice(json).map_err(|_| corrupt())
    }

    pub(crate) fn write(&self) -> Result<Value, DraftError> {
        let mut value = vec![FORMAT];
        serde_json::to_writer(&mut value, self).map_err(|_| DraftError::from(corrupt()))?;
        if value.len() > MAX_VALUE_OCTETS {
            return Err(DraftError::Invalid("the labels of a draft are too long".into()));
        }
        Ok(value)
    }
}

/// A row as it is stored and as it reads.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) value: Value,
    pub(crate) row: DraftRow,
}

impl Stored {
    pub(crate) fn read(value: Value) -> Result<Self, StoreError> {
        let row = DraftRow::read(&value)?;
        Ok(Self { value, row })
    }
}

/// Adds to a commit that a draft's row becomes another one, or the first, and when it is to be looked at.
pub(crate) fn put(
    builder: &mut CommitBuilder,
    (inbox, id): (InboxId, DraftId),
    old: Option<&Stored>,
    new: &DraftRow,
) -> Result<(), DraftError> {
    let key = row_key(inbox, id);
    let was = old.and_then(|old| old.row.due_at());
    match old {
        None => builder.put_new(key, new.write()?),
        Some(old) => builder.replace(key, old.value.clone(), new.write()?),
    };
    let (was, now) = (was.map(|at| at.max(0)), new.due_at().map(|at| at.max(0)));
    if was != now {
        if let Some(was) = was {
            builder.delete(when_key(was, inbox, id));
        }
        if let Some(now) = now {
            builder.put(when_key(now, inbox, id), empty_value());
        }
    }
    Ok(())
}

/// Adds to a commit that a draft's rows go.
pub(crate) fn remove(builder: &mut CommitBuilder, (inbox, id): (InboxId, DraftId), old: &Stored) {
    let key = row_key(inbox, id);
    builder.require(key.clone(), old.value.clone()).delete(key);
    if let Some(at) = old.row.due_at() {
        builder.delete(when_key(at, inbox, id));
    }
}

mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<T: Display, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod optional_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<T: Display, S: Serializer>(id: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        let bare = DraftRow::new(EmailId::new(), 1);
        let full = DraftRow {
            labels: vec!["zwei wörter".into()],
            client_id: Some("mine".into()),
            refers: Some(Refers {
                to: EmailId::new(),
                message_id: None,
                how: How::Forward,
            }),
            send_at: Some(7),
            failed: Some("why".into()),
            sent: Some(EmailId::new()),
            ..bare.clone()
        };
        for row in [bare, full] {
            assert_eq!(DraftRow::read(&row.write().unwrap()).unwrap(), row);
        }
        for bad in [&b""[..], b"\x01", b"\x02{}", b"\x01{}", b"\x01[]"] {
            assert!(DraftRow::read(bad).is_err(), "{bad:?}");
        }
        let long = DraftRow {
            labels: vec!["x".repeat(5000)],
            ..DraftRow::new(EmailId::new(), 1)
        };
        assert!(matches!(long.write(), Err(DraftError::Invalid(_))));
    }

    /// A row of the first version, as it lies in stores.
    #[test]
    fn the_first_format_stays_readable() {
        let value = b"\x01{\"version\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"created_at\":5,\"labels\":[\"a\"],\
            \"refers\":{\"to\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"message_id\":\"q@x\",\"how\":\"ReplyAll\"},\"send_at\":9}";
        let row = DraftRow::read(value).unwrap();
        assert_eq!(
            (row.created_at, row.send_at, row.due_at(), row.is_reply_all()),
            (5, Some(9), Some(9), true)
        );
        assert_eq!(row.labels, ["a"]);
    }

    #[test]
    fn keys_tell_what_they_are_of() {
        let (inbox, id) = (InboxId::from_bytes([1; 16]), DraftId([2; 16]));
        let key = when_key(1_700_000_000_000, inbox, id);
        assert_eq!((when(&key), named(&key)), (Some(1_700_000_000_000), Some((inbox, id))));
        assert_eq!(named(&row_key(inbox, id)), Some((inbox, id)));
        assert!(when_key(1, inbox, id) < when_key(256, inbox, id) && when_key(-5, inbox, id).starts_with(WHEN));
        assert_eq!(read_id(&id_value(id)).unwrap(), id);
    }
}
