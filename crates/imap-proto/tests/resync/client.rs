//! A client that keeps a cache, as RFC 7162 §6 tells it to.

use super::mailbox::Mailbox;
use postroom_types::{Flag, Flags};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// The UID of each number, where it was told.
    pub(crate) numbers: Vec<Option<u32>>,
    pub(crate) cache: BTreeMap<u32, Flags>,
    /// Its copy of HIGHESTMODSEQ.
    pub(crate) highest: u64,
    /// The code, and the highest MODSEQ, since the last tagged response.
    code: Option<u64>,
    shown: u64,
}

impl Client {
    /// Takes in what the server said; `command` is what it was said to.
    pub(crate) fn hear(&mut self, said: &str, command: Option<&str>) {
        // Literals do not come here, so every line is a response.
        for line in said.lines() {
            if let Some(code) = line.split_once("[HIGHESTMODSEQ ") {
                self.code = number(code.1);
            }
            let Some(untagged) = line.strip_prefix("* ") else {
                if !line.starts_with('+') {
                    self.tagged();
                }
                continue;
            };
            if let Some(set) = untagged.strip_prefix("VANISHED (EARLIER) ") {
                for uid in members(set) {
                    assert!(!self.numbers.contains(&Some(uid)), "{uid} is there: {said}");
                    self.cache.remove(&uid);
                }
            } else if let Some(set) = untagged.strip_prefix("VANISHED ") {
                members(set).for_each(|uid| self.vanish(uid));
            } else if let Some((count, "EXISTS")) = untagged.split_once(' ') {
                let count = count.parse().unwrap();
                assert!(count >= self.numbers.len(), "{said}");
                self.numbers.resize(count, None);
            } else if let Some((seq, items)) = untagged.split_once(" FETCH ") {
                self.fetched(seq.parse().unwrap(), items, command);
            }
        }
    }

    fn tagged(&mut self) {
        self.highest = self.code.take().unwrap_or(self.highest.max(self.shown));
        self.shown = 0;
    }

    fn vanish(&mut self, uid: u32) {
        // Of those not told yet, the last numbers, it does not matter which it is.
        let at = self.numbers.iter().position(|known| *known == Some(uid));
        let at = at.or_else(|| self.numbers.iter().position(Option::is_none));
        self.numbers.remove(at.expect("it was told of"));
        self.cache.remove(&uid);
    }

    fn fetched(&mut self, seq: usize, items: &str, command: Option<&str>) {
        let (_, after) = items.split_once("UID ").expect("it is told with every FETCH here");
        let uid = number(after).unwrap() as u32;
        let known = &mut self.numbers[seq - 1];
        assert!(known.is_none_or(|known| known == uid), "{seq} is {known:?}, not {uid}");
        *known = Some(uid);
        if let Some((_, after)) = items.split_once("MODSEQ (") {
            self.shown = self.shown.max(number(after).unwrap());
        }
        if let Some((_, after)) = items.split_once("FLAGS (") {
            let names = after.split(')').next().unwrap_or_default();
            let flags = names.split(' ').filter_map(|name| Flag::from_name(name.as_bytes()));
            self.cache.insert(uid, flags.fold(Flags::NONE, Flags::with));
        } else if let (Some(flags), Some(command)) = (self.cache.get_mut(&uid), command) {
            // The answer to .SILENT: it has done as it was told.
            let flag = if command.contains("Deleted") {
                Flag::Deleted
            } else {
                Flag::Seen
            };
            *flags = flags.with(flag);
        }
    }

    /// The connection is lost; the next one begins with SELECT (QRESYNC …).
    pub(crate) fn resynchronise(&mut self, mailbox: &Mailbox) {
        let (gone, changed) = mailbox.since(self.highest);
        for uid in gone {
            self.cache.remove(&uid);
        }
        self.cache.extend(changed);
        // New messages are found by their UIDs.
        for (uid, flags) in mailbox.flags() {
            if !self.cache.contains_key(&uid) && !self.numbers.contains(&Some(uid)) {
                self.cache.insert(uid, flags);
            }
        }
    }
}

fn number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

fn members(set: &str) -> impl Iterator<Item = u32> {
    set.split(',').flat_map(|range| {
        let (a, b) = range.split_once(':').unwrap_or((range, range));
        a.parse().unwrap()..=b.parse().unwrap()
    })
}
