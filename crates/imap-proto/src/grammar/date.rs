//! Dates: `date` of SEARCH and `date-time` of APPEND and INTERNALDATE (RFC 3501 §9).

use super::{Bad, Parsed, Scanner};
use postroom_types::InternalDate;

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

/// `date-time`: `"17-Jul-1996 02:44:25 -0700"`, the day padded with a space.
pub(crate) fn date_time(scanner: &mut Scanner<'_>) -> Parsed<InternalDate> {
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
    let zone_minutes = zone(scanner)?;
    scanner.expect(b'"', BAD_DATE.0)?;
    // 60 is a leap second; it counts as the next minute's first.
    if hours > 23 || minutes > 59 || seconds > 60 {
        return Err(BAD_DATE);
    }
    let local = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Ok(InternalDate::new(local - i64::from(zone_minutes) * 60, zone_minutes))
}

/// `zone`: minutes east of UTC.
fn zone(scanner: &mut Scanner<'_>) -> Parsed<i32> {
    let east = scanner.eat(b'+');
    if !east {
        scanner.expect(b'-', BAD_DATE.0)?;
    }
    // Four digits.
    let zone = digits(scanner, 4..=4)? as i32;
    if zone % 100 > 59 {
        return Err(BAD_DATE);
    }
    let minutes = zone / 100 * 60 + zone % 100;
    Ok(if east { minutes } else { -minutes })
}

/// Writes a `date-time` in its zone, with its quotes.
pub(crate) fn write_date_time(out: &mut Vec<u8>, date: InternalDate) {
    // The grammar has four digits for the year.
    let local = date.local_seconds().clamp(-62_135_596_800, 253_402_300_799);
    let (year, month, day) = civil_from_days(local.div_euclid(86_400));
    let time = local.rem_euclid(86_400);
    let digit = |number: i64| b'0' + (number % 10) as u8;
    let pair = |number: i64| [digit(number / 10), digit(number)];
    out.push(b'"');
    out.push(if day < 10 { b' ' } else { digit(day / 10) });
    out.extend_from_slice(&[digit(day), b'-']);
    out.extend_from_slice(MONTHS[(month - 1) as usize].as_bytes());
    out.push(b'-');
    out.extend_from_slice(&pair(year / 100));
    out.extend_from_slice(&pair(year));
    for (before, number) in [(b' ', time / 3_600), (b':', time / 60 % 60), (b':', time % 60)] {
        out.push(before);
        out.extend_from_slice(&pair(number));
    }
    let zone = i64::from(date.zone_minutes());
    out.extend_from_slice(if zone < 0 { b" -" } else { b" +" });
    out.extend_from_slice(&pair(zone.abs() / 60));
    out.extend_from_slice(&pair(zone.abs() % 60));
    out.push(b'"');
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
        let check = |text: &str, expected: Option<(i64, i32)>| {
            let read = date_time(&mut Scanner::new(text.as_bytes())).ok();
            let expected = expected.map(|(seconds, zone)| InternalDate::new(seconds, zone));
            assert_eq!(read, expected, "{text}");
        };
        check("\"17-Jul-1996 02:44:25 -0700\"", Some((837_596_665, -420)));
        check("\" 1-Jan-1970 01:00:00 +0100\"", Some((0, 60)));
        check("\"1-Jan-1970 00:00:00 +0000\"", Some((0, 0)));
        check("\"1-Jan-1970 00:00:00 -0000\"", Some((0, 0)));
        check("\"1-Jan-1970 05:45:00 +0545\"", Some((0, 345)));
        // No zones that are in use: the moment counts.
        check("\"1-Jan-1970 00:20:00 +0020\"", Some((0, 0)));
        check("\"1-Jan-1970 20:00:00 +2000\"", Some((0, 0)));
        check("\"1-Jan-1970 00:00:00 -9959\"", Some((359_940, 0)));
        for bad in [
            "\"17-Jul-1996 24:44:25 -0700\"",
            "\"17-Jul-1996 02:44:25\"",
            "\"17-Jul-1996 02:44:25 0700\"",
            "\"17-Jul-1996 02:44:25 -0760\"",
            "\"17-Jul-1996 02:44:25 -700\"",
            "17-Jul-1996 02:44:25 -0700",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn date_times_are_written_in_their_zones() {
        let check = |seconds: i64, zone_minutes: i32, expected: &str| {
            let mut text = Vec::new();
            write_date_time(&mut text, InternalDate::new(seconds, zone_minutes));
            assert_eq!(String::from_utf8_lossy(&text), expected);
        };
        check(837_596_665, -420, "\"17-Jul-1996 02:44:25 -0700\"");
        check(0, 0, "\" 1-Jan-1970 00:00:00 +0000\"");
        check(0, -15, "\"31-Dec-1969 23:45:00 -0015\"");
        check(0, 765, "\" 1-Jan-1970 12:45:00 +1245\"");
        // Four digits for the year.
        check(253_402_300_799, 60, "\"31-Dec-9999 23:59:59 +0100\"");
        check(i64::MIN, -960, "\" 1-Jan-0001 00:00:00 -1600\"");
    }

    proptest! {
        #[test]
        fn date_times_come_back(local in -62_135_596_800_i64..=253_402_300_799, quarters in -64_i8..=64) {
            let date = InternalDate::with_quarters(local - i64::from(quarters) * 900, quarters);
            let mut text = Vec::new();
            write_date_time(&mut text, date);
            prop_assert_eq!(text.len(), 28);
            prop_assert_eq!(date_time(&mut Scanner::new(&text)), Ok(date));
        }

        #[test]
        fn any_number_is_written(seconds: i64, quarters: i8) {
            let mut text = Vec::new();
            write_date_time(&mut text, InternalDate::with_quarters(seconds, quarters));
            prop_assert_eq!(text.len(), 28);
        }
    }
}
