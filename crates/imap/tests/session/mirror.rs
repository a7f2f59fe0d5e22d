//! What a client knows of its mailbox from what it was told.

use std::collections::BTreeSet;

/// One message: its UID and flags, as far as they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<BTreeSet<String>>,
}

/// A mailbox as a client sees it, by sequence number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) messages: Vec<Known>,
    pub(crate) highest_modseq: u64,
}

impl Mirror {
    /// Hears responses. None of them has a literal.
    pub(crate) fn hear(&mut self, told: &str) {
        for line in told.lines() {
            let mut words = line.splitn(4, ' ');
            let (Some("*"), Some(second)) = (words.next(), words.next()) else {
                continue;
            };
            match (second.parse::<usize>(), words.next(), words.next()) {
                (Ok(count), Some("EXISTS"), _) => {
                    assert!(
                        count >= self.messages.len(),
                        "EXISTS {count} of {}",
                        self.messages.len()
                    );
                    self.messages.resize(count, Known::default());
                }
                (Ok(number), Some("EXPUNGE"), _) => {
                    self.messages.remove(number - 1);
                }
                (Ok(number), Some("FETCH"), Some(data)) => self.fetched(number, data),
                (Err(_), Some("(EARLIER)"), Some(set)) if second == "VANISHED" => self.vanished(set),
                (Err(_), Some(set), _) if second == "VANISHED" => self.vanished(set),
                _ => {}
            }
        }
    }

    fn fetched(&mut self, number: usize, data: &str) {
        let known = &mut self.messages[number - 1];
        if let Some((_, rest)) = data.split_once("UID ") {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let uid = rest[..end].parse().unwrap();
            assert!(
                known.uid.is_none_or(|known| known == uid),
                "message {number} is UID {uid}"
            );
            known.uid = Some(uid);
        }
        if let Some((_, rest)) = data.split_once("FLAGS (") {
            let flags = rest.split(')').next().unwrap().split_whitespace();
            known.flags = Some(flags.filter(|flag| *flag != "\\Recent").map(str::to_owned).collect());
        }
        if let Some((_, rest)) = data.split_once("MODSEQ (") {
            let modseq: u64 = rest.split(')').next().unwrap().parse().unwrap();
            self.highest_modseq = self.highest_modseq.max(modseq);
        }
    }

    fn vanished(&mut self, set: &str) {
        let gone = numbers(set);
        self.messages
            .retain(|known| known.uid.is_none_or(|uid| !gone.contains(&uid)));
    }

    /// What a client knows that fetched everything anew.
    pub(crate) fn whole(told: &str) -> Self {
        let mut mirror = Self::default();
        mirror
            .messages
            .resize(told.matches(" FETCH (").count(), Known::default());
        mirror.hear(told);
        mirror
    }
}

/// A set of UIDs as it is written.
pub(crate) fn numbers(set: &str) -> BTreeSet<u32> {
    let mut all = BTreeSet::new();
    for range in set.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        all.extend(first.parse::<u32>().unwrap()..=last.parse::<u32>().unwrap());
    }
    all
}
