//! Threads in the order of their last message, without a row of their own: a thread stands where the newest of its
//! messages that is shown stands.
//!
//! What always holds: of a thread the newest [`THREAD_MESSAGES`] messages are looked at, and its first one; a call looks
//! at a bounded number of threads and of their messages, whatever the filters let through, and where it stopped the next
//! one goes on. What costs most, summaries and counts, is read for threads alone that the labels let through.

mod newest;

use crate::listing::{Filter, Listed, MAX_LOOKS};
use crate::{Include, Labels, ListQuery, MailError, Mailstore};
use newest::Work;
use postroom_types::{EmailId, InboxId, Summary, ThreadId};
use std::collections::BTreeMap;

/// Most messages of a thread that are looked at to show it in a list: the newest.
pub const THREAD_MESSAGES: usize = 100;
/// Most threads that one call looks at.
const MAX_THREADS: usize = 400;

/// A thread with those of its messages that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadListed {
    /// The thread.
    pub thread_id: ThreadId,
    /// Its newest messages, oldest first; of longer threads the first message is there besides, at the beginning.
    pub messages: Vec<Listed>,
    /// How many messages there are: those among the newest that are not shown do not count.
    pub count: usize,
}

impl ThreadListed {
    /// The labels of all its messages.
    #[must_use]
    pub fn labels(&self) -> Labels {
        let mut labels = Labels::default();
        for message in &self.messages {
            labels.add_all(&message.labels);
        }
        labels
    }
}

/// A part of a list of threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadPage {
    /// The threads.
    pub threads: Vec<ThreadListed>,
    /// Where the list goes on, beyond the place of this message; `None`: it is at its end.
    pub next: Option<EmailId>,
}

/// A part of a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadMessages {
    /// Messages, oldest first.
    pub messages: Vec<Listed>,
    /// There are older ones, before this one.
    pub next: Option<EmailId>,
}

impl Mailstore {
    /// Up to `limit` threads that match, beyond `cursor` (or from the beginning), the one with the newest message first
    /// unless the query says otherwise. Times are those of the newest message; a label has to be on any message, a text
    /// in any.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn list_threads(
        &self,
        inbox: InboxId,
        query: &ListQuery,
        cursor: Option<EmailId>,
        limit: usize,
    ) -> Result<ThreadPage, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let filter = Filter::new(query);
        let mut walk = self.walk(inbox, query, cursor).await?;
        // Where each thread stands that was met.
        let mut places: BTreeMap<ThreadId, Option<EmailId>> = BTreeMap::new();
        let mut page = ThreadPage::default();
        let mut work = Work::default();
        // The message at which the last thread stands, or the last that was looked at.
        let mut last = cursor;
        while walk.looked() < MAX_LOOKS {
            let Some(rows) = walk.next(self, limit + 1).await? else {
                return Ok(page);
            };
            for known in self.known_of(inbox, rows).await? {
                if places.len() >= MAX_THREADS || work.is_enough() {
                    page.next = last;
                    return Ok(page);
                }
                let before = last.replace(known.email_id);
                if !query.include.shows(&known.labels(&roles)) {
                    continue;
                }
                let thread_id = known.row.thread_id;
                let place = match places.get(&thread_id) {
                    Some(place) => *place,
                    None => {
                        let place = self
                            .place(inbox, &roles, thread_id, query.include, &mut work)
                            .await?
                            .map(|newest| newest.email_id);
                        places.insert(thread_id, place);
                        // New mail came while the list was read, at a place that was passed already: the thread would be
                        // on no page.
                        match place {
                            Some(place) if walk.is_passed(place, known.email_id) => Some(known.email_id),
                            place => place,
                        }
                    }
                };
                if place != Some(known.email_id) {
                    continue;
                }
                let newest = self.newest(inbox, &roles, thread_id, query.include, &mut work).await?;
                places.insert(thread_id, newest.place());
                // In a list that begins with the oldest it comes later, with the mail that came meanwhile.
                let is_moved = query.ascending && newest.place() != Some(known.email_id);
                let received_at = newest.shown.last().map(|known| known.row.received_at);
                if is_moved || !received_at.is_some_and(|at| filter.takes_time(at)) {
                    continue;
                }
                if !filter.takes_labels(&newest.labels(&roles)) {
                    continue;
                }
                if page.threads.len() == limit && !filter.asks_texts() {
                    page.next = before;
                    return Ok(page);
                }
                let listed = self.thread_listed(inbox, &roles, thread_id, newest, &mut work).await?;
                let summaries: Vec<&Summary> = listed.messages.iter().map(|message| &message.summary).collect();
                if !filter.takes_texts(&summaries) {
                    continue;
                }
                if page.threads.len() == limit {
                    page.next = before;
                    return Ok(page);
                }
                page.threads.push(listed);
            }
        }
        page.next = walk.position();
        Ok(page)
    }

    /// Whether the inbox has a message of the thread, shown or not.
    ///
    /// # Errors
    /// The store's own.
    pub async fn has_thread(&self, inbox: InboxId, thread_id: ThreadId) -> Result<bool, MailError> {
        Ok(!self.members_before(inbox, thread_id, None, 1).await?.is_empty())
    }

    /// A thread as a list shows it; `None` if none of its messages is shown.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn list_thread(
        &self,
        inbox: InboxId,
        thread_id: ThreadId,
        include: Include,
    ) -> Result<Option<ThreadListed>, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let mut work = Work::default();
        let newest = self.newest(inbox, &roles, thread_id, include, &mut work).await?;
        if newest.place().is_none() {
            return Ok(None);
        }
        let listed = self.thread_listed(inbox, &roles, thread_id, newest, &mut work).await?;
        Ok(Some(listed))
    }

    /// The newest messages of a thread that are shown, older than `before` (or the newest of all), at most `limit`.
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`]; the store's own.
    pub async fn thread_messages(
        &self,
        inbox: InboxId,
        thread_id: ThreadId,
        include: Include,
        before: Option<EmailId>,
        limit: usize,
    ) -> Result<ThreadMessages, MailError> {
        let roles = self.inbox_row(inbox).await?;
        let (mut shown, mut before, mut looked) = (Vec::new(), before, 0);
        let mut ended = false;
        while shown.len() <= limit && looked < MAX_LOOKS && !ended {
            let ids = self.members_before(inbox, thread_id, before, limit + 1).await?;
            ended = ids.len() <= limit;
            looked += ids.len();
            before = ids.last().copied().or(before);
            let known = self.known(inbox, &ids).await?.into_iter().flatten();
            shown.extend(known.filter(|known| include.shows(&known.labels(&roles))));
        }
        let mut next = before.filter(|_| !ended);
        if shown.len() > limit {
            shown.truncate(limit);
            next = shown.last().map(|known| known.email_id).or(next);
        }
        shown.reverse();
        let messages = self.listed(inbox, &roles, shown).await?;
        Ok(ThreadMessages { messages, next })
    }
}
