//! COPY, UID COPY (RFC 9051 §6.4.7), MOVE and UID MOVE (RFC 6851), with COPYUID (RFC 4315 §3).
//!
//! By sequence number a client may name messages that others have expunged and it was not told of. So the news are asked
//! for first, and what is gone is refused before anything is done (RFC 2180 §4.4).

use super::fresh::once_told;
use crate::grammar::Scanner;
use crate::grammar::sequence_set::{SequenceSet, UidRanges};
use crate::question::{Answer, Copied, PIECE, Question};
use crate::response::number_set::write_uid_set;
use crate::session::{Done, Flow, Refusal, Session, Task};
use crate::view::Pieces;
use postroom_types::Uid;

pub(super) fn copy(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    by_number(args, session, Verb::Copy)
}

pub(super) fn uid_copy(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    by_uid(args, session, Verb::Copy)
}

pub(super) fn move_(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    by_number(args, session, Verb::Move)
}

pub(super) fn uid_move(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    by_uid(args, session, Verb::Move)
}

fn by_number(args: &mut Scanner<'_>, session: &mut Session, verb: Verb) -> Result<Flow, Refusal> {
    let (set, to) = arguments(args, session)?;
    let (view, _) = session.selected()?;
    let ranges = set.sequence_numbers(view)?;
    let transfer = Transfer::new(ranges, to, false)?;
    verb.may(session)?;
    Flow::ask(Question::Poll, Fresh(transfer, verb))
}

fn by_uid(args: &mut Scanner<'_>, session: &mut Session, verb: Verb) -> Result<Flow, Refusal> {
    let (set, to) = arguments(args, session)?;
    verb.may(session)?;
    once_told(set, session, move |set, session| {
        let (view, _) = session.selected()?;
        let transfer = Transfer::new(set.uids(view), to, true)?;
        verb.begin(transfer, session)
    })
}

/// The set, and the name of the target unless there can be no such mailbox.
fn arguments(args: &mut Scanner<'_>, session: &Session) -> Result<(SequenceSet, Option<String>), Refusal> {
    args.space()?;
    let set = session.read_set(args)?;
    args.space()?;
    let to = session.read_name(&args.astring()?);
    args.end()?;
    Ok((set, to))
}

/// Which messages, and where to.
struct Transfer {
    pieces: Pieces,
    to: String,
    by_uid: bool,
    /// Messages in the piece that is open.
    asked: usize,
    gone: bool,
}

impl Transfer {
    fn new(ranges: UidRanges, to: Option<String>, by_uid: bool) -> Result<Self, Refusal> {
        Ok(Self {
            pieces: Pieces::new(ranges),
            to: to.ok_or(Refusal::BAD_NAME)?,
            by_uid,
            asked: 0,
            gone: false,
        })
    }

    fn copy(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let uids = self.pieces.next(view, usize::MAX);
        if uids.is_empty() {
            return Flow::ok("No such messages, nothing copied");
        }
        self.asked = uids.len();
        let to = self.to.clone();
        Flow::ask(Question::Copy { uids, to }, Copy(self))
    }

    fn move_next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let uids = self.pieces.next(view, PIECE);
        if uids.is_empty() {
            if self.gone && !self.by_uid {
                return Err(Refusal::No(
                    "EXPUNGEISSUED",
                    "Some of these messages are gone, the others were moved",
                ));
            }
            return Flow::ok("MOVE completed");
        }
        self.asked = uids.len();
        let to = self.to.clone();
        Flow::ask(Question::Move { uids, to }, Move(self))
    }

    /// Whether a message is chosen that is known to be gone.
    fn names_gone(&self, session: &mut Session) -> Result<bool, Refusal> {
        let (view, _) = session.selected()?;
        let chosen = self.pieces.clone().next(view, usize::MAX);
        Ok(chosen.into_iter().any(|uid: Uid| view.is_gone(uid)))
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Copy,
    Move,
}

impl Verb {
    /// Whether the mailbox is open for it.
    fn may(self, session: &mut Session) -> Result<(), Refusal> {
        match self {
            Self::Copy => Ok(()),
            Self::Move => session.selected_for_writing().map(|_| ()),
        }
    }

    fn begin(self, transfer: Transfer, session: &mut Session) -> Result<Flow, Refusal> {
        match self {
            Self::Copy => transfer.copy(session),
            Self::Move => transfer.move_next(session),
        }
    }
}

/// Waits for the news.
struct Fresh(Transfer, Verb);

impl Task for Fresh {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::News(news) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        session.absorb(news);
        let Self(transfer, verb) = *self;
        if transfer.names_gone(session)? {
            return Err(Refusal::GONE);
        }
        verb.begin(transfer, session)
    }
}

struct Copy(Transfer);

impl Task for Copy {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Copied(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let copied = result.map_err(Refusal::try_create)?;
        session.has_made(copied.uid_validity, copied.pairs.iter().map(|(_, target)| *target));
        let Self(Transfer { by_uid, asked, .. }) = *self;
        match copy_uid(&copied) {
            None if by_uid => Flow::ok("No such messages, nothing copied"),
            None => Err(Refusal::GONE),
            // Expunged between the news and the copy: COPYUID says which there are.
            Some(code) if copied.pairs.len() < asked && !by_uid => {
                let text = "Some of these messages are gone and were not copied";
                Ok(Flow::Done(Done::with_code(code, text)))
            }
            Some(code) => Ok(Flow::Done(Done::with_code(code, "COPY completed"))),
        }
    }
}

struct Move(Transfer);

impl Task for Move {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Copied(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let copied = result.map_err(Refusal::try_create)?;
        session.has_made(copied.uid_validity, copied.pairs.iter().map(|(_, target)| *target));
        let Self(mut transfer) = *self;
        transfer.gone |= copied.pairs.len() < transfer.asked;
        // COPYUID goes before the EXPUNGEs, so it is untagged (RFC 6851 §4.3).
        if let Some(code) = copy_uid(&copied) {
            session.out.line(&format!("* OK [{code}] Moved"));
        }
        transfer.move_next(session)
    }
}

/// `COPYUID uidvalidity sources targets`, both sets in the same order. `None`: nothing was copied.
fn copy_uid(copied: &Copied) -> Option<String> {
    if copied.pairs.is_empty() {
        return None;
    }
    let mut code = format!("COPYUID {} ", copied.uid_validity).into_bytes();
    write_uid_set(&mut code, copied.pairs.iter().map(|(source, _)| *source));
    code.push(b' ');
    write_uid_set(&mut code, copied.pairs.iter().map(|(_, target)| *target));
    String::from_utf8(code).ok()
}
