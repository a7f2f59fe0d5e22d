//! LIST and LSUB (RFC 3501 §7.2.2, RFC 6154 §2) and names of mailboxes.

use super::string::write_string;
use crate::grammar::scanner::is_astring_char;
use crate::grammar::utf7;

/// A mailbox name as an astring: in UTF-8 if the client has enabled that, else in modified UTF-7.
pub(crate) fn write_name(out: &mut Vec<u8>, name: &str, utf8: bool) {
    let wire = if utf8 { name.to_owned() } else { utf7::encode(name) };
    // A bare NIL is taken for no name by some clients.
    if !wire.is_empty() && wire.bytes().all(is_astring_char) && !wire.eq_ignore_ascii_case("NIL") {
        out.extend_from_slice(wire.as_bytes());
    } else if utf8 {
        write_utf8_quoted(out, &wire);
    } else {
        write_string(out, wire.as_bytes());
    }
}

/// `QUOTED-UTF8` (RFC 9051 §9, RFC 6855 §3). Names have no control characters.
fn write_utf8_quoted(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    for byte in name.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// One line of LIST or LSUB.
pub(crate) fn write_list(out: &mut Vec<u8>, verb: &str, attributes: &[&str], name: &str, utf8: bool) {
    write_entry(out, verb, attributes, name, utf8);
    out.extend_from_slice(b"\r\n");
}

/// A LIST line with what was selected below this name (RFC 5258 §3.5).
pub(crate) fn write_list_with_childinfo(
    out: &mut Vec<u8>,
    attributes: &[&str],
    name: &str,
    utf8: bool,
    criteria: &[&str],
) {
    write_entry(out, "LIST", attributes, name, utf8);
    out.extend_from_slice(format!(" (\"CHILDINFO\" (\"{}\"))\r\n", criteria.join("\" \"")).as_bytes());
}

/// A LIST line with the name the mailbox had before (RFC 5465 §5.4, RFC 9051 §6.3.9.7).
pub(crate) fn write_list_with_oldname(out: &mut Vec<u8>, attributes: &[&str], name: &str, utf8: bool, old_name: &str) {
    write_entry(out, "LIST", attributes, name, utf8);
    out.extend_from_slice(b" (\"OLDNAME\" (");
    write_name(out, old_name, utf8);
    out.extend_from_slice(b"))\r\n");
}

fn write_entry(out: &mut Vec<u8>, verb: &str, attributes: &[&str], name: &str, utf8: bool) {
    out.extend_from_slice(format!("* {verb} ({}) \"/\" ", attributes.join(" ")).as_bytes());
    write_name(out, name, utf8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::{Scanner, mailbox_name};
    use proptest::prelude::*;

    #[test]
    fn lines() {
        let mut out = Vec::new();
        write_list_with_childinfo(&mut out, &[], "Foo", false, &["SUBSCRIBED", "SPECIAL-USE"]);
        write_list_with_oldname(&mut out, &["\\Subscribed"], "NIL", true, "Entwürfe");
        let expected = "* LIST () \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\"))\r\n\
            * LIST (\\Subscribed) \"/\" \"NIL\" (\"OLDNAME\" (\"Entwürfe\"))\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn names_come_back(name in "[^\\p{Cc}/]{1,40}", utf8: bool) {
            prop_assume!(!name.eq_ignore_ascii_case("INBOX"));
            let mut out = Vec::new();
            write_name(&mut out, &name, utf8);
            let argument = Scanner::new(&out).astring().unwrap().into_owned();
            prop_assert_eq!(mailbox_name::parse(&argument, utf8), Some(name));
        }
    }
}
