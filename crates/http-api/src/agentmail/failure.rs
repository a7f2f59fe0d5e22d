//! What went wrong, in the dialect's form (agentmail.md §4): `name` and `message` for old clients, `code` to branch on,
//! `fix` for people. One place: a new error asks for its code at compile time.

use crate::error::ApiError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postroom_identity::Permission;
use serde::Serialize;
use utoipa::ToSchema;

/// What a handler returns.
pub(crate) type Answer<T> = Result<T, Failure>;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) retry_after_seconds: Option<u64>,
    pub(crate) body: Box<ErrorBody>,
}

/// What is told of an error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    name: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// A rule that a field breaks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Where: names and indices.
    path: Vec<String>,
    message: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            retry_after_seconds: None,
            body: Box::new(ErrorBody {
                name: name_of(status, code),
                code,
                message: message.into(),
                errors: Vec::new(),
                fix: None,
            }),
        }
    }

    fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.body.fix = Some(fix.into());
        self
    }

    /// A field breaks a rule.
    pub(crate) fn field(path: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let path = path
            .split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let mut failure = Self::new(StatusCode::BAD_REQUEST, "validation_error", message.clone());
        failure.body.errors.push(FieldError { path, message });
        failure
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation_error", message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found")
    }

    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such route")
    }

    pub(crate) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This route does not take that method",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "Internal error")
    }

    pub(crate) fn missing_authorization() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "missing_authorization", "Unauthorized")
            .with_fix("Send the API key as `Authorization: Bearer <key>`.")
    }

    pub(crate) fn unknown_api_key() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unknown_api_key", "Unauthorized")
            .with_fix("The key is unknown, revoked or expired: use another one.")
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn missing_permission(permission: Permission) -> Self {
        Self::new(StatusCode::FORBIDDEN, "missing_permission", "Forbidden")
            .with_fix(format!("The key needs the permission `{permission}`."))
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message)
    }
}

/// The legacy text, after the classes of the vendor's clients.
fn name_of(status: StatusCode, code: &str) -> &'static str {
    match (status.as_u16(), code) {
        (400, _) => "ValidationError",
        (401, _) => "UnauthorizedError",
        (403, "message_rejected" | "inbox_paused") => "MessageRejectedError",
        (403, "resource_taken" | "already_exists") => "IsTakenError",
        (403, _) => "ForbiddenError",
        (404, _) => "NotFoundError",
        (405, _) => "MethodNotAllowedError",
        (408, _) => "TimeoutError",
        (409, _) => "ConflictError",
        (413, _) => "PayloadTooLargeError",
        (422, _) => "UnprocessableError",
        (429, _) => "RateLimitError",
        (501, _) => "NotSupportedError",
        (503 | 507, _) => "ServiceUnavailableError",
        _ => "InternalServerError",
    }
}

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let (status, code, message) = error.for_agentmail();
        Self {
            retry_after_seconds: error.retry_after_seconds(status),
            ..Self::new(status, code, message)
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
