//! Every key layout of this crate. All begin with `w`; ids are 16 bytes, numbers big-endian.
//!
//! | layout | value |
//! |---|---|
//! | `ww` organization webhook | the webhook |
//! | `wh` organization webhook | its header fields |
//! | `ws` organization webhook | how far it has come, and its last attempts |
//! | `wr` organization webhook due-at-ms lsn(8) index(2) | an event that is to be tried again |
//! | `wc` organization SHA-256(scope, client id) | the webhook that was made for it |
//! | `wl` organization webhook delivery | an attempt that was logged; outlives the webhook |
//! | `wp` organization webhook lsn(8) index(2) | the body that was sent of an event, and witness of its blob if it is long |

use crate::model::WebhookId;
use crate::subscription::Scope;
use postroom_feed::Cursor;
use postroom_store::Key;
use postroom_types::{DeliveryId, Lsn, OrganizationId};
use sha2::{Digest, Sha256};

pub(crate) const WEBHOOKS: &[u8] = b"ww";
pub(crate) const RETRIES: &[u8] = b"wr";
pub(crate) const LOG: &[u8] = b"wl";
pub(crate) const PAYLOADS: &[u8] = b"wp";

/// A webhook, by whose it is and its name.
pub(crate) type Name = (OrganizationId, WebhookId);

fn key(kind: &[u8], name: Name) -> Key {
    [kind, name.0.as_bytes(), name.1.as_bytes()].concat()
}

pub(crate) fn webhooks(organization: OrganizationId) -> Key {
    [WEBHOOKS, organization.as_bytes().as_slice()].concat()
}

pub(crate) fn webhook(name: Name) -> Key {
    key(WEBHOOKS, name)
}

pub(crate) fn headers(name: Name) -> Key {
    key(b"wh", name)
}

pub(crate) fn state(name: Name) -> Key {
    key(b"ws", name)
}

pub(crate) fn retries(name: Name) -> Key {
    key(RETRIES, name)
}

pub(crate) fn retry(name: Name, due: i64, event: Cursor) -> Key {
    let mut key = retries(name);
    key.extend(due.max(0).to_be_bytes());
    key.extend(event.lsn.0.to_be_bytes());
    key.extend(event.index.to_be_bytes());
    key
}

/// All logged attempts of an organization.
pub(crate) fn logs(organization: OrganizationId) -> Key {
    [LOG, organization.as_bytes().as_slice()].concat()
}

/// All logged attempts of a webhook.
pub(crate) fn log(name: Name) -> Key {
    key(LOG, name)
}

pub(crate) fn delivery(name: Name, delivery: DeliveryId) -> Key {
    [log(name).as_slice(), delivery.as_bytes()].concat()
}

/// The attempt that a key of the log is about.
pub(crate) fn read_delivery(key: &[u8]) -> Option<DeliveryId> {
    let id = key.get(LOG.len() + 32..)?.try_into().ok()?;
    Some(DeliveryId::from_bytes(id))
}

/// All bodies that a webhook sent.
pub(crate) fn payloads(name: Name) -> Key {
    key(PAYLOADS, name)
}

pub(crate) fn payload(name: Name, event: Cursor) -> Key {
    let mut key = payloads(name);
    key.extend(event.lsn.0.to_be_bytes());
    key.extend(event.index.to_be_bytes());
    key
}

/// When a retry is due, and for which event.
pub(crate) fn read_retry(key: &[u8]) -> Option<(i64, Cursor)> {
    let (_, rest) = key.split_at_checked(RETRIES.len() + 32)?;
    let (due, rest) = rest.split_first_chunk::<8>()?;
    let (lsn, index) = rest.split_first_chunk::<8>()?;
    let event = Cursor {
        lsn: Lsn(u64::from_be_bytes(*lsn)),
        index: u16::from_be_bytes(index.try_into().ok()?),
    };
    Some((i64::from_be_bytes(*due), event))
}

/// The webhook that a key of it begins with.
pub(crate) fn read_name(key: &[u8]) -> Option<Name> {
    let (_, rest) = key.split_at_checked(2)?;
    let (organization, rest) = rest.split_first_chunk::<16>()?;
    let (webhook, _) = rest.split_first_chunk::<16>()?;
    Some((
        OrganizationId::from_bytes(*organization),
        WebhookId::from_bytes(*webhook),
    ))
}

pub(crate) fn client_id(scope: &Scope, client_id: &str) -> Key {
    let mut hash = Sha256::new();
    hash.update(scope.pod.map_or([0; 16], |pod| *pod.as_bytes()));
    hash.update(scope.inbox.map_or([0; 16], |inbox| *inbox.as_bytes()));
    hash.update(client_id);
    [b"wc", scope.organization.as_bytes().as_slice(), &hash.finalize()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_in_the_order_they_are_due() {
        let name = (OrganizationId::from_bytes([1; 16]), WebhookId::from_bytes([2; 16]));
        let event = Cursor {
            lsn: Lsn(0x0102),
            index: 3,
        };
        let (early, late) = (retry(name, 5, event), retry(name, 256, Cursor::START));
        assert!(early < late && early.starts_with(&retries(name)));
        assert_eq!(read_retry(&early), Some((5, event)));
        assert_eq!(read_name(&early), Some(name));
        assert_eq!(read_retry(&early[..30]), None);
    }
}
