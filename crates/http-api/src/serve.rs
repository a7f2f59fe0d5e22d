//! The listener: bounded connections, in clear or over TLS, each with a deadline for the handshake and for the head of a
//! request.
//!
//! What always holds: there are never more connections than asked for; on shutdown requests under way are finished, idle
//! connections closed at once, and what is left after a while is cut.

use crate::client::{Client, Told};
use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use postroom_net::{AcceptFailures, TlsConfig};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\n\
    content-length: 57\r\nconnection: close\r\n\r\n{\"error\":\"too many connections\",\"code\":\"SERVER_IS_BUSY\"}\n";

/// Most octets of a request's head.
const MAX_HEAD_OCTETS: usize = 64 << 10;

/// What bounds the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Default 4,096.
    pub connections: usize,
    /// For the head of a request, also of the next one on a kept connection. Default 60 s.
    pub head_timeout: Duration,
    /// For requests under way when the server stops. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves until the token is cancelled, then drains.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: CancellationToken) {
    listen(listener, None, router, limits, shutdown).await;
}

/// Like [`serve`], over TLS. Who finds no room is not told why: that would cost a handshake.
pub async fn serve_tls(
    listener: TcpListener,
    tls: TlsConfig,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let router = router.layer(axum::middleware::map_request(came_over_tls));
    listen(listener, Some(tls), router, limits, shutdown).await;
}

/// Says so where a proxy would: links in answers are to lead back the same way.
async fn came_over_tls(mut request: axum::extract::Request) -> axum::extract::Request {
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    request.headers_mut().insert(PROTO, HeaderValue::from_static("https"));
    request
}

async fn listen(
    listener: TcpListener,
    tls: Option<TlsConfig>,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    let mut failures = AcceptFailures::default();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                failures.pause(&error).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            if tls.is_none() {
                refuse(&stream);
            }
            continue;
        };
        let service = Told {
            router: router.clone(),
            client: Client(address.ip()),
        };
        let conversation = open(stream, tls.clone(), service, limits.head_timeout, shutdown.clone());
        let cut = cut.clone();
        connections.spawn(async move {
            tokio::select! {
                () = conversation => {}
                () = cut.cancelled() => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain_timeout, connections.wait())
        .await
        .is_err()
    {
        cut.cancel();
        connections.wait().await;
    }
}

async fn open(
    stream: TcpStream,
    tls: Option<TlsConfig>,
    service: Told,
    head_timeout: Duration,
    shutdown: CancellationToken,
) {
    // Answers are written whole; waiting for more to send would only delay them. A socket that refuses is served too.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return converse(stream, service, head_timeout, shutdown).await;
    };
    let accepted = tokio::select! {
        () = shutdown.cancelled() => return,
        accepted = tls.accept(stream, head_timeout) => accepted,
    };
    match accepted {
        Ok(stream) => converse(stream, service, head_timeout, shutdown).await,
        Err(error) => tracing::debug!(reason = %error, "no TLS"),
    }
}

async fn converse<S>(stream: S, service: Told, head_timeout: Duration, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_HEAD_OCTETS);
    let service = TowerToHyperService::new(service);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(reason = %error, "connection ended");
    }
}

/// Tells the peer, if it takes that at once: nothing may wait here, or refusing would cost what serving does.
fn refuse(stream: &TcpStream) {
    if let Err(error) = stream.try_write(FULL) {
        tracing::debug!(reason = %error, "cannot refuse");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn start(limits: Limits) -> (std::net::SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let slow = axum::routing::get(async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        });
        let router = Router::new().route("/", slow);
        let task = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        (address, shutdown, task)
    }

    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[test]
    fn the_refusal_is_well_formed() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
        assert!(serde_json::from_str::<serde_json::Value>(body).unwrap().is_object());
    }

    #[tokio::test]
    async fn one_too_many_is_told_so() {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let (address, shutdown, task) = start(limits).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        first
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        assert!(rest(&mut second).await.starts_with("HTTP/1.1 503 "));
        assert!(rest(&mut first).await.starts_with("HTTP/1.1 200 "));
        shutdown.cancel();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn shutting_down_finishes_what_is_under_way_and_drops_the_idle() {
        let (address, shutdown, task) = start(Limits::default()).await;
        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        shutdown.cancel();
        assert_eq!(rest(&mut idle).await, "");
        assert!(rest(&mut busy).await.ends_with("done"));
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_silent_peer_is_dropped() {
        let limits = Limits {
            head_timeout: Duration::from_millis(50),
            ..Limits::default()
        };
        let (address, shutdown, task) = start(limits).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(b"GET / HT").await.unwrap();
        rest(&mut silent).await;
        shutdown.cancel();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_never_finishes_the_handshake_is_dropped() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let tls = TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes(), true).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let limits = Limits {
            connections: 1,
            head_timeout: Duration::from_millis(200),
            ..Limits::default()
        };
        let task = tokio::spawn(serve_tls(listener, tls, Router::new(), limits, shutdown.clone()));
        let mut silent = TcpStream::connect(address).await.unwrap();
        // The first bytes of a ClientHello, and no more.
        silent.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        let mut refused = TcpStream::connect(address).await.unwrap();
        assert_eq!(rest(&mut refused).await, "", "no plain text on a TLS port");
        let mut end = Vec::new();
        silent.read_to_end(&mut end).await.unwrap();
        shutdown.cancel();
        task.await.unwrap();
    }
}
