//! Mailboxes (inkbox.md §6): made and deleted with their identities, or over the other dialects.

use super::call::Caller;
use super::failure::Answer;
use super::identities::MAX_LISTED;
use super::identity_view::{MailboxView, ModeNotice, Shown};
use super::operations::Operation;
use super::wire::{Body, Segments, given};
use crate::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::routing::{get, patch};
use postroom_identity::{FilterMode, InboxChange, InboxRecord, MAX_SIGNATURE_CHARACTERS, Permission, SignatureChange};
use postroom_message::readable_html;
use serde::Deserialize;

/// Inboxes read together.
const INBOXES_A_READ: usize = 256;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("mailboxes.list", "/v1/mail/mailboxes", || get(list)).needs(Permission::InboxRead),
    Operation::get("mailboxes.get", "/v1/mail/mailboxes/{address}", || get(show)).needs(Permission::InboxRead),
    Operation::patch("mailboxes.update", "/v1/mail/mailboxes/{address}", || patch(update))
        .needs(Permission::InboxUpdate),
];

async fn list(Shared(state): Shared<State>, caller: Caller) -> Answer<Json<Vec<MailboxView>>> {
    let inboxes = match caller.inbox_scope() {
        Some(own) => vec![state.identity().inbox(own).await?],
        None => all(&state, &caller).await?,
    };
    let mut views = Vec::with_capacity(inboxes.len());
    for inbox in inboxes.iter().take(MAX_LISTED) {
        views.push(MailboxView::new(&state, inbox, Shown::Whole).await?);
    }
    Ok(Json(views))
}

/// As many of an organization's inboxes as one answer has.
async fn all(state: &State, caller: &Caller) -> Answer<Vec<InboxRecord>> {
    let (mut found, mut after) = (Vec::new(), None);
    while found.len() < MAX_LISTED {
        let page = state
            .identity()
            .inboxes(caller.organization(), None, after, INBOXES_A_READ);
        let page = page.await?;
        found.extend(page.inboxes);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<MailboxView>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    Ok(Json(MailboxView::new(&state, &inbox, Shown::Whole).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    filter_mode: Option<FilterMode>,
    #[serde(default, deserialize_with = "given")]
    signature_html: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    signature_text: Option<Option<String>>,
    #[serde(default)]
    signature_enabled: Option<bool>,
}

impl Change {
    /// HTML without text gets a plain form of itself: of one that is longer than a signature may be, its beginning.
    fn signature(&self) -> Option<SignatureChange> {
        let text = match (&self.signature_text, &self.signature_html) {
            (None, Some(Some(html))) => {
                let plain = readable_html(html);
                Some(Some(plain.trim().chars().take(MAX_SIGNATURE_CHARACTERS).collect()))
            }
            (text, _) => text.clone(),
        };
        let change = SignatureChange {
            html: self.signature_html.clone(),
            text,
            enabled: self.signature_enabled,
        };
        (change != SignatureChange::default()).then_some(change)
    }
}

async fn update(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(change): Body<Change>,
) -> Answer<Json<MailboxView>> {
    let mut inbox = caller.mailbox_of(&state, &path).await?;
    if change.filter_mode.is_some() {
        caller.admin()?;
    }
    if let Some(signature) = change.signature() {
        state.identity().set_signature(inbox.id, &signature).await?;
        inbox = state.identity().inbox(inbox.id).await?;
    }
    let mut notice = None;
    if let Some(mode) = change.filter_mode {
        let is_change = inbox.inbound_mode != mode || inbox.outbound_mode != mode;
        let change = InboxChange {
            inbound_mode: Some(mode),
            outbound_mode: Some(mode),
            ..InboxChange::default()
        };
        inbox = state.identity().update_inbox(inbox.id, &change).await?;
        if is_change {
            notice = Some(ModeNotice::new(&state, &inbox, mode).await?);
        }
    }
    let view = MailboxView::new(&state, &inbox, Shown::Whole).await?;
    Ok(Json(view.with_notice(notice)))
}
