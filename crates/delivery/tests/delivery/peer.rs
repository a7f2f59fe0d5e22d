//! Another server, as bad as the test wants it.

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// What a peer says to something it heard.
pub(crate) enum Say {
    /// This line, or these; CRLF is added.
    Reply(String),
    /// Nothing, and closes.
    Close,
    /// This, and closes.
    Last(String),
    /// This, later.
    After(std::time::Duration, String),
    /// This, and then neither reads nor writes.
    Stall(String),
    /// Nothing at all.
    Silence,
}

/// Answers `` (the greeting), a command line, or `.` (the end of the content).
pub(crate) type Script = Arc<dyn Fn(&Heard<'_>) -> Option<Say> + Send + Sync>;

/// What a peer hears.
pub(crate) struct Heard<'h> {
    /// The line.
    pub(crate) line: &'h str,
    /// Which session of this peer, from 1.
    pub(crate) session: usize,
    /// Transactions that this session has taken.
    pub(crate) taken: usize,
}

/// A message that a peer took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) session: usize,
    pub(crate) mail: String,
    pub(crate) rcpt: Vec<String>,
    pub(crate) content: String,
}

/// What a peer saw, shared by all of its sessions.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sessions: usize,
    pub(crate) open: usize,
    pub(crate) most_open: usize,
    pub(crate) lines: Vec<String>,
    pub(crate) taken: Vec<Taken>,
}

/// One server.
#[derive(Clone)]
pub(crate) struct Peer {
    script: Script,
    tls: Option<Arc<ServerConfig>>,
    implicit: bool,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl Peer {
    /// One that takes everything, without TLS.
    pub(crate) fn new() -> Self {
        Self {
            script: Arc::new(|_| None),
            tls: None,
            implicit: false,
            seen: Arc::default(),
        }
    }

    /// One that says something else at some points.
    pub(crate) fn with(self, script: impl Fn(&Heard<'_>) -> Option<Say> + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            ..self
        }
    }

    /// One that replies this wherever a line begins so; the greeting is the empty line.
    pub(crate) fn replying(self, begins: &'static str, reply: &'static str) -> Self {
        self.with(move |heard| {
            let fits = if begins.is_empty() {
                heard.line.is_empty()
            } else {
                heard.line.starts_with(begins)
            };
            fits.then(|| Say::Reply(reply.to_owned()))
        })
    }

    /// One with STARTTLS, or with TLS before the first byte.
    pub(crate) fn over_tls(self, config: Arc<ServerConfig>, implicit: bool) -> Self {
        Self {
            tls: Some(config),
            implicit,
            ..self
        }
    }

    pub(crate) fn sessions(&self) -> usize {
        self.seen.lock().expect("not poisoned").sessions
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").lines.clone()
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.seen.lock().expect("not poisoned").taken.clone()
    }

    /// Serves one connection.
    pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let session = {
            let mut seen = self.seen.lock().expect("not poisoned");
            seen.sessions += 1;
            seen.open += 1;
            seen.most_open = seen.most_open.max(seen.open);
            seen.sessions
        };
        let _ = self.session(stream, session).await;
        self.seen.lock().expect("not poisoned").open -= 1;
    }

    async fn session<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, number: usize) -> std::io::Result<()> {
        let mut session = Session {
            peer: self,
            number,
            mail: String::new(),
            rcpt: Vec::new(),
            taken: 0,
        };
        let Some(config) = &self.tls else {
            return session.talk(stream, false, true).await.map(|_| ());
        };
        if self.implicit {
            let stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
            return session.talk(stream, true, true).await.map(|_| ());
        }
        if let Some(stream) = session.talk(stream, false, true).await? {
            let stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
            session.talk(stream, true, false).await?;
        }
        Ok(())
    }
}

struct Session<'p> {
    peer: &'p Peer,
    number: usize,
    mail: String,
    rcpt: Vec<String>,
    taken: usize,
}

impl Session<'_> {
    /// Gives the stream back after STARTTLS.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut stream: S,
        secured: bool,
        greet: bool,
    ) -> std::io::Result<Option<S>> {
        let mut buffer = Vec::new();
        let mut line = String::new();
        if !greet {
            line = read_line(&mut stream, &mut buffer).await?;
        }
        loop {
            let script = self.peer.script.clone();
            let heard = Heard {
                line: &line,
                session: self.number,
                taken: self.taken,
            };
            let said = script(&heard).unwrap_or_else(|| Say::Reply(self.usual(&line, secured)));
            let reply = match said {
                Say::Reply(reply) => reply,
                Say::Close => return Ok(None),
                Say::Last(reply) => {
                    stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
                    return Ok(None);
                }
                Say::After(wait, reply) => {
                    tokio::time::sleep(wait).await;
                    reply
                }
                Say::Stall(reply) => {
                    stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
                    std::future::pending().await
                }
                Say::Silence => std::future::pending().await,
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
            stream.flush().await?;
            if line == "QUIT" || reply.starts_with("421") {
                return Ok(None);
            }
            if line == "STARTTLS" && reply.starts_with("220") {
                return Ok(Some(stream));
            }
            if line == "DATA" && reply.starts_with("354") {
                let mut content = String::new();
                loop {
                    let next = read_line(&mut stream, &mut buffer).await?;
                    if next == "." {
                        break;
                    }
                    content += next.strip_prefix('.').unwrap_or(&next);
                    content += "\r\n";
                }
                self.taken(&content);
                ".".clone_into(&mut line);
                continue;
            }
            line = read_line(&mut stream, &mut buffer).await?;
            self.peer.seen.lock().expect("not poisoned").lines.push(line.clone());
        }
    }

    fn usual(&mut self, line: &str, secured: bool) -> String {
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        match verb {
            "" => "220 peer.example ESMTP".into(),
            "EHLO" if self.peer.tls.is_some() && !secured => {
                "250-peer.example\r\n250-PIPELINING\r\n250 STARTTLS".into()
            }
            "EHLO" => "250-peer.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH PLAIN".into(),
            "AUTH" => "235 2.7.0 welcome".into(),
            "MAIL" => {
                line[10..]
                    .split(' ')
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut self.mail);
                self.rcpt.clear();
                "250 2.1.0 OK".into()
            }
            "RCPT" => {
                self.rcpt.push(line[8..].to_owned());
                "250 2.1.5 OK".into()
            }
            "DATA" => "354 go on".into(),
            "." => "250 2.6.0 taken".into(),
            "STARTTLS" => "220 go on".into(),
            "QUIT" => "221 bye".into(),
            "RSET" => "250 OK".into(),
            _ => "500 what?".into(),
        }
    }

    fn taken(&mut self, content: &str) {
        self.taken += 1;
        self.peer.seen.lock().expect("not poisoned").taken.push(Taken {
            session: self.number,
            mail: self.mail.clone(),
            rcpt: self.rcpt.clone(),
            content: content.to_owned(),
        });
    }
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> std::io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 2);
            return Ok(line);
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            octets => buffer.extend_from_slice(&chunk[..octets]),
        }
    }
}

/// An authority of our own, and the settings of a server with its certificate for this name.
pub(crate) fn authority_and_server(name: &str) -> (String, Arc<ServerConfig>) {
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let authority_certificate = authority.self_signed(&authority_key).expect("signed");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec![name.to_owned()])
        .expect("a name")
        .signed_by(&key, &issuer)
        .expect("signed");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a pair");
    (authority_certificate.pem(), Arc::new(config))
}
