//! One machine on stage: treats it as the driver would, and compares what it does with the script.

use crate::escape::escape;
use crate::output::{Output, render, render_span};
use crate::play::Dialect;
use crate::script::{Mode, Step};
use postroom_wire::{Action, Input, Machine};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(crate) struct Stage<'a, D: Dialect> {
    dialect: &'a D,
    machine: D::Machine,
    mode: Mode,
    now: Instant,
    /// Bytes the peer has sent and the machine has not been given.
    pending: VecDeque<u8>,
    outputs: VecDeque<Output>,
    /// While a question is open, the machine is given no bytes.
    question: Option<<D::Machine as Machine>::Question>,
    closed: bool,
    begun: bool,
}

impl<'a, D: Dialect> Stage<'a, D> {
    pub(crate) fn new(dialect: &'a D, options: &str, mode: Mode) -> Self {
        let now = Instant::now();
        Self {
            dialect,
            machine: dialect.machine(options, now),
            mode,
            now,
            pending: VecDeque::new(),
            outputs: VecDeque::new(),
            question: None,
            closed: false,
            begun: false,
        }
    }

    pub(crate) fn run(&mut self, steps: &[(usize, Step)]) -> Result<(), (usize, String)> {
        if !matches!(steps.first(), Some((_, Step::Tls(_)))) {
            self.take_actions().map_err(|e| (1, e))?;
        }
        for (index, (line, step)) in steps.iter().enumerate() {
            let stretch_begins = index == 0 || steps[index - 1].1.ends_stretch();
            if self.mode == Mode::Pipelined && stretch_begins {
                let stretch = steps[index..].iter().map(|(_, step)| step);
                for ahead in stretch.take_while(|step| !step.ends_stretch()) {
                    if let Step::Peer(bytes) = ahead {
                        self.pending.extend(bytes);
                    }
                }
            }
            self.step(step).map_err(|e| (*line, e))?;
            self.begun = true;
        }
        let last = steps.last().map_or(1, |(line, _)| *line);
        self.settle().map_err(|e| (last, e))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Peer(bytes) if self.mode != Mode::Pipelined => {
                // The lines of a body may stand together, before the `B:` that shows what was handed on.
                while self.only_body() && self.feed()? {}
                if !self.only_body() {
                    self.settle()?;
                }
                self.pending.extend(bytes);
                Ok(())
            }
            Step::Peer(_) => Ok(()),
            Step::SentLine(line) => self.expect_sent(format!("{line}\r\n").as_bytes()),
            Step::SentBytes(bytes) => self.expect_sent(bytes),
            Step::Body(bytes) => self.expect_body(bytes),
            Step::Blob(text) => self.expect(
                &format!("BLOB: {text}"),
                |output| matches!(output, Output::Blob(span) if render_span(span) == *text),
            ),
            Step::BodyEnd => self.expect("BODYEND", |output| matches!(output, Output::BodyEnd)),
            Step::Question(text) => self.expect(
                &format!("Q: {text}"),
                |output| matches!(output, Output::Asked(question) if question == text),
            ),
            Step::Compress => self.expect("COMPRESS", |output| matches!(output, Output::Compress)),
            Step::Close => self.expect("X:", |output| matches!(output, Output::Close)),
            Step::Answer(text) => {
                let question = self.question.take().ok_or("no question is open")?;
                let answer = self.dialect.parse_answer(&question, text)?;
                self.input(Input::Answer(answer))
            }
            Step::Tls(binding) if !self.begun => self.input(Input::TlsUp(*binding)),
            Step::Tls(binding) => {
                self.expect("TLS", |output| matches!(output, Output::StartTls))?;
                // The driver's part of the contract: what was read before TLS is dropped.
                self.pending.clear();
                self.settle()?;
                self.input(Input::TlsUp(*binding))
            }
            Step::News(text) => {
                self.settle()?;
                let news = self.dialect.parse_news(text)?;
                self.input(Input::News(news))
            }
            // Ticks wait for the answer; time does not.
            Step::Time(span) if self.question.is_some() => {
                self.now += *span;
                Ok(())
            }
            Step::Time(span) => {
                self.settle()?;
                self.pass_time(*span)
            }
            Step::Sync => self.settle(),
            Step::Eof => {
                self.settle()?;
                self.input(Input::Eof)
            }
            // A shutdown does not wait for an open question.
            Step::Shutdown if self.question.is_some() => self.input(Input::Shutdown),
            Step::Shutdown => {
                self.settle()?;
                self.input(Input::Shutdown)
            }
        }
    }

    fn only_body(&self) -> bool {
        self.outputs.iter().all(|output| matches!(output, Output::Body(_)))
    }

    /// Hands in all that is pending; then nothing unexpected may have come out.
    fn settle(&mut self) -> Result<(), String> {
        while self.outputs.is_empty() && self.feed()? {}
        if let Some(output) = self.outputs.front() {
            return Err(format!("unexpected {}", render(output, D::SIDE)));
        }
        if self.question.is_some() {
            return Err("a question is open".to_owned());
        }
        Ok(())
    }

    /// Hands in the next bytes as the mode cuts them. `false`: there are none, or the machine is waiting.
    fn feed(&mut self) -> Result<bool, String> {
        if self.question.is_some() || self.closed || self.pending.is_empty() {
            return Ok(false);
        }
        if matches!(self.outputs.back(), Some(Output::StartTls)) {
            return Ok(false);
        }
        let cut = match self.mode {
            Mode::Byte => 1,
            Mode::Line => self
                .pending
                .iter()
                .position(|b| *b == b'\n')
                .map_or(self.pending.len(), |at| at + 1),
            Mode::Pipelined => self.pending.len(),
        };
        let bytes: Vec<u8> = self.pending.drain(..cut).collect();
        self.input(Input::Bytes(&bytes))?;
        Ok(true)
    }

    fn input(
        &mut self,
        input: Input<'_, <D::Machine as Machine>::Answer, <D::Machine as Machine>::News>,
    ) -> Result<(), String> {
        if self.closed {
            return Err("the machine has closed".to_owned());
        }
        self.machine.handle(input, self.now);
        self.take_actions()
    }

    fn take_actions(&mut self) -> Result<(), String> {
        while let Some(action) = self.machine.next_action() {
            if self.closed {
                return Err("an action after Close".to_owned());
            }
            match action {
                Action::Send(bytes) => match self.outputs.back_mut() {
                    Some(Output::Sent(before)) => before.extend_from_slice(&bytes),
                    _ => self.outputs.push_back(Output::Sent(bytes.to_vec())),
                },
                Action::Body(bytes) => match self.outputs.back_mut() {
                    Some(Output::Body(before)) => before.extend_from_slice(&bytes),
                    _ => self.outputs.push_back(Output::Body(bytes.to_vec())),
                },
                Action::BodyEnd => self.outputs.push_back(Output::BodyEnd),
                Action::SendBlob(span) => self.outputs.push_back(Output::Blob(span)),
                Action::StartTls => self.outputs.push_back(Output::StartTls),
                Action::Compress(unread) => {
                    // Nothing is compressed here, so what was not read is plain and is handed in again.
                    for byte in unread.iter().rev() {
                        self.pending.push_front(*byte);
                    }
                    self.outputs.push_back(Output::Compress);
                }
                Action::Close => {
                    self.closed = true;
                    self.outputs.push_back(Output::Close);
                }
                Action::Ask(question) => {
                    if self.question.is_some() {
                        return Err("a second question while one is open".to_owned());
                    }
                    self.outputs
                        .push_back(Output::Asked(self.dialect.render_question(&question)));
                    self.question = Some(question);
                }
            }
        }
        Ok(())
    }

    fn pass_time(&mut self, span: Duration) -> Result<(), String> {
        let end = self.now + span;
        for _ in 0..1_000 {
            match self.machine.deadline() {
                Some(deadline) if deadline <= end && !self.closed => {
                    self.now = self.now.max(deadline);
                    self.input(Input::Tick)?;
                }
                _ => {
                    self.now = end;
                    return Ok(());
                }
            }
        }
        Err("the machine's deadline does not move".to_owned())
    }

    /// Hands in bytes until there is something to look at.
    fn front(&mut self, expected: &str) -> Result<&mut Output, String> {
        while self.outputs.is_empty() {
            if !self.feed()? {
                return Err(format!("expected {expected}\n  but nothing came"));
            }
        }
        Ok(self.outputs.front_mut().expect("the loop ends when there is one"))
    }

    fn expect(&mut self, expected: &str, fits: impl Fn(&Output) -> bool) -> Result<(), String> {
        let output = self.front(expected)?;
        if !fits(output) {
            return Err(format!("expected {expected}\n  but came  {}", render(output, D::SIDE)));
        }
        self.outputs.pop_front();
        Ok(())
    }

    fn expect_sent(&mut self, expected: &[u8]) -> Result<(), String> {
        let wanted = format!("{}: {}", D::SIDE.keyword(), escape(expected));
        match self.front(&wanted)? {
            Output::Sent(bytes) if bytes.starts_with(expected) => {
                bytes.drain(..expected.len());
                let empty = bytes.is_empty();
                if empty {
                    self.outputs.pop_front();
                }
                Ok(())
            }
            other => Err(format!("expected {wanted}\n  but came  {}", render(other, D::SIDE))),
        }
    }

    fn expect_body(&mut self, expected: &[u8]) -> Result<(), String> {
        let wanted = format!("B: {}", escape(expected));
        let mut rest = expected;
        while !rest.is_empty() {
            match self.front(&wanted)? {
                Output::Body(bytes) => {
                    let common = bytes.len().min(rest.len());
                    if bytes[..common] != rest[..common] {
                        return Err(format!("expected {wanted}\n  but came  B: {}", escape(bytes)));
                    }
                    rest = &rest[common..];
                    bytes.drain(..common);
                    let empty = bytes.is_empty();
                    if empty {
                        self.outputs.pop_front();
                    }
                }
                other => return Err(format!("expected {wanted}\n  but came  {}", render(other, D::SIDE))),
            }
        }
        Ok(())
    }
}
