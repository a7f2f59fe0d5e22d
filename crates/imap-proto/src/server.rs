//! `impl Machine`: from bytes to commands, from answers to responses, and the moments in between.
//!
//! Always holds: at most one question is open; while one is, no further command is begun. After a command in the
//! selected state the outside is asked for news, which are told before the tagged response.

mod append;
mod clock;

use crate::collector::{Collector, Event, LiteralMark};
use crate::command::{AppendRequest, Command, capabilities, credentials_complete, read_append, refusal_of_sasl};
use crate::grammar::Scanner;
use crate::options::Options;
use crate::output::Output;
use crate::question::{Answer, News, Question};
use crate::session::{Dialogue, Done, Flow, Phase, Refusal, Session, Task, Then};
use postroom_wire::{Action, Input, Machine, Progress};
use std::sync::Arc;
use std::time::Instant;
use zeroize::Zeroizing;

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

/// The command under way.
enum Running {
    /// None: the next line is a command.
    Nothing,
    /// A question is open.
    Question { of: Origin, task: Box<dyn Task> },
    /// The command is done but for the news before its tagged response.
    Polling { of: Origin, outcome: Result<Done, Refusal> },
    /// Lines of a dialogue are awaited.
    Dialogue { of: Origin, dialogue: Dialogue },
    /// The outside is asked whether a message may be appended.
    AppendStart {
        of: Origin,
        request: AppendRequest,
        mark: LiteralMark,
    },
    /// A message streams in.
    AppendBody {
        of: Origin,
        request: AppendRequest,
        left: u64,
        nul: bool,
    },
    /// The message is in; the line's end is awaited.
    AppendEnd {
        of: Origin,
        request: AppendRequest,
        nul: bool,
    },
    /// A refused command's literal goes by.
    Skipping { of: Origin, refusal: Refusal },
    /// The handshake is awaited.
    TlsHandshake,
    /// Nothing more is said.
    Closed,
}

/// Whose response it will be.
struct Origin {
    tag: Vec<u8>,
    tells_expunges: bool,
}

impl Server {
    /// A connection that begins now, in clear until [`Input::TlsUp`].
    #[must_use]
    pub fn new(options: Arc<Options>, now: Instant) -> Self {
        Self {
            session: Session {
                options,
                phase: Phase::NotAuthenticated,
                tls: false,
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

    fn on_event(&mut self, event: Event, now: Instant) {
        match (std::mem::replace(&mut self.running, Running::Nothing), event) {
            (Running::Dialogue { of, dialogue }, Event::Command(line)) => self.on_dialogue_line(of, dialogue, &line),
            (Running::Dialogue { of, .. }, _) => self.refuse(of, Refusal::Bad("Line too long")),
            (Running::AppendEnd { of, request, nul }, event) => self.on_append_end(of, request, nul, event),
            (Running::Skipping { of, refusal }, Event::Skipped) => self.refuse(of, refusal),
            (_, Event::Command(bytes)) => self.on_command(&bytes, now),
            (_, Event::Literal(mark)) => self.on_literal(mark),
            (_, Event::TooLong { head, literal }) => {
                let of = Scanner::new(&head)
                    .tag()
                    .map_or_else(|_| Origin::untagged(), Origin::of);
                self.refuse_with_literal(of, Refusal::Bad("Command too long"), literal);
            }
            (_, Event::Skipped) => {}
        }
    }

    fn on_command(&mut self, bytes: &Zeroizing<Vec<u8>>, now: Instant) {
        let mut args = Scanner::new(bytes);
        let Ok(tag) = args.tag() else {
            return self.refuse(Origin::untagged(), Refusal::Bad("Tag expected"));
        };
        let mut of = Origin::of(tag);
        let found = args
            .space()
            .map_err(Refusal::from)
            .and_then(|()| Command::find(&mut args, &self.session));
        let flow = found.and_then(|command| {
            of.tells_expunges = command.tells_expunges;
            command.run(&mut args, &mut self.session)
        });
        self.said = now;
        self.follow(of, flow);
    }

    /// A command goes on with a literal. Refused here, the client never sends it (or it is skipped).
    fn on_literal(&mut self, mark: LiteralMark) {
        let so_far = self.collector.so_far();
        let mut args = Scanner::new(so_far);
        let Ok(tag) = args.tag() else {
            return self.refuse_with_literal(Origin::untagged(), Refusal::Bad("Tag expected"), Some(mark));
        };
        let of = Origin::of(tag);
        let found = args
            .space()
            .map_err(Refusal::from)
            .and_then(|()| Command::find(&mut args, &self.session));
        let append = found.and_then(|command| {
            if command.is_append() {
                read_append(&mut args)
            } else {
                Ok(None)
            }
        });
        match append {
            Err(refusal) => self.refuse_with_literal(of, refusal, Some(mark)),
            Ok(Some(request)) => self.begin_append(of, request, mark),
            Ok(None) if self.collector.has_room(mark.octets, self.limit()) => {
                self.collector.accept(mark);
                if mark.waits {
                    self.session.out.line("+ OK");
                }
            }
            Ok(None) => self.refuse_with_literal(of, Refusal::No("TOOBIG", "Literal too long"), Some(mark)),
        }
    }

    fn on_dialogue_line(&mut self, of: Origin, dialogue: Dialogue, line: &[u8]) {
        let flow = match dialogue {
            Dialogue::Idle if line.eq_ignore_ascii_case(b"DONE") => Flow::ok("IDLE completed"),
            Dialogue::Idle => Err(Refusal::Bad("DONE expected")),
            Dialogue::Authenticate(mut exchange) => match exchange.respond(line).map_err(refusal_of_sasl) {
                Ok(Progress::Complete(credentials)) => credentials_complete(credentials),
                Ok(Progress::Challenge(challenge)) => {
                    self.session.out.line(&format!("+ {challenge}"));
                    Ok(Flow::Listen(Dialogue::Authenticate(exchange)))
                }
                Err(refusal) => Err(refusal),
            },
        };
        self.follow(of, flow);
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

    /// Refuses a command whose literal may be on its way.
    fn refuse_with_literal(&mut self, of: Origin, refusal: Refusal, mark: Option<LiteralMark>) {
        let Some(mark) = mark else {
            return self.refuse(of, refusal);
        };
        self.collector.refuse(mark);
        if mark.waits {
            return self.refuse(of, refusal);
        }
        if mark.octets > self.session.options.skip_octets {
            return self.bye("Literal too long");
        }
        self.running = Running::Skipping { of, refusal };
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

    fn greet(&mut self) {
        self.greeted = true;
        let greeting = format!(
            "* OK [{}] {} postroom ready",
            capabilities(&self.session),
            self.session.options.hostname
        );
        self.session.out.line(&greeting);
        self.session.out.flush();
    }
}

impl Origin {
    fn of(tag: &[u8]) -> Self {
        Self {
            tag: tag.to_vec(),
            tells_expunges: true,
        }
    }

    /// For what has no tag to answer to.
    fn untagged() -> Self {
        Self::of(b"*")
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
                self.heard = now;
                self.collector.push(bytes);
            }
            Input::Answer(answer) => {
                self.heard = now;
                self.said = now;
                self.on_answer(answer);
            }
            Input::News(news) => self.on_news(news, now),
            Input::TlsUp => {
                self.session.tls = true;
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
        if !self.greeted {
            self.greet();
        }
        self.session.out.next()
    }

    fn deadline(&self) -> Option<Instant> {
        self.next_tick()
    }
}
