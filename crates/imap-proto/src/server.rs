//! `impl Machine`: from bytes to commands, from answers to responses, and the moments in between.
//!
//! Always holds: at most one question is open; while one is, no further command is begun. After a command in the
//! selected state the outside is asked for news, which are told before the tagged response.

mod announce;
mod append;
mod clock;
mod finish;
mod input;
mod running;

use crate::collector::Collector;
use crate::command::{Notify, capabilities};
use crate::options::Options;
use crate::output::Output;
use crate::question::{Answer, News, Question};
use crate::session::{Enabled, Flow, Phase, Refusal, Session};
use postroom_wire::{Action, Authenticator, Input, Machine, ScramOptions};
use running::{Origin, Running};
use std::sync::Arc;
use std::time::Instant;

/// One IMAP connection, seen from the server.
pub struct Server {
    session: Session,
    collector: Collector,
    running: Running,
    greeted: bool,
    /// Close when the open question is answered: the server is going down, or the client has gone.
    closing: Option<Closing>,
    /// BAD responses since the last other one.
    bad_commands: u32,
    opened: Instant,
    /// When the client, or the outside for it, was last heard.
    heard: Instant,
    /// When something was last said during IDLE.
    said: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Shutdown,
    Eof,
}

impl Server {
    /// A connection that begins now, in clear until [`Input::TlsUp`]. Without `scram` only mechanisms that show their
    /// secret are offered.
    #[must_use]
    pub fn new(options: Arc<Options>, scram: Option<ScramOptions>, now: Instant) -> Self {
        Self {
            collector: Collector::new(options.skip_octets),
            session: Session {
                options,
                phase: Phase::NotAuthenticated,
                tls: false,
                authenticator: Authenticator::new(scram),
                failed_logins: 0,
                enabled: Enabled::default(),
                holds_expunges: false,
                saved: None,
                compressed: false,
                notify: Notify::default(),
                out: Output::default(),
            },
            running: Running::Nothing,
            greeted: false,
            closing: None,
            bad_commands: 0,
            opened: now,
            heard: now,
            said: now,
        }
    }

    const fn is_waiting_for_answer(&self) -> bool {
        matches!(
            self.running,
            Running::Question { .. }
                | Running::Polling { .. }
                | Running::Updating { .. }
                | Running::Announcing { .. }
                | Running::AppendAsking(_)
        )
    }

    /// Octets one command may have.
    fn limit(&self) -> usize {
        match self.session.phase {
            Phase::NotAuthenticated => self.session.options.unauthenticated_command_octets,
            Phase::Authenticated | Phase::Selected(_) => self.session.options.command_octets,
        }
    }

    /// Begins commands until a question is open or nothing is left to read.
    fn run(&mut self, now: Instant) {
        loop {
            match std::mem::replace(&mut self.running, Running::Nothing) {
                Running::AppendBody { appends, left } => {
                    let Some(bytes) = self.collector.take_body(left) else {
                        self.running = Running::AppendBody { appends, left };
                        return;
                    };
                    self.running = self.append_body(appends, left - bytes.len() as u64, bytes);
                }
                running @ (Running::Nothing
                | Running::Dialogue { .. }
                | Running::AppendLine(_)
                | Running::Skipping { .. }) => {
                    let literals = !matches!(running, Running::Dialogue { .. });
                    self.running = running;
                    let Some(event) = self.collector.next(self.limit(), literals) else {
                        return;
                    };
                    self.on_event(event, now);
                }
                waiting => {
                    self.running = waiting;
                    return;
                }
            }
        }
    }

    fn follow(&mut self, of: Origin, flow: Result<Flow, Refusal>) {
        match flow {
            Ok(Flow::Ask(_, _)) if self.closing.is_some() => self.close_now(),
            Ok(Flow::Ask(question, task)) => {
                self.session.out.push(Action::Ask(question));
                self.running = Running::Question { of, task };
            }
            Ok(Flow::Append(request, segment)) => self.begin_append(of, request, segment, None),
            Ok(Flow::Listen(dialogue)) => {
                self.running = Running::Dialogue { of, dialogue };
                self.announce();
            }
            Ok(Flow::Done(done)) => self.finish(of, Ok(done)),
            Err(refusal) => self.finish(of, Err(refusal)),
        }
    }

    fn refuse(&mut self, of: Origin, refusal: Refusal) {
        self.follow(of, Err(refusal));
    }

    fn bye(&mut self, text: &str) {
        self.session.out.line(&format!("* BYE {text}"));
        self.close();
    }

    fn close(&mut self) {
        self.collector.clear();
        self.session.out.push(Action::Close);
        self.running = Running::Closed;
    }

    /// Does what had to wait for an answer.
    fn close_now(&mut self) {
        match self.closing {
            Some(Closing::Shutdown) => self.bye("[UNAVAILABLE] The server is going down, come back soon"),
            Some(Closing::Eof) | None => self.close(),
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        match std::mem::replace(&mut self.running, Running::Nothing) {
            Running::Question { of, task } => {
                if let Answer::News(News { bye: Some(text), .. }) = answer {
                    return self.bye(text);
                }
                let flow = task.resume(answer, &mut self.session);
                self.follow(of, flow);
            }
            Running::Polling { of, outcome } => self.on_last_news(of, outcome, answer),
            Running::Updating { of, outcome, task } => self.on_updated(of, outcome, task, answer),
            Running::Announcing { task, then } => self.on_announced(task, then, answer),
            Running::AppendAsking(appends) => self.on_append_answer(appends, answer),
            other => self.running = other,
        }
    }

    fn on_news(&mut self, news: News, now: Instant) {
        if let Some(text) = news.bye {
            return self.bye(text);
        }
        self.session.absorb(news);
        self.announce_news(now);
    }

    /// The first words, once it is known whether the connection has TLS from the beginning.
    fn greet(&mut self) {
        if std::mem::replace(&mut self.greeted, true) || matches!(self.running, Running::Closed) {
            return;
        }
        let greeting = format!(
            "* OK [{}] {} postroom ready",
            capabilities(&self.session),
            self.session.options.hostname
        );
        self.session.out.line(&greeting);
        self.session.out.flush();
    }
}

impl Machine for Server {
    type Question = Question;
    type Answer = Answer;
    type News = News;

    fn handle(&mut self, input: Input<'_, Answer, News>, now: Instant) {
        if matches!(self.running, Running::Closed) {
            return;
        }
        match input {
            // Until the handshake is done nothing in clear counts any more.
            Input::Bytes(_) if matches!(self.running, Running::TlsHandshake) => return,
            Input::Bytes(bytes) => {
                self.greet();
                self.heard = now;
                self.collector.push(bytes);
            }
            Input::Answer(answer) => {
                self.heard = now;
                self.said = now;
                self.on_answer(answer);
            }
            Input::News(news) => self.on_news(news, now),
            Input::TlsUp(binding) => {
                self.session.tls = true;
                self.session.authenticator.tls_up(binding);
                self.running = Running::Nothing;
            }
            Input::Tick => self.on_tick(now),
            Input::Eof | Input::Shutdown => {
                let closing = if matches!(input, Input::Eof) {
                    Closing::Eof
                } else {
                    Closing::Shutdown
                };
                self.closing = Some(closing);
                if !self.is_waiting_for_answer() {
                    self.close_now();
                }
            }
        }
        self.run(now);
        self.session.out.flush();
    }

    fn next_action(&mut self) -> Option<Action<Question>> {
        self.greet();
        self.session.out.next()
    }

    fn deadline(&self) -> Option<Instant> {
        self.next_tick()
    }
}
