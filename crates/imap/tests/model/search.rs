//! SEARCH, SORT and THREAD as one would write them down for a list of messages in memory.

use crate::dice::Dice;
use crate::mail::{DAY, EPOCH, search_date};
use crate::truth::Message;
use crate::view::View;
use std::collections::BTreeSet;

/// A search program.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    All,
    Flag(&'static str, bool),
    Keyword(&'static str, bool),
    Uids(BTreeSet<u32>, String),
    Saved(BTreeSet<u32>),
    Subject(&'static str),
    From(&'static str),
    Body(&'static str),
    Text(&'static str),
    Larger(usize),
    Smaller(usize),
    /// INTERNALDATE: name of the key, day.
    Date(&'static str, i64),
    Sent(&'static str, i64),
    ModSeq(u64),
    Not(Box<Key>),
    Or(Box<(Key, Key)>),
    And(Vec<Key>),
}

const TEXTS: [&str; 8] = ["apple", "BIRCH", "eda", "elm", "fern", "zebra", "end", "go h"];

impl Key {
    pub(crate) fn make(
        dice: &mut Dice,
        view: &View,
        saved: Option<&BTreeSet<u32>>,
        condstore: bool,
        depth: usize,
    ) -> Self {
        let again = |dice: &mut Dice| Self::make(dice, view, saved, condstore, depth + 1);
        match dice.below(if depth < 3 { 19 } else { 14 }) {
            0 => Self::All,
            1..=3 => Self::Flag(
                dice.pick(&["SEEN", "FLAGGED", "DELETED", "ANSWERED", "DRAFT"]),
                dice.chance(50),
            ),
            4 => Self::Keyword(dice.pick(&["work", "$Later"]), dice.chance(50)),
            5 => {
                let (uids, set) = some_uids(dice, view);
                Self::Uids(uids, set)
            }
            6 => Self::Subject(dice.pick(&TEXTS)),
            7 => Self::From(dice.pick(&["ann", "BOB", "example", "nobody"])),
            8 => Self::Body(dice.pick(&TEXTS)),
            9 => Self::Text(dice.pick(&TEXTS)),
            10 => match dice.chance(50) {
                true => Self::Larger(250 + dice.below(150)),
                false => Self::Smaller(250 + dice.below(150)),
            },
            11 => Self::Date(
                dice.pick(&["SINCE", "BEFORE", "ON"]),
                EPOCH / DAY + dice.below(11) as i64,
            ),
            12 => Self::Sent(
                dice.pick(&["SENTSINCE", "SENTBEFORE", "SENTON"]),
                EPOCH / DAY + dice.below(11) as i64,
            ),
            13 => match (saved, condstore) {
                (_, true) if dice.chance(50) => Self::ModSeq(
                    view.messages
                        .iter()
                        .filter_map(|known| known.modseq)
                        .nth(dice.below(4))
                        .unwrap_or(1),
                ),
                (Some(saved), _) => Self::Saved(saved.clone()),
                _ => Self::All,
            },
            14 | 15 => Self::Not(Box::new(again(dice))),
            16 => Self::Or(Box::new((again(dice), again(dice)))),
            _ => Self::And(vec![again(dice), again(dice)]),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::All => "ALL".to_owned(),
            Self::Flag(name, true) => (*name).to_owned(),
            Self::Flag(name, false) => format!("UN{name}"),
            Self::Keyword(name, is) => format!("{}KEYWORD {name}", if *is { "" } else { "UN" }),
            Self::Uids(_, set) => format!("UID {set}"),
            Self::Saved(_) => "$".to_owned(),
            Self::Subject(text) => format!("SUBJECT \"{text}\""),
            Self::From(text) => format!("FROM {text}"),
            Self::Body(text) => format!("BODY \"{text}\""),
            Self::Text(text) => format!("TEXT \"{text}\""),
            Self::Larger(octets) => format!("LARGER {octets}"),
            Self::Smaller(octets) => format!("SMALLER {octets}"),
            Self::Date(name, day) | Self::Sent(name, day) => format!("{name} {}", search_date(*day)),
            Self::ModSeq(modseq) => format!("MODSEQ {modseq}"),
            Self::Not(key) => format!("NOT {}", key.one()),
            Self::Or(both) => format!("OR {} {}", both.0.one(), both.1.one()),
            Self::And(keys) => keys.iter().map(Self::one).collect::<Vec<_>>().join(" "),
        }
    }

    /// As one key: NOT and OR take no more.
    fn one(&self) -> String {
        match self {
            Self::And(_) => format!("({})", self.text()),
            _ => self.text(),
        }
    }

    pub(crate) fn asks_modseq(&self) -> bool {
        match self {
            Self::ModSeq(_) => true,
            Self::Not(key) => key.asks_modseq(),
            Self::Or(both) => both.0.asks_modseq() || both.1.asks_modseq(),
            Self::And(keys) => keys.iter().any(Self::asks_modseq),
            _ => false,
        }
    }

    /// `None`: only the exact MODSEQ could tell, or the exact date.
    pub(crate) fn matches(&self, uid: u32, message: &Message) -> Option<bool> {
        let mail = &message.mail;
        let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let compare = |name: &str, day: i64, wanted: i64| match name {
            "SINCE" | "SENTSINCE" => day >= wanted,
            "BEFORE" | "SENTBEFORE" => day < wanted,
            _ => day == wanted,
        };
        Some(match self {
            Self::All => true,
            Self::Flag(name, is) => message.flags.contains(&format!("\\{}", name.to_lowercase())) == *is,
            Self::Keyword(name, is) => message.flags.contains(&name.to_lowercase()) == *is,
            Self::Uids(uids, _) | Self::Saved(uids) => uids.contains(&uid),
            Self::Subject(text) => contains(&mail.subject, text),
            Self::From(text) => contains(&format!("{0} {0}@example.net", mail.from), text),
            Self::Body(text) => contains(&mail.body, text),
            Self::Text(text) => contains(&mail.body, text) || contains(&String::from_utf8_lossy(mail.header()), text),
            Self::Larger(octets) => mail.octets.len() > *octets,
            Self::Smaller(octets) => mail.octets.len() < *octets,
            Self::Date(name, wanted) => compare(name, message.date?.day(), *wanted),
            Self::Sent(name, wanted) => compare(name, mail.sent.div_euclid(DAY), *wanted),
            Self::ModSeq(wanted) if message.modseq.after + 1 >= *wanted => true,
            Self::ModSeq(wanted) if message.modseq.upto < *wanted => false,
            Self::ModSeq(_) => return None,
            Self::Not(key) => !key.matches(uid, message)?,
            Self::Or(both) => match (both.0.matches(uid, message), both.1.matches(uid, message)) {
                (Some(true), _) | (_, Some(true)) => true,
                (one, other) => one? || other?,
            },
            Self::And(keys) => {
                let all: Vec<_> = keys.iter().map(|key| key.matches(uid, message)).collect();
                if all.contains(&Some(false)) {
                    return Some(false);
                }
                all.into_iter().all(|found| found == Some(true)) || return None
            }
        })
    }
}

/// Some UIDs around those of the view, and how they are written.
fn some_uids(dice: &mut Dice, view: &View) -> (BTreeSet<u32>, String) {
    let last = view.uids().last().copied().unwrap_or(0);
    let first = dice.below(last as usize + 3) as u32 + 1;
    let to = first + dice.below(6) as u32;
    match dice.chance(25) && last > 0 {
        true => ((first.min(last)..=first.max(last)).collect(), format!("{first}:*")),
        false => ((first..=to).collect(), format!("{first}:{to}")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortBy {
    Arrival,
    Date,
    From,
    Size,
    Subject,
}

impl SortBy {
    pub(crate) const ALL: [Self; 5] = [Self::Arrival, Self::Date, Self::From, Self::Size, Self::Subject];

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Arrival => "ARRIVAL",
            Self::Date => "DATE",
            Self::From => "FROM",
            Self::Size => "SIZE",
            Self::Subject => "SUBJECT",
        }
    }

    fn value(self, message: &Message) -> (i64, String) {
        let mail = &message.mail;
        match self {
            Self::Arrival => (message.date.map_or(i64::MAX, |date| date.seconds), String::new()),
            Self::Date => (mail.sent, String::new()),
            Self::From => (0, mail.from.to_owned()),
            Self::Size => (mail.octets.len() as i64, String::new()),
            Self::Subject => (0, mail.base.to_lowercase()),
        }
    }
}

/// UIDs in order; equal ones as in the mailbox.
pub(crate) fn sorted(mut messages: Vec<(u32, &Message)>, by: &[(bool, SortBy)]) -> Vec<u32> {
    messages.sort_by(|(one_uid, one), (other_uid, other)| {
        let compare = |(reverse, by): &(bool, SortBy)| {
            let order = by.value(one).cmp(&by.value(other));
            if *reverse { order.reverse() } else { order }
        };
        by.iter()
            .map(compare)
            .find(|order| order.is_ne())
            .unwrap_or_else(|| one_uid.cmp(other_uid))
    });
    messages.into_iter().map(|(uid, _)| uid).collect()
}
