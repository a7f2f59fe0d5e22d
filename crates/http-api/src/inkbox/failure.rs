//! What went wrong, in the dialect's form (inkbox.md §2 "Errors"): `{"detail": {"error", "message", …}}`.

use super::room::Full;
use crate::error::ApiError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postroom_identity::Permission;
use serde_json::{Map, Value, json};

/// What a handler returns.
pub(crate) type Answer<T> = Result<T, Failure>;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) retry_after_seconds: Option<u64>,
    full: Option<Full>,
    /// `error`, `message`, and what clients make of certain errors.
    detail: Box<Map<String, Value>>,
}

impl Failure {
    /// `error` is the word that clients branch on.
    pub(crate) fn new(status: StatusCode, error: &str, message: impl Into<String>) -> Self {
        let mut detail = Map::new();
        detail.insert("error".into(), error.into());
        detail.insert("message".into(), message.into().into());
        Self {
            status,
            retry_after_seconds: None,
            full: None,
            detail: Box::new(detail),
        }
    }

    /// What it says, for logs.
    pub(crate) fn message(&self) -> &str {
        self.detail.get("message").and_then(Value::as_str).unwrap_or_default()
    }

    /// With a further field of `detail`.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.into(), value.into());
        self
    }

    /// With when to try again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// 422: the request breaks a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_error", message)
    }

    /// 422: a field breaks a rule.
    pub(crate) fn field(path: &str, message: impl Into<String>) -> Self {
        Self::invalid(message).with("field", path)
    }

    /// 409, with a word of its own.
    pub(crate) fn conflict(error: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error, message)
    }

    /// 402: there is no room. The vendor's client takes `upgrade_url` for a text; here is nothing to buy.
    pub(crate) fn storage_limit(full: Full) -> Self {
        let failure = Self::new(StatusCode::PAYMENT_REQUIRED, "storage_limit_exceeded", full.message());
        Self {
            full: Some(full),
            ..failure.with("limit_bytes", Value::Null).with("upgrade_url", "")
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "not found")
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such route")
    }

    pub(crate) fn method() -> Self {
        let text = "this route does not take that method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "internal error")
    }

    pub(crate) fn unauthorized() -> Self {
        let text = "a valid API key is needed in X-API-Key";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn admin_key_required() -> Self {
        let text = "this needs an admin-scoped key";
        Self::new(StatusCode::FORBIDDEN, "admin_key_required", text)
    }

    /// 403: the key is permitted less than the operation takes.
    pub(crate) fn missing_permission(permission: Permission) -> Self {
        let text = format!("this key needs the permission {permission}");
        Self::new(StatusCode::FORBIDDEN, "missing_permission", text).with("permission", permission.as_str())
    }

    /// 501: a part of the vendor's system that this server does not have.
    pub(crate) fn not_supported(feature: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_supported", message).with("feature", feature)
    }
}

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        error.into().for_inkbox()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "detail": self.detail }))).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(full) = self.full {
            response.extensions_mut().insert(full);
        }
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
