//! What went wrong, and its status and code. One place, no `_` arm: a new error asks for its code at compile time.

mod agentmail;
mod below;
mod inkbox;

use crate::agentmail::own_message_id;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postroom_drafts::DraftError;
use postroom_feed::FeedError;
use postroom_identity::{IdentityError, Permission};
use postroom_intake::SubmitError;
use postroom_mailstore::MailError;
use postroom_message::ComposeError;
use postroom_queue::QueueError;
use postroom_types::EmailAddress;
use postroom_types::EmailId;
use postroom_webhooks::WebhookError;
use serde_json::{Value, json};

/// Everything a request can fail with.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// No key, or one that opens nothing.
    Unauthorized,
    /// A key too narrow for the route.
    Forbidden,
    /// A key without this permission.
    MissingPermission(Permission),
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
    /// Somebody who never wrote to the inbox, and the request does not say that this is meant.
    Stranger(EmailAddress),
    /// The draft is being sent at this moment.
    BeingSent,
    /// The draft is of another version than the one that was meant.
    StaleDraft,
    /// The draft was sent already, as this message.
    AlreadySent(EmailId),
    /// The route is for WebSocket connections.
    NoUpgrade,
    /// There are too many WebSocket connections.
    TooManySockets,
    /// A part of the contract that this server does not have.
    NotSupported(&'static str),
    /// Too much is under way; trying again soon helps.
    Busy,
    /// A fault of ours; the cause is in the log.
    Internal,
    Identity(IdentityError),
    Mail(MailError),
    Submit(SubmitError),
    Compose(ComposeError),
    Queue(QueueError),
    Feed(FeedError),
    Webhook(WebhookError),
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

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        Self::Submit(error)
    }
}

impl From<ComposeError> for ApiError {
    fn from(error: ComposeError) -> Self {
        Self::Compose(error)
    }
}

impl From<DraftError> for ApiError {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::NotFound | DraftError::NoSuchSource => Self::NotFound,
            DraftError::BeingSent => Self::BeingSent,
            DraftError::Stale => Self::StaleDraft,
            DraftError::AlreadySent(message) => Self::AlreadySent(message),
            DraftError::Invalid(text) => Self::Invalid(text),
            DraftError::Unavailable => Self::Submit(SubmitError::Unavailable),
            DraftError::Compose(error) => Self::Compose(error),
            DraftError::Submit(error) => Self::Submit(error),
            DraftError::Mail(error) => Self::Mail(error),
            DraftError::Identity(error) => Self::Identity(error),
        }
    }
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        Self::Webhook(error)
    }
}

impl From<FeedError> for ApiError {
    fn from(error: FeedError) -> Self {
        Self::Feed(error)
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
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
            Self::MissingPermission(permission) => (
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                format!("this key needs the permission {permission}"),
            ),
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
            Self::Stranger(address) => (
                StatusCode::FORBIDDEN,
                "RECIPIENT_NOT_VERIFIED",
                format!(
                    "{address} never wrote to this inbox: if it is to be written to all the same, send `verified: true`"
                ),
            ),
            Self::NoUpgrade => shown(
                StatusCode::UPGRADE_REQUIRED,
                "UPGRADE_REQUIRED",
                "this address is for WebSocket connections",
            ),
            Self::TooManySockets => shown(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "too many WebSocket connections",
            ),
            Self::BeingSent => shown(StatusCode::CONFLICT, "CONFLICT", "the draft is being sent"),
            Self::StaleDraft => shown(StatusCode::CONFLICT, "CONFLICT", "the draft was changed meanwhile"),
            Self::AlreadySent(message) => (
                StatusCode::CONFLICT,
                "ALREADY_SENT",
                format!("the draft was sent already, as message {message}"),
            ),
            Self::NotSupported(what) => (
                StatusCode::NOT_IMPLEMENTED,
                "NOT_SUPPORTED",
                format!("this server does not support {what}"),
            ),
            Self::Busy => below::unavailable(&"too many large requests at once"),
            Self::Internal => shown(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal error"),
            Self::Identity(error) => below::identity(error),
            Self::Mail(error) => below::mail(error),
            Self::Submit(error) => below::submit(error),
            Self::Compose(error) => shown(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", error.to_string()),
            Self::Queue(error) => below::queue(error),
            Self::Feed(FeedError::Gone { .. }) => shown(
                StatusCode::GONE,
                "CURSOR_GONE",
                "events after this cursor are no longer kept: read everything anew, then go on from the newest cursor",
            ),
            Self::Feed(FeedError::Store(error)) => below::unavailable(error),
            Self::Webhook(error) => below::webhook(error),
        }
    }

    /// Status, code and text in the AgentMail dialect (agentmail.md §4).
    pub(crate) fn for_agentmail(&self) -> Shown {
        let (status, code, text) = self.shown();
        match self {
            Self::Identity(error) => agentmail::identity(error).unwrap_or((status, agentmail::code(status), text)),
            Self::Submit(error) => agentmail::submit(error).unwrap_or((status, agentmail::code(status), text)),
            Self::AlreadySent(message) => {
                let message = own_message_id(*message);
                let text = format!("the draft was sent already, as message {message}");
                (status, agentmail::code(status), text)
            }
            _ if code == "LIMIT_REACHED" => (StatusCode::FORBIDDEN, "limit_exceeded", text),
            _ => (status, agentmail::code(status), text),
        }
    }

    /// When trying again may help.
    pub(crate) fn retry_after_seconds(&self, status: StatusCode) -> Option<u64> {
        match self {
            // At least one: a client that counts in whole seconds must not come back at once.
            Self::Submit(SubmitError::DailyLimit { retry_after }) => retry_after.map(|wait| wait.as_secs().max(1)),
            Self::TooManySockets => Some(5),
            _ => (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
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
        if let Self::Identity(IdentityError::HandleTaken(namespace)) = self {
            body["blockingNamespace"] = namespace.as_str().into();
        }
        body
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown().2)
    }
}

fn shown(status: StatusCode, code: &'static str, text: impl Into<String>) -> Shown {
    (status, code, text.into())
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, text) = self.shown();
        let retry_after = self.retry_after_seconds(status);
        let mut response = (status, Json(self.body(code, text))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
