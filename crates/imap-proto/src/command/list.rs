//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9, RFC 3348, RFC 6154 §2).

use crate::grammar::pattern::Pattern;
use crate::grammar::{Bad, Parsed, Scanner};
use crate::question::{Answer, MailboxEntry, Question};
use crate::response::mailbox::write_list;
use crate::session::{Flow, Refusal, Session, Task};
use std::collections::HashSet;

pub(super) fn list(args: &mut Scanner<'_>, session: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let mut only_special = false;
    if args.peek() == Some(b'(') {
        only_special = special_use_options(args)?;
        args.space()?;
    }
    let (reference, pattern) = reference_and_pattern(args)?;
    if args.eat_ignoring_case(b" RETURN ") {
        special_use_options(args)?;
    }
    args.end()?;
    if pattern.is_empty() {
        // A question for the hierarchy separator.
        write_list(session.out.buffer(), "LIST", &["\\Noselect"], "");
        return Flow::ok("LIST completed");
    }
    match Pattern::new(&reference, &pattern) {
        Some(pattern) => Flow::ask(
            Question::Mailboxes,
            Listing {
                pattern,
                kind: Kind::List { only_special },
            },
        ),
        None => Flow::ok("LIST completed"),
    }
}

pub(super) fn lsub(args: &mut Scanner<'_>, _: &mut Session) -> Result<Flow, Refusal> {
    args.space()?;
    let (reference, pattern) = reference_and_pattern(args)?;
    args.end()?;
    match Pattern::new(&reference, &pattern) {
        Some(pattern) => Flow::ask(
            Question::Mailboxes,
            Listing {
                pattern,
                kind: Kind::Lsub,
            },
        ),
        None => Flow::ok("LSUB completed"),
    }
}

fn reference_and_pattern(args: &mut Scanner<'_>) -> Parsed<(Vec<u8>, Vec<u8>)> {
    let reference = args.astring()?.into_owned();
    args.space()?;
    Ok((reference, args.list_mailbox()?.into_owned()))
}

/// Selection or return options, of which SPECIAL-USE is ours (RFC 6154 §2). Attributes for it and for children are
/// shown in any case. Whether it was named.
fn special_use_options(args: &mut Scanner<'_>) -> Parsed<bool> {
    if args.eat_ignoring_case(b"()") {
        return Ok(false);
    }
    let mut special = false;
    args.list(|args| {
        match args.atom()?.to_ascii_uppercase().as_slice() {
            b"SPECIAL-USE" => special = true,
            b"CHILDREN" => {}
            _ => return Err(Bad("Unknown LIST option")),
        }
        Ok(())
    })?;
    Ok(special)
}

#[derive(Clone, Copy)]
enum Kind {
    List { only_special: bool },
    Lsub,
}

struct Listing {
    pattern: Pattern,
    kind: Kind,
}

impl Task for Listing {
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal> {
        let Answer::Mailboxes(result) = answer else {
            return Err(Refusal::WRONG_ANSWER);
        };
        let entries = result?;
        let parents: HashSet<&str> = entries
            .iter()
            .filter(|entry| entry.exists)
            .flat_map(|entry| ancestors(&entry.name))
            .collect();
        let (verb, text) = match self.kind {
            Kind::List { .. } => ("LIST", "LIST completed"),
            Kind::Lsub => ("LSUB", "LSUB completed"),
        };
        let chosen: Vec<&MailboxEntry> = entries.iter().filter(|entry| self.is_chosen(entry)).collect();
        let mut shown: HashSet<&str> = chosen.iter().map(|entry| entry.name.as_str()).collect();
        for entry in &chosen {
            if self.pattern.matches(&entry.name) {
                let attributes = self.attributes(entry, &parents);
                write_list(session.out.buffer(), verb, &attributes, &entry.name);
            } else if self.pattern.ends_in_percent() {
                // A level above a name that would be shown, itself not to be shown (RFC 3501 §6.3.9).
                for parent in ancestors(&entry.name) {
                    if self.pattern.matches(parent) && shown.insert(parent) {
                        write_list(session.out.buffer(), verb, &["\\Noselect"], parent);
                    }
                }
            }
        }
        Flow::ok(text)
    }
}

impl Listing {
    fn is_chosen(&self, entry: &MailboxEntry) -> bool {
        match self.kind {
            Kind::List { only_special } => entry.exists && (!only_special || entry.special_use.is_some()),
            Kind::Lsub => entry.subscribed,
        }
    }

    fn attributes(&self, entry: &MailboxEntry, parents: &HashSet<&str>) -> Vec<&'static str> {
        if matches!(self.kind, Kind::Lsub) {
            return Vec::new();
        }
        let children = if parents.contains(entry.name.as_str()) {
            "\\HasChildren"
        } else {
            "\\HasNoChildren"
        };
        let marked = entry
            .marked
            .map(|marked| if marked { "\\Marked" } else { "\\Unmarked" });
        let special = entry.special_use.map(|special| special.attribute());
        [Some(children), marked, special].into_iter().flatten().collect()
    }
}

/// The names above this one.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}
