//! Where the bytes of attachments and of whole messages are to be had (agentmail.md §8 "Attachments"): as links that work
//! for an hour without a key.

use super::call::Call;
use super::download::{Download, What};
use super::failure::{Answer, Failure};
use super::listing::may_see;
use super::message_id::{find, message_id, parse_attachment_id};
use super::message_view::{AttachmentView, attachment_views};
use super::threads;
use super::wire::Segments;
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, header};
use postroom_mailstore::Listed;
use postroom_message::leaf;
use postroom_types::InboxId;
use serde::Serialize;
use utoipa::ToSchema;

/// How long a link works.
const LINK_MS: i64 = 3_600_000;

/// An attachment, and where it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttachmentResponse)]
pub(super) struct DownloadView {
    #[serde(flatten)]
    pub(super) attachment: AttachmentView,
    download_url: String,
    expires_at: String,
    /// The same as plain text in UTF-8, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_url: Option<String>,
}

/// Where a message is, as it is stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RawMessageResponse)]
pub(super) struct RawView {
    message_id: String,
    size: u64,
    download_url: String,
    expires_at: String,
}

pub(super) async fn raw(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    headers: HeaderMap,
) -> Answer<Json<RawView>> {
    let inbox = call.inbox()?.id;
    let found = find(&state, inbox, path.text("message_id")?, may_see(&call)).await?;
    let links = Links::new(&state, &headers, inbox, &found)?;
    Ok(Json(RawView {
        message_id: message_id(&found),
        size: found.record.size_octets(),
        download_url: links.to(What::Raw).await?,
        expires_at: time(links.expires_at),
    }))
}

pub(super) async fn of_message(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    headers: HeaderMap,
) -> Answer<Json<DownloadView>> {
    let inbox = call.inbox()?.id;
    let found = find(&state, inbox, path.text("message_id")?, may_see(&call)).await?;
    view(&state, &headers, inbox, &found, path.text("attachment_id")?).await
}

pub(super) async fn of_thread(
    Shared(state): Shared<State>,
    call: Call,
    path: Segments,
    headers: HeaderMap,
) -> Answer<Json<DownloadView>> {
    let (inbox, thread) = threads::find(&state, &call, &path).await?;
    let id = path.text("attachment_id")?;
    let (email_id, _) = parse_attachment_id(id).ok_or_else(Failure::not_found)?;
    let found = state.mailstore().list_of(inbox.id, &[email_id]).await?;
    let is_there =
        |listed: &Listed| listed.record.thread_id == thread.thread_id && may_see(&call).shows(&listed.labels);
    let found = found.into_iter().find(is_there).ok_or_else(Failure::not_found)?;
    view(&state, &headers, inbox.id, &found, id).await
}

/// An attachment of a message, by the id it was shown with.
pub(super) async fn view(
    state: &State,
    headers: &HeaderMap,
    inbox: InboxId,
    listed: &Listed,
    id: &str,
) -> Answer<Json<DownloadView>> {
    let root = &listed.summary.root;
    let mut all = attachment_views(listed.record.email_id, root).into_iter();
    let attachment = all
        .find(|attachment| attachment.attachment_id == id)
        .ok_or_else(Failure::not_found)?;
    let (_, index) = parse_attachment_id(id).ok_or_else(Failure::not_found)?;
    let part = leaf(root, index).ok_or_else(Failure::not_found)?;
    // What stands in a row of 16 bits; a message has at most some thousand parts.
    let index = u16::try_from(index).map_err(|_| Failure::not_found())?;
    let links = Links::new(state, headers, inbox, listed)?;
    Ok(Json(DownloadView {
        attachment,
        download_url: links.to(What::Part(index)).await?,
        expires_at: time(links.expires_at),
        text_url: match part.media_type.eq_ignore_ascii_case(b"text") {
            true => Some(links.to(What::Text(index)).await?),
            false => None,
        },
    }))
}

/// Links to what a message holds.
struct Links<'a> {
    state: &'a State,
    base: String,
    inbox: InboxId,
    listed: &'a Listed,
    expires_at: i64,
}

impl<'a> Links<'a> {
    fn new(state: &'a State, headers: &HeaderMap, inbox: InboxId, listed: &'a Listed) -> Answer<Self> {
        Ok(Self {
            state,
            base: base_url(state, headers).ok_or_else(|| Failure::invalid("a Host header is needed"))?,
            inbox,
            listed,
            expires_at: jiff::Timestamp::now().as_millisecond() + LINK_MS,
        })
    }

    async fn to(&self, what: What) -> Answer<String> {
        let download = Download {
            inbox: self.inbox,
            message: self.listed.record.email_id,
            what,
            expires_at: self.expires_at,
        };
        let token = self
            .state
            .download_key()
            .sign(self.state.mailstore().store(), &download)
            .await?;
        Ok(format!("{}/postroom/v1/download/{token}", self.base))
    }
}

/// How this server is reached: as configured, else as the client reached it, or the proxy before it says that it did.
/// `None`: it says neither.
pub(crate) fn base_url(state: &State, headers: &HeaderMap) -> Option<String> {
    if let Some(url) = &state.options().public_url {
        return Some(url.trim_end_matches('/').to_owned());
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_tls = text("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let host = text(header::HOST.as_str()).filter(|host| {
        let good = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        !host.is_empty() && host.chars().all(good)
    });
    Some(format!("{}://{}", if is_tls { "https" } else { "http" }, host?))
}
