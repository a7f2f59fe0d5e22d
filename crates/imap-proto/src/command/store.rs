//! STORE and UID STORE (RFC 3501 §6.4.6, §6.4.8).

use crate::grammar::flags::flags;
use crate::grammar::sequence_set::SequenceSet;
use crate::grammar::{Bad, Parsed, Scanner};
use crate::question::{Answer, ChangeMode, FlagChange, PIECE, Question};
use crate::response::fetch::write_flags_only;
use crate::response::flags::announce_keywords;
use crate::session::{Flow, Refusal, Session, Task};
use crate::view::Pieces;

pub(super) fn store(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_store(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let set = SequenceSet::parse(args)?;
    args.space()?;
    let (mode, silent) = mode(args)?;
    args.space()?;
    let change = FlagChange {
        mode,
        flags: flags(args)?,
    };
    args.end()?;
    let (view, _) = session.selected_for_writing()?;
    let ranges = if by_uid {
        set.uids(view)
    } else {
        set.sequence_numbers(view)?
    };
    let store = Store {
        pieces: Pieces::new(ranges),
        change,
        silent,
        by_uid,
        asked: 0,
        gone: false,
    };
    store.next(session)
}

/// `store-att-flags` without its flags: how, and whether `.SILENT`.
fn mode(args: &mut Scanner<'_>) -> Parsed<(ChangeMode, bool)> {
    let mode = if args.eat(b'+') {
        ChangeMode::Add
    } else if args.eat(b'-') {
        ChangeMode::Remove
    } else {
        ChangeMode::Replace
    };
    match args.atom()?.to_ascii_uppercase().as_slice() {
        b"FLAGS" => Ok((mode, false)),
        b"FLAGS.SILENT" => Ok((mode, true)),
        _ => Err(Bad("Unknown STORE item")),
    }
}

struct Store {
    pieces: Pieces,
    change: FlagChange,
    silent: bool,
    by_uid: bool,
    /// Messages in the piece that is open.
    asked: usize,
    gone: bool,
}

impl Store {
    fn next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let uids = self.pieces.next(view, PIECE);
        if !uids.is_empty() {
            self.asked = uids.len();
            return Flow::ask(
                Question::Store {
                    uids,
                    change: self.change.clone(),
                },
                self,
            );
        }
        if self.gone && !self.by_uid {
            return Err(Refusal::GONE);
        }
        Flow::ok("STORE completed")
    }
}

impl Task for Store {
    fn resume(mut self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Stored(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let stored = result?;
        self.gone |= stored.len() < self.asked;
        let (view, out) = session.selected()?;
        for now in stored {
            if self.silent {
                view.flags_changed_silently(now);
                continue;
            }
            view.flags_told(now.uid);
            if let Some(seq) = view.seq_of(now.uid) {
                announce_keywords(out, view, &now.flags);
                let uid = self.by_uid.then_some(now.uid);
                write_flags_only(out, seq, uid, &now.flags, view.is_recent(now.uid));
            }
        }
        self.next(session)
    }
}
