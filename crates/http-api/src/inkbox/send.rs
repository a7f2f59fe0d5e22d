//! Mail going out: sent, answered, passed on; and what became of a request (inkbox.md §7).
//!
//! What always holds: the answer comes after the commit; a request with an idempotency key is done once for seven days, and
//! answered again even if what it speaks of is gone by then; whether the caller may see the mailbox and the message is
//! settled before anything is done.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::keyed::{FORWARD, Keyed, REPLY_ALL, SEND};
use super::letter::{ForwardBody, ForwardMode, ReplyAllBody, SendBody, bare_id};
use super::message_view::{Detail, MessageView, by_email_id, everybody};
use super::messages;
use super::operations::Operation;
use super::wire::{Segments, parse};
use crate::State;
use crate::large::{self, Raw};
use crate::outgoing;
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::routing::post;
use postroom_drafts::{Context, Letter, Source, Written};
use postroom_identity::{InboxRecord, Permission};
use postroom_intake::{Alongside, Submitted};
use postroom_mailstore::{Listed, ThreadChoice};
use postroom_types::EmailId;

/// Most octets of a header section that are read to answer a message: its references are not at the end of more.
const MAX_HEADER_OCTETS: u64 = 256 << 10;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post("messages.send", "/v1/mail/mailboxes/{address}/messages", || post(send))
        .needs(Permission::MessageSend),
    Operation::post(
        "messages.reply_all",
        "/v1/mail/mailboxes/{address}/messages/{message}/reply-all",
        || post(reply_all),
    )
    .needs(Permission::MessageSend)
    .and(Permission::MessageRead),
    Operation::post(
        "messages.forward",
        "/v1/mail/mailboxes/{address}/messages/{message}/forward",
        || post(forward),
    )
    .needs(Permission::MessageSend)
    .and(Permission::MessageRead),
];

/// What is sent.
enum Purpose {
    Send(SendBody, Context),
    ReplyAll(ReplyAllBody, Box<Source>),
    Forward(ForwardBody, Box<Source>),
}

async fn send(shared: Shared<State>, caller: Caller, path: Segments, request: Request) -> Answer<Sent> {
    run(shared, caller, path, request, SEND).await
}

async fn reply_all(shared: Shared<State>, caller: Caller, path: Segments, request: Request) -> Answer<Sent> {
    run(shared, caller, path, request, REPLY_ALL).await
}

async fn forward(shared: Shared<State>, caller: Caller, path: Segments, request: Request) -> Answer<Sent> {
    run(shared, caller, path, request, FORWARD).await
}

/// A message that was taken.
pub(super) type Sent = (StatusCode, Json<MessageView>);

async fn run(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
    operation: &'static str,
) -> Answer<Sent> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let target: Option<EmailId> = match operation {
        SEND => None,
        _ => Some(path.id("message")?),
    };
    let keyed = Keyed::begin(&state, &inbox, request.headers(), operation)?;
    // Looked for before the body is read, since its size decides when there is room; told after it, since a request that
    // was done before needs it no more.
    let found = match target {
        None => Ok(None),
        Some(id) => messages::find(&state, &caller, &inbox, id).await.map(Some),
    };
    let further = match &found {
        Ok(Some(found)) if operation == FORWARD => found.record.size_octets(),
        Ok(_) | Err(_) => 0,
    };
    let raw = large::read_raw(&state, request, further).await?;
    let idempotency = keyed.as_ref().map(|keyed| keyed.of(target, &raw)).transpose()?;
    if let Some(idempotency) = &idempotency
        && let Some(done) = state.intake().replayed(&inbox, idempotency).await?
    {
        return sent(&state, &inbox, &done).await;
    }
    let purpose = match (operation, found?) {
        (SEND, _) | (_, None) => {
            let body: SendBody = parse(&raw.bytes)?;
            let context = context(&state, &caller, &inbox, body.in_reply_to_message_id.as_deref()).await?;
            Purpose::Send(body, context)
        }
        (REPLY_ALL, Some(found)) => {
            let octets = found.summary.root.body_offset.min(MAX_HEADER_OCTETS);
            let body = parse(&raw.bytes)?;
            Purpose::ReplyAll(body, Box::new(source(&state, found, octets).await?))
        }
        (_, Some(found)) => {
            let body = parse(&raw.bytes)?;
            Purpose::Forward(body, Box::new(source(&state, found, u64::MAX).await?))
        }
    };
    // Read again: the body may have taken its time, and what the inbox may do is what counts now.
    let inbox = state.identity().inbox(inbox.id).await?;
    let alongside = Alongside {
        bounces_unknown: true,
        forwards: matches!(purpose, Purpose::Forward(..)),
        ..Alongside::default()
    };
    let written = write(&state, &inbox, raw, purpose).await?;
    let submitted = outgoing::submit(&state, inbox.clone(), written, idempotency, alongside).await?;
    sent(&state, &inbox, &submitted).await
}

/// The answer to who sent a message: it is sent, and nothing may keep them from hearing so.
pub(super) async fn sent(state: &State, inbox: &InboxRecord, submitted: &Submitted) -> Answer<Sent> {
    let view = by_email_id(state, inbox, submitted.id, Detail::Beginnings).await?;
    let view = view.unwrap_or_else(|| MessageView::gone(inbox, submitted));
    Ok((StatusCode::CREATED, Json(view)))
}

async fn write(state: &State, inbox: &InboxRecord, raw: Raw, purpose: Purpose) -> Answer<Written> {
    let signature = state.identity().signature(inbox.id).await?;
    let octets = raw.octets();
    drop(raw.bytes);
    let author = inbox.clone();
    let work = move || {
        // Failures have a form of their own in this dialect, and pass through as they are.
        Ok((|| {
            let (letter, context) = match purpose {
                Purpose::Send(body, context) => (body.read()?.signed(&signature), context),
                Purpose::ReplyAll(body, source) => {
                    let letter = body.read(source.reply_subject())?.signed(&signature);
                    (to_everybody(&author, &source, letter)?, source.answer())
                }
                Purpose::Forward(body, source) => {
                    let mode = body.mode.unwrap_or_default();
                    let files = body.include_original_attachments.unwrap_or(true);
                    let letter = body.read(source.forward_subject())?.signed(&signature);
                    (passing_on(&source, letter, mode, files), Context::new_thread())
                }
            };
            Ok(letter.write(&author, context)?)
        })())
    };
    let written = large::work(octets, work).await?;
    drop(raw.turn);
    written
}

fn to_everybody(inbox: &InboxRecord, source: &Source, letter: Letter) -> Answer<Letter> {
    let all = everybody(inbox, &source.summary.envelope, source.outbound);
    if all.to.is_empty() && all.cc.is_empty() {
        return Err(Failure::invalid("the message names nobody to answer"));
    }
    Ok(Letter {
        to: all.to,
        cc: all.cc,
        ..letter
    })
}

/// A letter with another message below its text, or beside it.
fn passing_on(source: &Source, letter: Letter, mode: ForwardMode, files: bool) -> Letter {
    match (mode, files) {
        (ForwardMode::Wrapped, _) => source.wrapped_in(letter),
        (ForwardMode::Inline, true) => source.forwarded_in(letter),
        (ForwardMode::Inline, false) => source.below(letter),
    }
}

/// What a message answers that names another: the message's id here, or its Message-ID, whether it is here or not.
pub(super) async fn context(
    state: &State,
    caller: &Caller,
    inbox: &InboxRecord,
    named: Option<&str>,
) -> Answer<Context> {
    const FIELD: &str = "in_reply_to_message_id";
    let Some(named) = named else {
        return Ok(Context::new_thread());
    };
    caller.require(Permission::MessageRead)?;
    let bare = bare_id(FIELD, named)?;
    let by_id = bare.parse::<EmailId>().ok();
    let ids = match by_id {
        Some(id) => vec![id],
        None => state.mailstore().find_message_ids(inbox.id, bare).await?,
    };
    let listed = state.mailstore().list_of(inbox.id, &ids).await?;
    if let Some(found) = listed
        .into_iter()
        .find(|listed| messages::may_name(caller).shows(&listed.labels))
    {
        let octets = found.summary.root.body_offset.min(MAX_HEADER_OCTETS);
        return Ok(source(state, found, octets).await?.answer());
    }
    if by_id.is_some() {
        return Err(Failure::field(FIELD, "there is no such message in this mailbox"));
    }
    Ok(Context {
        thread: ThreadChoice::New,
        answers: None,
        in_reply_to: Some(bare.to_owned()),
        references: vec![bare.to_owned()],
    })
}

/// A message with its first octets. One that was removed meanwhile is not there.
async fn source(state: &State, found: Listed, octets: u64) -> Answer<Source> {
    let source = outgoing::source(state.mailstore(), found, octets).await?;
    source.ok_or_else(Failure::not_found)
}
