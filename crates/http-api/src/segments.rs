//! Paths as the vendors' clients write them, made such that each id is one segment.
//!
//! A Message-ID may hold slashes, and not every client encodes them (agentmail.md §3 "Path parameters"): behind `/messages/`,
//! all up to the closing `>` is one id.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use tower::ServiceBuilder;

/// The routes behind the mending.
pub(crate) fn mended(routes: Router) -> Router {
    let around = ServiceBuilder::new().map_request(|mut request: Request| {
        if let Some(uri) = mend(request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    });
    // A layer of the router's own would run after the route is chosen.
    Router::new().fallback_service(around.service(routes))
}

fn mend(uri: &Uri) -> Option<Uri> {
    let path = mended_path(uri.path())?;
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
    Uri::from_parts(parts).ok()
}

/// The path with the slashes of a Message-ID encoded; `None` if there are none.
fn mended_path(path: &str) -> Option<String> {
    const BEFORE: &str = "/messages/";
    if !path.starts_with("/v0/inboxes/") {
        return None;
    }
    let start = path.find(BEFORE)? + BEFORE.len();
    let (head, rest) = path.split_at(start);
    let opens = rest.starts_with('<') || rest.get(..3).is_some_and(|three| three.eq_ignore_ascii_case("%3c"));
    if !opens {
        return None;
    }
    let plain = rest.find('>').map(|at| at + 1);
    let encoded = rest.to_ascii_lowercase().find("%3e").map(|at| at + 3);
    let end = [plain, encoded].into_iter().flatten().min()?;
    let (id, tail) = rest.split_at(end);
    id.contains('/')
        .then(|| format!("{head}{}{tail}", id.replace('/', "%2F")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_of_ids() {
        let check = |path: &str, expected: Option<&str>| assert_eq!(mended_path(path).as_deref(), expected, "{path}");
        check(
            "/v0/inboxes/a@b/messages/%3Corg/repo/pull/1@host%3E/raw",
            Some("/v0/inboxes/a@b/messages/%3Corg%2Frepo%2Fpull%2F1@host%3E/raw"),
        );
        check(
            "/v0/inboxes/a@b/messages/%3corg/repo@host%3e",
            Some("/v0/inboxes/a@b/messages/%3corg%2Frepo@host%3e"),
        );
        check("/v0/inboxes/a@b/messages/%3Cx@host%3E/reply", None);
        check("/v0/inboxes/a@b/messages/%3Cx/y", None);
        check("/v0/inboxes/a@b/messages/search", None);
        check("/v1/inboxes/a@b/messages/%3Cx/y%3E", None);
    }
}
