//! Lists that show a caller its part of something larger, a piece at a time.

use crate::error::{ApiError, invalid};
use crate::request::Asked;
use postroom_queue::{Cursor, ItemId};
use serde_json::{Value, json};

/// Rows of one answer, unless asked otherwise.
const LIMIT: u64 = 50;
/// Most rows of one answer.
const MAX_LIMIT: u64 = 500;
/// Fewest rows read at a time: most may be somebody else's.
const MIN_PAGE: usize = 50;
/// How many pages one answer looks through; `next` goes on where it stopped.
const MAX_PAGES: usize = 20;

/// An answer in the making.
pub(super) struct Window {
    limit: usize,
    found: Vec<(ItemId, Value)>,
    /// There was more than fits.
    is_cut: bool,
    pages: usize,
    after: Option<Cursor>,
    /// Nothing is left to be read.
    ended: bool,
}

impl Window {
    /// As a query asks for it.
    pub(super) fn asked(asked: &Asked) -> Result<Self, ApiError> {
        let limit = asked.number("limit", 1, LIMIT)?.min(MAX_LIMIT);
        let after = asked.text("after")?.map(|text| {
            let cursor: Result<Cursor, _> = text.parse();
            cursor.map_err(|_| invalid("after is what an earlier answer gave as next"))
        });
        Ok(Self {
            limit: limit as usize,
            found: Vec::new(),
            is_cut: false,
            pages: 0,
            after: after.transpose()?,
            ended: false,
        })
    }

    /// Where to read the next page and how much of it; `None` when that is all.
    pub(super) fn next_page(&mut self) -> Option<(Option<Cursor>, usize)> {
        let left = self.limit.saturating_sub(self.found.len());
        if left == 0 || self.ended || self.pages == MAX_PAGES {
            return None;
        }
        self.pages += 1;
        Some((self.after, left.max(MIN_PAGE)))
    }

    /// The page was read; this is where it says to go on.
    pub(super) fn turned(&mut self, next: Option<Cursor>) {
        (self.after, self.ended) = (next, next.is_none());
    }

    /// A row that the caller may see.
    pub(super) fn add(&mut self, id: ItemId, view: Value) {
        if self.found.len() < self.limit {
            self.found.push((id, view));
        } else {
            self.is_cut = true;
        }
    }

    /// The answer, its rows under this name.
    pub(super) fn shown(self, name: &str) -> Value {
        let last = self.found.last().map(|(id, _)| Cursor(*id));
        let next = if self.is_cut { last } else { self.after };
        let rows: Vec<Value> = self.found.into_iter().map(|(_, view)| view).collect();
        json!({ name: rows, "next": next.map(|cursor| cursor.to_string()) })
    }
}
