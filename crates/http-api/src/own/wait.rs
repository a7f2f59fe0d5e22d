//! Waiting for a message: `GET /postroom/v1/inboxes/{inbox}/wait`.
//!
//! What always holds: a message that came after `since` is found, whether it was there before the request, comes while it
//! waits, or between the two; the cursor in the answer goes on behind the last message that was looked at. What was
//! given out to be used once is given to nobody else. When a key of the organization changes it waits no more: who asks
//! again shows what the key opens now.

mod extraction;
mod wanted;

use super::events::{gone, in_own_form, still_opens};
use crate::State;
use crate::agentmail::call::{inbox_in, scope_of_key};
use crate::agentmail::failure::{Answer, Failure};
use crate::agentmail::message_view::by_email_id;
use crate::agentmail::wire::Asked;
use crate::auth::{self, Caller};
use crate::error::ApiError;
use crate::request::Segments;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use extraction::extraction;
use postroom_feed::{Cursor, Event, FeedError, ReceivedAs, What};
use postroom_identity::{InboxRecord, Permission, Principal};
use postroom_intake::Holder;
use postroom_types::EmailId;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wanted::{Since, Wanted};

/// Longest wait, so that the answer begins within the deadline of a request.
const MAX_WAIT_SECONDS: u64 = 55;
/// How long a request waits that does not say.
const DEFAULT_WAIT_SECONDS: u64 = 30;
/// Events read at a time.
const PAGE: usize = 200;
/// Events looked at whose time is over: the cursor in the answer tells how far it came.
const MAX_LOOKED_AT: usize = 5000;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/inboxes/{inbox}/wait", get(wait))
}

async fn wait(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    headers: HeaderMap,
    asked: Result<Asked, Failure>,
) -> Response {
    let answer = match asked {
        Ok(asked) => answer(&state, &caller.0, &path, &headers, &asked).await,
        Err(failure) => Err(failure),
    };
    answer.unwrap_or_else(in_own_form)
}

async fn answer(
    state: &State,
    principal: &Principal,
    path: &Segments,
    headers: &HeaderMap,
    asked: &Asked,
) -> Answer<Response> {
    if !principal.is_of_a_tenant() {
        return Err(ApiError::Forbidden.into());
    }
    if !principal.allows(Permission::MessageRead) {
        return Err(Failure::missing_permission(Permission::MessageRead));
    }
    let inbox = named_inbox(state, principal, path.text("inbox")?).await?;
    let seconds = asked
        .number("timeout", 0..=MAX_WAIT_SECONDS)?
        .unwrap_or(DEFAULT_WAIT_SECONDS);
    let wanted = Wanted::read(principal, headers, asked)?;
    let cursor = match wanted.since {
        Since::Now => state.feed().newest(),
        Since::Cursor(cursor) => cursor,
        Since::Time(at) => state.feed().since(inbox.organization, at).await?,
    };
    let watch = Watch {
        state,
        key: auth::bearer_or_key(headers).unwrap_or_default(),
        inbox: &inbox,
        wanted: &wanted,
        until: Instant::now() + Duration::from_secs(seconds),
    };
    match watch.run(cursor).await? {
        Ok(found) => Ok(Json(found).into_response()),
        Err(oldest) => Ok(gone(state, oldest)),
    }
}

/// The inbox, by its address or its id.
async fn named_inbox(state: &State, principal: &Principal, name: &str) -> Answer<InboxRecord> {
    let scope = scope_of_key(state, principal).await?;
    match name.parse() {
        Ok(id) => {
            let found = state.identity().inbox_within(&scope.reach(), id).await;
            Ok(found?)
        }
        Err(_) => inbox_in(state, &scope, name).await,
    }
}

struct Watch<'a> {
    state: &'a State,
    key: &'a str,
    inbox: &'a InboxRecord,
    wanted: &'a Wanted,
    until: Instant,
}

impl Watch<'_> {
    /// Looks and waits until something is found or the time is over. `Err`: events after the cursor are gone.
    async fn run(&self, mut cursor: Cursor) -> Answer<Result<Value, Cursor>> {
        let hub = self.state.hubs().of(self.inbox.organization);
        // Before the first look: what comes after it wakes this.
        let mut news = hub.news();
        let mut keys = self.state.identity().watch_keys(self.inbox.organization);
        still_opens(self.state, self.key).await?;
        let mut looked_at = 0;
        loop {
            let page = match hub.page(cursor, PAGE).await {
                Ok(page) => page,
                Err(FeedError::Gone { oldest }) => return Ok(Err(oldest)),
                Err(error) => return Err(error.into()),
            };
            looked_at += page.events.len();
            for placed in &page.events {
                cursor = placed.event.cursor;
                if let Some(message) = self.is_received(&placed.event)
                    && let Some(found) = self.look(message, cursor).await?
                {
                    return Ok(Ok(found));
                }
            }
            cursor = page.next;
            let in_time = Instant::now() < self.until;
            let is_catching_up = page.more && (in_time || looked_at < MAX_LOOKED_AT);
            if is_catching_up && !keys.has_changed().unwrap_or(false) {
                continue;
            }
            let stopping = self.state.stopping();
            let woken = tokio::select! {
                // What comes after the key was revoked is not looked at.
                biased;
                _ = keys.changed() => false,
                woken = timeout_at(self.until, news.changed()) => woken.is_ok_and(|changed| changed.is_ok()),
                () = stopping.cancelled() => false,
            };
            if !woken {
                return Ok(Ok(json!({ "message": null, "next": cursor.to_string() })));
            }
        }
    }

    fn is_received(&self, event: &Event) -> Option<EmailId> {
        let What::Received { message, received_as } = event.what else {
            return None;
        };
        let shown = match received_as {
            ReceivedAs::Plain => true,
            ReceivedAs::Spam => self.wanted.include.spam,
            ReceivedAs::Blocked => self.wanted.include.blocked,
            ReceivedAs::Unauthenticated => self.wanted.include.unauthenticated,
        };
        let late = !matches!(self.wanted.since, Since::Time(at) if event.at < at);
        (shown && late && event.inbox == Some(self.inbox.id)).then_some(message)
    }

    /// The answer, if this message is what is waited for, and nobody else has what is wanted of it.
    async fn look(&self, message: EmailId, cursor: Cursor) -> Answer<Option<Value>> {
        let listed = self.state.mailstore().list_of(self.inbox.id, &[message]).await?;
        let Some(listed) = listed.first().filter(|listed| self.wanted.passes(listed)) else {
            return Ok(None);
        };
        let (part, consumer) = (self.wanted.part(), self.wanted.consumer.as_ref());
        let intake = self.state.intake();
        if intake.holder(self.inbox.id, message, part, consumer).await? == Holder::Other {
            return Ok(None);
        }
        let Some(view) = by_email_id(self.state, self.inbox, message, true).await? else {
            return Ok(None);
        };
        let extraction = match self.wanted.extract {
            None => None,
            Some(extract) => match extraction(extract, listed, &view) {
                None => return Ok(None),
                found => found,
            },
        };
        // Last: from here on it is given away.
        if let Some(consumer) = consumer
            && !intake.hand_out(self.inbox.id, message, part, consumer).await?
        {
            return Ok(None);
        }
        let mut answer = json!({ "message": view, "next": cursor.to_string() });
        if let Some(extraction) = extraction {
            answer["extraction"] = json!(extraction);
        }
        Ok(Some(answer))
    }
}
