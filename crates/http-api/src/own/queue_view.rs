//! Recipients and their histories as our own routes show them.

use crate::model::time;
use postroom_message::ReportKind;
use postroom_queue::{Attempt, AttemptOutcome, ItemState, LaterReport, RecipientStatus};
use postroom_types::ReversePath;
use serde_json::{Value, json};

/// The states and their names, as they are shown and asked for.
const STATES: [(ItemState, &str); 8] = [
    (ItemState::Queued, "queued"),
    (ItemState::Attempting, "attempting"),
    (ItemState::OnHold, "on-hold"),
    (ItemState::Delivered, "delivered"),
    (ItemState::Bounced, "bounced"),
    (ItemState::Expired, "expired"),
    (ItemState::Cancelled, "cancelled"),
    (ItemState::Held, "held"),
];

pub(super) fn state_named(name: &str) -> Option<ItemState> {
    STATES.iter().find(|(_, own)| *own == name).map(|(state, _)| *state)
}

pub(super) fn state_names() -> Vec<&'static str> {
    STATES.iter().map(|(_, name)| *name).collect()
}

fn state_name(state: ItemState) -> &'static str {
    let found = STATES.iter().find(|(own, _)| *own == state);
    found.map_or("unknown", |(_, name)| name)
}

/// One recipient: where it stands and why.
pub(super) fn recipient(status: &RecipientStatus) -> Value {
    json!({
        "message": status.id.message.to_string(),
        "recipient": status.id.recipient,
        "address": status.address.to_string(),
        "inbox": status.sender.map(|inbox| inbox.to_string()),
        "reversePath": path(&status.reverse_path),
        "sizeBytes": status.size_octets,
        "state": state_name(status.state),
        "final": status.state.is_final(),
        "createdAt": time(status.created_at),
        "changedAt": time(status.changed_at),
        "nextAttemptAt": status.next_attempt.map(time),
        "attempts": status.attempts,
        "code": Some(status.reason.code).filter(|code| *code != 0),
        "status": filled(&status.reason.status),
        "reason": filled(&status.reason.text),
        "host": filled(&status.contact.host),
        "reports": status.reports.iter().map(report).collect::<Vec<_>>(),
    })
}

/// One recipient with every attempt, as a trace shows it.
pub(super) fn traced(status: &RecipientStatus, attempts: &[Attempt]) -> Value {
    let mut view = recipient(status);
    view["attempts"] = attempts.iter().map(attempt).collect();
    view
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "startedAt": time(attempt.started_at),
        "endedAt": attempt.ended_at.map(time),
        "host": filled(&attempt.contact.host),
        "address": filled(&attempt.contact.address),
        "tls": filled(&attempt.contact.tls),
        "outcome": match attempt.outcome {
            AttemptOutcome::Open => "open",
            AttemptOutcome::Delivered => "delivered",
            AttemptOutcome::Deferred => "deferred",
            AttemptOutcome::Bounced => "bounced",
            AttemptOutcome::Uncertain => "uncertain",
        },
        "code": Some(attempt.reason.code).filter(|code| *code != 0),
        "status": filled(&attempt.reason.status),
        "reason": filled(&attempt.reason.text),
    })
}

fn report(report: &LaterReport) -> Value {
    json!({
        "kind": match report.kind {
            ReportKind::Failed => "failed",
            ReportKind::Delayed => "delayed",
            ReportKind::Delivered => "delivered",
            ReportKind::Relayed => "relayed",
            ReportKind::Expanded => "expanded",
            ReportKind::Complaint => "complaint",
        },
        "receivedAt": time(report.received_at),
        "status": filled(&report.status),
        "diagnostic": filled(&report.diagnostic),
    })
}

/// A reverse-path; the null one is an empty text.
pub(super) fn path(path: &ReversePath) -> String {
    match path {
        ReversePath::Null => String::new(),
        ReversePath::Mailbox(address) => address.to_string(),
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_name() {
        for (state, name) in STATES {
            assert_eq!((state_name(state), state_named(name)), (name, Some(state)));
        }
        assert_eq!(state_named("Queued"), None);
    }
}
