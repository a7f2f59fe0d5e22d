//! The files of drafts (inkbox.md §8): added, read and taken out.

use super::call::Caller;
use super::draft_body::FilesBody;
use super::draft_view::DraftView;
use super::drafts::{found, full, generation};
use super::failure::{Answer, Failure};
use super::names::{name_of, named};
use super::operations::Operation;
use super::wire::{Asked, Segments, parse};
use crate::State;
use crate::agentmail;
use crate::large;
use axum::Json;
use axum::extract::{Request, State as Shared};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{delete, get, post};
use postroom_drafts::{DraftChange, DraftError};
use postroom_identity::Permission;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::post(
        "drafts.add_attachments",
        "/v1/mail/mailboxes/{address}/drafts/{draft}/attachments",
        || post(add_attachments),
    )
    .needs(Permission::DraftUpdate),
    Operation::get(
        "drafts.get_attachment",
        "/v1/mail/mailboxes/{address}/drafts/{draft}/attachments/{part}",
        || get(attachment),
    )
    .needs(Permission::DraftRead),
    Operation::delete(
        "drafts.remove_attachment",
        "/v1/mail/mailboxes/{address}/drafts/{draft}/attachments/{part}",
        || delete(remove_attachment),
    )
    .needs(Permission::DraftUpdate),
];

async fn add_attachments(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    request: Request,
) -> Answer<Json<DraftView>> {
    let (inbox, draft) = found(&state, &caller, &path).await?;
    let raw = large::read_raw(&state, request, draft.content().octets()).await?;
    let body: FilesBody = parse(&raw.bytes)?;
    let change = body.read(&draft)?;
    let changed = state.drafts().update(&inbox, draft.id, &change).await?;
    drop(raw.turn);
    full(&state, &inbox, &changed).await
}

/// The bytes of a file; its place is valid for one version alone.
async fn attachment(Shared(state): Shared<State>, caller: Caller, path: Segments, asked: Asked) -> Answer<Response> {
    let (_, draft) = found(&state, &caller, &path).await?;
    if generation(&asked)? != draft.generation() {
        return Err(DraftError::Stale.into());
    }
    let root = &draft.summary.root;
    let part: usize = path.id("part")?;
    let mut all = named(root).into_iter();
    let (name, _) = all
        .find(|(_, file)| file.index == part)
        .ok_or_else(Failure::not_found)?;
    let mut answer = agentmail::file(state.mailstore(), draft.content().clone(), root, part, name_of)?;
    if let Ok(disposition) = HeaderValue::from_str(&disposition(&name)) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(answer)
}

async fn remove_attachment(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Asked,
) -> Answer<Json<DraftView>> {
    let (inbox, draft) = found(&state, &caller, &path).await?;
    let generation = generation(&asked)?;
    if generation != draft.generation() {
        return Err(DraftError::Stale.into());
    }
    let part: usize = path.id("part")?;
    let attached = postroom_message::attachments(&draft.summary.root);
    if attached.iter().all(|file| file.index != part) {
        return Err(Failure::not_found());
    }
    let turn = state.turns().take(draft.content().octets()).await?;
    let change = DraftChange {
        remove_attachments: vec![part],
        generation: Some(generation),
        ..DraftChange::default()
    };
    let changed = state.drafts().update(&inbox, draft.id, &change).await?;
    drop(turn);
    full(&state, &inbox, &changed).await
}

/// The name in one form only: the vendor's client takes the first that it finds.
fn disposition(name: &str) -> String {
    let is_plain = |c: char| (c.is_ascii_graphic() || c == ' ') && c != '"' && c != '\\';
    if name.chars().all(is_plain) {
        return format!("attachment; filename=\"{name}\"");
    }
    let encoded = name.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    format!("attachment; filename*=UTF-8''{}", encoded.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (name, expected) in [
            ("a b.txt", "attachment; filename=\"a b.txt\""),
            ("ä.txt", "attachment; filename*=UTF-8''%C3%A4.txt"),
            ("a\".txt", "attachment; filename*=UTF-8''a%22.txt"),
            ("a\r\nX: y", "attachment; filename*=UTF-8''a%0D%0AX%3A%20y"),
        ] {
            assert_eq!(disposition(name), expected);
        }
    }
}
