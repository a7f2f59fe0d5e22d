//! One request to one endpoint.

use crate::bodies::Render;
use crate::dialect::Dialect;
use crate::event_type::EventType;
use crate::hub::Hub;
use crate::log::{self, Logged};
use crate::model::Webhook;
use crate::sign;
use crate::subscription::Placed;
use crate::{Webhooks, worker::MAX_FAILURE_OCTETS};
use bytes::Bytes;
use postroom_feed::Cursor;
use postroom_outgoing_http::{Answer, Bounds};
use postroom_types::DeliveryId;
use tokio::time::Instant;

/// Octets read of an answer, so that the connection can be used again; of most dialects nobody looks at them.
const ANSWER_OCTETS: usize = 64 << 10;

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The endpoint has it.
    Taken { status: u16 },
    /// It does not, or does not say so.
    Failed { status: Option<u16>, why: String },
    /// What the event tells of is gone, or hidden by now.
    Nothing,
    /// The event cannot be told at the moment; nothing was sent.
    Later,
}

/// What came of an attempt, and what is to be logged of it.
pub(crate) struct Posted {
    pub(crate) outcome: Outcome,
    pub(crate) logged: Option<Logged>,
}

impl Posted {
    /// Without a request.
    pub(crate) const fn nothing_sent(outcome: Outcome) -> Self {
        Self { outcome, logged: None }
    }
}

impl Webhooks {
    /// Posts an event; what was posted before is posted as it was.
    pub(crate) async fn post(
        &self,
        webhook: &Webhook,
        hub: &Hub,
        render: &dyn Render,
        placed: &Placed,
        again: bool,
    ) -> Posted {
        let event = placed.event.cursor;
        let rights = webhook.subscription().rights;
        let mut body = match hub.body(render, webhook.dialect, placed, rights).await {
            Ok(Some(body)) => body,
            Ok(None) => return Posted::nothing_sent(Outcome::Nothing),
            Err(error) => {
                tracing::warn!(webhook = %webhook.id, reason = %error, "an event has to wait");
                return Posted::nothing_sent(Outcome::Later);
            }
        };
        let Some(event_type) = EventType::told(webhook.dialect, &placed.event) else {
            return Posted::nothing_sent(Outcome::Nothing);
        };
        if again && webhook.dialect.is_logged() {
            match self.payload((webhook.scope.organization, webhook.id), event).await {
                Ok(Some(sent)) => body = sent,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(webhook = %webhook.id, reason = %error, "an event has to wait");
                    return Posted::nothing_sent(Outcome::Later);
                }
            }
        }
        self.request(webhook, event, event_type, body).await
    }

    /// Posts a body about an event.
    pub(crate) async fn request(&self, webhook: &Webhook, event: Cursor, event_type: EventType, body: Bytes) -> Posted {
        let id = DeliveryId::new();
        let fields = match self.fields(webhook, event, id, &body).await {
            Ok(fields) => fields,
            Err(reason) => {
                tracing::warn!(webhook = %webhook.id, reason, "an event cannot be signed");
                return Posted::nothing_sent(Outcome::Later);
            }
        };
        let began = Instant::now();
        let answer = self.exchange(webhook, &fields, body.clone()).await;
        let outcome = match &answer {
            Ok(answer) if answer.is_success() => Outcome::Taken { status: answer.status },
            Ok(answer) => Outcome::Failed {
                status: Some(answer.status),
                why: format!("answered {}", answer.status),
            },
            Err(why) => Outcome::Failed {
                status: None,
                why: why.clone(),
            },
        };
        match &outcome {
            Outcome::Taken { status } => tracing::debug!(webhook = %webhook.id, %event, code = status, "event taken"),
            Outcome::Failed { why, .. } => {
                tracing::info!(webhook = %webhook.id, %event, reason = why, "event not taken");
            }
            Outcome::Nothing | Outcome::Later => {}
        }
        let logged = webhook.dialect.is_logged().then(|| Logged {
            id,
            event,
            event_type,
            url: webhook.url.clone(),
            payload: body,
            response: answer.ok().map(|answer| log::response_text(&answer.body)),
            outcome: outcome.clone(),
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            is_replay: false,
        });
        Posted { outcome, logged }
    }

    /// The header fields of a request.
    async fn fields(
        &self,
        webhook: &Webhook,
        event: Cursor,
        id: DeliveryId,
        body: &[u8],
    ) -> Result<Vec<(String, String)>, String> {
        let seconds = self.now().div_euclid(1000);
        let secret = webhook.secret.expose();
        let mut fields = match webhook.dialect {
            Dialect::AgentMail => sign::fields(secret, &sign::message_id(webhook.id, event), seconds, body),
            Dialect::MyAgentMail => {
                sign::myagentmail_fields(secret, &sign::message_id(webhook.id, event), seconds, body)
            }
            Dialect::Inkbox => {
                let inbox = webhook.scope.inbox.ok_or("it belongs to no inbox")?;
                let key = self.identity.signing_key(inbox).await;
                let key = key
                    .map_err(|error| error.to_string())?
                    .ok_or("the identity has no key")?;
                sign::inkbox_fields(key.secret.expose(), &id.to_string(), seconds, body)
            }
        };
        fields.push(("content-type".into(), "application/json".into()));
        fields.extend(webhook.headers.iter().cloned());
        Ok(fields)
    }

    async fn exchange(&self, webhook: &Webhook, fields: &[(String, String)], body: Bytes) -> Result<Answer, String> {
        // Checked again: what is allowed may have changed since it was made.
        let target = self
            .http
            .target(&webhook.url)
            .map_err(|error| shortened(&error.to_string()))?;
        let bounds = Bounds {
            deadline: self.options.deadline,
            answer_octets: ANSWER_OCTETS,
        };
        let answer = self.http.post(&target, fields, body, bounds).await;
        answer.map_err(|error| shortened(&error.to_string()))
    }
}

fn shortened(why: &str) -> String {
    let clean: String = why.chars().filter(|c| !c.is_control()).collect();
    clean[..clean.floor_char_boundary(MAX_FAILURE_OCTETS)].to_owned()
}
