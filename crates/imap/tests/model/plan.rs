//! Makes commands that fit what a client believes, some of them bound to be refused.

use crate::client::{Client, Dialect};
use crate::command::{Command, Kind, New, What};
use crate::dice::Dice;
use crate::mail::{Moment, Post};
use crate::search::{Key, SortBy};
use crate::truth::Mode;
use crate::view::{Flags, View};
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

/// Items of FETCH: first those of flags and numbers, then those of content.
const ITEMS: [&str; 16] = [
    "FLAGS",
    "UID",
    "INTERNALDATE",
    "RFC822.SIZE",
    "FLAGS",
    "BODY.PEEK[HEADER]",
    "BODY.PEEK[TEXT]",
    "BODY.PEEK[]",
    "BODY[]",
    "BODY.PEEK[]<7.30>",
    "BINARY.PEEK[1]",
    "ENVELOPE",
    "BODYSTRUCTURE",
    "EMAILID",
    "SAVEDATE",
    "PREVIEW",
];

/// The extension that an item is of.
fn needs(item: &str) -> Option<&'static str> {
    match item {
        "BINARY.PEEK[1]" => Some("BINARY"),
        "EMAILID" => Some("OBJECTID"),
        "SAVEDATE" => Some("SAVEDATE"),
        "PREVIEW" => Some("PREVIEW"),
        _ => None,
    }
}

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
            // Also some that are not there.
            let (first, to) = (chosen[0], (*chosen.last()? + 3).min(last));
            let named = uids.iter().copied().filter(|uid| (first..=to).contains(uid)).collect();
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

    fn fetch(&mut self, view: &View) -> Option<Command> {
        let by_uid = self.by_uid();
        let (uids, set) = self.set(view, by_uid)?;
        let condstore = self.client.dialect.condstore();
        let items = if self.dice.chance(60) { &ITEMS[..4] } else { &ITEMS[4..] };
        let mut asked: Vec<&'static str> = items.iter().copied().filter(|_| self.dice.chance(35)).collect();
        asked.retain(|item| needs(item).is_none_or(|capability| self.client.can(capability)));
        // Whoever asks for it enables CONDSTORE (RFC 7162 §3.1).
        let first = self.client.dialect == Dialect::Rev1 && self.client.can("CONDSTORE") && self.dice.chance(4);
        if first || condstore && self.dice.chance(35) {
            asked.push("MODSEQ");
        }
        if asked.is_empty() {
            asked.push("FLAGS");
        }
        let mut text = format!("{}FETCH {set} ({})", if by_uid { "UID " } else { "" }, asked.join(" "));
        let mut changed_since = None;
        let mut vanished = false;
        if condstore && self.dice.chance(25) {
            let known: Vec<u64> = view
                .messages
                .iter()
                .filter_map(|known| known.modseq)
                .chain([1, view.highest.max(1)])
                .collect();
            let since = self.dice.pick(&known);
            vanished = by_uid && self.client.dialect.qresync() && self.dice.chance(50);
            text.push_str(&format!(
                " (CHANGEDSINCE {since}{})",
                if vanished { " VANISHED" } else { "" }
            ));
            changed_since = Some(since);
            asked.push("MODSEQ");
        }
        let seen = asked.contains(&"BODY[]");
        // What a set of \Seen says of flags was asked for as good as by name.
        let what = What::Fetch {
            uids,
            asked,
            seen,
            changed_since,
            vanished,
        };
        Some(Command::line("FETCH", by_uid, text, what))
    }

    fn flags(&mut self) -> Flags {
        let count = self.dice.below(3);
        (0..count).map(|_| self.dice.pick(&FLAGS).to_lowercase()).collect()
    }

    fn store(&mut self, view: &View) -> Option<Command> {
        let by_uid = self.by_uid();
        let (uids, set) = self.set(view, by_uid)?;
        let mode = self.dice.pick(&[Mode::Add, Mode::Add, Mode::Remove, Mode::Replace]);
        let mut flags = self.flags();
        if flags.is_empty() && mode != Mode::Replace {
            flags.insert("\\deleted".to_owned());
        }
        let silent = self.dice.chance(40);
        let mut unchanged_since = None;
        let mut condition = String::new();
        if self.client.dialect.condstore() && self.dice.chance(30) {
            let known: Vec<u64> = view
                .messages
                .iter()
                .filter_map(|known| known.modseq)
                .chain([view.highest])
                .collect();
            let since = self.dice.pick(&known);
            condition = format!(" (UNCHANGEDSINCE {since})");
            unchanged_since = Some(since);
        }
        let sign = match mode {
            Mode::Add => "+",
            Mode::Remove => "-",
            Mode::Replace => "",
        };
        let text = format!(
            "{}STORE {set}{condition} {sign}FLAGS{} ({})",
            if by_uid { "UID " } else { "" },
            if silent { ".SILENT" } else { "" },
            flags.iter().cloned().collect::<Vec<_>>().join(" ")
        );
        let what = What::Store {
            uids,
            mode,
            flags,
            silent,
            unchanged_since,
        };
        Some(Command::line("STORE", by_uid, text, what))
    }

    fn transfer(&mut self, view: &View, verb: &'static str) -> Option<Command> {
        let by_uid = self.by_uid();
        let (uids, set) = self.set(view, by_uid)?;
        let to = self.dice.pick(&NAMES).to_owned();
        let text = format!("{}{verb} {set} {to}", if by_uid { "UID " } else { "" });
        let what = if verb == "COPY" {
            What::Copy { uids, to }
        } else {
            What::Move { uids, to }
        };
        Some(Command::line(verb, by_uid, text, what))
    }

    fn expunge(&mut self, view: &View) -> Option<Command> {
        if self.piped || (self.client.can("UIDPLUS") && self.dice.chance(40)) {
            let (uids, set) = self.set(view, true)?;
            let what = What::Expunge { uids: Some(uids) };
            return Some(Command::line("EXPUNGE", true, format!("UID EXPUNGE {set}"), what));
        }
        Some(Command::line(
            "EXPUNGE",
            false,
            "EXPUNGE".to_owned(),
            What::Expunge { uids: None },
        ))
    }

    fn message(&mut self) -> New {
        New {
            mail: self.post.write(self.dice),
            flags: self.flags(),
            date: self.dice.chance(70).then(|| Moment::some(self.dice)),
        }
    }

    /// Arguments of these messages, cut where the server has to say `+`.
    fn literals(&mut self, head: String, messages: &[New]) -> Vec<Vec<u8>> {
        let waits = !self.piped && !self.client.can("LITERAL+") || !self.piped && self.dice.chance(50);
        let mut parts = Vec::new();
        let mut part = head.into_bytes();
        for New { mail, flags, date } in messages {
            if !flags.is_empty() {
                part.extend_from_slice(
                    format!(" ({})", flags.iter().cloned().collect::<Vec<_>>().join(" ")).as_bytes(),
                );
            }
            if let Some(date) = date {
                part.extend_from_slice(format!(" \"{}\"", date.date_time()).as_bytes());
            }
            let plus = if waits { "" } else { "+" };
            part.extend_from_slice(format!(" {{{}{plus}}}\r\n", mail.octets.len()).as_bytes());
            if waits {
                parts.push(std::mem::take(&mut part));
            }
            part.extend_from_slice(&mail.octets);
        }
        part.extend_from_slice(b"\r\n");
        parts.push(part);
        parts
    }

    fn append(&mut self) -> Command {
        let to = self.dice.pick(&NAMES).to_owned();
        let count = if self.client.can("MULTIAPPEND") && self.dice.chance(25) {
            2 + self.dice.below(3)
        } else {
            1
        };
        let messages: Vec<New> = (0..count).map(|_| self.message()).collect();
        Command {
            parts: self.literals(format!("APPEND {to}"), &messages),
            verb: "APPEND",
            by_uid: false,
            what: What::Append {
                to,
                messages,
                replaces: None,
            },
        }
    }

    fn replace(&mut self, view: &View) -> Option<Command> {
        let by_uid = self.by_uid();
        let uids = view.uids();
        let uid = *uids.get(self.dice.below(uids.len().max(1)))?;
        let number = if by_uid { uid } else { view.seq_of(uid)? };
        let to = if self.dice.chance(60) {
            view.name.clone()
        } else {
            self.dice.pick(&NAMES).to_owned()
        };
        let messages = vec![self.message()];
        let head = format!("{}REPLACE {number} {to}", if by_uid { "UID " } else { "" });
        Some(Command {
            parts: self.literals(head, &messages),
            verb: "REPLACE",
            by_uid,
            what: What::Append {
                to,
                messages,
                replaces: Some(uid),
            },
        })
    }

    fn key(&mut self, view: &View) -> Key {
        let saved = self.client.saved.as_ref().filter(|_| self.client.can("SEARCHRES"));
        Key::make(self.dice, view, saved, self.client.dialect.condstore(), 0)
    }

    fn search(&mut self, view: &View) -> Command {
        let by_uid = self.by_uid();
        let key = self.key(view);
        let mut returns = None;
        let mut asks = String::new();
        if self.client.can("ESEARCH") && self.dice.chance(50) {
            let mut chosen: Vec<&'static str> = ["MIN", "MAX", "COUNT", "ALL"]
                .into_iter()
                .filter(|_| self.dice.chance(40))
                .collect();
            if self.client.can("SEARCHRES") && self.dice.chance(40) {
                chosen.push("SAVE");
            }
            asks = format!("RETURN ({}) ", chosen.join(" "));
            returns = Some(if chosen.is_empty() { vec!["ALL"] } else { chosen });
        }
        let text = format!("{}SEARCH {asks}{}", if by_uid { "UID " } else { "" }, key.text());
        Command::line("SEARCH", by_uid, text, What::Search { key, returns })
    }

    fn sort(&mut self, view: &View) -> Command {
        let by_uid = self.by_uid();
        let key = self.key(view);
        let count = 1 + self.dice.below(2);
        let by: Vec<(bool, SortBy)> = (0..count)
            .map(|_| (self.dice.chance(30), self.dice.pick(&SortBy::ALL)))
            .collect();
        let words: Vec<String> = by
            .iter()
            .map(|(reverse, by)| format!("{}{}", if *reverse { "REVERSE " } else { "" }, by.text()))
            .collect();
        let text = format!(
            "{}SORT ({}) UTF-8 {}",
            if by_uid { "UID " } else { "" },
            words.join(" "),
            key.text()
        );
        Command::line("SORT", by_uid, text, What::Sort { key, by })
    }

    fn thread(&mut self, view: &View) -> Command {
        let by_uid = self.by_uid();
        let key = self.key(view);
        let algorithm = self.dice.pick(&["REFERENCES", "ORDEREDSUBJECT"]);
        let text = format!(
            "{}THREAD {algorithm} UTF-8 {}",
            if by_uid { "UID " } else { "" },
            key.text()
        );
        Command::line("THREAD", by_uid, text, What::Thread(key))
    }

    fn close(&mut self) -> Command {
        match self.dice.chance(50) {
            true => Command::line("CLOSE", false, "CLOSE".to_owned(), What::Close),
            false => Command::line("UNSELECT", false, "UNSELECT".to_owned(), What::Unselect),
        }
    }

    fn named(&mut self, verb: &'static str, what: fn(String) -> What) -> Command {
        let name = if self.dice.chance(90) {
            self.dice.pick(&MADE)
        } else {
            self.dice.pick(&NAMES)
        };
        Command::line(verb, false, format!("{verb} {name}"), what(name.to_owned()))
    }

    fn rename(&mut self) -> Command {
        let from = if self.dice.chance(20) {
            "INBOX"
        } else {
            self.dice.pick(&MADE)
        };
        let to = self.dice.pick(&MADE);
        Command::line(
            "RENAME",
            false,
            format!("RENAME {from} {to}"),
            What::Rename(from.to_owned(), to.to_owned()),
        )
    }

    fn subscribe(&mut self) -> Command {
        let name = self.dice.pick(&MADE);
        let on = self.dice.chance(60);
        let verb = if on { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
        Command::line(
            verb,
            false,
            format!("{verb} {name}"),
            What::Subscribe(name.to_owned(), on),
        )
    }

    fn list(&mut self) -> Command {
        let status = self.client.can("LIST-STATUS") && self.dice.chance(50);
        let returns = if status {
            " RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))"
        } else {
            ""
        };
        Command::line("LIST", false, format!("LIST \"\" *{returns}"), What::List { status })
    }

    fn status(&mut self) -> Command {
        let name = self.dice.pick(&NAMES);
        let mut items = vec!["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"];
        for (item, capability) in [("SIZE", "STATUS=SIZE"), ("DELETED", "IMAP4REV2")] {
            if self.client.can(capability) {
                items.push(item);
            }
        }
        if self.client.dialect.condstore() {
            items.push("HIGHESTMODSEQ");
        }
        Command::line(
            "STATUS",
            false,
            format!("STATUS {name} ({})", items.join(" ")),
            What::Status(name.to_owned()),
        )
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
