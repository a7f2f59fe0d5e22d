//! Flag lists (RFC 3501 §7.2.6).

use crate::output::Output;
use crate::view::View;
use postroom_types::{Flag, Keyword, MessageFlags};

/// A message's flags in parentheses, with `\Recent` if it is.
pub(crate) fn write_flags(out: &mut Vec<u8>, flags: &MessageFlags, recent: bool) {
    // Straight down: this is written 100,000 times for a mailbox of that size.
    let from = out.len();
    for flag in flags.system.iter() {
        write_one(out, flag.name());
    }
    if recent {
        write_one(out, "\\Recent");
    }
    for keyword in &flags.keywords {
        write_one(out, keyword.as_str());
    }
    if out.len() == from {
        out.push(b'(');
    } else {
        out[from] = b'(';
    }
    out.push(b')');
}

fn write_one(out: &mut Vec<u8>, name: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
}

/// FLAGS and PERMANENTFLAGS: all system flags and the keywords in use.
pub(crate) fn write_mailbox_flags(out: &mut Output, view: &View) {
    out.buffer().extend_from_slice(b"* FLAGS ");
    write_known_flags(out.buffer(), view.keywords(), None);
    out.line("");
    out.buffer().extend_from_slice(b"* OK [PERMANENTFLAGS ");
    if view.read_only() {
        out.line("()] No flags can be changed");
    } else {
        write_known_flags(out.buffer(), view.keywords(), Some("\\*"));
        out.line("] Flags can be changed, keywords made");
    }
}

/// Before a message's flags are told: clients take a keyword only if FLAGS has named it (RFC 3501 §7.2.6).
pub(crate) fn announce_keywords(out: &mut Output, view: &mut View, flags: &MessageFlags) {
    if view.learn(&flags.keywords) {
        write_mailbox_flags(out, view);
    }
}

/// All system flags and these keywords, then `last`.
fn write_known_flags(out: &mut Vec<u8>, keywords: &[Keyword], last: Option<&str>) {
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
