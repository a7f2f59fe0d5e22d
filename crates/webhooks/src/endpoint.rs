//! One request to one endpoint.

use crate::bodies::Render;
use crate::hub::Hub;
use crate::model::Webhook;
use crate::sign;
use crate::subscription::Placed;
use crate::{Webhooks, worker::MAX_FAILURE_OCTETS};
use bytes::Bytes;
use postroom_outgoing_http::{Bounds, OutgoingError};

/// Octets read of an answer, so that the connection can be used again; nobody looks at them.
const ANSWER_OCTETS: usize = 64 << 10;

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The endpoint has it.
    Taken { status: u16 },
    /// It does not, or does not say so.
    Failed { status: Option<u16>, why: String },
    /// What the event tells of is gone.
    Nothing,
    /// The event cannot be told at the moment; nothing was sent.
    Later,
}

impl Webhooks {
    /// Posts an event.
    pub(crate) async fn post(&self, webhook: &Webhook, hub: &Hub, render: &dyn Render, placed: &Placed) -> Outcome {
        let body = match hub.body(render, placed).await {
            Ok(Some(body)) => body,
            Ok(None) => return Outcome::Nothing,
            Err(error) => {
                tracing::warn!(webhook = %webhook.id, reason = %error, "an event has to wait");
                return Outcome::Later;
            }
        };
        let outcome = match self.send(webhook, placed, body).await {
            Ok(status @ 200..=299) => Outcome::Taken { status },
            Ok(status) => Outcome::Failed {
                status: Some(status),
                why: format!("answered {status}"),
            },
            Err(error) => Outcome::Failed {
                status: None,
                why: shortened(&error.to_string()),
            },
        };
        let event = placed.event.cursor;
        match &outcome {
            Outcome::Taken { status } => tracing::debug!(webhook = %webhook.id, %event, code = status, "event taken"),
            Outcome::Failed { why, .. } => {
                tracing::info!(webhook = %webhook.id, %event, reason = why, "event not taken");
            }
            Outcome::Nothing | Outcome::Later => {}
        }
        outcome
    }

    async fn send(&self, webhook: &Webhook, placed: &Placed, body: Bytes) -> Result<u16, OutgoingError> {
        // Checked again: what is allowed may have changed since it was made.
        let target = self.http.target(&webhook.url)?;
        let id = sign::message_id(webhook.id, placed.event.cursor);
        let seconds = self.now().div_euclid(1000);
        let mut fields = sign::fields(webhook.secret.expose(), &id, seconds, &body);
        fields.push(("content-type".into(), "application/json".into()));
        fields.extend(webhook.headers.iter().cloned());
        let bounds = Bounds {
            deadline: self.options.deadline,
            answer_octets: ANSWER_OCTETS,
        };
        Ok(self.http.post(&target, &fields, body, bounds).await?.status)
    }
}

fn shortened(why: &str) -> String {
    let clean: String = why.chars().filter(|c| !c.is_control()).collect();
    clean[..clean.floor_char_boundary(MAX_FAILURE_OCTETS)].to_owned()
}
