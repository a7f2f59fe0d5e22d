//! LIST (RFC 9051 §6.3.9: with options, RFC 5258, and STATUS, RFC 5819) and LSUB (RFC 3501 §6.3.9).
//!
//! The outside gives all names; what is wanted of them is decided here. Counts are asked for in pieces, and a name is
//! told only when it is known whether it can be selected.

use super::status::{asked_for, needs_deleted_octets};
use crate::grammar::list_options::{ListArguments, Returns, Selection};
use crate::grammar::pattern::Patterns;
use crate::grammar::{Parsed, Scanner};
use crate::question::{Answer, MailboxEntry, Question, StatusData};
use crate::response::mailbox::{write_list, write_list_with_childinfo};
use crate::response::status::write_status;
use crate::session::{Flow, Refusal, Session, Task};
use std::collections::{HashMap, HashSet, VecDeque};

/// Names in one question for counts.
const STATUS_PIECE: usize = 100;

pub(super) fn list(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let arguments = ListArguments::parse(args)?;
    if arguments.asks_for_separator() {
        write_list(session.out.buffer(), "LIST", &["\\Noselect"], "", false);
        return Flow::ok("LIST completed");
    }
    asked_for(session, &arguments.returns.status);
    let patterns = arguments.patterns(session.enabled.utf8_names());
    if patterns.is_empty() {
        return Flow::ok("LIST completed");
    }
    let ListArguments {
        extended,
        selection,
        returns,
        ..
    } = arguments;
    let list = List {
        patterns,
        selection,
        returns,
        knows_nonexistent: extended || session.enabled.rev2,
    };
    Flow::ask(Question::Mailboxes, list)
}

pub(super) fn lsub(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let (reference, pattern) = reference_and_pattern(args)?;
    args.end()?;
    let patterns = Patterns::new(&reference, [pattern.as_slice()], session.enabled.utf8_names());
    Flow::ask(Question::Mailboxes, Lsub(patterns))
}

fn reference_and_pattern(args: &mut Scanner<'_>) -> Parsed<(Vec<u8>, Vec<u8>)> {
    let reference = args.astring()?.into_owned();
    args.space()?;
    Ok((reference, args.list_mailbox()?.into_owned()))
}

/// The names above this one.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

struct Lsub(Patterns);

impl Task for Lsub {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Mailboxes(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let entries = result?;
        let utf8 = session.enabled.utf8_names();
        let subscribed: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.subscribed)
            .map(|entry| entry.name.as_str())
            .collect();
        let mut shown: HashSet<&str> = subscribed.iter().copied().collect();
        for name in subscribed {
            if self.0.matches(name) {
                write_list(session.out.buffer(), "LSUB", &[], name, utf8);
                continue;
            }
            // A level above a name that is subscribed, itself not subscribed (RFC 3501 §6.3.9).
            for parent in ancestors(name) {
                if self.0.matches_level(parent) && shown.insert(parent) {
                    write_list(session.out.buffer(), "LSUB", &["\\Noselect"], parent, utf8);
                }
            }
        }
        Flow::ok("LSUB completed")
    }
}

struct List {
    patterns: Patterns,
    selection: Selection,
    returns: Returns,
    /// The client has heard of `\NonExistent` (RFC 5258 §3).
    knows_nonexistent: bool,
}

/// A name that is told, and how.
struct Line {
    name: String,
    attributes: Vec<&'static str>,
    childinfo: bool,
    /// It can be selected and is what was asked for, so its counts may be told (RFC 5819 §2).
    counts: bool,
}

impl Task for List {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Mailboxes(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let lines = self.lines(&result?);
        let telling = Telling {
            lines: lines.into(),
            answers: VecDeque::new(),
            list: *self,
        };
        telling.next(session)
    }
}

impl List {
    fn lines(&self, entries: &[MailboxEntry]) -> Vec<Line> {
        let existing = entries.iter().filter(|entry| entry.exists);
        let parents: HashSet<&str> = existing.flat_map(|entry| ancestors(&entry.name)).collect();
        let chosen: Vec<&MailboxEntry> = entries.iter().filter(|entry| self.is_chosen(entry)).collect();
        let mut lines: Vec<Line> = Vec::new();
        // Names that were seen, with their lines.
        let mut shown: HashMap<&str, Option<usize>> = HashMap::new();
        for entry in &chosen {
            let line = self.patterns.matches(&entry.name).then(|| {
                lines.push(self.line(&entry.name, Some(entry), &parents));
                lines.len() - 1
            });
            shown.insert(&entry.name, line);
        }
        let by_name: HashMap<&str, &MailboxEntry> = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
        for entry in &chosen {
            let child_is_shown = shown.get(entry.name.as_str()).is_some_and(Option::is_some);
            for parent in ancestors(&entry.name) {
                match shown.get(parent) {
                    Some(Some(line)) => lines[*line].childinfo |= self.selection.recursive,
                    // What would be told of below it is told itself (RFC 5258 §3.5).
                    _ if child_is_shown || !self.shows_level(parent) => {}
                    _ => {
                        let mut line = self.line(parent, by_name.get(parent).copied(), &parents);
                        line.childinfo = self.selection.recursive;
                        line.counts = false;
                        lines.push(line);
                        shown.insert(parent, Some(lines.len() - 1));
                    }
                }
            }
        }
        lines
    }

    fn is_chosen(&self, entry: &MailboxEntry) -> bool {
        let there = if self.selection.subscribed {
            entry.subscribed
        } else {
            entry.exists
        };
        there && (!self.selection.special_use || entry.special_use.is_some())
    }

    /// Whether a name is told only because something below it was chosen: with RECURSIVEMATCH (RFC 5258 §3.1), or
    /// without options as a level of the hierarchy (RFC 9051 §6.3.9).
    fn shows_level(&self, name: &str) -> bool {
        if self.selection.recursive {
            return self.patterns.matches(name);
        }
        self.selection == Selection::default() && self.patterns.matches_level(name)
    }

    fn line(&self, name: &str, entry: Option<&MailboxEntry>, parents: &HashSet<&str>) -> Line {
        let existing = entry.filter(|entry| entry.exists);
        let missing = if self.knows_nonexistent {
            "\\NonExistent"
        } else {
            "\\Noselect"
        };
        let has_children = parents.contains(name);
        let children = match (existing, has_children) {
            (_, true) => Some("\\HasChildren"),
            (Some(_), false) => Some("\\HasNoChildren"),
            (None, false) => None,
        };
        let marked = existing.and_then(|entry| entry.marked);
        let marked = marked.map(|marked| if marked { "\\Marked" } else { "\\Unmarked" });
        let special = existing.and_then(|entry| entry.special_use);
        let tells_subscribed = self.returns.subscribed || self.selection.subscribed;
        let subscribed = tells_subscribed && entry.is_some_and(|entry| entry.subscribed);
        let attributes = [
            existing.is_none().then_some(missing),
            subscribed.then_some("\\Subscribed"),
            children,
            marked,
            special.map(|special| special.attribute()),
        ];
        Line {
            name: name.to_owned(),
            attributes: attributes.into_iter().flatten().collect(),
            childinfo: false,
            counts: existing.is_some() && !self.returns.status.is_empty(),
        }
    }

    /// What CHILDINFO says: by what names below were chosen.
    fn criteria(&self) -> Vec<&'static str> {
        let criteria = [
            (self.selection.subscribed, "SUBSCRIBED"),
            (self.selection.special_use, "SPECIAL-USE"),
        ];
        criteria.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect()
    }
}

/// Lines on their way out.
struct Telling {
    list: List,
    lines: VecDeque<Line>,
    /// Counts of the next lines that have them.
    answers: VecDeque<Option<StatusData>>,
}

impl Telling {
    fn next(mut self, session: &mut Session) -> Result<Flow, Refusal> {
        while let Some(mut line) = self.lines.pop_front() {
            if !line.counts {
                self.write(session, &line);
                continue;
            }
            let Some(data) = self.answers.pop_front() else {
                self.lines.push_front(line);
                let wanted = self.lines.iter().filter(|line| line.counts).take(STATUS_PIECE);
                let names = wanted.map(|line| line.name.clone()).collect();
                return Flow::ask(Question::Statuses(names), self);
            };
            match data {
                // RFC 5819 §2: it has gone in between.
                None => {
                    line.attributes.insert(0, "\\NoSelect");
                    self.write(session, &line);
                }
                Some(data) if needs_deleted_octets(&self.list.returns.status, &data) => {
                    let question = Question::DeletedOctets(line.name.clone());
                    let telling = self;
                    return Flow::ask(question, WithDeleted { telling, line, data });
                }
                Some(data) => self.write_with_counts(session, &line, &data, 0),
            }
        }
        Flow::ok("LIST completed")
    }

    fn write(&self, session: &mut Session, line: &Line) {
        let utf8 = session.enabled.utf8_names();
        let out = session.out.buffer();
        if line.childinfo {
            write_list_with_childinfo(out, &line.attributes, &line.name, utf8, &self.list.criteria());
        } else {
            write_list(out, "LIST", &line.attributes, &line.name, utf8);
        }
    }

    fn write_with_counts(&self, session: &mut Session, line: &Line, data: &StatusData, deleted_octets: u64) {
        self.write(session, line);
        write_status(session, &line.name, &self.list.returns.status, data, deleted_octets);
    }
}

impl Task for Telling {
    fn resume(mut self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        match answer {
            Answer::Statuses(result) => self.answers = result?.into(),
            _ => return Err(Refusal::WRONG_ANSWER),
        }
        // Without one the same would be asked for ever.
        if self.answers.is_empty() {
            return Err(Refusal::WRONG_ANSWER);
        }
        self.next(session)
    }
}

struct WithDeleted {
    telling: Telling,
    line: Line,
    data: StatusData,
}

impl Task for WithDeleted {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::DeletedOctets(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let octets = result?;
        self.telling.write_with_counts(session, &self.line, &self.data, octets);
        self.telling.next(session)
    }
}
