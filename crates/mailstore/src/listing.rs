//! Messages in the order of their time, filtered: what lists of the API are made of.
//!
//! What always holds: a call looks at a bounded number of rows, whatever the filters let through; where it stopped, the
//! next one goes on, also if nothing was found.

mod filter;
mod undated;
mod walk;
mod window;

pub(crate) use filter::Filter;
pub use filter::{Include, ListQuery};
pub use window::{MAX_WINDOW_OFFSET, Window, WindowQuery};

use crate::labels::Known;
use crate::rows::{InboxRow, MetaRow};
use crate::{Labels, MailError, Mailstore, MessageRecord, keys};
use postroom_store::{Key, Value};
use postroom_types::{EmailId, InboxId, ModSeq, Summary};

/// Most message rows that one call looks at.
pub(crate) const MAX_LOOKS: usize = 2000;
/// How often a summary is looked for again whose message moved while it was read.
const LOOKS: usize = 5;

/// A message with what a list shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The message.
    pub record: MessageRecord,
    /// Its labels.
    pub labels: Labels,
    /// Its summary.
    pub summary: Summary,
    /// The modseq of the last change to it.
    pub modseq: ModSeq,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Listed>,
    /// Where the list goes on, beyond this message; `None`: it is at its end.
    pub next: Option<EmailId>,
}

impl Mailstore {
    /// Up to `limit` messages that match, beyond `cursor` (or from the beginning), newest first unless the query says
    /// otherwise. Drafts are never among them. The order is that in which the server took them.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn list(
        &self,
        inbox: InboxId,
        query: &ListQuery,
        cursor: Option<EmailId>,
        limit: usize,
    ) -> Result<MessagePage, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let filter = Filter::new(query);
        let mut walk = self.walk(inbox, query, cursor).await?;
        let mut found: Vec<Listed> = Vec::new();
        // One more than asked for tells whether there are more.
        while found.len() <= limit && walk.looked() < MAX_LOOKS {
            let wanted = limit + 1 - found.len();
            let Some(rows) = walk.next(self, wanted).await? else {
                break;
            };
            let known = self.known_of(inbox, rows).await?;
            let good = known.into_iter().filter(|known| filter.takes(known, &roles));
            let listed = self.listed(inbox, &roles, good.collect()).await?;
            found.extend(listed.into_iter().filter(|listed| filter.takes_text(&listed.summary)));
        }
        let next = if found.len() > limit {
            found.truncate(limit);
            found.last().map(|last| last.record.email_id).or(cursor)
        } else {
            walk.position()
        };
        Ok(MessagePage { messages: found, next })
    }

    /// The first message that a list beyond `cursor` looks at, whether it matches or not.
    ///
    /// # Errors
    /// The store's own.
    pub async fn first_place(
        &self,
        inbox: InboxId,
        query: &ListQuery,
        cursor: Option<EmailId>,
    ) -> Result<Option<EmailId>, MailError> {
        let mut walk = self.walk(inbox, query, cursor).await?;
        while let Some(rows) = walk.next(self, 1).await? {
            if let Some((id, _)) = rows.first() {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    /// Messages by id with what a list shows of them, in their order; those that are gone are left out. Drafts too.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn list_of(&self, inbox: InboxId, ids: &[EmailId]) -> Result<Vec<Listed>, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let known = self.known(inbox, ids).await?;
        self.listed(inbox, &roles, known.into_iter().flatten().collect()).await
    }

    /// When a change of this modseq was made, milliseconds since 1970 UTC; `None` if that is no longer known.
    ///
    /// # Errors
    /// The store's own.
    pub async fn changed_at(&self, inbox: InboxId, modseqs: &[ModSeq]) -> Result<Vec<Option<i64>>, MailError> {
        let keys: Vec<Key> = modseqs.iter().map(|modseq| keys::feed(inbox, *modseq)).collect();
        let values = self.store.get_many(&keys).await?;
        let mut times = Vec::with_capacity(modseqs.len());
        for (modseq, value) in modseqs.iter().zip(values) {
            let entry = value
                .map(|value| crate::rows::FeedRow::read(*modseq, &value))
                .transpose()?;
            times.push(entry.map(|entry| entry.at));
        }
        Ok(times)
    }

    /// Adds the summaries; messages that are gone by now are left out.
    pub(crate) async fn listed(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        mut known: Vec<Known>,
    ) -> Result<Vec<Listed>, MailError> {
        let mut summaries = self.summaries(inbox, &known).await?;
        for _ in 0..LOOKS {
            let missing: Vec<usize> = (0..known.len()).filter(|index| summaries[*index].is_none()).collect();
            if missing.is_empty() {
                break;
            }
            // Moved between two reads: its placements are others now.
            let ids: Vec<EmailId> = missing.iter().map(|index| known[*index].email_id).collect();
            let (mut again, mut places) = (Vec::new(), Vec::new());
            for (index, message) in missing.into_iter().zip(self.known(inbox, &ids).await?) {
                if let Some(message) = message {
                    again.push(message);
                    places.push(index);
                }
            }
            let read = self.summaries(inbox, &again).await?;
            for ((index, message), summary) in places.into_iter().zip(again).zip(read) {
                known[index] = message;
                summaries[index] = summary;
            }
        }
        let listed = known.into_iter().zip(summaries).filter_map(|(known, summary)| {
            Some(Listed {
                labels: known.labels(roles),
                modseq: known.modseq(),
                summary: summary?,
                record: known.row.record(known.email_id),
            })
        });
        Ok(listed.collect())
    }

    /// Summaries of messages, in their order; `None` if the message moved since it was read.
    async fn summaries(&self, inbox: InboxId, known: &[Known]) -> Result<Vec<Option<Summary>>, MailError> {
        let key = |known: &Known| {
            let placed = known.placements.first()?;
            Some(keys::metadata(inbox, placed.mailbox, u64::from(placed.uid.get())))
        };
        let with_keys: Vec<Option<Key>> = known.iter().map(key).collect();
        let keys: Vec<Key> = with_keys.iter().flatten().cloned().collect();
        let mut values = self.store.get_many(&keys).await?.into_iter();
        let mut summaries = Vec::with_capacity(known.len());
        for key in with_keys {
            let value: Option<Value> = key.and_then(|_| values.next().flatten());
            summaries.push(match value {
                None => None,
                Some(value) => {
                    let found = self.summary_of(&MetaRow::raw(&value)?).await?;
                    found.map(|(summary, _)| summary)
                }
            });
        }
        Ok(summaries)
    }
}
