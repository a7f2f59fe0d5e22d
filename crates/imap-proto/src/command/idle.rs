//! IDLE (RFC 2177): news are told as they come, until DONE.

use crate::grammar::Scanner;
use crate::question::{Answer, Question};
use crate::session::{Dialogue, Flow, Phase, Refusal, Session, Task};

pub(super) fn idle(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    session.out.line("+ idling");
    match session.phase {
        // What has happened before is told first; what happens from now on comes as news.
        Phase::Selected(_) => Flow::ask(Question::Poll, Begin),
        Phase::NotAuthenticated | Phase::Authenticated => Ok(Flow::Listen(Dialogue::Idle)),
    }
}

struct Begin;

impl Task for Begin {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::News(news) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        session.absorb(news);
        session.tell_at_once();
        Ok(Flow::Listen(Dialogue::Idle))
    }
}
