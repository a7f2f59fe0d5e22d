//! A client that follows searches (RFC 5267 §4.3) and puts in and takes out as it is told has what a new search finds,
//! whenever all was told.

use super::mailbox::Event;
use super::{Connection, event};
use proptest::prelude::*;

/// Tag, what is searched for, and whether it is by UID.
const FOLLOWED: [(&str, &str, &str, bool); 8] = [
    ("c1", "SEARCH", "FLAGGED", false),
    ("c2", "UID SEARCH", "NOT FLAGGED", true),
    ("c3", "UID SORT", "(SIZE) UTF-8 OR FLAGGED DELETED", true),
    ("c4", "SORT", "(REVERSE SIZE) UTF-8 UNSEEN", false),
    ("c5", "SEARCH", "ALL", false),
    ("c6", "UID SEARCH", "UID 8:*", true),
    ("c7", "SEARCH", "NOT UID *", false),
    ("c8", "UID SORT", "(SIZE) UTF-8 OR UID 3:5,7:* FLAGGED", true),
];

/// A result, as the client has it.
#[derive(Debug)]
struct Followed {
    result: Vec<u32>,
    by_uid: bool,
    sorted: bool,
}

impl Followed {
    fn hear(&mut self, item: &str, list: &str) {
        let words: Vec<&str> = list.split(' ').collect();
        for pair in words.chunks(2) {
            let (place, run): (usize, Vec<u32>) = (pair[0].parse().unwrap(), members(pair[1]));
            assert_eq!(place == 0, !self.sorted);
            match (item, place.checked_sub(1)) {
                ("ADDTO", Some(at)) => drop(self.result.splice(at..at, run)),
                ("REMOVEFROM", Some(at)) => {
                    let gone: Vec<u32> = self.result.drain(at..at + run.len()).collect();
                    assert_eq!(gone, run);
                }
                ("ADDTO", None) => {
                    assert!(run.iter().all(|number| !self.result.contains(number)), "{run:?} again");
                    self.result.extend(run);
                    self.result.sort_unstable();
                }
                ("REMOVEFROM", None) => {
                    assert!(
                        run.iter().all(|number| self.result.contains(number)),
                        "{run:?} is not there"
                    );
                    self.result.retain(|number| !run.contains(number));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn expunged(&mut self, gone: u32) {
        if self.by_uid {
            return;
        }
        assert!(!self.result.contains(&gone), "{gone} is in the result");
        for number in self.result.iter_mut().filter(|number| **number > gone) {
            *number -= 1;
        }
    }
}

fn members(set: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (a, b) = range.split_once(':').unwrap_or((range, range));
        a.parse().unwrap()..=b.parse().unwrap()
    };
    set.split(',').flat_map(range).collect()
}

/// What a new search finds.
fn fresh(connection: &mut Connection, search: &str, what: &str) -> Vec<u32> {
    let heard = connection.command(&format!("f {search} RETURN () {what}"), &[]);
    heard
        .lines()
        .next()
        .and_then(|line| line.split_once(" ALL "))
        .map_or(Vec::new(), |(_, set)| members(set))
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Noop,
    Idle,
    Fetch,
    Store {
        uid: u8,
        add: bool,
        silent: bool,
        flag: &'static str,
    },
    Expunge,
}

impl Said {
    fn line(self) -> String {
        match self {
            Self::Noop => "t NOOP".to_owned(),
            Self::Idle => "t IDLE\r\nDONE".to_owned(),
            Self::Fetch => "t UID FETCH 1:* (FLAGS)".to_owned(),
            Self::Store { uid, add, silent, flag } => {
                let sign = if add { '+' } else { '-' };
                let silent = if silent { ".SILENT" } else { "" };
                format!(
                    "t UID STORE {}:{} {sign}FLAGS{silent} ({flag})",
                    uid % 12 + 1,
                    uid % 5 + 1
                )
            }
            Self::Expunge => "t EXPUNGE".to_owned(),
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    let flag = prop_oneof![Just("\\Seen"), Just("\\Flagged"), Just("\\Deleted")];
    prop_oneof![
        2 => Just(Said::Noop),
        2 => Just(Said::Idle),
        1 => Just(Said::Fetch),
        4 => (any::<(u8, bool, bool)>(), flag).prop_map(|((uid, add, silent), flag)| Said::Store { uid, add, silent, flag }),
        1 => Just(Said::Expunge),
    ]
}

fn hear(followed: &mut [Followed], said: &str) {
    for line in said.lines() {
        if let Some((number, "EXPUNGE")) = line.strip_prefix("* ").and_then(|line| line.split_once(' ')) {
            followed
                .iter_mut()
                .for_each(|one| one.expunged(number.parse().unwrap()));
        }
        let Some((tag, items)) = line
            .strip_prefix("* ESEARCH (TAG \"")
            .and_then(|line| line.split_once("\") "))
        else {
            continue;
        };
        let at = FOLLOWED.iter().position(|(followed, ..)| *followed == tag).unwrap();
        let items = match items.strip_prefix("UID ") {
            Some(items) => Some(items).filter(|_| followed[at].by_uid),
            None => Some(items).filter(|_| !followed[at].by_uid),
        };
        let (item, list) = items.expect("it is by UID as it was asked").split_once(" (").unwrap();
        followed[at].hear(item, list.strip_suffix(')').unwrap());
    }
}

proptest! {
    #[test]
    fn what_is_followed_is_what_is_found(
        during in proptest::collection::vec(event(), 0..3),
        steps in proptest::collection::vec((said(), proptest::collection::vec(event(), 0..4)), 1..25),
    ) {
        let mut connection = Connection::with(5);
        connection.mailbox.happen(Event::IsFlagged(1));
        connection.command("s SELECT INBOX", &[]);
        let mut followed = Vec::new();
        for (tag, search, what, by_uid) in FOLLOWED {
            let heard = connection.command(&format!("{tag} {search} RETURN (UPDATE ALL) {what}"), &during);
            let (first, rest) = heard.split_once("\r\n").unwrap();
            let result = first.split_once(" ALL ").map_or(Vec::new(), |(_, set)| members(set));
            followed.push(Followed { result, by_uid, sorted: search.ends_with("SORT") });
            hear(&mut followed, rest);
        }
        for (said, events) in steps {
            let line = said.line();
            let heard = connection.command(&line, &events);
            prop_assert!(heard.contains("t OK"), "{}: {}", line, heard);
            hear(&mut followed, &heard);
            hear(&mut followed, &connection.command("t NOOP", &[]));
            for (one, (tag, search, what, _)) in followed.iter().zip(FOLLOWED) {
                prop_assert_eq!(&one.result, &fresh(&mut connection, search, what), "{} after {}", tag, line);
            }
        }
    }
}
