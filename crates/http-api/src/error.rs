//! What went wrong, and its status and code. One place, no `_` arm: a new error asks for its code at compile time.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postroom_identity::IdentityError;
use postroom_mailstore::MailError;
use serde_json::{Value, json};

/// Everything a request can fail with.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// No key, or one that opens nothing.
    Unauthorized,
    /// A key too narrow for the route.
    Forbidden,
    /// No such object, as far as this key can see.
    NotFound,
    /// No such route.
    NoRoute,
    /// The route does not know this method.
    Method,
    /// The request breaks a rule; the text says which.
    Invalid(String),
    /// The body is over the limit.
    TooLarge,
    /// The request did not come in time.
    Timeout,
    /// Neither the name nor any that might be tried instead is free.
    UsernameTaken {
        requested: String,
        attempted: String,
        domain: String,
    },
    /// A part of the contract that this server does not have.
    NotSupported(&'static str),
    /// A fault of ours; the cause is in the log.
    Internal,
    Identity(IdentityError),
    Mail(MailError),
}

/// Shorthand for rules that a request breaks.
pub(crate) fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::Invalid(text.into())
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

impl From<MailError> for ApiError {
    fn from(error: MailError) -> Self {
        Self::Mail(error)
    }
}

/// Status, code, and text for the user.
type Shown = (StatusCode, &'static str, String);

impl ApiError {
    fn shown(&self) -> Shown {
        match self {
            Self::Unauthorized => shown(
                StatusCode::UNAUTHORIZED,
                "UNAUTHORIZED",
                "a valid API key is needed in X-API-Key or Authorization: Bearer",
            ),
            Self::Forbidden => shown(StatusCode::FORBIDDEN, "FORBIDDEN", "this key may not do that"),
            Self::NotFound => shown(StatusCode::NOT_FOUND, "NOT_FOUND", "not found"),
            Self::NoRoute => shown(StatusCode::NOT_FOUND, "NOT_FOUND", "no such route"),
            Self::Method => shown(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "this route does not take that method",
            ),
            Self::Invalid(text) => shown(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", text),
            Self::TooLarge => shown(
                StatusCode::PAYLOAD_TOO_LARGE,
                "PAYLOAD_TOO_LARGE",
                "the body is too large",
            ),
            Self::Timeout => shown(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", "the request took too long"),
            Self::UsernameTaken { requested, domain, .. } => (
                StatusCode::CONFLICT,
                "USERNAME_TAKEN",
                format!("{requested}@{domain} is taken"),
            ),
            Self::NotSupported(what) => (
                StatusCode::NOT_IMPLEMENTED,
                "NOT_SUPPORTED",
                format!("this server does not support {what}"),
            ),
            Self::Internal => shown(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal error"),
            Self::Identity(error) => identity_shown(error),
            Self::Mail(error) => mail_shown(error),
        }
    }

    fn body(&self, code: &str, text: String) -> Value {
        let mut body = json!({ "error": text, "code": code });
        if let Self::UsernameTaken {
            requested,
            attempted,
            domain,
        } = self
        {
            body["requestedUsername"] = requested.as_str().into();
            body["attemptedUsername"] = attempted.as_str().into();
            body["domain"] = domain.as_str().into();
        }
        body
    }
}

fn shown(status: StatusCode, code: &'static str, text: impl Into<String>) -> Shown {
    (status, code, text.into())
}

fn identity_shown(error: &IdentityError) -> Shown {
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
        | IdentityError::NoSuchAddress => (StatusCode::NOT_FOUND, "NOT_FOUND", text),
        IdentityError::AddressTaken => (StatusCode::CONFLICT, "ADDRESS_TAKEN", text),
        IdentityError::CanonicalAddress => (StatusCode::CONFLICT, "CANONICAL_ADDRESS", text),
        IdentityError::SlugTaken => (StatusCode::CONFLICT, "SLUG_TAKEN", text),
        IdentityError::TooMany(_) => (StatusCode::CONFLICT, "LIMIT_REACHED", text),
        IdentityError::Full => full(),
        IdentityError::Busy | IdentityError::Store(_) => unavailable(error),
        IdentityError::Mail(error) => mail_shown(error),
    }
}

fn mail_shown(error: &MailError) -> Shown {
    match error {
        MailError::NoSuchMailbox | MailError::NoSuchInbox(_) => shown(StatusCode::NOT_FOUND, "NOT_FOUND", "not found"),
        MailError::AlreadyExists | MailError::Cannot(_) | MailError::HasChildren => {
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

fn full() -> Shown {
    shown(
        StatusCode::INSUFFICIENT_STORAGE,
        "STORAGE_FULL",
        "the server is out of space",
    )
}

fn unavailable(cause: &dyn std::error::Error) -> Shown {
    tracing::warn!(reason = %cause, code = 503, "request failed");
    shown(
        StatusCode::SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "not possible at the moment, try again",
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, text) = self.shown();
        let mut response = (status, Json(self.body(code, text))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
