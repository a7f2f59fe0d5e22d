//! FETCH and UID FETCH (RFC 9051 §6.4.5, §6.4.9, RFC 7162 §3.1.4, §3.2.6), in pieces: the next is asked for when the one
//! before has gone out.

use super::fresh::once_told;
use super::resync::ask_vanished;
use crate::grammar::fetch_items::{FetchSpec, Item};
use crate::grammar::partial_range::PartialRange;
use crate::grammar::sequence_set::UidRanges;
use crate::grammar::{Bad, Parsed, Scanner};
use crate::question::{Answer, Fault, FetchItems, LIGHT_PIECE, PIECE, Question};
use crate::response::fetch::write_fetched;
use crate::response::flags::announce_keywords;
use crate::session::{Done, Flow, Phase, Refusal, Session, Task};
use crate::view::Pieces;
use postroom_types::{ModSeq, Uid};

pub(super) fn fetch(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_fetch(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let set = session.read_set(args)?;
    args.space()?;
    let FetchSpec { mut items, mut wanted } = FetchSpec::parse(args)?;
    let modifiers = Modifiers::parse(args)?;
    args.end()?;
    modifiers.check(by_uid, session.enabled.qresync)?;
    let (view, _) = session.selected()?;
    if by_uid && !items.contains(&Item::Uid) {
        items.insert(0, Item::Uid);
    }
    if modifiers.changed_since.is_some() && !items.contains(&Item::ModSeq) {
        items.push(Item::ModSeq);
    }
    wanted.set_seen &= !view.read_only();
    wanted.flags |= wanted.set_seen;
    let begin = move |ranges: UidRanges, vanished: Option<UidRanges>, session: &mut Session| {
        if items.contains(&Item::ModSeq) {
            session.enable_condstore();
        }
        let fetch = Fetch {
            changed_since: modifiers.changed_since,
            by_uid,
            ..Fetch::by_uid(ranges, items, wanted, Done::ok("FETCH completed"))
        };
        match vanished {
            Some(among) => ask_vanished(among, fetch, session),
            None => fetch.next(session),
        }
    };
    if !by_uid {
        let ranges = set.sequence_numbers(view)?;
        return begin(ranges, None, session);
    }
    once_told(set, session, move |set, session| {
        let (view, _) = session.selected()?;
        let mut ranges = set.uids(view);
        if let Some(partial) = modifiers.partial {
            ranges = view.part_of(&ranges, partial);
        }
        let vanished = modifiers.vanished.then(|| set.known_uids(view));
        begin(ranges, vanished, session)
    })
}

/// `fetch-modifiers` (RFC 4466 §2.4, RFC 7162 §7, RFC 9394 §3.3).
#[derive(Clone, Copy, Default)]
struct Modifiers {
    changed_since: Option<ModSeq>,
    vanished: bool,
    /// Of the messages in the set only these, before anything else is looked at. What has vanished has no place among them
    /// and is told of the whole set.
    partial: Option<PartialRange>,
}

impl Modifiers {
    fn parse(args: &mut Scanner<'_>) -> Parsed<Self> {
        let mut modifiers = Self::default();
        if !args.eat(b' ') || args.at_end() {
            return Ok(modifiers);
        }
        args.list(|args| {
            match args.atom()?.to_ascii_uppercase().as_slice() {
                b"CHANGEDSINCE" => {
                    args.space()?;
                    modifiers.changed_since = Some(ModSeq(args.number64()?));
                }
                b"VANISHED" => modifiers.vanished = true,
                b"PARTIAL" => {
                    args.space()?;
                    if modifiers.partial.replace(PartialRange::parse(args)?).is_some() {
                        return Err(Bad("Only one PARTIAL"));
                    }
                }
                _ => return Err(Bad("Unknown FETCH modifier")),
            }
            Ok(())
        })?;
        Ok(modifiers)
    }

    /// RFC 7162 §3.2.6, RFC 9394 §3.3.
    fn check(&self, by_uid: bool, qresync: bool) -> Parsed<()> {
        if self.partial.is_some() && !by_uid {
            Err(Bad("PARTIAL is for UID FETCH"))
        } else if !self.vanished {
            Ok(())
        } else if !by_uid {
            Err(Bad("VANISHED is for UID FETCH"))
        } else if !qresync {
            Err(Bad("Enable QRESYNC first"))
        } else if self.changed_since.is_none() {
            Err(Bad("VANISHED goes with CHANGEDSINCE"))
        } else {
            Ok(())
        }
    }
}

/// A FETCH on its way; also the end of a SELECT that resynchronises.
pub(super) struct Fetch {
    pieces: Pieces,
    /// Of the last piece, what its answer left out.
    left: Vec<Uid>,
    items: Vec<Item>,
    wanted: FetchItems,
    pub(super) changed_since: Option<ModSeq>,
    by_uid: bool,
    gone: bool,
    /// A transfer encoding was not known (RFC 3516 §4.3).
    unknown_cte: bool,
    /// What is kept of some messages cannot be read.
    unreadable: bool,
    /// The command is a SELECT, so that with NO no mailbox is selected.
    pub(super) selects: bool,
    done: Done,
}

impl Fetch {
    /// Of these messages, where those that are gone are no fault.
    pub(super) fn by_uid(ranges: UidRanges, items: Vec<Item>, wanted: FetchItems, done: Done) -> Self {
        Self {
            pieces: Pieces::new(ranges),
            left: Vec::new(),
            items,
            wanted,
            changed_since: None,
            by_uid: true,
            gone: false,
            unknown_cte: false,
            unreadable: false,
            selects: false,
            done,
        }
    }

    /// What is told of these messages without being asked for.
    pub(super) fn unasked(ranges: UidRanges, spec: FetchSpec, session: &Session) -> Self {
        let FetchSpec { mut items, wanted } = spec;
        // RFC 7162 §3.1: in all that is told unasked.
        if session.enabled.condstore && !items.contains(&Item::ModSeq) {
            items.push(Item::ModSeq);
        }
        Self::by_uid(ranges, items, wanted, Done::ok(""))
    }

    /// What was asked could not be had.
    pub(super) fn fail(&self, fault: Fault, session: &mut Session) -> Result<Flow, Refusal> {
        if self.selects {
            session.phase = Phase::Authenticated;
            return Flow::ask(Question::Unselect, Unselected(fault));
        }
        Err(fault.into())
    }

    pub(super) fn next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let limit = if self.wanted.is_light() { LIGHT_PIECE } else { PIECE };
        let mut uids = std::mem::take(&mut self.left);
        if uids.is_empty() {
            uids = self.pieces.next(view, limit);
        }
        if !uids.is_empty() {
            return Flow::ask(
                Question::Fetch {
                    uids,
                    items: self.wanted.clone(),
                    changed_since: self.changed_since,
                },
                self,
            );
        }
        if self.unreadable {
            return Err(Fault::Internal.into());
        }
        if self.unknown_cte {
            return Err(Fault::UnknownCte.into());
        }
        if self.gone && !self.by_uid {
            return Err(Refusal::GONE);
        }
        Ok(Flow::Done(self.done))
    }
}

impl Task for Fetch {
    fn resume(mut self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Fetched(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let fetched = match result {
            Ok(fetched) => fetched,
            Err(fault) => return self.fail(fault, session),
        };
        self.gone |= fetched.gone > 0;
        self.unreadable |= fetched.unreadable;
        self.left = fetched.left;
        let enabled = session.enabled;
        let with_modseq = self.items.contains(&Item::ModSeq);
        // Flags that were changed by others are told with their modseq, so not by this to who wants modseqs.
        let tells_flags = self.items.contains(&Item::Flags) && (with_modseq || !enabled.condstore);
        let (view, out) = session.selected()?;
        for message in fetched.messages {
            let with_flags = message.flags_changed;
            if tells_flags || with_flags {
                view.flags_told(message.uid);
            }
            if with_modseq || with_flags {
                view.modseq_shown(message.modseq);
            }
            if with_flags {
                view.contexts.flags_have_changed(message.uid);
            }
            if let Some(flags) = &message.flags {
                announce_keywords(out, view, flags);
            }
            let lacking = write_fetched(out, view, &self.items, enabled, message);
            self.unknown_cte |= lacking.unknown_cte;
            self.unreadable |= lacking.unreadable;
        }
        self.next(session)
    }
}

/// A SELECT that has failed after all (RFC 9051 §6.3.2: NO means that no mailbox is selected).
struct Unselected(Fault);

impl Task for Unselected {
    fn resume(self: Box<Self>, _: Answer, _: &mut Session) -> Result<Flow, Refusal> {
        Err(self.0.into())
    }
}
