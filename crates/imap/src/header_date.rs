//! The day in a Date field, as SENTBEFORE and the like want it: without time and zone (RFC 3501 §6.4.4).

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Days since 1970-01-01 of a Date field's day. `None`: there is no date in it.
pub(crate) fn day_of(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let words: Vec<&str> = text
        .split([' ', '\t', ',', '-'])
        .filter(|word| !word.is_empty())
        .take(5)
        .collect();
    // With or without the day of the week.
    words.windows(3).find_map(|three| {
        let day: i64 = three[0].parse().ok()?;
        let name = three[1].get(..3)?.to_ascii_lowercase();
        let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
        (1..=31).contains(&day).then_some(())?;
        Some(days(year(three[2])?, month, day))
    })
}

/// RFC 5322 §4.3: two digits below 50 are this century, others and three digits the last.
fn year(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    match text.len() {
        2 if number < 50 => Some(number + 2000),
        2 | 3 => Some(number + 1900),
        4 => Some(number),
        _ => None,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, years counted from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(day_of(text.as_bytes()), expected, "{text}");
        check("Thu, 1 Jan 1970 23:59:59 -1200", Some(0));
        check("1 Jan 1970 00:00:00 +1400", Some(0));
        check("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", Some(9_694));
        check("29 Feb 24 10:00 EST", Some(19_782));
        check("Mon, 01 January 2001 10:00:00 GMT", Some(11_323));
        check("yesterday", None);
        check("", None);
        check("32 Jan 2000", None);
    }
}
