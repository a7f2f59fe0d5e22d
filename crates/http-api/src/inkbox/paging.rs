//! Pages of lists (inkbox.md §2 "Pagination"): newest first, and stable while new things arrive, since a cursor names the
//! last thing of the page and not its number.
//!
//! What always holds: a cursor names a place in one list under one set of filters; anywhere else it is 422.

use super::failure::{Answer, Failure};
use super::wire::Asked;
use crate::model::{from_hex, hex};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Items of a page, unless asked otherwise.
const DEFAULT_LIMIT: u64 = 50;
/// Most items of a page.
const MAX_LIMIT: u64 = 100;
/// Octets of a cursor that tell its list.
const LIST_OCTETS: usize = 8;

/// Which page is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    /// Items of the page.
    pub(crate) limit: usize,
    /// Where it begins: what [`page`](Self::page) was given for the page before.
    pub(crate) position: Option<Vec<u8>>,
    list: [u8; LIST_OCTETS],
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
        let mut hash = Sha256::new();
        for part in list {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let list = *hash.finalize().first_chunk().expect("8 of 32 octets");
        let position = match asked.text("cursor")? {
            None => None,
            Some(cursor) => Some(position(cursor, list).ok_or_else(bad_cursor)?),
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
        hex(&[&self.list, place].concat())
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

fn position(cursor: &str, list: [u8; LIST_OCTETS]) -> Option<Vec<u8>> {
    let octets = from_hex(cursor)?;
    octets.strip_prefix(&list).map(<[u8]>::to_vec)
}

/// A cursor of another list, or none at all.
pub(crate) fn bad_cursor() -> Failure {
    Failure::field("cursor", "cursor is not one of this list")
}
