//! The way of appended messages through the machine: each literal and URL agreed to by the outside before it is taken,
//! streamed as it comes, and at the end appended all together.
//!
//! When something is wrong, what the client sends without waiting goes by unread up to the end of the command.

use super::input::TOO_LARGE_TO_SKIP;
use super::{Origin, Running, Server};
use crate::collector::{Event, LiteralMark};
use crate::command::{AppendRequest, Next, Segment, Step};
use crate::grammar::Scanner;
use crate::question::{Answer, Fault, Question};
use crate::session::Refusal;
use bytes::Bytes;
use postroom_wire::Action;
use std::collections::VecDeque;

/// An APPEND or REPLACE under way.
pub(super) struct Appends {
    of: Origin,
    request: AppendRequest,
    /// What the segment just read asks for, and what comes after it.
    steps: VecDeque<Step>,
    next: Next,
    /// The literal at its end.
    mark: Option<LiteralMark>,
    /// The outside has agreed to the first part.
    started: bool,
    /// What is asked about is this URL.
    url: Option<String>,
    /// Octets of the message that is being handed over, as far as they came as literals, and whether it has others.
    octets: u64,
    has_url: bool,
}

const TOO_BIG: Refusal = Refusal::No("TOOBIG", "Message too big");
const EMPTY: Refusal = Refusal::No("CANNOT", "The message is empty");

impl Server {
    /// The first segment has been read.
    pub(super) fn begin_append(
        &mut self,
        of: Origin,
        request: AppendRequest,
        segment: Segment,
        mark: Option<LiteralMark>,
    ) {
        self.advance(Box::new(Appends {
            of,
            request,
            steps: segment.steps.into(),
            next: segment.next,
            mark,
            started: false,
            url: None,
            octets: 0,
            has_url: false,
        }));
    }

    /// Does the next step that is due.
    fn advance(&mut self, mut appends: Box<Appends>) {
        while let Some(step) = appends.steps.pop_front() {
            match step {
                Step::Begin => (appends.octets, appends.has_url) = (0, false),
                Step::End if appends.octets == 0 && !appends.has_url => return self.fail(*appends, EMPTY),
                Step::End => self.session.out.push(Action::BodyEnd),
                Step::Url(url) if appends.started => {
                    appends.has_url = true;
                    appends.url = Some(url.clone());
                    return self.ask_append(appends, Question::AppendUrl(url));
                }
                Step::Url(url) => {
                    appends.steps.push_front(Step::Url(url));
                    return self.ask_start(appends, 0);
                }
            }
        }
        match (appends.next, appends.mark) {
            (Next::Literal { whole, .. }, Some(mark)) => {
                if whole && mark.octets == 0 {
                    // RFC 3502: this is how an append is cancelled.
                    return self.fail(*appends, EMPTY);
                }
                appends.octets = appends.octets.saturating_add(mark.octets);
                if appends.octets > self.session.options.append_limit_octets {
                    return self.fail(*appends, TOO_BIG);
                }
                if appends.started {
                    self.ask_append(appends, Question::AppendMore { octets: mark.octets });
                } else {
                    self.ask_start(appends, mark.octets);
                }
            }
            _ => {
                let Appends { of, request, .. } = *appends;
                self.follow(of, request.finish());
            }
        }
    }

    fn ask_start(&mut self, mut appends: Box<Appends>, octets: u64) {
        appends.started = true;
        let name = appends.request.name.clone();
        self.ask_append(appends, Question::AppendStart { name, octets });
    }

    fn ask_append(&mut self, appends: Box<Appends>, question: Question) {
        if self.closing.is_some() {
            return self.close_now();
        }
        self.session.out.push(Action::Ask(question));
        self.running = Running::AppendAsking(appends);
    }

    /// The outside has agreed to a part of the message, or not.
    pub(super) fn on_append_answer(&mut self, mut appends: Box<Appends>, answer: Answer) {
        let url = appends.url.take();
        let refusal = match answer {
            _ if self.closing.is_some() => return self.close_now(),
            Answer::Done(Ok(())) if url.is_some() || !appends.steps.is_empty() => return self.advance(appends),
            Answer::Done(Ok(())) => match (appends.next, appends.mark) {
                (Next::Literal { .. }, Some(mark)) => return self.take_literal(appends, mark),
                _ => return self.advance(appends),
            },
            Answer::Done(Err(Fault::BadUrl)) => bad_url(&url.unwrap_or_default()),
            Answer::Done(Err(fault)) => Refusal::try_create(fault),
            _ => Refusal::WRONG_ANSWER,
        };
        self.fail(*appends, refusal);
    }

    fn take_literal(&mut self, appends: Box<Appends>, mark: LiteralMark) {
        self.collector.begin_body();
        if mark.waits {
            self.session.out.line("+ OK");
        }
        self.running = if mark.octets == 0 {
            self.end_of_body(appends)
        } else {
            Running::AppendBody {
                appends,
                left: mark.octets,
            }
        };
    }

    /// Octets of a literal have come; `left` more are to follow.
    pub(super) fn append_body(&mut self, appends: Box<Appends>, left: u64, bytes: Bytes) -> Running {
        let binary = matches!(appends.next, Next::Literal { binary: true, .. });
        // RFC 3501 §4.3 has no NUL in literals. What was handed over before it is dropped by who has it.
        let good = match memchr::memchr(0, &bytes) {
            Some(at) if !binary => at,
            _ => bytes.len(),
        };
        let nul = good < bytes.len();
        if good > 0 {
            self.session.out.push(Action::Body(bytes.slice(..good)));
        }
        if nul {
            self.collector.skip(left);
            return Running::Skipping {
                of: appends.of,
                refusal: Refusal::Bad("NUL in the message"),
            };
        }
        if left > 0 {
            return Running::AppendBody { appends, left };
        }
        self.end_of_body(appends)
    }

    fn end_of_body(&mut self, mut appends: Box<Appends>) -> Running {
        if matches!(appends.next, Next::Literal { whole: true, .. }) {
            self.session.out.push(Action::BodyEnd);
        }
        appends.mark = None;
        Running::AppendLine(appends)
    }

    /// What follows a literal: further parts and messages, or the end.
    pub(super) fn on_append_event(&mut self, mut appends: Box<Appends>, event: Event) {
        let (line, mark) = match event {
            Event::Command(line) => (line, None),
            Event::Literal(mark) => {
                appends.mark = Some(mark);
                if let Some(refusal) = self.too_large_without_asking(mark) {
                    return self.fail(*appends, refusal);
                }
                (zeroize::Zeroizing::new(self.collector.so_far().to_vec()), Some(mark))
            }
            Event::TooLong { literal, .. } => {
                return self.refuse_with_literal(appends.of, Refusal::Bad("Command too long"), literal);
            }
            Event::Skipped => return self.refuse(appends.of, Refusal::WRONG_ANSWER),
            Event::Endless => return self.bye(TOO_LARGE_TO_SKIP),
        };
        let mut args = Scanner::with_utf8(&line, self.session.enabled.utf8_names());
        let segment = appends.request.segment(&mut args, &self.session);
        match (segment, mark) {
            (Ok(segment), Some(mark)) if segment.next == Next::Argument => {
                if !self.collector.has_room(mark.octets, self.limit()) {
                    return self.fail(*appends, Refusal::No("TOOBIG", "Literal too long"));
                }
                self.accept_argument(mark);
                self.running = Running::AppendLine(appends);
            }
            (Ok(segment), mark) => {
                appends.steps = segment.steps.into();
                appends.next = segment.next;
                appends.mark = mark;
                self.advance(appends);
            }
            (Err(refusal), _) => self.fail(*appends, refusal),
        }
    }

    /// Nothing is appended. A literal that was announced is not taken; one that comes anyway goes by.
    fn fail(&mut self, appends: Appends, refusal: Refusal) {
        self.refuse_with_literal(appends.of, refusal, appends.mark);
    }
}

/// RFC 4469 §4.1. The URL is echoed as far as it can be (`url-resp-text`).
fn bad_url(url: &str) -> Refusal {
    let shown: String = url.chars().filter(|c| c.is_ascii_graphic() && *c != ']').collect();
    if shown.is_empty() {
        return Fault::BadUrl.into();
    }
    Refusal::NoWith(format!("BADURL {shown}"), "This URL names nothing that can be had")
}
