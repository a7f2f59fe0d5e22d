//! Makes commands that fit what a client believes, some of them bound to be refused.

mod append;
mod mailboxes;
mod search;
mod selected;

use crate::client::{Client, Dialect};
use crate::command::{Command, Kind, What};
use crate::dice::Dice;
use crate::mail::Post;
use crate::view::View;
use std::collections::BTreeSet;

pub(crate) const NAMES: [&str; 7] = ["INBOX", "INBOX", "Archive", "Trash", "a", "a/b", "c"];
const MADE: [&str; 5] = ["a", "a/b", "a/b/c", "c", "c/d"];
const FLAGS: [&str; 8] = [
    "\\Seen",
    "\\Answered",
    "\\Flagged",
    "\\Deleted",
    "\\Deleted",
    "\\Draft",
    "work",
    "$Later",
];

pub(crate) struct Planner<'a> {
    pub(crate) dice: &'a mut Dice,
    pub(crate) client: &'a Client,
    pub(crate) post: &'a Post,
    /// Part of a pipeline: by UID, of messages that are known now, and nothing waits for `+`.
    pub(crate) piped: bool,
}

impl Planner<'_> {
    /// A command of this kind, if the client can give one now.
    pub(crate) fn plan(&mut self, kind: Kind) -> Option<Command> {
        match kind {
            Kind::Noop => Some(Command::line("NOOP", false, "NOOP".to_owned(), What::Noop)),
            Kind::Select => Some(self.select()),
            Kind::Idle => Some(Command::line("IDLE", false, "IDLE".to_owned(), What::Idle)),
            Kind::Append => Some(self.append()),
            Kind::Create => Some(self.named("CREATE", What::Create)),
            Kind::Delete => Some(self.named("DELETE", What::Delete)),
            Kind::Rename => Some(self.rename()),
            Kind::List => Some(self.list()),
            Kind::Status => Some(self.status()),
            Kind::Subscribe => Some(self.subscribe()),
            _ => self.plan_selected(kind),
        }
    }

    fn plan_selected(&mut self, kind: Kind) -> Option<Command> {
        let view = self.client.view.as_ref()?;
        match kind {
            Kind::Fetch => self.fetch(view),
            Kind::Store => self.store(view),
            Kind::Copy => self.transfer(view, "COPY"),
            Kind::Move if self.client.can("MOVE") => self.transfer(view, "MOVE"),
            Kind::Replace if self.client.can("REPLACE") => self.replace(view),
            Kind::Expunge => self.expunge(view),
            Kind::Search => Some(self.search(view)),
            Kind::Sort if self.client.can("SORT") => Some(self.sort(view)),
            Kind::Thread if self.client.can("THREAD=REFERENCES") => Some(self.thread(view)),
            Kind::Close => Some(self.close()),
            _ => None,
        }
    }

    fn select(&mut self) -> Command {
        let name = self.dice.pick(&NAMES).to_owned();
        let read_only = self.dice.chance(15);
        let mut text = format!("{} {name}", if read_only { "EXAMINE" } else { "SELECT" });
        let (mut resync, mut enables) = (None, false);
        if self.client.dialect.qresync()
            && let Some(cache) = self.client.caches.get(&name)
        {
            let known: Vec<u32> = cache.messages.keys().copied().collect();
            let named = (self.dice.chance(30) && !known.is_empty()).then_some(known);
            text.push_str(&format!(" (QRESYNC ({} {}", cache.uid_validity, cache.highest));
            if let Some(known) = &named {
                text.push_str(&format!(" {}", write_set(known)));
            }
            if self.dice.chance(20) && !cache.messages.is_empty() {
                let uids: Vec<u32> = cache.messages.keys().copied().collect();
                text.push_str(&format!(" (1:{} {})", uids.len(), write_set(&uids)));
            }
            text.push_str("))");
            resync = Some(Box::new(cache.clone()));
        } else {
            let chance = match self.client.dialect {
                Dialect::Rev1 if self.client.can("CONDSTORE") => 5,
                dialect if dialect.condstore() => 30,
                _ => 0,
            };
            enables = self.dice.chance(chance);
            text.push_str(if enables { " (CONDSTORE)" } else { "" });
        }
        Command::line(
            "SELECT",
            false,
            text,
            What::Select {
                name,
                read_only,
                resync,
                enables,
            },
        )
    }

    /// Messages of the view, and a set that names them.
    fn set(&mut self, view: &View, by_uid: bool) -> Option<(Vec<u32>, String)> {
        let uids = view.uids();
        let last = *uids.last()?;
        let fits = by_uid || view.first_unknown().is_none();
        if let (Some(saved), false, true) = (&self.client.saved, self.piped, self.dice.chance(30)) {
            let named = uids.iter().copied().filter(|uid| saved.contains(uid)).collect();
            return Some((named, "$".to_owned()));
        }
        let from = self.dice.below(uids.len());
        let count = match self.dice.below(4) {
            0 => uids.len(),
            1 => 1,
            _ => 1 + self.dice.below(5),
        };
        let chosen: Vec<u32> = match self.dice.chance(30) {
            true => uids.iter().copied().filter(|_| self.dice.chance(30)).collect(),
            false => uids[from..].iter().copied().take(count).collect(),
        };
        let chosen = if chosen.is_empty() { vec![uids[from]] } else { chosen };
        if !self.piped && fits && self.dice.chance(25) {
            // To the end, whatever that is.
            let first = chosen[0];
            let named = uids.iter().copied().filter(|uid| *uid >= first).collect();
            let number = if by_uid { first } else { view.seq_of(first)? };
            return Some((named, format!("{number}:*")));
        }
        if by_uid && !self.piped && self.dice.chance(25) {
            // Also some that are not there, and perhaps some that were not told.
            let (first, to) = (chosen[0], *chosen.last()? + 3);
            let known = uids.iter().copied().filter(|uid| (first..=to).contains(uid));
            let named = known.chain(last + 1..=to).collect();
            return Some((named, format!("{to}:{first}")));
        }
        let numbers: Option<Vec<u32>> = chosen
            .iter()
            .map(|uid| if by_uid { Some(*uid) } else { view.seq_of(*uid) })
            .collect();
        Some((chosen, write_set(&numbers?)))
    }

    fn by_uid(&mut self) -> bool {
        self.piped || self.dice.chance(50)
    }

    fn close(&mut self) -> Command {
        match self.dice.chance(50) {
            true => Command::line("CLOSE", false, "CLOSE".to_owned(), What::Close),
            false => Command::line("UNSELECT", false, "UNSELECT".to_owned(), What::Unselect),
        }
    }
}

/// `1:3,7` of ascending numbers.
pub(crate) fn write_set(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers.iter().copied().collect::<BTreeSet<u32>>() {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let write = |(first, last): &(u32, u32)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}:{last}")
        }
    };
    ranges.iter().map(write).collect::<Vec<_>>().join(",")
}
