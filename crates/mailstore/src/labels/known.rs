//! Messages with all that their labels are made of.

use super::Labels;
use crate::attempts::Attempts;
use crate::rows::{FlagsRow, InboxRow, MessageRow};
use crate::{MailError, Mailstore, keys};
use postroom_store::{Key, Value};
use postroom_types::{EmailId, InboxId, MailboxId, ModSeq, Uid};
use std::collections::BTreeMap;

/// Keys of one `get_many`.
const GET_PIECE: usize = 1000;
/// How often a message is read again that moved while it was read.
const LOOKS: usize = 20;

/// One placement.
#[derive(Clone, Debug)]
pub(crate) struct KnownPlacement {
    pub(crate) mailbox: MailboxId,
    pub(crate) uid: Uid,
    /// The flags row as it is stored, and as it reads.
    pub(crate) value: Value,
    pub(crate) flags: FlagsRow,
}

/// A message row and the flags rows of all its placements, in their order there.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) email_id: EmailId,
    /// The message row as it is stored.
    pub(crate) value: Value,
    pub(crate) row: MessageRow,
    pub(crate) placements: Vec<KnownPlacement>,
}

impl Known {
    pub(crate) fn labels(&self, roles: &InboxRow) -> Labels {
        let placements = self
            .placements
            .iter()
            .map(|placed| (placed.mailbox, &placed.flags.flags));
        Labels::compute(roles, self.row.origin, &self.row.verdict, placements)
    }

    /// The modseq of the last change to any placement.
    pub(crate) fn modseq(&self) -> ModSeq {
        let modseqs = self.placements.iter().map(|placed| placed.flags.modseq);
        modseqs.max().unwrap_or(ModSeq(0))
    }
}

impl Mailstore {
    /// Messages by id, in their order; `None` for those that are gone.
    pub(crate) async fn known(&self, inbox: InboxId, ids: &[EmailId]) -> Result<Vec<Option<Known>>, MailError> {
        let values = self.message_values(inbox, ids).await?;
        let there = ids.iter().zip(values).filter_map(|(id, value)| Some((*id, value?)));
        let mut known: BTreeMap<EmailId, Known> = BTreeMap::new();
        for message in self.known_of(inbox, there.collect()).await? {
            known.insert(message.email_id, message);
        }
        Ok(ids.iter().map(|id| known.get(id).cloned()).collect())
    }

    /// Messages whose rows are read already, in their order; those that are gone by now are left out.
    pub(crate) async fn known_of(
        &self,
        inbox: InboxId,
        mut rows: Vec<(EmailId, Value)>,
    ) -> Result<Vec<Known>, MailError> {
        let order: Vec<EmailId> = rows.iter().map(|(id, _)| *id).collect();
        let mut known: BTreeMap<EmailId, Known> = BTreeMap::new();
        let mut attempts = Attempts::new();
        for _ in 0..LOOKS {
            attempts.next().await?;
            let moved = self.read_known(inbox, rows, &mut known).await?;
            if moved.is_empty() {
                break;
            }
            let values = self.message_values(inbox, &moved).await?;
            let there = moved.into_iter().zip(values);
            rows = there.filter_map(|(id, value)| Some((id, value?))).collect();
        }
        Ok(order.iter().filter_map(|id| known.remove(id)).collect())
    }

    /// Reads the flags rows; the messages that moved meanwhile.
    async fn read_known(
        &self,
        inbox: InboxId,
        rows: Vec<(EmailId, Value)>,
        known: &mut BTreeMap<EmailId, Known>,
    ) -> Result<Vec<EmailId>, MailError> {
        let mut messages = Vec::with_capacity(rows.len());
        let mut keys: Vec<Key> = Vec::with_capacity(rows.len());
        for (email_id, value) in rows {
            let row = MessageRow::read(&value)?;
            let places = row.placements.iter();
            keys.extend(places.map(|(mailbox, uid)| keys::flags(inbox, *mailbox, *uid)));
            messages.push((email_id, value, row));
        }
        let mut values = Vec::with_capacity(keys.len());
        for piece in keys.chunks(GET_PIECE) {
            values.extend(self.store.get_many(piece).await?);
        }
        let mut values = values.into_iter();
        let mut moved = Vec::new();
        for (email_id, value, row) in messages {
            let mut placements = Vec::with_capacity(row.placements.len());
            for ((mailbox, uid), flags) in row.placements.iter().zip(values.by_ref().take(row.placements.len())) {
                let (Some(flags), Some(uid)) = (flags, u32::try_from(*uid).ok().and_then(Uid::new)) else {
                    continue;
                };
                placements.push(KnownPlacement {
                    mailbox: *mailbox,
                    uid,
                    flags: FlagsRow::read(&flags)?,
                    value: flags,
                });
            }
            if placements.len() == row.placements.len() {
                let message = Known {
                    email_id,
                    value,
                    row,
                    placements,
                };
                known.insert(email_id, message);
            } else {
                moved.push(email_id);
            }
        }
        Ok(moved)
    }
}
