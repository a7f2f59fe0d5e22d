//! COPY, UID COPY (RFC 3501 §6.4.7), MOVE and UID MOVE (RFC 6851), with COPYUID (RFC 4315 §3).

use crate::grammar::sequence_set::{SequenceSet, UidRanges, write_uid_set};
use crate::grammar::{Scanner, mailbox_name};
use crate::question::{Answer, Copied, PIECE, Question};
use crate::session::{Done, Flow, Refusal, Session, Task};
use crate::view::Pieces;

pub(super) fn copy(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run_copy(args, session, false)
}

pub(super) fn uid_copy(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run_copy(args, session, true)
}

pub(super) fn move_(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run_move(args, session, false)
}

pub(super) fn uid_move(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run_move(args, session, true)
}

/// Which messages, and where to.
fn arguments(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<(UidRanges, String), Refusal> {
    args.space()?;
    let set = SequenceSet::parse(args)?;
    args.space()?;
    let to = mailbox_name::parse(&args.astring()?);
    args.end()?;
    let (view, _) = session.selected()?;
    let ranges = if by_uid {
        set.uids(view)
    } else {
        set.sequence_numbers(view)?
    };
    Ok((ranges, to.ok_or(Refusal::BAD_NAME)?))
}

fn run_copy(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    let (ranges, to) = arguments(args, session, by_uid)?;
    let (view, _) = session.selected()?;
    let uids = Pieces::new(ranges).next(view, usize::MAX);
    if uids.is_empty() {
        return Flow::ok("No such messages, nothing copied");
    }
    Flow::ask(Question::Copy { uids, to }, Copy)
}

struct Copy;

impl Task for Copy {
    fn resume(self: Box<Self>, answer: Answer, _: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Copied(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let copied = result.map_err(Refusal::try_create)?;
        Ok(Flow::Done(Done::with_code(
            copy_uid(&copied).unwrap_or_default(),
            "COPY completed",
        )))
    }
}

fn run_move(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    let (ranges, to) = arguments(args, session, by_uid)?;
    session.selected_for_writing()?;
    Move {
        pieces: Pieces::new(ranges),
        to,
    }
    .next(session)
}

struct Move {
    pieces: Pieces,
    to: String,
}

impl Move {
    fn next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let uids = self.pieces.next(view, PIECE);
        if uids.is_empty() {
            return Flow::ok("MOVE completed");
        }
        Flow::ask(
            Question::Move {
                uids,
                to: self.to.clone(),
            },
            self,
        )
    }
}

impl Task for Move {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Copied(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        // COPYUID goes before the EXPUNGEs, so it is untagged (RFC 6851 §4.3).
        if let Some(code) = copy_uid(&result.map_err(Refusal::try_create)?) {
            session.out.line(&format!("* OK [{code}] Moved"));
        }
        self.next(session)
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
