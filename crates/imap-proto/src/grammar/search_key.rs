//! The search program (RFC 3501 §6.4.4), with numbers turned into UIDs of one view.

use super::date::date;
use super::scanner::utf8;
use super::sequence_set::SequenceSet;
use super::{Bad, Parsed, Scanner};
use crate::question::SearchKey;
use crate::view::View;
use postroom_types::{Flag, Flags, Keyword};

/// Deepest nesting of parentheses, NOT and OR. Parsing and matching recurse once a level.
const DEPTH: usize = 100;

/// Reads keys to the end of the command; they are all to match.
pub(crate) fn program(scanner: &mut Scanner<'_>, view: &View) -> Parsed<SearchKey> {
    let mut keys = Vec::new();
    loop {
        keys.push(key(scanner, view, DEPTH)?);
        if !scanner.eat(b' ') || scanner.at_end() {
            break;
        }
    }
    scanner.end()?;
    Ok(all_of(keys))
}

fn all_of(mut keys: Vec<SearchKey>) -> SearchKey {
    match keys.len() {
        1 => keys.remove(0),
        _ => SearchKey::And(keys),
    }
}

fn key(scanner: &mut Scanner<'_>, view: &View, depth: usize) -> Parsed<SearchKey> {
    let depth = depth.checked_sub(1).ok_or(Bad("Search nested too deeply"))?;
    match scanner.peek() {
        Some(b'(') => {
            let mut keys = Vec::new();
            scanner.list(|scanner| {
                keys.push(key(scanner, view, depth)?);
                Ok(())
            })?;
            Ok(all_of(keys))
        }
        Some(b'*' | b'0'..=b'9') => {
            let set = SequenceSet::parse(scanner)?;
            Ok(SearchKey::Uids(set.sequence_numbers(view)?.into_vec()))
        }
        _ => named(scanner, view, depth),
    }
}

fn named(scanner: &mut Scanner<'_>, view: &View, depth: usize) -> Parsed<SearchKey> {
    let name = scanner
        .take_while(|byte| byte.is_ascii_alphabetic())
        .to_ascii_uppercase();
    if let Some(key) = flag_key(&name, view) {
        return Ok(key);
    }
    const UNKNOWN: Bad = Bad("Unknown search key");
    if !KEYS_WITH_ARGUMENT.contains(&name.as_slice()) {
        return Err(UNKNOWN);
    }
    scanner.space()?;
    Ok(match name.as_slice() {
        b"NOT" => SearchKey::Not(Box::new(key(scanner, view, depth)?)),
        b"OR" => {
            let first = key(scanner, view, depth)?;
            scanner.space()?;
            SearchKey::Or(Box::new((first, key(scanner, view, depth)?)))
        }
        b"UID" => SearchKey::Uids(SequenceSet::parse(scanner)?.uids(view).into_vec()),
        b"KEYWORD" => keyword(scanner)?,
        b"UNKEYWORD" => SearchKey::Not(Box::new(keyword(scanner)?)),
        b"BCC" | b"CC" | b"FROM" | b"SUBJECT" | b"TO" => {
            let name = utf8(&name)?.to_ascii_lowercase();
            SearchKey::Header {
                name,
                text: text(scanner)?,
            }
        }
        b"HEADER" => {
            let name = text(scanner)?;
            scanner.space()?;
            SearchKey::Header {
                name,
                text: text(scanner)?,
            }
        }
        b"BODY" => SearchKey::Body(text(scanner)?),
        b"TEXT" => SearchKey::Text(text(scanner)?),
        b"LARGER" => SearchKey::Larger(scanner.number64()?),
        b"SMALLER" => SearchKey::Smaller(scanner.number64()?),
        b"BEFORE" => SearchKey::Before(date(scanner)?),
        b"ON" => SearchKey::On(date(scanner)?),
        b"SINCE" => SearchKey::Since(date(scanner)?),
        b"SENTBEFORE" => SearchKey::SentBefore(date(scanner)?),
        b"SENTON" => SearchKey::SentOn(date(scanner)?),
        b"SENTSINCE" => SearchKey::SentSince(date(scanner)?),
        _ => return Err(UNKNOWN),
    })
}

const KEYS_WITH_ARGUMENT: &[&[u8]] = &[
    b"NOT",
    b"OR",
    b"UID",
    b"KEYWORD",
    b"UNKEYWORD",
    b"BCC",
    b"CC",
    b"FROM",
    b"SUBJECT",
    b"TO",
    b"HEADER",
    b"BODY",
    b"TEXT",
    b"LARGER",
    b"SMALLER",
    b"BEFORE",
    b"ON",
    b"SINCE",
    b"SENTBEFORE",
    b"SENTON",
    b"SENTSINCE",
];

fn flag_key(name: &[u8], view: &View) -> Option<SearchKey> {
    let has = |flag| SearchKey::Has(Flags::NONE.with(flag));
    let not = |key| SearchKey::Not(Box::new(key));
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

/// A keyword that cannot be set is on no message.
fn keyword(scanner: &mut Scanner<'_>) -> Parsed<SearchKey> {
    let name = utf8(scanner.atom()?)?;
    Ok(Keyword::new(name).map_or(SearchKey::Uids(Vec::new()), SearchKey::Keyword))
}

fn text(scanner: &mut Scanner<'_>) -> Parsed<String> {
    Ok(utf8(&scanner.astring()?)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::Uid;

    fn parse(text: &str) -> Parsed<SearchKey> {
        let view = View::of((1..=3).filter_map(|n| Uid::new(n * 10)).collect());
        program(&mut Scanner::new(text.as_bytes()), &view)
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
        check("SUBJECT \"a b\"", "Header { name: \"subject\", text: \"a b\" }");
        check("header X-Y {3}\r\nabc", "Header { name: \"X-Y\", text: \"abc\" }");
        check("NOT (SEEN LARGER 5)", "Not(And([Has({\"\\\\Seen\"}), Larger(5)]))");
        check("OR ON 1-Jan-1970 SENTSINCE \"2-Jan-1970\"", "Or((On(0), SentSince(1)))");
        check("OLD", "Not(RecentFrom(None))");
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
            "4",
            "LARGER",
            "LARGER x",
            "ON yesterday",
            "RETURN (MIN)",
            "SUBJECT",
            "HEADER a",
            "SUBJECT {1}\r\n\u{0}",
            "KEYWORD \"x\"",
            "ALLSEEN",
            "1:4",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |levels: usize| parse(&format!("{}ALL", "NOT ".repeat(levels)));
        assert!(nested(99).is_ok());
        assert_eq!(nested(100), Err(Bad("Search nested too deeply")));
        let parentheses = format!("{}ALL{}", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(parse(&parentheses), Err(Bad("Search nested too deeply")));
    }
}
