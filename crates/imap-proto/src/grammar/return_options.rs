//! What SEARCH and SORT are to return (RFC 4731 §3.1, RFC 5182, RFC 5267 §3.1, §4, RFC 9394 §3.1; RFC 9051 §6.4.4).

use super::fetch_items::FetchSpec;
use super::partial_range::PartialRange;
use super::{Bad, Parsed, Scanner};
use std::iter::once;
use std::ops::Range;

/// `RETURN (…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReturnOptions {
    pub(crate) min: bool,
    pub(crate) max: bool,
    pub(crate) all: bool,
    pub(crate) count: bool,
    /// The result becomes `$`.
    pub(crate) save: bool,
    /// A part of the result; never together with all of it.
    pub(crate) partial: Option<PartialRange>,
    /// What becomes different about the result is told from now on.
    pub(crate) update: Option<Update>,
}

/// `UPDATE`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Update {
    /// This is told of new messages that come into the result (RFC 5465 §7).
    pub(crate) fetch: Option<FetchSpec>,
}

impl ReturnOptions {
    /// What `RETURN ()` means, and in IMAP4rev2 no RETURN at all.
    pub(crate) fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Reads `RETURN (…)` and the space after it, if they come next.
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Parsed<Option<Self>> {
        if !scanner.eat_ignoring_case(b"RETURN ") {
            return Ok(None);
        }
        let mut options = Self::default();
        if scanner.eat_ignoring_case(b"()") {
            options = Self::all();
        } else {
            scanner.list(|scanner| options.option(scanner))?;
        }
        if options.all && options.partial.is_some() {
            return Err(Bad("Either ALL or PARTIAL"));
        }
        scanner.space()?;
        Ok(Some(options))
    }

    fn option(&mut self, scanner: &mut Scanner<'_>) -> Parsed<()> {
        match scanner.atom()?.to_ascii_uppercase().as_slice() {
            b"MIN" => self.min = true,
            b"MAX" => self.max = true,
            b"ALL" => self.all = true,
            b"COUNT" => self.count = true,
            b"SAVE" => self.save = true,
            // The result will be wanted again: the caches of the mail store need no hint (RFC 5267 §4.2).
            b"CONTEXT" => {}
            b"UPDATE" => {
                let mut update = Update::default();
                if scanner.clone().eat_ignoring_case(b" (") {
                    scanner.space()?;
                    update.fetch = Some(FetchSpec::parse(scanner)?.unasked());
                }
                self.update = Some(update);
            }
            b"PARTIAL" => {
                scanner.space()?;
                if self.partial.replace(PartialRange::parse(scanner)?).is_some() {
                    return Err(Bad("Only one PARTIAL"));
                }
            }
            _ => return Err(Bad("Unknown RETURN option")),
        }
        Ok(())
    }

    const fn names_some(&self) -> bool {
        self.min || self.max || self.partial.is_some()
    }

    /// SAVE alone: nothing is told (RFC 5182 §1).
    pub(crate) const fn is_silent(&self) -> bool {
        let tells = self.names_some() || self.all || self.count;
        self.save && !tells && self.update.is_none()
    }

    /// Which of so many results are told and saved, as ranges of places: a part and the ends, if only these were asked
    /// for; else all (RFC 5182 §2.4, RFC 9394 §3.2).
    pub(crate) fn chosen(&self, results: usize) -> Vec<Range<usize>> {
        if self.all || self.count || !self.names_some() {
            return once(0..results).collect();
        }
        let some = [
            self.min.then(|| 0..results.min(1)),
            self.max.then(|| results.saturating_sub(1)..results),
            self.partial.map(|partial| partial.of(results)),
        ];
        some.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let check = |text: &str, expected: Option<&str>| {
            let mut scanner = Scanner::new(text.as_bytes());
            let options = ReturnOptions::parse(&mut scanner).ok().map(|options| {
                let Some(options) = options else {
                    return "none".to_owned();
                };
                let update = options.update.as_ref();
                let words = [
                    options.min.then(|| "min".to_owned()),
                    options.max.then(|| "max".to_owned()),
                    options.all.then(|| "all".to_owned()),
                    options.count.then(|| "count".to_owned()),
                    options.save.then(|| "save".to_owned()),
                    options.partial.map(|range| range.to_string()),
                    update.map(|update| format!("update {}", update.fetch.as_ref().map_or(0, |spec| spec.items.len()))),
                ];
                words.into_iter().flatten().collect::<Vec<_>>().join(" ")
            });
            assert_eq!(options.as_deref(), expected, "{text}");
        };
        check("ALL", Some("none"));
        check("RETURN () ALL", Some("all"));
        check("return (Min max MIN) ALL", Some("min max"));
        check("RETURN (SAVE COUNT) 1", Some("count save"));
        check("RETURN (partial 9:2 COUNT) 1", Some("count 2:9"));
        check("RETURN (MIN PARTIAL -1:-100) 1", Some("min -1:-100"));
        check("RETURN (CONTEXT UPDATE COUNT) 1", Some("count update 0"));
        check("RETURN (UPDATE (FLAGS BODY[HEADER.FIELDS (TO)])) 1", Some("update 3"));
        for bad in [
            "RETURN",
            "RETURN (MIN)",
            "RETURN MIN ALL",
            "RETURN (RELEVANCY) ALL",
            "RETURN (MIN ALL",
            "RETURN ( MIN) ALL",
            "RETURN (UPDATE ()) ALL",
            "RETURN (UPDATE FLAGS) ALL",
            "RETURN (PARTIAL) ALL",
            "RETURN (PARTIAL 1) ALL",
            "RETURN (PARTIAL 1:*) ALL",
            "RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL",
            "RETURN (ALL PARTIAL 1:2) ALL",
            "RETURN (PARTIAL 1:2 ALL) ALL",
        ] {
            let read = ReturnOptions::parse(&mut Scanner::new(bad.as_bytes()));
            assert!(read.is_err() || bad == "RETURN" && read == Ok(None), "{bad}");
        }
    }

    #[test]
    fn what_is_chosen_of_nine() {
        let check = |text: &str, expected: &[Range<usize>]| {
            let text = format!("RETURN ({text}) ALL");
            let options = ReturnOptions::parse(&mut Scanner::new(text.as_bytes()))
                .unwrap()
                .unwrap();
            assert_eq!(options.chosen(9), expected, "{text}");
        };
        let all = once(0..9).collect::<Vec<_>>();
        check("SAVE", &all);
        check("SAVE UPDATE", &all);
        check("SAVE PARTIAL 3:4 COUNT MIN", &all);
        check("SAVE MIN ALL", &all);
        check("SAVE MAX MIN", &[0..1, 8..9]);
        check("SAVE PARTIAL -1:-2 MIN", &[0..1, 7..9]);
        check("PARTIAL 3:4 MAX", &[8..9, 2..4]);
        let none = ReturnOptions {
            min: true,
            max: true,
            ..ReturnOptions::default()
        };
        assert_eq!(none.chosen(0), [0..0, 0..0]);
    }
}
