//! What labels messages were given and lost, as the feed of the inbox has it.

use crate::rows::FeedRow;
use crate::{FeedEvent, MailError, Mailstore, keys};
use postroom_store::{prefix_end, scan};
use postroom_types::{EmailId, InboxId, ModSeq};

/// Feed rows looked at in one call.
const MAX_ROWS: usize = 2000;

/// A place among the label events of an inbox: the modseq of the commit, and which of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelPlace {
    /// The commit.
    pub modseq: ModSeq,
    /// Counted from 0.
    pub index: u32,
}

/// A label was given to a message or taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelEvent {
    /// Its place.
    pub place: LabelPlace,
    /// When: milliseconds since 1970 UTC.
    pub at: i64,
    /// Which message.
    pub message: EmailId,
    /// As the API calls it.
    pub label: String,
    /// Given, or taken.
    pub added: bool,
}

/// Part of a list of label events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelEventPage {
    /// They.
    pub events: Vec<LabelEvent>,
    /// Where to go on, also if there are no events; `None` at the end.
    pub next: Option<LabelPlace>,
}

impl Mailstore {
    /// Up to `limit` label events of an inbox behind a place, newest first or ascending. One call looks at a bounded number
    /// of rows. What the feed no longer keeps ([`Options::feed_keep`](crate::Options)) is not told.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn label_events(
        &self,
        inbox: InboxId,
        after: Option<LabelPlace>,
        ascending: bool,
        limit: usize,
    ) -> Result<LabelEventPage, MailError> {
        let now = self.modseq(inbox).await?;
        let prefix = keys::kind(inbox, b'j');
        // The row of the place itself may have more to tell.
        let (low, high) = match after {
            Some(after) if ascending => (keys::feed(inbox, after.modseq), prefix_end(&prefix)),
            Some(after) => (prefix, keys::feed(inbox, ModSeq(after.modseq.0.saturating_add(1)))),
            None => (prefix.clone(), prefix_end(&prefix)),
        };
        let mut rows = scan(&*self.store, low, high).page_pairs(256);
        if !ascending {
            rows = rows.reverse();
        }
        let mut page = LabelEventPage::default();
        for _ in 0..MAX_ROWS {
            let Some((key, value)) = rows.next().await? else {
                page.next = None;
                return Ok(page);
            };
            let modseq = ModSeq(keys::trailing_number(&key).unwrap_or(0));
            if modseq > now {
                continue;
            }
            let mut events = events_of(modseq, &value)?;
            if !ascending {
                events.reverse();
            }
            let is_behind =
                |place: LabelPlace| after.is_none_or(|after| if ascending { place > after } else { place < after });
            for event in events.into_iter().filter(|event| is_behind(event.place)) {
                if page.events.len() == limit {
                    return Ok(page);
                }
                page.next = Some(event.place);
                page.events.push(event);
            }
            // What is behind this row is also behind its last event.
            let index = if ascending { u32::MAX } else { 0 };
            page.next = Some(LabelPlace { modseq, index });
        }
        Ok(page)
    }
}

fn events_of(modseq: ModSeq, value: &[u8]) -> Result<Vec<LabelEvent>, MailError> {
    let entry = FeedRow::read(modseq, value)?;
    let mut events = Vec::new();
    for event in entry.events {
        let FeedEvent::Labels(marks) = event else { continue };
        for mark in marks {
            for message in mark.messages {
                let index = u32::try_from(events.len()).unwrap_or(u32::MAX);
                events.push(LabelEvent {
                    place: LabelPlace { modseq, index },
                    at: entry.at,
                    message,
                    label: mark.label.clone(),
                    added: mark.added,
                });
            }
        }
    }
    Ok(events)
}
