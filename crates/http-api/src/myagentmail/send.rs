//! Mail going out: sent, replied, forwarded.
//!
//! What always holds: whether the caller may see the inbox and the message is settled before a body is read; the answer
//! comes after the commit.

use super::letter;
use super::messages::{self, Found};
use super::operations::{Operation, READERS};
use super::strangers;
use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::large::{self, Large};
use crate::outgoing::{self, fingerprint, idempotency_key};
use crate::request::Segments;
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::post as to;
use postroom_drafts::{Context, DraftId, Letter, Source, Written, audience};
use postroom_identity::{InboxRecord, Permission};
use postroom_intake::{Alongside, Idempotency, KeyScope, Submitted};
use postroom_mailstore::Mailstore;
use postroom_types::{EmailId, InboxId};
use serde_json::json;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post("/inboxes/{inbox}/send", READERS, || to(send)).needs(Permission::MessageSend),
    Operation::post("/inboxes/{inbox}/reply/{message}", READERS, || to(reply))
        .needs(Permission::MessageSend)
        .and(Permission::MessageRead),
    Operation::post("/inboxes/{inbox}/reply-all/{message}", READERS, || to(reply_all))
        .needs(Permission::MessageSend)
        .and(Permission::MessageRead),
    Operation::post("/inboxes/{inbox}/forward/{message}", READERS, || to(forward))
        .needs(Permission::MessageSend)
        .and(Permission::MessageRead),
];

/// Most octets of a header section that are read to answer a message: its references are not at the end of more.
const MAX_HEADER_OCTETS: u64 = 256 << 10;

/// What a route makes of the letter.
enum Purpose {
    Send,
    Reply { to: Box<Source>, all: bool },
    Forward { of: Box<Source> },
}

async fn send(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<Response, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let key = idempotency_key(request.headers())?;
    let body = large::read(&state, request, 0).await?;
    post(&state, inbox, body, key, Purpose::Send).await
}

async fn reply(shared: Shared<State>, caller: Caller, path: Segments, request: Request) -> Result<Response, ApiError> {
    answer(shared, caller, path, request, false).await
}

async fn reply_all(
    shared: Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<Response, ApiError> {
    answer(shared, caller, path, request, true).await
}

async fn answer(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
    all: bool,
) -> Result<Response, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let found = messages::found(state.mailstore(), &caller, inbox, path.id("message")?).await?;
    let key = idempotency_key(request.headers())?;
    let body = large::read(&state, request, 0).await?;
    let header_octets = found.summary.root.body_offset.min(MAX_HEADER_OCTETS);
    let to = Box::new(source(state.mailstore(), found, header_octets).await?);
    post(&state, inbox, body, key, Purpose::Reply { to, all }).await
}

async fn forward(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<Response, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let found = messages::found(state.mailstore(), &caller, inbox, path.id("message")?).await?;
    let key = idempotency_key(request.headers())?;
    let body = large::read(&state, request, found.record.size_octets()).await?;
    let of = Box::new(source(state.mailstore(), found, u64::MAX).await?);
    post(&state, inbox, body, key, Purpose::Forward { of }).await
}

/// A message with its first octets. One that was removed meanwhile is not there.
async fn source(mailstore: &Mailstore, found: Found, octets: u64) -> Result<Source, ApiError> {
    let read = mailstore.read(&found.record.content, 0..octets).await?;
    Ok(Source {
        email_id: found.record.email_id,
        thread_id: found.record.thread_id,
        summary: found.summary,
        outbound: found.outbound,
        content: read.ok_or(ApiError::NotFound)?,
    })
}

async fn post(
    state: &State,
    inbox: InboxId,
    body: Large,
    key: Option<String>,
    purpose: Purpose,
) -> Result<Response, ApiError> {
    // Read again: the body may have taken its time, and what the inbox may do is what counts now.
    let inbox = state.identity().inbox(inbox).await?;
    let octets = body.octets();
    let Large { fields, turn, .. } = body;
    let (author, keyed) = (inbox.clone(), key.is_some());
    let alongside = Alongside {
        forwards: matches!(purpose, Purpose::Forward { .. }),
        ..Alongside::default()
    };
    let work = move || {
        // Hashed before the fields are taken apart, and only for who asks.
        let fingerprint = keyed
            .then(|| fingerprint(purpose.route(), purpose.target(), &fields))
            .transpose()?;
        let letter::Given {
            letter,
            subject,
            verified,
        } = letter::read(fields)?;
        let named = if verified { Vec::new() } else { letter.recipients() };
        Ok((purpose.write(&author, letter, subject)?, fingerprint, named))
    };
    let (written, fingerprint, named) = large::work(octets, work).await?;
    strangers::refuse(state, inbox.id, &named).await?;
    let idempotency = key.zip(fingerprint).map(|(key, fingerprint)| Idempotency {
        scope: KeyScope::Inbox,
        key,
        fingerprint,
    });
    let submitted = outgoing::submit(state, inbox, written, idempotency, alongside).await?;
    drop(turn);
    Ok(shown(&submitted, None))
}

impl Purpose {
    const fn route(&self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Reply { all: false, .. } => "reply",
            Self::Reply { all: true, .. } => "reply-all",
            Self::Forward { .. } => "forward",
        }
    }

    fn target(&self) -> Option<EmailId> {
        match self {
            Self::Send => None,
            Self::Reply { to, .. } => Some(to.email_id),
            Self::Forward { of } => Some(of.email_id),
        }
    }

    fn write(self, inbox: &InboxRecord, letter: Letter, subject: Option<String>) -> Result<Written, ApiError> {
        let (letter, context) = match self {
            Self::Send => {
                let subject = subject.ok_or_else(|| invalid("subject is missing"))?;
                (Letter { subject, ..letter }, Context::new_thread())
            }
            Self::Reply { to, all } => (replying(inbox, &to, letter, all)?, to.answer()),
            Self::Forward { of } => {
                let subject = subject.unwrap_or_else(|| of.forward_subject());
                (of.forwarded_in(Letter { subject, ..letter }), Context::new_thread())
            }
        };
        Ok(letter.write(inbox, context)?)
    }
}

/// To whom and about what is settled by the message that is answered; Cc, Bcc and files may be added.
fn replying(inbox: &InboxRecord, to: &Source, letter: Letter, all: bool) -> Result<Letter, ApiError> {
    let audience = audience(inbox, &to.summary.envelope, to.outbound, all);
    if audience.to.is_empty() && audience.cc.is_empty() {
        return Err(invalid("the message names nobody to answer"));
    }
    Ok(Letter {
        to: audience.to,
        cc: audience.cc.into_iter().chain(letter.cc).collect(),
        subject: to.reply_subject(),
        ..letter
    })
}

/// The answer of a send; of a draft's, with its id.
pub(super) fn shown(submitted: &Submitted, draft: Option<DraftId>) -> Response {
    let mut answer = json!({
        "id": submitted.id.to_string(),
        "threadId": submitted.thread_id.to_string(),
        "status": if submitted.held { "on-hold" } else { "queued" },
        "messageId": format!("<{}>", submitted.message_id),
    });
    if let Some(draft) = draft {
        answer["draftId"] = draft.to_string().into();
    }
    let mut response = Json(answer).into_response();
    if submitted.replayed {
        let replayed = axum::http::HeaderValue::from_static("true");
        response.headers_mut().insert("idempotent-replay", replayed);
    }
    response
}
