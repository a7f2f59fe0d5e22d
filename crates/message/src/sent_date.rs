//! When a message was sent, as its Date field says (RFC 5322 §3.3): for SENTON and the like, SORT and THREAD.

use crate::decode::guarded;
use mail_parser::DateTime;

const DAY: i64 = 86_400;

/// What a Date field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentDate {
    /// The day it names, without regard to time and zone, in days since 1970-01-01 (RFC 9051 §6.4.4, SENTON).
    pub day: i64,
    /// Seconds since 1970 UTC (RFC 5256 §2.2): an invalid zone is UTC, an invalid time midnight.
    pub at: i64,
}

/// Reads a Date field; `None` if it names no day.
#[must_use]
pub fn sent_date(value: &[u8]) -> Option<SentDate> {
    let mut date = guarded(|| DateTime::parse_rfc822(std::str::from_utf8(value).ok()?))??;
    let has_day = (1..=12).contains(&date.month) && (1..=31).contains(&date.day) && (1900..=9999).contains(&date.year);
    if !has_day {
        return None;
    }
    // A leap second is a time (RFC 5322 §3.3); it is counted as the second after it.
    if date.hour > 23 || date.minute > 59 || date.second > 60 {
        (date.hour, date.minute, date.second) = (0, 0, 0);
    }
    if date.tz_hour > 23 || date.tz_minute > 59 {
        (date.tz_hour, date.tz_minute) = (0, 0);
    }
    let mut midnight = date;
    (midnight.hour, midnight.minute, midnight.second) = (0, 0, 0);
    Some(SentDate {
        day: midnight.to_timestamp_local().div_euclid(DAY),
        at: date.to_timestamp(),
    })
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
            ("40 Jan 1970 00:00:00 +0000", None),
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
