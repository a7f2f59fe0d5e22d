//! Walking through the messages of an inbox in the order of their ids, which is that of their time: an id begins with
//! the millisecond in which the message came (RFC 9562 §5.7).

use super::{ListQuery, MAX_LOOKS};
use crate::{MailError, Mailstore, keys};
use postroom_store::{Key, Value, prefix_end};
use postroom_types::{EmailId, InboxId};

/// How far the time in an id and that of the message may lie apart: an id is made before the message is stored.
const SLACK_MS: i64 = 3_600_000;
/// Least and most rows of one page.
const PAGES: (usize, usize) = (8, 500);

/// See the module.
pub(crate) struct Walk {
    inbox: InboxId,
    /// The bound at which it began.
    start: Key,
    low: Key,
    high: Key,
    reverse: bool,
    looked: usize,
    last: Option<EmailId>,
    is_done: bool,
    page: usize,
}

impl Mailstore {
    /// A walk through what a query asks for, beyond `cursor` or from the beginning.
    pub(crate) async fn walk(
        &self,
        inbox: InboxId,
        query: &ListQuery,
        cursor: Option<EmailId>,
    ) -> Result<Walk, MailError> {
        // What came before a time may have an id from after it.
        let is_undated = query.before.is_some() && self.has_undated(inbox).await?;
        let before = query.before.filter(|_| !is_undated);
        Ok(Walk::new(inbox, query, before, cursor))
    }
}

impl Walk {
    fn new(inbox: InboxId, query: &ListQuery, before: Option<i64>, cursor: Option<EmailId>) -> Self {
        let prefix = keys::messages(inbox);
        let mut high = prefix_end(&prefix);
        let mut low = prefix;
        if let Some(before) = before {
            high = high.min(keys::message(inbox, first_of(before.saturating_add(SLACK_MS))));
        }
        if let Some(after) = query.after {
            low = low.max(keys::message(inbox, first_of(after.saturating_sub(SLACK_MS))));
        }
        match cursor.map(|cursor| keys::message(inbox, cursor)) {
            None => {}
            Some(key) if query.ascending => low = low.max([key.as_slice(), &[0]].concat()),
            Some(key) => high = high.min(key),
        }
        Self {
            inbox,
            start: if query.ascending { low.clone() } else { high.clone() },
            is_done: low >= high,
            low,
            high,
            reverse: !query.ascending,
            looked: 0,
            last: cursor,
            page: 0,
        }
    }

    /// How many rows were looked at.
    pub(crate) const fn looked(&self) -> usize {
        self.looked
    }

    /// Where to go on, unless the end was reached.
    pub(crate) fn position(&self) -> Option<EmailId> {
        if self.is_done { None } else { self.last }
    }

    /// Whether a message stands between the beginning of this walk and one that it gave out.
    pub(crate) fn is_passed(&self, id: EmailId, given: EmailId) -> bool {
        let key = keys::message(self.inbox, id);
        match self.reverse {
            true => id > given && key < self.start,
            false => id < given && key >= self.start,
        }
    }

    /// The next message rows, of which about `wanted` are needed; `None` at the end.
    pub(crate) async fn next(
        &mut self,
        mail: &Mailstore,
        wanted: usize,
    ) -> Result<Option<Vec<(EmailId, Value)>>, MailError> {
        if self.is_done {
            return Ok(None);
        }
        // The more was looked at in vain, the more is read at once.
        let left = MAX_LOOKS.saturating_sub(self.looked).max(1);
        self.page = (2 * self.page).max(wanted).clamp(PAGES.0, PAGES.1).min(left);
        let page = mail.store.range(&self.low, &self.high, self.reverse, self.page).await?;
        // A page may be empty with more behind it; it was a look all the same.
        self.looked += page.pairs.len().max(1);
        match page.resume.filter(|_| page.more) {
            None => self.is_done = true,
            Some(mut resume) => {
                if let Some(id) = keys::trailing_id(&resume) {
                    self.last = Some(EmailId::from_bytes(id));
                }
                if self.reverse {
                    self.high = resume;
                } else {
                    resume.push(0);
                    self.low = resume;
                }
            }
        }
        let rows = page.pairs.into_iter();
        let rows = rows.filter_map(|(key, value)| Some((EmailId::from_bytes(keys::trailing_id(&key)?), value)));
        Ok(Some(rows.collect()))
    }
}

/// The least id of a millisecond.
fn first_of(ms: i64) -> EmailId {
    let mut bytes = [0; 16];
    // 48 bits last until the year 10889.
    let ms = u64::try_from(ms).unwrap_or(0).min((1 << 48) - 1);
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    EmailId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_their_time() {
        let id = EmailId::new();
        let ms = i64::from_be_bytes([&[0, 0], &id.as_bytes()[..6]].concat().try_into().unwrap());
        assert!(first_of(ms) <= id && id < first_of(ms + 1));
        assert!(first_of(-1) == first_of(0) && first_of(i64::MAX) > first_of(ms));
    }
}
