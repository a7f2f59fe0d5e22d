//! Flag lists (RFC 3501 §7.2.6).

use postroom_types::{Flag, Keyword, MessageFlags};

/// A message's flags in parentheses, with `\Recent` if it is.
pub(crate) fn write_flags(out: &mut Vec<u8>, flags: &MessageFlags, recent: bool) {
    let system = flags.system.iter().map(name);
    let keywords = flags.keywords.iter().map(Keyword::as_str);
    write_list(out, system.chain(recent.then_some("\\Recent")).chain(keywords));
}

/// What FLAGS and PERMANENTFLAGS show: all system flags and the keywords in use, then `last`.
pub(crate) fn write_known_flags(out: &mut Vec<u8>, keywords: &[Keyword], last: Option<&str>) {
    let system = Flag::ALL.into_iter().map(name);
    write_list(out, system.chain(keywords.iter().map(Keyword::as_str)).chain(last));
}

/// A flag's name, as short-lived as a keyword's, so that both can stand in one list.
fn name<'a>(flag: Flag) -> &'a str {
    flag.name()
}

fn write_list<'a>(out: &mut Vec<u8>, names: impl Iterator<Item = &'a str>) {
    out.push(b'(');
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b')');
}
