//! The threads of several inboxes as one list: a merge of their lists by the ids of the messages at which threads stand,
//! which are in the order of time and name the same place in every inbox.
//!
//! What always holds: all threads before the place at which a page ends are on it or on an earlier one, so that place
//! alone is where the next one begins. Of an inbox only its next row is read until its turn comes.

use super::failure::Answer;
use crate::State;
use postroom_identity::InboxRecord;
use postroom_mailstore::{ListQuery, ThreadListed};
use postroom_types::EmailId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Threads read of an inbox at once.
const PIECE: usize = 4;
/// How often inboxes are read for one page before an incomplete one is given out.
const MAX_READS: usize = 150;

/// A page of the merged list.
pub(super) struct MergedPage {
    pub(super) threads: Vec<(Arc<InboxRecord>, ThreadListed)>,
    pub(super) next: Option<EmailId>,
}

/// A place in the order of the list: smaller ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u128);

impl Place {
    fn of(id: EmailId, ascending: bool) -> Self {
        let number = u128::from_be_bytes(*id.as_bytes());
        Self(if ascending { number } else { !number })
    }

    fn id(self, ascending: bool) -> EmailId {
        let number = if ascending { self.0 } else { !self.0 };
        EmailId::from_bytes(number.to_be_bytes())
    }

    const fn just_before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// What stands at a place.
enum Entry {
    /// A thread.
    Thread(Box<ThreadListed>),
    /// An inbox, all of whose further threads stand behind this place.
    Rest,
}

/// Up to `limit` threads beyond a place.
pub(super) async fn page(
    state: &State,
    inboxes: &[Arc<InboxRecord>],
    query: &ListQuery,
    cursor: Option<EmailId>,
    limit: usize,
) -> Answer<MergedPage> {
    let mailstore = state.mailstore();
    if let [only] = inboxes {
        let page = mailstore.list_threads(only.id, query, cursor, limit).await?;
        let threads = page.threads.into_iter().map(|listed| (Arc::clone(only), listed));
        return Ok(MergedPage {
            threads: threads.collect(),
            next: page.next,
        });
    }
    let ascending = query.ascending;
    // By place, then threads before the rests that begin there, then by inbox.
    let mut waiting: BTreeMap<(Place, bool, usize), Entry> = BTreeMap::new();
    for (index, inbox) in inboxes.iter().enumerate() {
        // An inbox that is being deleted has nothing to show.
        if let Some(first) = mailstore.first_place(inbox.id, query, cursor).await? {
            let before = Place::of(first, ascending).just_before();
            waiting.insert((before, true, index), Entry::Rest);
        }
    }
    let mut threads: Vec<(Arc<InboxRecord>, ThreadListed)> = Vec::new();
    let mut reads = 0;
    while let Some(((place, is_rest, index), entry)) = waiting.pop_first() {
        if threads.len() == limit || reads == MAX_READS {
            // All before this place was given out.
            let end = if is_rest { place } else { place.just_before() };
            return Ok(MergedPage {
                threads,
                next: Some(end.id(ascending)),
            });
        }
        let inbox = &inboxes[index];
        match entry {
            Entry::Thread(listed) => threads.push((Arc::clone(inbox), *listed)),
            Entry::Rest => {
                reads += 1;
                let from = Some(place.id(ascending));
                let page = match mailstore.list_threads(inbox.id, query, from, PIECE).await {
                    Err(postroom_mailstore::MailError::NoSuchInbox(_)) => continue,
                    page => page?,
                };
                for listed in page.threads {
                    if let Some(last) = listed.messages.last() {
                        // One whose newest message came just now may stand before what was given out already.
                        let place = Place::of(last.record.email_id, ascending).max(place);
                        waiting.insert((place, false, index), Entry::Thread(Box::new(listed)));
                    }
                }
                if let Some(next) = page.next {
                    waiting.insert((Place::of(next, ascending), true, index), Entry::Rest);
                }
            }
        }
    }
    Ok(MergedPage { threads, next: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_the_list() {
        let (older, newer) = (EmailId::from_bytes([1; 16]), EmailId::from_bytes([2; 16]));
        for (ascending, first, second) in [(true, older, newer), (false, newer, older)] {
            let (first, second) = (Place::of(first, ascending), Place::of(second, ascending));
            assert!(first < second && second.just_before() < second && first <= second.just_before());
            assert_eq!(Place::of(first.id(ascending), ascending), first);
        }
    }
}
