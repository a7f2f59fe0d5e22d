//! The rows of the feed; keys begin with `f`.
//!
//! | row | key | example (`O` an organization) |
//! |---|---|---|
//! | event | `fe` organization(16) lsn(8) index(2) | `fe O 0000000000000102 0001`: the second event of commit 258 |
//! | trimmed | `ft` organization(16) | `ft O`: the last event that is gone |

use crate::cursor::{CURSOR_OCTETS, Cursor};
use postroom_store::Key;
use postroom_types::OrganizationId;

/// All rows.
pub(crate) const ALL: &[u8] = b"f";

/// All events.
pub(crate) const EVENTS: &[u8] = b"fe";

/// Where the lsn stands in the key of an event.
pub(crate) const LSN_OF_EVENT: usize = EVENTS.len() + 16;

/// Prefix of an organization's events.
pub(crate) fn events(organization: OrganizationId) -> Key {
    [EVENTS, organization.as_bytes()].concat()
}

pub(crate) fn event(organization: OrganizationId, cursor: Cursor) -> Key {
    let mut key = Key::with_capacity(LSN_OF_EVENT + CURSOR_OCTETS);
    key.extend(EVENTS);
    key.extend(organization.as_bytes());
    key.extend(cursor.to_octets());
    key
}

const TRIMMED: &[u8] = b"ft";

pub(crate) fn trimmed(organization: OrganizationId) -> Key {
    [TRIMMED, organization.as_bytes()].concat()
}

/// Of whose feed a row says how far it is trimmed.
pub(crate) fn read_trimmed(key: &[u8]) -> Option<OrganizationId> {
    let organization = key.strip_prefix(TRIMMED)?;
    organization.try_into().ok().map(OrganizationId::from_bytes)
}

/// Whose event a key is, and its place.
pub(crate) fn read_event(key: &[u8]) -> Option<(OrganizationId, Cursor)> {
    let (organization, cursor) = key.strip_prefix(EVENTS)?.split_first_chunk::<16>()?;
    let cursor = <[u8; CURSOR_OCTETS]>::try_from(cursor).ok()?;
    Some((OrganizationId::from_bytes(*organization), Cursor::from_octets(cursor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::Lsn;

    #[test]
    fn the_lsn_stands_where_the_store_patches_it() {
        let organization = OrganizationId::from_bytes([7; 16]);
        let cursor = Cursor {
            lsn: Lsn(258),
            index: 1,
        };
        let key = event(organization, cursor);
        assert_eq!(key[LSN_OF_EVENT..][..8], 258u64.to_be_bytes());
        assert_eq!(key[LSN_OF_EVENT + 8..], [0, 1]);
        assert_eq!(read_event(&key), Some((organization, cursor)));
        assert!(key.starts_with(&events(organization)));
        for other in [
            &b"fe"[..],
            &key[..20],
            &[key.as_slice(), &[0]].concat(),
            &trimmed(organization),
        ] {
            assert_eq!(read_event(other), None);
        }
        assert_eq!(read_trimmed(&trimmed(organization)), Some(organization));
        assert_eq!(read_trimmed(&key), None);
    }
}
