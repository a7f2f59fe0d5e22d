//! Flag lists of STORE and APPEND (RFC 3501 §9, `flag-list`).

use super::scanner::{is_atom_char, utf8};
use super::{Bad, Parsed, Scanner};
use postroom_types::{Flag, Keyword, MessageFlags};

/// `flag-list`, or for STORE also flags without parentheses.
pub(crate) fn flags(scanner: &mut Scanner<'_>) -> Parsed<MessageFlags> {
    let mut flags = MessageFlags::default();
    if scanner.peek() != Some(b'(') {
        loop {
            flag(scanner, &mut flags)?;
            if !scanner.eat(b' ') || scanner.at_end() {
                return Ok(flags);
            }
        }
    }
    flag_list(scanner)
}

/// `flag-list`: in parentheses, may be empty.
pub(crate) fn flag_list(scanner: &mut Scanner<'_>) -> Parsed<MessageFlags> {
    let mut flags = MessageFlags::default();
    if scanner.eat_ignoring_case(b"()") {
        return Ok(flags);
    }
    scanner.list(|scanner| flag(scanner, &mut flags))?;
    Ok(flags)
}

fn flag(scanner: &mut Scanner<'_>, flags: &mut MessageFlags) -> Parsed<()> {
    if scanner.peek() == Some(b'\\') {
        let mut name = Vec::from(*b"\\");
        scanner.eat(b'\\');
        name.extend_from_slice(scanner.take_while(is_atom_char));
        // \Recent is the server's alone and others do not exist: they are not in PERMANENTFLAGS (RFC 3501 §7.1).
        let flag = Flag::from_name(&name).ok_or(Bad("No such system flag"))?;
        flags.system = flags.system.with(flag);
        return Ok(());
    }
    let keyword = Keyword::new(utf8(scanner.atom()?)?).ok_or(Bad("Keyword too long"))?;
    if !flags.keywords.contains(&keyword) {
        flags.keywords.push(keyword);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_lists() {
        let check = |text: &str, expected: Option<&str>| {
            let mut scanner = Scanner::new(text.as_bytes());
            let read = flags(&mut scanner).and_then(|flags| scanner.end().map(|()| flags)).ok();
            let read = read.map(|flags| {
                let system = flags.system.iter().map(|flag| flag.name().to_owned());
                let keywords = flags.keywords.iter().map(|keyword| keyword.as_str().to_owned());
                system.chain(keywords).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(read.as_deref(), expected, "{text}");
        };
        check("()", Some(""));
        check("(\\seen)", Some("\\Seen"));
        check("\\Deleted \\Seen $Junk", Some("\\Deleted \\Seen $Junk"));
        check("(a A a)", Some("a"));
        for bad in ["", "(", "(\\Recent)", "(\\Foo)", "(a", "(a)b", "( a)", "(\\)"] {
            check(bad, None);
        }
    }
}
