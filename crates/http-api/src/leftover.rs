//! What is left of a request's body when its answer is made.
//!
//! What always holds: a connection goes on only if the whole body was read; else the client is told that it closes. A
//! refusal need not look at a body, but a client that has sent one goes on to use the connection.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// Most that is read only to be thrown away.
const MAX_OCTETS: usize = 1 << 20;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A body that a handler reads as long as the request runs.
struct Lent(Arc<Mutex<Option<Body>>>);

impl Lent {
    fn with<T>(&self, none: T, what: impl FnOnce(&mut Body) -> T) -> T {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.as_mut().map_or(none, what)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(true, |body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(SizeHint::with_exact(0), |body| body.size_hint())
    }
}

/// Reads what the handler left, or says that the connection closes.
pub(crate) async fn cleared(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let shared = Arc::new(Mutex::new(Some(body)));
    let lent = Body::new(Lent(Arc::clone(&shared)));
    let mut response = next.run(Request::from_parts(parts, lent)).await;
    let left = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(body) = left
        && !is_read_to_its_end(body).await
    {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

async fn is_read_to_its_end(mut body: Body) -> bool {
    let read = async {
        let mut octets = 0;
        while octets <= MAX_OCTETS {
            if body.is_end_stream() {
                return true;
            }
            match std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                None => return true,
                Some(Ok(frame)) => octets += frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) => return false,
            }
        }
        false
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or(false)
}
