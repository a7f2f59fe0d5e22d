//! ENVELOPE (RFC 3501 §7.4.2, RFC 9051 §7.5.2).

use super::string::write_nstring;
use postroom_types::{AddressEntry, Envelope};

/// Writes an envelope in its parentheses. Sender and Reply-To are From when they are absent or empty.
pub(crate) fn write_envelope(out: &mut Vec<u8>, envelope: &Envelope, utf8: bool) {
    out.push(b'(');
    write_nstring(out, envelope.date.as_deref(), utf8);
    out.push(b' ');
    write_nstring(out, envelope.subject.as_deref(), utf8);
    for list in [
        envelope.from.as_deref(),
        or_from(&envelope.sender, &envelope.from),
        or_from(&envelope.reply_to, &envelope.from),
        envelope.to.as_deref(),
        envelope.cc.as_deref(),
        envelope.bcc.as_deref(),
    ] {
        out.push(b' ');
        write_addresses(out, list.unwrap_or_default(), utf8);
    }
    out.push(b' ');
    write_nstring(out, envelope.in_reply_to.as_deref(), utf8);
    out.push(b' ');
    write_nstring(out, envelope.message_id.as_deref(), utf8);
    out.push(b')');
}

fn or_from<'a>(
    given: &'a Option<Vec<AddressEntry>>,
    from: &'a Option<Vec<AddressEntry>>,
) -> Option<&'a [AddressEntry]> {
    let given = given.as_deref().filter(|list| !list.is_empty());
    given.or(from.as_deref())
}

/// `((name adl mailbox host)…)`; an empty list is NIL.
fn write_addresses(out: &mut Vec<u8>, list: &[AddressEntry], utf8: bool) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for entry in list {
        out.push(b'(');
        write_nstring(out, entry.name.as_deref(), utf8);
        out.push(b' ');
        write_nstring(out, entry.route.as_deref(), utf8);
        out.push(b' ');
        write_nstring(out, entry.mailbox.as_deref(), utf8);
        out.push(b' ');
        write_nstring(out, entry.host.as_deref(), utf8);
        out.push(b')');
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: Option<&str>, mailbox: Option<&str>, host: Option<&str>) -> AddressEntry {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        AddressEntry {
            name: bytes(name),
            route: None,
            mailbox: bytes(mailbox),
            host: bytes(host),
        }
    }

    fn check(envelope: &Envelope, expected: &str) {
        let mut out = Vec::new();
        write_envelope(&mut out, envelope, false);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn the_example_of_the_rfc() {
        let gray = vec![entry(Some("Terry Gray"), Some("gray"), Some("cac.washington.edu"))];
        let envelope = Envelope {
            date: Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)".to_vec()),
            subject: Some(b"IMAP4rev1 WG mtg summary and minutes".to_vec()),
            from: Some(gray),
            to: Some(vec![entry(None, Some("imap"), Some("cac.washington.edu"))]),
            cc: Some(vec![
                entry(None, Some("minutes"), Some("CNRI.Reston.VA.US")),
                entry(Some("John Klensin"), Some("KLENSIN"), Some("MIT.EDU")),
            ]),
            message_id: Some(b"<B27397-0100000@cac.washington.edu>".to_vec()),
            ..Envelope::default()
        };
        check(
            &envelope,
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) \
             NIL NIL \"<B27397-0100000@cac.washington.edu>\")",
        );
    }

    #[test]
    fn empty_and_groups() {
        check(&Envelope::default(), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        let group = vec![
            entry(None, Some("team"), None),
            entry(None, Some("a"), Some("b")),
            entry(None, None, None),
        ];
        let envelope = Envelope {
            to: Some(group),
            sender: Some(Vec::new()),
            ..Envelope::default()
        };
        check(
            &envelope,
            "(NIL NIL NIL NIL NIL ((NIL NIL \"team\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)",
        );
    }
}
