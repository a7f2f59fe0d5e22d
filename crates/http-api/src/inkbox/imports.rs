//! Imports of mail (inkbox.md §9): a job is made, its file uploaded without a key, and the job started.
//!
//! What always holds: a file goes to disk piece by piece; who uploads needs the ticket that the job was answered with,
//! shows it before a body is read, and can do nothing else with it.

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::operations::Operation;
use super::paging::{Page, Paging};
use super::wire::{Asked, Body, Nothing, Segments};
use crate::State;
use crate::agentmail;
use crate::error::ApiError;
use crate::model::time;
use axum::Json;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State as Shared};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use postroom_identity::Permission;
use postroom_imports::{Format, ImportError, Job, JobId, JobWish, Upload, UploadTicket};
use postroom_types::EmailAddress;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Where files are uploaded, below `/api`.
pub(crate) const UPLOAD: &str = "/v1/mail/imports/{job}/upload";
/// Uploads at once.
static UPLOADS: Semaphore = Semaphore::const_new(8);
/// How long a client may leave an upload.
const PATIENCE: Duration = Duration::from_secs(60);
/// What an upload has to bring in that time.
const LEAST_OCTETS: usize = 64 << 10;
/// Most octets of a form before its file.
const MAX_HEAD_OCTETS: usize = 64 << 10;
/// When to come back with one import too many.
const RETRY_SECONDS: u64 = 60;

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("imports.list", "/v1/mail/mailboxes/{address}/imports", || get(list)).needs(Permission::MessageRead),
    Operation::post("imports.create", "/v1/mail/mailboxes/{address}/imports", || {
        post(create)
    })
    .needs(Permission::MessageUpdate),
    Operation::get("imports.get", "/v1/mail/mailboxes/{address}/imports/{job}", || {
        get(show)
    })
    .needs(Permission::MessageRead),
    Operation::post(
        "imports.uploadUrl",
        "/v1/mail/mailboxes/{address}/imports/{job}/upload-url",
        || post(upload_url),
    )
    .needs(Permission::MessageUpdate),
    Operation::post(
        "imports.start",
        "/v1/mail/mailboxes/{address}/imports/{job}/start",
        || post(start),
    )
    .needs(Permission::MessageUpdate),
    Operation::post(
        "imports.cancel",
        "/v1/mail/mailboxes/{address}/imports/{job}/cancel",
        || post(cancel),
    )
    .needs(Permission::MessageUpdate),
    // The limit is that of the file, and kept while it is written.
    Operation::post("imports.upload", UPLOAD, || {
        post(upload).layer(DefaultBodyLimit::disable())
    })
    .open(),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewImport {
    #[serde(default = "auto")]
    source_format: Format,
    #[serde(default)]
    original_addresses: Option<Vec<String>>,
    #[serde(default = "yes")]
    mark_as_read: bool,
}

const fn auto() -> Format {
    Format::Auto
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Serialize)]
struct JobView {
    id: String,
    mailbox_id: String,
    status: postroom_imports::Status,
    source_format: Format,
    original_addresses: Option<Vec<String>>,
    mark_as_read: bool,
    upload_size_bytes: Option<u64>,
    messages_processed: u64,
    messages_imported: u64,
    messages_skipped_duplicate: u64,
    messages_failed: u64,
    messages_rejected_unsafe: u64,
    error_detail: Option<String>,
    created_at: String,
    updated_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            mailbox_id: job.inbox.to_string(),
            status: job.status,
            source_format: job.format,
            original_addresses: job.original_addresses,
            mark_as_read: job.mark_as_read,
            upload_size_bytes: job.upload_octets,
            messages_processed: job.processed,
            messages_imported: job.imported,
            messages_skipped_duplicate: job.duplicates,
            messages_failed: job.failed,
            messages_rejected_unsafe: job.unsafe_messages,
            error_detail: job.error,
            created_at: time(job.created_at),
            updated_at: time(job.updated_at),
            started_at: job.started_at.map(time),
            finished_at: job.finished_at.map(time),
        }
    }
}

async fn create(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    headers: HeaderMap,
    body: Result<Body<NewImport>, Failure>,
) -> Answer<(StatusCode, Json<Value>)> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let Body(wanted) = body?;
    let addresses = wanted.original_addresses.map(|all| {
        let parsed = all.iter().map(|text| EmailAddress::parse(text));
        parsed.collect::<Result<Vec<_>, _>>()
    });
    let bad = |_| {
        Failure::field(
            "original_addresses",
            "original_addresses has something that is no address",
        )
    };
    let wish = JobWish {
        format: wanted.source_format,
        original_addresses: addresses.transpose().map_err(bad)?,
        mark_as_read: wanted.mark_as_read,
    };
    let base = base(&state, &headers)?;
    let (job, ticket) = state.imports().create(inbox.id, &wish).await.map_err(failure)?;
    let upload = target(&base, job.id, &ticket);
    Ok((
        StatusCode::CREATED,
        Json(json!({ "job": JobView::from(job), "upload": upload })),
    ))
}

async fn list(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    asked: Asked,
) -> Answer<Json<Page<JobView>>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let paging = Paging::read(&asked, &["imports", &inbox.id.to_string()])?;
    let before = paging.position_id(JobId::from_bytes)?;
    let page = state
        .imports()
        .list(inbox.id, before, paging.limit)
        .await
        .map_err(failure)?;
    let last = page
        .jobs
        .last()
        .filter(|_| page.more)
        .map(|job| job.id.as_bytes().to_vec());
    Ok(Json(paging.page(
        page.jobs.into_iter().map(JobView::from).collect(),
        last.as_deref(),
    )))
}

async fn show(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Answer<Json<JobView>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let job = state.imports().get(inbox.id, path.id("job")?).await.map_err(failure)?;
    Ok(Json(job.into()))
}

async fn upload_url(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    headers: HeaderMap,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<Json<Value>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let (id, base) = (path.id("job")?, base(&state, &headers)?);
    let ticket = state.imports().renew_upload(inbox.id, id).await.map_err(failure)?;
    Ok(Json(target(&base, id, &ticket)))
}

async fn start(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<Json<JobView>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let job = state
        .imports()
        .start(inbox.id, path.id("job")?)
        .await
        .map_err(failure)?;
    Ok(Json(job.into()))
}

async fn cancel(
    Shared(state): Shared<State>,
    caller: Caller,
    path: Segments,
    Body(Nothing {}): Body<Nothing>,
) -> Answer<Json<JobView>> {
    let inbox = caller.mailbox_of(&state, &path).await?;
    let job = state
        .imports()
        .cancel(inbox.id, path.id("job")?)
        .await
        .map_err(failure)?;
    Ok(Json(job.into()))
}

fn base(state: &State, headers: &HeaderMap) -> Answer<String> {
    agentmail::base_url(state, headers).ok_or_else(|| Failure::invalid("a Host header is needed"))
}

/// Where a file is posted to, as a form: these fields, then the part `file`. The ticket is in the URL, so that it is seen
/// before anything of the form is.
fn target(base: &str, id: JobId, ticket: &UploadTicket) -> Value {
    json!({
        "url": format!("{base}/api{}?ticket={}", UPLOAD.replace("{job}", &id.to_string()), ticket.token.expose()),
        "fields": { "ticket": ticket.token.expose() },
        "expires_in_seconds": ticket.expires_in_seconds,
    })
}

async fn upload(Shared(state): Shared<State>, path: Segments, asked: Asked, request: Request) -> Answer<StatusCode> {
    let id: JobId = path.id("job")?;
    // Of who may not, no octet is read.
    let ticket = asked.text("ticket")?.unwrap_or_default();
    state.imports().check_ticket(id, ticket).await.map_err(failure)?;
    let _turn = UPLOADS.try_acquire().map_err(|_| ApiError::Busy)?;
    let told = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let mut upload = state.imports().upload(id, ticket, told).await.map_err(failure)?;
    let begun = Instant::now();
    let (mut form, in_file) = form(request).await?;
    while let Some(field) = in_time(form.next_field()).await? {
        if begun.elapsed() > PATIENCE {
            return Err(ApiError::Timeout.into());
        }
        // The other fields are for those who send what they were told to; the ticket was seen.
        if field.name() == Some("file") {
            in_file.store(true, Ordering::Relaxed);
            copy(field, &mut upload).await?;
            state.imports().uploaded(id, upload).await.map_err(failure)?;
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(Failure::field("file", "the form has no part \"file\""))
}

/// The form of a request, and what is to be set once its file begins: until then it is of a bounded size.
async fn form(request: Request) -> Answer<(Multipart, Arc<AtomicBool>)> {
    let in_file = Arc::new(AtomicBool::new(false));
    let (parts, body) = request.into_parts();
    let is_in_file = Arc::clone(&in_file);
    let (mut body, mut before, mut pauses) = (body.into_data_stream(), 0_usize, false);
    let pieces = stream::poll_fn(move |context| {
        // The form's reader takes all it can get at once: it gets one piece, and looks at it.
        if std::mem::take(&mut pauses) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if before > MAX_HEAD_OCTETS && !is_in_file.load(Ordering::Relaxed) {
            return Poll::Ready(Some(Err(axum::Error::new("the file does not begin"))));
        }
        let piece = ready!(body.poll_next_unpin(context));
        if let Some(Ok(piece)) = &piece {
            before = before.saturating_add(piece.len());
            pauses = true;
        }
        Poll::Ready(piece)
    });
    let request = Request::from_parts(parts, axum::body::Body::from_stream(pieces));
    let form = Multipart::from_request(request, &()).await;
    let form = form.map_err(|_| Failure::invalid("the body is a form of the type multipart/form-data"))?;
    Ok((form, in_file))
}

async fn copy(mut field: Field<'_>, upload: &mut Upload) -> Answer<()> {
    let (mut octets, mut since) = (0_usize, Instant::now());
    while let Some(piece) = in_time(field.chunk()).await? {
        octets += piece.len();
        if since.elapsed() > PATIENCE {
            if octets < LEAST_OCTETS {
                return Err(ApiError::Timeout.into());
            }
            (octets, since) = (0, Instant::now());
        }
        upload.write(&piece).await.map_err(failure)?;
    }
    Ok(())
}

async fn in_time<T>(next: impl Future<Output = Result<T, MultipartError>>) -> Answer<T> {
    match timeout(PATIENCE, next).await {
        Ok(next) => next.map_err(|_| Failure::invalid("the form is malformed, or was cut off")),
        Err(_) => Err(ApiError::Timeout.into()),
    }
}

pub(super) fn failure(error: ImportError) -> Failure {
    let text = error.to_string();
    match error {
        ImportError::NoSuchJob => Failure::not_found(),
        ImportError::State(_) => Failure::conflict("mail_import_state", text),
        ImportError::Invalid(_) => Failure::invalid(text),
        ImportError::TooLarge(_) => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", text),
        ImportError::TooMany => {
            Failure::new(StatusCode::TOO_MANY_REQUESTS, "mail_import_quota_exceeded", text).retry_after(RETRY_SECONDS)
        }
        ImportError::TooMuch => {
            Failure::new(StatusCode::TOO_MANY_REQUESTS, "mail_import_quota_exceeded", text).retry_after(RETRY_SECONDS)
        }
        ImportError::NotAllowed => Failure::forbidden(text),
        ImportError::Full => postroom_identity::IdentityError::Full.into(),
        ImportError::Busy => ApiError::Busy.into(),
        ImportError::Io(error) => {
            tracing::error!(%error, "an uploaded file cannot be kept");
            Failure::internal()
        }
        ImportError::Identity(error) => error.into(),
        ImportError::Store(error) => postroom_mailstore::MailError::from(error).into(),
    }
}
