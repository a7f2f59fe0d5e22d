//! The keywords of a mailbox's messages: each list of keywords is kept once, and a row holds its number.
//!
//! What always holds: a keyword is in the table exactly as long as a list names it, and a list as long as a row does.

use super::Row;
use super::table::Table;
use postroom_types::{Keyword, Uid};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Which keywords a message has: the number of a list in [`Keywords`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeywordSet(u16);

impl KeywordSet {
    /// No keywords.
    pub const NONE: Self = Self(0);
    /// The list is kept by UID, because the table is full.
    const BY_UID: Self = Self(u16::MAX);
    /// Lists that have a number.
    const MOST: usize = u16::MAX as usize - 1;

    const fn number(self) -> Option<u32> {
        match self {
            Self::NONE | Self::BY_UID => None,
            Self(number) => Some(number as u32 - 1),
        }
    }

    /// The number is below [`Self::MOST`].
    fn of(number: u32) -> Self {
        u16::try_from(number + 1).map_or(Self::BY_UID, Self)
    }
}

/// A list of keywords, by their numbers.
type List = Box<[u32]>;

/// The keywords of a mailbox.
#[derive(Debug)]
pub struct Keywords {
    names: Table<Keyword>,
    lists: Table<List>,
    by_uid: BTreeMap<Uid, List>,
    /// About how many octets all this takes.
    octets: usize,
    /// What the names are, sorted; made when asked for.
    sorted: OnceLock<Arc<[Keyword]>>,
}

impl Default for Keywords {
    fn default() -> Self {
        Self {
            names: Table::new(u32::MAX as usize),
            lists: Table::new(KeywordSet::MOST),
            by_uid: BTreeMap::new(),
            octets: 0,
            sorted: OnceLock::new(),
        }
    }
}

impl Keywords {
    /// The keywords of a message, in the order they were set.
    #[must_use]
    pub fn of(&self, row: &Row) -> Vec<Keyword> {
        let names = |list: &List| {
            list.iter()
                .filter_map(|number| self.names.get(*number).cloned())
                .collect()
        };
        self.list(row).map(names).unwrap_or_default()
    }

    /// Which messages have this keyword.
    #[must_use]
    pub fn holding(&self, keyword: &Keyword) -> Holding<'_> {
        let name = self.names.find(keyword);
        let mut lists = Vec::new();
        for (number, list) in self.lists.iter() {
            lists.resize(number as usize, false);
            lists.push(name.is_some_and(|name| list.contains(&name)));
        }
        Holding {
            keywords: self,
            name,
            lists,
        }
    }

    /// About how many octets they take.
    pub(super) const fn octets(&self) -> usize {
        self.octets
    }

    /// All keywords that any message has, sorted.
    pub(super) fn in_use(&self) -> Arc<[Keyword]> {
        let make = || {
            let mut names: Vec<Keyword> = self.names.iter().map(|(_, name)| name.clone()).collect();
            names.sort_unstable();
            names.into()
        };
        Arc::clone(self.sorted.get_or_init(make))
    }

    /// Takes in the keywords of a message that had none here.
    pub(super) fn put(&mut self, uid: Uid, keywords: &[Keyword]) -> KeywordSet {
        if keywords.is_empty() {
            return KeywordSet::NONE;
        }
        let known: Option<List> = keywords.iter().map(|keyword| self.names.find(keyword)).collect();
        if let Some(number) = known.and_then(|list| self.lists.find(&list)) {
            self.lists.reuse(number);
            return KeywordSet::of(number);
        }
        let list: List = keywords.iter().filter_map(|keyword| self.name(keyword)).collect();
        self.octets += list_octets(&list);
        match self.lists.add(list.clone()) {
            Some(number) => KeywordSet::of(number),
            None => {
                self.by_uid.insert(uid, list);
                KeywordSet::BY_UID
            }
        }
    }

    /// Forgets the keywords of a message.
    pub(super) fn remove(&mut self, uid: Uid, set: KeywordSet) {
        let unused = match set.number() {
            Some(number) => self.lists.release(number),
            None if set == KeywordSet::BY_UID => self.by_uid.remove(&uid),
            None => None,
        };
        let Some(unused) = unused else { return };
        self.octets -= list_octets(&unused);
        for number in unused {
            if let Some(name) = self.names.release(number) {
                self.octets -= name_octets(&name);
                self.sorted.take();
            }
        }
    }

    /// The number of a keyword for a new list.
    fn name(&mut self, keyword: &Keyword) -> Option<u32> {
        if let Some(number) = self.names.find(keyword) {
            self.names.reuse(number);
            return Some(number);
        }
        self.sorted.take();
        self.octets += name_octets(keyword);
        self.names.add(keyword.clone())
    }

    fn list(&self, row: &Row) -> Option<&List> {
        match row.keywords.number() {
            Some(number) => self.lists.get(number),
            None if row.keywords == KeywordSet::BY_UID => self.by_uid.get(&row.uid),
            None => None,
        }
    }
}

/// A list stands in its slot and as a key, and so does a name.
const fn list_octets(list: &List) -> usize {
    2 * (32 + 4 * list.len())
}

fn name_octets(name: &Keyword) -> usize {
    2 * (48 + name.as_str().len())
}

/// Tells which messages have a keyword, looked up once for all.
pub struct Holding<'a> {
    keywords: &'a Keywords,
    name: Option<u32>,
    /// By the number of a list.
    lists: Vec<bool>,
}

impl Holding<'_> {
    /// Whether this message has it.
    #[must_use]
    pub fn has(&self, row: &Row) -> bool {
        match row.keywords.number() {
            Some(number) => self.lists.get(number as usize).copied().unwrap_or(false),
            None => {
                let list = self.keywords.list(row);
                list.zip(self.name).is_some_and(|(list, name)| list.contains(&name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::{Flags, ModSeq};
    use proptest::prelude::*;

    fn row(uid: u32, keywords: KeywordSet) -> Row {
        Row {
            modseq: ModSeq(1),
            internal_seconds: 0,
            uid: Uid::new(uid).unwrap(),
            size_octets: 0,
            saved_at: 0,
            keywords,
            flags: Flags::NONE,
            internal_zone: 0,
        }
    }

    fn word(number: u32) -> Keyword {
        Keyword::new(&format!("k{number}")).unwrap()
    }

    #[test]
    fn more_lists_than_there_are_numbers() {
        let mut keywords = Keywords::default();
        let list = |number: u32| [word(number % 300), word(300 + number / 300)];
        let rows: Vec<Row> = (1..=70_000u32)
            .map(|number| row(number, keywords.put(Uid::new(number).unwrap(), &list(number))))
            .collect();
        let holding = keywords.holding(&word(7));
        for row in &rows {
            assert_eq!(keywords.of(row), list(row.uid.get()));
            assert_eq!(holding.has(row), row.uid.get() % 300 == 7);
        }
        assert_eq!(
            rows.iter().filter(|row| row.keywords == KeywordSet::BY_UID).count(),
            70_000 - 65_534
        );
        for row in &rows {
            keywords.remove(row.uid, row.keywords);
        }
        assert!(keywords.in_use().is_empty() && keywords.by_uid.is_empty());
        assert_eq!(keywords.octets(), 0);
        assert_eq!(keywords.put(Uid::MIN, &[word(1)]).number(), Some(65_533));
    }

    proptest! {
        /// Whatever is put and removed, each message has its own keywords, and those in use are those of some message.
        #[test]
        fn as_if_each_had_its_own(steps in prop::collection::vec((1..20u32, prop::collection::vec(0..6u32, 0..4)), 0..60)) {
            let mut keywords = Keywords::default();
            let mut model: BTreeMap<u32, (KeywordSet, Vec<Keyword>)> = BTreeMap::new();
            for (uid, words) in steps {
                let words: Vec<Keyword> = words.into_iter().map(word).collect();
                if let Some((set, _)) = model.remove(&uid) {
                    keywords.remove(Uid::new(uid).unwrap(), set);
                }
                model.insert(uid, (keywords.put(Uid::new(uid).unwrap(), &words), words));
                for (uid, (set, words)) in &model {
                    prop_assert_eq!(&keywords.of(&row(*uid, *set)), words);
                    prop_assert_eq!(keywords.holding(&word(3)).has(&row(*uid, *set)), words.contains(&word(3)));
                }
                let mut all: Vec<Keyword> = model.values().flat_map(|(_, words)| words.clone()).collect();
                all.sort_unstable();
                all.dedup();
                prop_assert_eq!(&*keywords.in_use(), all.as_slice());
            }
        }
    }
}
