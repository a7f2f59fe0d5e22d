//! FETCH and UID FETCH (RFC 3501 §6.4.5, §6.4.8), in pieces: the next is asked for when the one before has gone out.

use crate::grammar::Scanner;
use crate::grammar::fetch_items::{FetchSpec, Item};
use crate::grammar::sequence_set::SequenceSet;
use crate::question::{Answer, FetchItems, PIECE, Question};
use crate::response::fetch::write_fetched;
use crate::response::flags::announce_keywords;
use crate::session::{Flow, Refusal, Session, Task};
use crate::view::Pieces;

/// Sections in one piece, over all its messages: chosen header fields are held in memory until they are sent.
const SECTIONS_IN_PIECE: usize = 16;
/// Messages in one piece, when envelopes or structures are asked: those of hostile mail are large.
const PIECE_WITH_SUMMARIES: usize = 50;

pub(super) fn fetch(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_fetch(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let set = SequenceSet::parse(args)?;
    args.space()?;
    let FetchSpec { mut items, mut wanted } = FetchSpec::parse(args)?;
    args.end()?;
    let (view, _) = session.selected()?;
    if by_uid && !items.contains(&Item::Uid) {
        items.insert(0, Item::Uid);
    }
    wanted.set_seen &= !view.read_only();
    wanted.flags |= wanted.set_seen;
    let ranges = if by_uid {
        set.uids(view)
    } else {
        set.sequence_numbers(view)?
    };
    let fetch = Fetch {
        pieces: Pieces::new(ranges),
        items,
        wanted,
        by_uid,
        asked: 0,
        gone: false,
    };
    fetch.next(session)
}

struct Fetch {
    pieces: Pieces,
    items: Vec<Item>,
    wanted: FetchItems,
    by_uid: bool,
    /// Messages in the piece that is open.
    asked: usize,
    gone: bool,
}

impl Fetch {
    fn piece_limit(&self) -> usize {
        if !self.wanted.sections.is_empty() {
            (SECTIONS_IN_PIECE / self.wanted.sections.len()).max(1)
        } else if self.wanted.summary {
            PIECE_WITH_SUMMARIES
        } else {
            PIECE
        }
    }

    fn next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let limit = self.piece_limit();
        let (view, _) = session.selected()?;
        let uids = self.pieces.next(view, limit);
        if !uids.is_empty() {
            self.asked = uids.len();
            return Flow::ask(
                Question::Fetch {
                    uids,
                    items: self.wanted.clone(),
                },
                self,
            );
        }
        if self.gone && !self.by_uid {
            return Err(Refusal::GONE);
        }
        Flow::ok("FETCH completed")
    }
}

impl Task for Fetch {
    fn resume(mut self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Fetched(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let fetched = result?;
        self.gone |= fetched.len() < self.asked;
        let (view, out) = session.selected()?;
        for message in fetched {
            if self.wanted.flags {
                view.flags_told(message.uid);
            }
            if let Some(flags) = &message.flags {
                announce_keywords(out, view, flags);
            }
            write_fetched(out, view, &self.items, message);
        }
        self.next(session)
    }
}
