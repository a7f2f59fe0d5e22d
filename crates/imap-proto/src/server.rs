//! `impl Machine`: from bytes to commands, from answers to responses, and the moments in between.
//!
//! Always holds: at most one question is open; while one is, no further command is begun. After a command in the
//! selected state the outside is asked for news, which are told before the tagged response.

mod append;
mod clock;
mod input;
mod running;

use crate::collector::Collector;
use crate::command::capabilities;
use crate::options::Options;
use crate::output::Output;
use crate::question::{Answer, News, Question};
use crate::session::{Dialogue, Done, Flow, Phase, Refusal, Session, Then};
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
            session: Session {
                options,
                phase: Phase::NotAuthenticated,
                tls: false,
                authenticator: Authenticator::new(scram),
                failed_logins: 0,
                out: Output::default(),
            },
            collector: Collector::default(),
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
            Running::Question { .. } | Running::Polling { .. } | Running::AppendStart { .. }
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
                Running::AppendBody { of, request, left, nul } => {
                    let Some(bytes) = self.collector.take_body(left) else {
                        self.running = Running::AppendBody { of, request, left, nul };
                        return;
                    };
                    self.running = self.append_body(of, request, left - bytes.len() as u64, nul, bytes);
                }
                running @ (Running::Nothing
                | Running::Dialogue { .. }
                | Running::AppendEnd { .. }
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
            Ok(Flow::Listen(dialogue)) => self.running = Running::Dialogue { of, dialogue },
            Ok(Flow::Done(done)) => self.finish(of, Ok(done)),
            Err(refusal) => self.finish(of, Err(refusal)),
        }
    }

    fn refuse(&mut self, of: Origin, refusal: Refusal) {
        self.follow(of, Err(refusal));
    }

    /// The command is done. In the selected state, what happened meanwhile is asked and told first; a command that was
    /// BAD has not run.
    fn finish(&mut self, of: Origin, outcome: Result<Done, Refusal>) {
        let ran = !matches!(outcome, Err(Refusal::Bad(_)));
        let leaving = matches!(&outcome, Ok(done) if done.then != Then::GoOn);
        if matches!(self.session.phase, Phase::Selected(_)) && ran && !leaving && self.closing.is_none() {
            self.session.out.push(Action::Ask(Question::Poll));
            self.running = Running::Polling { of, outcome };
            return;
        }
        self.respond(&of, outcome);
    }

    /// The tagged response, and what follows from it.
    fn respond(&mut self, of: &Origin, outcome: Result<Done, Refusal>) {
        let (word, code, text) = match &outcome {
            Ok(done) => ("OK", done.code.as_str(), done.text),
            Err(Refusal::No(code, text)) => ("NO", *code, *text),
            Err(Refusal::Bad(text)) => ("BAD", "", *text),
        };
        self.session.out.buffer().extend_from_slice(&of.tag);
        if code.is_empty() {
            self.session.out.line(&format!(" {word} {text}"));
        } else {
            self.session.out.line(&format!(" {word} [{code}] {text}"));
        }
        match outcome {
            Ok(Done { then: Then::Close, .. }) => return self.close(),
            Ok(Done {
                then: Then::StartTls, ..
            }) => {
                // What came together with STARTTLS came in clear and must not run as if it came over TLS.
                self.collector.clear();
                self.session.out.push(Action::StartTls);
                self.running = Running::TlsHandshake;
                return;
            }
            Ok(_) | Err(Refusal::No(..)) => self.bad_commands = 0,
            Err(Refusal::Bad(_)) => self.bad_commands += 1,
        }
        if self.session.failed_logins >= self.session.options.login_attempts {
            self.bye("Too many failed logins");
        } else if self.bad_commands >= self.session.options.bad_commands {
            self.bye("Too many bad commands");
        } else if self.closing.is_some() {
            self.close_now();
        }
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
            Running::Polling { of, outcome } => self.on_last_news(&of, outcome, answer),
            Running::AppendStart { of, request, mark } => self.on_append_start(of, request, mark, answer),
            other => self.running = other,
        }
    }

    /// The news before a tagged response. The command was done, so it is answered even if the session ends.
    fn on_last_news(&mut self, of: &Origin, outcome: Result<Done, Refusal>, answer: Answer) {
        let news = if let Answer::News(news) = answer {
            news
        } else {
            News::default()
        };
        let bye = news.bye;
        self.session.absorb(news);
        self.session.tell(of.tells_expunges);
        self.respond(of, outcome);
        if let Some(text) = bye.filter(|_| !matches!(self.running, Running::Closed)) {
            self.bye(text);
        }
    }

    fn on_news(&mut self, news: News, now: Instant) {
        if let Some(text) = news.bye {
            return self.bye(text);
        }
        self.session.absorb(news);
        if matches!(
            self.running,
            Running::Dialogue {
                dialogue: Dialogue::Idle,
                ..
            }
        ) {
            self.session.tell(true);
            self.said = now;
        }
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
