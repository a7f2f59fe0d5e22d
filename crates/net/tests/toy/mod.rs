//! A toy machine, one word per line, each asking the driver for one thing; and what serves and dials it.

use bytes::Bytes;
use postroom_net::{Answerer, CancellationToken, ListenerOptions, Peer, serve};
use postroom_types::{BlobId, BlobSpan};
use postroom_wire::{Action, ChannelBinding, Input, LineBuffer, Machine};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

/// The first octet of the id of a body that cannot be compressed.
const NOISE: u8 = 8;

#[derive(Default)]
pub(crate) struct Toy {
    lines: LineBuffer,
    asking: bool,
    tls: bool,
    binding: Option<ChannelBinding>,
    actions: VecDeque<Action<String>>,
    /// So many octets are counted and not read, and the most that came at once.
    counting: (usize, usize),
    deadline: Option<Instant>,
}

impl Toy {
    fn say(&mut self, text: String) {
        self.actions.push_back(Action::Send(Bytes::from(text + "\r\n")));
    }

    fn send_blob(&mut self, id: u8, octets: &str) {
        self.actions.push_back(Action::SendBlob(BlobSpan {
            id: BlobId([id; 16]),
            offset: 0,
            octets: octets.parse().expect("a number"),
        }));
    }

    fn count(&mut self, bytes: &[u8]) {
        let (left, most) = &mut self.counting;
        let count = (*left).min(bytes.len());
        *left -= count;
        *most = bytes.len().max(*most);
        if *left == 0 {
            let most = *most;
            self.say(format!("at most {most}"));
        }
        self.lines.push(&bytes[count..]);
    }

    fn word(&mut self, word: &str) {
        match word.split_once(' ').unwrap_or((word, "")) {
            ("blob", octets) => self.send_blob(7, octets),
            ("noise", octets) => self.send_blob(NOISE, octets),
            ("count", octets) => self.counting = (octets.parse().expect("a number"), 0),
            ("body", text) => {
                self.actions
                    .push_back(Action::Body(Bytes::copy_from_slice(text.as_bytes())));
                self.actions.push_back(Action::BodyEnd);
            }
            ("compress", _) => {
                let unread = self.lines.take(self.lines.len());
                self.actions.push_back(Action::Compress(unread));
            }
            ("tls", _) => {
                self.lines.clear();
                self.actions.push_back(Action::StartTls);
            }
            ("time", milliseconds) => {
                let wait = Duration::from_millis(milliseconds.parse().expect("a number"));
                self.deadline = Some(Instant::now() + wait);
            }
            ("binding", _) => self.say(format!("{:?}", self.binding)),
            ("quit", _) => self.actions.push_back(Action::Close),
            ("ask", question) => {
                self.asking = true;
                self.actions.push_back(Action::Ask(question.to_owned()));
            }
            _ => self.say(format!("{word} tls={}", self.tls)),
        }
    }
}

impl Machine for Toy {
    type Question = String;
    type Answer = String;
    type News = String;

    fn handle(&mut self, input: Input<'_, String, String>, _now: Instant) {
        match input {
            Input::Bytes(bytes) => {
                assert!(!self.asking, "bytes while a question is open");
                match self.counting {
                    (0, _) => self.lines.push(bytes),
                    _ => self.count(bytes),
                }
            }
            Input::Answer(text) => {
                self.asking = false;
                self.say(text);
            }
            Input::News(text) => self.say(text),
            Input::TlsUp(binding) => {
                self.tls = true;
                self.binding = binding;
            }
            Input::Tick => {
                self.deadline = None;
                self.say("tick".to_owned());
            }
            Input::Eof => self.actions.push_back(Action::Close),
            Input::Shutdown => {
                self.say("bye".to_owned());
                self.actions.push_back(Action::Close);
            }
        }
        while !self.asking
            && let Some(line) = self.lines.next_line(100)
        {
            let line = line.expect("tests send good lines");
            self.word(std::str::from_utf8(&line).expect("tests send text"));
        }
    }

    fn next_action(&mut self) -> Option<Action<String>> {
        self.actions.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// Answers with what the spool holds; `hang` is never answered, `news` brings news a little later.
struct Knows {
    spool: String,
    news: (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>),
}

impl Answerer for Knows {
    type Machine = Toy;

    async fn answer(&mut self, question: String) -> String {
        match question.as_str() {
            "hang" => std::future::pending().await,
            "news" => self
                .news
                .0
                .send("something happened".to_owned())
                .expect("the other end is ours"),
            _ => {}
        }
        format!("{question} {}", self.spool)
    }

    async fn body(&mut self, chunk: Bytes) {
        self.spool
            .push_str(std::str::from_utf8(&chunk).expect("tests send text"));
    }

    async fn body_end(&mut self) {
        self.spool.push('.');
    }

    async fn news(&mut self) -> String {
        self.news.1.recv().await.expect("the sender is ours")
    }

    async fn read_blob(&mut self, span: BlobSpan) -> Option<Bytes> {
        assert!(span.octets <= 256 * 1024, "read in slices");
        let octets = span.octets.min(100_000);
        let octet = |at: u64| match span.id.0[0] {
            // Nothing in it comes again.
            NOISE => {
                (at.wrapping_mul(0x9E37_79B9_7F4A_7C15)
                    .rotate_left(25)
                    .wrapping_mul(at | 1)
                    >> 32) as u8
            }
            _ => at as u8,
        };
        (span.offset < 1 << 30).then(|| (span.offset..span.offset + octets).map(octet).collect())
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

pub(crate) async fn server(options: ListenerOptions) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let make = |_: &Peer| {
        let knows = Knows {
            spool: String::new(),
            news: mpsc::unbounded_channel(),
        };
        (Toy::default(), knows)
    };
    let task = tokio::spawn(serve::<Knows, _>(listener, options, make, shutdown.clone()));
    Server {
        address,
        shutdown,
        task,
    }
}

/// Sends, and reads as many bytes as are expected.
pub(crate) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, send: &str, expected: &str) {
    stream.write_all(send.as_bytes()).await.expect("sent");
    stream.flush().await.expect("sent");
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).await.expect("an answer");
    assert_eq!(String::from_utf8_lossy(&got), expected);
}

pub(crate) async fn rest<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.expect("a clean end");
    rest
}

pub(crate) fn certificate() -> (String, String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    (
        made.cert.pem(),
        made.signing_key.serialize_pem(),
        made.cert.der().clone(),
    )
}

pub(crate) fn connector_of(
    trusted: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).expect("a certificate");
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("known versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}
