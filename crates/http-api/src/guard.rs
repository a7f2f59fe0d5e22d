//! What is around every route: a deadline, a catch for panics, a line in the log, and the rest of the body.

use crate::State;
use crate::error::ApiError;
use crate::inkbox;
use crate::leftover::cleared;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::{Duration, Instant};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

/// From the request's head until the answer begins, its body included.
const DEADLINE: Duration = Duration::from_secs(60);

/// The same of a file of mail, of which each piece has to come within a minute.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(60 * 60);

pub(crate) fn guarded(routes: Router<State>) -> Router<State> {
    let around = ServiceBuilder::new()
        .layer(middleware::from_fn(cleared))
        .layer(middleware::from_fn(log))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(in_time));
    routes.layer(around)
}

async fn in_time(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let is_upload = route.is_some_and(|route| route.as_str().trim_end_matches('/').ends_with(inkbox::imports::UPLOAD));
    let deadline = if is_upload { UPLOAD_DEADLINE } else { DEADLINE };
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::Timeout.into_response(),
    }
}

/// The panic itself is reported by the process's panic hook; its text may hold what a user sent, so it is not shown.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request handler panicked");
    ApiError::Internal.into_response()
}

/// The route and not the path, which may hold addresses.
async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let code = response.status().as_u16();
    tracing::info!(%method, route, code, ms = started.elapsed().as_millis(), "request");
    response
}
