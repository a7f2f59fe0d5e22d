//! What became of a message, recipient by recipient and attempt by attempt.

use super::Result;
use super::api::Api;
use super::show::{copy, one_line, printable};
use serde_json::Value;

/// Prints an answer that has `recipients` with their `attempts`.
pub(super) fn print(api: &Api, answer: &Value) -> Result<()> {
    let text = match api.json {
        true => format!("{answer}\n"),
        false => told(answer),
    };
    copy(text.as_bytes())
}

fn told(answer: &Value) -> String {
    let mut text = String::new();
    for recipient in items(&answer["recipients"]) {
        let number = printable(&recipient["recipient"]);
        let head = words(recipient, &["address", "state"]);
        let next = match recipient["nextAttemptAt"].as_str() {
            Some(time) => format!(", next attempt {time}"),
            None => String::new(),
        };
        text.push_str(&format!("{number}  {head}{next}\n"));
        let attempts = items(&recipient["attempts"]);
        for attempt in attempts {
            let line = words(
                attempt,
                &[
                    "startedAt",
                    "outcome",
                    "host",
                    "address",
                    "tls",
                    "code",
                    "status",
                    "reason",
                ],
            );
            text.push_str(&format!("   {line}\n"));
        }
        // Why it waits though nobody refused it: on hold, or never tried.
        if attempts.is_empty() && recipient["reason"].is_string() {
            text.push_str(&format!("   {}\n", words(recipient, &["reason"])));
        }
        for report in items(&recipient["reports"]) {
            let line = words(report, &["receivedAt", "kind", "status", "diagnostic"]);
            text.push_str(&format!("   {line}\n"));
        }
    }
    match text.is_empty() {
        true => "no recipients: it was never sent, or too long ago\n".to_owned(),
        false => text,
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The fields that say something, side by side.
fn words(of: &Value, fields: &[&str]) -> String {
    let values = fields.iter().map(|field| one_line(&printable(&of[*field])));
    values.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_history_reads_from_top_to_bottom() {
        let answer = json!({ "recipients": [
            { "recipient": 0, "address": "a@b", "state": "queued", "nextAttemptAt": "T2", "reason": "busy", "reports": [],
              "attempts": [{ "startedAt": "T1", "outcome": "deferred", "host": "mx.b", "address": "192.0.2.1:25",
                             "tls": null, "code": 451, "status": "4.7.1", "reason": "busy\u{1b}[31m" }] },
            { "recipient": 1, "address": "c@d", "state": "on-hold", "nextAttemptAt": null, "reason": "loop",
              "attempts": [], "reports": [{ "receivedAt": "T3", "kind": "failed", "status": "5.1.1" }] },
        ]});
        let expected = "0  a@b  queued, next attempt T2\n   \
                        T1  deferred  mx.b  192.0.2.1:25  451  4.7.1  busy [31m\n\
                        1  c@d  on-hold\n   loop\n   T3  failed  5.1.1\n";
        assert_eq!(told(&answer), expected);
        assert!(told(&json!({ "recipients": [] })).starts_with("no recipients"));
    }
}
