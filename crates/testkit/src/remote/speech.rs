//! How a scripted server listens and speaks, and how it fails to.

use super::behaviour::{Point, Trouble};
use super::session::{Over, SILENCE, Session};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// How many thousand octets a line without an end has: more than a client may wait for.
const LONG_LINE_PIECES: usize = 10_000;
/// How often a reply without an end goes on.
const ENDLESS_LINES: usize = 1_000_000;

impl Session<'_> {
    /// The next command.
    pub(super) async fn line(&mut self) -> Result<String, Over> {
        let mut line = Vec::new();
        let read = timeout(self.behaviour.idle, self.stream.read_until(b'\n', &mut line)).await;
        if read.is_err() {
            self.say("421 4.4.2 Idle too long").await?;
            return Err(Over);
        }
        let Some(text) = line.strip_suffix(b"\r\n") else {
            if !line.is_empty() {
                self.fault("a command without CRLF");
            }
            return Err(Over);
        };
        String::from_utf8(text.to_vec()).map_err(|_| Over)
    }

    /// Says this, or what the behaviour has instead. `true`: this was said.
    pub(super) async fn reply(&mut self, point: Point, usual: &str) -> Result<bool, Over> {
        match self.behaviour.trouble {
            Some((at, trouble)) if at == point => self.trouble(trouble).await.map(|()| false),
            _ => self.say(usual).await.map(|()| true),
        }
    }

    pub(super) async fn trouble(&mut self, trouble: Trouble) -> Result<(), Over> {
        match trouble {
            Trouble::Reply(code) => {
                let class = code / 100;
                self.say(&format!("{code} {class}.7.1 As the script says")).await?;
                if code == 421 { Err(Over) } else { Ok(()) }
            }
            Trouble::Silence => {
                sleep(SILENCE).await;
                Err(Over)
            }
            Trouble::HangUp => Err(Over),
            Trouble::EndlessReply => {
                for _ in 0..ENDLESS_LINES {
                    self.say("250-and so on").await?;
                }
                Err(Over)
            }
            Trouble::LongLine => {
                self.stream.write_all(b"250 ").await?;
                for _ in 0..LONG_LINE_PIECES {
                    self.stream.write_all(&[b'x'; 1_000]).await?;
                }
                Err(Over)
            }
            Trouble::Nonsense => {
                self.say("* OK IMAP4rev1 ready").await?;
                Err(Over)
            }
        }
    }

    pub(super) async fn say(&mut self, line: &str) -> Result<(), Over> {
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        Ok(self.stream.flush().await?)
    }
}
