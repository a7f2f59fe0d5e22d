//! What matters of a program that is asked again and again (RFC 5267 §4.3).
//!
//! Always holds: in such a program an AND of one key is `*` among UIDs, whichever message is the last when it is asked.
//! Where the reader has one key, it makes no AND of it.

use postroom_types::{SearchKey, Uid};

/// What a program costs, and what can change whether a message matches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// Ranges of UIDs in it.
    pub(crate) ranges: usize,
    /// Keys that read text of messages.
    pub(crate) texts: usize,
    /// Flags, keywords or the modseq.
    pub(crate) by_flags: bool,
    /// What was recent when it was read.
    pub(crate) by_recent: bool,
    /// Which message is the last.
    pub(crate) by_last: bool,
}

impl Traits {
    pub(crate) fn of(program: &SearchKey) -> Self {
        let mut traits = Self::default();
        traits.add(program);
        traits
    }

    fn add(&mut self, key: &SearchKey) {
        match key {
            SearchKey::And(keys) => {
                self.by_last |= keys.len() == 1;
                keys.iter().for_each(|key| self.add(key));
            }
            SearchKey::Or(both) => {
                self.add(&both.0);
                self.add(&both.1);
            }
            SearchKey::Not(key) => self.add(key),
            SearchKey::Uids(ranges) => self.ranges += ranges.len(),
            SearchKey::Header { .. } | SearchKey::Body(_) | SearchKey::Text(_) => self.texts += 1,
            SearchKey::Has(_) | SearchKey::Keyword(_) | SearchKey::ModSeq(_) => self.by_flags = true,
            SearchKey::RecentFrom(_) => self.by_recent = true,
            SearchKey::All
            | SearchKey::Address { .. }
            | SearchKey::Subject(_)
            | SearchKey::Larger(_)
            | SearchKey::Smaller(_)
            | SearchKey::Before(_)
            | SearchKey::On(_)
            | SearchKey::Since(_)
            | SearchKey::SentBefore(_)
            | SearchKey::SentOn(_)
            | SearchKey::SentSince(_)
            | SearchKey::SavedBefore(_)
            | SearchKey::SavedOn(_)
            | SearchKey::SavedSince(_)
            | SearchKey::SaveDateSupported
            | SearchKey::Younger(_)
            | SearchKey::Older(_)
            | SearchKey::EmailId(_)
            | SearchKey::ThreadId(_) => {}
        }
    }
}

/// `*`
pub(super) fn star(last: Option<Uid>) -> SearchKey {
    SearchKey::And(vec![only(last)])
}

fn only(uid: Option<Uid>) -> SearchKey {
    SearchKey::Uids(uid.map(|uid| (uid, uid)).into_iter().collect())
}

/// Another message is the last now.
pub(crate) fn set_star(program: &mut SearchKey, last: Uid) {
    match program {
        SearchKey::And(keys) if keys.len() == 1 => keys[0] = only(Some(last)),
        SearchKey::And(keys) => keys.iter_mut().for_each(|key| set_star(key, last)),
        SearchKey::Or(both) => {
            set_star(&mut both.0, last);
            set_star(&mut both.1, last);
        }
        SearchKey::Not(key) => set_star(key, last),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Scanner;
    use crate::grammar::charset::Charset;
    use crate::grammar::search_key::{Meaning, program};
    use crate::view::View;

    fn read(text: &str) -> SearchKey {
        let view = View::of([3, 5, 9].into_iter().filter_map(Uid::new).collect());
        let meaning = Meaning {
            view: &view,
            saved: None,
            charset: Charset::UTF_8,
            is_followed: true,
        };
        program(&mut Scanner::new(text.as_bytes()), meaning).unwrap().key
    }

    #[test]
    fn traits() {
        let check = |text: &str, expected: Traits| assert_eq!(Traits::of(&read(text)), expected, "{text}");
        let none = Traits::default();
        check("ALL SUBJECT a FROM b YOUNGER 5 LARGER 7", none);
        check("UID 1,3:5 NOT 1:*", Traits { ranges: 3, ..none });
        let texts = Traits { texts: 3, ..none };
        check("OR BODY a (NOT TEXT b HEADER c d)", texts);
        let by_flags = Traits { by_flags: true, ..none };
        for text in ["UNSEEN", "NOT KEYWORD a", "OR SUBJECT a (LARGER 1 MODSEQ 5)"] {
            check(text, by_flags);
        }
        let by_recent = Traits {
            by_recent: true,
            ..none
        };
        for (text, by_flags) in [("RECENT", false), ("SUBJECT a OLD", false), ("NEW", true)] {
            check(text, Traits { by_flags, ..by_recent });
        }
        let by_last = Traits {
            by_last: true,
            ranges: 2,
            ..none
        };
        check("UID 4:*", by_last);
        check("SUBJECT a NOT UID 7,*", by_last);
    }

    #[test]
    fn another_is_the_last() {
        let mut followed = read("NOT (UID 4:* OR UID * SUBJECT a) UID 7 2");
        let expected = format!("{followed:?}").replace("[(Uid(9), Uid(9))]", "[(Uid(12), Uid(12))]");
        set_star(&mut followed, Uid::new(12).unwrap());
        assert_eq!(format!("{followed:?}"), expected);
        assert_eq!(expected.matches("Uid(12)").count(), 4, "{expected}");
    }
}
