//! The operator's own inbox, where `postmaster@` and `abuse@` of every domain come: nobody knows its secrets until the
//! operator asks for some.
//!
//! What always holds: what is given out opens this one inbox, and less than the operator's key does.

use super::inboxes::view;
use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::myagentmail::rotation;
use crate::request::Fields;
use axum::extract::State as Shared;
use axum::http::{HeaderName, HeaderValue, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;

/// An answer with secrets is for who asked alone.
const NOT_STORED: [(HeaderName, HeaderValue); 1] = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/postmaster", get(show))
        .route("/postmaster/rotate-credentials", post(rotate))
}

async fn show(Shared(state): Shared<State>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.operator()?;
    Ok(Json(view(&state.identity().postmaster().await?)))
}

async fn rotate(
    Shared(state): Shared<State>,
    caller: Caller,
    fields: Result<Fields, ApiError>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Value>), ApiError> {
    caller.operator()?;
    let mut fields = fields?;
    let rotate = rotation(fields.flag("apiKey")?, fields.flag("password")?)?;
    fields.finish()?;
    let postmaster = state.identity().postmaster().await?.id;
    let rotated = state.identity().rotate_credentials(postmaster, rotate).await?;
    let mut answer = view(&rotated.inbox);
    for (name, secret) in [("apiKey", rotated.api_key), ("password", rotated.password)] {
        if let Some(secret) = secret {
            answer[name] = secret.expose().as_str().into();
        }
    }
    Ok((NOT_STORED, Json(answer)))
}
