//! The line above a message.
//!
//! What always holds: a time without a zone is in UTC (RFC 4155 Appendix A); what is no time is none.

use jiff::civil::{Date, DateTime, Time};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// What stands behind `From ` above a message; not decoded, since everybody writes it differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromLine(pub Vec<u8>);

impl FromLine {
    /// When the message came, seconds since 1970 UTC, if the line ends as `asctime` of C writes a time: month, day, time,
    /// year, with a zone before or behind the year as some write it.
    #[must_use]
    pub fn time(&self) -> Option<i64> {
        let text = String::from_utf8_lossy(&self.0).to_ascii_lowercase();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        // What looks like a month before this is part of a sender's name.
        let at = words
            .windows(2)
            .rposition(|pair| MONTHS.contains(&pair[0]) && pair[1].bytes().all(|octet| octet.is_ascii_digit()))?;
        let month = MONTHS.iter().position(|month| *month == words[at])?;
        let day: i8 = words[at + 1].parse().ok()?;
        let time = time_of(words.get(at + 2)?)?;
        let rest = &words[at + 3..];
        let year: i16 = rest
            .iter()
            .take(2)
            .find(|word| word.len() == 4 && is_number(word))?
            .parse()
            .ok()?;
        let date = Date::new(year, i8::try_from(month + 1).ok()?, day).ok()?;
        let zone: i64 = rest.iter().take(2).find_map(|word| zone_seconds(word)).unwrap_or(0);
        let utc = DateTime::from_parts(date, time)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?;
        utc.timestamp().as_second().checked_sub(zone)
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|octet| octet.is_ascii_digit())
}

fn time_of(word: &str) -> Option<Time> {
    let mut parts = word.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    // A leap second is a time; it is counted as the one before it.
    Time::new(hour, minute, second.min(59), 0).ok()
}

/// `+hhmm`; names of zones say too little.
fn zone_seconds(word: &str) -> Option<i64> {
    let sign = match word.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = word.get(1..).filter(|digits| digits.len() == 4 && is_number(digits))?;
    let number: i64 = digits.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times() {
        let check = |line: &str, expected| assert_eq!(FromLine(line.into()).time(), expected, "{line:?}");
        check("a@example.test Thu Jan  1 00:00:00 1970", Some(0));
        check("a@example.test Tue Nov 14 22:13:20 2023", Some(1_700_000_000));
        check("- Tue Nov 14 22:13 2023", Some(1_699_999_980));
        check("1812@xxx Tue Nov 14 22:13:20 +0000 2023", Some(1_700_000_000));
        check("a Tue Nov 14 23:13:20 2023 +0100", Some(1_700_000_000));
        check("a Tue Nov 14 17:13:20 EST 2023", Some(1_699_982_000));
        check("may 1 Tue Nov 14 22:13:20 2023 remote from b", Some(1_700_000_000));
        for none in [
            "",
            "a",
            "a 1970 00:00",
            "a Nov",
            "a Nov 14",
            "a Nov 31 22:13:20 2023",
            "a Nov 14 25:00 2023",
        ] {
            check(none, None);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in "([A-Za-z0-9:+ é-]|Jan |9999){0,40}") {
            let _ = FromLine(line.into_bytes()).time();
        }
    }
}
