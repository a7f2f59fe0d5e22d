//! What FETCH asks for (RFC 3501 §6.4.5, RFC 9051 §6.4.5, RFC 3516, RFC 7162, RFC 8474, RFC 8514, RFC 8970).

use super::scanner::utf8;
use super::{Bad, Parsed, Scanner};
use crate::question::{FetchItems, Section, SectionForm, SectionText};

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
    ModSeq,
    EmailId,
    ThreadId,
    SaveDate,
    Preview {
        /// Only if it is known already (RFC 8970 §4).
        lazy: bool,
    },
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
            // The modseq comes with every answer.
            Item::Uid | Item::ModSeq | Item::Section { .. } => {}
            Item::Flags => self.wanted.flags = true,
            Item::InternalDate => self.wanted.internal_date = true,
            Item::Size => self.wanted.size = true,
            Item::Envelope | Item::Body | Item::BodyStructure => self.wanted.summary = true,
            Item::EmailId | Item::ThreadId => self.wanted.ids = true,
            Item::SaveDate => self.wanted.save_date = true,
            Item::Preview { .. } => self.wanted.preview = true,
        }
        if !self.items.contains(&item) {
            self.items.push(item);
        }
    }

    /// For messages that are told without being asked for: with the UID (RFC 9051 §7.5.2), and none is seen by being told.
    pub(crate) fn unasked(mut self) -> Self {
        if !self.items.contains(&Item::Uid) {
            self.items.insert(0, Item::Uid);
        }
        self.wanted.set_seen = false;
        self
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
            b"MODSEQ" => Item::ModSeq,
            b"EMAILID" => Item::EmailId,
            b"THREADID" => Item::ThreadId,
            b"SAVEDATE" => Item::SaveDate,
            b"PREVIEW" => Item::Preview {
                lazy: preview_is_lazy(scanner)?,
            },
            b"BODY" if scanner.peek() == Some(b'[') => return self.body(scanner, SectionForm::Body, true),
            b"BODY.PEEK" => return self.body(scanner, SectionForm::Body, false),
            b"BINARY" => return self.body(scanner, SectionForm::Binary, true),
            b"BINARY.PEEK" => return self.body(scanner, SectionForm::Binary, false),
            b"BINARY.SIZE" => return self.body(scanner, SectionForm::BinarySize, false),
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
                form: SectionForm::Body,
                partial: None,
            },
            seen,
        )
    }

    fn body(&mut self, scanner: &mut Scanner<'_>, form: SectionForm, seen: bool) -> Parsed<()> {
        let mut label = String::from(match form {
            SectionForm::Body => "BODY",
            SectionForm::Binary => "BINARY",
            SectionForm::BinarySize => "BINARY.SIZE",
        });
        let mut section = section_spec(scanner, form, &mut label)?;
        if form != SectionForm::BinarySize {
            section.partial = partial(scanner, &mut label)?;
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

/// `[SP "(" preview-mod *(SP preview-mod) ")"]` (RFC 8970 §6). Other words in parentheses are modifiers of the FETCH.
fn preview_is_lazy(scanner: &mut Scanner<'_>) -> Parsed<bool> {
    if !scanner.eat_ignoring_case(b" (LAZY") {
        return Ok(false);
    }
    while scanner.eat_ignoring_case(b" LAZY") {}
    scanner.expect(b')', "Unknown PREVIEW modifier")?;
    Ok(true)
}

/// `partial`, if there is one: `<origin.count>`, echoed as `<origin>`. Some clients leave the count out, and mean all that
/// follows.
fn partial(scanner: &mut Scanner<'_>, label: &mut String) -> Parsed<Option<(u64, u64)>> {
    if !scanner.eat(b'<') {
        return Ok(None);
    }
    let origin = scanner.number64()?;
    let octets = if scanner.eat(b'.') {
        scanner.number64()?
    } else {
        u64::MAX
    };
    scanner.expect(b'>', "Malformed partial")?;
    if octets == 0 {
        return Err(Bad("A partial of nothing"));
    }
    label.push_str(&format!("<{origin}>"));
    Ok(Some((origin, octets)))
}

const MALFORMED: Bad = Bad("Malformed section");

/// `section`, from `[` to `]`: how it is echoed, and what it means. RFC 3516 §7 has numbers alone in a `section-binary`;
/// here it is any section, as elsewhere.
fn section_spec(scanner: &mut Scanner<'_>, form: SectionForm, label: &mut String) -> Parsed<Section> {
    let (part, more) = part_numbers(scanner, label)?;
    let text = if more {
        section_text(scanner, !part.is_empty(), label)?
    } else {
        SectionText::All
    };
    scanner.expect(b']', MALFORMED.0)?;
    label.push(']');
    Ok(Section {
        part,
        text,
        form,
        partial: None,
    })
}

/// The bracket and the numbers after it; whether a word has to follow before the other bracket.
fn part_numbers(scanner: &mut Scanner<'_>, label: &mut String) -> Parsed<(Vec<u32>, bool)> {
    scanner.expect(b'[', MALFORMED.0)?;
    label.push('[');
    let mut part = Vec::new();
    while scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        let number = scanner.number()?;
        if number == 0 || part.len() == DEPTH {
            return Err(MALFORMED);
        }
        label.push_str(&number.to_string());
        part.push(number);
        if !scanner.eat(b'.') {
            return Ok((part, false));
        }
        label.push('.');
    }
    // After a dot something has to follow.
    let more = !part.is_empty() || scanner.peek() != Some(b']');
    Ok((part, more))
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
        // RFC 5322 §2.2: no field has any other name. What the grammar allows beyond is found nowhere, and line ends and
        // the like could not be echoed safely.
        if !name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
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
    if !name.is_empty() && name.bytes().all(super::scanner::is_astring_char) {
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
        check(
            "BODY[HEADER.FIELDS (\"x y\" \"\" a:b)]",
            "BODY[HEADER.FIELDS (\"x y\" \"\" a:b)]",
            &[],
            true,
        );
        check("binary.peek[]", "BINARY[]", &[], false);
        check("BINARY[1.2]<5.10>", "BINARY[1.2]<5>", &[1, 2], true);
        check("BINARY.SIZE[4]", "BINARY.SIZE[4]", &[4], false);
        check("BINARY[text]", "BINARY[TEXT]", &[], true);
        check("BINARY[2.text]<7>", "BINARY[2.TEXT]<7>", &[2], true);
        check("binary.peek[1.mime]<0.9>", "BINARY[1.MIME]<0>", &[1], false);
        check(
            "BINARY.SIZE[2.header.fields (From)]",
            "BINARY.SIZE[2.HEADER.FIELDS (From)]",
            &[2],
            false,
        );
        check("BODY[]<1>", "BODY[]<1>", &[], true);
        check("RFC822", "RFC822", &[], true);
        check("(RFC822.HEADER)", "RFC822.HEADER", &[], false);
    }

    #[test]
    fn partials() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            assert_eq!(parse(text).unwrap().wanted.sections[0].partial, expected, "{text}");
        };
        check("BODY[]", None);
        check("BODY[]<0.1>", Some((0, 1)));
        check("BODY.PEEK[TEXT]<15>", Some((15, u64::MAX)));
        check("BINARY[1]<15.2048>", Some((15, 2048)));
        check("BINARY.PEEK[1.MIME]<0>", Some((0, u64::MAX)));
    }

    #[test]
    fn what_is_decoded() {
        let check = |text: &str, form: SectionForm, decoded: bool| {
            let section = parse(text).unwrap().wanted.sections.remove(0);
            assert_eq!((section.form, section.is_decoded()), (form, decoded), "{text}");
        };
        check("BODY[1]", SectionForm::Body, false);
        check("RFC822.TEXT", SectionForm::Body, false);
        check("BINARY[1]", SectionForm::Binary, true);
        check("BINARY.PEEK[1.MIME]", SectionForm::Binary, false);
        check("BINARY[]", SectionForm::Binary, false);
        check("BINARY[TEXT]", SectionForm::Binary, false);
        check("BINARY.SIZE[2.1]", SectionForm::BinarySize, true);
        check("BINARY.SIZE[2.HEADER]", SectionForm::BinarySize, false);
    }

    #[test]
    fn macros_stand_alone() {
        assert_eq!(parse("full").unwrap().items.len(), 5);
        assert_eq!(parse("(FLAGS UID FLAGS)").unwrap().items, [Item::Flags, Item::Uid]);
        let items = parse("(MODSEQ PREVIEW (LAZY) PREVIEW SAVEDATE EMAILID threadid PREVIEW UID)").unwrap();
        assert_eq!(
            items.items,
            [
                Item::ModSeq,
                Item::Preview { lazy: true },
                Item::Preview { lazy: false },
                Item::SaveDate,
                Item::EmailId,
                Item::ThreadId,
                Item::Uid
            ]
        );
        assert!(items.wanted.preview && items.wanted.save_date && items.wanted.ids && !items.wanted.is_light());
        assert!(parse("(MODSEQ SAVEDATE)").unwrap().wanted.is_light());
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
            "BODY[HEADER.FIELDS (\"a\u{1}\")]",
            "BODY[]<0.0>",
            "BODY[]<1.>",
            "BODY[]<>",
            "BODY[]<1",
            "BINARY[MIME]",
            "BINARY[1.FOO]",
            "BINARY.SIZE[]<1>",
            "BODY[TEXT.1]",
            "BODY.PEEK",
            "BINARY",
            "BINARY[1.]",
            "BINARY.SIZE[1]<0.1>",
            "PREVIEW (FAST)",
            "PREVIEW ()",
            "PREVIEW (LAZY",
            "PREVIEW (LAZY EAGER)",
            "FOO",
            "BODY[HEADER.FIELDS (\"\r\n\")]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let many = format!("({})", vec!["BODY.PEEK[]"; 51].join(" "));
        assert_eq!(parse(&many), Err(Bad("Too many sections")));
    }
}
