//! What a webhook is.

use crate::dialect::Dialect;
use crate::event_type::EventType;
use crate::subscription::{LabelRights, Scope, Subscription};
use bytes::Bytes;
use postroom_feed::Cursor;
use postroom_types::{DeliveryId, InboxId, PodId, Secret};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A webhook's name: shown as `ep_` and 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId(Uuid);

impl WebhookId {
    /// A new one; later ones sort after earlier ones.
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The UUID that some dialects show instead.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The webhook that such a dialect calls so.
    ///
    /// # Errors
    /// [`WebhookIdError`].
    pub fn parse_uuid(text: &str) -> Result<Self, WebhookIdError> {
        Uuid::parse_str(text).map(Self).map_err(|_| WebhookIdError)
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ep_{}", self.0.simple())
    }
}

/// The text names no webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook id")]
pub struct WebhookIdError;

impl FromStr for WebhookId {
    type Err = WebhookIdError;

    fn from_str(text: &str) -> Result<Self, WebhookIdError> {
        let digits = text.strip_prefix("ep_").filter(|digits| digits.len() == 32);
        let id = digits.and_then(|digits| Uuid::parse_str(digits).ok()).map(Self);
        // One text for one id.
        id.filter(|id| id.to_string() == text).ok_or(WebhookIdError)
    }
}

/// A URL to which events are posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name.
    pub id: WebhookId,
    /// With which API it was made, and so how events are told.
    pub dialect: Dialect,
    /// What it belongs to.
    pub scope: Scope,
    /// It only hears of these pods; with `inboxes` empty too, of the whole scope.
    pub pods: Vec<PodId>,
    /// And of these inboxes.
    pub inboxes: Vec<InboxId>,
    /// Where to.
    pub url: String,
    /// What it hears of; empty: all standard types.
    pub event_types: Vec<EventType>,
    /// Further header fields of each request.
    pub headers: Vec<(String, String)>,
    /// Of AgentMail `whsec_` and the key of the signatures in base64, of MyAgentMail the key itself; empty of Inkbox, where
    /// it is the identity that has one.
    pub secret: Secret<String>,
    /// Which hidden messages its maker may see.
    pub rights: LabelRights,
    /// What its maker wants to have kept with it: JSON.
    pub context: Option<String>,
    /// Whether events are sent. Those that happen while they are not are never sent.
    pub enabled: bool,
    /// What its maker calls it.
    pub client_id: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub updated_at: i64,
    /// It hears of what happens after this.
    pub(crate) start: Cursor,
}

impl Webhook {
    /// Whether it hears of certain pods or inboxes alone.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        !self.pods.is_empty() || !self.inboxes.is_empty()
    }

    /// Whether the endpoint is shown credentials.
    #[must_use]
    pub fn has_auth_token(&self) -> bool {
        self.headers
            .iter()
            .any(|(field, _)| field.eq_ignore_ascii_case("authorization"))
    }

    /// What it hears of. That types of hidden messages were permitted was checked when they were asked for.
    #[must_use]
    pub fn subscription(&self) -> Subscription {
        Subscription {
            dialect: self.dialect,
            scope: self.scope,
            pods: self.pods.clone(),
            inboxes: self.inboxes.clone(),
            event_types: self.event_types.clone(),
            rights: self.rights.and_for(&self.event_types),
        }
    }
}

/// A webhook to be made.
#[derive(Clone, Debug, Default)]
pub struct WebhookWish {
    /// With which API it is made.
    pub dialect: Dialect,
    /// Where to: `http` or `https`.
    pub url: String,
    /// What of; empty: all standard types.
    pub event_types: Vec<EventType>,
    /// Of which pods; at most 10.
    pub pods: Vec<PodId>,
    /// Of which inboxes; at most 10.
    pub inboxes: Vec<InboxId>,
    /// Further header fields of each request.
    pub headers: Vec<(String, String)>,
    /// What its maker calls it: asking again makes no second one.
    pub client_id: Option<String>,
    /// Which hidden messages its maker may see.
    pub rights: LabelRights,
    /// What its maker wants to have kept with it: JSON, at most 1,000 octets.
    pub context: Option<String>,
    /// What the endpoint is shown as a bearer token.
    pub auth_token: Option<String>,
    /// How many there may be of this scope and dialect with it; `None`: as many as the organization may have.
    pub most: Option<usize>,
}

/// What to change about a webhook.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// Replaces the types; empty changes nothing.
    pub event_types: Vec<EventType>,
    /// Pods to hear of.
    pub add_pods: Vec<PodId>,
    /// Pods to hear of no more.
    pub remove_pods: Vec<PodId>,
    /// Inboxes to hear of.
    pub add_inboxes: Vec<InboxId>,
    /// Inboxes to hear of no more.
    pub remove_inboxes: Vec<InboxId>,
    /// Whether events are sent.
    pub enabled: Option<bool>,
    /// Where to.
    pub url: Option<String>,
    /// `Some(None)` takes it away.
    pub context: Option<Option<String>>,
    /// What the endpoint is shown as a bearer token; `Some(None)` takes it away.
    pub auth_token: Option<Option<String>>,
}

/// Some webhooks.
#[derive(Clone, Debug, Default)]
pub struct WebhookPage {
    /// They.
    pub webhooks: Vec<Webhook>,
    /// Where to go on; `None` at the end.
    pub next: Option<WebhookId>,
}

/// One request that was made for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended, in milliseconds since 1970.
    pub at: i64,
    /// For which event.
    pub event: Cursor,
    /// The how-manieth for this event, from 1.
    pub number: u8,
    /// What the endpoint answered, if it did.
    pub status: Option<u16>,
    /// Why it did not, or why that is no success.
    pub failure: Option<String>,
}

/// An attempt that was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its name; also that of the request.
    pub id: DeliveryId,
    /// Whose webhook it was.
    pub webhook: WebhookId,
    /// The inbox that the webhook belonged to.
    pub inbox: Option<InboxId>,
    /// What it told of.
    pub event: Cursor,
    /// What that is called.
    pub event_type: EventType,
    /// Where to.
    pub url: String,
    /// The body as it was sent; `None` if it was too long to be kept, or is kept no longer.
    pub payload: Option<Bytes>,
    /// What the endpoint answered, if it did.
    pub status: Option<u16>,
    /// The beginning of the answer's body, without control characters.
    pub response: Option<String>,
    /// Why there was no answer, or why that is no success.
    pub failure: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
    /// Whether somebody asked for it.
    pub is_replay: bool,
    /// When it ended, in milliseconds since 1970.
    pub at: i64,
    /// Why it cannot be sent again; `None` if it can.
    pub final_because: Option<&'static str>,
}

impl Delivery {
    /// Whether the endpoint took it.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        let id = WebhookId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in ["", "ep_", "ep_0", "polling", "EP_00000000000000000000000000000000"] {
            assert_eq!(other.parse::<WebhookId>(), Err(WebhookIdError), "{other:?}");
        }
        let upper = format!("ep_{}", id.to_string()[3..].to_uppercase());
        assert!(upper == id.to_string() || upper.parse::<WebhookId>().is_err());
    }
}
