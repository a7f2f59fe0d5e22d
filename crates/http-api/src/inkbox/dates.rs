//! From when to when, as lists are asked (inkbox.md §7 "Dates"): dates, times without a zone and times with one.

use super::failure::{Answer, Failure};
use super::wire::Asked;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

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
    let beyond = i64::from(is_end);
    if text.len() == "2026-03-09".len() {
        let day: Date = text.parse().ok()?;
        let day = if is_end { day.checked_add(1.day()).ok()? } else { day };
        return Some(zone.to_timestamp(day.at(0, 0, 0, 0)).ok()?.as_millisecond());
    }
    // A plus sign that was not encoded arrives as a space.
    let text = match text.contains(['T', 't']) {
        true => text.replace(' ', "+"),
        false => text.to_owned(),
    };
    if let Ok(exact) = text.parse::<Timestamp>() {
        return exact.as_millisecond().checked_add(beyond);
    }
    let local: DateTime = text.parse().ok()?;
    let moment = zone.to_timestamp(local).ok()?;
    moment.as_millisecond().checked_add(beyond)
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
        check("2026-03-09T08:30:00.123456Z", "UTC", true, "2026-03-09T08:30:00.124Z");
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
            "9999-12-31",
        ] {
            assert_eq!(instant(text, &utc, true), None, "{text}");
        }
        for name in ["", "Mars/Phobos", "../../etc/passwd", "Europe/Berlin\0"] {
            assert!(zone(name).is_err(), "{name}");
        }
    }
}
