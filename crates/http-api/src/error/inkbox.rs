//! Errors in the Inkbox dialect (inkbox.md §2 "Errors"): 422 for what breaks a rule, and words that the vendor's client
//! makes exceptions of its own from.

use super::ApiError;
use crate::inkbox::failure::Failure;
use crate::inkbox::room::Full;
use axum::http::StatusCode;
use postroom_identity::IdentityError;
use postroom_intake::SubmitError;
use postroom_mailstore::MailError;

impl ApiError {
    pub(crate) fn for_inkbox(&self) -> Failure {
        let (status, code, text) = self.shown();
        let general = || {
            let status = match status {
                StatusCode::BAD_REQUEST => StatusCode::UNPROCESSABLE_ENTITY,
                status => status,
            };
            if status == StatusCode::NOT_FOUND {
                // In the same words, whatever is not there, or not for this key to see.
                return Failure::not_found();
            }
            let failure = Failure::new(status, &code.to_ascii_lowercase(), text.clone());
            match self.retry_after_seconds(status) {
                Some(seconds) => failure.retry_after(seconds),
                None => failure,
            }
        };
        match self {
            Self::BeingSent => Failure::conflict("draft_send_in_progress", text),
            Self::StaleDraft => Failure::conflict("draft_generation_conflict", text),
            Self::Mail(MailError::OverQuota(_)) => Failure::storage_limit(Full::Mailbox),
            Self::Identity(error) => identity(error).unwrap_or_else(general),
            Self::Submit(SubmitError::Identity(error)) => identity(error).unwrap_or_else(general),
            Self::Submit(SubmitError::DailyLimit { .. }) => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let failure = Failure::new(status, "rate_limited", text);
                match self.retry_after_seconds(status) {
                    Some(seconds) => failure.retry_after(seconds),
                    None => failure,
                }
            }
            Self::Submit(error) => submit(error).unwrap_or_else(general),
            _ => general(),
        }
    }
}

/// What the vendor's client makes exceptions of its own from.
fn identity(error: &IdentityError) -> Option<Failure> {
    let text = error.to_string();
    Some(match error {
        IdentityError::HandleTaken(namespace) => {
            Failure::conflict("agent_handle_unavailable", text).with("blocking_namespace", namespace.as_str())
        }
        IdentityError::RedundantGrant => Failure::conflict("redundant_grant", text.clone()).with("detail", text),
        IdentityError::RuleExists(id) => {
            Failure::conflict("contact_rule_exists", text).with("existing_rule_id", id.to_string())
        }
        IdentityError::NoSuchPod => Failure::not_found(),
        IdentityError::TooMany(_) => Failure::conflict("limit_reached", text),
        _ => return None,
    })
}

fn submit(error: &SubmitError) -> Option<Failure> {
    let text = error.to_string();
    Some(match error {
        SubmitError::Rejected { recipient, why, rule } => {
            let failure = Failure::new(StatusCode::FORBIDDEN, "recipient_blocked", text.clone());
            let rule = rule.map_or(serde_json::Value::Null, |rule| rule.to_string().into());
            failure
                .with("address", recipient.to_string())
                .with("reason", why.as_str())
                .with("matched_rule_id", rule)
        }
        SubmitError::KeyReused => Failure::conflict("idempotency_key_reused", text),
        SubmitError::KeyInUse => Failure::conflict("idempotency_in_progress", text).retry_after(1),
        SubmitError::SendPaused => Failure::new(StatusCode::FORBIDDEN, "identity_paused", text),
        SubmitError::StorageLimit => Failure::storage_limit(Full::Organization),
        SubmitError::OverQuota | SubmitError::Mail(MailError::OverQuota(_)) => Failure::storage_limit(Full::Mailbox),
        _ => return None,
    })
}
