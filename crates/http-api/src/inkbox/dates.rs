//! From when to when, as lists are asked (inkbox.md §7 "Dates"): dates, times without a zone and times with one.

use super::failure::{Answer, Failure};
use super::wire::Asked;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

/// A part of time: milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Then or later.
    pub(super) from: Option<i64>,
    /// Before.
    pub(super) before: Option<i64>,
}

/// Reads `start_datetime`, `end_datetime` and `tz`; both ends belong to what is asked for.
pub(super) fn read(asked: &Asked) -> Answer<Span> {
    let zone = zone(asked.text("tz")?.unwrap_or("UTC"))?;
    let one = |name: &str, is_end| match asked.text(name)? {
        None => Ok(None),
        Some(text) => {
            let bad = || {
                let text = "is a date (2026-03-09), a time of tz (2026-03-09T08:30:00) or a time with its zone";
                Failure::field(name, format!("{name} {text}"))
            };
            instant(text, &zone, is_end).map(Some).ok_or_else(bad)
        }
    };
    Ok(Span {
        from: one("start_datetime", false)?,
        before: one("end_datetime", true)?,
    })
}

fn zone(name: &str) -> Answer<TimeZone> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_+-/".contains(c);
    let found = Some(name).filter(|name| name.chars().all(good)).map(TimeZone::get);
    found
        .and_then(Result::ok)
        .ok_or_else(|| Failure::field("tz", "tz is the name of a time zone, such as Europe/Berlin"))
}

/// The moment that a text names: the first of what is wanted, or of an end the first beyond.
fn instant(text: &str, zone: &TimeZone, is_end: bool) -> Option<i64> {
    let (day, rest) = text.split_at_checked("2026-03-09".len())?;
    let day: Date = fits(day, "0000-00-00").then(|| day.parse().ok())??;
    if rest.is_empty() {
        let first = if is_end { day.tomorrow() } else { Ok(day) };
        return Some(first.map_or_else(|_| last(), |first| moment(zone.to_timestamp(first.at(0, 0, 0, 0)))));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len()));
    let local = day.to_datetime(clock(time)?);
    let named = match offset {
        "" => zone.to_timestamp(local),
        offset => self::offset(offset)?.to_timestamp(local),
    };
    Some(moment(named).saturating_add(i64::from(is_end)))
}

/// Beyond the last moment that can be told, which some name for "no end", nothing is.
fn moment(named: Result<Timestamp, jiff::Error>) -> i64 {
    named.map_or_else(|_| last(), Timestamp::as_millisecond)
}

fn last() -> i64 {
    Timestamp::MAX.as_millisecond()
}

/// `08:30`, `08:30:00` or `08:30:00.123456`.
fn clock(text: &str) -> Option<Time> {
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let seconds = match fits(whole, "00:00:00") {
        true => two(whole, 6)?,
        false if fraction.is_none() && fits(whole, "00:00") => 0,
        false => return None,
    };
    let nanoseconds = match fraction {
        None => 0,
        Some(digits) if (1..=9).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{digits:0<9}").parse().ok()?
        }
        Some(_) => return None,
    };
    Time::new(two(whole, 0)?, two(whole, 3)?, seconds, nanoseconds).ok()
}

/// `Z`, `+01:00`, `+0100` or `+01`. A plus sign that was not encoded arrives as a space.
fn offset(text: &str) -> Option<Offset> {
    if matches!(text, "Z" | "z") {
        return Some(Offset::UTC);
    }
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix(['+', ' '])?),
    };
    let minutes = match text {
        text if fits(text, "00:00") => two(text, 3)?,
        text if fits(text, "0000") => two(text, 2)?,
        text if fits(text, "00") => 0,
        _ => return None,
    };
    let (hours, minutes) = (i32::from(two(text, 0)?), i32::from(minutes));
    let good = hours < 24 && minutes < 60;
    good.then(|| Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok())?
}

/// Whether a text has digits where the pattern has zeros, and else what the pattern has.
fn fits(text: &str, pattern: &str) -> bool {
    let same = |(octet, wanted): (u8, u8)| match wanted {
        b'0' => octet.is_ascii_digit(),
        wanted => octet == wanted,
    };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(same)
}

/// The number of two digits there.
fn two(text: &str, at: usize) -> Option<i8> {
    text.get(at..at + 2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let check = |text: &str, zone_name: &str, is_end, expected: &str| {
            let found = instant(text, &zone(zone_name).unwrap(), is_end);
            assert_eq!(found, Some(at(expected)), "{text} {zone_name} {is_end}");
        };
        check("2026-03-09", "UTC", false, "2026-03-09T00:00:00Z");
        check("2026-03-09", "UTC", true, "2026-03-10T00:00:00Z");
        check("2026-03-09", "Europe/Berlin", false, "2026-03-08T23:00:00Z");
        // The day on which the clocks change has 23 hours.
        check("2026-03-29", "Europe/Berlin", false, "2026-03-28T23:00:00Z");
        check("2026-03-29", "Europe/Berlin", true, "2026-03-29T22:00:00Z");
        check("2026-03-09T08:30:00", "America/New_York", false, "2026-03-09T12:30:00Z");
        check("2026-03-09 08:30:00", "UTC", false, "2026-03-09T08:30:00Z");
        check("2026-03-09T08:30:00Z", "Europe/Berlin", false, "2026-03-09T08:30:00Z");
        check("2026-03-09T08:30:00+01:00", "UTC", false, "2026-03-09T07:30:00Z");
        check("2026-03-09T08:30:00 01:00", "UTC", false, "2026-03-09T07:30:00Z");
        check("2026-03-09 08:30:00 01:00", "UTC", false, "2026-03-09T07:30:00Z");
        check("2026-03-09t08:30z", "Europe/Berlin", false, "2026-03-09T08:30:00Z");
        check("2026-03-09T08:30-0330", "UTC", false, "2026-03-09T12:00:00Z");
        check("2026-03-09T08:30:00+01", "UTC", false, "2026-03-09T07:30:00Z");
        check("2026-03-09T08:30:00.5", "UTC", false, "2026-03-09T08:30:00.5Z");
        check("2026-03-09T08:30:00.123456Z", "UTC", true, "2026-03-09T08:30:00.124Z");
        check("0001-01-01T00:00:00", "UTC", false, "0001-01-01T00:00:00Z");
    }

    #[test]
    fn no_end() {
        for (text, zone_name) in [
            ("9999-12-30", "UTC"),
            ("9999-12-31", "UTC"),
            ("9999-12-31", "Pacific/Auckland"),
            ("9999-12-31T23:59:59.999999", "UTC"),
            ("9999-12-31T23:59:59Z", "UTC"),
            ("9999-12-31T23:59:59-12:00", "UTC"),
        ] {
            let found = instant(text, &zone(zone_name).unwrap(), true);
            assert!(found.is_some_and(|found| found >= last()), "{text} {zone_name}");
        }
    }

    #[test]
    fn nonsense() {
        let utc = TimeZone::UTC;
        for text in [
            "",
            "x",
            "2026-13-01",
            "2026-02-30",
            "yesterday",
            "1773014400",
            "2026-03-09T25:00:00",
            "20260309",
            "+002026-03-09",
            "+02026-03-",
            "2026-03-9x",
            "2026-3-09",
            "2026-W10-1",
            "2026-03-09T",
            "2026-03-09T08",
            "2026-03-09T0830",
            "2026-03-09T08:30.5",
            "2026-03-09T08:30:00.",
            "2026-03-09T08:30:00.1234567890",
            "2026-03-09T08:30:00,5",
            "2026-03-09T24:00:00",
            "2026-03-09T23:59:60Z",
            "2026-03-09T02:00:00+25:00",
            "2026-03-09T02:00:00+01:60",
            "2026-03-09T02:00:00+1",
            "2026-03-09T02:00:00Z+01:00",
            "2026-03-09T04:10:00[Europe/Berlin]",
            "2026-03-09T04:10:00Z[Europe/Berlin]",
            "2026-03-09\u{e4}",
            "2026-03-0\u{e4}",
        ] {
            assert_eq!(instant(text, &utc, true), None, "{text}");
        }
        for name in ["", "Mars/Phobos", "../../etc/passwd", "Europe/Berlin\0"] {
            assert!(zone(name).is_err(), "{name}");
        }
    }
}
