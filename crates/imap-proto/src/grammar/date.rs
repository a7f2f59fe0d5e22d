//! Dates: `date` of SEARCH and `date-time` of APPEND and INTERNALDATE (RFC 3501 §9).

use super::{Bad, Parsed, Scanner};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const BAD_DATE: Bad = Bad("Malformed date");

/// Days since 1970-01-01 of a day in the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is a year's last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = (shifted + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// `date`, with or without quotes: `1-Feb-1994`. Days since 1970-01-01.
pub(crate) fn date(scanner: &mut Scanner<'_>) -> Parsed<i64> {
    let quoted = scanner.eat(b'"');
    let days = day_month_year(scanner)?;
    if quoted {
        scanner.expect(b'"', BAD_DATE.0)?;
    }
    Ok(days)
}

fn day_month_year(scanner: &mut Scanner<'_>) -> Parsed<i64> {
    let day = i64::from(digits(scanner, 1..=2)?);
    scanner.expect(b'-', BAD_DATE.0)?;
    let name = scanner.take_while(|byte| byte.is_ascii_alphabetic());
    let month = MONTHS
        .iter()
        .position(|month| month.as_bytes().eq_ignore_ascii_case(name))
        .ok_or(BAD_DATE)?;
    scanner.expect(b'-', BAD_DATE.0)?;
    let year = i64::from(digits(scanner, 4..=4)?);
    let days = days_from_civil(year, month as i64 + 1, day);
    // 31-Feb comes back as another day.
    if civil_from_days(days) == (year, month as i64 + 1, day) {
        Ok(days)
    } else {
        Err(BAD_DATE)
    }
}

fn digits(scanner: &mut Scanner<'_>, count: std::ops::RangeInclusive<usize>) -> Parsed<u32> {
    let digits = scanner.take_while(|byte| byte.is_ascii_digit());
    if !count.contains(&digits.len()) {
        return Err(BAD_DATE);
    }
    Ok(digits
        .iter()
        .fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// `date-time`: `"17-Jul-1996 02:44:25 -0700"`, the day padded with a space. Seconds since 1970 UTC.
pub(crate) fn date_time(scanner: &mut Scanner<'_>) -> Parsed<i64> {
    scanner.expect(b'"', BAD_DATE.0)?;
    scanner.eat(b' ');
    let days = day_month_year(scanner)?;
    scanner.expect(b' ', BAD_DATE.0)?;
    let hours = i64::from(digits(scanner, 2..=2)?);
    scanner.expect(b':', BAD_DATE.0)?;
    let minutes = i64::from(digits(scanner, 2..=2)?);
    scanner.expect(b':', BAD_DATE.0)?;
    let seconds = i64::from(digits(scanner, 2..=2)?);
    scanner.expect(b' ', BAD_DATE.0)?;
    let east = scanner.eat(b'+');
    if !east {
        scanner.expect(b'-', BAD_DATE.0)?;
    }
    let zone = i64::from(digits(scanner, 4..=4)?);
    scanner.expect(b'"', BAD_DATE.0)?;
    // 60 is a leap second; it counts as the next minute's first.
    if hours > 23 || minutes > 59 || seconds > 60 || zone % 100 > 59 {
        return Err(BAD_DATE);
    }
    let offset = (zone / 100 * 60 + zone % 100) * 60;
    let local = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Ok(if east { local - offset } else { local + offset })
}

/// Writes a `date-time` in UTC, with its quotes.
pub(crate) fn write_date_time(out: &mut Vec<u8>, seconds: i64) {
    // The grammar has four digits for the year.
    let seconds = seconds.clamp(-62_135_596_800, 253_402_300_799);
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400);
    let (hours, minutes, seconds) = (time / 3_600, time / 60 % 60, time % 60);
    let month = MONTHS[(month - 1) as usize];
    let text = format!("\"{day:2}-{month}-{year:04} {hours:02}:{minutes:02}:{seconds:02} +0000\"");
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        let check = |text: &str, expected: Option<i64>| {
            let mut scanner = Scanner::new(text.as_bytes());
            let read = date(&mut scanner).and_then(|days| scanner.end().map(|()| days));
            assert_eq!(read.ok(), expected, "{text}");
        };
        check("1-Jan-1970", Some(0));
        check("01-feb-1970", Some(31));
        check("\"29-Feb-2024\"", Some(19_782));
        for bad in [
            "29-Feb-2023",
            "0-Jan-1970",
            "32-Jan-1970",
            "1-Foo-1970",
            "1-Jan-70",
            "1-Jan-19700",
            "\"1-Jan-1970",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn date_times() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(date_time(&mut Scanner::new(text.as_bytes())).ok(), expected, "{text}");
        };
        check("\"17-Jul-1996 02:44:25 -0700\"", Some(837_596_665));
        check("\" 1-Jan-1970 01:00:00 +0100\"", Some(0));
        check("\"1-Jan-1970 00:00:00 +0000\"", Some(0));
        for bad in [
            "\"17-Jul-1996 24:44:25 -0700\"",
            "\"17-Jul-1996 02:44:25\"",
            "\"17-Jul-1996 02:44:25 0700\"",
            "\"17-Jul-1996 02:44:25 -0760\"",
            "17-Jul-1996 02:44:25 -0700",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn date_times_come_back(seconds in -62_135_596_800_i64..=253_402_300_799) {
            let mut text = Vec::new();
            write_date_time(&mut text, seconds);
            prop_assert_eq!(text.len(), 28);
            prop_assert_eq!(date_time(&mut Scanner::new(&text)), Ok(seconds));
        }

        #[test]
        fn any_number_is_written(seconds: i64) {
            let mut text = Vec::new();
            write_date_time(&mut text, seconds);
            prop_assert_eq!(text.len(), 28);
        }
    }
}
