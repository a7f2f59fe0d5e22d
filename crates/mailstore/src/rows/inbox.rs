//! The rows of an inbox as a whole and of its mailboxes.

use crate::codec::{Corrupt, Reader, Writer};
use crate::model::MailboxRef;
use postroom_types::{MailboxId, SpecialUse, UidValidity};

/// The mailboxes every inbox has for life. They can be renamed (INBOX cannot) but not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Role {
    Inbox = 1,
    Sent = 2,
    Drafts = 3,
    Spam = 4,
    Trash = 5,
    Archive = 6,
    Blocked = 7,
}

impl Role {
    /// All, in the order of their ids in the inbox row.
    pub(crate) const ALL: [Self; 7] = [
        Self::Inbox,
        Self::Sent,
        Self::Drafts,
        Self::Spam,
        Self::Trash,
        Self::Archive,
        Self::Blocked,
    ];

    /// The name a new inbox gives it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "INBOX",
            Self::Sent => "Sent",
            Self::Drafts => "Drafts",
            Self::Spam => "Spam",
            Self::Trash => "Trash",
            Self::Archive => "Archive",
            Self::Blocked => "Blocked",
        }
    }

    pub(crate) const fn special_use(self) -> Option<SpecialUse> {
        match self {
            Self::Inbox | Self::Blocked => None,
            Self::Sent => Some(SpecialUse::Sent),
            Self::Drafts => Some(SpecialUse::Drafts),
            Self::Spam => Some(SpecialUse::Junk),
            Self::Trash => Some(SpecialUse::Trash),
            Self::Archive => Some(SpecialUse::Archive),
        }
    }

    /// The label that stands for it, if one does.
    pub(crate) const fn label(self) -> Option<&'static str> {
        match self {
            Self::Spam => Some("spam"),
            Self::Trash => Some("trash"),
            Self::Blocked => Some("blocked"),
            Self::Inbox | Self::Sent | Self::Drafts | Self::Archive => None,
        }
    }

    /// Whether a message stays at home here, or only visits until its label is removed.
    pub(crate) const fn is_home(self) -> bool {
        !matches!(self, Self::Drafts | Self::Spam | Self::Trash | Self::Blocked)
    }
}

/// What an inbox is, beside its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxRow {
    pub(crate) quota_octets: u64,
    /// In the order of [`Role::ALL`].
    pub(crate) roles: [MailboxId; 7],
}

impl InboxRow {
    pub(crate) fn role_of(&self, mailbox: MailboxId) -> Option<Role> {
        let place = self.roles.iter().position(|id| *id == mailbox)?;
        Some(Role::ALL[place])
    }

    pub(crate) fn id_of(&self, role: Role) -> MailboxId {
        self.roles[role as usize - 1]
    }

    /// The mailbox, if it is one that every inbox has, or named by its id.
    pub(crate) fn find(&self, mailbox: MailboxRef) -> Option<MailboxId> {
        Some(match mailbox {
            MailboxRef::Id(id) => id,
            MailboxRef::Inbox => self.id_of(Role::Inbox),
            MailboxRef::Blocked => self.id_of(Role::Blocked),
            MailboxRef::Special(SpecialUse::Sent) => self.id_of(Role::Sent),
            MailboxRef::Special(SpecialUse::Drafts) => self.id_of(Role::Drafts),
            MailboxRef::Special(SpecialUse::Junk) => self.id_of(Role::Spam),
            MailboxRef::Special(SpecialUse::Trash) => self.id_of(Role::Trash),
            MailboxRef::Special(SpecialUse::Archive) => self.id_of(Role::Archive),
            MailboxRef::Special(SpecialUse::Important) => return None,
        })
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::value(128);
        writer.u64(self.quota_octets);
        for role in &self.roles {
            writer.raw(role.as_bytes());
        }
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::value(value, "inbox row")?;
        let quota_octets = reader.u64()?;
        let mut roles = [MailboxId::from_bytes([0; 16]); 7];
        for role in &mut roles {
            *role = MailboxId::from_bytes(reader.array()?);
        }
        reader.end()?;
        Ok(Self { quota_octets, roles })
    }
}

/// The version of a mailbox row that has a special use.
const MAILBOX_VERSION: u8 = 2;

/// A mailbox: its place in the tree and its UIDVALIDITY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailboxRow {
    /// `None` at the top.
    pub(crate) parent: Option<MailboxId>,
    pub(crate) uid_validity: UidValidity,
    pub(crate) leaf: String,
    /// Given to it when it was made; the uses of the mailboxes with a role are not here.
    pub(crate) special_use: Option<SpecialUse>,
}

impl MailboxRow {
    /// Where the UIDVALIDITY is patched into a new row.
    pub(crate) const UID_VALIDITY: usize = 17;

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = match self.special_use {
            None => Writer::value(64),
            Some(_) => Writer::version(MAILBOX_VERSION, 64),
        };
        writer.raw(self.parent.map_or([0; 16], |id| *id.as_bytes()).as_slice());
        writer.u64(u64::from(self.uid_validity.get()));
        writer.bytes(self.leaf.as_bytes());
        if let Some(special_use) = self.special_use {
            writer.bytes(special_use.attribute().as_bytes());
        }
        writer.finish()
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, Corrupt> {
        let (version, mut reader) = Reader::versions(value, "mailbox row", MAILBOX_VERSION)?;
        let parent = reader.array::<16>()?;
        let uid_validity = u32::try_from(reader.u64()?).ok().and_then(UidValidity::new);
        let row = Self {
            parent: (parent != [0; 16]).then(|| MailboxId::from_bytes(parent)),
            uid_validity: uid_validity.ok_or(reader.corrupt())?,
            leaf: reader.text()?.to_owned(),
            special_use: match version {
                MAILBOX_VERSION => Some(read_use(&mut reader)?),
                _ => None,
            },
        };
        reader.end()?;
        Ok(row)
    }
}

fn read_use(reader: &mut Reader<'_>) -> Result<SpecialUse, Corrupt> {
    let attribute = reader.text()?;
    let special_use = SpecialUse::ALL.into_iter().find(|known| known.attribute() == attribute);
    special_use.ok_or(reader.corrupt())
}

/// A value that is one number.
pub(crate) fn write_number(number: u64) -> Vec<u8> {
    let mut writer = Writer::value(9);
    writer.u64(number);
    writer.finish()
}

/// See [`write_number`].
pub(crate) fn read_number(value: &[u8]) -> Result<u64, Corrupt> {
    let mut reader = Reader::value(value, "number")?;
    let number = reader.u64()?;
    reader.end()?;
    Ok(number)
}
