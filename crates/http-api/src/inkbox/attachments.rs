//! Attachments by their names (inkbox.md §7, §1.9, §1.10): where their bytes are to be had, as links that work for a while
//! without a key.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::messages;
use super::names::{name_of, named};
use super::operations::Operation;
use super::wire::{Asked, Segments};
use crate::State;
use crate::agentmail::{self, Download, What};
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use postroom_identity::Permission;
use serde::Serialize;

/// How long a link works.
const LINK_SECONDS: u32 = 3600;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get(
        "messages.get_attachment",
        "/v1/mail/mailboxes/{address}/messages/{message}/attachments/{filename}",
        || get(show),
    )
    .needs(Permission::MessageRead),
    Operation::get("attachments.download", "/v1/mail/attachments/{token}", || get(download)).open(),
];

/// Where an attachment is.
#[derive(Debug, Serialize)]
struct LinkView {
    url: String,
    filename: String,
    /// Seconds.
    expires_in: u32,
}

async fn show(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Asked,
    headers: HeaderMap,
) -> Answer<Response> {
    let (inbox, found) = messages::named(&state, &caller, &path).await?;
    let redirect = asked.flag("redirect")?.unwrap_or(false);
    let wanted = path.text("filename")?;
    let attachment = named(&found.summary.root).into_iter().find(|(name, _)| name == wanted);
    let (filename, attachment) = attachment.ok_or_else(Failure::not_found)?;
    // What stands in a row of 16 bits; a message has at most some thousand parts.
    let index = u16::try_from(attachment.index).map_err(|_| Failure::not_found())?;
    let expires_at = jiff::Timestamp::now().as_millisecond() + i64::from(LINK_SECONDS) * 1000;
    let download = Download {
        inbox: inbox.id,
        message: found.record.email_id,
        what: What::Part(index),
        expires_at,
    };
    let token = state.download_key().sign(state.mailstore().store(), &download).await?;
    let base = agentmail::base_url(&state, &headers).ok_or_else(|| Failure::invalid("a Host header is needed"))?;
    let url = format!("{base}/api/v1/mail/attachments/{token}");
    let view = Json(LinkView {
        url: url.clone(),
        filename,
        expires_in: LINK_SECONDS,
    });
    Ok(match redirect {
        // The vendor's client reads the body of the redirect itself.
        true => (StatusCode::FOUND, [(header::LOCATION, url)], view).into_response(),
        false => view.into_response(),
    })
}

/// A link that is not one of ours, or no longer works, is refused; of one that is, the message may be gone.
async fn download(Shared(state): Shared<State>, path: Segments) -> Answer<Response> {
    let download = state
        .download_key()
        .open(state.mailstore().store(), path.text("token")?)
        .await?;
    let now = jiff::Timestamp::now().as_millisecond();
    let Some(download) = download.filter(|download| now < download.expires_at) else {
        return Err(Failure::forbidden("this link is not valid, or no longer"));
    };
    Ok(agentmail::downloaded(&state, &download, name_of).await?)
}
