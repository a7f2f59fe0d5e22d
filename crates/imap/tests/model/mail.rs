//! The mail of these tests: small messages of which everything is known that a search or a sort can ask for.

use crate::dice::Dice;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// 2023-11-14, seconds since 1970: dates of messages lie within some days after it.
pub(crate) const EPOCH: i64 = 1_699_920_000;
pub(crate) const DAY: i64 = 86_400;

const WORDS: [&str; 8] = ["apple", "Birch", "cedar", "dahlia", "elm", "FERN", "ginkgo", "hazel"];
const NAMES: [&str; 4] = ["ann", "bob", "carol", "dave"];

/// One message as it was made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) number: u32,
    pub(crate) octets: Vec<u8>,
    pub(crate) from: &'static str,
    pub(crate) subject: String,
    /// The subject without `Re:`.
    pub(crate) base: String,
    /// The decoded text.
    pub(crate) body: String,
    /// Date field, seconds since 1970 UTC.
    pub(crate) sent: i64,
}

/// Every message that was made in a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Post(Arc<Mutex<BTreeMap<u32, Arc<Mail>>>>);

impl Post {
    /// A new one.
    pub(crate) fn write(&self, dice: &mut Dice) -> Arc<Mail> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.len() as u32 + 1;
        let parent = if number > 1 && dice.chance(40) {
            all.get(&(dice.below(number as usize - 1) as u32 + 1))
        } else {
            None
        };
        let mail = Arc::new(write(number, parent.map(|mail| &**mail), dice));
        all.insert(number, Arc::clone(&mail));
        mail
    }

    /// The one that reads so.
    pub(crate) fn recognise(&self, octets: &[u8]) -> Option<Arc<Mail>> {
        let text = String::from_utf8_lossy(octets);
        let (_, rest) = text.split_once("Message-ID: <")?;
        let number: u32 = rest.split_once('@')?.0.parse().ok()?;
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&number).filter(|mail| mail.octets == octets).cloned()
    }
}

fn write(number: u32, parent: Option<&Mail>, dice: &mut Dice) -> Mail {
    let from = dice.pick(&NAMES);
    let base = match parent {
        Some(parent) => parent.base.clone(),
        None => format!("{} {}", dice.pick(&WORDS), dice.below(4)),
    };
    let subject = match parent {
        Some(_) => format!("Re: {base}"),
        None => base.clone(),
    };
    let sent = EPOCH + dice.below(10 * DAY as usize) as i64;
    let mut body = String::new();
    for _ in 0..dice.below(12) {
        body.push_str(dice.pick(&WORDS));
        body.push_str(if dice.chance(20) { "\r\n" } else { " " });
    }
    body.push_str("end\r\n");
    let references = parent.map_or_else(String::new, |parent| {
        format!("In-Reply-To: <{0}@model>\r\nReferences: <{0}@model>\r\n", parent.number)
    });
    let encoded = dice.chance(25);
    let (encoding, text) = match encoded {
        true => (
            "base64",
            format!("{}\r\n", postroom_wire::base64_encode(body.as_bytes())),
        ),
        false => ("7bit", body.clone()),
    };
    let head = format!(
        "From: {from} <{from}@example.net>\r\nTo: scout@example.test\r\nSubject: {subject}\r\nDate: {}\r\n\
         Message-ID: <{number}@model>\r\n{references}MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\
         Content-Transfer-Encoding: {encoding}\r\n\r\n",
        date(sent)
    );
    Mail {
        number,
        octets: [head.as_bytes(), text.as_bytes()].concat(),
        from,
        subject,
        base,
        body,
        sent,
    }
}

impl Mail {
    /// What follows the header section.
    pub(crate) fn text(&self) -> &[u8] {
        &self.octets[self.header().len()..]
    }

    /// Header section with its empty line.
    pub(crate) fn header(&self) -> &[u8] {
        let end = self
            .octets
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map_or(0, |at| at + 4);
        &self.octets[..end]
    }
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Day, month and year of a day since 1970 (the usual algorithm for the Gregorian calendar).
fn civil(day: i64) -> (i64, &'static str, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (day, MONTHS[month as usize - 1], year)
}

/// `date` of SEARCH: `14-Nov-2023`.
pub(crate) fn search_date(day: i64) -> String {
    let (day, month, year) = civil(day);
    format!("{day}-{month}-{year}")
}

/// A moment as a clock in some zone shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since 1970 UTC.
    pub(crate) seconds: i64,
    pub(crate) zone_minutes: i32,
}

impl Moment {
    /// Within some days, in some zone.
    pub(crate) fn some(dice: &mut Dice) -> Self {
        Self {
            seconds: EPOCH + dice.below(10 * DAY as usize) as i64,
            zone_minutes: dice.pick(&[0, 0, -420, 330, 765]),
        }
    }

    const fn utc(seconds: i64) -> Self {
        Self {
            seconds,
            zone_minutes: 0,
        }
    }

    fn local(self) -> i64 {
        self.seconds + i64::from(self.zone_minutes) * 60
    }

    /// The day that searches go by.
    pub(crate) fn day(self) -> i64 {
        self.local().div_euclid(DAY)
    }

    /// `date-time` of APPEND and INTERNALDATE, without quotes.
    pub(crate) fn date_time(self) -> String {
        let (day, month, year) = civil(self.day());
        let time = self.local().rem_euclid(DAY);
        let zone = self.zone_minutes.abs();
        format!(
            "{day:2}-{month}-{year} {:02}:{:02}:{:02} {}{:02}{:02}",
            time / 3600,
            time / 60 % 60,
            time % 60,
            if self.zone_minutes < 0 { '-' } else { '+' },
            zone / 60,
            zone % 60
        )
    }
}

/// The Date field.
fn date(seconds: i64) -> String {
    Moment::utc(seconds).date_time().trim_start().replacen('-', " ", 2)
}

#[test]
fn dates_are_those_of_the_calendar() {
    assert_eq!(Moment::utc(EPOCH).date_time(), "14-Nov-2023 00:00:00 +0000");
    let there = Moment {
        seconds: 951_782_400 - 3600,
        zone_minutes: 150,
    };
    assert_eq!(there.date_time(), "29-Feb-2000 01:30:00 +0230");
    assert_eq!(search_date(0), "1-Jan-1970");
}
