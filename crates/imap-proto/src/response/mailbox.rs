//! LIST and LSUB (RFC 3501 §7.2.2, RFC 6154 §2) and names of mailboxes.

use super::string::write_string;
use crate::grammar::scanner::is_astring_char;
use crate::grammar::utf7;

/// A mailbox name as an astring.
pub(crate) fn write_name(out: &mut Vec<u8>, name: &str) {
    let wire = utf7::encode(name);
    // A bare NIL is taken for no name by some clients.
    if !wire.is_empty() && wire.bytes().all(is_astring_char) && !wire.eq_ignore_ascii_case("NIL") {
        out.extend_from_slice(wire.as_bytes());
    } else {
        write_string(out, wire.as_bytes());
    }
}

/// One line of LIST or LSUB.
pub(crate) fn write_list(out: &mut Vec<u8>, verb: &str, attributes: &[&str], name: &str) {
    out.extend_from_slice(format!("* {verb} ({}) \"/\" ", attributes.join(" ")).as_bytes());
    write_name(out, name);
    out.extend_from_slice(b"\r\n");
}
