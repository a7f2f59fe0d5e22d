//! When a message was sent, as its Date field says (RFC 5322 §3.3): for SENTON and the like, SORT and THREAD.

use crate::lexer::{Token, tokens};
use jiff::civil::Date;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What a Date field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentDate {
    /// The day it names, without regard to time and zone, in days since 1970-01-01 (RFC 9051 §6.4.4, SENTON).
    pub day: i64,
    /// Seconds since 1970 UTC (RFC 5256 §2.2): an invalid zone is UTC, an invalid time midnight.
    pub at: i64,
}

/// Reads a Date field, also of the forms of RFC 5322 §4.3; `None` if it names no day.
#[must_use]
pub fn sent_date(value: &[u8]) -> Option<SentDate> {
    let mut words = tokens(value, b",:.")
        .filter(|token| !matches!(token, Token::Comment(_)))
        .peekable();
    // The name of the day says nothing that the date does not say.
    words.next_if(|word| matches!(word, Token::Atom(text) if text.iter().all(u8::is_ascii_alphabetic)));
    words.next_if(|word| matches!(word, Token::Special(_)));
    let (day, _) = number(&words.next()?)?;
    let month = month(&words.next()?)?;
    words.next_if_eq(&Token::Special(b'.'));
    let year = year(&words.next()?)?;
    let date = Date::new(year, month, i8::try_from(day).ok()?).ok()?;
    let day = (date - Date::constant(1970, 1, 1)).get_days().into();
    // Hours, minutes and, if they are there, seconds.
    let mut time = [0_i64; 3];
    let mut count = 0;
    while let Some((value, _)) = words.peek().and_then(number) {
        words.next();
        if let Some(place) = time.get_mut(count) {
            *place = value;
        }
        count += 1;
        if words
            .next_if(|word| matches!(word, Token::Special(b':' | b'.')))
            .is_none()
        {
            break;
        }
    }
    let [hour, minute, second] = time;
    // A leap second is a time (RFC 5322 §3.3); it is counted as the second after it.
    let is_time = (2..=3).contains(&count) && hour < 24 && minute < 60 && second <= 60;
    let time = if is_time {
        hour * HOUR + minute * MINUTE + second
    } else {
        0
    };
    let zone = words.next().map_or(0, |word| zone_seconds(&word));
    Some(SentDate {
        day,
        at: day * DAY + time - zone,
    })
}

/// An unsigned number of at most four digits, and how many digits it has.
fn number(word: &Token) -> Option<(i64, usize)> {
    let Token::Atom(digits) = word else { return None };
    let is_number = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let value = |digits: &[u8]| {
        digits
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
    };
    is_number.then(|| (value(digits), digits.len()))
}

/// By its first three letters, whatever follows: some write the whole name.
fn month(word: &Token) -> Option<i8> {
    let Token::Atom(name) = word else { return None };
    let begin = name.get(..3)?;
    let is_it = |month: &&[u8]| month.eq_ignore_ascii_case(begin);
    let index = b"JanFebMarAprMayJunJulAugSepOctNovDec"
        .chunks(3)
        .position(|month| is_it(&month))?;
    i8::try_from(index + 1).ok()
}

/// Of two and three digits as RFC 5322 §4.3 has it; no year before 1900 has mail.
fn year(word: &Token) -> Option<i16> {
    let year = match number(word)? {
        (year, 2) if year < 50 => year + 2000,
        (year, 2 | 3) => year + 1900,
        (year, _) => year,
    };
    i16::try_from(year).ok().filter(|year| *year >= 1900)
}

/// How far east of UTC, seconds (RFC 5322 §3.3, §4.3); a zone that is not known is UTC.
fn zone_seconds(word: &Token) -> i64 {
    let Token::Atom(zone) = word else { return 0 };
    let name = zone.to_ascii_uppercase();
    let sign = match name.first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => {
            let hours = match name.as_slice() {
                b"EDT" => -4,
                b"EST" | b"CDT" => -5,
                b"CST" | b"MDT" => -6,
                b"MST" | b"PDT" => -7,
                b"PST" => -8,
                _ => 0,
            };
            return hours * HOUR;
        }
    };
    match number(&Token::Atom(name[1..].to_vec())) {
        Some((offset, _)) if offset < 2400 && offset % 100 < 60 => sign * (offset / 100 * HOUR + offset % 100 * MINUTE),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("Thu, 01 Jan 1970 00:30:00 +0200", Some((0, 1800 - 7200))),
            ("Thu, 01 Jan 1970 23:30:00 -0500", Some((0, 84_600 + 18_000))),
            ("Fri, 2 Jan 1970 00:00:00 GMT", Some((1, DAY))),
            ("31 Dec 2000 16:01:33 -0800", Some((11_322, 978_307_293))),
            ("2 Jan 1970 25:00:00 +0000", Some((1, DAY))),
            ("2 Jan 1970 01:00:00 XYZ", Some((1, DAY + 3600))),
            ("2 Jan 1970 23:59:60 +0000", Some((1, 2 * DAY))),
            ("2 Jan 1970", Some((1, DAY))),
            ("2 Jan 1970 01:00:00", Some((1, DAY + 3600))),
            ("2 Jan 1970 01:00 PST", Some((1, DAY + 9 * 3600))),
            ("Fri,2 January 70 01.00.00 -0030", Some((1, DAY + 5400))),
            (
                "(a) Fri (b), 2 (c) Jan 070 (d) 01 : 00 (e) +0000 (f)",
                Some((1, DAY + 3600)),
            ),
            ("2 Jan 1970 +0100", Some((1, DAY - 3600))),
            ("2 Jan 1970 01:00:00:00 EST", Some((1, DAY + 18_000))),
            ("2 Jan 1970 00:00:00 +2400", Some((1, DAY))),
            ("2 Jan 1970 00:00:00 +0060", Some((1, DAY))),
            ("1 Jan 49 00:00:00 +0000", Some((28_855, 28_855 * DAY))),
            ("1 Jan 50 00:00:00 +0000", Some((-7305, -7305 * DAY))),
            ("1 Jan 100 00:00:00 +0000", Some((10_957, 10_957 * DAY))),
            ("40 Jan 1970 00:00:00 +0000", None),
            ("30 Feb 1972 00:00:00 +0000", None),
            ("2 Jen 1970 00:00:00 +0000", None),
            ("2 Jan 1899 00:00:00 +0000", None),
            ("2 Jan 19700 00:00:00 +0000", None),
            ("rubbish", None),
            ("", None),
        ] {
            let expected = expected.map(|(day, at)| SentDate { day, at });
            assert_eq!(sent_date(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = sent_date(&value);
        }
    }
}
