//! The driver under DEFLATE, with a toy machine and a client that compresses by itself.

mod toy;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use postroom_imap_proto::{Answer, News, Options, Question};
use postroom_net::{Answerer, CancellationToken, Limits, ListenerOptions, Peer, TlsConfig, serve};
use postroom_types::BlobSpan;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use toy::{Server, certificate, connector_of, localhost, rest, server, talk};

/// The other end of a compressed stream.
struct Client<S> {
    stream: S,
    compress: Compress,
    decompress: Decompress,
    /// Inflated and not yet looked at.
    heard: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// The stream is compressed from here on.
    fn over(stream: S) -> Self {
        Self {
            stream,
            compress: Compress::new(Compression::new(6), false),
            decompress: Decompress::new(false),
            heard: Vec::new(),
        }
    }

    async fn begin(mut stream: S) -> Self {
        stream.write_all(b"compress\r\n").await.expect("sent");
        Self::over(stream)
    }

    fn compressed(&mut self, text: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::new();
        let before = self.compress.total_in();
        loop {
            out.reserve(text.len() + 1024);
            let rest = &text[(self.compress.total_in() - before) as usize..];
            let status = self.compress.compress_vec(rest, &mut out, flush);
            status.expect("a good stream");
            if out.len() < out.capacity() {
                return out;
            }
        }
    }

    async fn say(&mut self, text: &[u8]) {
        let bytes = self.compressed(text, FlushCompress::Sync);
        self.stream.write_all(&bytes).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    /// Reads once and inflates it; `false`: the end.
    async fn listen(&mut self) -> bool {
        let mut bytes = vec![0; 10_000];
        let read = self.stream.read(&mut bytes).await.expect("read");
        let mut input = &bytes[..read];
        let mut out = vec![0; 1 << 20];
        loop {
            let (before_in, before_out) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self.decompress.decompress(input, &mut out, FlushDecompress::None);
            let status = status.expect("a good stream");
            let given = (self.decompress.total_out() - before_out) as usize;
            input = &input[(self.decompress.total_in() - before_in) as usize..];
            self.heard.extend_from_slice(&out[..given]);
            assert_ne!(status, Status::StreamEnd, "the server's stream has no end of its own");
            if given < out.len() {
                return read > 0;
            }
        }
    }

    async fn hears(&mut self, expected: &[u8]) {
        while self.heard.len() < expected.len() && self.listen().await {}
        let shown = String::from_utf8_lossy(&self.heard[..self.heard.len().min(200)]).into_owned();
        assert!(self.heard.starts_with(expected), "{shown}");
        self.heard.drain(..expected.len());
    }

    async fn talk(&mut self, say: &str, expected: &str) {
        self.say(say.as_bytes()).await;
        self.hears(expected.as_bytes()).await;
    }

    async fn hears_the_end(&mut self) {
        while self.listen().await {}
        assert_eq!(String::from_utf8_lossy(&self.heard), "");
    }
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.expect("connected")
}

/// A conversation that has a little of everything.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, tls: bool) {
    let mut client = Client::begin(stream).await;
    client.talk("hello\r\n", &format!("hello tls={tls}\r\n")).await;
    client
        .talk(
            "body abc\r\nbody de\r\nask what\r\nx\r\n",
            &format!("what abc.de.\r\nx tls={tls}\r\n"),
        )
        .await;
    client
        .talk("ask news\r\n", "news abc.de.\r\nsomething happened\r\n")
        .await;
    client.talk("time 20\r\n", "tick\r\n").await;
    client
        .say(b"first\r\nblob 3000000\r\nlast\r\nquit\r\nnot read\r\n")
        .await;
    let mut expected = format!("first tls={tls}\r\n").into_bytes();
    expected.extend((0..3_000_000_u32).map(|at| at as u8));
    expected.extend_from_slice(format!("last tls={tls}\r\n").as_bytes());
    client.hears(&expected).await;
    client.hears_the_end().await;
}

#[tokio::test]
async fn over_plain_and_over_tls() {
    let (cert, key, trusted) = certificate();
    let tls = TlsConfig::from_pem(cert.as_bytes(), key.as_bytes(), false).expect("a good pair");
    let clear = server(ListenerOptions::default());
    let secure = server(ListenerOptions {
        tls: Some(tls),
        implicit_tls: true,
        ..ListenerOptions::default()
    });
    let (clear, secure) = tokio::join!(clear, secure);
    converse(connect(&clear).await, false).await;
    for version in [
        &tokio_rustls::rustls::version::TLS13,
        &tokio_rustls::rustls::version::TLS12,
    ] {
        let connector = connector_of(trusted.clone(), &[version]);
        let stream = connector.connect(localhost(), connect(&secure).await).await;
        converse(stream.expect("a handshake"), true).await;
    }
}

#[tokio::test]
async fn what_was_said_before_goes_in_clear() {
    let server = server(ListenerOptions::default()).await;
    let mut stream = connect(&server).await;
    talk(&mut stream, "hello\r\ncompress\r\n", "hello tls=false\r\n").await;
    let mut client = Client::over(stream);
    client.talk("a\r\nb\r\n", "a tls=false\r\nb tls=false\r\n").await;
}

#[tokio::test]
async fn any_split_and_any_flush_mean_the_same() {
    let server = server(ListenerOptions::default()).await;
    let mut seed = 1_u64;
    let mut random = move |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..20 {
        let mut client = Client::begin(connect(&server).await).await;
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for number in 0..random(30) {
            let flush = match random(4) {
                0 => FlushCompress::None,
                1 => FlushCompress::Partial,
                2 => FlushCompress::Full,
                _ => FlushCompress::Sync,
            };
            let noise = random(1 << 30);
            let (say, answer) = match random(4) {
                0 => {
                    let octets = random(70_000);
                    let blob: Vec<u8> = (0..octets).map(|at| at as u8).collect();
                    (format!("blob {octets}\r\n"), blob)
                }
                1 => {
                    let body = "body xyz\r\n".repeat(random(200) as usize);
                    (body, Vec::new())
                }
                _ => (
                    format!("{number} {noise:x}\r\n"),
                    format!("{number} {noise:x} tls=false\r\n").into_bytes(),
                ),
            };
            wire.extend(client.compressed(say.as_bytes(), flush));
            expected.extend(answer);
        }
        wire.extend(client.compressed(b"quit\r\n", FlushCompress::Sync));
        let (mut from, mut to) = tokio::io::split(client.stream);
        let said = async {
            while !wire.is_empty() {
                let most = if random(2) == 0 { 3 } else { 2_000 };
                let size = 1 + random(wire.len().min(most) as u64);
                to.write_all(&wire[..size as usize]).await.expect("sent");
                wire.drain(..size as usize);
                tokio::task::yield_now().await;
            }
        };
        let heard = async {
            let mut heard = Vec::new();
            from.read_to_end(&mut heard).await.expect("a clean end");
            heard
        };
        let ((), heard) = tokio::join!(said, heard);
        let mut inflated = Vec::with_capacity(expected.len() + 1024);
        client
            .decompress
            .decompress_vec(&heard, &mut inflated, FlushDecompress::Sync)
            .expect("a good stream");
        assert!(
            inflated == expected,
            "{} octets instead of {}",
            inflated.len(),
            expected.len()
        );
    }
}

/// 256 MiB that come as some 260 kB: handed on in small pieces, and others are served meanwhile.
#[tokio::test]
async fn a_bomb_comes_in_pieces() {
    const OCTETS: usize = 256 << 20;
    let server = server(ListenerOptions::default()).await;
    let mut client = Client::begin(connect(&server).await).await;
    client.say(format!("count {OCTETS}\r\n").as_bytes()).await;
    let mut wire = Vec::new();
    for _ in 0..OCTETS >> 20 {
        wire.extend(client.compressed(&vec![0; 1 << 20], FlushCompress::None));
    }
    wire.extend(client.compressed(b"after\r\n", FlushCompress::Sync));
    assert!(wire.len() < OCTETS / 900);
    let mut other = connect(&server).await;
    let (from, mut to) = tokio::io::split(client.stream);
    let sent = tokio::spawn(async move {
        to.write_all(&wire).await.expect("sent");
        to
    });
    for _ in 0..5 {
        timeout(
            Duration::from_secs(2),
            talk(&mut other, "hello\r\n", "hello tls=false\r\n"),
        )
        .await
        .expect("served meanwhile");
    }
    let to = sent.await.expect("sent");
    client.stream = from.unsplit(to);
    client.hears(b"at most 65536\r\nafter tls=false\r\n").await;
}

#[tokio::test]
async fn what_is_broken_or_cut_off_ends_the_conversation() {
    let server = server(ListenerOptions::default()).await;
    // A block of a kind that does not exist: what came before it is answered.
    let mut client = Client::begin(connect(&server).await).await;
    let mut wire = client.compressed(b"hello\r\nto be contin", FlushCompress::Sync);
    wire.extend_from_slice(&[0x07; 100]);
    client.stream.write_all(&wire).await.expect("sent");
    client.hears(b"hello tls=false\r\n").await;
    client.hears_the_end().await;

    // The peer's stream has an end of its own; what follows is nothing.
    let mut client = Client::begin(connect(&server).await).await;
    let mut wire = client.compressed(b"hello\r\n", FlushCompress::Finish);
    wire.extend_from_slice(b"hello\r\n");
    client.stream.write_all(&wire).await.expect("sent");
    client.hears(b"hello tls=false\r\n").await;
    client.hears_the_end().await;

    // Cut off in the middle of a block.
    let mut client = Client::begin(connect(&server).await).await;
    let wire = client.compressed(b"hello\r\nhello again, hello, hello again\r\n", FlushCompress::Sync);
    client.stream.write_all(&wire[..wire.len() - 12]).await.expect("sent");
    client.stream.shutdown().await.expect("closed");
    client.hears_the_end_or(b"hello tls=false\r\n").await;
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// How much of a cut block is understood is up to the decompressor.
    async fn hears_the_end_or(&mut self, whole: &[u8]) {
        while self.listen().await {}
        assert!(self.heard.is_empty() || self.heard == whole, "{:?}", self.heard);
    }
}

#[tokio::test]
async fn what_is_pipelined_is_the_beginning_of_what_is_compressed() {
    let server = server(ListenerOptions::default()).await;
    let mut client = Client::over(connect(&server).await);
    let mut wire = b"compress\r\n".to_vec();
    wire.extend(client.compressed(b"a\r\nb\r\n", FlushCompress::Sync));
    client.stream.write_all(&wire).await.expect("sent");
    client.hears(b"a tls=false\r\nb tls=false\r\n").await;

    // In clear it makes no sense, and is not run.
    let mut stream = connect(&server).await;
    stream.write_all(b"compress\r\nhello\r\n").await.expect("sent");
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed() {
    let server = server(ListenerOptions {
        limits: Limits {
            write_timeout: Duration::from_millis(100),
            ..Limits::default()
        },
        ..ListenerOptions::default()
    })
    .await;
    let mut client = Client::begin(connect(&server).await).await;
    client.say(b"noise 1000000000\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.shutdown.cancel();
    timeout(Duration::from_secs(5), server.task)
        .await
        .expect("ended")
        .expect("no panic");
}

#[tokio::test]
async fn shutdown_says_goodbye() {
    let server = server(ListenerOptions::default()).await;
    let mut client = Client::begin(connect(&server).await).await;
    client.talk("a\r\n", "a tls=false\r\n").await;
    server.shutdown.cancel();
    client.hears(b"bye\r\n").await;
    client.hears_the_end().await;
    drop(client);
    timeout(Duration::from_secs(5), server.task)
        .await
        .expect("ended")
        .expect("no panic");
}

/// Lets everybody in.
struct Welcome;

impl Answerer for Welcome {
    type Machine = postroom_imap_proto::Server;

    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Login(_) => Answer::Login(Ok(None)),
            _ => Answer::Done(Ok(())),
        }
    }

    async fn body(&mut self, _: bytes::Bytes) {}

    async fn body_end(&mut self) {}

    async fn news(&mut self) -> News {
        std::future::pending().await
    }

    async fn read_blob(&mut self, _: BlobSpan) -> Option<bytes::Bytes> {
        None
    }
}

/// RFC 4978 §3, with the machine that speaks it.
#[tokio::test]
async fn imap() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let make = |_: &Peer| {
        let options = Options {
            allow_plaintext_login: true,
            ..Options::default()
        };
        let now = tokio::time::Instant::now().into_std();
        (postroom_imap_proto::Server::new(options.into(), None, now), Welcome)
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(serve::<Welcome, _>(
        listener,
        ListenerOptions::default(),
        make,
        shutdown,
    ));
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream
        .write_all(b"b login arnt tnra\r\nc compress deflate\r\n")
        .await
        .expect("sent");
    let mut heard = Vec::new();
    while !heard.ends_with(b"c OK DEFLATE active\r\n") {
        assert!(stream.read_buf(&mut heard).await.expect("read") > 0);
    }
    let mut client = Client::over(stream);
    client.talk("d NOOP\r\n", "d OK NOOP completed\r\n").await;
    client
        .talk(
            "e COMPRESS DEFLATE\r\nf SUBSCRIBE {3+}\r\nfoo\r\n",
            "e NO [COMPRESSIONACTIVE] DEFLATE is active already\r\nf OK SUBSCRIBE completed\r\n",
        )
        .await;
    client
        .talk("g LOGOUT\r\n", "* BYE Logging out\r\ng OK LOGOUT completed\r\n")
        .await;
    client.hears_the_end().await;
}
