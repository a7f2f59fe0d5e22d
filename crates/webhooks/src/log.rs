//! The log of attempts: a row for each, and the bodies that were sent.

use crate::endpoint::Outcome;
use crate::event_type::EventType;
use crate::keys::{self, Name};
use crate::model::Delivery;
use crate::rows::{corrupt, decode, encode, parse};
use crate::{WebhookError, Webhooks};
use bytes::Bytes;
use postroom_feed::Cursor;
use postroom_identity::IdentityError;
use postroom_store::{BlobPut, CommitBuilder, MAX_VALUE_OCTETS, StoreError, Value};
use postroom_types::{BlobId, DeliveryId, InboxId};
use serde::{Deserialize, Serialize};

/// Longest body that is kept.
pub(crate) const MAX_PAYLOAD_OCTETS: usize = 96 << 10;
/// Longest one that stands in its row.
const MAX_INLINE_OCTETS: usize = 3500;
/// Characters kept of an answer.
const MAX_RESPONSE_CHARS: usize = 1000;

const FORMAT: u8 = 1;
const INLINE: u8 = 0;
const BLOB: u8 = 1;

/// An attempt to be logged.
pub(crate) struct Logged {
    pub(crate) id: DeliveryId,
    pub(crate) event: Cursor,
    pub(crate) event_type: EventType,
    pub(crate) url: String,
    pub(crate) payload: Bytes,
    pub(crate) response: Option<String>,
    pub(crate) outcome: Outcome,
    pub(crate) milliseconds: u64,
    pub(crate) is_replay: bool,
}

#[derive(Serialize, Deserialize)]
struct DeliveryRow {
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox: Option<String>,
    event: String,
    event_type: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    milliseconds: u64,
    #[serde(default)]
    replay: bool,
}

/// The beginning of an answer's body, as it is kept.
pub(crate) fn response_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_RESPONSE_CHARS)]);
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MAX_RESPONSE_CHARS).collect()
}

impl Logged {
    /// The row of an attempt that ended at `at`.
    pub(crate) fn write(&self, inbox: Option<InboxId>, at: i64) -> Value {
        let (status, failure) = match &self.outcome {
            Outcome::Taken { status } => (Some(*status), None),
            Outcome::Failed { status, why } => (*status, Some(why.clone())),
            Outcome::Nothing | Outcome::Later => (None, None),
        };
        let mut row = DeliveryRow {
            at,
            inbox: inbox.map(|inbox| inbox.to_string()),
            event: self.event.to_string(),
            event_type: self.event_type.to_string(),
            url: self.url.clone(),
            status,
            response: self.response.clone(),
            failure,
            milliseconds: self.milliseconds,
            replay: self.is_replay,
        };
        loop {
            let value = encode(&row);
            match &mut row.response {
                // It is what gives way to a long URL.
                Some(response) if value.len() > MAX_VALUE_OCTETS && !response.is_empty() => {
                    response.truncate(response.floor_char_boundary(response.len() / 2));
                }
                _ => return value,
            }
        }
    }

    /// Adds the row of the attempt to a commit.
    pub(crate) fn add_attempt(&self, builder: &mut CommitBuilder, name: Name, inbox: Option<InboxId>, at: i64) {
        builder.put(keys::delivery(name, self.id), self.write(inbox, at));
    }

    /// Adds what was sent to a commit.
    pub(crate) fn add_payload(&self, builder: &mut CommitBuilder, name: Name, at: i64) {
        if self.payload.len() > MAX_PAYLOAD_OCTETS {
            return;
        }
        let key = keys::payload(name, self.event);
        let mut value = vec![FORMAT];
        value.extend(at.to_be_bytes());
        if self.payload.len() <= MAX_INLINE_OCTETS {
            value.push(INLINE);
            value.extend(&self.payload);
        } else {
            let id = BlobId::new();
            value.push(BLOB);
            value.extend(id.0);
            builder.blob(BlobPut {
                id,
                bytes: self.payload.clone(),
                witness: key.clone(),
                adopt: false,
            });
        }
        builder.put(key, value);
    }
}

/// Takes the bodies that stand in blobs out of a commit, and leaves the attempts; whether there were any.
pub(crate) fn drop_bodies(builder: &mut CommitBuilder) -> bool {
    let mut commit = std::mem::take(builder).build();
    let bodies = std::mem::take(&mut commit.blobs);
    commit
        .puts
        .retain(|put| bodies.iter().all(|body| body.witness != put.key));
    *builder = CommitBuilder::from_commit(commit);
    !bodies.is_empty()
}

/// An attempt from its row, without what is not in it.
pub(crate) fn read(name: Name, id: DeliveryId, row: &[u8]) -> Result<Delivery, StoreError> {
    let row: DeliveryRow = decode(row)?;
    Ok(Delivery {
        id,
        webhook: name.1,
        inbox: row.inbox.as_deref().map(parse).transpose()?,
        event: parse(&row.event)?,
        event_type: parse(&row.event_type)?,
        url: row.url,
        payload: None,
        status: row.status,
        response: row.response,
        failure: row.failure,
        milliseconds: row.milliseconds,
        is_replay: row.replay,
        at: row.at,
        final_because: None,
    })
}

/// When the attempt of a row ended.
pub(crate) fn read_at(row: &[u8]) -> Result<i64, StoreError> {
    Ok(decode::<DeliveryRow>(row)?.at)
}

/// When a body of a row was sent.
pub(crate) fn read_payload_at(row: &[u8]) -> Result<i64, StoreError> {
    Ok(read_payload(row)?.0)
}

/// A body as its row has it.
enum Payload {
    Inline(Bytes),
    Blob(BlobId),
}

fn read_payload(row: &[u8]) -> Result<(i64, Payload), StoreError> {
    let rest = row.strip_prefix(&[FORMAT]).ok_or_else(corrupt)?;
    let (at, rest) = rest.split_first_chunk::<8>().ok_or_else(corrupt)?;
    let payload = match rest.split_first() {
        Some((&INLINE, body)) => Payload::Inline(Bytes::copy_from_slice(body)),
        Some((&BLOB, id)) => Payload::Blob(BlobId(id.try_into().map_err(|_| corrupt())?)),
        _ => return Err(corrupt()),
    };
    Ok((i64::from_be_bytes(*at), payload))
}

impl Webhooks {
    /// The body that a webhook sent of an event, if it is kept.
    pub(crate) async fn payload(&self, name: Name, event: Cursor) -> Result<Option<Bytes>, StoreError> {
        let Some(row) = self.store.get(&keys::payload(name, event)).await? else {
            return Ok(None);
        };
        match read_payload(&row)?.1 {
            Payload::Inline(body) => Ok(Some(body)),
            Payload::Blob(id) => self.store.blob(id, 0..u64::MAX).await,
        }
    }
}

pub(crate) fn unavailable(error: IdentityError) -> WebhookError {
    StoreError::Unavailable(error.to_string().into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WebhookId;
    use postroom_types::{Lsn, OrganizationId};

    fn logged(url: &str, response: &str) -> Logged {
        Logged {
            id: DeliveryId::new(),
            event: Cursor { lsn: Lsn(7), index: 1 },
            event_type: EventType::MessageForwarded,
            url: url.to_owned(),
            payload: Bytes::from_static(b"{}"),
            response: Some(response.to_owned()),
            outcome: Outcome::Failed {
                status: Some(503),
                why: "answered 503".into(),
            },
            milliseconds: 12,
            is_replay: true,
        }
    }

    #[test]
    fn rows_fit_and_are_read_back() {
        let name = (OrganizationId::from_bytes([1; 16]), WebhookId::from_bytes([2; 16]));
        let inbox = Some(InboxId::from_bytes([3; 16]));
        for (url, response) in [
            ("https://example.org/".to_owned(), "no".to_owned()),
            (
                "\"".repeat(crate::check::MAX_URL_OCTETS),
                "é\"".repeat(MAX_RESPONSE_CHARS / 2),
            ),
        ] {
            let logged = logged(&url, &response);
            let row = logged.write(inbox, 5);
            assert!(row.len() <= MAX_VALUE_OCTETS, "{}", row.len());
            let read = read(name, logged.id, &row).expect("a row");
            assert_eq!(
                (read.url, read.inbox, read.at, read.event),
                (url, inbox, 5, logged.event)
            );
            assert_eq!((read.status, read.event_type), (Some(503), EventType::MessageForwarded));
            assert!(response.starts_with(&read.response.expect("an answer")) && read.is_replay);
        }
    }

    #[test]
    fn answers_are_cut_and_clean() {
        assert_eq!(response_text(b"a\r\nb\0c"), "a  b c");
        assert_eq!(response_text(&[b'x'; 70_000]).len(), MAX_RESPONSE_CHARS);
        assert_eq!(
            response_text("é".repeat(5000).as_bytes()).chars().count(),
            MAX_RESPONSE_CHARS
        );
        assert_eq!(response_text(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
