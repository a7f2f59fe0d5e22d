//! What a change of some placements makes of the labels of whole messages.
//!
//! What always holds: what is told are the labels computed of all placements before and after; and the commit asks that the
//! placements which it does not change are as they were read, so that of two changes at once none tells what the other
//! made untrue.

use super::{Known, Labels, known::KnownPlacement};
use crate::change::Change;
use crate::flags::same;
use crate::rows::{FlagsRow, InboxRow, MessageRow};
use crate::{MailError, Mailstore, keys};
use postroom_store::{Key, Value};
use postroom_types::{EmailId, InboxId, MailboxId, MessageFlags, Uid};
use std::collections::BTreeMap;

/// Keys of one `get_many`.
const GET_PIECE: usize = 1000;

/// Message rows as they are stored, and as they read.
pub(crate) type MessageRows = BTreeMap<EmailId, (Value, MessageRow)>;

/// A placement: where it is, and its flags.
pub(crate) type Placement = (MailboxId, MessageFlags);

/// What is to be told of one message, and what that rests on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    labels: Vec<(String, bool)>,
    /// The flags rows of the placements that stay as they are.
    unchanged: Vec<(Key, Value)>,
}

impl Told {
    /// How many labels are told of.
    pub(crate) fn labels(&self) -> usize {
        self.labels.len()
    }

    /// Adds it to the commit.
    pub(crate) fn add(self, change: &mut Change, message: EmailId) {
        for (label, added) in self.labels {
            change.tell_label(label, added, message);
        }
        for (key, value) in self.unchanged {
            change.builder.require(key, value);
        }
    }
}

impl Known {
    /// What is to be told when of each placement this becomes (`None`: it goes), and these come.
    pub(crate) fn told(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        then: impl Fn(&KnownPlacement) -> Option<Placement>,
        more: &[Placement],
    ) -> Told {
        let (mut after, mut unchanged) = (Vec::new(), Vec::new());
        for placed in &self.placements {
            let Some((mailbox, flags)) = then(placed) else { continue };
            if mailbox == placed.mailbox && same(&flags, &placed.flags.flags) {
                let key = keys::flags(inbox, mailbox, u64::from(placed.uid.get()));
                unchanged.push((key, placed.value.clone()));
            }
            after.push((mailbox, flags));
        }
        after.extend_from_slice(more);
        let (before, row) = (self.labels(roles), &self.row);
        let placements = after.iter().map(|(mailbox, flags)| (*mailbox, flags));
        let after = Labels::compute(roles, row.origin, &row.verdict, placements);
        Told {
            labels: before.changes(&after),
            unchanged,
        }
    }
}

impl Labels {
    /// Those that others have and these have not, with `true`, and the other way round.
    pub(super) fn changes(&self, after: &Self) -> Vec<(String, bool)> {
        let gained = after.names().into_iter().filter(|name| !self.contains(name));
        let lost = self.names().into_iter().filter(|name| !after.contains(name));
        let gained = gained.map(|name| (name, true));
        gained.chain(lost.map(|name| (name, false))).collect()
    }
}

impl Mailstore {
    /// The messages of some placements of a mailbox, with all their placements elsewhere; `None` if they do not fit
    /// together, because something changed meanwhile.
    pub(crate) async fn known_around(
        &self,
        inbox: InboxId,
        mailbox: MailboxId,
        here: &[(Uid, Value, FlagsRow)],
        messages: MessageRows,
    ) -> Result<Option<Vec<Known>>, MailError> {
        let mut elsewhere: Vec<Key> = Vec::new();
        for (_, row) in messages.values() {
            for (at, uid) in &row.placements {
                if place_of(here, *uid).is_none() || *at != mailbox {
                    elsewhere.push(keys::flags(inbox, *at, *uid));
                }
            }
        }
        let mut values = Vec::with_capacity(elsewhere.len());
        for piece in elsewhere.chunks(GET_PIECE) {
            values.extend(self.store.get_many(piece).await?);
        }
        let mut values = values.into_iter();
        let mut known = Vec::with_capacity(messages.len());
        for (email_id, (value, row)) in messages {
            let mut placements = Vec::with_capacity(row.placements.len());
            for (at, uid) in &row.placements {
                let (value, flags) = match place_of(here, *uid) {
                    Some(place) if *at == mailbox => (here[place].1.clone(), here[place].2.clone()),
                    _ => {
                        let Some(value) = values.next().flatten() else {
                            return Ok(None);
                        };
                        let flags = FlagsRow::read(&value)?;
                        (value, flags)
                    }
                };
                placements.push(KnownPlacement {
                    mailbox: *at,
                    uid: to_uid(*uid).ok_or(MailError::Unavailable)?,
                    value,
                    flags,
                });
            }
            known.push(Known {
                email_id,
                value,
                row,
                placements,
            });
        }
        Ok(Some(known))
    }

    /// The rows of messages; `None` if one is gone.
    pub(crate) async fn message_rows(&self, inbox: InboxId, ids: &[EmailId]) -> Result<Option<MessageRows>, MailError> {
        let values = self.message_values(inbox, ids).await?;
        let mut messages = MessageRows::new();
        for (id, value) in ids.iter().zip(values) {
            let Some(value) = value else { return Ok(None) };
            let row = MessageRow::read(&value)?;
            messages.insert(*id, (value, row));
        }
        Ok(Some(messages))
    }
}

fn place_of(here: &[(Uid, Value, FlagsRow)], uid: u64) -> Option<usize> {
    here.binary_search_by_key(&uid, |(uid, ..)| u64::from(uid.get())).ok()
}

fn to_uid(uid: u64) -> Option<Uid> {
    Uid::new(u32::try_from(uid).ok()?)
}
