//! Who gets a message without being named in it. Many clients give such recipients in the envelope alone; the sender's own
//! copy is the only place where it can still be seen who got it.

use crate::submission::Via;
use postroom_mailstore::MAX_PREFIX_OCTETS;
use postroom_message::{Completed, fields, parse_address_list};
use postroom_queue::NewRecipient;
use postroom_types::AddressEntry;
use std::collections::HashSet;

/// The fields that name recipients.
const NAMING: [&str; 6] = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];

/// What the sender's copy alone has: the Bcc fields of the content, and one of the recipients whom only the envelope names.
/// Over the API there are none, since it makes both. Reads the whole header section.
pub(crate) fn blind_prefix(completed: &Completed, via: &Via, recipients: &[NewRecipient]) -> Vec<u8> {
    let bcc = fitting_lines(&completed.bcc);
    let mut prefix = bcc.to_vec();
    if *via != Via::Api {
        let room = MAX_PREFIX_OCTETS - prefix.len();
        prefix.extend(blind_field(recipients, [&completed.content, bcc], room));
    }
    prefix
}

/// As many whole lines as a prefix may have. A list of addresses that is cut after a line is still one (RFC 5322 §4.4).
fn fitting_lines(fields: &[u8]) -> &[u8] {
    let most = fields.len().min(MAX_PREFIX_OCTETS);
    if most == fields.len() {
        return fields;
    }
    let end = fields[..most]
        .iter()
        .rposition(|octet| *octet == b'\n')
        .map_or(0, |at| at + 1);
    &fields[..end]
}

/// A Bcc field of the recipients that no header section names, as many as fit into so many octets; empty if there are none.
fn blind_field(recipients: &[NewRecipient], headers: [&[u8]; 2], most_octets: usize) -> Vec<u8> {
    let naming = headers
        .into_iter()
        .flat_map(fields)
        .filter(|field| NAMING.iter().any(|name| field.is(name)));
    // Of the recipients, who are few, each is struck out who is named; there is no end of those whom a header section names.
    let read = |recipient: &NewRecipient| parse_address_list(recipient.address.to_string().as_bytes());
    let compared: Vec<_> = recipients
        .iter()
        .map(|recipient| read(recipient).first().and_then(folded))
        .collect();
    let mut blind: HashSet<_> = compared.iter().flatten().cloned().collect();
    for named in naming.flat_map(|field| parse_address_list(field.value)) {
        if blind.is_empty() {
            break;
        }
        if let Some(named) = folded(&named) {
            blind.remove(&named);
        }
    }
    let mut field = String::new();
    for (recipient, compared) in recipients.iter().zip(compared) {
        if compared.is_some_and(|compared| !blind.contains(&compared)) {
            continue;
        }
        let address = recipient.address.to_string();
        let begin = if field.is_empty() { "Bcc: " } else { ",\r\n " };
        if field.len() + begin.len() + address.len() + "\r\n".len() > most_octets {
            break;
        }
        field.push_str(begin);
        field.push_str(&address);
    }
    if !field.is_empty() {
        field.push_str("\r\n");
    }
    field.into_bytes()
}

/// An address as it is compared: however it is quoted, and in whatever case and form of its domain. A group has none.
fn folded(entry: &AddressEntry) -> Option<(String, String)> {
    let half = |half: &Option<Vec<u8>>| Some(String::from_utf8_lossy(half.as_deref()?).to_lowercase());
    let domain = half(&entry.host)?;
    // What is no name in the DNS is compared as it stands.
    let ascii = idna::domain_to_ascii(&domain).unwrap_or(domain);
    Some((half(&entry.mailbox)?, ascii))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_queue::Destination;
    use postroom_types::EmailAddress;

    fn check(addresses: &[&str], header: &str, bcc: &str, expected: &str) {
        let recipient = |address: &&str| {
            let address = EmailAddress::parse(address).unwrap();
            let destination = Destination::Domain(address.domain().clone());
            NewRecipient { address, destination }
        };
        let recipients: Vec<_> = addresses.iter().map(recipient).collect();
        let field = blind_field(&recipients, [header.as_bytes(), bcc.as_bytes()], 60);
        assert_eq!(String::from_utf8(field).unwrap(), expected, "{addresses:?} {header:?}");
    }

    #[test]
    fn those_who_are_named_nowhere() {
        for (addresses, header, bcc, expected) in [
            (&["a@x.test"][..], "To: A <a@X.test>\r\n", "", ""),
            (
                &["a@x.test"],
                "Subject: a@x.test\r\n\r\nTo: a@x.test\r\n",
                "",
                "Bcc: a@x.test\r\n",
            ),
            (
                &["a@x.test", "b@x.test"],
                "Cc: friends: B@x.test;\r\n",
                "",
                "Bcc: a@x.test\r\n",
            ),
            (
                &["a@x.test", "b@x.test"],
                "Resent-To: a@x.test\r\n",
                "Bcc: b@x.test\r\n",
                "",
            ),
            (
                &["a@x.test", "b@x.test"],
                "To: c@x.test\r\n",
                "",
                "Bcc: a@x.test,\r\n b@x.test\r\n",
            ),
            (
                &["\"a b\"@x.test", "\"c d\"@x.test"],
                "To: \"a b\"@x.test\r\n",
                "",
                "Bcc: \"c d\"@x.test\r\n",
            ),
            (
                &["\"c\"@x.test", "a+tag@x.test"],
                "To: c@x.test, a@x.test\r\n",
                "",
                "Bcc: a+tag@x.test\r\n",
            ),
            (&["a@xn--bcher-kva.test"], "To: a@bücher.test\r\n", "", ""),
            (
                &["ä@bücher.test"],
                "To: undisclosed-recipients:;\r\n",
                "",
                "Bcc: ä@bücher.test\r\n",
            ),
            (
                &["a@[192.0.2.1]", "b@[192.0.2.1]"],
                "To: b@[192.0.2.1]\r\n",
                "",
                "Bcc: a@[192.0.2.1]\r\n",
            ),
        ] {
            check(addresses, header, bcc, expected);
        }
    }

    /// The copy tells of whoever it names no more, as long as there is room.
    #[test]
    fn who_is_cut_off_is_not_named() {
        let mut bcc = "Bcc: a@x.test".to_owned();
        while bcc.len() < MAX_PREFIX_OCTETS - 40 {
            bcc.push_str(",\r\n b@x.test");
        }
        bcc.push_str(&format!(",\r\n {}c@x.test\r\n", " ".repeat(60)));
        let completed = Completed {
            content: "Subject: s\r\n\r\n".into(),
            bcc: bcc.into(),
            message_id: String::new(),
            from: Vec::new(),
            sender: None,
            auto_submitted: false,
            in_reply_to: None,
            eight_bit: false,
        };
        let address = EmailAddress::parse("c@x.test").unwrap();
        let destination = Destination::Domain(address.domain().clone());
        let via = Via::Smtp {
            client: String::new(),
            tls: true,
            smtputf8: false,
        };
        let prefix = blind_prefix(&completed, &via, &[NewRecipient { address, destination }]);
        assert!(prefix.ends_with(b"\r\nBcc: c@x.test\r\n") && prefix.len() <= MAX_PREFIX_OCTETS);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let long = format!("{}@x.test", "a".repeat(40));
        check(&["b@x.test", &long], "", "", "Bcc: b@x.test\r\n");
        check(&[&long, "b@x.test"], "", "", &format!("Bcc: {long}\r\n"));
        check(&[&format!("{}@x.test", "a".repeat(60))], "", "", "");
    }
}
