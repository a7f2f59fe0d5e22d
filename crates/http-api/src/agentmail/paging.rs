//! Pages of lists (agentmail.md §3 "Pagination").
//!
//! What always holds: a token names a place in one list under one set of filters and in one direction; anywhere else it is a
//! 400.

use super::call::Call;
use super::failure::{Answer, Failure};
use super::wire::Asked;
use crate::model::{from_hex, hex};
use sha2::{Digest, Sha256};

/// Items of a page, unless asked otherwise.
const DEFAULT_LIMIT: u64 = 50;
/// Most items of a page; who asks for more gets this many.
const MAX_LIMIT: u64 = 100;
/// Octets of a token that tell its list.
const LIST_OCTETS: usize = 8;

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
    list: [u8; LIST_OCTETS],
}

impl Paging {
    /// Reads `limit`, `page_token`, `ascending` of a list whose further parameters are `filters`.
    pub(crate) fn read(call: &Call, asked: &Asked, filters: &[&str]) -> Answer<Self> {
        let asked_limit = asked.number("limit", 1..=u64::from(u32::MAX))?;
        let limit = asked_limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let ascending = asked.flag("ascending")?;
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        add(call.operation.id);
        add(&call.scope.organization.to_string());
        add(&call.scope.pod.map(|pod| pod.to_string()).unwrap_or_default());
        add(&call
            .scope
            .inbox
            .as_ref()
            .map(|inbox| inbox.id.to_string())
            .unwrap_or_default());
        add(if ascending { "ascending" } else { "descending" });
        for filter in filters {
            let values = asked.texts(filter)?;
            add(filter);
            add(&values.len().to_string());
            values.iter().for_each(|value| add(value));
        }
        let list = *hash.finalize().first_chunk().expect("8 of 32 octets");
        let position = match asked.text("page_token")? {
            None => None,
            Some(token) => Some(position(token, list).ok_or_else(bad_token)?),
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
        hex(&[&self.list, position].concat())
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

fn position(token: &str, list: [u8; LIST_OCTETS]) -> Option<Vec<u8>> {
    let octets = from_hex(token)?;
    octets.strip_prefix(&list).map(<[u8]>::to_vec)
}

/// A token of another list, or none at all.
pub(crate) fn bad_token() -> Failure {
    Failure::field("page_token", "page_token is not one of this list")
}
