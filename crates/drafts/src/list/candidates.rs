//! The drafts that may be on a page: of all that were looked at, the first ones.

use crate::{Place, Wanted};
use postroom_mailstore::DraftRecord;
use postroom_types::InboxId;
use std::collections::BTreeMap;

/// The drafts that may be on a page, the first ones.
pub(super) struct Candidates<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) most: usize,
    /// By the place, or by what is left to the end of all places: so that the first are the first here.
    pub(super) found: BTreeMap<Rank, DraftRecord>,
    /// What lies behind this was not looked at.
    pub(super) end: Option<Rank>,
}

/// What became of a draft.
#[derive(PartialEq, Eq)]
pub(super) enum Taken {
    /// It may be on the page.
    Kept,
    /// It comes before the page; later ones of its inbox may be on it.
    Before,
    /// It comes behind the page, as do all later ones of its inbox.
    Behind,
}

/// Places in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Up(Place),
    Down(std::cmp::Reverse<Place>),
}

impl Candidates<'_> {
    /// Takes in a draft if it may be on the page.
    pub(super) fn take(&mut self, inbox: InboxId, record: DraftRecord) -> Taken {
        let (wanted, at) = (self.wanted, record.saved_at);
        let (begins, ends) = match wanted.ascending {
            true => (Taken::Before, Taken::Behind),
            false => (Taken::Behind, Taken::Before),
        };
        if wanted.since.is_some_and(|since| at < since) {
            return begins;
        }
        if wanted.before.is_some_and(|before| at >= before) {
            return ends;
        }
        let own = self.rank(place(inbox, &record));
        // Of its own inbox what comes before was left out by its UID.
        let is_before = |after: Place| after.inbox != inbox && own <= self.rank(after);
        if wanted.after.is_some_and(is_before) {
            return Taken::Before;
        }
        self.found.insert(own, record);
        if self.found.len() <= self.most {
            return Taken::Kept;
        }
        match self.found.pop_last() {
            Some((dropped, _)) if dropped == own => Taken::Behind,
            _ => Taken::Kept,
        }
    }

    /// No draft that comes before this time is on the page.
    pub(super) fn start(&self) -> Option<i64> {
        let wanted = self.wanted;
        let after = wanted.after.map(|after| after.at);
        if wanted.ascending {
            wanted.since.into_iter().chain(after).max()
        } else {
            let before = wanted.before.map(|before| before.saturating_sub(1));
            before.into_iter().chain(after).min()
        }
    }

    /// Of an inbox nothing behind this place was looked at.
    pub(super) fn end_at(&mut self, place: Place) {
        let rank = self.rank(place);
        self.end = Some(self.end.map_or(rank, |end| end.min(rank)));
    }

    pub(super) fn rank(&self, place: Place) -> Rank {
        match self.wanted.ascending {
            true => Rank::Up(place),
            false => Rank::Down(std::cmp::Reverse(place)),
        }
    }
}

impl Rank {
    pub(super) const fn place(self) -> Place {
        match self {
            Self::Up(place) | Self::Down(std::cmp::Reverse(place)) => place,
        }
    }
}

pub(super) fn place(inbox: InboxId, record: &DraftRecord) -> Place {
    Place {
        at: record.saved_at,
        inbox,
        uid: record.uid,
    }
}
