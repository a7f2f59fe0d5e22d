//! Pages of lists (agentmail.md §3 "Pagination").
//!
//! What always holds: a token names a place in one list under one set of filters and in one direction; anywhere else it is a
//! 400.

use super::call::Call;
use super::failure::{Answer, Failure};
use super::wire::Asked;
use crate::list_token::ListToken;

/// Items of a page, unless asked otherwise.
const DEFAULT_LIMIT: u64 = 50;
/// Most items of a page; who asks for more gets this many.
const MAX_LIMIT: u64 = 100;

/// Which page is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    /// Items of the page.
    pub(crate) limit: usize,
    /// `limit` as asked for, to be told again.
    pub(crate) asked_limit: Option<u64>,
    /// Oldest first.
    pub(crate) ascending: bool,
    /// Where it begins: what [`token`](Self::token) was given for the page before.
    pub(crate) position: Option<Vec<u8>>,
    list: ListToken,
}

impl Paging {
    /// Reads `limit`, `page_token`, `ascending` of a list whose further parameters are `filters`.
    pub(crate) fn read(call: &Call, asked: &Asked, filters: &[&str]) -> Answer<Self> {
        let asked_limit = asked.number("limit", 1..=u64::from(u32::MAX))?;
        let limit = asked_limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let ascending = asked.flag("ascending")?;
        let scope = &call.scope;
        let mut parts = vec![
            call.operation.id.to_owned(),
            scope.organization.to_string(),
            scope.pod.map(|pod| pod.to_string()).unwrap_or_default(),
            scope
                .inbox
                .as_ref()
                .map(|inbox| inbox.id.to_string())
                .unwrap_or_default(),
            if ascending { "ascending" } else { "descending" }.to_owned(),
        ];
        for filter in filters {
            let values = asked.texts(filter)?;
            parts.extend([(*filter).to_owned(), values.len().to_string()]);
            parts.extend(values);
        }
        let list = ListToken::of(parts);
        let position = match asked.text("page_token")? {
            None => None,
            Some(token) => Some(list.read(token).ok_or_else(bad_token)?),
        };
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            asked_limit: asked_limit.map(|_| limit),
            ascending,
            position,
            list,
        })
    }

    /// The token of the page that begins behind a place in this list.
    pub(crate) fn token(&self, position: &[u8]) -> String {
        self.list.write(position)
    }

    /// The place as an id of 16 octets.
    pub(crate) fn position_id<T>(&self, from: impl FnOnce([u8; 16]) -> T) -> Answer<Option<T>> {
        let Some(position) = &self.position else {
            return Ok(None);
        };
        let id = <[u8; 16]>::try_from(position.as_slice()).map_err(|_| bad_token())?;
        Ok(Some(from(id)))
    }

    /// The place as a number.
    pub(crate) fn position_number(&self) -> Answer<u64> {
        let Some(position) = &self.position else {
            return Ok(0);
        };
        let number = <[u8; 8]>::try_from(position.as_slice()).map_err(|_| bad_token())?;
        Ok(u64::from_be_bytes(number))
    }
}

/// A token of another list, or none at all.
pub(crate) fn bad_token() -> Failure {
    Failure::field("page_token", "page_token is not one of this list")
}
