//! Lists of drafts, of one inbox or of many.
//!
//! What always holds: of a list no more is held than a page of it, whatever there is; an inbox with nothing in Drafts
//! costs two reads.

use crate::read::Found;
use crate::{Draft, DraftError, DraftId, DraftPage, Drafts, Place, Scope, Wanted};
use postroom_mailstore::{DraftRecord, MailError};
use postroom_types::{InboxId, OrganizationId, PodId};
use std::collections::{BTreeMap, BTreeSet};

/// Inboxes asked about together.
const INBOXES: usize = 500;
/// Drafts of an inbox read together.
const PIECE: usize = 100;
/// Drafts looked at for one page of those that have some labels.
const LOOKED_AT: usize = 200;
/// What a draft is called that is to go by itself.
const SCHEDULED: &str = "scheduled";

/// The drafts that may be on a page, the first ones.
struct Candidates<'a> {
    wanted: &'a Wanted,
    most: usize,
    /// By the place, or by what is left to the end of all places: so that the first are the first here.
    found: BTreeMap<Rank, DraftRecord>,
}

/// Places in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Up(Place),
    Down(std::cmp::Reverse<Place>),
}

impl Drafts {
    /// A page of a list.
    ///
    /// # Errors
    /// [`DraftError::NotFound`]: there is no such inbox; those of the store.
    pub async fn list(&self, wanted: &Wanted) -> Result<DraftPage, DraftError> {
        let limit = wanted.limit.max(1);
        let most = if wanted.labels.is_empty() {
            limit
        } else {
            limit.max(LOOKED_AT)
        };
        let mut candidates = Candidates {
            wanted,
            // One more says whether that was all.
            most: most + 1,
            found: BTreeMap::new(),
        };
        match wanted.scope {
            Scope::Inbox(inbox) => self.gather(inbox, &mut candidates).await?,
            Scope::Pod(organization, pod) => self.gather_all(organization, Some(pod), &mut candidates).await?,
            Scope::Organization(organization) => self.gather_all(organization, None, &mut candidates).await?,
        }
        let mut records: Vec<(InboxId, DraftRecord)> = candidates
            .found
            .into_iter()
            .map(|(rank, record)| (rank.place().inbox, record))
            .collect();
        let mut more = records.len() > most;
        records.truncate(most);
        let mut last = records.last().map(|(inbox, record)| place(*inbox, record));
        let mut drafts = Vec::new();
        for draft in self.load_all(records).await? {
            if drafts.len() == limit {
                more = true;
                last = drafts.last().map(|draft: &Draft| place(draft.inbox, &draft.record));
                break;
            }
            if wanted.labels.iter().all(|label| has_label(&draft, label)) {
                drafts.push(draft);
            }
        }
        Ok(DraftPage {
            drafts,
            next: last.filter(|_| more),
        })
    }

    /// A draft by its name alone, in all inboxes of a scope.
    ///
    /// # Errors
    /// [`DraftError::NotFound`]; those of the store.
    pub async fn find(&self, scope: Scope, id: DraftId) -> Result<Draft, DraftError> {
        let (organization, pod) = match scope {
            Scope::Inbox(inbox) => return self.get(inbox, id).await,
            Scope::Pod(organization, pod) => (organization, Some(pod)),
            Scope::Organization(organization) => (organization, None),
        };
        let mut after = None;
        loop {
            let (inboxes, next) = self.with_drafts(organization, pod, after).await?;
            for inbox in inboxes {
                let records = match self.mailstore.drafts_named(inbox, &id.0).await {
                    Err(MailError::NoSuchInbox(_)) => continue,
                    records => records?,
                };
                let found = self
                    .load(inbox, records)
                    .await?
                    .into_iter()
                    .find(|found| found.draft.id == id);
                if let Some(found) = found {
                    return Ok(found.draft);
                }
            }
            after = next;
            if after.is_none() {
                return Err(DraftError::NotFound);
            }
        }
    }

    /// Some inboxes that have something in Drafts, and where to go on.
    async fn with_drafts(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
        after: Option<InboxId>,
    ) -> Result<(Vec<InboxId>, Option<InboxId>), DraftError> {
        let page = self.identity.inboxes(organization, pod, after, INBOXES).await?;
        let inboxes: Vec<InboxId> = page.inboxes.iter().map(|inbox| inbox.id).collect();
        let have = self.mailstore.have_drafts(&inboxes).await?;
        let having = inboxes.into_iter().zip(have).filter(|(_, have)| *have);
        Ok((having.map(|(inbox, _)| inbox).collect(), page.next))
    }

    async fn gather_all(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
        candidates: &mut Candidates<'_>,
    ) -> Result<(), DraftError> {
        let mut after = None;
        loop {
            let (inboxes, next) = self.with_drafts(organization, pod, after).await?;
            for inbox in inboxes {
                match self.gather(inbox, candidates).await {
                    // Deleted meanwhile.
                    Ok(()) | Err(DraftError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes in the drafts of an inbox, as far as they may be on the page. Those saved later have higher UIDs, so it ends
    /// at the first that comes too late.
    async fn gather(&self, inbox: InboxId, candidates: &mut Candidates<'_>) -> Result<(), DraftError> {
        let ascending = candidates.wanted.ascending;
        // Within an inbox the place is where to go on.
        let mut beyond = candidates
            .wanted
            .after
            .filter(|after| after.inbox == inbox)
            .map(|after| after.uid);
        loop {
            let records = match self.mailstore.drafts(inbox, beyond, ascending, PIECE).await {
                Ok(records) => records,
                Err(MailError::NoSuchInbox(_)) => return Err(DraftError::NotFound),
                Err(error) => return Err(error.into()),
            };
            let Some(last) = records.last() else { return Ok(()) };
            beyond = Some(last.uid);
            let all = records.len() < PIECE;
            for record in records {
                if !candidates.take(inbox, record) {
                    return Ok(());
                }
            }
            if all {
                return Ok(());
            }
        }
    }

    /// The drafts, in their order. Of several copies only the one saved last is one.
    async fn load_all(&self, records: Vec<(InboxId, DraftRecord)>) -> Result<Vec<Draft>, DraftError> {
        let order: Vec<_> = records.iter().map(|(inbox, record)| (*inbox, record.uid)).collect();
        let mut by_inbox: BTreeMap<InboxId, Vec<DraftRecord>> = BTreeMap::new();
        for (inbox, record) in records {
            by_inbox.entry(inbox).or_default().push(record);
        }
        let mut loaded = BTreeMap::new();
        for (inbox, records) in by_inbox {
            for Found { draft, .. } in self.load(inbox, records).await? {
                loaded.insert((inbox, draft.record.uid), draft);
            }
        }
        let mut drafts = Vec::with_capacity(loaded.len());
        let mut seen = BTreeSet::new();
        for place in order {
            let Some(draft) = loaded.remove(&place) else { continue };
            if seen.insert((draft.inbox, draft.id)) && self.is_newest(&draft).await? {
                drafts.push(draft);
            }
        }
        Ok(drafts)
    }

    async fn is_newest(&self, draft: &Draft) -> Result<bool, DraftError> {
        let copies = self.mailstore.drafts_named(draft.inbox, &draft.id.0).await?;
        Ok(copies.iter().all(|copy| copy.uid <= draft.record.uid))
    }
}

impl Candidates<'_> {
    /// Takes in a draft if it may be on the page. `false`: no later one of this inbox may be either.
    fn take(&mut self, inbox: InboxId, record: DraftRecord) -> bool {
        let (wanted, at) = (self.wanted, record.saved_at);
        let early = |bound: Option<i64>| bound.is_some_and(|bound| at < bound);
        let late = wanted.before.is_some_and(|before| at >= before);
        if early(wanted.since) {
            return wanted.ascending;
        }
        if late {
            return !wanted.ascending;
        }
        let rank = |place| match wanted.ascending {
            true => Rank::Up(place),
            false => Rank::Down(std::cmp::Reverse(place)),
        };
        let own = rank(place(inbox, &record));
        // Of its own inbox what comes before was left out by its UID.
        let is_before = |after: Place| after.inbox != inbox && own <= rank(after);
        if wanted.after.is_some_and(is_before) {
            return true;
        }
        self.found.insert(own, record);
        if self.found.len() <= self.most {
            return true;
        }
        self.found.pop_last().is_none_or(|(dropped, _)| dropped != own)
    }
}

impl Rank {
    const fn place(self) -> Place {
        match self {
            Self::Up(place) | Self::Down(std::cmp::Reverse(place)) => place,
        }
    }
}

fn place(inbox: InboxId, record: &DraftRecord) -> Place {
    Place {
        at: record.saved_at,
        inbox,
        uid: record.uid,
    }
}

fn has_label(draft: &Draft, label: &str) -> bool {
    match label.to_lowercase() {
        label if label == SCHEDULED => draft.send_at.is_some(),
        label => draft.labels.contains(&label),
    }
}
