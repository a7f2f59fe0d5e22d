//! A part of the messages of an inbox by its distance from the newest, and how many there are: for lists in numbered
//! pages.
//!
//! What always holds: a call looks at a bounded number of messages. Where it stopped before the end, the counters of the
//! inbox tell how many may follow.

use super::Listed;
use crate::labels::Known;
use crate::rows::{InboxRow, MessageRow, Role};
use crate::{Include, Labels, MailError, Mailstore, keys};
use postroom_store::{Value, prefix_end, scan};
use postroom_types::{EmailId, InboxId, MessageFlags};
use std::collections::BTreeMap;

/// The furthest a window may be from the newest message.
pub const MAX_WINDOW_OFFSET: u64 = 100_000;
/// Messages that are looked at to count them; more if only one direction is asked for, of which there is no counter.
const COUNTED: u64 = 10_000;
const COUNTED_OF_ONE_DIRECTION: u64 = 50_000;
/// Most messages that are looked at: what is not shown stands between what is.
const MAX_LOOKS: u64 = 150_000;
/// Messages looked at together.
const PIECE: usize = 500;

/// What a window is to show.
#[derive(Clone, Copy, Debug)]
pub struct WindowQuery {
    /// What is not left out.
    pub include: Include,
    /// Only what has the label `sent`, or only what has it not.
    pub sent: Option<bool>,
    /// How many newer ones are passed over; at most [`MAX_WINDOW_OFFSET`].
    pub offset: u64,
    /// How many are shown.
    pub limit: usize,
}

/// A part of the messages of an inbox, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The messages.
    pub messages: Vec<Listed>,
    /// How many match in all. Exact if the walk came to its end, as it does in inboxes of up to 10,000 messages (50,000 of
    /// one direction); beyond that the rest is what the counters say: all that is not in a mailbox that is left out.
    pub total: u64,
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    looked: u64,
    matching: u64,
    /// In a place that is left out.
    hidden: u64,
    wanted: Vec<EmailId>,
}

impl Mailstore {
    /// See the module.
    ///
    /// # Errors
    /// [`MailError::Limit`] (the offset), [`MailError::NoSuchInbox`]; the store's own.
    pub async fn window(&self, inbox: InboxId, query: &WindowQuery) -> Result<Window, MailError> {
        if query.offset > MAX_WINDOW_OFFSET {
            return Err(MailError::Limit("too large an offset"));
        }
        let roles = self.inbox_row(inbox).await?;
        let prefix = keys::messages(inbox);
        let high = prefix_end(&prefix);
        let mut rows = scan(&*self.store, prefix, high).reverse().page_pairs(PIECE);
        let mut seen = Seen::default();
        let counted = match query.sent {
            None => COUNTED,
            Some(_) => COUNTED_OF_ONE_DIRECTION,
        };
        let mut is_whole = false;
        while !is_whole && seen.looked < MAX_LOOKS && (seen.wanted.len() < query.limit || seen.looked < counted) {
            let mut piece: Vec<(EmailId, Value)> = Vec::with_capacity(PIECE);
            while piece.len() < PIECE {
                let Some((key, value)) = rows.next().await? else {
                    is_whole = true;
                    break;
                };
                piece.extend(keys::trailing_id(&key).map(|id| (EmailId::from_bytes(id), value)));
            }
            for (id, labels) in self.labels_of(inbox, &roles, piece).await? {
                seen.take(query, id, labels.as_ref());
            }
        }
        let rest = match is_whole {
            true => 0,
            false => self.rest(inbox, &roles, query.include, &seen).await?,
        };
        let known: Vec<Known> = self.known(inbox, &seen.wanted).await?.into_iter().flatten().collect();
        Ok(Window {
            messages: self.listed(inbox, &roles, known).await?,
            total: seen.matching + rest,
        })
    }

    /// The labels of messages, in their order, as far as they tell whether one is shown; none of one that is gone.
    async fn labels_of(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        piece: Vec<(EmailId, Value)>,
    ) -> Result<Vec<(EmailId, Option<Labels>)>, MailError> {
        let mut labels = Vec::with_capacity(piece.len());
        let mut in_several = Vec::new();
        for (id, value) in piece {
            let row = MessageRow::read(&value)?;
            let alone = match row.placements.as_slice() {
                // Where the only placement is says it, whatever its flags are.
                [(mailbox, _)] => {
                    let flags = MessageFlags::default();
                    let placement = std::iter::once((*mailbox, &flags));
                    Some(Labels::compute(roles, row.origin, &row.verdict, placement))
                }
                _ => {
                    in_several.push((id, value));
                    None
                }
            };
            labels.push((id, alone));
        }
        let known = self.known_of(inbox, in_several).await?;
        let mut several: BTreeMap<EmailId, Labels> = known
            .iter()
            .map(|known| (known.email_id, known.labels(roles)))
            .collect();
        for (id, labels) in labels.iter_mut().filter(|(_, labels)| labels.is_none()) {
            *labels = several.remove(id);
        }
        Ok(labels)
    }

    /// How many may follow those that were looked at: the rest of all, less those that are in a place left out.
    async fn rest(&self, inbox: InboxId, roles: &InboxRow, include: Include, seen: &Seen) -> Result<u64, MailError> {
        let places = [
            (Role::Drafts, false),
            (Role::Spam, include.spam),
            (Role::Trash, include.trash),
            (Role::Blocked, include.blocked),
        ];
        let mut hidden = 0;
        for (role, _) in places.into_iter().filter(|(_, is_shown)| !is_shown) {
            hidden += u64::from(self.status(inbox, roles.id_of(role)).await?.messages);
        }
        let left = self.usage(inbox).await?.messages.saturating_sub(seen.looked);
        Ok(left.saturating_sub(hidden.saturating_sub(seen.hidden)))
    }
}

impl Seen {
    fn take(&mut self, query: &WindowQuery, id: EmailId, labels: Option<&Labels>) {
        self.looked += 1;
        let Some(labels) = labels else { return };
        if !query.include.shows(labels) {
            self.hidden += u64::from(labels.draft || labels.spam || labels.trash || labels.blocked);
        } else if query.sent.is_none_or(|sent| sent == labels.sent) {
            if self.matching >= query.offset && self.wanted.len() < query.limit {
                self.wanted.push(id);
            }
            self.matching += 1;
        }
    }
}
