//! Dates as header fields write them (RFC 5322 §3.3).

use jiff::Timestamp;

/// A time in UTC, such as `Sat, 21 Nov 2026 13:54:34 +0000`. What no calendar year of four digits holds is given as
/// 1970-01-01.
pub(crate) fn rfc5322_date(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).ok();
    let time = time.filter(|time| (1900..=9999).contains(&time.to_zoned(jiff::tz::TimeZone::UTC).year()));
    time.unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (1_795_269_274, "Sat, 21 Nov 2026 13:54:34 +0000"),
            (i64::MAX, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (i64::MIN, "Thu, 01 Jan 1970 00:00:00 +0000"),
        ] {
            assert_eq!(rfc5322_date(seconds), text);
        }
    }
}
