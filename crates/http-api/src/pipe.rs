//! An answer that is made while it is sent.
//!
//! What always holds: little of it is in memory at a time; a client that is gone, or takes nothing for a minute, ends the
//! making; a making that fails cuts the answer off, so that no part of it passes for the whole.

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Pieces on their way to the client.
const PIECES: usize = 2;
/// How long a client may leave what it is sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the answer is written to.
pub(crate) struct Pipe(mpsc::Sender<io::Result<Bytes>>);

struct Piped(mpsc::Receiver<io::Result<Bytes>>);

/// A pipe, and the answer that comes out of it. It ends when the pipe is dropped.
pub(crate) fn pipe() -> (Pipe, Body) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (Pipe(sender), Body::new(Piped(receiver)))
}

impl Pipe {
    /// Hands on a piece, and waits until there is room for it.
    pub(crate) async fn send(&self, piece: impl Into<Bytes>) -> io::Result<()> {
        let piece = piece.into();
        if piece.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(PATIENCE, self.0.send(Ok(piece))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Whether the client is gone; for who makes long what it sends none of.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Cuts the answer off.
    pub(crate) async fn fail(self, error: io::Error) {
        // A client that is gone needs no telling, and one that takes nothing is cut off with the pipe.
        let _ = tokio::time::timeout(PATIENCE, self.0.send(Err(error))).await;
    }
}

impl HttpBody for Piped {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    #[tokio::test]
    async fn pieces_come_out_in_order() {
        let (pipe, body) = pipe();
        let write = async move {
            for piece in ["a", "", "b", "c", "d"] {
                pipe.send(piece).await.unwrap();
            }
        };
        let (bytes, ()) = tokio::join!(to_bytes(body, 100), write);
        assert_eq!(bytes.unwrap(), "abcd");
    }

    #[tokio::test]
    async fn who_is_gone_ends_the_making() {
        let (pipe, body) = pipe();
        drop(body);
        assert_eq!(pipe.send("a").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_not_waited_for() {
        let (pipe, _body) = pipe();
        for _ in 0..PIECES {
            pipe.send("a").await.unwrap();
        }
        assert_eq!(pipe.send("a").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        let (pipe, body) = pipe();
        pipe.send("half").await.unwrap();
        pipe.fail(io::ErrorKind::UnexpectedEof.into()).await;
        assert!(to_bytes(body, 100).await.is_err());
    }
}
