//! APPEND's way through the machine: agreed to by the outside, streamed, ended by the line's end, then appended.

use super::{Origin, Running, Server};
use crate::collector::{Event, LiteralMark};
use crate::command::AppendRequest;
use crate::question::{Answer, Question};
use crate::session::Refusal;
use bytes::Bytes;
use postroom_wire::Action;

impl Server {
    pub(super) fn begin_append(&mut self, of: Origin, request: AppendRequest, mark: LiteralMark) {
        if mark.octets == 0 {
            return self.refuse_with_literal(of, Refusal::No("CANNOT", "The message is empty"), Some(mark));
        }
        if mark.octets > self.session.options.append_limit_octets {
            return self.refuse_with_literal(of, Refusal::No("TOOBIG", "Message too big"), Some(mark));
        }
        let name = request.name.clone();
        self.session.out.push(Action::Ask(Question::AppendStart {
            name,
            octets: mark.octets,
        }));
        self.running = Running::AppendStart { of, request, mark };
    }

    pub(super) fn on_append_start(&mut self, of: Origin, request: AppendRequest, mark: LiteralMark, answer: Answer) {
        let refusal = match answer {
            _ if self.closing.is_some() => return self.close_now(),
            Answer::Done(Ok(())) => {
                self.collector.begin_body();
                if mark.waits {
                    self.session.out.line("+ OK");
                }
                self.running = Running::AppendBody {
                    of,
                    request,
                    left: mark.octets,
                    nul: false,
                };
                return;
            }
            Answer::Done(Err(fault)) => Refusal::try_create(fault),
            _ => Refusal::WRONG_ANSWER,
        };
        self.refuse_with_literal(of, refusal, Some(mark));
    }

    pub(super) fn append_body(
        &mut self,
        of: Origin,
        request: AppendRequest,
        left: u64,
        nul: bool,
        bytes: Bytes,
    ) -> Running {
        // RFC 3501 §4.3 has no NUL in literals. What was handed over before it is dropped by who has it.
        let good = if nul {
            0
        } else {
            memchr::memchr(0, &bytes).unwrap_or(bytes.len())
        };
        let nul = good < bytes.len();
        if good > 0 {
            self.session.out.push(Action::Body(bytes.slice(..good)));
        }
        if left > 0 {
            return Running::AppendBody { of, request, left, nul };
        }
        if !nul {
            self.session.out.push(Action::BodyEnd);
        }
        Running::AppendEnd { of, request, nul }
    }

    pub(super) fn on_append_end(&mut self, of: Origin, request: AppendRequest, nul: bool, event: Event) {
        let flow = match event {
            Event::Command(line) if line.is_empty() && nul => Err(Refusal::Bad("NUL in the message")),
            Event::Command(line) if line.is_empty() => request.finish(),
            Event::Command(_) | Event::Skipped => Err(Refusal::Bad("Unexpected text after the message")),
            Event::Literal(mark) => {
                let refusal = Refusal::Bad("Only one message can be appended at a time");
                return self.refuse_with_literal(of, refusal, Some(mark));
            }
            Event::TooLong { literal, .. } => {
                return self.refuse_with_literal(of, Refusal::Bad("Command too long"), literal);
            }
        };
        self.follow(of, flow);
    }
}
