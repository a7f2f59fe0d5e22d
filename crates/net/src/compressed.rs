//! A stream under DEFLATE (RFC 4978): raw deflate both ways over whatever carries it, plain or TLS.
//!
//! What always holds:
//! - Every write ends with a sync flush, so the peer can read all that was said. The driver writes once it has
//!   gathered a burst, not for each reply.
//! - A read gives at most what the caller has room for. What a small input swells to beyond that stays in the
//!   decompressor, is never held, and is asked for again only when the machine has taken what came before.
//! - Reads are cancel safe: what was read and not yet inflated, and what was not yet given, is kept here.
//! - An idle stream owns the window that the peer may refer to (the protocol lets it have 32 KiB) and the last octets
//!   that were sent; the compressor and all buffers are the worker's.

use bytes::{Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;

/// Most compressed octets read at once.
const READ_OCTETS: usize = 16 * 1024;
/// Most octets compressed at once.
const WRITE_OCTETS: usize = 64 * 1024;
/// How much of what was sent last a new burst may refer to. The replies to a client are alike, so a little helps much.
const HISTORY_OCTETS: usize = 2 * 1024;
/// Above this, mail gets little smaller and takes much longer.
const LEVEL: u32 = 3;

thread_local! {
    /// Shared by all streams of a worker.
    static WORKER: RefCell<Worker> = RefCell::new(Worker {
        compress: Compress::new(Compression::new(LEVEL), false),
        compressed: Vec::new(),
        read: vec![0; READ_OCTETS].into_boxed_slice(),
    });
}

struct Worker {
    compress: Compress,
    /// What a burst came to.
    compressed: Vec<u8>,
    /// What is read from the peer.
    read: Box<[u8]>,
}

/// See the head of this file.
pub(crate) struct Compressed<S> {
    stream: S,
    decompress: Decompress,
    /// Read and not inflated.
    input: Bytes,
    /// The decompressor may have more to give without further input.
    more: bool,
    /// Nothing more can be read: the deflate stream came to its end, or cannot be understood from here on.
    ended: bool,
    /// Compressed and not taken by the stream.
    output: Bytes,
    /// The end of what was sent.
    history: BytesMut,
}

impl<S> Compressed<S> {
    /// `unread` was read from the stream before.
    pub(crate) fn new(stream: S, unread: Bytes) -> Self {
        Self {
            stream,
            decompress: Decompress::new(false),
            input: unread,
            more: false,
            ended: false,
            output: Bytes::new(),
            history: BytesMut::new(),
        }
    }

    /// The stream beneath. What was not flushed is lost.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }

    /// Inflates from `input` as much as fits; gives how much of it was used.
    fn inflate(&mut self, input: &[u8], buffer: &mut ReadBuf<'_>) -> usize {
        let (read, given) = (self.decompress.total_in(), self.decompress.total_out());
        let room = buffer.remaining();
        let status = self
            .decompress
            .decompress(input, buffer.initialize_unfilled(), FlushDecompress::None);
        // Both are at most what was handed in. They count also if the input broke off in the middle of it.
        let used = (self.decompress.total_in() - read) as usize;
        let given = (self.decompress.total_out() - given) as usize;
        buffer.advance(given);
        self.more = given == room;
        match status {
            Ok(Status::StreamEnd) => self.ended = true,
            Ok(_) => self.ended |= used == 0 && given == 0 && !input.is_empty(),
            Err(error) => {
                tracing::debug!(%error, "what the peer sent is not compressed as it should be");
                self.ended = true;
            }
        }
        used
    }
}

impl<S: AsyncRead + Unpin> Compressed<S> {
    /// Reads from the stream and inflates it. `Ready(0)`: the stream has come to its end.
    fn poll_more(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        WORKER.with_borrow_mut(|worker| {
            let mut read = ReadBuf::new(&mut worker.read);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let read = read.filled();
            let used = self.inflate(read, buffer);
            self.input = Bytes::copy_from_slice(&read[used..]);
            Poll::Ready(Ok(read.len()))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Compressed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A little input may keep us busy for long without a read from the stream, where a worker's turn would end.
        let turn = ready!(poll_proceed(cx));
        let before = buffer.filled().len();
        while buffer.filled().len() == before && buffer.remaining() > 0 && !this.ended {
            if this.more || !this.input.is_empty() {
                let input = std::mem::take(&mut this.input);
                let used = this.inflate(&input, buffer);
                this.input = input.slice(used..);
            } else if ready!(this.poll_more(cx, buffer))? == 0 {
                break;
            }
        }
        turn.made_progress();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Compressed<S> {
    /// Writes what was compressed before.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // Keeps no part of a buffer that has gone.
            self.output = if written == self.output.len() {
                Bytes::new()
            } else {
                self.output.slice(written..)
            };
        }
        Poll::Ready(Ok(()))
    }

    /// Compresses a burst, which may refer to the end of those before.
    fn deflate(&mut self, burst: &[u8]) -> io::Result<()> {
        WORKER.with_borrow_mut(
            |Worker {
                 compress, compressed, ..
             }| {
                compress.reset();
                if !self.history.is_empty() {
                    compress.set_dictionary(&self.history).map_err(io::Error::other)?;
                }
                compressed.clear();
                let mut taken = 0;
                loop {
                    compressed.reserve(burst.len() / 2 + 64);
                    let before = compress.total_in();
                    compress
                        .compress_vec(&burst[taken..], compressed, FlushCompress::Sync)
                        .map_err(io::Error::other)?;
                    taken += (compress.total_in() - before) as usize;
                    // Room that is left says that the flush is complete.
                    if taken == burst.len() && compressed.len() < compressed.capacity() {
                        break;
                    }
                }
                self.output = Bytes::copy_from_slice(compressed);
                Ok(())
            },
        )
    }

    fn remember(&mut self, burst: &[u8]) {
        let end = &burst[burst.len().saturating_sub(HISTORY_OCTETS)..];
        let keep = self.history.len().min(HISTORY_OCTETS - end.len());
        let mut history = BytesMut::with_capacity(keep + end.len());
        history.extend_from_slice(&self.history[self.history.len() - keep..]);
        history.extend_from_slice(end);
        self.history = history;
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Compressed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        let burst = &bytes[..bytes.len().min(WRITE_OCTETS)];
        if burst.is_empty() {
            return Poll::Ready(Ok(0));
        }
        this.deflate(burst)?;
        this.remember(burst);
        // What the stream does not take now goes with the next write, or with the flush.
        if let Poll::Ready(Err(error)) = this.poll_drain(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(burst.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
