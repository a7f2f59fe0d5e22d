//! The messages of a thread that its list shows, and what reading them costs.

use super::{THREAD_MESSAGES, ThreadListed};
use crate::labels::Known;
use crate::rows::InboxRow;
use crate::{Include, Labels, MailError, Mailstore, keys};
use postroom_store::{prefix_end, scan, scan_prefix};
use postroom_types::{EmailId, InboxId, ThreadId};

/// When a call has read so many messages of threads, the next one goes on.
const MAX_MESSAGES: usize = 4000;
/// Most messages of a thread that are counted; and when a call has counted so many, the next one goes on.
const MAX_COUNTED: usize = 20_000;

/// The newest messages of a thread that are shown, oldest first.
pub(super) struct Newest {
    /// The first message of a longer thread, if it is shown.
    first: Option<Known>,
    pub(super) shown: Vec<Known>,
    hidden: usize,
    /// There are more than were looked at.
    is_long: bool,
}

impl Newest {
    /// Where the thread stands.
    pub(super) fn place(&self) -> Option<EmailId> {
        self.shown.last().map(|known| known.email_id)
    }

    pub(super) fn labels(&self, roles: &InboxRow) -> Labels {
        let mut labels = Labels::default();
        for known in self.first.iter().chain(&self.shown) {
            labels.add_all(&known.labels(roles));
        }
        labels
    }
}

/// What a call did for threads so far.
#[derive(Default)]
pub(super) struct Work {
    /// Messages of threads that were read.
    messages: usize,
    /// Members of threads that were counted.
    counted: usize,
}

impl Work {
    /// Whether the rest is for the next call.
    pub(super) const fn is_enough(&self) -> bool {
        self.messages >= MAX_MESSAGES || self.counted >= MAX_COUNTED
    }
}

impl Mailstore {
    /// The newest message of a thread that is shown, which is where it stands; most often that is its newest.
    pub(super) async fn place(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        thread_id: ThreadId,
        include: Include,
        work: &mut Work,
    ) -> Result<Option<Known>, MailError> {
        let (mut before, mut left, mut piece) = (None, THREAD_MESSAGES, 2);
        while left > 0 {
            let wanted = left.min(piece);
            let ids = self.members_before(inbox, thread_id, before, wanted).await?;
            work.messages += ids.len();
            let known = self.known(inbox, &ids).await?.into_iter().flatten();
            let mut shown = known.filter(|known| include.shows(&known.labels(roles)));
            if let Some(newest) = shown.next() {
                return Ok(Some(newest));
            }
            if ids.len() < wanted {
                break;
            }
            before = ids.last().copied();
            left -= ids.len();
            piece *= 4;
        }
        Ok(None)
    }

    pub(super) async fn newest(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        thread_id: ThreadId,
        include: Include,
        work: &mut Work,
    ) -> Result<Newest, MailError> {
        let mut ids = self.members_before(inbox, thread_id, None, THREAD_MESSAGES + 1).await?;
        work.messages += ids.len();
        let is_long = ids.len() > THREAD_MESSAGES;
        ids.truncate(THREAD_MESSAGES);
        ids.reverse();
        let known: Vec<Known> = self.known(inbox, &ids).await?.into_iter().flatten().collect();
        let all = known.len();
        let shown = known.into_iter().filter(|known| include.shows(&known.labels(roles)));
        let shown: Vec<Known> = shown.collect();
        let mut first = None;
        if is_long && !shown.is_empty() {
            let mut members = scan_prefix(&*self.store, &keys::thread(inbox, thread_id)).page_pairs(1);
            let member = members.next().await?;
            let id = member.and_then(|(key, _)| keys::trailing_id(&key).map(EmailId::from_bytes));
            let known = self.known(inbox, &Vec::from_iter(id)).await?.into_iter().flatten();
            first = known.into_iter().find(|known| include.shows(&known.labels(roles)));
        }
        Ok(Newest {
            first,
            hidden: all - shown.len(),
            shown,
            is_long,
        })
    }

    pub(super) async fn thread_listed(
        &self,
        inbox: InboxId,
        roles: &InboxRow,
        thread_id: ThreadId,
        newest: Newest,
        work: &mut Work,
    ) -> Result<ThreadListed, MailError> {
        let mut count = newest.shown.len();
        if newest.is_long {
            let mut members = scan_prefix(&*self.store, &keys::thread(inbox, thread_id)).page_pairs(1000);
            let mut all = 0;
            while all < MAX_COUNTED && members.next().await?.is_some() {
                all += 1;
            }
            work.counted += all;
            count = all.saturating_sub(newest.hidden).max(count);
        }
        let shown = newest.first.into_iter().chain(newest.shown);
        Ok(ThreadListed {
            thread_id,
            messages: self.listed(inbox, roles, shown.collect()).await?,
            count,
        })
    }

    /// Messages of a thread before one (or the newest), newest first.
    pub(super) async fn members_before(
        &self,
        inbox: InboxId,
        thread_id: ThreadId,
        before: Option<EmailId>,
        limit: usize,
    ) -> Result<Vec<EmailId>, MailError> {
        let prefix = keys::thread(inbox, thread_id);
        let high = before.map_or_else(|| prefix_end(&prefix), |id| keys::thread_member(inbox, thread_id, id));
        let mut rows = scan(&*self.store, prefix, high).reverse().page_pairs(limit);
        let mut ids = Vec::new();
        while ids.len() < limit
            && let Some((key, _)) = rows.next().await?
        {
            ids.extend(keys::trailing_id(&key).map(EmailId::from_bytes));
        }
        Ok(ids)
    }
}
