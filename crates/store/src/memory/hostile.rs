//! What goes wrong in the hostile mode, by dice that a seed decides.

use super::conflict_keys;
use crate::{Commit, Key};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often things go wrong, in percent, and the seed of the dice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostile {
    /// The same seed gives the same dice.
    pub seed: u64,
    /// Commits answered with a conflict that is not there, before anything is done.
    pub conflict_percent: u64,
    /// Commits answered with "unknown"; half of them are done.
    pub unknown_percent: u64,
    /// Pages with fewer pairs than asked for, some with none.
    pub short_page_percent: u64,
    /// Commits that `stable_lsn` and the watchers learn of up to 5 ms late.
    pub late_percent: u64,
}

impl Hostile {
    /// A fair share of everything.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self {
            seed,
            conflict_percent: 8,
            unknown_percent: 8,
            short_page_percent: 50,
            late_percent: 50,
        }
    }
}

/// What becomes of a commit.
pub(super) enum Fate {
    Done,
    DoneUnknown,
    UnknownNotDone,
    Conflict(Key),
}

#[derive(Debug)]
pub(super) struct Mood {
    hostile: Hostile,
    dice: Mutex<u64>,
}

impl Mood {
    pub(super) fn new(hostile: Hostile) -> Self {
        Self {
            dice: Mutex::new(hostile.seed),
            hostile,
        }
    }

    pub(super) fn fate(&self, commit: &Commit) -> Fate {
        let keys = conflict_keys(commit);
        if !keys.is_empty() && self.happens(self.hostile.conflict_percent) {
            return Fate::Conflict(keys[self.below(keys.len())].clone());
        }
        match self.happens(self.hostile.unknown_percent) {
            false => Fate::Done,
            true if self.happens(50) => Fate::DoneUnknown,
            true => Fate::UnknownNotDone,
        }
    }

    /// How many pairs a page has instead of `limit`.
    pub(super) fn short_page(&self, limit: usize) -> Option<usize> {
        self.happens(self.hostile.short_page_percent)
            .then(|| self.below(limit.min(8)))
    }

    /// How late a commit is shown.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.happens(self.hostile.late_percent)
            .then(|| Duration::from_micros(self.below(5000) as u64))
    }

    fn happens(&self, percent: u64) -> bool {
        self.roll() % 100 < percent
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound as u64).expect("less than a usize")
    }

    /// SplitMix64: small, and each seed gives a sequence of its own.
    fn roll(&self) -> u64 {
        let mut state = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
