//! The file format: lines to steps.

use crate::escape::unescape;
use postroom_wire::ChannelBinding;
use std::time::Duration;

/// One step of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The other side sends this.
    Peer(Vec<u8>),
    /// The machine sends this line.
    SentLine(String),
    /// The machine sends these bytes.
    SentBytes(Vec<u8>),
    Blob(String),
    Body(Vec<u8>),
    BodyEnd,
    Compress,
    Question(String),
    Answer(String),
    News(String),
    Time(Duration),
    Tls(Option<ChannelBinding>),
    Sync,
    Eof,
    Shutdown,
    Close,
}

impl Step {
    /// Whether a pipelining peer waits here for what the machine says.
    pub(crate) fn ends_stretch(&self) -> bool {
        matches!(
            self,
            Self::News(_) | Self::Time(_) | Self::Tls(_) | Self::Sync | Self::Eof | Self::Shutdown
        )
    }
}

/// A way to cut the peer's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Line,
    Byte,
    Pipelined,
}

/// Which of the two lines of a transcript, `C:` or `S:`, the machine under test says; the other is said to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It answers: `S:` is expected.
    Server,
    /// It commands: `C:` is expected.
    Client,
}

impl Side {
    /// The keyword of the lines this side says.
    pub(crate) const fn keyword(self) -> &'static str {
        match self {
            Self::Server => "S",
            Self::Client => "C",
        }
    }
}

/// A transcript file, read.
#[derive(Debug)]
pub(crate) struct Script {
    /// The side that the machine is.
    side: Side,
    pub(crate) options: String,
    pub(crate) modes: Vec<Mode>,
    /// Line number and step.
    pub(crate) steps: Vec<(usize, Step)>,
}

impl Script {
    pub(crate) fn parse(text: &str, side: Side) -> Result<Self, (usize, String)> {
        let mut script = Self {
            side,
            options: String::new(),
            modes: vec![Mode::Line, Mode::Byte, Mode::Pipelined],
            steps: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            script.line(index + 1, line).map_err(|e| (index + 1, e))?;
        }
        Ok(script)
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.trim().is_empty() {
            return Ok(());
        }
        if let Some(comment) = line.strip_prefix('#') {
            return self.comment(comment.trim());
        }
        let (keyword, rest) = line.split_once(':').unwrap_or((line.trim(), ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let step = match keyword {
            "C" | "S" if keyword == self.side.keyword() => Step::SentLine(rest.to_owned()),
            "C" | "S" => Step::Peer(format!("{rest}\r\n").into_bytes()),
            "R" => Step::Peer(unescape(rest)?),
            "L" => Step::SentBytes(unescape(rest)?),
            "BLOB" => Step::Blob(rest.trim().to_owned()),
            "B" => Step::Body(unescape(rest)?),
            "BODYEND" => Step::BodyEnd,
            "COMPRESS" => Step::Compress,
            "Q" => Step::Question(rest.to_owned()),
            "A" => {
                if let Some((_, Step::Answer(before))) = self.steps.last_mut() {
                    before.push('\n');
                    before.push_str(rest);
                    return Ok(());
                }
                Step::Answer(rest.to_owned())
            }
            "N" => Step::News(rest.to_owned()),
            "T" => Step::Time(duration(rest.trim())?),
            "TLS" => Step::Tls(match rest.trim() {
                "" => None,
                "binding" => Some(ChannelBinding([7; 32])),
                _ => return Err(format!("no such step: {line}")),
            }),
            "SYNC" => Step::Sync,
            "E" => Step::Eof,
            "SHUTDOWN" => Step::Shutdown,
            "X" => Step::Close,
            _ => return Err(format!("no such step: {line}")),
        };
        self.steps.push((number, step));
        Ok(())
    }

    fn comment(&mut self, comment: &str) -> Result<(), String> {
        if let Some(options) = comment.strip_prefix("options:") {
            self.options = options.trim().to_owned();
        } else if let Some(modes) = comment.strip_prefix("modes:") {
            self.modes = modes
                .split_whitespace()
                .map(|mode| match mode {
                    "line" => Ok(Mode::Line),
                    "byte" => Ok(Mode::Byte),
                    "pipelined" => Ok(Mode::Pipelined),
                    _ => Err(format!("no such mode: {mode}")),
                })
                .collect::<Result<_, _>>()?;
        }
        Ok(())
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("bad time {text}, expected for example +5m");
    let number = text.strip_prefix('+').ok_or_else(bad)?;
    let (number, seconds) = match number.chars().last() {
        Some('s') => (&number[..number.len() - 1], 1),
        Some('m') => (&number[..number.len() - 1], 60),
        Some('h') => (&number[..number.len() - 1], 3600),
        _ => return Err(bad()),
    };
    Ok(Duration::from_secs(number.parse::<u64>().map_err(|_| bad())? * seconds))
}

/// All bytes that a transcript sends to a machine of this side, as a seed for fuzzing. Lines that are no steps are
/// left out.
#[must_use]
pub fn peer_bytes(transcript: &str, side: Side) -> Vec<u8> {
    let steps = Script::parse(transcript, side)
        .map(|script| script.steps)
        .unwrap_or_default();
    let peer = steps.into_iter().filter_map(|(_, step)| match step {
        Step::Peer(bytes) => Some(bytes),
        _ => None,
    });
    peer.flatten().collect()
}
