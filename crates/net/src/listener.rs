//! One door: accepts, refuses when full, and closes in bounded time.

use crate::accept::AcceptFailures;
use crate::answerer::{Answerer, Peer};
use crate::driver::{Session, handshake};
use crate::limits::{Gate, Limits};
use crate::tls::TlsConfig;
use bytes::Bytes;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a listener needs besides its socket.
#[derive(Clone, Debug, Default)]
pub struct ListenerOptions {
    /// Bounds.
    pub limits: Limits,
    /// For STARTTLS, or for all connections with `implicit_tls`.
    pub tls: Option<TlsConfig>,
    /// TLS comes before the first byte; needs `tls`.
    pub implicit_tls: bool,
    /// What a client hears when there is no room: `421 …` or `* BYE …`, with its CRLF. Not sent with `implicit_tls`.
    pub refusal: Bytes,
}

/// Accepts connections and drives a machine for each, until `shutdown`; then tells the machines and returns when the
/// last connection has ended, or at [`Limits::drain_timeout`], whichever comes first.
///
/// `make` is called for each connection; with implicit TLS, after the handshake.
pub async fn serve<A, F>(listener: TcpListener, options: ListenerOptions, make: F, shutdown: CancellationToken)
where
    A: Answerer + 'static,
    F: Fn(&Peer) -> (A::Machine, A) + Send + Sync + 'static,
    A::Machine: 'static,
{
    let door = Arc::new(Door {
        options,
        make,
        shutdown: shutdown.clone(),
    });
    let gate = Arc::new(Gate::default());
    let sessions = TaskTracker::new();
    let kill = CancellationToken::new();
    let mut failures = AcceptFailures::default();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                failures.pause(&error).await;
                continue;
            }
        };
        let Some(pass) = gate.enter(address.ip(), &door.options.limits) else {
            tracing::debug!(peer = %address.ip(), "too many connections");
            door.refuse(tcp);
            continue;
        };
        let door = Arc::clone(&door);
        let kill = kill.clone();
        sessions.spawn(async move {
            tokio::select! {
                () = kill.cancelled() => {}
                result = door.session::<A>(tcp, address) => if let Err(error) = result {
                    tracing::debug!(peer = %address.ip(), %error, "connection lost");
                }
            }
            drop(pass);
        });
    }
    drop(listener);
    sessions.close();
    if timeout(door.options.limits.drain_timeout, sessions.wait())
        .await
        .is_err()
    {
        tracing::warn!(sessions = sessions.len(), "closing sessions that did not end in time");
        kill.cancel();
        sessions.wait().await;
    }
}

struct Door<F> {
    options: ListenerOptions,
    make: F,
    shutdown: CancellationToken,
}

impl<F> Door<F> {
    /// Says why and closes, without waiting: the send buffer of a new connection has room for one line.
    fn refuse(&self, tcp: TcpStream) {
        if self.options.implicit_tls {
            return;
        }
        if let Ok(mut tcp) = tcp.into_std() {
            let _ = tcp.write(&self.options.refusal);
        }
    }

    async fn session<A>(&self, tcp: TcpStream, address: SocketAddr) -> io::Result<()>
    where
        A: Answerer,
        F: Fn(&Peer) -> (A::Machine, A),
    {
        // Replies are gathered before they are written, so waiting for more to send only delays them.
        tcp.set_nodelay(true)?;
        let ListenerOptions {
            limits,
            tls,
            implicit_tls,
            ..
        } = &self.options;
        let peer = Peer {
            address,
            local: tcp.local_addr()?,
            implicit_tls: *implicit_tls,
        };
        let open = || {
            let (machine, answerer) = (self.make)(&peer);
            Session::new(machine, answerer, limits, self.shutdown.clone())
        };
        if !implicit_tls {
            return open().serve_plain(tcp, tls.clone(), limits.handshake_timeout).await;
        }
        let tls = tls
            .as_ref()
            .ok_or_else(|| io::Error::other("implicit TLS without a certificate"))?;
        let stream = handshake(tls, tcp, limits.handshake_timeout, &self.shutdown).await?;
        open().serve_tls(stream).await
    }
}
