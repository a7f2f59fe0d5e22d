//! Options and patterns of LIST (RFC 5258, RFC 5819, RFC 6154 §2; RFC 9051 §6.3.9).

use super::pattern::Patterns;
use super::status_items::{StatusItem, status_items};
use super::{Bad, Parsed, Scanner};

/// Most patterns in one LIST.
const PATTERNS: usize = 100;

/// Which names are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) subscribed: bool,
    pub(crate) special_use: bool,
    /// Also names above those that are wanted.
    pub(crate) recursive: bool,
}

impl Selection {
    /// `list-select-opts`. REMOTE changes nothing: there are no remote mailboxes here.
    fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let mut selection = Self::default();
        options(scanner, |scanner| {
            match scanner.atom()?.to_ascii_uppercase().as_slice() {
                b"SUBSCRIBED" => selection.subscribed = true,
                b"SPECIAL-USE" => selection.special_use = true,
                b"RECURSIVEMATCH" => selection.recursive = true,
                b"REMOTE" => {}
                _ => return Err(Bad("Unknown LIST option")),
            }
            Ok(())
        })?;
        // RFC 5258 §3.1: it modifies another option.
        if selection.recursive && !selection.subscribed && !selection.special_use {
            return Err(Bad("RECURSIVEMATCH needs another option"));
        }
        Ok(selection)
    }
}

/// What is to be told of each. Children and special uses are told in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Returns {
    pub(crate) subscribed: bool,
    /// Empty: no STATUS.
    pub(crate) status: Vec<StatusItem>,
}

impl Returns {
    /// `list-return-opts`, after RETURN and its space.
    fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let mut returns = Self::default();
        options(scanner, |scanner| {
            match scanner.atom()?.to_ascii_uppercase().as_slice() {
                b"SUBSCRIBED" => returns.subscribed = true,
                b"CHILDREN" | b"SPECIAL-USE" => {}
                b"STATUS" => {
                    scanner.space()?;
                    returns.status = status_items(scanner)?;
                }
                _ => return Err(Bad("Unknown LIST option")),
            }
            Ok(())
        })?;
        Ok(returns)
    }
}

/// A list in parentheses that may be empty.
fn options(scanner: &mut Scanner<'_>, option: impl FnMut(&mut Scanner<'_>) -> Parsed<()>) -> Parsed<()> {
    if scanner.eat_ignoring_case(b"()") {
        return Ok(());
    }
    scanner.list(option)
}

/// The arguments of LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListArguments {
    /// Whether one of the three signs of RFC 5258 §1 is there: options before, several patterns, options after.
    pub(crate) extended: bool,
    pub(crate) selection: Selection,
    pub(crate) returns: Returns,
    reference: Vec<u8>,
    patterns: Vec<Vec<u8>>,
}

impl ListArguments {
    /// Everything after the verb and its space.
    pub(crate) fn parse(scanner: &mut Scanner<'_>) -> Parsed<Self> {
        let mut selection = None;
        if scanner.peek() == Some(b'(') {
            selection = Some(Selection::parse(scanner)?);
            scanner.space()?;
        }
        let reference = scanner.astring()?.into_owned();
        scanner.space()?;
        let several = scanner.peek() == Some(b'(');
        let patterns = if several {
            patterns(scanner)?
        } else {
            vec![scanner.list_mailbox()?.into_owned()]
        };
        let mut returns = None;
        if scanner.eat_ignoring_case(b" RETURN ") {
            returns = Some(Returns::parse(scanner)?);
        }
        scanner.end()?;
        Ok(Self {
            extended: selection.is_some() || several || returns.is_some(),
            selection: selection.unwrap_or_default(),
            returns: returns.unwrap_or_default(),
            reference,
            patterns,
        })
    }

    /// In the basic form an empty pattern asks for the hierarchy separator (RFC 9051 §6.3.9).
    pub(crate) fn asks_for_separator(&self) -> bool {
        !self.extended && self.patterns.iter().all(Vec::is_empty)
    }

    /// Reference and patterns joined. Empty patterns match nothing.
    pub(crate) fn patterns(&self, utf8: bool) -> Patterns {
        let wanted = self.patterns.iter().filter(|pattern| !pattern.is_empty());
        Patterns::new(&self.reference, wanted.map(Vec::as_slice), utf8)
    }
}

fn patterns(scanner: &mut Scanner<'_>) -> Parsed<Vec<Vec<u8>>> {
    let mut patterns = Vec::new();
    scanner.list(|scanner| {
        if patterns.len() == PATTERNS {
            return Err(Bad("Too many patterns"));
        }
        patterns.push(scanner.list_mailbox()?.into_owned());
        Ok(())
    })?;
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<ListArguments> {
        ListArguments::parse(&mut Scanner::new(text.as_bytes()))
    }

    #[test]
    fn forms() {
        let basic = parse("\"\" *").unwrap();
        assert!(!basic.extended && !basic.asks_for_separator());
        assert!(parse("\"\" \"\"").unwrap().asks_for_separator());
        for extended in ["() \"\" \"\"", "\"\" (\"\")", "\"\" \"\" RETURN ()"] {
            let list = parse(extended).unwrap();
            assert!(list.extended && !list.asks_for_separator(), "{extended}");
        }
        let list = parse("(REMOTE subscribed RecursiveMatch) a/ (% b*) return (Children STATUS (UNSEEN) subscribed)");
        let list = list.unwrap();
        assert!(list.selection.subscribed && list.selection.recursive && !list.selection.special_use);
        assert!(list.returns.subscribed && list.returns.status == [StatusItem::Unseen]);
    }

    #[test]
    fn malformed() {
        for bad in [
            "\"\"",
            "(RECURSIVEMATCH) \"\" *",
            "(REMOTE RECURSIVEMATCH) \"\" *",
            "(FOO) \"\" *",
            "(SUBSCRIBED)\"\" *",
            "\"\" ()",
            "\"\" * RETURN",
            "\"\" * RETURN (FOO)",
            "\"\" * RETURN (STATUS)",
            "\"\" * RETURN (STATUS ())",
            "\"\" * RETURN (STATUS (FOO))",
            "\"\" * FOO",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("\"\" ({}*)", "* ".repeat(100))).is_err());
    }
}
