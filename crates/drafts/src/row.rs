//! The rows of drafts. All begin with `d`.
//!
//! | key | value |
//! |---|---|
//! | `dr` inbox, draft | what the message does not say, and for a day what the draft was sent as: [`DraftRow`] |
//! | `dc` inbox, half a SHA-256 of the client's name for it | the draft of that name |
//! | `dw` milliseconds since 1970, inbox, draft | the draft is to be looked at then: to be sent, or to be cleared away |
//!
//! Values are a format byte, then JSON or an id.

use crate::{DraftError, DraftId, Passing};
use postroom_store::{CommitBuilder, Key, MAX_VALUE_OCTETS, StoreError, Value};
use postroom_types::{EmailId, InboxId, ThreadId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const FORMAT: u8 = 1;
/// Left free in the row of a draft that is written, so that what becomes of it fits too.
const SPARE_OCTETS: usize = 1536;
/// Longest reason kept, in characters: less than is left free, however it is escaped.
const MAX_REASON_CHARS: usize = 200;
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
    /// A hash of the request that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refers: Option<Refers>,
    /// The thread that it is to join, whatever it answers.
    #[serde(default, with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<ThreadId>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) send_at: Option<i64>,
    /// Why it was not sent when it was time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
    /// Not to be tried before, although it is time; milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_at: Option<i64>,
    /// The version of the draft that was sent; it is to be expunged.
    #[serde(default, with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<EmailId>,
    /// What went out, as long as who repeats the making of the draft is told so. A newer version under the same name may
    /// be a draft meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sent_as: Option<SentAs>,
    /// The version that was sent is expunged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cleared: bool,
}

/// The message that a draft went out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentAs {
    #[serde(with = "text")]
    pub(crate) message: EmailId,
    /// The generation of the version that was sent; 0 in rows of older servers, which did not keep it.
    #[serde(default)]
    pub(crate) generation: u32,
    /// Remembered until then, milliseconds since 1970.
    pub(crate) until: i64,
}

/// The message that a draft answers or passes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refers {
    #[serde(with = "text")]
    pub(crate) to: EmailId,
    /// Its Message-ID, which is known still when it is gone.
    pub(crate) message_id: Option<String>,
    pub(crate) how: How,
    /// Of a message that is passed on.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub(crate) passing: Passing,
}

fn is_usual(passing: &Passing) -> bool {
    *passing == Passing::default()
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
            request: None,
            refers: None,
            thread: None,
            send_at: None,
            failed: None,
            retry_at: None,
            sent: None,
            sent_as: None,
            cleared: false,
        }
    }

    /// A row of the same name for another version, after the one that this row is of was sent. What has to be remembered
    /// stays.
    pub(crate) fn renewed(&self, version: EmailId, created_at: i64) -> Self {
        Self {
            client_id: self.client_id.clone(),
            sent_as: self.sent_as,
            ..Self::new(version, created_at)
        }
    }

    /// The row of a version that was sent. What belonged to the draft is of no use any more, so this one fits always.
    pub(crate) fn sent(&self, version: EmailId, sent_as: SentAs) -> Self {
        Self {
            sent: Some(version),
            sent_as: Some(sent_as),
            ..self.renewed(version, self.created_at)
        }
    }

    /// What is left of the row when there is no draft any more; `None`: nothing.
    pub(crate) fn remembered(&self, now_ms: i64) -> Option<Self> {
        self.sent_as(now_ms).map(|sent_as| Self {
            cleared: true,
            ..self.sent(self.sent.unwrap_or(self.version), sent_as)
        })
    }

    /// What it went out as, if that is still known.
    pub(crate) fn sent_as(&self, now_ms: i64) -> Option<SentAs> {
        self.sent_as.filter(|sent_as| sent_as.until > now_ms)
    }

    /// The row of a draft that was refused. Of a row that an older server filled up, the labels go first: the message has
    /// them too, unless a mail program took them from it.
    pub(crate) fn refused(&self, reason: &str) -> Result<Self, DraftError> {
        let row = |reason: String| Self {
            failed: Some(reason),
            ..self.clone()
        };
        let full = row(reason.chars().take(MAX_REASON_CHARS).collect());
        if full.write().is_ok() {
            return Ok(full);
        }
        let short = Self {
            labels: Vec::new(),
            ..full
        };
        short.write()?;
        Ok(short)
    }

    /// When it is to be looked at.
    pub(crate) fn due_at(&self) -> Option<i64> {
        match (self.sent, self.sent_as) {
            (Some(_), Some(sent_as)) if self.cleared => Some(sent_as.until),
            (Some(_), _) => Some(0),
            (None, _) => {
                let at = self.send_at.filter(|_| self.failed.is_none())?;
                Some(self.retry_at.map_or(at, |retry| at.max(retry)))
            }
        }
    }

    /// Whether a version was sent whose message may still be in Drafts.
    pub(crate) fn is_to_be_cleared(&self) -> bool {
        self.sent.is_some() && !self.cleared
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

    /// That a draft with this row may be written: what becomes of it later has to fit as well.
    pub(crate) fn check_room(&self) -> Result<(), DraftError> {
        match self.write()?.len() <= MAX_VALUE_OCTETS - SPARE_OCTETS {
            true => Ok(()),
            false => Err(too_long()),
        }
    }

    pub(crate) fn is_longer_than(&self, stored: &Stored) -> bool {
        self.write().map_or(true, |value| value.len() > stored.value.len())
    }

    pub(crate) fn write(&self) -> Result<Value, DraftError> {
        let mut value = vec![FORMAT];
        serde_json::to_writer(&mut value, self).map_err(|_| DraftError::from(corrupt()))?;
        if value.len() > MAX_VALUE_OCTETS {
            return Err(too_long());
        }
        Ok(value)
    }
}

fn too_long() -> DraftError {
    DraftError::Invalid("the labels of a draft are too long".into())
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
mod tests;
