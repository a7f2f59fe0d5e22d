//! A search program in the form in which it is asked of each message: without recursion, its texts folded, and with
//! three answers, so that what is not known yet may not matter.

use postroom_message::fold;
use postroom_types::{AddressField, EmailId, Flags, Keyword, ModSeq, SearchKey, ThreadId, Uid};

const DAY: i64 = 86_400;

/// Whether a message matches, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    No,
    /// More has to be known.
    Maybe,
    Yes,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

impl Truth {
    const fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }
}

/// What is looked for in a text, folded.
#[derive(Debug)]
pub(super) struct Needle {
    finder: memchr::memmem::Finder<'static>,
    /// It has a quotation mark, which addresses have in the header alone.
    pub(super) has_quote: bool,
}

impl Needle {
    fn new(text: &str) -> Self {
        Self {
            finder: memchr::memmem::Finder::new(fold(text).as_bytes()).into_owned(),
            has_quote: text.contains('"'),
        }
    }

    /// Whether a folded text has it.
    pub(super) fn is_in(&self, folded: &[u8]) -> bool {
        self.finder.find(folded).is_some()
    }
}

/// A day compared with another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Days {
    Before(i64),
    On(i64),
    Since(i64),
}

impl Days {
    pub(super) const fn hold(self, day: i64) -> bool {
        match self {
            Self::Before(than) => day < than,
            Self::On(than) => day == than,
            Self::Since(than) => day >= than,
        }
    }

    /// Of a time in seconds since 1970.
    pub(super) const fn hold_at(self, seconds: i64) -> bool {
        self.hold(seconds.div_euclid(DAY))
    }
}

/// One thing that is asked of a message.
#[derive(Debug)]
pub(super) enum Leaf {
    // Told from the rows of the mailbox.
    Always,
    Uids(Vec<(Uid, Uid)>),
    UidFrom(Option<Uid>),
    Flags(Flags),
    Keyword(Keyword),
    Larger(u64),
    Smaller(u64),
    Arrived(Days),
    Saved(Days),
    /// Arrived at this second or later.
    ArrivedFrom(i64),
    /// Arrived at this second or earlier.
    ArrivedUpTo(i64),
    ModSeq(ModSeq),
    // Told from the columns, or, if a text is too long for them, from the header.
    Address(AddressField, Needle),
    Subject(Needle),
    Sent(Days),
    EmailId(Option<EmailId>),
    ThreadId(Option<ThreadId>),
    // Told from the header.
    Header(String, Needle),
    // Told from the whole message.
    Body(Needle),
    Text(Needle),
}

#[derive(Debug)]
enum Op {
    /// Asks for a leaf.
    Ask(usize),
    Not,
    /// Begins an AND or OR with what it is without members.
    Begin(Truth),
    /// Takes in a member; goes to the end if no other can matter.
    And(usize),
    Or(usize),
    End,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Program {
    ops: Vec<Op>,
    pub(super) leaves: Vec<Leaf>,
    /// Any leaf that is told from the header, and that asks for the text of the header or of the body.
    pub(super) has_header: bool,
    pub(super) has_text: bool,
    pub(super) has_header_text: bool,
    pub(super) has_keyword: bool,
    pub(super) has_modseq: bool,
}

impl Program {
    /// `now` is in seconds since 1970.
    pub(super) fn new(key: &SearchKey, now: i64) -> Self {
        let mut program = Self {
            ops: Vec::new(),
            leaves: Vec::new(),
            has_header: false,
            has_text: false,
            has_header_text: false,
            has_keyword: false,
            has_modseq: key.any(&|key| matches!(key, SearchKey::ModSeq(_))),
        };
        program.add(key, now);
        for leaf in &program.leaves {
            match leaf {
                Leaf::Header(..) | Leaf::Address(..) | Leaf::Subject(_) => program.has_header = true,
                Leaf::Body(_) => program.has_text = true,
                Leaf::Text(_) => (program.has_text, program.has_header_text) = (true, true),
                Leaf::Keyword(_) => program.has_keyword = true,
                _ => {}
            }
        }
        program
    }

    fn add(&mut self, key: &SearchKey, now: i64) {
        match key {
            SearchKey::And(keys) => self.add_all(keys.iter(), Truth::Yes, now),
            SearchKey::Or(both) => self.add_all([&both.0, &both.1].into_iter(), Truth::No, now),
            SearchKey::Not(key) => {
                self.add(key, now);
                self.ops.push(Op::Not);
            }
            key => {
                self.ops.push(Op::Ask(self.leaves.len()));
                self.leaves.push(leaf(key, now));
            }
        }
    }

    fn add_all<'a>(&mut self, keys: impl Iterator<Item = &'a SearchKey>, without: Truth, now: i64) {
        self.ops.push(Op::Begin(without));
        let mut members = Vec::new();
        for key in keys {
            self.add(key, now);
            members.push(self.ops.len());
            // Its end is not known yet.
            self.ops.push(Op::End);
        }
        let end = self.ops.len();
        self.ops.push(Op::End);
        for member in members {
            self.ops[member] = if without == Truth::Yes {
                Op::And(end)
            } else {
                Op::Or(end)
            };
        }
    }

    /// Asks the program of a message; `ask` answers for a leaf. `stack` is room to work in.
    pub(super) fn decide(&self, stack: &mut Vec<Truth>, mut ask: impl FnMut(usize) -> Truth) -> Truth {
        stack.clear();
        let mut last = Truth::Yes;
        let mut at = 0;
        while let Some(op) = self.ops.get(at) {
            at += 1;
            match op {
                Op::Ask(leaf) => last = ask(*leaf),
                Op::Not => last = last.not(),
                Op::Begin(without) => stack.push(*without),
                Op::And(end) => {
                    if let Some(top) = stack.last_mut() {
                        *top = last.min(*top);
                        at = if *top == Truth::No { *end } else { at };
                    }
                }
                Op::Or(end) => {
                    if let Some(top) = stack.last_mut() {
                        *top = last.max(*top);
                        at = if *top == Truth::Yes { *end } else { at };
                    }
                }
                Op::End => last = stack.pop().unwrap_or(last),
            }
        }
        last
    }
}

fn leaf(key: &SearchKey, now: i64) -> Leaf {
    let ago = |seconds: u64| now.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX));
    match key {
        // The first three are not leaves.
        SearchKey::And(_) | SearchKey::Or(_) | SearchKey::Not(_) | SearchKey::All | SearchKey::SaveDateSupported => {
            Leaf::Always
        }
        SearchKey::Uids(ranges) => Leaf::Uids(ranges.clone()),
        SearchKey::RecentFrom(from) => Leaf::UidFrom(*from),
        SearchKey::Has(flags) => Leaf::Flags(*flags),
        SearchKey::Keyword(keyword) => Leaf::Keyword(keyword.clone()),
        SearchKey::Larger(octets) => Leaf::Larger(*octets),
        SearchKey::Smaller(octets) => Leaf::Smaller(*octets),
        SearchKey::Before(day) => Leaf::Arrived(Days::Before(*day)),
        SearchKey::On(day) => Leaf::Arrived(Days::On(*day)),
        SearchKey::Since(day) => Leaf::Arrived(Days::Since(*day)),
        SearchKey::SavedBefore(day) => Leaf::Saved(Days::Before(*day)),
        SearchKey::SavedOn(day) => Leaf::Saved(Days::On(*day)),
        SearchKey::SavedSince(day) => Leaf::Saved(Days::Since(*day)),
        SearchKey::Younger(seconds) => Leaf::ArrivedFrom(ago(*seconds)),
        SearchKey::Older(seconds) => Leaf::ArrivedUpTo(ago(*seconds)),
        SearchKey::ModSeq(modseq) => Leaf::ModSeq(*modseq),
        SearchKey::Address { field, text } => Leaf::Address(*field, Needle::new(text)),
        SearchKey::Subject(text) => Leaf::Subject(Needle::new(text)),
        SearchKey::SentBefore(day) => Leaf::Sent(Days::Before(*day)),
        SearchKey::SentOn(day) => Leaf::Sent(Days::On(*day)),
        SearchKey::SentSince(day) => Leaf::Sent(Days::Since(*day)),
        SearchKey::EmailId(id) => Leaf::EmailId(*id),
        SearchKey::ThreadId(id) => Leaf::ThreadId(*id),
        SearchKey::Header { name, text } => Leaf::Header(name.clone(), Needle::new(text)),
        SearchKey::Body(text) => Leaf::Body(Needle::new(text)),
        SearchKey::Text(text) => Leaf::Text(Needle::new(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(key: &SearchKey, truths: &[Truth]) -> Truth {
        match key {
            SearchKey::And(keys) => keys.iter().map(|key| naive(key, truths)).min().unwrap_or(Truth::Yes),
            SearchKey::Or(both) => naive(&both.0, truths).max(naive(&both.1, truths)),
            SearchKey::Not(key) => naive(key, truths).not(),
            SearchKey::Larger(number) => truths[*number as usize],
            _ => Truth::Yes,
        }
    }

    fn key() -> impl Strategy<Value = SearchKey> {
        let leaf = prop_oneof![Just(SearchKey::All), (0..8u64).prop_map(SearchKey::Larger)];
        leaf.prop_recursive(6, 60, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(SearchKey::And),
                (inner.clone(), inner.clone()).prop_map(|both| SearchKey::Or(Box::new(both))),
                inner.prop_map(|key| SearchKey::Not(Box::new(key))),
            ]
        })
    }

    proptest! {
        #[test]
        fn programs_mean_what_they_say(key in key(), truths in proptest::collection::vec(0..3u8, 8)) {
            let truths: Vec<Truth> = truths.iter().map(|truth| [Truth::No, Truth::Maybe, Truth::Yes][usize::from(*truth)]).collect();
            let program = Program::new(&key, 0);
            let ask = |leaf: usize| match &program.leaves[leaf] {
                Leaf::Larger(number) => truths[*number as usize],
                _ => Truth::Yes,
            };
            prop_assert_eq!(program.decide(&mut Vec::new(), ask), naive(&key, &truths));
        }
    }

    #[test]
    fn intervals_include_their_ends() {
        let program = Program::new(
            &SearchKey::And(vec![SearchKey::Younger(10), SearchKey::Older(u64::MAX)]),
            100,
        );
        assert!(matches!(
            program.leaves[..],
            [Leaf::ArrivedFrom(90), Leaf::ArrivedUpTo(until)] if until < 0
        ));
    }
}
