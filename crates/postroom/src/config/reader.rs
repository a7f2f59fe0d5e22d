//! Reads a TOML document key by key and keeps every complaint, each with its line, so that an administrator mends a
//! file in one go.

use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Line, from 1; 0 when it concerns the file as a whole.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) text: String,
}

/// One key the program asked for: for the test that holds the documentation against the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownKey {
    /// `section.key`, or `key` at the top.
    pub(crate) path: String,
    /// Its default, as it would be written.
    pub(crate) default: String,
}

/// A document being read.
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// By path: where the key stands, and the value.
    values: BTreeMap<String, (usize, Spanned<DeValue<'a>>)>,
    sections: Vec<(String, usize)>,
    /// Where the table begins that this reader is for; 0 for the whole document.
    start: usize,
    pub(crate) complaints: Vec<Complaint>,
    pub(crate) known: Vec<KnownKey>,
}

impl<'a> Reader<'a> {
    /// Parses the document; syntax errors become complaints.
    pub(crate) fn new(text: &'a str) -> Self {
        let mut reader = Self::empty(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            reader.complain(at, error.message().to_owned());
        }
        reader.flatten(table.into_inner());
        reader
    }

    fn empty(text: &'a str) -> Self {
        Self {
            text,
            values: BTreeMap::new(),
            sections: Vec::new(),
            start: 0,
            complaints: Vec::new(),
            known: Vec::new(),
        }
    }

    /// Sections are one level deep; a table inside a section is left as a value of the wrong type.
    fn flatten(&mut self, table: DeTable<'a>) {
        for (key, value) in table {
            let at = key.span().start;
            let name = key.into_inner().into_owned();
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(section) => {
                    for (key, value) in section {
                        self.values
                            .insert(format!("{name}.{}", key.get_ref()), (key.span().start, value));
                    }
                    self.sections.push((name, at));
                }
                other => {
                    self.values.insert(name, (at, Spanned::new(span, other)));
                }
            }
        }
    }

    /// Takes a key's value through `convert`, or the default if the key is not there.
    pub(crate) fn take<T>(
        &mut self,
        path: &str,
        default: T,
        shown: &str,
        convert: impl Fn(&DeValue<'_>) -> Result<T, String>,
    ) -> T {
        self.known.push(KnownKey {
            path: path.to_owned(),
            default: shown.to_owned(),
        });
        let Some((_, value)) = self.values.remove(path) else {
            return default;
        };
        match convert(value.get_ref()) {
            Ok(value) => value,
            Err(why) => {
                self.complain(value.span().start, format!("{path}: {why}"));
                default
            }
        }
    }

    /// Takes an array of tables, such as `[[section.key]]`, each through `read` with a reader of its own, where its keys
    /// have the array's path before them.
    pub(crate) fn tables<T>(&mut self, path: &str, read: impl Fn(&mut Self) -> T) -> Vec<T> {
        // Asks for its keys even where there is no table, so that they are known.
        let mut none = Self::empty(self.text);
        read(&mut none);
        self.known.append(&mut none.known);
        let Some((at, value)) = self.values.remove(path) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.into_inner() else {
            self.complain(at, format!("{path}: expected tables, as in `[[{path}]]`"));
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items {
            let start = item.span().start;
            let DeValue::Table(table) = item.into_inner() else {
                self.complain(start, format!("{path}: expected tables, as in `[[{path}]]`"));
                continue;
            };
            let mut one = Self::empty(self.text);
            one.start = start;
            for (key, value) in table {
                let name = format!("{path}.{}", key.get_ref());
                one.values.insert(name, (key.span().start, value));
            }
            found.push(read(&mut one));
            one.finish();
            self.complaints.append(&mut one.complaints);
        }
        found
    }

    /// A complaint about the table that this reader is for.
    pub(crate) fn complain_here(&mut self, text: &str) {
        self.complain(self.start, text.to_owned());
    }

    /// A complaint about a place in the text.
    fn complain(&mut self, at: usize, text: String) {
        let line = 1 + self.text.as_bytes()[..at.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.complaints.push(Complaint { line, text });
    }

    /// A complaint about the file as a whole.
    pub(crate) fn complain_whole(&mut self, text: &str) {
        self.complaints.push(Complaint {
            line: 0,
            text: text.to_owned(),
        });
    }

    /// Everything that nobody asked for is unknown.
    pub(crate) fn finish(&mut self) {
        for (path, (at, _)) in std::mem::take(&mut self.values) {
            self.complain(at, format!("unknown key `{path}`"));
        }
        for (section, at) in std::mem::take(&mut self.sections) {
            let prefix = format!("{section}.");
            if !self.known.iter().any(|key| key.path.starts_with(&prefix)) {
                self.complain(at, format!("unknown section `[{section}]`"));
            }
        }
        self.complaints.sort_by_key(|complaint| complaint.line);
    }
}

/// A string.
pub(crate) fn text(value: &DeValue<'_>) -> Result<String, String> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| wrong("a string", value))
}

/// `true` or `false`.
pub(crate) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| wrong("true or false", value))
}

/// A whole number that is not negative.
pub(crate) fn number(value: &DeValue<'_>) -> Result<u64, String> {
    let integer = value.as_integer().ok_or_else(|| wrong("a whole number", value))?;
    u64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).map_err(|_| "out of range".to_owned())
}

/// A size: a whole number of octets, or a string such as `"50 MiB"`.
pub(crate) fn octets(value: &DeValue<'_>) -> Result<u64, String> {
    let Some(text) = value.as_str() else {
        return number(value);
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text[digits.len()..].trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("unknown unit `{other}`: use KiB, MiB or GiB")),
    };
    let number = digits
        .trim()
        .parse::<u64>()
        .map_err(|_| "not a size: use for example \"50 MiB\"".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "out of range".to_owned())
}

/// A list of strings, each taken through `convert`.
pub(crate) fn list<T>(value: &DeValue<'_>, convert: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = value.as_array().ok_or_else(|| wrong("a list of strings", value))?;
    items
        .iter()
        .map(|item| {
            convert(
                item.get_ref()
                    .as_str()
                    .ok_or_else(|| wrong("a string", item.get_ref()))?,
            )
        })
        .collect()
}

/// What is said of a value of another type than the wanted one.
pub(crate) fn wrong(wanted: &str, value: &DeValue<'_>) -> String {
    format!("expected {wanted}, found {}", value.type_str())
}
