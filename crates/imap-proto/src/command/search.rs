//! SEARCH and UID SEARCH (RFC 9051 §6.4.4), with RETURN (RFC 4731, RFC 5267, RFC 9394) and `$` (RFC 5182); what SORT has in
//! common with them.

use crate::grammar::Scanner;
use crate::grammar::charset::{BAD_CHARSET, Charset};
use crate::grammar::return_options::{ReturnOptions, Update};
use crate::grammar::search_key::{self, Meaning};
use crate::grammar::sequence_set::UidRanges;
use crate::question::{Answer, Found, Question};
use crate::response::esearch::{Results, write_esearch, write_plain};
use crate::session::{Flow, Phase, Refusal, Session, Task};
use crate::view::{Context, View};
use postroom_types::{SearchKey, SeqNum, SortKey, Uid};
use std::sync::Arc;

pub(super) fn search(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, false)
}

pub(super) fn uid_search(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    run(args, session, true)
}

fn run(args: &mut Scanner<'_>, session: &mut Session, by_uid: bool) -> Result<Flow, Refusal> {
    args.space()?;
    let mut search = Search::new("SEARCH", args, by_uid);
    search.read_options(args, session)?;
    let charset = if args.eat_ignoring_case(b"CHARSET ") {
        // RFC 6855 §3: the charset is known then.
        if session.enabled.utf8 {
            return Err(Refusal::Bad("No CHARSET after ENABLE UTF8=ACCEPT"));
        }
        search.charset(args, session)?
    } else {
        Charset::UTF_8
    };
    // RFC 9051 §6.4.4: IMAP4rev2 has no other response.
    if session.enabled.rev2 {
        search.options.get_or_insert_with(ReturnOptions::all);
    }
    let (among, program) = program(args, session, charset, search.is_followed())?;
    let program = Arc::new(program);
    search.will_follow(&program, None);
    Flow::ask(Question::Search { among, program }, search)
}

/// `charset`, and the space after it.
pub(super) fn charset(args: &mut Scanner<'_>) -> Result<Charset, Refusal> {
    let name = args.astring()?;
    args.space()?;
    Charset::named(&name).ok_or(Refusal::No(BAD_CHARSET, "This charset is not known here"))
}

/// The messages this session knows of, and the program that chooses among them; now, or also later if it is followed.
pub(super) fn program(
    args: &mut Scanner<'_>,
    session: &mut Session,
    charset: Charset,
    is_followed: bool,
) -> Result<(Vec<Uid>, SearchKey), Refusal> {
    let Phase::Selected(view) = &session.phase else {
        return Err(Refusal::Bad("Select a mailbox first"));
    };
    let meaning = Meaning {
        view,
        saved: session.saved.as_ref(),
        charset,
        is_followed,
    };
    let program = search_key::program(args, meaning)?;
    let among = view.to_vec();
    session.holds_expunges = program.by_number;
    if search_key::asks_modseq(&program.key) {
        session.enable_condstore();
    }
    Ok((among, program.key))
}

/// A SEARCH or SORT whose answer is awaited.
pub(super) struct Search {
    /// Also the name of the plain response.
    verb: &'static str,
    tag: Vec<u8>,
    by_uid: bool,
    /// `None`: the plain response.
    options: Option<ReturnOptions>,
    /// What the client wants to follow once its result is known.
    follows: Option<Context>,
}

impl Search {
    pub(super) fn new(verb: &'static str, args: &Scanner<'_>, by_uid: bool) -> Self {
        Self {
            verb,
            tag: args.command_tag().to_vec(),
            by_uid,
            options: None,
            follows: None,
        }
    }

    /// Reads RETURN and what belongs to it, if it comes next.
    pub(super) fn read_options(&mut self, args: &mut Scanner<'_>, session: &mut Session) -> Result<(), Refusal> {
        self.options = ReturnOptions::parse(args)?;
        let (view, _) = session.selected()?;
        if self.update().is_some() && view.contexts.has(&self.tag) {
            return Err(Refusal::Bad("Updates are told under this tag already"));
        }
        Ok(())
    }

    fn update(&self) -> Option<&Update> {
        self.options.as_ref()?.update.as_ref()
    }

    pub(super) fn is_followed(&self) -> bool {
        self.update().is_some()
    }

    /// If it has UPDATE: this program is to be asked again, and its result is in this order.
    pub(super) fn will_follow(&mut self, program: &Arc<SearchKey>, keys: Option<&[SortKey]>) {
        self.follows = self.update().map(|update| {
            let mut context = Context::new(Arc::clone(program), keys.map(<[SortKey]>::to_vec));
            context.tag = self.tag.clone();
            context.by_uid = self.by_uid;
            context.fetch = update.fetch.clone();
            context
        });
    }

    /// As [`charset`].
    pub(super) fn charset(&self, args: &mut Scanner<'_>, session: &mut Session) -> Result<Charset, Refusal> {
        charset(args).inspect_err(|refusal| self.forget(refusal, session))
    }

    fn saves(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.save)
    }

    /// A search that was to be saved and ends with NO leaves nothing saved (RFC 5182 §2.1).
    fn forget(&self, refusal: &Refusal, session: &mut Session) {
        if self.saves() && !matches!(refusal, Refusal::Bad(_)) {
            session.saved = None;
        }
    }

    fn tell(self, session: &mut Session, found: &Found) -> Result<(), Refusal> {
        let (view, out) = session.selected()?;
        let mut results = Results::default();
        let mut uids = Vec::with_capacity(found.uids.len());
        let numbers = sequence_numbers(view, &found.uids);
        for (index, (uid, seq)) in found.uids.iter().zip(numbers).enumerate() {
            let Some(seq) = seq else { continue };
            uids.push(*uid);
            results.numbers.push(if self.by_uid { uid.get() } else { seq.get() });
            results.modseqs.extend(found.modseqs.get(index));
        }
        let Some(options) = self.options else {
            write_plain(out.buffer(), self.verb, &results);
            return Ok(());
        };
        if !options.is_silent() {
            write_esearch(out.buffer(), &self.tag, self.by_uid, &options, &results);
        }
        if options.save {
            let chosen = options.chosen(uids.len()).into_iter();
            session.saved = Some(UidRanges::of(chosen.flat_map(|range| uids[range].iter().copied())));
        }
        match self.follows {
            Some(mut context) => {
                context.result = uids;
                follow(context, session)
            }
            None => Ok(()),
        }
    }
}

fn follow(context: Context, session: &mut Session) -> Result<(), Refusal> {
    let tells_messages = session.notify.tells_messages();
    let (view, _) = session.selected()?;
    let tag = context.tag.clone();
    let refused = if !tells_messages {
        Some("Nothing is told of this mailbox")
    } else if context.traits.by_recent {
        Some("What is recent is not followed")
    } else if !view.follow(context) {
        Some("Too much is followed already")
    } else {
        None
    };
    if let Some(text) = refused {
        session.refuse_updates(&tag, text);
    }
    Ok(())
}

impl Task for Search {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Found(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let verb = self.verb;
        match result {
            Ok(found) => self.tell(session, &found)?,
            Err(fault) => {
                let refusal = Refusal::from(fault);
                self.forget(&refusal, session);
                return Err(refusal);
            }
        }
        Flow::ok(match verb {
            "SORT" => "SORT completed",
            _ => "SEARCH completed",
        })
    }
}

/// The client's numbers of these messages, in the order given. Where they ascend, as after SEARCH, the view is walked
/// once.
fn sequence_numbers(view: &View, uids: &[Uid]) -> Vec<Option<SeqNum>> {
    if !uids.is_sorted() {
        return uids.iter().map(|uid| view.seq_of(*uid)).collect();
    }
    let (Some(first), Some(last)) = (uids.first(), uids.last()) else {
        return Vec::new();
    };
    let before = view
        .between(Uid::MIN, *last, usize::MAX)
        .take_while(|uid| uid < first)
        .count();
    let mut known = view
        .between(*first, *last, usize::MAX)
        .zip(before as u32 + 1..)
        .peekable();
    let number = |uid: &Uid| {
        while known.next_if(|(told, _)| told < uid).is_some() {}
        known
            .peek()
            .filter(|(told, _)| told == uid)
            .and_then(|(_, number)| SeqNum::new(*number))
    };
    uids.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_those_of_the_view(
            told in proptest::collection::btree_set(1_u32..60, 0..40),
            found in proptest::collection::vec(1_u32..60, 0..30),
            sorted: bool,
        ) {
            let view = View::of(told.into_iter().filter_map(Uid::new).collect());
            let mut found: Vec<Uid> = found.into_iter().filter_map(Uid::new).collect();
            if sorted {
                found.sort_unstable();
            }
            let expected: Vec<Option<SeqNum>> = found.iter().map(|uid| view.seq_of(*uid)).collect();
            prop_assert_eq!(sequence_numbers(&view, &found), expected);
        }
    }
}
