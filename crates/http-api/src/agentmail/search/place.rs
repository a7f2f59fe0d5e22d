//! Where a page of a search begins.

use postroom_mailstore::Hit;
use postroom_types::{EmailId, InboxId};

/// Where a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Behind this inbox begin those that are searched.
    pub(super) inbox: Option<InboxId>,
    /// Below this hit.
    pub(super) hit: Option<Hit>,
}

impl Place {
    pub(super) fn write(self) -> Vec<u8> {
        let mut octets = self.inbox.map_or([0; 16], |id| *id.as_bytes()).to_vec();
        if let Some(hit) = self.hit {
            octets.push(hit.rank);
            octets.extend(hit.email_id.as_bytes());
        }
        octets
    }

    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let (inbox, rest) = octets.split_first_chunk::<16>()?;
        let hit = match rest.split_first() {
            None => None,
            Some((rank, id)) => Some(Hit {
                rank: *rank,
                email_id: EmailId::from_bytes(id.try_into().ok()?),
            }),
        };
        Some(Self {
            inbox: (*inbox != [0; 16]).then(|| InboxId::from_bytes(*inbox)),
            hit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_again() {
        let hit = Hit {
            rank: 3,
            email_id: EmailId::new(),
        };
        for place in [
            Place::default(),
            Place {
                inbox: Some(InboxId::new()),
                hit: Some(hit),
            },
        ] {
            assert_eq!(Place::read(&place.write()), Some(place));
        }
        for bad in [&[0; 15][..], &[0; 17], &[0; 40]] {
            assert_eq!(Place::read(bad), None);
        }
    }
}
