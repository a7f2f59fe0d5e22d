//! Status, code and text for what those below could not do; the causes that are ours go to the log.

use super::{Shown, shown};
use axum::http::StatusCode;
use postroom_identity::IdentityError;
use postroom_intake::SubmitError;
use postroom_mailstore::MailError;
use postroom_queue::QueueError;
use postroom_webhooks::WebhookError;

pub(super) fn identity(error: &IdentityError) -> Shown {
    let text = error.to_string();
    match error {
        IdentityError::Invalid(_) => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR", text),
        IdentityError::Reserved => (StatusCode::BAD_REQUEST, "USERNAME_RESERVED", text),
        IdentityError::DomainNotAvailable => (StatusCode::BAD_REQUEST, "DOMAIN_NOT_AVAILABLE", text),
        IdentityError::PlanLimit => (StatusCode::FORBIDDEN, "PLAN_LIMIT_REACHED", text),
        IdentityError::NoSuchPod => (StatusCode::NOT_FOUND, "WORKSPACE_NOT_FOUND", "no such workspace".into()),
        IdentityError::NoSuchOrganization
        | IdentityError::NoSuchInbox
        | IdentityError::NoSuchKey
        | IdentityError::NoSuchDomain
        | IdentityError::NoSuchAddress
        | IdentityError::NoSuchIdentity
        | IdentityError::NoSuchGrant
        | IdentityError::NoSuchRule
        | IdentityError::NoSuchEntry => (StatusCode::NOT_FOUND, "NOT_FOUND", text),
        IdentityError::Escalation
        | IdentityError::UnrestrictedKeyRequired
        | IdentityError::OutlivesMaker
        | IdentityError::TooManyAttempts => (StatusCode::FORBIDDEN, "FORBIDDEN", text),
        IdentityError::CannotDelete(_)
        | IdentityError::ClientIdTaken
        | IdentityError::HumanTaken
        | IdentityError::AlreadyVerified => (StatusCode::CONFLICT, "CONFLICT", text),
        IdentityError::HandleTaken(_) => (StatusCode::CONFLICT, "AGENT_HANDLE_UNAVAILABLE", text),
        IdentityError::HasIdentity => (StatusCode::CONFLICT, "IDENTITY_EXISTS", text),
        IdentityError::RedundantGrant => (StatusCode::CONFLICT, "REDUNDANT_GRANT", text),
        IdentityError::AlreadyGranted => (StatusCode::CONFLICT, "ALREADY_GRANTED", text),
        IdentityError::RuleExists(_) => (StatusCode::CONFLICT, "CONTACT_RULE_EXISTS", text),
        IdentityError::AddressTaken => (StatusCode::CONFLICT, "ADDRESS_TAKEN", text),
        IdentityError::DomainTaken => (StatusCode::CONFLICT, "DOMAIN_TAKEN", text),
        IdentityError::DomainInUse(_) => (StatusCode::CONFLICT, "DOMAIN_IN_USE", text),
        IdentityError::CanonicalAddress => (StatusCode::CONFLICT, "CANONICAL_ADDRESS", text),
        IdentityError::SlugTaken => (StatusCode::CONFLICT, "SLUG_TAKEN", text),
        IdentityError::TooMany(_) => (StatusCode::CONFLICT, "LIMIT_REACHED", text),
        IdentityError::Full => full(),
        IdentityError::Busy | IdentityError::Keys(_) | IdentityError::NoAnswer | IdentityError::Store(_) => {
            unavailable(error)
        }
        IdentityError::Mail(error) => mail(error),
    }
}

pub(super) fn mail(error: &MailError) -> Shown {
    match error {
        MailError::NoSuchMailbox | MailError::NoSuchMessage | MailError::NoSuchInbox(_) => {
            shown(StatusCode::NOT_FOUND, "NOT_FOUND", "not found")
        }
        MailError::AlreadyExists | MailError::Cannot(_) | MailError::SpecialUse | MailError::HasChildren => {
            shown(StatusCode::CONFLICT, "CONFLICT", error.to_string())
        }
        MailError::OverQuota(_) => shown(StatusCode::INSUFFICIENT_STORAGE, "OVER_QUOTA", "the inbox is full"),
        MailError::TooBig => shown(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PAYLOAD_TOO_LARGE",
            "the message is too large",
        ),
        MailError::Limit(_) => shown(StatusCode::CONFLICT, "LIMIT_REACHED", error.to_string()),
        MailError::Full => full(),
        MailError::Unavailable | MailError::Conflict(_) | MailError::Store(_) => unavailable(error),
    }
}

pub(super) fn submit(error: &SubmitError) -> Shown {
    let text = error.to_string();
    match error {
        // The sender is the inbox's primary address, so it was taken from the inbox while this request ran.
        SubmitError::SenderNotYours(_) | SubmitError::NoFrom => (StatusCode::FORBIDDEN, "FORBIDDEN", text),
        SubmitError::SendPaused => (StatusCode::FORBIDDEN, "SENDING_PAUSED", text),
        SubmitError::Suspended => (StatusCode::FORBIDDEN, "ORGANIZATION_SUSPENDED", text),
        // Over the plan (myagentmail.md §7); the other dialects have words of their own.
        SubmitError::StorageLimit | SubmitError::DailyLimit { .. } => {
            (StatusCode::FORBIDDEN, "PLAN_LIMIT_REACHED", text)
        }
        SubmitError::NoSuchRecipient(_) => (StatusCode::BAD_REQUEST, "NO_SUCH_RECIPIENT", text),
        SubmitError::Rejected { .. } => (StatusCode::FORBIDDEN, "MESSAGE_REJECTED", text),
        SubmitError::NoRecipients | SubmitError::TooManyRecipients | SubmitError::Malformed(_) => {
            (StatusCode::BAD_REQUEST, "VALIDATION_ERROR", text)
        }
        SubmitError::Loop { .. } => (StatusCode::BAD_REQUEST, "MAIL_LOOP", text),
        SubmitError::TooBig { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", text),
        SubmitError::KeyReused => (StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED", text),
        SubmitError::KeyInUse => (StatusCode::CONFLICT, "IDEMPOTENCY_KEY_IN_USE", text),
        SubmitError::OverQuota => shown(StatusCode::INSUFFICIENT_STORAGE, "OVER_QUOTA", "the inbox is full"),
        SubmitError::Full => full(),
        SubmitError::Unavailable | SubmitError::Conflict => unavailable(error),
        SubmitError::Mail(error) => mail(error),
        SubmitError::Identity(error) => identity(error),
        SubmitError::Queue(error) => queue(error),
    }
}

pub(super) fn webhook(error: &WebhookError) -> Shown {
    match error {
        WebhookError::NoSuchWebhook | WebhookError::NoSuchDelivery => {
            shown(StatusCode::NOT_FOUND, "NOT_FOUND", error.to_string())
        }
        WebhookError::Invalid { .. } => shown(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", error.to_string()),
        WebhookError::TooMany(_) => shown(StatusCode::CONFLICT, "LIMIT_REACHED", error.to_string()),
        WebhookError::NotReplayable(_) => shown(StatusCode::CONFLICT, "CONFLICT", error.to_string()),
        WebhookError::Full => full(),
        WebhookError::Busy | WebhookError::Store(_) => unavailable(error),
    }
}

pub(super) fn queue(error: &QueueError) -> Shown {
    match error {
        QueueError::Invalid(_) => internal(error),
        QueueError::Full => full(),
        QueueError::LeaseLost | QueueError::Withdrawn | QueueError::Busy | QueueError::Store(_) => unavailable(error),
    }
}

fn internal(cause: &dyn std::fmt::Display) -> Shown {
    tracing::error!(reason = %cause, code = 500, "request failed");
    shown(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal error")
}

fn full() -> Shown {
    shown(
        StatusCode::INSUFFICIENT_STORAGE,
        "STORAGE_FULL",
        "the server is out of space",
    )
}

pub(super) fn unavailable(cause: &dyn std::fmt::Display) -> Shown {
    tracing::warn!(reason = %cause, code = 503, "request failed");
    shown(
        StatusCode::SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "not possible at the moment, try again",
    )
}
