//! Who is at the other end of a connection: told with each of its requests.

use axum::Router;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};
use tower::Service;

/// Who the connection of a request is from, for the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) IpAddr);

/// The routes, each request told whose it is.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) router: Router,
    pub(crate) client: Client,
}

impl Service<Request<Incoming>> for Told {
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request<Incoming>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.client);
        self.router.call(request)
    }
}
