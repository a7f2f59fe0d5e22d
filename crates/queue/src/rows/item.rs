//! The item row: one recipient and where it stands.

use crate::codec::{Corrupt, Reader, Writer};
use crate::keys::{self, LineId};
use crate::model::{Contact, Destination, ItemId, ItemState, NewQueued, NewRecipient, Reason};
use crate::view::RecipientStatus;
use postroom_store::{Key, Value};
use postroom_types::{EmailAddress, InboxId, OrganizationId, ReversePath};

/// The version of what is written now. The first had no organization, the second did not know of being held back.
const VERSION: u8 = 3;

/// What the operator wants of an item that is being attempted, once that ends undelivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Wish {
    None = 0,
    Hold = 1,
    Cancel = 2,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemRow {
    pub(crate) state: ItemState,
    pub(crate) wish: Wish,
    /// The sender was told that it takes longer.
    pub(crate) delay_told: bool,
    pub(crate) reports: u8,
    /// Attempts begun.
    pub(crate) attempts: u32,
    pub(crate) created_at: i64,
    /// Where it stands in the due index, while it is queued or being attempted.
    pub(crate) due_at: i64,
    pub(crate) changed_at: i64,
    pub(crate) size_octets: u64,
    pub(crate) sender: Option<InboxId>,
    /// Whose feed tells what becomes of it.
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) reverse_path: ReversePath,
    pub(crate) address: EmailAddress,
    pub(crate) destination: Destination,
    pub(crate) reason: Reason,
    pub(crate) contact: Contact,
    /// How long it was held back because its sender's organization was suspended, in milliseconds: that does not count
    /// as its age. Up to `due_at`, as long as it is.
    pub(crate) held_back_ms: i64,
    /// It is held back now if this is `due_at`.
    pub(crate) held_back_until: i64,
}

impl ItemRow {
    pub(crate) fn of(message: &NewQueued, recipient: &NewRecipient) -> Self {
        Self {
            state: if message.held.is_some() {
                ItemState::OnHold
            } else {
                ItemState::Queued
            },
            wish: Wish::None,
            delay_told: false,
            reports: 0,
            attempts: 0,
            created_at: message.created_at,
            due_at: message.created_at,
            changed_at: message.created_at,
            size_octets: message.prefix.len() as u64 + message.body.octets,
            sender: message.sender,
            organization: message.organization,
            reverse_path: message.reverse_path.clone(),
            address: recipient.address.clone(),
            destination: recipient.destination.clone(),
            reason: Reason {
                text: message.held.clone().unwrap_or_default(),
                ..Reason::default()
            },
            contact: Contact::default(),
            held_back_ms: 0,
            held_back_until: 0,
        }
    }

    /// From when on its age counts, as if it had come as much later as it was held back.
    pub(crate) const fn aged_from(&self) -> i64 {
        self.created_at.saturating_add(self.held_back_ms)
    }

    /// It, held back until a time.
    pub(crate) fn held_back(&self, now: i64, until: i64) -> Self {
        Self {
            due_at: until,
            held_back_ms: self.held_back_ms.saturating_add(until.saturating_sub(now).max(0)),
            held_back_until: until,
            ..self.clone()
        }
    }

    /// It, due at once.
    pub(crate) fn due_now(&self, now: i64) -> Self {
        let early = match self.held_back_until == self.due_at {
            true => self.due_at.saturating_sub(now).max(0),
            false => 0,
        };
        Self {
            state: ItemState::Queued,
            due_at: now,
            held_back_ms: self.held_back_ms.saturating_sub(early).max(0),
            ..self.clone()
        }
    }

    /// Whether it has a row in the due index.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.state, ItemState::Queued | ItemState::Attempting)
    }

    /// Its key in the due index, if it has one.
    pub(crate) fn due_key(&self, id: ItemId) -> Option<Key> {
        self.is_pending()
            .then(|| keys::due(LineId::of(&self.destination), self.due_at, id))
    }

    pub(crate) fn status(&self, id: ItemId) -> RecipientStatus {
        RecipientStatus {
            id,
            address: self.address.clone(),
            destination: self.destination.clone(),
            sender: self.sender,
            reverse_path: self.reverse_path.clone(),
            state: self.state,
            created_at: self.created_at,
            size_octets: self.size_octets,
            attempts: self.attempts,
            next_attempt: (self.state == ItemState::Queued).then_some(self.due_at),
            changed_at: self.changed_at,
            reason: self.reason.clone(),
            contact: self.contact.clone(),
            reports: Vec::new(),
        }
    }

    pub(crate) fn write(&self) -> Value {
        let mut writer = Writer::version(VERSION);
        writer.u8(self.state as u8);
        writer.u8(self.wish as u8);
        writer.bool(self.delay_told);
        writer.u8(self.reports);
        writer.u32(self.attempts);
        writer.i64(self.created_at);
        writer.i64(self.due_at);
        writer.i64(self.changed_at);
        writer.u64(self.size_octets);
        writer.inbox(self.sender);
        writer.reverse_path(&self.reverse_path);
        writer.bytes(self.address.to_string().as_bytes());
        writer.destination(&self.destination);
        writer.reason(&self.reason);
        writer.contact(&self.contact);
        writer.organization(self.organization);
        writer.i64(self.held_back_ms);
        writer.i64(self.held_back_until);
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let (version, mut reader) = Reader::versions(value, "queue item", VERSION)?;
        let row = Self {
            state: state(reader.u8()?).ok_or(reader.corrupt())?,
            wish: match reader.u8()? {
                0 => Wish::None,
                1 => Wish::Hold,
                2 => Wish::Cancel,
                _ => return Err(reader.corrupt()),
            },
            delay_told: reader.bool()?,
            reports: reader.u8()?,
            attempts: reader.u32()?,
            created_at: reader.i64()?,
            due_at: reader.i64()?,
            changed_at: reader.i64()?,
            size_octets: reader.u64()?,
            sender: reader.inbox()?,
            reverse_path: reader.reverse_path()?,
            address: reader.address()?,
            destination: reader.destination()?,
            reason: reader.reason()?,
            contact: reader.contact()?,
            organization: if version == 1 { None } else { reader.organization()? },
            held_back_ms: if version < 3 { 0 } else { reader.i64()? },
            held_back_until: if version < 3 { 0 } else { reader.i64()? },
        };
        reader.end()?;
        Ok(row)
    }
}

const fn state(byte: u8) -> Option<ItemState> {
    Some(match byte {
        1 => ItemState::Queued,
        2 => ItemState::Attempting,
        3 => ItemState::OnHold,
        4 => ItemState::Delivered,
        5 => ItemState::Bounced,
        6 => ItemState::Expired,
        7 => ItemState::Cancelled,
        8 => ItemState::Held,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_types::Domain;

    fn sample(organization: Option<OrganizationId>) -> ItemRow {
        ItemRow {
            state: ItemState::Expired,
            wish: Wish::Cancel,
            delay_told: true,
            reports: 3,
            attempts: 17,
            created_at: 1,
            due_at: 2,
            changed_at: 3,
            size_octets: 4,
            sender: Some(InboxId::from_bytes([5; 16])),
            organization,
            reverse_path: ReversePath::Null,
            address: EmailAddress::parse("a@example.test").unwrap(),
            destination: Destination::Domain(Domain::parse("example.test").unwrap()),
            reason: Reason {
                code: 450,
                status: "4.2.0".into(),
                text: "Later".into(),
            },
            contact: Contact {
                host: "mx.example.test".into(),
                ..Contact::default()
            },
            held_back_ms: 0,
            held_back_until: 0,
        }
    }

    #[test]
    fn rows_round_trip() {
        for organization in [None, Some(OrganizationId::from_bytes([6; 16]))] {
            let row = sample(organization);
            assert_eq!(ItemRow::read(&row.write()), Ok(row));
        }
    }

    #[test]
    fn older_versions_stay_readable() {
        let mut value = sample(None).write();
        value.truncate(value.len() - 16);
        value[0] = 2;
        assert_eq!(ItemRow::read(&value), Ok(sample(None)));
        value[0] = 1;
        assert_eq!(value.pop(), Some(0));
        assert_eq!(ItemRow::read(&value), Ok(sample(None)));
        value[0] = VERSION + 1;
        assert!(ItemRow::read(&value).is_err());
    }

    #[test]
    fn being_held_back_makes_nothing_older() {
        let row = ItemRow {
            state: ItemState::Queued,
            ..sample(None)
        };
        let held = row.held_back(1000, 5000);
        assert_eq!((held.due_at, held.aged_from()), (5000, row.created_at + 4000));
        // Let go after one second of four.
        let free = held.due_now(2000);
        assert_eq!((free.due_at, free.aged_from()), (2000, row.created_at + 1000));
        // What waits for its next attempt has not been held back, even if it was before.
        let waiting = ItemRow { due_at: 9000, ..free };
        assert_eq!(waiting.due_now(3000).aged_from(), row.created_at + 1000);
    }
}
