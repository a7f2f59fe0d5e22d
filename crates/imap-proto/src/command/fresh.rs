//! Messages that the client was not told of. It may know their UIDs all the same, for example from the APPENDUID of another
//! connection, and a command by UID is about what is there (RFC 9051 §6.4.9): so it is asked what is new, and counted to the
//! client, before a set is read that names a UID above all it was told of. EXISTS may be told at any time; expunges and flags
//! wait for the end.

use crate::grammar::sequence_set::SequenceSet;
use crate::question::{Answer, Question};
use crate::session::{Flow, Phase, Refusal, Session, Task};

/// Goes on with a set of UIDs once all that it may name was told.
pub(super) fn once_told<F>(set: SequenceSet, session: &mut Session, go_on: F) -> Result<Flow, Refusal>
where
    F: FnOnce(SequenceSet, &mut Session) -> Result<Flow, Refusal> + Send + 'static,
{
    match &session.phase {
        Phase::Selected(view) if set.names_untold(view) => Flow::ask(Question::Poll, Untold(set, go_on)),
        _ => go_on(set, session),
    }
}

/// Waits for the news.
struct Untold<F>(SequenceSet, F);

impl<F> Task for Untold<F>
where
    F: FnOnce(SequenceSet, &mut Session) -> Result<Flow, Refusal> + Send,
{
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::News(news) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        session.absorb(news);
        session.tell_growth();
        let Self(set, go_on) = *self;
        go_on(set, session)
    }
}
