//! The file format: lines to steps.

use crate::escape::unescape;
use std::time::Duration;

/// One step of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Client(Vec<u8>),
    ServerLine(String),
    ServerBytes(Vec<u8>),
    Blob(String),
    Body(Vec<u8>),
    BodyEnd,
    Question(String),
    Answer(String),
    News(String),
    Time(Duration),
    Tls,
    Sync,
    Eof,
    Shutdown,
    Close,
}

impl Step {
    /// Whether a pipelining client waits here for what the server says.
    pub(crate) fn ends_stretch(&self) -> bool {
        matches!(
            self,
            Self::News(_) | Self::Time(_) | Self::Tls | Self::Sync | Self::Eof | Self::Shutdown
        )
    }
}

/// A way to cut the client's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Line,
    Byte,
    Pipelined,
}

/// A transcript file, read.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) options: String,
    pub(crate) modes: Vec<Mode>,
    /// Line number and step.
    pub(crate) steps: Vec<(usize, Step)>,
}

impl Script {
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut script = Self {
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
            "C" => Step::Client(format!("{rest}\r\n").into_bytes()),
            "R" => Step::Client(unescape(rest)?),
            "S" => Step::ServerLine(rest.to_owned()),
            "L" => Step::ServerBytes(unescape(rest)?),
            "BLOB" => Step::Blob(rest.trim().to_owned()),
            "B" => Step::Body(unescape(rest)?),
            "BODYEND" => Step::BodyEnd,
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
            "TLS" => Step::Tls,
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

/// All bytes the client sends in a transcript, as a seed for fuzzing. Lines that are no steps are left out.
#[must_use]
pub fn client_bytes(transcript: &str) -> Vec<u8> {
    let steps = Script::parse(transcript).map(|script| script.steps).unwrap_or_default();
    let client = steps.into_iter().filter_map(|(_, step)| match step {
        Step::Client(bytes) => Some(bytes),
        _ => None,
    });
    client.flatten().collect()
}
