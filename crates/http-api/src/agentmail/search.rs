//! Search over messages and threads (agentmail.md §8): the best first.
//!
//! What always holds: nothing in spam, trash or blocked, nothing unauthenticated and no draft is found; sender, recipients
//! and subject match as substrings, the text by words; a call looks at a bounded number of inboxes and messages.

mod highlight;
mod place;

use super::call::Call;
use super::failure::{Answer, Failure};
use super::listing::{SEARCHES, filters};
use super::message_view::{Detail, MessageView, messages as message_views};
use super::paging::{Paging, bad_token};
use super::scope_inboxes;
use super::thread_view::{ThreadView, thread};
use super::wire::Asked;
use crate::State;
use crate::error::ApiError;
use crate::myagentmail::texts;
use axum::Json;
use axum::extract::State as Shared;
pub(super) use highlight::Highlights;
use highlight::Words;
use place::Place;
use postroom_identity::InboxRecord;
use postroom_mailstore::{Hit, Include, Listed, MailError};
use postroom_message::readable_html;
use postroom_types::ThreadId;
use serde::Serialize;
use std::collections::HashSet;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest query, characters.
const MAX_QUERY: usize = 256;
/// Inboxes searched for one page.
const MAX_INBOXES: usize = 100;
/// Messages looked at for one page.
const MAX_LOOKS: usize = 300;
/// How much of a text is looked at, octets as stored.
const MAX_TEXT_OCTETS: u64 = 256 << 10;

/// A message that was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchMessageItem)]
pub(super) struct FoundMessage {
    #[serde(flatten)]
    message: MessageView,
    highlights: Highlights,
}

/// A page of messages that were found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchMessagesResponse)]
pub(super) struct FoundMessages {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    messages: Vec<FoundMessage>,
}

/// A thread in which something was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchThreadItem)]
pub(super) struct FoundThread {
    #[serde(flatten)]
    thread: ThreadView,
    highlights: Highlights,
}

/// A page of threads in which something was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SearchThreadsResponse)]
pub(super) struct FoundThreads {
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    threads: Vec<FoundThread>,
}

/// A message that was found, with where.
struct Found {
    inbox: Arc<InboxRecord>,
    listed: Listed,
    highlights: Highlights,
}

/// A search under way.
struct Search<'a> {
    state: &'a State,
    words: Words,
    before: Option<i64>,
    after: Option<i64>,
    /// Threads instead of messages: each at its best message alone.
    by_thread: bool,
}

pub(super) async fn messages(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<FoundMessages>> {
    let paging = Paging::read(&call, &asked, &filters(SEARCHES))?;
    let (found, next) = run(&state, &call, &asked, &paging, false).await?;
    let mut shown = Vec::with_capacity(found.len());
    for one in found {
        let view = message_views(&state, &one.inbox, &[one.listed], Detail::Item)
            .await?
            .pop();
        shown.extend(view.map(|message| FoundMessage {
            message,
            highlights: one.highlights,
        }));
    }
    Ok(Json(FoundMessages {
        count: shown.len(),
        limit: paging.asked_limit,
        next_page_token: next.map(|next| paging.token(&next.write())),
        messages: shown,
    }))
}

pub(super) async fn threads(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<FoundThreads>> {
    let paging = Paging::read(&call, &asked, &filters(SEARCHES))?;
    let (found, next) = run(&state, &call, &asked, &paging, true).await?;
    let mut shown = Vec::with_capacity(found.len());
    for one in found {
        let thread_id = one.listed.record.thread_id;
        let listed = state
            .mailstore()
            .list_thread(one.inbox.id, thread_id, Include::default())
            .await?;
        let Some(listed) = listed else { continue };
        let view = thread(&state, &one.inbox, &listed).await?;
        shown.extend(view.map(|thread| FoundThread {
            thread,
            highlights: one.highlights,
        }));
    }
    Ok(Json(FoundThreads {
        count: shown.len(),
        limit: paging.asked_limit,
        next_page_token: next.map(|next| paging.token(&next.write())),
        threads: shown,
    }))
}

async fn run(
    state: &State,
    call: &Call,
    asked: &Asked,
    paging: &Paging,
    by_thread: bool,
) -> Answer<(Vec<Found>, Option<Place>)> {
    let words = Words::of(asked.required_text("q", 1..=MAX_QUERY)?);
    if words.is_empty() {
        return Err(Failure::field("q", "q has no word in it"));
    }
    let place = match &paging.position {
        None => Place::default(),
        Some(position) => Place::read(position).ok_or_else(bad_token)?,
    };
    let search = Search {
        state,
        words,
        before: asked.time("before")?,
        after: asked.time("after")?,
        by_thread,
    };
    let (inboxes, next) = scope_inboxes::some(state, &call.scope, place.inbox, MAX_INBOXES).await?;
    let mut hits: Vec<(Hit, usize)> = Vec::new();
    for (index, inbox) in inboxes.iter().enumerate() {
        let found = match state.mailstore().find(inbox.id, search.words.all()).await {
            // Deleted meanwhile.
            Err(MailError::NoSuchInbox(_)) => continue,
            found => found?,
        };
        hits.extend(found.into_iter().map(|hit| (hit, index)));
    }
    hits.sort_unstable_by(|a, b| b.cmp(a));
    let (found, last) = search.judge(&inboxes, &hits, place.hit, paging.limit).await?;
    let next = match (last, next) {
        (Some(hit), _) => Some(Place {
            hit: Some(hit),
            ..place
        }),
        (None, Some(inbox)) => Some(Place {
            inbox: Some(inbox),
            hit: None,
        }),
        (None, None) => None,
    };
    Ok((found, next))
}

impl Search<'_> {
    /// The best hits below one that are what is searched for, at most `limit`; and the hit below which to go on, unless that
    /// was all.
    async fn judge(
        &self,
        inboxes: &[Arc<InboxRecord>],
        hits: &[(Hit, usize)],
        below: Option<Hit>,
        limit: usize,
    ) -> Answer<(Vec<Found>, Option<Hit>)> {
        let mut found: Vec<Found> = Vec::new();
        let mut threads: HashSet<ThreadId> = HashSet::new();
        if let (true, Some(below)) = (self.by_thread, below) {
            // Those of better hits: earlier pages had them, or found that they are not what is searched for.
            for (hit, index) in hits.iter().take_while(|(hit, _)| *hit >= below) {
                let better = self.state.mailstore().message(inboxes[*index].id, hit.email_id).await?;
                threads.extend(better.map(|record| record.thread_id));
            }
        }
        let mut looked: Option<Hit> = None;
        let rest = hits
            .iter()
            .skip_while(|(hit, _)| below.is_some_and(|below| *hit >= below));
        for (looks, (hit, index)) in rest.enumerate() {
            if found.len() == limit || looks == MAX_LOOKS {
                return Ok((found, looked));
            }
            looked = Some(*hit);
            let inbox = &inboxes[*index];
            let listed = self.state.mailstore().list_of(inbox.id, &[hit.email_id]).await?.pop();
            let Some(listed) = listed.filter(|listed| self.takes(listed)) else {
                continue;
            };
            if self.by_thread && threads.contains(&listed.record.thread_id) {
                continue;
            }
            let text = self.text(&listed).await?;
            let Some(highlights) = self
                .words
                .highlights(&listed.summary, text.as_deref().unwrap_or_default())
            else {
                continue;
            };
            threads.insert(listed.record.thread_id);
            found.push(Found {
                inbox: Arc::clone(inbox),
                listed,
                highlights,
            });
        }
        Ok((found, None))
    }

    fn takes(&self, listed: &Listed) -> bool {
        let at = listed.record.received_at;
        Include::default().shows(&listed.labels)
            && self.before.is_none_or(|before| at < before)
            && self.after.is_none_or(|after| at >= after)
    }

    /// What people read of a message.
    async fn text(&self, listed: &Listed) -> Answer<Option<String>> {
        let (content, root) = (&listed.record.content, &listed.summary.root);
        let texts = match texts::read(self.state.mailstore(), content, root, MAX_TEXT_OCTETS).await {
            Ok(texts) => texts,
            Err(ApiError::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let plain = texts.plain.filter(|text| !text.trim().is_empty());
        Ok(plain.or_else(|| texts.html.map(|html| readable_html(&html))))
    }
}
