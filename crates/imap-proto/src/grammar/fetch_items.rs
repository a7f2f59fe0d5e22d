//! What FETCH asks for (RFC 3501 §6.4.5).

use super::scanner::utf8;
use super::{Bad, Parsed, Scanner};
use crate::question::{FetchItems, Section, SectionText};

/// Most sections one FETCH may name; each is prepared for every message.
const SECTIONS: usize = 50;
/// Most part numbers in a section. Deeper nesting is not parsed into parts anyway.
const DEPTH: usize = 100;

/// One item of a FETCH, in the order it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    Envelope,
    /// BODY without a section: the structure without extension data.
    Body,
    BodyStructure,
    /// A section: what stands before its data, and its place in [`FetchItems::sections`].
    Section {
        label: String,
        index: usize,
    },
}

/// A parsed FETCH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FetchSpec {
    pub(crate) items: Vec<Item>,
    /// What to ask the outside; `set_seen` says whether a section without PEEK is among them.
    pub(crate) wanted: FetchItems,
}

impl FetchSpec {
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let mut spec = Self::default();
        if scanner.peek() == Some(b'(') {
            scanner.list(|scanner| spec.item(scanner))?;
            return Ok(spec);
        }
        let macros: [(&[u8], &[Item]); 3] = [
            (b"ALL", &[Item::Flags, Item::InternalDate, Item::Size, Item::Envelope]),
            (b"FAST", &[Item::Flags, Item::InternalDate, Item::Size]),
            (
                b"FULL",
                &[Item::Flags, Item::InternalDate, Item::Size, Item::Envelope, Item::Body],
            ),
        ];
        for (name, items) in macros {
            if scanner.eat_ignoring_case(name) {
                items.iter().for_each(|item| spec.add(item.clone()));
                return Ok(spec);
            }
        }
        spec.item(scanner)?;
        Ok(spec)
    }

    /// Adds an item once.
    pub(crate) fn add(&mut self, item: Item) {
        match item {
            Item::Uid | Item::Section { .. } => {}
            Item::Flags => self.wanted.flags = true,
            Item::InternalDate => self.wanted.internal_date = true,
            Item::Size => self.wanted.size = true,
            Item::Envelope | Item::Body | Item::BodyStructure => self.wanted.summary = true,
        }
        if !self.items.contains(&item) {
            self.items.push(item);
        }
    }

    fn item(&mut self, scanner: &mut Scanner<'_>) -> Parsed<()> {
        let name = scanner.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        let simple = match name.to_ascii_uppercase().as_slice() {
            b"UID" => Item::Uid,
            b"FLAGS" => Item::Flags,
            b"INTERNALDATE" => Item::InternalDate,
            b"RFC822.SIZE" => Item::Size,
            b"ENVELOPE" => Item::Envelope,
            b"BODYSTRUCTURE" => Item::BodyStructure,
            b"RFC822" => return self.whole("RFC822", SectionText::All, true),
            b"RFC822.HEADER" => return self.whole("RFC822.HEADER", SectionText::Header, false),
            b"RFC822.TEXT" => return self.whole("RFC822.TEXT", SectionText::Text, true),
            b"BODY" if scanner.peek() == Some(b'[') => return self.body(scanner, true),
            b"BODY.PEEK" if scanner.peek() == Some(b'[') => return self.body(scanner, false),
            b"BODY" => Item::Body,
            _ => return Err(Bad("Unknown FETCH item")),
        };
        self.add(simple);
        Ok(())
    }

    fn whole(&mut self, label: &str, text: SectionText, seen: bool) -> Parsed<()> {
        self.section(
            label.to_owned(),
            Section {
                part: Vec::new(),
                text,
                partial: None,
            },
            seen,
        )
    }

    fn body(&mut self, scanner: &mut Scanner<'_>, seen: bool) -> Parsed<()> {
        let (mut label, mut section) = section_spec(scanner)?;
        if scanner.eat(b'<') {
            let origin = scanner.number64()?;
            scanner.expect(b'.', "Malformed partial")?;
            let octets = scanner.number64()?;
            scanner.expect(b'>', "Malformed partial")?;
            if octets == 0 {
                return Err(Bad("A partial of nothing"));
            }
            label.push_str(&format!("<{origin}>"));
            section.partial = Some((origin, octets));
        }
        self.section(label, section, seen)
    }

    fn section(&mut self, label: String, section: Section, seen: bool) -> Parsed<()> {
        self.wanted.set_seen |= seen;
        if self.wanted.sections.len() == SECTIONS {
            return Err(Bad("Too many sections"));
        }
        let index = self.wanted.sections.len();
        self.wanted.sections.push(section);
        self.items.push(Item::Section { label, index });
        Ok(())
    }
}

/// `section`, from `[` to `]`: how it is echoed, and what it means.
fn section_spec(scanner: &mut Scanner<'_>) -> Parsed<(String, Section)> {
    const MALFORMED: Bad = Bad("Malformed section");
    scanner.expect(b'[', MALFORMED.0)?;
    let mut label = String::from("BODY[");
    let mut part = Vec::new();
    let mut text = SectionText::All;
    while scanner.peek() != Some(b']') {
        if scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            let number = scanner.number()?;
            if number == 0 || part.len() == DEPTH {
                return Err(MALFORMED);
            }
            label.push_str(&number.to_string());
            part.push(number);
            if scanner.eat(b'.') {
                label.push('.');
                if scanner.peek() != Some(b']') {
                    continue;
                }
                return Err(MALFORMED);
            }
        } else {
            text = section_text(scanner, !part.is_empty(), &mut label)?;
        }
        break;
    }
    scanner.expect(b']', MALFORMED.0)?;
    label.push(']');
    Ok((
        label,
        Section {
            part,
            text,
            partial: None,
        },
    ))
}

fn section_text(scanner: &mut Scanner<'_>, in_part: bool, label: &mut String) -> Parsed<SectionText> {
    let name = scanner
        .take_while(|byte| byte.is_ascii_alphabetic() || byte == b'.')
        .to_ascii_uppercase();
    label.push_str(std::str::from_utf8(&name).map_err(|_| Bad("Malformed section"))?);
    Ok(match name.as_slice() {
        b"HEADER" => SectionText::Header,
        b"TEXT" => SectionText::Text,
        b"MIME" if in_part => SectionText::Mime,
        b"HEADER.FIELDS" => header_fields(scanner, false, label)?,
        b"HEADER.FIELDS.NOT" => header_fields(scanner, true, label)?,
        _ => return Err(Bad("Unknown section")),
    })
}

fn header_fields(scanner: &mut Scanner<'_>, not: bool, label: &mut String) -> Parsed<SectionText> {
    scanner.space()?;
    let mut names: Vec<String> = Vec::new();
    scanner.list(|scanner| {
        let name = scanner.astring()?;
        let name = utf8(&name)?;
        // RFC 5322 §2.2: printable, no colon. Others could not be echoed safely, and no field is called so.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(Bad("Malformed header field name"));
        }
        names.push(name.to_owned());
        Ok(())
    })?;
    let shown: Vec<String> = names.iter().map(|name| astring(name)).collect();
    label.push_str(&format!(" ({})", shown.join(" ")));
    Ok(SectionText::HeaderFields { names, not })
}

fn astring(name: &str) -> String {
    if name.bytes().all(super::scanner::is_astring_char) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<FetchSpec> {
        let mut scanner = Scanner::new(text.as_bytes());
        let spec = FetchSpec::parse(&mut scanner)?;
        scanner.end()?;
        Ok(spec)
    }

    #[test]
    fn sections_are_echoed_in_one_form() {
        let check = |text: &str, label: &str, part: &[u32], seen: bool| {
            let spec = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            let [Item::Section { label: shown, index: 0 }] = spec.items.as_slice() else {
                panic!("{spec:?}")
            };
            assert_eq!((shown.as_str(), spec.wanted.set_seen), (label, seen), "{text}");
            assert_eq!(spec.wanted.sections[0].part, part, "{text}");
        };
        check("BODY[]", "BODY[]", &[], true);
        check("body.peek[header]", "BODY[HEADER]", &[], false);
        check("BODY[1.2]", "BODY[1.2]", &[1, 2], true);
        check("BODY.PEEK[1.mime]<0.100>", "BODY[1.MIME]<0>", &[1], false);
        check(
            "BODY.PEEK[3.HEADER.FIELDS.NOT (to \"x\\\"\")]",
            "BODY[3.HEADER.FIELDS.NOT (to \"x\\\"\")]",
            &[3],
            false,
        );
        check("RFC822", "RFC822", &[], true);
        check("(RFC822.HEADER)", "RFC822.HEADER", &[], false);
    }

    #[test]
    fn macros_stand_alone() {
        assert_eq!(parse("full").unwrap().items.len(), 5);
        assert_eq!(parse("(FLAGS UID FLAGS)").unwrap().items, [Item::Flags, Item::Uid]);
        assert!(parse("(ALL)").is_err());
        assert!(parse("FAST UID").is_err());
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "()",
            "(FLAGS",
            "BODY[",
            "BODY[0]",
            "BODY[1.]",
            "BODY[MIME]",
            "BODY[FOO]",
            "BODY[1.2.HEADER.FIELDS]",
            "BODY[HEADER.FIELDS ()]",
            "BODY[HEADER.FIELDS (a:b)]",
            "BODY[]<0.0>",
            "BODY[]<1>",
            "BODY[TEXT.1]",
            "FOO",
            "BODY[HEADER.FIELDS (\"\r\n\")]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let many = format!("({})", vec!["BODY.PEEK[]"; 51].join(" "));
        assert_eq!(parse(&many), Err(Bad("Too many sections")));
    }
}
