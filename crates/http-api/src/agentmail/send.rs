//! Mail going out: sent, replied, forwarded (agentmail.md §8 "Sending").
//!
//! What always holds: the answer comes after the commit; a request with an idempotency key is done once, and answered
//! again even if what it speaks of is gone by then.

use super::call::Call;
use super::failure::{Answer, Failure};
use super::letter::{Asked, ReplyBody, SendBody, check_recipients};
use super::listing::may_see;
use super::message_id;
use super::operations::{INBOX, Operation};
use super::wire::{Segments, parse};
use crate::State;
use crate::large::{self, Raw};
use crate::outgoing::{self, fingerprint};
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::http::HeaderMap;
use axum::routing::post;
use postroom_drafts::{Context, Letter, Source, Written, audience};
use postroom_identity::{InboxRecord, Permission};
use postroom_intake::{Alongside, Idempotency, KeyScope, Running, Submitted};
use postroom_mailstore::Listed;
use postroom_types::Keyword;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest idempotency key (agentmail.md §3).
const MAX_KEY_OCTETS: usize = 256;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post("messages.send", INBOX, "/messages/send", || post(send))
        .needs(Permission::MessageSend)
        .takes::<SendBody>()
        .answers::<SentView>(),
    Operation::post("messages.reply", INBOX, "/messages/{message_id}/reply", || post(reply))
        .needs(Permission::MessageSend)
        .and(Permission::MessageRead)
        .takes::<ReplyBody>()
        .answers::<SentView>(),
    Operation::post("messages.reply_all", INBOX, "/messages/{message_id}/reply-all", || {
        post(reply_all)
    })
    .needs(Permission::MessageSend)
    .and(Permission::MessageRead)
    .takes::<SendBody>()
    .answers::<SentView>(),
    Operation::post("messages.forward", INBOX, "/messages/{message_id}/forward", || {
        post(forward)
    })
    .needs(Permission::MessageSend)
    .and(Permission::MessageRead)
    .takes::<SendBody>()
    .answers::<SentView>(),
];

/// A message that was taken for sending.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SendMessageResponse)]
pub(super) struct SentView {
    message_id: String,
    thread_id: String,
}

impl SentView {
    pub(super) fn new(submitted: &Submitted) -> Self {
        Self {
            message_id: format!("<{}>", submitted.message_id),
            thread_id: submitted.thread_id.to_string(),
        }
    }
}

/// What a route makes of the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Send,
    Reply,
    ReplyAll,
    Forward,
}

async fn send(shared: Shared<State>, call: Call, path: Segments, request: Request) -> Answer<Json<SentView>> {
    run(shared, call, path, request, Purpose::Send).await
}

async fn reply(shared: Shared<State>, call: Call, path: Segments, request: Request) -> Answer<Json<SentView>> {
    run(shared, call, path, request, Purpose::Reply).await
}

async fn reply_all(shared: Shared<State>, call: Call, path: Segments, request: Request) -> Answer<Json<SentView>> {
    run(shared, call, path, request, Purpose::ReplyAll).await
}

async fn forward(shared: Shared<State>, call: Call, path: Segments, request: Request) -> Answer<Json<SentView>> {
    run(shared, call, path, request, Purpose::Forward).await
}

async fn run(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    request: Request,
    purpose: Purpose,
) -> Answer<Json<SentView>> {
    let inbox = Arc::clone(call.inbox()?);
    let keyed = Keyed::begin(&state, &inbox, request.headers())?;
    // Looked for before the body is read, since its size decides when there is room; told after it, since a request that
    // was done before needs it no more.
    let found = match purpose {
        Purpose::Send => Ok(None),
        Purpose::Reply | Purpose::ReplyAll | Purpose::Forward => original(&state, &call, &path).await.map(Some),
    };
    let further = found
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .map_or(0, |found| found.record.size_octets());
    let raw = large::read_raw(&state, request, further).await?;
    let target = path.text("message_id").unwrap_or_default();
    let idempotency = match &keyed {
        Some(keyed) => Some(keyed.of(&call, target, &raw)?),
        None => None,
    };
    if let Some(idempotency) = &idempotency
        && let Some(done) = state.intake().replayed(&inbox, idempotency).await?
    {
        return Ok(Json(SentView::new(&done)));
    }
    let source = match found? {
        Some(found) => Some(source(&state, found).await?),
        None => None,
    };
    // Read again: the body may have taken its time, and what the inbox may do is what counts now.
    let inbox = state.identity().inbox(inbox.id).await?;
    let forwards = matches!(purpose, Purpose::Forward);
    let (written, keywords) = write(&state, &inbox, raw, source, purpose).await?;
    let alongside = Alongside {
        keywords,
        bounces_unknown: true,
        forwards,
        ..Alongside::default()
    };
    let submitted = outgoing::submit(&state, inbox, written, idempotency, alongside).await?;
    Ok(Json(SentView::new(&submitted)))
}

async fn write(
    state: &State,
    inbox: &InboxRecord,
    raw: Raw,
    source: Option<Source>,
    purpose: Purpose,
) -> Answer<(Written, Vec<Keyword>)> {
    let octets = raw.octets();
    let ReplyBody {
        letter: body,
        reply_all,
    } = match purpose {
        Purpose::Reply => parse(&raw.bytes)?,
        Purpose::Send | Purpose::ReplyAll | Purpose::Forward => ReplyBody {
            letter: parse(&raw.bytes)?,
            reply_all: None,
        },
    };
    drop(raw.bytes);
    let fetches = body.fetches()?;
    let room = state.turns().take_fetches(fetches.octets(state)).await?;
    let fetched = fetches.fetch(state).await?;
    let octets = octets + fetched.iter().map(|file| file.bytes.len() as u64).sum::<u64>();
    let inbox = inbox.clone();
    let work = move || {
        let asked = body.read(fetched);
        // Failures have a form of their own in this dialect, and pass through as they are.
        Ok(asked.and_then(|asked| {
            let keywords = asked.keywords.clone();
            let (letter, context) = match (purpose, &source) {
                (Purpose::Send, _) | (_, None) => (asked.letter, Context::new_thread()),
                (Purpose::Forward, Some(source)) => (forwarding(source, asked), source.passing_on()),
                (Purpose::Reply, Some(source)) => {
                    let all = reply_all.unwrap_or(false);
                    (replying(&inbox, source, asked, all)?, source.answer())
                }
                (Purpose::ReplyAll, Some(source)) => (replying(&inbox, source, asked, true)?, source.answer()),
            };
            check_recipients(&letter)?;
            if letter.recipients().is_empty() {
                return Err(Failure::unprocessable(
                    "at least one recipient is needed in to, cc or bcc",
                ));
            }
            Ok((letter.write(&inbox, context)?, keywords))
        }))
    };
    let written = large::work(octets, work).await?;
    drop((raw.turn, room));
    written
}

/// To those given, else to those that the message names, with the message quoted below.
fn replying(inbox: &InboxRecord, source: &Source, asked: Asked, all: bool) -> Answer<Letter> {
    if all && asked.addressed {
        return Err(Failure::field("reply_all", "an answer to all settles to, cc and bcc"));
    }
    let mut letter = asked.letter;
    if !asked.addressed {
        let audience = audience(inbox, &source.summary.envelope, source.outbound, all);
        (letter.to, letter.cc) = (audience.to, audience.cc);
    }
    letter.subject = source.reply_subject();
    Ok(source.quoted_in(letter))
}

fn forwarding(source: &Source, asked: Asked) -> Letter {
    let mut letter = asked.letter;
    if !asked.subject {
        letter.subject = source.forward_subject();
    }
    source.forwarded_in(letter)
}

/// The message that is answered or passed on. Its content goes out again: hence the second permission of these operations.
async fn original(state: &State, call: &Call, path: &Segments) -> Answer<Listed> {
    message_id::find(state, call.inbox()?.id, path.text("message_id")?, may_see(call)).await
}

async fn source(state: &State, found: Listed) -> Answer<Source> {
    let source = outgoing::source(state.mailstore(), found, u64::MAX).await?;
    source.ok_or_else(Failure::not_found)
}

/// A request with an idempotency key, under way.
pub(super) struct Keyed {
    key: String,
    /// Others with the same key are refused until this goes.
    _running: Running,
}

impl Keyed {
    /// Reads the `Idempotency-Key`: `A-Za-z0-9-._~`, 1 to 256 of them.
    pub(super) fn begin(state: &State, inbox: &InboxRecord, headers: &HeaderMap) -> Answer<Option<Self>> {
        let mut values = headers.get_all("idempotency-key").iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => value.as_bytes(),
            (Some(_), Some(_)) => return Err(Failure::invalid("Idempotency-Key is given more than once")),
        };
        let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        if !(1..=MAX_KEY_OCTETS).contains(&value.len()) || !value.iter().all(good) {
            return Err(Failure::invalid(
                "Idempotency-Key has 1 to 256 of the characters A-Za-z0-9-._~",
            ));
        }
        let key = String::from_utf8_lossy(value).into_owned();
        let running = state.intake().begin(inbox, KeyScope::Organization, &key)?;
        Ok(Some(Self { key, _running: running }))
    }

    /// What the request is: the same key with anything else is a mistake.
    pub(super) fn of(&self, call: &Call, target: &str, raw: &Raw) -> Answer<Idempotency> {
        let body: Value = parse(&raw.bytes)?;
        let inbox = call.inbox()?.id;
        let route = format!("{} {inbox} {target}", call.operation.id);
        Ok(Idempotency {
            scope: KeyScope::Organization,
            key: self.key.clone(),
            fingerprint: fingerprint(&route, None, &body)?,
        })
    }
}
