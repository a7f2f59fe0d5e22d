//! The value of an event: a format version, the time, the inbox, and what happened. Reading is total: corrupt bytes are
//! an error, never a panic.

use crate::cursor::Cursor;
use crate::event::{MAX_REASON_OCTETS, NewEvent, ReceivedAs, What};
use postroom_store::{StoreError, Value};
use postroom_types::{Domain, EmailId, InboxId};

const FORMAT: u8 = 1;

const RECEIVED: u8 = 1;
const SENT: u8 = 2;
const DELIVERED: u8 = 3;
const BOUNCED_FOR_NOW: u8 = 4;
const BOUNCED_FOR_GOOD: u8 = 5;
const COMPLAINED: u8 = 6;
const REJECTED: u8 = 7;
const DOMAIN_VERIFIED: u8 = 8;
/// As `SENT`, of a message that passes another one on.
const FORWARDED: u8 = 9;

/// The row of an event.
pub(crate) fn write(event: &NewEvent) -> Value {
    let mut value = vec![FORMAT];
    value.extend(event.at.to_be_bytes());
    match event.inbox {
        None => value.push(0),
        Some(inbox) => {
            value.push(1);
            value.extend(inbox.as_bytes());
        }
    }
    match &event.what {
        What::Received { message, received_as } => {
            put_message(&mut value, RECEIVED, *message);
            value.push(*received_as as u8);
        }
        What::Sent { message, forwarded } => {
            let tag = if *forwarded { FORWARDED } else { SENT };
            put_message(&mut value, tag, *message);
        }
        What::Delivered { message, recipients } => {
            put_message(&mut value, DELIVERED, *message);
            put_recipients(&mut value, recipients);
        }
        What::Bounced {
            message,
            recipients,
            permanent,
        } => {
            let tag = if *permanent { BOUNCED_FOR_GOOD } else { BOUNCED_FOR_NOW };
            put_message(&mut value, tag, *message);
            put_recipients(&mut value, recipients);
        }
        What::Complained { message, recipients } => {
            put_message(&mut value, COMPLAINED, *message);
            put_recipients(&mut value, recipients);
        }
        What::Rejected { message, reason } => {
            put_message(&mut value, REJECTED, *message);
            value.extend(&reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON_OCTETS)]);
        }
        What::DomainVerified { domain } => {
            value.push(DOMAIN_VERIFIED);
            value.extend(domain.as_str().as_bytes());
        }
    }
    value
}

fn put_message(value: &mut Value, tag: u8, message: EmailId) {
    value.push(tag);
    value.extend(message.as_bytes());
}

fn put_recipients(value: &mut Value, recipients: &[u16]) {
    value.extend(recipients.iter().flat_map(|number| number.to_be_bytes()));
}

/// Reads the row of an event.
pub(crate) fn read(value: &[u8]) -> Result<NewEvent, StoreError> {
    parse(value).ok_or_else(|| StoreError::Corrupt("an event of the feed does not decode".into()))
}

fn parse(value: &[u8]) -> Option<NewEvent> {
    let rest = value.strip_prefix(&[FORMAT])?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (inbox, rest) = match rest.split_first()? {
        (0, rest) => (None, rest),
        (1, rest) => {
            let (inbox, rest) = rest.split_first_chunk::<16>()?;
            (Some(InboxId::from_bytes(*inbox)), rest)
        }
        _ => return None,
    };
    Some(NewEvent {
        at: i64::from_be_bytes(*at),
        inbox,
        what: parse_what(rest)?,
    })
}

fn parse_what(rest: &[u8]) -> Option<What> {
    let (&tag, rest) = rest.split_first()?;
    if tag == DOMAIN_VERIFIED {
        let domain = Domain::parse(std::str::from_utf8(rest).ok()?).ok()?;
        return Some(What::DomainVerified { domain });
    }
    let (message, rest) = rest.split_first_chunk::<16>()?;
    let message = EmailId::from_bytes(*message);
    Some(match tag {
        RECEIVED => What::Received {
            message,
            received_as: parse_received_as(rest)?,
        },
        SENT | FORWARDED => rest.is_empty().then_some(What::Sent {
            message,
            forwarded: tag == FORWARDED,
        })?,
        DELIVERED => What::Delivered {
            message,
            recipients: parse_recipients(rest)?,
        },
        BOUNCED_FOR_NOW | BOUNCED_FOR_GOOD => What::Bounced {
            message,
            recipients: parse_recipients(rest)?,
            permanent: tag == BOUNCED_FOR_GOOD,
        },
        COMPLAINED => What::Complained {
            message,
            recipients: parse_recipients(rest)?,
        },
        REJECTED => What::Rejected {
            message,
            reason: std::str::from_utf8(rest).ok()?.to_owned(),
        },
        _ => return None,
    })
}

fn parse_received_as(rest: &[u8]) -> Option<ReceivedAs> {
    use ReceivedAs::{Blocked, Plain, Spam, Unauthenticated};
    let known = [Plain, Spam, Blocked, Unauthenticated].into_iter();
    let &[octet] = rest else { return None };
    known.into_iter().find(|received_as| *received_as as u8 == octet)
}

fn parse_recipients(rest: &[u8]) -> Option<Vec<u16>> {
    let (pairs, odd) = rest.as_chunks::<2>();
    odd.is_empty()
        .then(|| pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
}

/// The row that says which event was the last to go.
pub(crate) fn write_trimmed(last: Cursor) -> Value {
    [&[FORMAT], last.to_octets().as_slice()].concat()
}

/// Reads it.
pub(crate) fn read_trimmed(value: &[u8]) -> Result<Cursor, StoreError> {
    let octets = value.strip_prefix(&[FORMAT]).and_then(|octets| octets.try_into().ok());
    octets
        .map(Cursor::from_octets)
        .ok_or_else(|| StoreError::Corrupt("how far a feed is trimmed does not decode".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whats() -> impl Strategy<Value = What> {
        let message = || any::<[u8; 16]>().prop_map(EmailId::from_bytes);
        let recipients = || prop::collection::vec(any::<u16>(), 0..1000);
        let received_as = prop::sample::select(vec![
            ReceivedAs::Plain,
            ReceivedAs::Spam,
            ReceivedAs::Blocked,
            ReceivedAs::Unauthenticated,
        ]);
        prop_oneof![
            (message(), received_as).prop_map(|(message, received_as)| What::Received { message, received_as }),
            (message(), any::<bool>()).prop_map(|(message, forwarded)| What::Sent { message, forwarded }),
            (message(), recipients()).prop_map(|(message, recipients)| What::Delivered { message, recipients }),
            (message(), recipients(), any::<bool>()).prop_map(|(message, recipients, permanent)| What::Bounced {
                message,
                recipients,
                permanent
            }),
            (message(), recipients()).prop_map(|(message, recipients)| What::Complained { message, recipients }),
            (message(), "\\PC{0,100}").prop_map(|(message, reason)| What::Rejected { message, reason }),
            "[a-z]{1,20}\\.[a-z]{1,20}".prop_map(|domain| What::DomainVerified {
                domain: Domain::parse(&domain).unwrap()
            }),
        ]
    }

    proptest! {
        #[test]
        fn rows_round_trip(at: i64, inbox: Option<[u8; 16]>, what in whats()) {
            let event = NewEvent { at, inbox: inbox.map(InboxId::from_bytes), what };
            let value = write(&event);
            prop_assert!(value.len() <= postroom_store::MAX_VALUE_OCTETS);
            prop_assert_eq!(parse(&value), Some(event));
        }

        #[test]
        fn reading_is_total(mut value: Vec<u8>, tag in 0..11u8) {
            let _ = parse(&value);
            value.splice(..0, [&[FORMAT][..], &[0; 9], &[tag]].concat());
            let _ = parse(&value);
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let event = NewEvent {
            at: 0,
            inbox: None,
            what: What::Rejected {
                message: EmailId::from_bytes([1; 16]),
                reason: format!("x{}", "é".repeat(MAX_REASON_OCTETS)),
            },
        };
        let What::Rejected { reason, .. } = read(&write(&event)).unwrap().what else {
            panic!("what was written");
        };
        assert_eq!(reason.len(), MAX_REASON_OCTETS - 1);
    }
}
