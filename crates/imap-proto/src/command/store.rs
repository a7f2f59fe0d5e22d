//! STORE and UID STORE (RFC 9051 §6.4.6, §6.4.9, RFC 7162 §3.1.3).

use super::fresh::once_told;
use crate::grammar::flags::flags;
use crate::grammar::sequence_set::UidRanges;
use crate::grammar::{Bad, Parsed, Scanner};
use crate::output::Output;
use crate::question::{Answer, ChangeMode, FetchItems, FlagChange, FlagsNow, LIGHT_PIECE, PIECE, Question};
use crate::response::fetch::{write_flags_only, write_modseq_only};
use crate::response::flags::announce_keywords;
use crate::response::number_set::write_number_set;
use crate::session::{Done, Enabled, Flow, Refusal, Session, Task};
use crate::view::{Pieces, View};
use postroom_types::{ModSeq, Uid};

pub(super) fn store(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_store(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let set = session.read_set(args)?;
    args.space()?;
    let unchanged_since = unchanged_since(args)?;
    let (mode, silent) = mode(args)?;
    args.space()?;
    let change = FlagChange {
        mode,
        flags: flags(args)?,
    };
    args.end()?;
    let (view, _) = session.selected_for_writing()?;
    let begin = move |ranges: UidRanges, session: &mut Session| {
        if unchanged_since.is_some() {
            session.enable_condstore();
        }
        let store = Store {
            pieces: Pieces::new(ranges),
            change,
            unchanged_since,
            silent,
            by_uid,
            gone: false,
            modified: Vec::new(),
            shown: 0,
        };
        store.next(session)
    };
    if !by_uid {
        let ranges = set.sequence_numbers(view)?;
        return begin(ranges, session);
    }
    once_told(set, session, |set, session| {
        let (view, _) = session.selected()?;
        let ranges = set.uids(view);
        begin(ranges, session)
    })
}

/// `store-modifiers` and the space after them (RFC 7162 §7).
fn unchanged_since(args: &mut Scanner<'_>) -> Parsed<Option<ModSeq>> {
    if args.peek() != Some(b'(') {
        return Ok(None);
    }
    let mut since = None;
    args.list(|args| {
        if !args.atom()?.eq_ignore_ascii_case(b"UNCHANGEDSINCE") {
            return Err(Bad("Unknown STORE modifier"));
        }
        args.space()?;
        since = Some(ModSeq(args.number64()?));
        Ok(())
    })?;
    args.space()?;
    Ok(since)
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
    unchanged_since: Option<ModSeq>,
    silent: bool,
    by_uid: bool,
    gone: bool,
    /// Those that have changed since, ascending.
    modified: Vec<Uid>,
    /// So many of `modified` were asked for, so that the client need not ask what has changed.
    shown: usize,
}

impl Store {
    fn next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let uids = self.pieces.next(view, PIECE);
        if !uids.is_empty() {
            return Flow::ask(
                Question::Store {
                    uids,
                    change: self.change.clone(),
                    unchanged_since: self.unchanged_since,
                },
                self,
            );
        }
        let uids: Vec<Uid> = self.modified[self.shown..].iter().copied().take(LIGHT_PIECE).collect();
        if !uids.is_empty() {
            self.shown += uids.len();
            let items = FetchItems {
                flags: true,
                ..FetchItems::default()
            };
            return Flow::ask(
                Question::Fetch {
                    uids,
                    items,
                    changed_since: None,
                },
                self,
            );
        }
        self.finish(session)
    }

    fn finish(self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        // A client that asks for no answer does not care which messages others have expunged (RFC 2180 §4.2.1).
        let cares = !self.silent || self.unchanged_since.is_some();
        let gone = self.gone && !self.by_uid && cares;
        if self.modified.is_empty() {
            return if gone {
                Err(Refusal::GONE)
            } else {
                Flow::ok("STORE completed")
            };
        }
        let mut code = b"MODIFIED ".to_vec();
        if self.by_uid {
            write_number_set(&mut code, self.modified.iter().map(|uid| uid.get()));
        } else {
            let seqs = self.modified.iter().filter_map(|uid| view.seq_of(*uid));
            write_number_set(&mut code, seqs.map(|seq| seq.get()));
        }
        let code = String::from_utf8_lossy(&code).into_owned();
        if gone {
            return Err(Refusal::NoWith(code, "Some of these messages have been deleted"));
        }
        Ok(Flow::Done(Done::with_code(code, "Conditional STORE failed for some")))
    }

    fn told(&self, now: &FlagsNow, enabled: Enabled, view: &mut View, out: &mut Output) {
        let Some(seq) = view.seq_of(now.uid) else { return };
        view.contexts.flags_have_changed(now.uid);
        if enabled.condstore {
            view.modseq_shown(now.modseq);
        }
        if self.silent {
            view.flags_changed_silently(now);
            if enabled.condstore {
                write_modseq_only(out, seq, now.uid, now.modseq);
            }
            return;
        }
        view.flags_told(now.uid);
        announce_keywords(out, view, &now.flags);
        let uid = (self.by_uid || enabled.condstore || enabled.rev2).then_some(now.uid);
        let modseq = enabled.condstore.then_some(now.modseq);
        write_flags_only(out, seq, uid, &now.flags, view.is_recent(now.uid), modseq);
    }
}

impl Task for Store {
    fn resume(mut self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let enabled = session.enabled;
        let (view, out) = session.selected()?;
        match answer {
            Answer::Stored(result) => {
                let stored = result?;
                self.gone |= stored.gone > 0;
                self.modified.extend(stored.modified);
                for now in stored.now {
                    self.told(&now, enabled, view, out);
                }
            }
            Answer::Fetched(result) => {
                for message in result?.messages {
                    let Some(seq) = view.seq_of(message.uid) else { continue };
                    let flags = message.flags.unwrap_or_default();
                    view.flags_told(message.uid);
                    view.modseq_shown(message.modseq);
                    announce_keywords(out, view, &flags);
                    let recent = view.is_recent(message.uid);
                    write_flags_only(out, seq, Some(message.uid), &flags, recent, Some(message.modseq));
                }
            }
            _ => return Err(Refusal::WRONG_ANSWER),
        }
        self.next(session)
    }
}
