//! Commands on messages of the selected mailbox.

use super::{FLAGS, NAMES, Planner};
use crate::client::Dialect;
use crate::command::{Command, What};
use crate::truth::Mode;
use crate::view::{Flags, View};

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

impl Planner<'_> {
    pub(crate) fn fetch(&mut self, view: &View) -> Option<Command> {
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

    pub(crate) fn flags(&mut self) -> Flags {
        let count = self.dice.below(3);
        (0..count).map(|_| self.dice.pick(&FLAGS).to_lowercase()).collect()
    }

    pub(crate) fn store(&mut self, view: &View) -> Option<Command> {
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

    pub(crate) fn transfer(&mut self, view: &View, verb: &'static str) -> Option<Command> {
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

    pub(crate) fn expunge(&mut self, view: &View) -> Option<Command> {
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
}
