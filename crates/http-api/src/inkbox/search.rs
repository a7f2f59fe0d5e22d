//! Search in a mailbox (inkbox.md §6): the best first.
//!
//! What always holds: the query is words, whatever else it holds; each of them stands in a message that is found. Nothing
//! in spam, trash or blocked and no draft is found.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::message_view::{Detail, MessageView, messages as views};
use super::messages::may_see;
use super::operations::Operation;
use super::paging::limit;
use super::wire::{Asked, Segments};
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::get;
use postroom_identity::Permission;
use serde::Serialize;

/// Longest query, characters.
const MAX_QUERY_CHARS: usize = 1000;
/// Most words of it that count.
const MAX_WORDS: usize = 8;

pub(super) const OPERATIONS: &[Operation] =
    &[
        Operation::get("mailboxes.search", "/v1/mail/mailboxes/{address}/search", || {
            get(search)
        })
        .needs(Permission::MessageRead),
    ];

#[derive(Debug, Serialize)]
struct Found {
    items: Vec<MessageView>,
}

async fn search(Shared(state): Shared<State>, caller: Caller, path: Segments, asked: Asked) -> Answer<Json<Found>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let limit = limit(&asked)?;
    let query = asked.text("q")?.ok_or_else(|| Failure::field("q", "q is missing"))?;
    if query.chars().count() > MAX_QUERY_CHARS {
        return Err(Failure::field(
            "q",
            format!("q has at most {MAX_QUERY_CHARS} characters"),
        ));
    }
    let words = words(query);
    if words.is_empty() {
        return Ok(Json(Found { items: Vec::new() }));
    }
    let hits = state.mailstore().find(inbox.id, &words).await?;
    let mut found = Vec::new();
    for piece in hits.chunks(limit) {
        let ids: Vec<_> = piece.iter().map(|hit| hit.email_id).collect();
        let listed = state.mailstore().list_of(inbox.id, &ids).await?;
        found.extend(
            listed
                .into_iter()
                .filter(|listed| may_see(&caller).shows(&listed.labels)),
        );
        if found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    Ok(Json(Found {
        items: views(&state, &inbox, &found, Detail::Item).await?,
    }))
}

/// The words of a query, without what other search languages put around them.
fn words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in query.split(|c: char| c.is_whitespace() || "\"'()[]{}<>*".contains(c)) {
        let word = word.trim_matches(|c: char| ",;:+-".contains(c) || c.is_control());
        if !word.is_empty() && words.len() < MAX_WORDS && !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_counts_as_words() {
        for (query, expected) in [
            ("hello world", &["hello", "world"][..]),
            ("\"hello world\" -spam inv*", &["hello", "world", "spam", "inv"]),
            ("a OR (b AND c)", &["a", "OR", "b", "AND", "c"]),
            ("x@y.test", &["x@y.test"]),
            ("a a a", &["a"]),
            ("\" * ( ) [", &[]),
        ] {
            assert_eq!(words(query), expected, "{query}");
        }
    }

    proptest! {
        #[test]
        fn words_are_few_and_not_empty(query in ".{0,60}") {
            let words = words(&query);
            prop_assert!(words.len() <= MAX_WORDS && words.iter().all(|word| !word.is_empty() && query.contains(word.as_str())));
        }
    }
}
