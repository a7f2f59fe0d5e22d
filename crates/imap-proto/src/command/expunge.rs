//! EXPUNGE, CLOSE (RFC 9051 §6.4.1, §6.4.3) and UID EXPUNGE (RFC 4315 §2.1). With QRESYNC the tagged OK of all but CLOSE,
//! where a HIGHESTMODSEQ could hide what others did, has the new one (RFC 7162 §3.2.7–3.2.9); the server adds it to the news.
//!
//! First it is asked which messages are marked, so that the expunge costs as much as there is to expunge. All that are
//! marked go, also those that came since the client was told last: so before that it is asked what is new.

use super::fresh::once_told;
use super::select::leave;
use crate::grammar::Scanner;
use crate::question::{Answer, PIECE, Question};
use crate::session::{Flow, Refusal, Session, Task};
use crate::view::Pieces;
use postroom_types::{Flag, Flags, SearchKey, Uid};
use std::sync::Arc;

pub(super) fn expunge(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    session.selected_for_writing()?;
    Flow::ask(Question::Poll, Fresh { close: false })
}

pub(super) fn uid_expunge(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let set = session.read_set(args)?;
    args.end()?;
    session.selected_for_writing()?;
    once_told(set, session, |set, session| {
        let (view, _) = session.selected()?;
        ask_marked(Pieces::new(set.uids(view)).next(view, usize::MAX), false)
    })
}

/// Expunges without a word and leaves; a mailbox open for reading is just left.
pub(super) fn close(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.end()?;
    let (view, _) = session.selected()?;
    if view.read_only() {
        return leave(session, CLOSED);
    }
    Flow::ask(Question::Poll, Fresh { close: true })
}

const CLOSED: &str = "CLOSE completed";

/// Waits for the news.
struct Fresh {
    close: bool,
}

impl Task for Fresh {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::News(news) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        session.absorb(news);
        let (view, _) = session.selected()?;
        ask_marked(view.with_untold(), self.close)
    }
}

fn ask_marked(among: Vec<Uid>, close: bool) -> Result<Flow, Refusal> {
    let program = Arc::new(SearchKey::Has(Flags::NONE.with(Flag::Deleted)));
    Flow::ask(Question::Search { among, program }, Marked { close })
}

struct Marked {
    close: bool,
}

impl Task for Marked {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Found(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        Expunge {
            left: result?.uids.into_iter(),
            close: self.close,
        }
        .next(session)
    }
}

struct Expunge {
    left: std::vec::IntoIter<Uid>,
    close: bool,
}

impl Expunge {
    fn next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let piece: Vec<Uid> = self.left.by_ref().take(PIECE).collect();
        if !piece.is_empty() {
            return Flow::ask(Question::Expunge(piece), self);
        }
        if self.close {
            leave(session, CLOSED)
        } else {
            Flow::ok("EXPUNGE completed")
        }
    }
}

impl Task for Expunge {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Done(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        result?;
        self.next(session)
    }
}
