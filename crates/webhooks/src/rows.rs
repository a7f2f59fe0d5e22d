//! What is stored: a format byte, then JSON. New fields get a default, so that older rows stay readable.

use crate::dialect::Dialect;
use crate::event_type::EventType;
use crate::model::{Attempt, Webhook, WebhookId};
use crate::subscription::{LabelRights, Scope};
use postroom_feed::Cursor;
use postroom_store::{StoreError, Value};
use postroom_types::{OrganizationId, Secret};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::str::FromStr;

const FORMAT: u8 = 1;

#[derive(Serialize, Deserialize)]
struct WebhookRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pods: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inboxes: Vec<String>,
    url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_types: Vec<String>,
    secret: String,
    enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    created_at: i64,
    updated_at: i64,
    start: String,
    /// `None`: that of rows from before there were others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dialect: Option<String>,
    /// The labels that hide messages which its maker may see all the same. Of those from before that was kept: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sees: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
}

/// The row of a webhook, without its header fields.
pub(crate) fn write_webhook(webhook: &Webhook) -> Value {
    encode(&WebhookRow {
        pod: webhook.scope.pod.map(|id| id.to_string()),
        inbox: webhook.scope.inbox.map(|id| id.to_string()),
        pods: texts(&webhook.pods),
        inboxes: texts(&webhook.inboxes),
        url: webhook.url.clone(),
        event_types: texts(&webhook.event_types),
        secret: webhook.secret.expose().clone(),
        enabled: webhook.enabled,
        client_id: webhook.client_id.clone(),
        created_at: webhook.created_at,
        updated_at: webhook.updated_at,
        start: webhook.start.to_string(),
        dialect: Some(webhook.dialect.to_string()).filter(|_| webhook.dialect != Dialect::default()),
        sees: seen(webhook.rights),
        context: webhook.context.clone(),
    })
}

/// The names of the rights.
fn seen(rights: LabelRights) -> Vec<String> {
    let named = [
        (rights.spam, "spam"),
        (rights.trash, "trash"),
        (rights.blocked, "blocked"),
        (rights.unauthenticated, "unauthenticated"),
    ];
    let held = named.into_iter().filter(|(held, _)| *held);
    held.map(|(_, name)| name.to_owned()).collect()
}

fn rights(names: &[String]) -> LabelRights {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    LabelRights {
        spam: has("spam"),
        trash: has("trash"),
        blocked: has("blocked"),
        unauthenticated: has("unauthenticated"),
    }
}

/// A webhook from its row and that of its header fields.
pub(crate) fn read_webhook(
    organization: OrganizationId,
    id: WebhookId,
    row: &[u8],
    headers: Option<&[u8]>,
) -> Result<Webhook, StoreError> {
    let row: WebhookRow = decode(row)?;
    let scope = Scope {
        organization,
        pod: row.pod.as_deref().map(parse).transpose()?,
        inbox: row.inbox.as_deref().map(parse).transpose()?,
    };
    Ok(Webhook {
        id,
        scope,
        pods: parse_all(&row.pods)?,
        inboxes: parse_all(&row.inboxes)?,
        url: row.url,
        event_types: parse_all::<EventType>(&row.event_types)?,
        headers: headers.map(read_headers).transpose()?.unwrap_or_default(),
        secret: Secret::new(row.secret),
        enabled: row.enabled,
        client_id: row.client_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
        start: parse(&row.start)?,
        dialect: row.dialect.as_deref().map(parse).transpose()?.unwrap_or_default(),
        rights: rights(&row.sees),
        context: row.context,
    })
}

/// How far a webhook has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The start of the webhook it belongs to: after a pause it begins anew.
    pub(crate) start: Cursor,
    /// Every event up to here was delivered, or has a row that says when it is tried again, or was none of its business.
    pub(crate) cursor: Cursor,
    /// Since when every attempt failed.
    pub(crate) failing_since: Option<i64>,
    /// The last attempts, oldest first.
    pub(crate) attempts: VecDeque<Attempt>,
}

impl Progress {
    pub(crate) fn begin(start: Cursor) -> Self {
        Self {
            start,
            cursor: start,
            failing_since: None,
            attempts: VecDeque::new(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct ProgressRow {
    start: String,
    cursor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<i64>,
    #[serde(default)]
    attempts: VecDeque<AttemptRow>,
}

#[derive(Serialize, Deserialize)]
struct AttemptRow {
    at: i64,
    event: String,
    number: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

pub(crate) fn write_progress(progress: &Progress) -> Value {
    let attempts = progress.attempts.iter().map(|attempt| AttemptRow {
        at: attempt.at,
        event: attempt.event.to_string(),
        number: attempt.number,
        status: attempt.status,
        failure: attempt.failure.clone(),
    });
    encode(&ProgressRow {
        start: progress.start.to_string(),
        cursor: progress.cursor.to_string(),
        failing_since: progress.failing_since,
        attempts: attempts.collect(),
    })
}

pub(crate) fn read_progress(row: &[u8]) -> Result<Progress, StoreError> {
    let row: ProgressRow = decode(row)?;
    let attempts = row.attempts.into_iter().map(|attempt| {
        Ok(Attempt {
            at: attempt.at,
            event: parse(&attempt.event)?,
            number: attempt.number,
            status: attempt.status,
            failure: attempt.failure,
        })
    });
    Ok(Progress {
        start: parse(&row.start)?,
        cursor: parse(&row.cursor)?,
        failing_since: row.failing_since,
        attempts: attempts.collect::<Result<_, StoreError>>()?,
    })
}

pub(crate) fn write_headers(headers: &[(String, String)]) -> Value {
    encode(&headers)
}

pub(crate) fn read_headers(row: &[u8]) -> Result<Vec<(String, String)>, StoreError> {
    decode(row)
}

/// How many attempts were made for an event so far.
pub(crate) fn write_retry(attempts: u8) -> Value {
    vec![FORMAT, attempts]
}

pub(crate) fn read_retry(row: &[u8]) -> Result<u8, StoreError> {
    match row {
        [FORMAT, attempts] => Ok(*attempts),
        _ => Err(corrupt()),
    }
}

pub(crate) fn write_id(id: WebhookId) -> Value {
    [&[FORMAT][..], id.as_bytes()].concat()
}

pub(crate) fn read_id(row: &[u8]) -> Result<WebhookId, StoreError> {
    let id = row.strip_prefix(&[FORMAT]).and_then(|id| id.try_into().ok());
    id.map(WebhookId::from_bytes).ok_or_else(corrupt)
}

pub(crate) fn encode(row: &impl Serialize) -> Value {
    let mut value = vec![FORMAT];
    serde_json::to_writer(&mut value, row).expect("texts and numbers are JSON");
    value
}

pub(crate) fn decode<T: DeserializeOwned>(row: &[u8]) -> Result<T, StoreError> {
    let json = row.strip_prefix(&[FORMAT]).ok_or_else(corrupt)?;
    serde_json::from_slice(json).map_err(|_| corrupt())
}

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

pub(crate) fn parse<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| corrupt())
}

fn parse_all<T: FromStr>(texts: &[String]) -> Result<Vec<T>, StoreError> {
    texts.iter().map(|text| parse(text)).collect()
}

pub(crate) fn corrupt() -> StoreError {
    StoreError::Corrupt("a row of a webhook does not decode".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_store::MAX_VALUE_OCTETS;
    use postroom_types::{InboxId, Lsn, PodId};

    #[test]
    fn rows_from_before_there_were_dialects_are_read() {
        let json = r#"{"url":"https://example.org/","event_types":["message.received.spam"],"secret":"whsec_AA==",
            "enabled":true,"created_at":1,"updated_at":2,"start":"00000000000000000000"}"#;
        let row = [&[FORMAT], json.as_bytes()].concat();
        let (organization, id) = (OrganizationId::from_bytes([1; 16]), WebhookId::from_bytes([2; 16]));
        let webhook = read_webhook(organization, id, &row, None).expect("a webhook");
        assert_eq!(
            (webhook.dialect, webhook.rights),
            (Dialect::AgentMail, LabelRights::default())
        );
        // Whoever named a type of hidden mail was allowed to.
        let rights = webhook.subscription().rights;
        assert!(rights.spam && !rights.trash && !rights.blocked);
    }

    #[test]
    fn the_longest_rows_fit_and_are_read_back() {
        let organization = OrganizationId::from_bytes([1; 16]);
        let cursor = Cursor {
            lsn: Lsn(u64::MAX),
            index: u16::MAX,
        };
        let webhook = Webhook {
            id: WebhookId::from_bytes([2; 16]),
            scope: Scope {
                organization,
                pod: Some(PodId::from_bytes([3; 16])),
                inbox: Some(InboxId::from_bytes([4; 16])),
            },
            pods: vec![PodId::from_bytes([5; 16]); 10],
            inboxes: vec![InboxId::from_bytes([6; 16]); 10],
            url: "x".repeat(crate::check::MAX_URL_OCTETS),
            event_types: EventType::ALL.to_vec(),
            headers: vec![("X-One".into(), "1".into())],
            secret: Secret::new(crate::sign::new_secret()),
            enabled: true,
            client_id: Some("c".repeat(256)),
            dialect: Dialect::MyAgentMail,
            rights: LabelRights::ALL,
            context: None,
            created_at: i64::MAX,
            updated_at: i64::MAX,
            start: cursor,
        };
        let (row, headers) = (write_webhook(&webhook), write_headers(&webhook.headers));
        assert!(row.len() <= MAX_VALUE_OCTETS, "{}", row.len());
        let read = read_webhook(organization, webhook.id, &row, Some(&headers));
        assert_eq!(read.expect("a webhook"), webhook);
        let attempt = Attempt {
            at: i64::MAX,
            event: cursor,
            number: u8::MAX,
            status: Some(599),
            failure: Some("\"".repeat(crate::worker::MAX_FAILURE_OCTETS)),
        };
        let progress = Progress {
            start: cursor,
            cursor,
            failing_since: Some(i64::MAX),
            attempts: vec![attempt; crate::worker::ATTEMPTS_KEPT].into(),
        };
        let row = write_progress(&progress);
        assert!(row.len() <= MAX_VALUE_OCTETS, "{}", row.len());
        assert_eq!(read_progress(&row).expect("progress"), progress);
        assert_eq!(read_retry(&write_retry(7)).expect("a retry"), 7);
    }
}
