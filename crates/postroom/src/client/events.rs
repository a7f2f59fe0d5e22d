//! `postroom events …`
//!
//! What always holds: each event is printed once, in order, also when the connection or the server breaks off meanwhile;
//! the cursor moves past an event when it is printed.

use super::Result;
use super::api::Api;
use super::call::Call;
use super::failure::Failure;
use super::place::Place;
use super::show::{self, items, one_line, printable};
use super::stream::{Frame, Frames};
use crate::cli::client::{EventsVerb, Heard};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// Before a broken connection is made again, at first and at most.
const PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(15);

pub(super) async fn events(api: &Api, verb: &EventsVerb) -> Result<()> {
    match verb {
        EventsVerb::Ls { heard, after, limit } => ls(api, heard, after.as_deref(), *limit).await,
        EventsVerb::Tail { heard, after, count } => {
            let mut tail = Tail {
                api,
                heard,
                after: Some(after.clone()).filter(|after| after != "start"),
                left: count.unwrap_or(u64::MAX),
                connected: false,
            };
            tokio::select! {
                ended = tail.run() => ended,
                // Who has seen enough says so.
                stopped = tokio::signal::ctrl_c() => Ok(stopped?),
            }
        }
    }
}

async fn ls(api: &Api, heard: &Heard, after: Option<&str>, limit: u32) -> Result<()> {
    let answer = call(heard, after).asks("limit", [limit]).answer(api).await?;
    if api.json {
        return show::copy(format!("{answer}\n").as_bytes());
    }
    for event in items(&answer["events"]) {
        show::copy(format!("{}\n", told(event)).as_bytes())?;
    }
    if let (Some(true), Some(next)) = (answer["more"].as_bool(), answer["next"].as_str()) {
        eprintln!("postroom: there is more: --after {next}");
    }
    Ok(())
}

fn call<'a>(heard: &Heard, after: Option<&str>) -> Call<'a> {
    Call::get(Place::own(&["events"]))
        .asks("after", after)
        .asks("event_types", &heard.kind)
        .asks("pod_id", &heard.pod)
        .asks("inbox_id", &heard.inbox)
}

/// Somebody who listens.
struct Tail<'a> {
    api: &'a Api,
    heard: &'a Heard,
    /// The cursor of what was printed last; `None`: all that is kept.
    after: Option<String>,
    /// How many are still to be printed.
    left: u64,
    /// The server answered since the last pause.
    connected: bool,
}

impl Tail<'_> {
    /// Until enough was printed, or something is wrong that does not pass.
    async fn run(&mut self) -> Result<()> {
        let mut pause = PAUSE;
        let mut ever = false;
        while self.left > 0 {
            self.connected = false;
            let broken = match self.follow().await {
                Ok(()) => None,
                Err(failure) if failure.is_passing() && (ever || self.connected) => Some(failure),
                Err(failure) => return Err(failure),
            };
            if self.left == 0 {
                break;
            }
            if self.connected {
                (ever, pause) = (true, PAUSE);
                let why = broken.map_or_else(|| "it was ended".to_owned(), |failure| failure.to_string());
                eprintln!("postroom: the connection broke, trying again: {why}");
            }
            tokio::time::sleep(pause).await;
            pause = MAX_PAUSE.min(pause * 2);
        }
        Ok(())
    }

    /// One connection, until it ends.
    async fn follow(&mut self) -> Result<()> {
        let target = call(self.heard, self.after.as_deref()).target(&[])?;
        let request = self.api.request(Method::GET, &target);
        let request = request.header("Accept", "text/event-stream");
        let mut response = self.api.answered(request).await?;
        self.connected = true;
        let mut frames = Frames::default();
        while let Some(piece) = response.chunk().await? {
            for frame in frames.push(&piece)? {
                self.take(frame)?;
                if self.left == 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame) -> Result<()> {
        if frame.event == "gone" {
            return Err(Failure::failed(
                "events after this cursor are no longer kept: read everything anew, and go on with --after now",
            ));
        }
        if let Some(data) = frame.data {
            let line = match self.api.json {
                true => one_line(&data),
                false => told(&serde_json::from_str(&data).unwrap_or(Value::Null)),
            };
            show::copy(format!("{line}\n").as_bytes())?;
            self.left -= 1;
        }
        if frame.id.is_some() {
            self.after = frame.id;
        }
        Ok(())
    }
}

/// What events are about, by the name of their field.
const ABOUT: [&str; 7] = ["message", "send", "delivery", "bounce", "complaint", "reject", "domain"];

/// An event on one line: when, what, where, who, and what it was about.
fn told(event: &Value) -> String {
    let about = ABOUT.iter().map(|name| &event[*name]).find(|about| about.is_object());
    let about = about.unwrap_or(&Value::Null);
    let addresses = items(&about["recipients"]).iter().map(|one| match &one["address"] {
        Value::Null => printable(one),
        address => printable(address),
    });
    let recipients = addresses.collect::<Vec<_>>().join(", ");
    let field = |name: &str| printable(&about[name]);
    let words = [
        field("timestamp"),
        printable(&event["event_type"]),
        field("inbox_id"),
        field("from"),
        recipients,
        field("subject"),
        field("reason"),
        field("domain"),
        printable(&event["event_id"]),
    ];
    let words = words.iter().map(|word| one_line(word)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_has_one_line() {
        for (event, expected) in [
            (
                json!({ "event_type": "message.received", "event_id": "evt_1", "message": { "timestamp": "T", "inbox_id": "a@b",
                        "from": "Z <z@y>", "subject": "one\ntwo\u{1b}[31m" }, "thread": { "subject": "x" } }),
                "T  message.received  a@b  Z <z@y>  one two [31m  evt_1",
            ),
            (
                json!({ "event_type": "message.bounced", "event_id": "evt_2",
                        "bounce": { "timestamp": "T", "inbox_id": "a@b", "recipients": [{ "address": "c@d", "status": "5.1.1" }] } }),
                "T  message.bounced  a@b  c@d  evt_2",
            ),
            (
                json!({ "event_type": "message.sent", "event_id": "evt_3", "send": { "recipients": ["c@d", "e@f"] } }),
                "message.sent  c@d, e@f  evt_3",
            ),
            (
                json!({ "event_type": "domain.verified", "event_id": "evt_4", "domain": { "domain": "x.example" } }),
                "domain.verified  x.example  evt_4",
            ),
            (Value::Null, ""),
        ] {
            assert_eq!(told(&event), expected, "{event}");
        }
    }
}
