//! Codes of the AgentMail dialect that say more than the status (agentmail.md §4).

use super::{Shown, shown};
use axum::http::StatusCode;
use postroom_identity::IdentityError;
use postroom_intake::SubmitError;

/// The code of a status, where nothing more is known.
pub(super) fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "validation_error",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "timeout",
        409 => "conflict",
        413 => "payload_too_large",
        422 => "unprocessable",
        426 => "validation_error",
        429 => "rate_limit_exceeded",
        501 => "not_supported",
        503 | 507 => "service_unavailable",
        _ => "internal_error",
    }
}

/// What the dialect tells differently.
pub(super) fn identity(error: &IdentityError) -> Option<Shown> {
    let text = error.to_string();
    Some(match error {
        IdentityError::DomainNotAvailable => (StatusCode::FORBIDDEN, "domain_not_verified", text),
        IdentityError::PlanLimit | IdentityError::TooMany(_) => (StatusCode::FORBIDDEN, "limit_exceeded", text),
        IdentityError::AddressTaken | IdentityError::DomainTaken => (StatusCode::FORBIDDEN, "resource_taken", text),
        IdentityError::SlugTaken => (StatusCode::FORBIDDEN, "already_exists", text),
        IdentityError::DomainInUse(_) => (StatusCode::CONFLICT, "cannot_delete", text),
        IdentityError::Escalation | IdentityError::OutlivesMaker => {
            (StatusCode::FORBIDDEN, "permission_escalation", text)
        }
        IdentityError::UnrestrictedKeyRequired => (StatusCode::FORBIDDEN, "unrestricted_key_required", text),
        IdentityError::TooManyAttempts => (StatusCode::FORBIDDEN, "limit_exceeded", text),
        IdentityError::CannotDelete(_) => (StatusCode::CONFLICT, "cannot_delete", text),
        // In the same words as what is not for the key to see.
        IdentityError::NoSuchPod | IdentityError::NoSuchInbox => shown(StatusCode::NOT_FOUND, "not_found", "Not found"),
        _ => return None,
    })
}

/// What the dialect tells differently.
pub(super) fn submit(error: &SubmitError) -> Option<Shown> {
    let text = error.to_string();
    Some(match error {
        SubmitError::Identity(error) => return identity(error),
        SubmitError::Suspended => (StatusCode::FORBIDDEN, "organization_suspended", text),
        SubmitError::StorageLimit => (StatusCode::FORBIDDEN, "limit_exceeded", text),
        SubmitError::DailyLimit { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", text),
        SubmitError::SendPaused => (StatusCode::FORBIDDEN, "inbox_paused", text),
        SubmitError::NoRecipients => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", text),
        SubmitError::Loop { .. } | SubmitError::NoSuchRecipient(_) | SubmitError::Rejected { .. } => {
            (StatusCode::FORBIDDEN, "message_rejected", text)
        }
        SubmitError::KeyReused | SubmitError::KeyInUse => (StatusCode::CONFLICT, "conflict", text),
        _ => return None,
    })
}
