//! A connection that we made: the other side of the driver.
//!
//! A machine that dials speaks for somebody who waits to hear what became of it, so it is told of every trouble, and
//! [`dial`] ends only when it has closed. What it is told of writing is exact: [`Unsent`] only when the last octet that
//! was to be sent certainly did not leave.

use crate::answerer::Answerer;
use crate::driver::{Session, Stop, now};
use crate::limits::Limits;
use bytes::{Bytes, BytesMut};
use postroom_wire::{Input, Machine, Unsent};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long, and for how many octets, we look for the reason of a peer that does not read any more.
const LAST_WORDS: (Duration, usize) = (Duration::from_secs(1), 4_096);
/// How long saying goodbye to TLS and TCP may take.
const PARTING: Duration = Duration::from_secs(2);

/// Drives a machine over a stream that is connected, until the machine closes; gives the answerer back.
///
/// `tls` is called for STARTTLS; it says by an error that the peer is not who it should be, and the machine hears that
/// the connection is closed. The handshake ends at the machine's deadline, or at [`Limits::handshake_timeout`] if it has
/// none; writing at [`Limits::write_timeout`]. A `shutdown` is told to the machine, which closes in its own time.
///
/// The machine's `now` is that of [`tokio::time::Instant`], also when a test has stopped it.
pub async fn dial<S, A, F, U, T>(
    mut stream: S,
    machine: A::Machine,
    answerer: A,
    tls: F,
    limits: &Limits,
    shutdown: CancellationToken,
) -> A
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
    A: Answerer<Machine: Machine<News = Unsent>>,
    F: FnOnce(S) -> U,
    U: Future<Output = io::Result<T>> + Send,
{
    let mut session = Session::new(machine, answerer, limits, shutdown);
    match session.talk(&mut stream).await {
        Some(Stop::StartTls) => match session.wait_for(limits.handshake_timeout, tls(stream)).await {
            Some(Ok(mut stream)) => {
                session.machine.handle(Input::TlsUp(None), now());
                match session.talk(&mut stream).await {
                    Some(_) => part(stream).await,
                    None => session.conclude().await,
                }
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "no TLS");
                session.machine.handle(Input::Eof, now());
                session.conclude().await;
            }
            None => session.conclude().await,
        },
        // No machine that dials wants compression.
        Some(Stop::Close | Stop::Compress(_)) => part(stream).await,
        None => session.conclude().await,
    }
    session.answerer
}

impl<A: Answerer<Machine: Machine<News = Unsent>>> Session<A> {
    /// Talks until the machine wants something else. `None`: the connection is broken, and the machine was told.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Option<Stop> {
        loop {
            match self.act(stream).await {
                Ok(None) => {}
                Ok(stop) => return stop,
                Err(error) if self.unsent => {
                    let unsent = Unsent {
                        timed_out: error.kind() == io::ErrorKind::TimedOut,
                        unread: last_words(stream).await,
                    };
                    self.machine.handle(Input::News(unsent), now());
                    return None;
                }
                // All was written, and whether it left is not known.
                Err(_) => {
                    self.machine.handle(Input::Eof, now());
                    return None;
                }
            }
            if self.wait(stream).await.is_err() {
                self.machine.handle(Input::Eof, now());
                return None;
            }
        }
    }

    /// Lets the machine say what became of it all, after the connection is gone.
    async fn conclude(&mut self) {
        self.out.clear();
        // Reads nothing and swallows what is written, so the machine hears no more than the end.
        let mut nowhere = tokio::io::empty();
        while let Some(Stop::StartTls | Stop::Compress(_)) = self.talk(&mut nowhere).await {
            self.machine.handle(Input::Eof, now());
        }
    }
}

/// What the peer said before it stopped reading.
async fn last_words<S: AsyncRead + Unpin>(stream: &mut S) -> Bytes {
    let (limit, octets) = LAST_WORDS;
    let mut words = BytesMut::with_capacity(octets);
    let mut heard = stream.take(octets as u64);
    // What came before the time is up, or before the error, counts.
    let _ = timeout(limit, async {
        while heard.read_buf(&mut words).await.is_ok_and(|octets| octets > 0) {}
    })
    .await;
    words.freeze()
}

async fn part<S: AsyncWrite + Unpin>(mut stream: S) {
    let _ = timeout(PARTING, stream.shutdown()).await;
}
