//! Pages of lists (inkbox.md §2 "Pagination"): newest first, and stable while new things arrive, since a cursor names the
//! last thing of the page and not its number.
//!
//! What always holds: a cursor names a place in one list under one set of filters; anywhere else it is 422.

use super::failure::{Answer, Failure};
use super::wire::Asked;
use crate::list_token::ListToken;
use serde::Serialize;

/// Items of a page, unless asked otherwise.
const DEFAULT_LIMIT: u64 = 50;
/// Most items of a page.
const MAX_LIMIT: u64 = 100;

/// Which page is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    /// Items of the page.
    pub(crate) limit: usize,
    /// Where it begins: what [`page`](Self::page) was given for the page before.
    pub(crate) position: Option<Vec<u8>>,
    list: ListToken,
}

/// A page, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    has_more: bool,
    next_cursor: Option<String>,
}

impl Paging {
    /// Reads `limit` and `cursor` of a list; `list` is all that tells it from others: the operation, whose it is, and each
    /// filter.
    pub(crate) fn read(asked: &Asked, list: &[&str]) -> Answer<Self> {
        Self::within(asked, list, limit(asked)?)
    }

    /// The same for a list with a limit of its own.
    pub(crate) fn within(asked: &Asked, list: &[&str], limit: usize) -> Answer<Self> {
        let list = ListToken::of(list);
        let position = match asked.text("cursor")? {
            None => None,
            Some(cursor) => Some(list.read(cursor).ok_or_else(bad_cursor)?),
        };
        Ok(Self { limit, position, list })
    }

    /// The place as an id.
    pub(crate) fn position_id<T>(&self, from: impl FnOnce([u8; 16]) -> T) -> Answer<Option<T>> {
        let Some(position) = &self.position else {
            return Ok(None);
        };
        let id = <[u8; 16]>::try_from(position.as_slice()).map_err(|_| bad_cursor())?;
        Ok(Some(from(id)))
    }

    /// The cursor for what is behind a place.
    pub(crate) fn cursor(&self, place: &[u8]) -> String {
        self.list.write(place)
    }

    /// The page of these items; `next` is the place behind which the next one begins.
    pub(crate) fn page<T>(&self, items: Vec<T>, next: Option<&[u8]>) -> Page<T> {
        let next_cursor = next.map(|next| self.cursor(next));
        Page {
            items,
            has_more: next_cursor.is_some(),
            next_cursor,
        }
    }
}

/// `limit`, 1 to 100.
pub(crate) fn limit(asked: &Asked) -> Answer<usize> {
    let limit = asked.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// A cursor of another list, or none at all.
pub(crate) fn bad_cursor() -> Failure {
    Failure::field("cursor", "cursor is not one of this list")
}
