//! Whom an answer goes to, and what it takes over from the message it answers.

use crate::mailboxes::of;
use postroom_identity::InboxRecord;
use postroom_intake::is_own_address;
use postroom_message::Mailbox;
use postroom_types::{EmailAddress, Envelope};

/// To and Cc of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// To.
    pub to: Vec<Mailbox>,
    /// Cc.
    pub cc: Vec<Mailbox>,
}

/// Whom an answer to this message goes to (RFC 5322 §3.6.3). `outbound`: the inbox sent it itself, so its answer is
/// more of the same and goes to whom it went to.
#[must_use]
pub fn audience(inbox: &InboxRecord, envelope: &Envelope, outbound: bool, all: bool) -> Audience {
    let others = |entries| without_own(inbox, of(entries));
    let (mut to, mut cc) = if outbound {
        (of(envelope.to.as_ref()), others(envelope.cc.as_ref()))
    } else {
        (author(inbox, envelope), others(envelope.cc.as_ref()))
    };
    if outbound && to.is_empty() {
        to = std::mem::take(&mut cc);
    }
    if !all {
        return once(to, Vec::new());
    }
    if !outbound {
        to.extend(others(envelope.to.as_ref()));
    }
    // Left out only if somebody else is there: who writes to itself alone answers itself.
    let kept = without_own(inbox, to.clone());
    if !kept.is_empty() || !cc.is_empty() {
        to = kept;
    }
    once(to, cc)
}

/// Each address once. Two that differ in the case of the local-part alone are two by standard, but one to everybody who
/// gives addresses out.
fn once(mut to: Vec<Mailbox>, mut cc: Vec<Mailbox>) -> Audience {
    let mut seen: Vec<EmailAddress> = Vec::new();
    for list in [&mut to, &mut cc] {
        list.retain(|mailbox| {
            let address = mailbox.address.folded();
            let new = !seen.contains(&address);
            seen.push(address);
            new
        });
    }
    Audience { to, cc }
}

/// Reply-To, else From. One that names the inbox itself is passed over if the other does not: nobody meant that.
fn author(inbox: &InboxRecord, envelope: &Envelope) -> Vec<Mailbox> {
    let lists = [of(envelope.reply_to.as_ref()), of(envelope.from.as_ref())];
    let foreign = lists.iter().map(|list| without_own(inbox, list.clone()));
    let found = foreign.chain(lists.clone()).find(|list| !list.is_empty());
    found.unwrap_or_default()
}

fn without_own(inbox: &InboxRecord, mut mailboxes: Vec<Mailbox>) -> Vec<Mailbox> {
    mailboxes.retain(|mailbox| !is_own_address(inbox, &mailbox.address));
    mailboxes
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;

    fn scout() -> InboxRecord {
        let record = serde_json::json!({
            "id": "00000000-0000-0000-0000-000000000001", "organization": "00000000-0000-0000-0000-000000000002",
            "pod": "00000000-0000-0000-0000-000000000003", "canonical": "scout@example.test",
            "primary": "s@example.test", "aliases": ["s@example.test"], "created_at": 0,
        });
        serde_json::from_value(record).expect("an inbox record")
    }

    #[test]
    fn who_gets_an_answer() {
        let check = |header: &str, outbound, all, expected: &str| {
            let envelope = summarize(header.replace('|', "\r\n").as_bytes()).envelope;
            let audience = audience(&scout(), &envelope, outbound, all);
            let names = |list: &[Mailbox]| {
                let addresses: Vec<_> = list.iter().map(|mailbox| mailbox.address.to_string()).collect();
                addresses
                    .join(" ")
                    .replace("@example.net", "")
                    .replace("@example.test", "!")
            };
            assert_eq!(
                format!("{};{}", names(&audience.to), names(&audience.cc)),
                expected,
                "{header} {all}"
            );
        };
        let group = "From: a@example.net|To: Scout@example.test, b@example.net, a@example.net|\
                     Cc: s+tag@example.test, c@example.net, b@example.net||";
        check(group, false, false, "a;");
        check(group, false, true, "a b;c");
        check(
            "From: a@example.net|Reply-To: R@example.net, r@example.net||",
            false,
            false,
            "R;",
        );
        let cases = "From: Ann@example.net|To: ANN@EXAMPLE.net, Bob@example.net|Cc: bob@example.net, ann@example.net||";
        check(cases, false, true, "Ann Bob;");
        check(
            "From: a@example.net|Reply-To: r@example.net|To: scout@example.test||",
            false,
            true,
            "r;",
        );
        check(
            "From: a@example.net|Reply-To: r@example.net, q@example.net||",
            false,
            false,
            "r q;",
        );
        // A Reply-To that leads back to us is no way to anybody.
        check("From: a@example.net|Reply-To: scout@example.test||", false, false, "a;");
        check(
            "From: scout@example.test|To: scout@example.test||",
            false,
            false,
            "scout!;",
        );
        check(
            "From: scout@example.test|To: scout@example.test||",
            false,
            true,
            "scout!;",
        );
        check("From: scout@example.test|To: b@example.net||", false, true, "b;");
        check(
            "From: s@example.test|To: b@example.net|Cc: c@example.net||",
            true,
            false,
            "b;",
        );
        check(
            "From: s@example.test|To: b@example.net|Cc: c@example.net||",
            true,
            true,
            "b;c",
        );
        check("From: s@example.test|Cc: c@example.net||", true, false, "c;");
        check("From: s@example.test|Bcc: c@example.net||", true, true, ";");
        check("Subject: nobody||", false, true, ";");
    }
}
