//! A message's internal date (RFC 9051 §2.3.3).

/// When a message arrived, in the zone it was said in: FETCH shows what APPEND gave (RFC 9051 §6.3.12), and searches by
/// day go by the date as it is shown, "disregarding time and timezone" (RFC 9051 §6.4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InternalDate {
    /// Seconds since 1970 UTC.
    pub seconds: i64,
    /// Quarter hours east of UTC, from -64 to 64.
    zone: i8,
}

impl InternalDate {
    /// Farthest from UTC a zone may be, in quarter hours: 16 hours.
    const FARTHEST: i8 = 64;

    /// A moment, in UTC.
    #[must_use]
    pub const fn utc(seconds: i64) -> Self {
        Self { seconds, zone: 0 }
    }

    /// A moment, in a zone so many minutes east of UTC. What is no multiple of 15 minutes, or farther than 16 hours, is no
    /// zone that is in use: the moment is kept in UTC.
    #[must_use]
    pub const fn new(seconds: i64, zone_minutes: i32) -> Self {
        if zone_minutes % 15 != 0 || zone_minutes.unsigned_abs() > Self::FARTHEST as u32 * 15 {
            return Self::utc(seconds);
        }
        // At most 64, as just checked.
        Self::with_quarters(seconds, (zone_minutes / 15) as i8)
    }

    /// A moment, in a zone so many quarter hours east of UTC, as [`zone_quarters`](Self::zone_quarters) gives it; UTC if
    /// that is farther than 16 hours.
    #[must_use]
    pub const fn with_quarters(seconds: i64, zone: i8) -> Self {
        if zone.unsigned_abs() > Self::FARTHEST as u8 {
            return Self::utc(seconds);
        }
        Self { seconds, zone }
    }

    /// Its zone, in quarter hours east of UTC: one octet, for rows.
    #[must_use]
    pub const fn zone_quarters(self) -> i8 {
        self.zone
    }

    /// Its zone, in minutes east of UTC.
    #[must_use]
    pub const fn zone_minutes(self) -> i32 {
        self.zone as i32 * 15
    }

    /// What a clock in its zone shows, as seconds since 1970-01-01 00:00 on that clock.
    #[must_use]
    pub const fn local_seconds(self) -> i64 {
        self.seconds.saturating_add(self.zone as i64 * 900)
    }

    /// Its date in its own zone, as days since 1970-01-01.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.local_seconds().div_euclid(86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones() {
        let check = |minutes: i32, kept: i32| {
            let date = InternalDate::new(1_000, minutes);
            assert_eq!((date.seconds, date.zone_minutes()), (1_000, kept), "{minutes}");
            assert_eq!(InternalDate::with_quarters(1_000, date.zone_quarters()), date);
        };
        check(0, 0);
        check(180, 180);
        check(-420, -420);
        // Nepal, the Chatham Islands.
        check(345, 345);
        check(765, 765);
        check(960, 960);
        check(-960, -960);
        check(975, 0);
        check(-975, 0);
        // Amsterdam until 1937.
        check(20, 0);
        check(-1, 0);
        check(i32::MIN, 0);
        check(i32::MAX, 0);
        assert_eq!(InternalDate::with_quarters(7, 65), InternalDate::utc(7));
        assert_eq!(InternalDate::with_quarters(7, i8::MIN), InternalDate::utc(7));
    }

    #[test]
    fn days() {
        let check = |seconds: i64, minutes: i32, day: i64| {
            assert_eq!(InternalDate::new(seconds, minutes).day(), day, "{seconds} {minutes}");
        };
        check(0, 0, 0);
        check(-1, 0, -1);
        check(86_399, 0, 0);
        // 23:00 +0200 is 21:00 UTC of the same day; 00:00 +0200 of the next day is but an hour later.
        check(21 * 3_600, 120, 0);
        check(22 * 3_600, 120, 1);
        check(22 * 3_600, 0, 0);
        // 22:00 -0500 is 03:00 UTC of the next day.
        check(86_400 + 3 * 3_600, -300, 0);
        check(-3_600, 60, 0);
        check(0, -15, -1);
        check(i64::MAX, 960, i64::MAX / 86_400);
        check(i64::MIN, -960, i64::MIN.div_euclid(86_400));
    }
}
