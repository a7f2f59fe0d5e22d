//! One connection: bytes in, actions out.

use crate::answerer::Answerer;
use crate::compressed::Compressed;
use crate::limits::Limits;
use crate::tls::TlsConfig;
use bytes::{Bytes, BytesMut};
use postroom_types::BlobSpan;
use postroom_wire::{Action, ChannelBinding, Input, Machine};
use rustls::{ProtocolVersion, ServerConnection};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// Most bytes handed to a machine at once.
const READ_OCTETS: usize = 64 * 1024;
/// Replies are gathered up to this size before they are written.
const GATHER_OCTETS: usize = 16 * 1024;
/// Most bytes written under one write time-out.
const WRITE_OCTETS: usize = 64 * 1024;
/// Most bytes of a stored body read at once.
const BLOB_OCTETS: u64 = 256 * 1024;
/// A write buffer larger than this is given back when it has been written.
const KEEP_OCTETS: usize = 1024;
/// How long, and for how many bytes, we listen after our last word, so that the peer can read it: closing with
/// unread input resets the connection, and the reset may overtake the reply.
const FAREWELL: (Duration, usize) = (Duration::from_secs(2), 1024 * 1024);

thread_local! {
    /// Shared by all connections of a worker, so that an idle connection owns no read buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_OCTETS].into_boxed_slice());
}

/// The time as the executor tells it, which tests may stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A future that takes its room only when it is needed.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a conversation stopped.
pub(crate) enum Stop {
    Close,
    StartTls,
    /// With the beginning of what comes compressed.
    Compress(Bytes),
}

/// What one connection needs besides its stream.
pub(crate) struct Session<A: Answerer> {
    pub(crate) machine: A::Machine,
    pub(crate) answerer: A,
    pub(crate) out: BytesMut,
    /// A write has begun and not come to its end, so the last octet that was to be sent has not left.
    pub(crate) unsent: bool,
    write_timeout: Duration,
    shutdown: CancellationToken,
    /// The machine has been told of the shutdown.
    told: bool,
    /// The peer has closed its sending half.
    eof: bool,
}

impl<A: Answerer> Session<A> {
    pub(crate) fn new(machine: A::Machine, answerer: A, limits: &Limits, shutdown: CancellationToken) -> Self {
        Self {
            machine,
            answerer,
            out: BytesMut::new(),
            unsent: false,
            write_timeout: limits.write_timeout,
            shutdown,
            told: false,
            eof: false,
        }
    }

    /// Serves a connection that began in clear; `tls` is for STARTTLS.
    #[expect(clippy::manual_async_fn, reason = "an async fn has room for its arguments twice")]
    pub(crate) fn serve_plain(
        mut self,
        mut tcp: TcpStream,
        tls: Option<TlsConfig>,
        handshake_timeout: Duration,
    ) -> impl Future<Output = io::Result<()>> + Send {
        async move {
            match (self.converse(&mut tcp).await?, tls) {
                (Stop::StartTls, Some(tls)) => {
                    let stream = handshake(&tls, tcp, handshake_timeout, &self.shutdown).await?;
                    Box::pin(self.serve_tls(stream)).await
                }
                (Stop::Compress(unread), _) => self.serve_compressed(tcp, unread).await,
                (Stop::StartTls | Stop::Close, _) => farewell(tcp).await,
            }
        }
    }

    /// Serves a connection whose handshake is done.
    #[expect(clippy::manual_async_fn, reason = "an async fn has room for its arguments twice")]
    pub(crate) fn serve_tls(mut self, mut stream: TlsStream<TcpStream>) -> impl Future<Output = io::Result<()>> + Send {
        async move {
            let binding = channel_binding(stream.get_ref().1);
            self.machine.handle(Input::TlsUp(binding), now());
            match self.converse(&mut stream).await? {
                Stop::Compress(unread) => self.serve_compressed(stream, unread).await,
                Stop::StartTls | Stop::Close => farewell(stream).await,
            }
        }
    }

    /// Serves the rest of a connection that is compressed from here on. In a box, so that those that never are do not
    /// keep room for it.
    fn serve_compressed<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'a>(
        mut self,
        stream: S,
        unread: Bytes,
    ) -> BoxFuture<'a, io::Result<()>>
    where
        A: 'a,
    {
        Box::pin(async move {
            let mut stream = Compressed::new(stream, unread);
            self.converse(&mut stream).await?;
            farewell(stream.into_inner()).await
        })
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<Stop> {
        loop {
            if let Some(stop) = self.act(stream).await? {
                return Ok(stop);
            }
            self.wait(stream).await?;
        }
    }

    /// Does what the machine wants until it wants nothing; then everything said has been written.
    pub(crate) async fn act<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<Option<Stop>> {
        while let Some(action) = self.machine.next_action() {
            match action {
                Action::Send(bytes) => self.send(stream, &bytes).await?,
                Action::Ask(question) => self.ask(question).await,
                Action::Body(chunk) => Box::pin(self.answerer.body(chunk)).await,
                Action::BodyEnd => self.answerer.body_end().await,
                Action::SendBlob(span) => self.send_blob(stream, span).await?,
                Action::StartTls => {
                    self.flush(stream).await?;
                    return Ok(Some(Stop::StartTls));
                }
                Action::Compress(unread) => {
                    self.flush(stream).await?;
                    return Ok(Some(Stop::Compress(unread)));
                }
                Action::Close => {
                    self.flush(stream).await?;
                    return Ok(Some(Stop::Close));
                }
            }
        }
        self.flush(stream).await?;
        Ok(None)
    }

    async fn ask(&mut self, question: <A::Machine as Machine>::Question) {
        // In a box, as are other long things that most sessions never do or do once: they idle, and own no room for them.
        let mut answer = Box::pin(self.answerer.answer(question));
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = self.shutdown.cancelled(), if !self.told => {
                    self.told = true;
                    self.machine.handle(Input::Shutdown, now());
                }
            }
        };
        self.machine.handle(Input::Answer(answer), now());
    }

    /// Waits for something that does not come from the peer, such as a handshake. `None`: the machine's deadline came
    /// first, and it was told.
    pub(crate) async fn wait_for<T>(&mut self, limit: Duration, coming: impl Future<Output = T>) -> Option<T> {
        let mut coming = std::pin::pin!(coming);
        let begun = now();
        loop {
            let deadline = self.machine.deadline().unwrap_or(begun + limit);
            tokio::select! {
                () = self.shutdown.cancelled(), if !self.told => {
                    self.told = true;
                    self.machine.handle(Input::Shutdown, now());
                }
                came = &mut coming => return Some(came),
                () = sleep_until(deadline.into()) => {
                    self.machine.handle(Input::Tick, now());
                    return None;
                }
            }
        }
    }

    /// Waits until there is something for the machine, and hands it in.
    pub(crate) async fn wait<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        let deadline = self.machine.deadline();
        let tick = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.shutdown.cancelled(), if !self.told => {
                self.told = true;
                self.machine.handle(Input::Shutdown, now());
            }
            read = read_into(stream, &mut self.machine), if !self.eof => self.eof = read? == 0,
            news = self.answerer.news() => self.machine.handle(Input::News(news), now()),
            () = tick => self.machine.handle(Input::Tick, now()),
        }
        Ok(())
    }

    async fn send<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, bytes: &[u8]) -> io::Result<()> {
        if self.out.len() + bytes.len() < GATHER_OCTETS {
            self.out.extend_from_slice(bytes);
            return Ok(());
        }
        self.flush_gathered(stream).await?;
        self.unsent = true;
        write(stream, bytes, self.write_timeout).await?;
        self.unsent = false;
        Ok(())
    }

    async fn send_blob<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, span: BlobSpan) -> io::Result<()> {
        let mut rest = span;
        while rest.octets > 0 {
            let asked = BlobSpan {
                octets: rest.octets.min(BLOB_OCTETS),
                ..rest
            };
            let bytes: Bytes = self.answerer.read_blob(asked).await.unwrap_or_default();
            let octets = bytes.len() as u64;
            if octets == 0 || octets > asked.octets {
                return Err(io::Error::other("a stored body cannot be read"));
            }
            rest.offset += octets;
            rest.octets -= octets;
            self.send(stream, &bytes).await?;
        }
        Ok(())
    }

    async fn flush_gathered<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        self.unsent = true;
        write(stream, &self.out, self.write_timeout).await?;
        self.unsent = false;
        self.out.clear();
        if self.out.capacity() > KEEP_OCTETS {
            self.out = BytesMut::new();
        }
        Ok(())
    }

    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        self.flush_gathered(stream).await?;
        timeout(self.write_timeout, stream.flush()).await?
    }
}

/// Negotiates TLS; a shutdown does not wait for that.
pub(crate) fn handshake<'a>(
    tls: &TlsConfig,
    tcp: TcpStream,
    limit: Duration,
    shutdown: &'a CancellationToken,
) -> BoxFuture<'a, io::Result<TlsStream<TcpStream>>> {
    let accepted = timeout(limit, tls.acceptor().accept(tcp));
    Box::pin(async move {
        tokio::select! {
            () = shutdown.cancelled() => Err(io::ErrorKind::Interrupted.into()),
            stream = accepted => stream?,
        }
    })
}

/// What binds a login to this connection (RFC 9266 §4.2), for TLS 1.3 only: with TLS 1.2 it would be safe only with
/// extensions that not every client has (RFC 9266 §4.2.1).
fn channel_binding(connection: &ServerConnection) -> Option<ChannelBinding> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
    exported.ok().map(ChannelBinding)
}

/// Reads once, straight into the machine. Gives the number of bytes; 0 is the end, which the machine is told too.
async fn read_into<S: AsyncRead + Unpin, M: Machine>(stream: &mut S, machine: &mut M) -> io::Result<usize> {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = std::task::ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer));
            match read {
                Ok(()) if !buffer.filled().is_empty() => machine.handle(Input::Bytes(buffer.filled()), now()),
                Ok(()) => machine.handle(Input::Eof, now()),
                // TLS that ends without a goodbye: whether the last command was whole, the machine knows.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => machine.handle(Input::Eof, now()),
                Err(e) => return Poll::Ready(Err(e)),
            }
            Poll::Ready(Ok(buffer.filled().len()))
        })
    })
    .await
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8], limit: Duration) -> io::Result<()> {
    for chunk in bytes.chunks(WRITE_OCTETS) {
        timeout(limit, stream.write_all(chunk)).await??;
    }
    Ok(())
}

/// Closes our half and lets the peer read our last words.
fn farewell<'a, S: AsyncRead + AsyncWrite + Unpin + Send + 'a>(mut stream: S) -> BoxFuture<'a, io::Result<()>> {
    Box::pin(async move {
        let (limit, mut octets) = FAREWELL;
        let _ = timeout(limit, async {
            stream.shutdown().await?;
            let mut ignored = [0; 1024];
            while octets > 0 {
                match stream.read(&mut ignored).await? {
                    0 => break,
                    count => octets = octets.saturating_sub(count),
                }
            }
            io::Result::Ok(())
        })
        .await;
        Ok(())
    })
}
