//! What SEARCH and SORT are to return (RFC 4731 §3.1, RFC 5182, RFC 5267 §3.1; RFC 9051 §6.4.4).

use super::{Bad, Parsed, Scanner};

/// `RETURN (…)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReturnOptions {
    pub(crate) min: bool,
    pub(crate) max: bool,
    pub(crate) all: bool,
    pub(crate) count: bool,
    /// The result becomes `$`.
    pub(crate) save: bool,
}

impl ReturnOptions {
    /// What `RETURN ()` means, and in IMAP4rev2 no RETURN at all.
    pub(crate) const ALL: Self = Self {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
    };

    /// Reads `RETURN (…)` and the space after it, if they come next.
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Parsed<Option<Self>> {
        if !scanner.eat_ignoring_case(b"RETURN ") {
            return Ok(None);
        }
        let mut options = Self::default();
        if scanner.eat_ignoring_case(b"()") {
            options = Self::ALL;
        } else {
            scanner.list(|scanner| {
                match scanner.atom()?.to_ascii_uppercase().as_slice() {
                    b"MIN" => options.min = true,
                    b"MAX" => options.max = true,
                    b"ALL" => options.all = true,
                    b"COUNT" => options.count = true,
                    b"SAVE" => options.save = true,
                    _ => return Err(Bad("Unknown RETURN option")),
                }
                Ok(())
            })?;
        }
        scanner.space()?;
        Ok(Some(options))
    }

    /// SAVE alone: nothing is told (RFC 5182 §1).
    pub(crate) const fn is_silent(self) -> bool {
        !self.min && !self.max && !self.all && !self.count
    }

    /// Only the ends of the result are told and saved (RFC 5182 §2.4).
    pub(crate) const fn only_ends(self) -> bool {
        (self.min || self.max) && !self.all && !self.count
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
                let words = [
                    (options.min, "min"),
                    (options.max, "max"),
                    (options.all, "all"),
                    (options.count, "count"),
                    (options.save, "save"),
                ];
                let words = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word);
                words.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(options.as_deref(), expected, "{text}");
        };
        check("ALL", Some("none"));
        check("RETURN () ALL", Some("all"));
        check("return (Min max MIN) ALL", Some("min max"));
        check("RETURN (SAVE COUNT) 1", Some("count save"));
        for bad in [
            "RETURN",
            "RETURN (MIN)",
            "RETURN MIN ALL",
            "RETURN (UPDATE) ALL",
            "RETURN (MIN ALL",
            "RETURN ( MIN) ALL",
        ] {
            let read = ReturnOptions::parse(&mut Scanner::new(bad.as_bytes()));
            assert!(read.is_err() || bad == "RETURN" && read == Ok(None), "{bad}");
        }
    }
}
