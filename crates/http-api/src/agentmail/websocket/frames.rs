//! What goes over the WebSocket, events apart.

use crate::agentmail::failure::Failure;
use crate::agentmail::wire::parse;
use crate::subscriber::Wanted;
use postroom_feed::Cursor;
use serde::{Deserialize, Serialize};

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Subscribe {
    #[serde(skip_serializing)]
    #[serde(default)]
    r#type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox_ids: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod_ids: Option<Vec<String>>,
    /// Beyond the contract: what happened after this event is told first.
    #[serde(skip_serializing)]
    #[serde(default)]
    last_event_id: Option<String>,
}

impl Subscribe {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let frame: Self = parse(text.as_bytes())?;
        match frame.r#type.as_str() {
            "subscribe" => Ok(frame),
            other => Err(Failure::field("type", format!("{other:?} is not a type of frame"))),
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            event_types: self.event_types.clone().unwrap_or_default(),
            pod_ids: self.pod_ids.clone().unwrap_or_default(),
            inbox_ids: self.inbox_ids.clone().unwrap_or_default(),
        }
    }

    /// The last event that the client has seen.
    pub(super) fn after(&self) -> Result<Option<Cursor>, Failure> {
        let Some(id) = &self.last_event_id else { return Ok(None) };
        let cursor = id.strip_prefix("evt_").unwrap_or(id).parse();
        cursor
            .map(Some)
            .map_err(|_| Failure::field("last_event_id", "last_event_id is not the id of an event"))
    }

    /// The answer, with the same fields.
    pub(super) fn subscribed(&self) -> String {
        let mut frame = serde_json::to_value(self).unwrap_or_default();
        frame["type"] = "subscribed".into();
        frame.to_string()
    }
}

/// A frame for what went wrong.
pub(super) fn error(failure: &Failure) -> String {
    let mut frame = serde_json::to_value(&failure.body).unwrap_or_default();
    frame["type"] = "error".into();
    frame.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn subscriptions_are_told_back() {
        let check = |frame: Value, expected: Value| {
            let frame = Subscribe::parse(&frame.to_string()).expect("a frame");
            let answer: Value = serde_json::from_str(&frame.subscribed()).expect("JSON");
            assert_eq!(answer, expected);
        };
        check(json!({"type": "subscribe"}), json!({"type": "subscribed"}));
        check(
            json!({"type": "subscribe", "inbox_ids": ["a@b.c"], "event_types": null, "x": 1}),
            json!({"type": "subscribed", "inbox_ids": ["a@b.c"]}),
        );
        for bad in [
            "",
            "[]",
            "{}",
            "{\"type\":\"subscribed\"}",
            "{\"type\":\"subscribe\",\"pod_ids\":\"x\"}",
        ] {
            assert!(Subscribe::parse(bad).is_err(), "{bad}");
        }
        let after = |id: &str| Subscribe::parse(&json!({"type": "subscribe", "last_event_id": id}).to_string());
        let zero = "00000000000000000000";
        assert_eq!(
            after(&format!("evt_{zero}")).expect("a frame").after().expect("an id"),
            Some(Cursor::START)
        );
        assert!(after("evt_x").expect("a frame").after().is_err());
    }

    #[test]
    fn errors_have_a_name_and_a_message() {
        let frame: Value = serde_json::from_str(&error(&Failure::not_found())).expect("JSON");
        assert_eq!(frame["type"], "error");
        assert_eq!(
            (frame["name"].as_str(), frame["message"].as_str()),
            (Some("NotFoundError"), Some("Not found"))
        );
    }
}
