//! The search program (RFC 9051 §6.4.4 with RFC 5032, RFC 7162 §3.1.5, RFC 8474 §6, RFC 8514 §4.3), with numbers turned
//! into UIDs of one view.

use super::asked_again::star;
use super::charset::Charset;
use super::date::date;
use super::scanner::utf8;
use super::sequence_set::{SequenceSet, UidRanges};
use super::{Bad, Parsed, Scanner};
use crate::response::object_id;
use crate::view::View;
use postroom_types::{AddressField, Flag, Flags, Keyword, ModSeq, SearchKey};

/// Deepest nesting of parentheses and NOT. Parsing and matching recurse once a level.
const DEPTH: usize = 100;
/// Most OR in one chain, however nested. Chains become balanced trees, so they cost no depth.
const ORS: usize = 500;
/// Most keys in a program.
const KEYS: usize = 2_000;
/// Most ranges of UIDs in all keys of a program, of 8 octets each, beside those of one `$` and one RECENT, which are as
/// many as the mailbox makes of them.
const RANGES: usize = 100_000;

const TOO_DEEP: Bad = Bad("Search nested too deeply");
const UNKNOWN: Bad = Bad("Unknown search key");

/// What numbers and texts of a program mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning<'v> {
    pub(crate) view: &'v View,
    /// `$` (RFC 5182).
    pub(crate) saved: Option<&'v UidRanges>,
    pub(crate) charset: Charset,
    /// It is to be asked again when other messages are there (RFC 5267 §4.3): `*` among UIDs is the last one then.
    pub(crate) is_followed: bool,
}

/// A program that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) key: SearchKey,
    /// It names sequence numbers, so that no expunge may be told while it runs.
    pub(crate) by_number: bool,
}

/// Reads keys to the end of the command; they are all to match.
pub(crate) fn program(scanner: &mut Scanner<'_>, meaning: Meaning<'_>) -> Parsed<Program> {
    let mut reader = Reader {
        scanner,
        meaning,
        keys: 0,
        ranges: 0,
        by_number: false,
    };
    let mut keys = Vec::new();
    loop {
        keys.push(reader.key(DEPTH)?);
        if !reader.scanner.eat(b' ') || reader.scanner.at_end() {
            break;
        }
    }
    reader.scanner.end()?;
    Ok(Program {
        by_number: reader.by_number,
        key: all_of(keys),
    })
}

/// Whether a program asks for a modseq, so that the response names the highest (RFC 7162 §3.1.5).
pub(crate) fn asks_modseq(program: &SearchKey) -> bool {
    program.any(&|key| matches!(key, SearchKey::ModSeq(_)))
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.len() {
        1 => keys.remove(0),
        _ => SearchKey::And(keys),
    }
}

/// A tree of OR that is as flat as can be.
fn one_of(mut keys: Vec<SearchKey>) -> SearchKey {
    if keys.len() == 1 {
        return keys.remove(0);
    }
    let rest = keys.split_off(keys.len() / 2);
    SearchKey::Or(Box::new((one_of(keys), one_of(rest))))
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

struct Reader<'s, 'a, 'v> {
    scanner: &'s mut Scanner<'a>,
    meaning: Meaning<'v>,
    keys: usize,
    ranges: usize,
    by_number: bool,
}

impl Reader<'_, '_, '_> {
    fn key(&mut self, depth: usize) -> Parsed<SearchKey> {
        let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
        self.keys += 1;
        if self.keys > KEYS {
            return Err(Bad("Too many search keys"));
        }
        match self.scanner.peek() {
            Some(b'(') => self.parentheses(depth),
            Some(b'*' | b'$' | b'0'..=b'9') => {
                // `$` alone shifts no number (RFC 7162 §3.2.10.2).
                self.by_number |= self.scanner.peek() != Some(b'$');
                let set = self.set()?;
                Ok(SearchKey::Uids(set.found_numbers(self.meaning.view).into_vec()))
            }
            _ => self.named(depth),
        }
    }

    fn parentheses(&mut self, depth: usize) -> Parsed<SearchKey> {
        self.scanner.expect(b'(', "( expected")?;
        let mut keys = Vec::new();
        loop {
            keys.push(self.key(depth)?);
            if self.scanner.eat(b')') {
                return Ok(all_of(keys));
            }
            self.scanner.space()?;
        }
    }

    fn named(&mut self, depth: usize) -> Parsed<SearchKey> {
        let name = self.scanner.take_while(|byte| byte.is_ascii_alphabetic());
        let name = name.to_ascii_uppercase();
        if let b"RECENT" | b"OLD" | b"NEW" = name.as_slice() {
            self.count_ranges(self.meaning.view.not_recent().len())?;
        }
        if let Some(key) = flag_key(&name, self.meaning.view) {
            return Ok(key);
        }
        Ok(match name.as_slice() {
            b"NOT" => not(self.argument(|this| this.key(depth))?),
            b"OR" => self.argument(|this| this.or(depth))?,
            b"BCC" => self.argument(|this| this.address(AddressField::Bcc))?,
            b"CC" => self.argument(|this| this.address(AddressField::Cc))?,
            b"FROM" => self.argument(|this| this.address(AddressField::From))?,
            b"TO" => self.argument(|this| this.address(AddressField::To))?,
            b"SUBJECT" => SearchKey::Subject(self.argument(Self::text)?),
            b"HEADER" => self.argument(Self::header)?,
            b"BODY" => SearchKey::Body(self.argument(Self::text)?),
            b"TEXT" => SearchKey::Text(self.argument(Self::text)?),
            b"KEYWORD" => self.argument(Self::keyword)?,
            b"UNKEYWORD" => not(self.argument(Self::keyword)?),
            b"UID" => self.argument(Self::uids)?,
            b"MODSEQ" => self.argument(Self::modseq)?,
            b"EMAILID" => SearchKey::EmailId(object_id::email_id(&self.argument(Self::object_id)?)),
            b"THREADID" => SearchKey::ThreadId(object_id::thread_id(&self.argument(Self::object_id)?)),
            _ => self.number_or_date(&name)?,
        })
    }

    fn number_or_date(&mut self, name: &[u8]) -> Parsed<SearchKey> {
        Ok(match name {
            b"LARGER" => SearchKey::Larger(self.number()?),
            b"SMALLER" => SearchKey::Smaller(self.number()?),
            b"YOUNGER" => SearchKey::Younger(self.interval()?),
            b"OLDER" => SearchKey::Older(self.interval()?),
            b"BEFORE" => SearchKey::Before(self.date()?),
            b"ON" => SearchKey::On(self.date()?),
            b"SINCE" => SearchKey::Since(self.date()?),
            b"SENTBEFORE" => SearchKey::SentBefore(self.date()?),
            b"SENTON" => SearchKey::SentOn(self.date()?),
            b"SENTSINCE" => SearchKey::SentSince(self.date()?),
            b"SAVEDBEFORE" => SearchKey::SavedBefore(self.date()?),
            b"SAVEDON" => SearchKey::SavedOn(self.date()?),
            b"SAVEDSINCE" => SearchKey::SavedSince(self.date()?),
            b"SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
            _ => return Err(UNKNOWN),
        })
    }

    fn argument<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.scanner.space()?;
        read(self)
    }

    fn number(&mut self) -> Parsed<u64> {
        self.argument(|this| this.scanner.number64())
    }

    /// Seconds, at least one (RFC 5032 §3).
    fn interval(&mut self) -> Parsed<u64> {
        match self.argument(|this| this.scanner.number())? {
            0 => Err(Bad("An interval of nothing")),
            seconds => Ok(seconds.into()),
        }
    }

    fn date(&mut self) -> Parsed<i64> {
        self.argument(|this| date(this.scanner))
    }

    /// The two keys of OR. In front of a key stand as many OR as there are keys to come, in whatever nesting; which of
    /// them is whose does not matter to the result.
    fn or(&mut self, depth: usize) -> Parsed<SearchKey> {
        let mut keys = Vec::new();
        let (mut ors, mut wanted) = (1, 2);
        loop {
            while self.scanner.eat_ignoring_case(b"OR ") {
                ors += 1;
                wanted += 1;
                if ors > ORS {
                    return Err(TOO_DEEP);
                }
            }
            keys.push(self.key(depth)?);
            wanted -= 1;
            if wanted == 0 {
                return Ok(one_of(keys));
            }
            self.scanner.space()?;
        }
    }

    fn address(&mut self, field: AddressField) -> Parsed<SearchKey> {
        let text = self.text()?;
        Ok(SearchKey::Address { field, text })
    }

    fn header(&mut self) -> Parsed<SearchKey> {
        let name = self.text()?;
        let text = self.argument(Self::text)?;
        Ok(SearchKey::Header { name, text })
    }

    /// A keyword that cannot be set is on no message.
    fn keyword(&mut self) -> Parsed<SearchKey> {
        let name = utf8(self.scanner.atom()?)?;
        Ok(Keyword::new(name).map_or(SearchKey::Uids(Vec::new()), SearchKey::Keyword))
    }

    fn uids(&mut self) -> Parsed<SearchKey> {
        let (set, view) = (self.set()?, self.meaning.view);
        if !self.meaning.is_followed {
            return Ok(SearchKey::Uids(set.uids(view).into_vec()));
        }
        let (ranges, has_star) = set.open_uids();
        let ranges = SearchKey::Uids(ranges.into_vec());
        Ok(match has_star {
            true => SearchKey::Or(Box::new((ranges, star(view.last_uid())))),
            false => ranges,
        })
    }

    fn set(&mut self) -> Parsed<SequenceSet> {
        let set = SequenceSet::parse(self.scanner)?;
        self.count_ranges(set.ranges(self.meaning.saved))?;
        Ok(set.with_saved(self.meaning.saved))
    }

    fn count_ranges(&mut self, ranges: usize) -> Parsed<()> {
        let Meaning { view, saved, .. } = self.meaning;
        let given = saved.map_or(0, |saved| saved.as_slice().len()) + view.not_recent().len();
        self.ranges += ranges;
        if self.ranges > RANGES + given {
            return Err(Bad("Too many messages named one by one"));
        }
        Ok(())
    }

    /// There is one modseq a message, so entry and type are read and mean nothing (RFC 7162 §3.1.5).
    fn modseq(&mut self) -> Parsed<SearchKey> {
        if self.scanner.peek() == Some(b'"') {
            self.scanner.string()?;
            self.scanner.space()?;
            match self.scanner.atom()?.to_ascii_lowercase().as_slice() {
                b"priv" | b"shared" | b"all" => self.scanner.space()?,
                _ => return Err(Bad("Unknown entry type")),
            }
        }
        Ok(SearchKey::ModSeq(ModSeq(self.scanner.number64()?)))
    }

    /// `objectid` (RFC 8474 §7).
    fn object_id(&mut self) -> Parsed<Vec<u8>> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        match self.scanner.take_while(allowed) {
            [] => Err(Bad("Object id expected")),
            id => Ok(id.to_vec()),
        }
    }

    fn text(&mut self) -> Parsed<String> {
        self.meaning.charset.decode(&self.scanner.astring()?)
    }
}

fn flag_key(name: &[u8], view: &View) -> Option<SearchKey> {
    let has = |flag| SearchKey::Has(Flags::NONE.with(flag));
    let recent = || {
        let from = SearchKey::RecentFrom(view.recent_from());
        match view.not_recent() {
            [] => from,
            others => {
                let others = others.iter().map(|uid| (*uid, *uid)).collect();
                SearchKey::And(vec![from, not(SearchKey::Uids(others))])
            }
        }
    };
    Some(match name {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => has(Flag::Answered),
        b"DELETED" => has(Flag::Deleted),
        b"DRAFT" => has(Flag::Draft),
        b"FLAGGED" => has(Flag::Flagged),
        b"SEEN" => has(Flag::Seen),
        b"UNANSWERED" => not(has(Flag::Answered)),
        b"UNDELETED" => not(has(Flag::Deleted)),
        b"UNDRAFT" => not(has(Flag::Draft)),
        b"UNFLAGGED" => not(has(Flag::Flagged)),
        b"UNSEEN" => not(has(Flag::Seen)),
        b"RECENT" => recent(),
        b"OLD" => not(recent()),
        b"NEW" => SearchKey::And(vec![recent(), not(has(Flag::Seen))]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::asked_again::Traits;
    use postroom_types::Uid;

    fn parse_in(text: &[u8], charset: Charset) -> Parsed<SearchKey> {
        let view = View::of((1..=3).filter_map(|n| Uid::new(n * 10)).collect());
        let saved = UidRanges::of([10, 30].into_iter().filter_map(Uid::new));
        let meaning = Meaning {
            view: &view,
            saved: Some(&saved),
            charset,
            is_followed: false,
        };
        program(&mut Scanner::new(text), meaning).map(|program| program.key)
    }

    fn parse(text: &str) -> Parsed<SearchKey> {
        parse_in(text.as_bytes(), Charset::UTF_8)
    }

    #[test]
    fn programs() {
        let check = |text: &str, expected: &str| {
            let shown = parse(text).map(|key| format!("{key:?}"));
            assert_eq!(shown.as_deref(), Ok(expected), "{text}");
        };
        check("ALL", "All");
        check("unseen", "Not(Has({\"\\\\Seen\"}))");
        check("2:3", "Uids([(Uid(20), Uid(30))])");
        check("UID 1:*", "Uids([(Uid(1), Uid(30))])");
        check("$", "Uids([(Uid(10), Uid(10)), (Uid(30), Uid(30))])");
        check("UID $", "Uids([(Uid(10), Uid(10)), (Uid(30), Uid(30))])");
        check("from Smith", "Address { field: From, text: \"Smith\" }");
        check("SUBJECT \"a b\"", "Subject(\"a b\")");
        check("header X-Y {3}\r\nabc", "Header { name: \"X-Y\", text: \"abc\" }");
        check("HEADER Date \"\"", "Header { name: \"Date\", text: \"\" }");
        check("NOT (SEEN LARGER 5)", "Not(And([Has({\"\\\\Seen\"}), Larger(5)]))");
        check("OR ON 1-Jan-1970 SENTSINCE \"2-Jan-1970\"", "Or((On(0), SentSince(1)))");
        check("OLD", "Not(RecentFrom(None))");
        check("YOUNGER 259200 OLDER 1", "And([Younger(259200), Older(1)])");
        check(
            "SAVEDSINCE 2-Jan-1970 SAVEDATESUPPORTED",
            "And([SavedSince(1), SaveDateSupported])",
        );
        check("MODSEQ 0", "ModSeq(ModSeq(0))");
        check("MODSEQ \"/flags/\\\\draft\" all 620162338", "ModSeq(ModSeq(620162338))");
        check("EMAILID M6d99ac3275bb4e", "EmailId(None)");
        check(
            "THREADID T01890a5dac96774bbcceb302099a8057",
            "ThreadId(Some(ThreadId(01890a5d-ac96-774b-bcce-b302099a8057)))",
        );
    }

    #[test]
    fn ors_of_any_nesting_are_one() {
        for text in [
            "OR 1 OR 2 OR 3 ALL",
            "OR OR OR 1 2 3 ALL",
            "OR OR 1 2 OR 3 ALL",
            "OR OR 1 or 2 3 ALL",
        ] {
            let shown = format!("{:?}", parse(text).unwrap());
            assert_eq!(
                shown,
                format!("{:?}", parse("OR (OR 1 2) (OR 3 ALL)").unwrap()),
                "{text}"
            );
        }
        assert!(parse("OR 1 OR 2").is_err());
        assert!(parse("OR OR 1 2").is_err());
    }

    #[test]
    fn charsets() {
        let koi8 = Charset::named(b"KOI8-R").unwrap();
        let read = parse_in(b"TEXT \"\xc2\xd5\xcb\"", koi8);
        assert_eq!(read, Ok(SearchKey::Text("бук".to_owned())));
        assert!(parse_in(b"TEXT \"\xc2\xd5\xcb\"", Charset::UTF_8).is_err());
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "FOO",
            "NOT",
            "OR SEEN",
            "(SEEN",
            "SEEN)",
            "()",
            "LARGER",
            "LARGER x",
            "LARGER 9223372036854775808",
            "YOUNGER 0",
            "OLDER 4294967296",
            "ON yesterday",
            "RETURN (MIN)",
            "SUBJECT",
            "HEADER a",
            "SUBJECT {1}\r\n\u{0}",
            "KEYWORD \"x\"",
            "ALLSEEN",
            "MODSEQ",
            "MODSEQ \"/flags/x\" 5",
            "MODSEQ \"/flags/x\" own 5",
            "EMAILID (x)",
            "SAVEDATE 1-Jan-1970",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn size_has_an_end() {
        let nested = |levels: usize| parse(&format!("{}ALL", "NOT ".repeat(levels)));
        assert!(nested(99).is_ok());
        assert_eq!(nested(100), Err(TOO_DEEP));
        let parentheses = format!("{}ALL{}", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(parse(&parentheses), Err(TOO_DEEP));
        let ors = |levels: usize| parse(&format!("{}ALL{}", "OR ".repeat(levels), " SEEN".repeat(levels)));
        assert!(ors(500).is_ok());
        assert_eq!(ors(501), Err(TOO_DEEP));
        assert!(parse(&"ALL ".repeat(2_000)).is_ok());
        assert_eq!(parse(&"ALL ".repeat(2_001)), Err(Bad("Too many search keys")));
    }

    #[test]
    fn what_is_saved_is_not_multiplied_without_end() {
        let every_second = |count: u32| UidRanges::of((1..=count).filter_map(|n| Uid::new(n * 2)));
        let ranges_of = |text: &str, saved: u32, not_recent: u32| {
            let saved = every_second(saved);
            let view = View::of_not_recent((1..=not_recent).filter_map(Uid::new).collect());
            let meaning = Meaning {
                view: &view,
                saved: Some(&saved),
                charset: Charset::UTF_8,
                is_followed: true,
            };
            let read = program(&mut Scanner::new(text.as_bytes()), meaning);
            read.map(|program| Traits::of(&program.key).ranges)
        };
        let too_many = Err(Bad("Too many messages named one by one"));
        assert_eq!(ranges_of("UNSEEN $ UID 1", 150_000, 0), Ok(150_001));
        assert_eq!(ranges_of("$ UID $", 100_000, 0), Ok(200_000));
        assert_eq!(ranges_of("$ NOT $ 1", 100_000, 0), too_many);
        assert_eq!(ranges_of("2 UID 1,$ $", 99_999, 0), too_many);
        assert_eq!(ranges_of(&"$ ".repeat(2_000), 51, 0), too_many);
        assert_eq!(ranges_of("RECENT OLD", 0, 100_000), Ok(200_000));
        assert_eq!(ranges_of("RECENT OLD NEW", 0, 60_000), too_many);
    }
}
