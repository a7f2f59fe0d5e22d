//! Everything of an organization in one zip archive, sent while it is made: JSON for what it is, mbox files for its mail.
//! For the operator.
//!
//! What always holds:
//! - No more is in memory than a piece of one message, a page of records, the names of the inboxes' folders, and what one
//!   open mailbox takes anyway.
//! - An archive that cannot be made to its end is cut off, so that no part of it passes for the whole.
//! - No secret is in it: no password, no API key, no private key, no key that signs webhooks.

mod mail;
mod names;
mod records;
mod views;

use crate::State;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::pipe::{Pipe, pipe};
use crate::request::Segments;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use postroom_archive::{MboxWriter, ZipStream};
use postroom_identity::Organization;
use serde_json::Value;
use std::io::Write;
use tokio::sync::Semaphore;

/// Archives made at once: each reads as fast as its client takes it.
static AT_ONCE: Semaphore = Semaphore::const_new(2);
/// Octets that are sent together.
const PIECE_OCTETS: usize = 64 << 10;

const README: &str = "\
This is everything that an organization had on a postroom server.

organization.json      what it is, and its limits
pods.jsonl             its pods
inboxes.jsonl          its inboxes: addresses, settings, metadata, signatures
identities.jsonl       the identities of its agents, and who may find them
lists.jsonl            allow and block lists
rules.jsonl            contact rules
domains.jsonl          its domains
webhooks.jsonl         its webhooks
drafts.jsonl           its drafts; the text of each is in the Drafts mailbox of its inbox
mailboxes/ADDRESS.jsonl  the mailboxes of an inbox, and the files they are in
mail/ADDRESS/NAME.mbox   the messages of a mailbox (mboxrd): octet by octet, line ends as they came
mail/ADDRESS/NAME.jsonl  one line for each message of that file, in its order: UID, ids, date, size, flags, keywords

An address that another inbox got while this was written has the id of that inbox behind it, after a %.

A .jsonl file has one JSON object on each line. Times are UTC. The size says how long a message is without the line end
that the mbox file adds to a message that does not end with one.

Not in here: passwords, API keys, the private keys of domains, and the secrets with which webhooks are signed. What
postroom keeps of them opens nothing elsewhere; make new ones. Mail that was deleted and mail that waited to be sent is
not in here either, except for the copies in Sent.
";

/// What a step comes to; the error is for the log.
type Made<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/organizations/{organization}/export", get(export))
}

async fn export(Shared(state): Shared<State>, caller: Caller, path: Segments) -> Result<Response, ApiError> {
    caller.operator()?;
    let organization = state.identity().organization(path.id("organization")?).await?;
    let turn = AT_ONCE.try_acquire().map_err(|_| ApiError::Busy)?;
    let (pipe, body) = pipe();
    let name = format!("attachment; filename=\"{}.zip\"", organization.id);
    tokio::spawn(async move {
        let _turn = turn;
        let id = organization.id;
        let mut archive = Archive {
            state,
            organization,
            out: MboxWriter::new(ZipStream::default()),
            pipe,
        };
        match archive.make().await {
            Ok(()) => match archive.finish().await {
                Ok(()) => tracing::info!(organization = %id, "exported"),
                Err(error) => tracing::warn!(organization = %id, %error, "an export was cut short"),
            },
            Err(error) => {
                tracing::warn!(organization = %id, %error, "an export was cut short");
                archive.pipe.fail(std::io::Error::other(error)).await;
            }
        }
    });
    let fields = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((fields, body).into_response())
}

/// The archive being made.
struct Archive {
    state: State,
    organization: Organization,
    out: MboxWriter<ZipStream>,
    pipe: Pipe,
}

impl Archive {
    async fn make(&mut self) -> Made<()> {
        self.begin("README.txt")?;
        self.out.inner().write_all(README.as_bytes())?;
        self.records().await?;
        self.mail().await
    }

    fn begin(&mut self, name: &str) -> Made<()> {
        Ok(self.out.inner().begin(name)?)
    }

    /// Writes a line of a list.
    async fn line(&mut self, value: &Value) -> Made<()> {
        writeln!(self.out.inner(), "{value}")?;
        self.send(PIECE_OCTETS).await
    }

    /// Sends what is ready, if it is so much.
    async fn send(&mut self, least: usize) -> Made<()> {
        if self.out.inner().ready_octets() >= least {
            let ready = self.out.inner().take();
            self.pipe.send(ready).await?;
        }
        Ok(())
    }

    async fn finish(self) -> Made<()> {
        let Self { out, pipe, .. } = self;
        let left = match out.into_inner().finish() {
            Ok(left) => left,
            Err(error) => {
                let text = error.to_string();
                pipe.fail(std::io::Error::other(error)).await;
                return Err(text.into());
            }
        };
        Ok(pipe.send(left).await?)
    }
}
