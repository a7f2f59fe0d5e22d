//! Mail going out: sent, replied, forwarded.
//!
//! What always holds: whether the caller may see the inbox and the message is settled before a body is read; the answer
//! comes after the commit.

use super::letter;
use super::messages::{self, Found};
use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, invalid};
use crate::large::{self, Large};
use crate::outgoing::answering::audience;
use crate::outgoing::mailboxes::one_line;
use crate::outgoing::{self, Context, Letter, Prepared, fingerprint, idempotency_key};
use crate::request::Segments;
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_intake::{Idempotency, Submitted};
use postroom_mailstore::{Mailstore, ThreadChoice};
use postroom_message::{
    forward_attachments, forward_html, forward_subject, forward_text, references_for, reply_subject,
};
use postroom_types::{EmailId, InboxId};
use serde_json::json;

/// Most octets of a header section that are read to answer a message: its references are not at the end of more.
const MAX_HEADER_OCTETS: u64 = 256 << 10;

/// What a route makes of the letter.
enum Purpose {
    Send,
    Reply { to: Box<Answered>, all: bool },
    Forward { content: Bytes, of: Box<Found> },
}

/// A message being answered.
struct Answered {
    found: Found,
    header: Bytes,
}

pub(super) async fn send(
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

pub(super) async fn reply(
    shared: Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<Response, ApiError> {
    answer(shared, caller, path, request, false).await
}

pub(super) async fn reply_all(
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
    let found = messages::found(state.mailstore(), inbox, path.id("message")?).await?;
    let key = idempotency_key(request.headers())?;
    let body = large::read(&state, request, 0).await?;
    let header_octets = found.summary.root.body_offset.min(MAX_HEADER_OCTETS);
    let header = read(state.mailstore(), &found, header_octets).await?;
    let to = Box::new(Answered { found, header });
    post(&state, inbox, body, key, Purpose::Reply { to, all }).await
}

pub(super) async fn forward(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Result<Response, ApiError> {
    let inbox = caller.readable(&state, path.id("inbox")?).await?.id;
    let found = messages::found(state.mailstore(), inbox, path.id("message")?).await?;
    let key = idempotency_key(request.headers())?;
    let body = large::read(&state, request, found.record.size_octets()).await?;
    let content = read(state.mailstore(), &found, u64::MAX).await?;
    let of = Box::new(found);
    post(&state, inbox, body, key, Purpose::Forward { content, of }).await
}

/// The first octets of a message. One that was removed meanwhile is not there.
async fn read(mailstore: &Mailstore, found: &Found, octets: u64) -> Result<Bytes, ApiError> {
    let read = mailstore.read(&found.record.content, 0..octets).await?;
    read.ok_or(ApiError::NotFound)
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
    let work = move || {
        // Hashed before the fields are taken apart, and only for who asks.
        let fingerprint = keyed
            .then(|| fingerprint(purpose.route(), purpose.target(), &fields))
            .transpose()?;
        let (letter, subject) = letter::read(fields)?;
        Ok((purpose.write(&author, letter, subject)?, fingerprint))
    };
    let (prepared, fingerprint) = large::work(octets, work).await?;
    let idempotency = key
        .zip(fingerprint)
        .map(|(key, fingerprint)| Idempotency { key, fingerprint });
    let submitted = outgoing::submit(state, inbox, prepared, idempotency).await?;
    drop(turn);
    Ok(shown(&submitted))
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
            Self::Reply { to, .. } => Some(to.found.record.email_id),
            Self::Forward { of, .. } => Some(of.record.email_id),
        }
    }

    fn write(self, inbox: &InboxRecord, letter: Letter, subject: Option<String>) -> Result<Prepared, ApiError> {
        match self {
            Self::Send => {
                let subject = subject.ok_or_else(|| invalid("subject is missing"))?;
                outgoing::prepare(inbox, Letter { subject, ..letter }, Context::new_thread())
            }
            Self::Reply { to, all } => {
                let (letter, context) = replying(inbox, &to, letter, all)?;
                outgoing::prepare(inbox, letter, context)
            }
            Self::Forward { content, of } => {
                let letter = forwarding(&content, &of, letter, subject);
                outgoing::prepare(inbox, letter, Context::new_thread())
            }
        }
    }
}

/// To whom and about what is settled by the message that is answered; Cc, Bcc and files may be added.
fn replying(inbox: &InboxRecord, to: &Answered, letter: Letter, all: bool) -> Result<(Letter, Context), ApiError> {
    let Answered { found, header } = to;
    let audience = audience(inbox, &found.summary.envelope, found.outbound, all);
    if audience.to.is_empty() && audience.cc.is_empty() {
        return Err(invalid("the message names nobody to answer"));
    }
    let letter = Letter {
        to: audience.to,
        cc: audience.cc.into_iter().chain(letter.cc).collect(),
        subject: reply_subject(&one_line(&found.summary.subject_text)),
        ..letter
    };
    let context = Context {
        thread: ThreadChoice::Given(found.record.thread_id),
        answers: Some(found.record.email_id),
        in_reply_to: found.summary.message_id.clone(),
        references: references_for(header),
    };
    Ok((letter, context))
}

/// The text of the letter, then the message passed on; its files go along.
fn forwarding(content: &Bytes, of: &Found, letter: Letter, subject: Option<String>) -> Letter {
    let root = &of.summary.root;
    let below = |text: &str, quoted: String, between: &str| match text.is_empty() {
        true => quoted,
        false => format!("{text}{between}{quoted}"),
    };
    let plain = letter.plain.as_deref().unwrap_or_default();
    // Without HTML of the caller's own, its text is not there to stand above the forwarded HTML.
    let html = letter
        .html
        .as_deref()
        .map(|html| below(html, forward_html(content, root), "<br>\r\n"));
    let mut attachments = letter.attachments;
    attachments.extend(forward_attachments(content, root));
    Letter {
        subject: subject.unwrap_or_else(|| forward_subject(&one_line(&of.summary.subject_text))),
        plain: Some(below(plain, forward_text(content, root), "\r\n\r\n")),
        html,
        attachments,
        ..letter
    }
}

fn shown(submitted: &Submitted) -> Response {
    let answer = json!({
        "id": submitted.id.to_string(),
        "threadId": submitted.thread_id.to_string(),
        "status": if submitted.held { "on-hold" } else { "queued" },
        "messageId": format!("<{}>", submitted.message_id),
    });
    let mut response = Json(answer).into_response();
    if submitted.replayed {
        let replayed = axum::http::HeaderValue::from_static("true");
        response.headers_mut().insert("idempotent-replay", replayed);
    }
    response
}
