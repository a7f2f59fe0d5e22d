//! One connection of a scripted server.

use super::behaviour::{Behaviour, Point, Tls, Trouble};
use super::{RemoteMx, Taken};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader, DuplexStream};
use tokio::time::sleep;

/// How long a server is silent before it gives up.
pub(super) const SILENCE: Duration = Duration::from_secs(3_600);
/// How much of the content is read before trouble with it begins.
const CONTENT_OCTETS: usize = 10;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why a dialogue ended.
pub(super) struct Over;

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self
    }
}

pub(super) struct Session<'m> {
    mx: &'m RemoteMx,
    pub(super) behaviour: Behaviour,
    pub(super) stream: BufReader<Box<dyn Stream>>,
    tls: bool,
    messages: usize,
    reverse_path: Option<String>,
    recipients: Vec<String>,
    /// Recipients named in this transaction.
    named: usize,
}

impl<'m> Session<'m> {
    pub(super) fn new(mx: &'m RemoteMx, behaviour: Behaviour, stream: DuplexStream) -> Self {
        Self {
            mx,
            behaviour,
            stream: BufReader::new(Box::new(stream)),
            tls: false,
            messages: 0,
            reverse_path: None,
            recipients: Vec::new(),
            named: 0,
        }
    }

    pub(super) async fn run(mut self) -> Result<(), Over> {
        let greeting = format!("220 {} ESMTP", self.mx.name);
        self.reply(Point::Greeting, &greeting).await?;
        loop {
            let line = self.line().await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            self.check_turn(&verb);
            match verb.as_str() {
                "EHLO" => self.on_ehlo().await?,
                "HELO" => self.reply(Point::Hello, "250 Hello").await.map(drop)?,
                "STARTTLS" if self.behaviour.tls != Tls::None && !self.tls => self.on_starttls().await?,
                "MAIL" => self.on_mail(&line).await?,
                "RCPT" => self.on_rcpt(&line).await?,
                "DATA" => self.on_data().await?,
                "RSET" => {
                    self.forget();
                    self.say("250 2.0.0 OK").await?;
                }
                "QUIT" => {
                    self.say("221 2.0.0 Bye").await?;
                    return Ok(());
                }
                _ => self.say("500 5.5.1 What?").await?,
            }
        }
    }

    /// Without PIPELINING a client waits for each reply; some commands are the last of a group always (RFC 2920 §3.1).
    fn check_turn(&self, verb: &str) {
        let waits = !self.behaviour.pipelining || matches!(verb, "EHLO" | "DATA" | "STARTTLS" | "QUIT");
        if waits && !self.stream.buffer().is_empty() {
            self.fault(&format!("did not wait for the reply to {verb}"));
        }
    }

    async fn on_ehlo(&mut self) -> Result<(), Over> {
        let mut lines = vec!["250-8BITMIME"];
        if self.behaviour.pipelining {
            lines.push("250-PIPELINING");
        }
        if self.behaviour.tls != Tls::None && !self.tls {
            lines.push("250-STARTTLS");
        }
        let reply = format!("250-{}\r\n{}\r\n250 SIZE 10000000", self.mx.name, lines.join("\r\n"));
        self.forget();
        self.reply(Point::Hello, &reply).await.map(drop)
    }

    async fn on_starttls(&mut self) -> Result<(), Over> {
        let usual = match self.behaviour.tls {
            Tls::Injected => "220 Go ahead\r\n250 evil.example",
            _ => "220 Go ahead",
        };
        if !self.reply(Point::StartTls, usual).await? {
            return Ok(());
        }
        let acceptor = match self.behaviour.tls {
            Tls::None | Tls::Good => self.mx.acceptor(true),
            Tls::WrongName => self.mx.acceptor(false),
            Tls::Garbage => {
                self.stream.read_u8().await?;
                self.say("This is no handshake").await?;
                return Err(Over);
            }
            Tls::Cut | Tls::Injected => {
                self.stream.read_u8().await?;
                return Err(Over);
            }
            Tls::Silence => {
                sleep(SILENCE).await;
                return Err(Over);
            }
        };
        let nothing: Box<dyn Stream> = Box::new(tokio::io::empty());
        let plain = std::mem::replace(&mut self.stream, BufReader::new(nothing)).into_inner();
        let stream = acceptor.accept(plain).await?;
        self.stream = BufReader::new(Box::new(stream));
        self.tls = true;
        Ok(())
    }

    async fn on_mail(&mut self, line: &str) -> Result<(), Over> {
        if self.messages >= self.behaviour.messages {
            self.say("421 4.7.0 Enough for one connection").await?;
            return Err(Over);
        }
        if self.reverse_path.is_some() {
            self.fault("MAIL within a transaction");
        }
        if self.reply(Point::Mail, "250 2.1.0 OK").await? {
            self.forget();
            self.reverse_path = Some(path(line));
        }
        Ok(())
    }

    async fn on_rcpt(&mut self, line: &str) -> Result<(), Over> {
        if self.reverse_path.is_none() {
            return self.say("503 5.5.1 MAIL first").await;
        }
        let recipient = path(line);
        self.named += 1;
        if recipient.starts_with("gone") {
            return self.say("550 5.1.1 No such user").await;
        }
        if recipient.starts_with("full") {
            return self.say("452 4.2.2 Mailbox full").await;
        }
        if let Some(wait) = self.behaviour.greylist
            && self.mx.is_greylisted(&recipient, wait)
        {
            return self.say("451 4.7.1 Greylisted").await;
        }
        // One recipient has the trouble, so that results are mixed.
        if self.named > 1 || self.reply(Point::Recipient, "250 2.1.5 OK").await? {
            if self.named > 1 {
                self.say("250 2.1.5 OK").await?;
            }
            self.recipients.push(recipient);
        }
        Ok(())
    }

    async fn on_data(&mut self) -> Result<(), Over> {
        if self.recipients.is_empty() {
            return self.say("503 5.5.1 RCPT first").await;
        }
        if !self.reply(Point::Data, "354 Go ahead").await? {
            return Ok(());
        }
        if let Some((Point::Content, trouble)) = self.behaviour.trouble {
            if trouble != Trouble::Silence {
                self.stream.read_exact(&mut [0; CONTENT_OCTETS]).await?;
            }
            self.trouble(trouble).await?;
            return Err(Over);
        }
        let content = self.content().await?;
        // What is taken is taken before it is said.
        let taken = match self.behaviour.trouble {
            Some((Point::Final, Trouble::Reply(_))) => 0..0,
            _ => self.take(&content),
        };
        if self.reply(Point::Final, "250 2.0.0 Taken").await? {
            for taken in &mut self.mx.state().taken[taken] {
                taken.acknowledged = true;
            }
        }
        self.messages += 1;
        self.forget();
        Ok(())
    }

    /// Reads up to the final dot.
    async fn content(&mut self) -> Result<Vec<u8>, Over> {
        let mut content = Vec::new();
        loop {
            let mut line = Vec::new();
            self.stream.read_until(b'\n', &mut line).await?;
            let Some(text) = line.strip_suffix(b"\r\n") else {
                if line.ends_with(b"\n") {
                    self.fault("a bare LF in the content");
                    continue;
                }
                return Err(Over);
            };
            if text.contains(&b'\r') {
                self.fault("a bare CR in the content");
            }
            if text == b"." {
                return Ok(content);
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// Gives the places in the list.
    fn take(&self, content: &[u8]) -> Range<usize> {
        let content: Arc<[u8]> = content.into();
        let mut state = self.mx.state();
        let from = state.taken.len();
        for recipient in &self.recipients {
            state.taken.push(Taken {
                message_id: message_id(&content),
                reverse_path: self.reverse_path.clone().unwrap_or_default(),
                recipient: recipient.clone(),
                content: content.clone(),
                acknowledged: false,
                tls: self.tls,
                at: self.mx.begun.elapsed(),
            });
        }
        from..state.taken.len()
    }

    fn forget(&mut self) {
        self.reverse_path = None;
        self.recipients.clear();
        self.named = 0;
    }

    pub(super) fn fault(&self, what: &str) {
        self.mx.state().faults.push(what.to_owned());
    }
}

/// What stands between the angle brackets.
fn path(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    inside.map_or_else(String::new, |(path, _)| path.to_owned())
}

/// What stands in the Message-ID field, without angle brackets.
fn message_id(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let header = text.split("\r\n\r\n").next().unwrap_or_default();
    let field = header
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("message-id:"));
    field.map_or_else(String::new, path)
}
