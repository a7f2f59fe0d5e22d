//! The rows of intake. All begin with `t`.
//!
//! | key | value |
//! |---|---|
//! | `ti` inbox, SHA-256 of the idempotency key | the answer given ([`crate::idempotency`]) |
//! | `to` organization, SHA-256 of the idempotency key | the same, for keys of organizations |
//! | `tk` inbox, SHA-256 of an operation's name, a zero, and the idempotency key | the same, for keys of operations |
//! | `tp` inbox, hash of an address | that the inbox has written to it, until when that counts ([`crate::limits`]) |
//! | `tq` inbox, day since 1970 | counters of that day ([`crate::limits`]) |
//! | `tl` inbox, thread, hash of an address | automated turns ([`crate::turns`]) |
//! | `tm` inbox, another inbox, day since 1970 | counter of automated messages in no thread ([`crate::turns`]) |
//! | `tv` message in the queue | how it was judged when it came in ([`crate::onward`]) |
//! | `th` inbox, message, part of it | who has it alone ([`crate::handed_out`]) |
//! | `te` milliseconds since 1970, key of another row | that row may go then ([`crate::expiry`]) |

use crate::{KeyScope, Single};
use postroom_identity::InboxRecord;
use postroom_store::Key;
use postroom_types::{EmailAddress, EmailId, InboxId, ThreadId};
use sha2::{Digest, Sha256};

/// The first octets of the rows that say when others may go.
pub(crate) const EXPIRY: &[u8] = b"te";

pub(crate) fn idempotency(inbox: &InboxRecord, scope: KeyScope, key: &str) -> Key {
    let hash = match scope {
        KeyScope::Inbox | KeyScope::Organization => Sha256::digest(key.as_bytes()),
        KeyScope::Operation(name) => Sha256::digest([name.as_bytes(), &[0], key.as_bytes()].concat()),
    };
    match scope {
        KeyScope::Inbox => [b"ti", &inbox.id.as_bytes()[..], &hash].concat(),
        KeyScope::Organization => [b"to", &inbox.organization.as_bytes()[..], &hash].concat(),
        KeyScope::Operation(_) => [b"tk", &inbox.id.as_bytes()[..], &hash].concat(),
    }
}

pub(crate) fn peer(inbox: InboxId, address: &EmailAddress) -> Key {
    [b"tp", &inbox.as_bytes()[..], &address_hash(address)].concat()
}

pub(crate) fn day(inbox: InboxId, day: u32) -> Key {
    [b"tq", &inbox.as_bytes()[..], &day.to_be_bytes()].concat()
}

/// Whether a key is one of those that taking a submission asks about: of intake, the queue, or identity.
pub(crate) fn is_own(key: &[u8]) -> bool {
    key.first().is_some_and(|first| b"tqi".contains(first))
}

/// Whether a key is that of a day's counters, which have no time in their value.
pub(crate) fn is_day(key: &[u8]) -> bool {
    key.starts_with(b"tq") || key.starts_with(b"tm")
}

pub(crate) fn turns(inbox: InboxId, thread: ThreadId, peer: &EmailAddress) -> Key {
    [
        b"tl",
        &inbox.as_bytes()[..],
        &thread.as_bytes()[..],
        &address_hash(peer),
    ]
    .concat()
}

pub(crate) fn pair(from: InboxId, to: InboxId, day: u32) -> Key {
    [b"tm", &from.as_bytes()[..], &to.as_bytes()[..], &day.to_be_bytes()].concat()
}

pub(crate) fn verdict(message: EmailId) -> Key {
    [b"tv", &message.as_bytes()[..]].concat()
}

pub(crate) fn handed_out(inbox: InboxId, message: EmailId, part: Single) -> Key {
    [b"th", &inbox.as_bytes()[..], &message.as_bytes()[..], &[part as u8]].concat()
}

pub(crate) fn expiry(at_ms: i64, key: &[u8]) -> Key {
    [EXPIRY, &at_ms.max(0).to_be_bytes(), key].concat()
}

/// The key of the row that an expiry row speaks of.
pub(crate) fn expiring(key: &[u8]) -> Option<&[u8]> {
    key.get(EXPIRY.len() + 8..).filter(|rest| !rest.is_empty())
}

/// Folded, as our own addresses are looked up; two addresses of another server that differ in case alone count as one.
fn address_hash(address: &EmailAddress) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(address.folded().to_string().as_bytes()).into();
    *hash.first_chunk().expect("32 octets have a first 16")
}
