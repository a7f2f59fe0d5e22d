//! What requests about subscriptions carry (inkbox.md §10), and whether it may be.

use super::failure::{Answer, Failure};
use super::wire::given;
use postroom_webhooks::{Dialect, EventType};
use serde::{Deserialize, Serialize};

/// Longest token for an endpoint.
const MAX_TOKEN_OCTETS: usize = 1000;

/// A wanted subscription.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateBody {
    pub(super) url: String,
    pub(super) event_types: Vec<String>,
    pub(super) agent_identity_id: Option<String>,
    pub(super) mailbox_id: Option<String>,
    pub(super) phone_number_id: Option<String>,
    pub(super) auth_token: Option<String>,
    pub(super) context_config: Option<ContextConfig>,
}

/// What to change: what is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateBody {
    #[serde(default, deserialize_with = "given")]
    pub(super) url: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) event_types: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) auth_token: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) context_config: Option<Option<ContextConfig>>,
}

/// How much of earlier messages the maker wants to be told; it is kept and shown.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContextConfig {
    pub(super) email: Option<Context>,
    pub(super) texts: Option<Context>,
    pub(super) calls: Option<Context>,
}

/// By how many they are, or by how old; exactly what the mode says.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Context {
    mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<u8>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Count,
    Window,
}

impl ContextConfig {
    /// As it is kept; 422 for numbers out of bounds.
    pub(super) fn text(&self) -> Answer<String> {
        for context in [&self.email, &self.texts, &self.calls].into_iter().flatten() {
            let good = match (context.mode, context.count, context.hours) {
                (Mode::Count, Some(count), None) => (1..=50).contains(&count),
                (Mode::Window, None, Some(hours)) => (1..=168).contains(&hours),
                (Mode::Count | Mode::Window, _, _) => false,
            };
            if !good {
                let text = "mode is count with a count of 1 to 50, or window with hours of 1 to 168";
                return Err(Failure::field("context_config", text));
            }
        }
        serde_json::to_string(self).map_err(|_| Failure::internal())
    }
}

/// By its name.
pub(super) fn event_type(name: &str) -> Answer<EventType> {
    let found = EventType::parse(Dialect::Inkbox, name);
    found.map_err(|_| Failure::field("event_types", format!("{name:?} is not an event type of mail")))
}

pub(super) fn event_types(names: &[String]) -> Answer<Vec<EventType>> {
    let mut types = Vec::with_capacity(names.len().min(EventType::ALL.len()));
    for name in names {
        let event_type = event_type(name)?;
        if types.contains(&event_type) {
            return Err(Failure::field("event_types", format!("{name} is there twice")));
        }
        types.push(event_type);
    }
    if types.is_empty() {
        return Err(Failure::field("event_types", "event_types needs at least one"));
    }
    Ok(types)
}

/// What stands in a header field as it is (RFC 6750 §2.1 allows less; what people have is longer).
pub(super) fn check_token(token: Option<&str>) -> Answer<()> {
    let good = |token: &str| {
        (1..=MAX_TOKEN_OCTETS).contains(&token.len()) && token.bytes().all(|octet| octet.is_ascii_graphic())
    };
    if token.is_some_and(|token| !good(token)) {
        let text = "auth_token is 1 to 1,000 visible ASCII characters";
        return Err(Failure::field("auth_token", text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inkbox::wire::parse;
    use serde_json::{Value, json};

    #[test]
    fn contexts_are_checked_and_filled_up() {
        let text = |config: Value| parse::<ContextConfig>(config.to_string().as_bytes())?.text();
        let kept = text(json!({ "email": { "mode": "count", "count": 5 } })).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&kept).unwrap(),
            json!({ "email": { "mode": "count", "count": 5 }, "texts": null, "calls": null })
        );
        assert!(text(json!({ "calls": { "mode": "window", "hours": 168 } })).is_ok());
        for bad in [
            json!({ "email": { "mode": "count", "count": 0 } }),
            json!({ "email": { "mode": "count", "count": 51 } }),
            json!({ "email": { "mode": "window", "hours": 169 } }),
            json!({ "email": { "mode": "count", "hours": 5 } }),
            json!({ "email": { "mode": "count", "count": 5, "hours": 5 } }),
            json!({ "email": { "mode": "count" } }),
            json!({ "email": { "mode": "all" } }),
            json!({ "email": { "count": 5 } }),
            json!({ "email": ["count", 5] }),
            json!({ "email": 5 }),
            json!({ "mail": null }),
        ] {
            let failure = text(bad.clone()).expect_err("refused");
            assert_eq!(failure.status.as_u16(), 422, "{bad}");
        }
    }

    #[test]
    fn tokens_stand_in_a_header() {
        for (token, good) in [
            ("abc", true),
            ("a+/=._~-", true),
            ("", false),
            ("a b", false),
            ("a\r\nb", false),
            ("ü", false),
        ] {
            assert_eq!(check_token(Some(token)).is_ok(), good, "{token:?}");
        }
        assert!(check_token(Some(&"x".repeat(1001))).is_err() && check_token(None).is_ok());
    }
}
