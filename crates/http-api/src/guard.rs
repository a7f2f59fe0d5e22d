//! What is around every route: a deadline, a catch for panics, a line in the log, and the rest of the body.

use crate::agentmail;
use crate::client::Client;
use crate::error::ApiError;
use crate::inkbox;
use crate::leftover::cleared;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::HeaderName;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::field::display;

/// From the request's head until the answer begins, its body included.
const DEADLINE: Duration = Duration::from_secs(60);

/// The same of a file of mail, of which each piece has to come within a minute.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(60 * 60);

/// Why a handler gave no answer; stands in the response until [`told`] says it in the words of the dialect.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Late,
    Panicked,
}

impl IntoResponse for Cut {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) fn guarded<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let around = ServiceBuilder::new()
        .layer(middleware::from_fn(cleared))
        .layer(middleware::from_fn(log))
        .layer(middleware::from_fn(told))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(in_time));
    routes.layer(around)
}

/// The dialect is that of the path.
async fn told(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    let (is_inkbox, is_agentmail) = (below("/api"), below("/v0"));
    let mut response = next.run(request).await;
    let error = match response.extensions_mut().remove() {
        None => return response,
        Some(Cut::Late) => ApiError::Timeout,
        Some(Cut::Panicked) => ApiError::Internal,
    };
    match (is_inkbox, is_agentmail) {
        (true, _) => inkbox::failure::Failure::from(error).into_response(),
        (_, true) => agentmail::failure::Failure::from(error).into_response(),
        _ => error.into_response(),
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let is_upload = route.is_some_and(|route| route.as_str().trim_end_matches('/').ends_with(inkbox::imports::UPLOAD));
    let deadline = if is_upload { UPLOAD_DEADLINE } else { DEADLINE };
    let answered = tokio::time::timeout(deadline, next.run(request)).await;
    answered.unwrap_or_else(|_| Cut::Late.into_response())
}

/// The panic itself is reported by the process's panic hook; its text may hold what a user sent, so it is not shown.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request handler panicked");
    Cut::Panicked.into_response()
}

/// The route and not the path, which may hold addresses.
async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let client = Whose::of(&request);
    let response = next.run(request).await;
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let code = response.status().as_u16();
    let (peer, forwarded_for) = (client.peer.map(display), client.forwarded_for.map(display));
    let ms = started.elapsed().as_millis();
    tracing::info!(%method, route, code, ms, peer, forwarded_for, "request");
    response
}

/// Who asks, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whose {
    /// The other end of the connection.
    peer: Option<IpAddr>,
    /// Whom a proxy on this machine speaks for: the last in its list, which it wrote itself.
    forwarded_for: Option<IpAddr>,
}

impl Whose {
    fn of(request: &Request) -> Self {
        const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
        let peer = request.extensions().get().map(|Client(peer)| peer.to_canonical());
        let named = || {
            let last = request.headers().get_all(FORWARDED_FOR).iter().next_back()?;
            last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
        };
        Self {
            peer,
            forwarded_for: peer.filter(IpAddr::is_loopback).and_then(|_| named()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    #[test]
    fn who_asks() {
        let check = |peer: &str, fields: &[&str], expected: &str| {
            let mut request = Request::get("/").body(Body::empty()).unwrap();
            let parsed = |text: &str| text.parse::<IpAddr>().unwrap();
            request.extensions_mut().insert(Client(parsed(peer)));
            for field in fields {
                request.headers_mut().append("x-forwarded-for", field.parse().unwrap());
            }
            let whose = Whose::of(&request);
            let expected = Some(expected).filter(|text| !text.is_empty()).map(parsed);
            assert_eq!(whose.forwarded_for, expected, "{peer} {fields:?}");
        };
        check("127.0.0.1", &["192.0.2.1"], "192.0.2.1");
        check("::ffff:127.0.0.1", &["198.51.100.7, 192.0.2.1"], "192.0.2.1");
        check("::1", &["192.0.2.1", "2001:db8::1"], "2001:db8::1");
        check("127.0.0.1", &["a\tb"], "");
        check("127.0.0.1", &[], "");
        // From elsewhere it is anybody's word.
        check("203.0.113.5", &["192.0.2.1"], "");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_answer_is_told_so_in_the_words_of_the_dialect() {
        let broken = async || -> &'static str { panic!("on purpose") };
        let routes: Router = Router::new()
            .route("/slow", get(std::future::pending::<&'static str>))
            .route("/broken", get(broken));
        let all = ["/api", "/v0", "/v1"];
        let routes = all
            .into_iter()
            .fold(Router::new(), |all, below| all.nest(below, routes.clone()));
        let router = guarded(routes);
        let inkbox = |error: &str, message: &str| json!({ "detail": { "error": error, "message": message } });
        let agentmail =
            |name: &str, code: &str, message: &str| json!({ "name": name, "code": code, "message": message });
        let myagentmail = |code: &str, error: &str| json!({ "error": error, "code": code });
        let (late, broken) = ("the request took too long", "internal error");
        for (path, code, body) in [
            ("/api/slow", 408, inkbox("timeout", late)),
            ("/api/broken", 500, inkbox("internal_error", broken)),
            ("/v0/slow", 408, agentmail("TimeoutError", "timeout", late)),
            (
                "/v0/broken",
                500,
                agentmail("InternalServerError", "internal_error", broken),
            ),
            ("/v1/slow", 408, myagentmail("TIMEOUT", late)),
            ("/v1/broken", 500, myagentmail("INTERNAL_ERROR", broken)),
        ] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), code, "{path}");
            let bytes = to_bytes(response.into_body(), 1 << 10).await.unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), body, "{path}");
        }
    }
}
