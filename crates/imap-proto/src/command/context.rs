//! What is told of searches with UPDATE, and CANCELUPDATE (RFC 5267 §4.3).
//!
//! When the client has been told of what happened, each context is asked about the messages that matter to it, and only
//! these; a sorted one also where those that have come belong. What is gone is told before EXPUNGE, in whose numbers the
//! client still counts; what has come after EXISTS and FETCH.

use super::fetch::Fetch;
use crate::grammar::Scanner;
use crate::grammar::sequence_set::UidRanges;
use crate::output::Output;
use crate::question::{Answer, Question};
use crate::response::esearch::write_update;
use crate::session::{Flow, Phase, Refusal, Session, Task};
use crate::view::{Context, Difference, View};
use postroom_types::{SearchKey, SeqNum, Uid};
use std::sync::Arc;

pub(super) fn cancel_update(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    let mut tags = Vec::new();
    args.space()?;
    tags.push(args.string()?);
    while args.eat(b' ') && !args.at_end() {
        tags.push(args.string()?);
    }
    args.end()?;
    let (view, _) = session.selected()?;
    // Some may have ended meanwhile, of which the client has not heard yet.
    let cancelled = tags.iter().filter(|tag| view.contexts.remove(tag)).count();
    if cancelled == 0 {
        return Err(Refusal::No("", "No updates are told of this search"));
    }
    Flow::ok("CANCELUPDATE completed")
}

impl Session {
    /// Tells of what is gone, whether that was told or not: a number stays until EXPUNGE.
    pub(crate) fn tell_of_gone(&mut self) {
        let Phase::Selected(view) = &mut self.phase else { return };
        let mut contexts = std::mem::take(&mut view.contexts);
        for (context, difference) in contexts.drop_gone() {
            write_difference(&mut self.out, view, context, &difference);
        }
        view.contexts = contexts;
    }

    /// What is to be asked so that a context can be told of. To be asked again until there is nothing more.
    pub(crate) fn next_update(&mut self) -> Option<(Question, Box<dyn Task>)> {
        let Phase::Selected(view) = &mut self.phase else {
            return None;
        };
        let last = view.last_uid()?;
        let mut contexts = std::mem::take(&mut view.contexts);
        let is_told = |uid: &Uid| view.seq_of(*uid).is_some() && !view.is_gone(*uid);
        let next = contexts.next(last, is_told).map(|(context, among)| {
            let question = Question::Search {
                among: among.to_vec(),
                program: Arc::clone(&context.program),
            };
            let tag = context.tag.clone();
            (question, Box::new(Matching { tag }) as Box<dyn Task>)
        });
        view.contexts = contexts;
        next
    }

    /// Tells that no more is told of a search.
    pub(crate) fn refuse_updates(&mut self, tag: &[u8], text: &str) {
        let tag = String::from_utf8_lossy(tag);
        self.out.line(&format!("* NO [NOUPDATE \"{tag}\"] {text}"));
    }

    /// The same, of all searches.
    pub(crate) fn end_updates(&mut self, text: &str) {
        let Phase::Selected(view) = &mut self.phase else { return };
        for context in view.contexts.take() {
            self.refuse_updates(&context.tag, text);
        }
    }
}

/// Waits for those that match the program of a context.
struct Matching {
    tag: Vec<u8>,
}

impl Task for Matching {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Found(Ok(found)) = answer else {
            return miss(&self.tag, session);
        };
        let (view, _) = session.selected()?;
        let Some((context, among)) = view.contexts.find(&self.tag) else {
            return told();
        };
        let (leaves, comes) = context.compare(among, &found.uids);
        if let Some(keys) = context.keys.as_ref().filter(|_| !comes.is_empty()) {
            let question = Question::Sort {
                among: context.with(&leaves, &comes),
                program: Arc::new(SearchKey::All),
                keys: keys.clone(),
            };
            return Flow::ask(question, Ordered { tag: self.tag, comes });
        }
        let telling = Telling {
            tag: self.tag,
            leaves,
            comes,
            sorted: None,
        };
        telling.begin(session)
    }
}

/// Waits for the result of a sorted context in its order.
struct Ordered {
    tag: Vec<u8>,
    comes: Vec<Uid>,
}

impl Task for Ordered {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Found(Ok(found)) = answer else {
            return miss(&self.tag, session);
        };
        let telling = Telling {
            tag: self.tag,
            leaves: Vec::new(),
            comes: self.comes,
            sorted: Some(found.uids),
        };
        telling.begin(session)
    }
}

/// The result of a context becomes another.
struct Telling {
    tag: Vec<u8>,
    leaves: Vec<Uid>,
    comes: Vec<Uid>,
    /// The whole result, where its order matters; else these leave and those come.
    sorted: Option<Vec<Uid>>,
}

impl Telling {
    /// Of what is new in it the client may want to hear more, and hears it first (RFC 5465 §7).
    fn begin(self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, _) = session.selected()?;
        let Some((context, _)) = view.contexts.find(&self.tag) else {
            return told();
        };
        let looked_at = context.is_told();
        if self.leaves.is_empty() && self.comes.is_empty() {
            return told();
        }
        let Some(spec) = context.fetch.clone() else {
            return self.tell(session);
        };
        let new = self.comes.iter().copied().filter(|uid| Some(*uid) > looked_at);
        let fetch = Fetch::unasked(UidRanges::of(new), spec, session).next(session);
        self.after(fetch, session)
    }

    fn after(self, first: Result<Flow, Refusal>, session: &mut Session) -> Result<Flow, Refusal> {
        match first {
            Ok(Flow::Ask(question, first)) => Flow::ask(question, Then { first, telling: self }),
            // All is told, or it could not be had.
            _ => self.tell(session),
        }
    }

    fn tell(self, session: &mut Session) -> Result<Flow, Refusal> {
        let (view, out) = session.selected()?;
        let mut contexts = std::mem::take(&mut view.contexts);
        if let Some((context, _)) = contexts.find(&self.tag) {
            let difference = match self.sorted {
                Some(sorted) => context.becomes(sorted),
                None => context.changes(self.leaves, self.comes),
            };
            write_difference(out, view, context, &difference);
        }
        let outgrown = contexts.outgrown();
        view.contexts = contexts;
        for context in outgrown {
            session.refuse_updates(&context.tag, "The result has grown too large");
        }
        told()
    }
}

/// A telling that waits for something else to be done.
struct Then {
    first: Box<dyn Task>,
    telling: Telling,
}

impl Task for Then {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let first = self.first.resume(answer, session);
        self.telling.after(first, session)
    }
}

fn told() -> Result<Flow, Refusal> {
    Flow::ok("")
}

/// What has changed could not be found out. Once that may pass; then rather no updates than wrong ones.
fn miss(tag: &[u8], session: &mut Session) -> Result<Flow, Refusal> {
    let (view, _) = session.selected()?;
    if !view.contexts.miss(tag) {
        session.refuse_updates(tag, "The search cannot be repeated now");
    }
    told()
}

fn write_difference(out: &mut Output, view: &View, context: &Context, difference: &Difference) {
    let number = |uid: &Uid| match context.by_uid {
        true => Some(uid.get()),
        false => view.seq_of(*uid).map(SeqNum::get),
    };
    for (item, runs) in [("REMOVEFROM", &difference.removed), ("ADDTO", &difference.added)] {
        let runs: Vec<(usize, Vec<u32>)> = runs
            .iter()
            .map(|(place, uids)| (*place, uids.iter().filter_map(number).collect()))
            .collect();
        if !runs.is_empty() {
            write_update(out.buffer(), &context.tag, context.by_uid, item, &runs);
        }
    }
}
