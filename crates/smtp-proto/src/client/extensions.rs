//! What a server offers in its answer to EHLO (RFC 5321 §4.1.1.1).

/// Most AUTH mechanisms remembered.
const MECHANISMS: usize = 32;

/// The extensions we know. Forgotten and heard again after STARTTLS (RFC 3207 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// SIZE (RFC 1870): the largest message taken, octets; 0: no fixed limit.
    pub size: Option<u64>,
    /// AUTH (RFC 4954): the mechanisms, in upper case.
    pub auth: Vec<String>,
}

impl Extensions {
    /// Reads the lines of the reply; the first one is the server's name. What we do not know is skipped.
    pub(crate) fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut extensions = Self::default();
        for line in lines.skip(1) {
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "STARTTLS" => extensions.starttls = true,
                "PIPELINING" => extensions.pipelining = true,
                "8BITMIME" => extensions.eight_bit_mime = true,
                "SMTPUTF8" => extensions.smtputf8 = true,
                // A limit that is no number is no limit; the server will speak for itself.
                "SIZE" => extensions.size = Some(words.next().and_then(|word| word.parse().ok()).unwrap_or(0)),
                // `AUTH=LOGIN` is how servers wrote it before RFC 2554; some list both forms.
                "AUTH" => extensions.add_mechanisms(words),
                _ => {}
            }
        }
        extensions
    }

    fn add_mechanisms<'a>(&mut self, words: impl Iterator<Item = &'a str>) {
        for word in words.take(MECHANISMS) {
            let name = word.to_ascii_uppercase();
            if !self.auth.contains(&name) && self.auth.len() < MECHANISMS {
                self.auth.push(name);
            }
        }
    }

    pub(crate) fn offers_mechanism(&self, name: &str) -> bool {
        self.auth.iter().any(|mechanism| mechanism == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        let parse = |lines: &[&str]| Extensions::parse(lines.iter().copied());
        let none = Extensions::default();
        assert_eq!(parse(&[]), none);
        assert_eq!(parse(&["PIPELINING"]), none, "the first line is the server's name");
        assert_eq!(parse(&["mx", "", " ", "X-OTHER 1", "PIPELINING2"]), none);
        let all = Extensions {
            starttls: true,
            pipelining: true,
            eight_bit_mime: true,
            smtputf8: true,
            size: Some(1_000),
            auth: vec!["PLAIN".to_owned(), "LOGIN".to_owned(), "X".to_owned()],
        };
        assert_eq!(
            parse(&[
                "mx",
                "StartTLS",
                "pipelining",
                "8bitmime",
                "smtputf8",
                "size 1000",
                "AUTH plain LOGIN",
                "AUTH=LOGIN X"
            ]),
            all
        );
        for (line, size) in [
            ("SIZE", 0),
            ("SIZE 0", 0),
            ("SIZE x", 0),
            ("SIZE 99999999999999999999", 0),
            ("SIZE  7", 7),
        ] {
            assert_eq!(parse(&["mx", line]).size, Some(size), "{line}");
        }
        let many: Vec<_> = (0..100).map(|n| format!("M{n}")).collect();
        assert_eq!(
            parse(&["mx", &format!("AUTH {}", many.join(" "))]).auth.len(),
            MECHANISMS
        );
    }
}
