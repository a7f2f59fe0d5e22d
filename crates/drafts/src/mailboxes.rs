//! Addresses with names, as messages have them.

use postroom_message::{Mailbox, decode_words};
use postroom_types::{AddressEntry, Domain, EmailAddress};

/// The usable addresses of a message's header field, each once; groups are taken apart.
#[must_use]
pub fn of(entries: Option<&Vec<AddressEntry>>) -> Vec<Mailbox> {
    let mut found: Vec<Mailbox> = Vec::new();
    for mailbox in entries.into_iter().flatten().filter_map(entry) {
        if found.iter().all(|known| known.address != mailbox.address) {
            found.push(mailbox);
        }
    }
    found
}

/// A text from outside that goes into a header field of ours. Decoded words may hold line ends, which would begin
/// another field (RFC 2047 §5 forbids them, which stops nobody).
#[must_use]
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn entry(entry: &AddressEntry) -> Option<Mailbox> {
    let local_part = std::str::from_utf8(entry.mailbox.as_deref()?).ok()?;
    let domain = Domain::parse(std::str::from_utf8(entry.host.as_deref()?).ok()?).ok()?;
    let quoted = || {
        let escaped = local_part.replace('\\', "\\\\").replace('"', "\\\"");
        EmailAddress::from_parts(&format!("\"{escaped}\""), domain.clone())
    };
    let address = EmailAddress::from_parts(local_part, domain.clone()).or_else(|_| quoted());
    let name = one_line(&entry.name.as_deref().map(decode_words).unwrap_or_default());
    Some(Mailbox {
        name: Some(name).filter(|name| !name.is_empty()),
        address: address.ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;

    #[test]
    fn what_messages_have() {
        let content =
            b"To: =?utf-8?q?Zo=C3=AB=0D=0AX=3A_y?= <z@example.net>, Team: b@c, \"b b\"@c;, Z <z@example.net>, x@\r\n\r\n";
        let entries = summarize(content).envelope.to;
        let shown: Vec<String> = of(entries.as_ref())
            .iter()
            .map(|mailbox| match &mailbox.name {
                Some(name) => format!("{name}|{}", mailbox.address),
                None => mailbox.address.to_string(),
            })
            .collect();
        assert_eq!(shown, ["Zoë X: y|z@example.net", "b@c", "\"b b\"@c"]);
        assert!(of(None).is_empty());
    }
}
