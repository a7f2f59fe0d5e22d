//! Routes of the contract that this server does not have (yet): known callers are told so, and not that there is no
//! such route.

use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use axum::Router;
use axum::routing::any;

pub(super) fn routes() -> Router<State> {
    let mut routes = Router::new();
    for (what, paths) in [
        (
            "drafts over the API",
            &["/inboxes/{inbox}/drafts", "/inboxes/{inbox}/drafts/{*rest}"][..],
        ),
        (
            "recipient lists",
            &["/inboxes/{inbox}/lists", "/inboxes/{inbox}/lists/{*rest}"],
        ),
        ("webhooks", &["/webhooks", "/webhooks/{*rest}"]),
        ("websockets", &["/ws"]),
        ("domains of a tenant", &["/domains", "/domains/{*rest}"]),
        ("LinkedIn", &["/linkedin", "/linkedin/{*rest}"]),
    ] {
        for path in paths {
            let refuse = async move |_: Caller| ApiError::NotSupported(what);
            routes = routes.route(path, any(refuse));
        }
    }
    routes
}
