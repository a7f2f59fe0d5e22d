//! Where a request for an inbox leads: to one that is there, to a free name, or nowhere.
//!
//! What always holds: what is found free comes with the rows that must be unchanged for it to be still free; the commit
//! asks for them, so nothing here needs to be locked.

use crate::create::CreateInbox;
use crate::keys;
use crate::names::{SUFFIXES, derive_username, parse_username, random_username, with_suffix};
use crate::record::{AddressRow, InboxRecord, Organization, Request, decode, decode_id};
use crate::{Identity, IdentityError};
use postroom_store::{Key, StoreError, Value};
use postroom_types::{Domain, EmailAddress, InboxId, OrganizationId, PodId};

/// Candidates looked at together.
const CANDIDATES_A_READ: u32 = 11;
/// Random names looked at in one go; there are 2.6 thousand million.
const RANDOM_NAMES: usize = 8;

/// What the rows say about a request.
pub(crate) enum Place {
    Existed(Box<InboxRecord>),
    Taken {
        requested: EmailAddress,
        attempted: EmailAddress,
    },
    Free(Free),
}

/// A free address, and what must hold for it to be still free.
pub(crate) struct Free {
    pub(crate) address: EmailAddress,
    /// The organization's own tombstone that lies there.
    pub(crate) tombstone: Option<Value>,
    pub(crate) memory: Memory,
}

/// What is remembered of the name asked for.
pub(crate) enum Memory {
    /// No name was asked for.
    Nothing,
    /// Nothing yet; to be written.
    New(Request),
    /// Another inbox that was given for this name before; stays.
    Kept(Key, Value),
}

impl Identity {
    /// Where a request for a name leads; `None` means that the rows changed while they were read.
    pub(crate) async fn place_for_name(
        &self,
        request: &CreateInbox,
        pod: PodId,
        asked: &EmailAddress,
    ) -> Result<Option<Place>, IdentityError> {
        let within = request.restrict_to_pod.then_some(pod);
        let memory_key = keys::request(request.organization, within, asked);
        let rows = self.store.get_many(&[memory_key.clone(), keys::address(asked)]).await?;
        let [remembered, row] = <[Option<Value>; 2]>::try_from(rows).unwrap_or_default();

        let is_own = |row: &AddressRow| match row {
            AddressRow::Inbox {
                organization,
                pod,
                canonical,
                ..
            } => *canonical && *organization == request.organization && within.is_none_or(|within| within == *pod),
            AddressRow::Handle { .. } | AddressRow::Tombstone { .. } => false,
        };
        let row = row
            .map(|value| Ok::<_, StoreError>((decode::<AddressRow>(&value)?, value)))
            .transpose()?;
        if let Some((AddressRow::Inbox { inbox, .. }, _)) = row.as_ref().filter(|(row, _)| is_own(row)) {
            return Ok(self
                .live_inbox(*inbox)
                .await?
                .map(|inbox| Place::Existed(Box::new(inbox))));
        }
        let memory = match remembered {
            None => Memory::New(Request {
                address: asked.clone(),
                within_pod: request.restrict_to_pod,
            }),
            Some(value) if request.strict => Memory::Kept(memory_key, value),
            Some(value) => {
                let inbox = self.live_inbox(InboxId::from_bytes(decode_id(&value)?)).await?;
                return Ok(inbox.map(|inbox| Place::Existed(Box::new(inbox))));
            }
        };
        let tombstone = match row {
            None => Some(None),
            Some((AddressRow::Tombstone { organization }, value)) if organization == request.organization => {
                Some(Some(value))
            }
            Some(_) => None,
        };
        if let Some(tombstone) = tombstone {
            return Ok(Some(Place::Free(Free {
                address: asked.clone(),
                tombstone,
                memory,
            })));
        }
        if request.strict {
            return Ok(Some(Place::Taken {
                requested: asked.clone(),
                attempted: asked.clone(),
            }));
        }
        Ok(Some(match self.first_free(request.organization, asked, 1).await? {
            Some((address, tombstone)) => Place::Free(Free {
                address,
                tombstone,
                memory,
            }),
            None => Place::Taken {
                requested: asked.clone(),
                attempted: with_suffix(asked, SUFFIXES),
            },
        }))
    }

    /// Where a request for a name leads that is to make a new inbox or none.
    pub(crate) async fn place_for_new(
        &self,
        own: OrganizationId,
        asked: &EmailAddress,
    ) -> Result<Place, IdentityError> {
        let row = self.row::<AddressRow>(&keys::address(asked)).await?;
        let tombstone = match row {
            None => None,
            Some((value, AddressRow::Tombstone { organization })) if organization == own => Some(value),
            Some(_) => {
                return Ok(Place::Taken {
                    requested: asked.clone(),
                    attempted: asked.clone(),
                });
            }
        };
        Ok(Place::Free(Free {
            address: asked.clone(),
            tombstone,
            memory: Memory::Nothing,
        }))
    }

    /// A name that nobody asked for and nobody has.
    pub(crate) async fn place_at_random(&self, domain: &Domain) -> Result<Place, IdentityError> {
        let mut address = parse_username(&random_username(), domain)?;
        for _ in 1..RANDOM_NAMES {
            if !self.is_reserved(address.local_part()) && self.store.get(&keys::address(&address)).await?.is_none() {
                break;
            }
            address = parse_username(&random_username(), domain)?;
        }
        Ok(Place::Free(Free {
            address,
            tombstone: None,
            memory: Memory::Nothing,
        }))
    }

    /// Where a request without a name leads: the organization's name, or the first free one after it.
    pub(crate) async fn place_for_any(
        &self,
        organization: &Organization,
        domain: &Domain,
    ) -> Result<Place, IdentityError> {
        let mut name = derive_username(&organization.name);
        if self.is_reserved(&name) {
            name.push_str("-inbox");
        }
        let base = parse_username(&name, domain)?;
        Ok(match self.first_free(organization.id, &base, 0).await? {
            Some((address, tombstone)) => Place::Free(Free {
                address,
                tombstone,
                memory: Memory::Nothing,
            }),
            None => Place::Taken {
                attempted: with_suffix(&base, SUFFIXES),
                requested: base,
            },
        })
    }

    /// The first candidate that nobody has, or where the organization's own tombstone lies. Suffix 0 is the base itself.
    async fn first_free(
        &self,
        own: OrganizationId,
        base: &EmailAddress,
        from: u32,
    ) -> Result<Option<(EmailAddress, Option<Value>)>, IdentityError> {
        let candidate = |suffix| {
            if suffix == 0 {
                base.clone()
            } else {
                with_suffix(base, suffix)
            }
        };
        let mut suffix = from;
        while suffix <= SUFFIXES {
            let next = (suffix + CANDIDATES_A_READ).min(SUFFIXES + 1);
            let candidates: Vec<EmailAddress> = (suffix..next).map(candidate).collect();
            let keys: Vec<Key> = candidates.iter().map(keys::address).collect();
            let rows = self.store.get_many(&keys).await?;
            for (candidate, row) in candidates.into_iter().zip(rows) {
                if self.is_reserved(candidate.local_part()) {
                    continue;
                }
                match row {
                    None => return Ok(Some((candidate, None))),
                    Some(value) => {
                        if decode::<AddressRow>(&value)? == (AddressRow::Tombstone { organization: own }) {
                            return Ok(Some((candidate, Some(value))));
                        }
                    }
                }
            }
            suffix = next;
        }
        Ok(None)
    }
}
