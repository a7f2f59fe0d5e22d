//! How a command ends: the news that are due, the tagged response, and what follows from it.

use super::{Origin, Running, Server};
use crate::question::{Answer, News, Question};
use crate::session::{Done, Flow, Phase, Refusal, Task, Then, highest_modseq_code};
use postroom_types::ModSeq;
use postroom_wire::Action;

impl Server {
    /// The command is done. In the selected state, what happened meanwhile is asked and told first; a command that was
    /// BAD has not run.
    pub(super) fn finish(&mut self, of: Origin, outcome: Result<Done, Refusal>) {
        let ran = !matches!(outcome, Err(Refusal::Bad(_)));
        let leaving = matches!(&outcome, Ok(done) if done.then != Then::GoOn);
        if matches!(self.session.phase, Phase::Selected(_)) && ran && !leaving && self.closing.is_none() {
            self.session.out.push(Action::Ask(Question::Poll));
            self.running = Running::Polling { of, outcome };
            return;
        }
        self.session.hold_back();
        self.respond(&of, outcome);
    }

    /// The tagged response, and what follows from it.
    fn respond(&mut self, of: &Origin, outcome: Result<Done, Refusal>) {
        let (word, code, text) = match &outcome {
            Ok(done) => ("OK", done.code.as_str(), done.text),
            Err(Refusal::No(code, text)) => ("NO", *code, *text),
            Err(Refusal::NoWith(code, text)) => ("NO", code.as_str(), *text),
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
            Ok(Done {
                then: Then::Compress, ..
            }) => {
                let unread = self.collector.take_unread();
                self.session.out.push(Action::Compress(unread));
                self.bad_commands = 0;
            }
            Ok(_) | Err(Refusal::No(..) | Refusal::NoWith(..)) => self.bad_commands = 0,
            Err(Refusal::Bad(_)) => self.bad_commands += 1,
        }
        if self.session.failed_logins >= self.session.options.login_attempts {
            self.bye("Too many failed logins");
        } else if self.bad_commands >= self.session.options.bad_commands {
            self.bye("Too many bad commands");
        } else if self.closing.is_some() {
            self.close_now();
        } else {
            self.announce();
        }
    }

    /// The news before a tagged response. The command was done, so it is answered even if the session ends.
    pub(super) fn on_last_news(&mut self, of: Origin, outcome: Result<Done, Refusal>, answer: Answer) {
        let news = if let Answer::News(news) = answer {
            news
        } else {
            News::default()
        };
        let bye = news.bye;
        self.session.absorb(news);
        let expunges = of.tells_expunges && !std::mem::take(&mut self.session.holds_expunges);
        let highest = self.session.tell(expunges);
        let outcome = self.with_highest_modseq(outcome, highest);
        let Some(text) = bye else {
            return self.update(of, outcome);
        };
        self.respond(&of, outcome);
        if !matches!(self.running, Running::Closed) {
            self.bye(text);
        }
    }

    /// Tells of the searches that the client follows, one after the other, and then responds.
    fn update(&mut self, of: Origin, outcome: Result<Done, Refusal>) {
        let next = if self.closing.is_none() {
            self.session.next_update()
        } else {
            None
        };
        match next {
            Some((question, task)) => {
                self.session.out.push(Action::Ask(question));
                self.running = Running::Updating { of, outcome, task };
            }
            None => {
                // Of messages that came into a result a MODSEQ may have been shown.
                self.session.hold_back();
                self.respond(&of, outcome);
            }
        }
    }

    pub(super) fn on_updated(
        &mut self,
        of: Origin,
        outcome: Result<Done, Refusal>,
        task: Box<dyn Task>,
        answer: Answer,
    ) {
        match task.resume(answer, &mut self.session) {
            Ok(Flow::Ask(question, task)) if self.closing.is_none() => {
                self.session.out.push(Action::Ask(question));
                self.running = Running::Updating { of, outcome, task };
            }
            _ => self.update(of, outcome),
        }
    }

    /// Puts a HIGHESTMODSEQ where the client is to learn it: into the tagged OK (RFC 7162 §3.2.7) if there is room.
    fn with_highest_modseq(&mut self, outcome: Result<Done, Refusal>, modseq: Option<ModSeq>) -> Result<Done, Refusal> {
        match (outcome, modseq) {
            (Ok(done), Some(modseq)) if done.code.is_empty() => Ok(Done {
                code: highest_modseq_code(modseq),
                ..done
            }),
            (outcome, Some(modseq)) => {
                self.session.highest_modseq(modseq, "Highest");
                outcome
            }
            (outcome, None) => outcome,
        }
    }
}
