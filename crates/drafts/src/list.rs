//! Lists of drafts, of one inbox or of many.
//!
//! What always holds: of a list no more is held than a page of it, whatever there is; an inbox with nothing in Drafts
//! costs two reads, and one with many a bounded number: where there is more to look through, the page ends before it. A
//! page looks at the inboxes of one [`Group`], some thousands: where a scope has more of them that have drafts, those of
//! one group follow on those of the other, each in its order.

mod candidates;

use crate::read::Found;
use crate::{Draft, DraftError, DraftId, DraftPage, Drafts, Group, Place, Scope, Wanted};
use candidates::{Candidates, Taken, place};
use postroom_mailstore::{DraftRecord, MailError};
use postroom_types::{InboxId, OrganizationId, PodId};
use std::collections::{BTreeMap, BTreeSet};

/// Inboxes asked about together.
const INBOXES: usize = 500;
/// Inboxes that have something in Drafts, and inboxes looked at for such, after which a group ends.
const GROUP: usize = 1000;
const LOOKED_THROUGH: usize = 20_000;
/// Drafts of an inbox read together, and those that are read first where there are many inboxes: few are on the page.
const PIECE: usize = 100;
const FIRST: usize = 8;
/// Drafts looked at for one page of those that have some labels.
const LOOKED_AT: usize = 200;
/// Times that a page looks at the drafts of one inbox.
const MAX_LOOKS: usize = 8;
/// What a draft is called that is to go by itself.
const SCHEDULED: &str = "scheduled";

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
            end: None,
        };
        let group = match wanted.scope {
            Scope::Inbox(inbox) => {
                self.gather(inbox, PIECE, &mut candidates).await?;
                Group::default()
            }
            Scope::Pod(organization, pod) => self.gather_all(organization, Some(pod), &mut candidates).await?,
            Scope::Organization(organization) => self.gather_all(organization, None, &mut candidates).await?,
        };
        let end = candidates.end;
        let mut records: Vec<(InboxId, DraftRecord)> = candidates
            .found
            .into_iter()
            .filter(|(rank, _)| end.is_none_or(|end| *rank <= end))
            .map(|(rank, record)| (rank.place().inbox, record))
            .collect();
        let is_full = records.len() > most;
        records.truncate(most);
        let last = records.last().map(|(inbox, record)| place(*inbox, record));
        let (mut more, mut last) = match end {
            Some(end) if !is_full => (true, Some(end.place())),
            _ => (is_full, last),
        };
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
            group,
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

    /// Takes in the drafts of a group of inboxes, and says where the group ends.
    async fn gather_all(
        &self,
        organization: OrganizationId,
        pod: Option<PodId>,
        candidates: &mut Candidates<'_>,
    ) -> Result<Group, DraftError> {
        let Group { behind, until } = candidates.wanted.group;
        // A page within a group looks at the same inboxes as the one before.
        let is_begun = until.is_some() || candidates.wanted.after.is_some();
        let (mut after, mut having, mut looked) = (behind, 0, 0);
        loop {
            let (inboxes, next) = self.with_drafts(organization, pod, after).await?;
            looked += INBOXES;
            for inbox in inboxes {
                if until.is_some_and(|until| inbox > until) {
                    return Ok(Group { behind, until });
                }
                having += 1;
                match self.gather(inbox, FIRST, candidates).await {
                    // Deleted meanwhile.
                    Ok(()) | Err(DraftError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            let is_full = !is_begun && (having >= GROUP || looked >= LOOKED_THROUGH);
            match next {
                None => return Ok(Group { behind, until }),
                Some(next) if until.is_some_and(|until| next >= until) => return Ok(Group { behind, until }),
                Some(next) if is_full => {
                    let until = Some(next);
                    return Ok(Group { behind, until });
                }
                Some(next) => after = Some(next),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes in the drafts of an inbox, as far as they may be on the page. Those saved later have higher UIDs, so it ends
    /// at the first that comes too late.
    async fn gather(&self, inbox: InboxId, first: usize, candidates: &mut Candidates<'_>) -> Result<(), DraftError> {
        let ascending = candidates.wanted.ascending;
        // Within an inbox the place is where to go on.
        let mut beyond = candidates
            .wanted
            .after
            .filter(|after| after.inbox == inbox)
            .map(|after| after.uid);
        let mut last = None;
        for look in 0..MAX_LOOKS {
            let piece = if look == 0 { first } else { PIECE };
            let page = match self.mailstore.drafts(inbox, beyond, ascending, piece).await {
                Ok(page) => page,
                Err(MailError::NoSuchInbox(_)) => return Err(DraftError::NotFound),
                Err(error) => return Err(error.into()),
            };
            let mut is_before = true;
            for record in page.drafts {
                match candidates.take(inbox, record) {
                    Taken::Kept => is_before = false,
                    Taken::Before => {}
                    Taken::Behind => return Ok(()),
                }
            }
            let Some(next) = page.next else { return Ok(()) };
            beyond = Some(next.uid);
            last = Some(next);
            if look == 0
                && is_before
                && let Some(start) = candidates.start()
                && let Some(found) = self.mailstore.drafts_since(inbox, start, ascending).await?
            {
                beyond = Some(if ascending {
                    found.max(next.uid)
                } else {
                    found.min(next.uid)
                });
            }
        }
        if let Some(last) = last {
            candidates.end_at(Place {
                at: last.saved_at,
                inbox,
                uid: last.uid,
            });
        }
        Ok(())
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

fn has_label(draft: &Draft, label: &str) -> bool {
    match label.to_lowercase() {
        label if label == SCHEDULED => draft.send_at.is_some(),
        label => draft.labels.contains(&label),
    }
}
