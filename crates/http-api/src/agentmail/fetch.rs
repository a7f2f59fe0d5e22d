//! Attachments that are given by their URL: fetched by the server (agentmail.md §8 "Attachments").
//!
//! What always holds: each address that is talked to, of each step of a redirect, is one that outgoing requests may
//! reach; all of a request's files together have one deadline and one size.

use super::failure::{Answer, Failure};
use crate::State;
use axum::http::StatusCode;
use bytes::Bytes;
use postroom_outgoing_http::{Bounds, OutgoingError, OutgoingHttp, Target};
use std::time::Duration;
use tokio::time::Instant;

/// How long all files of a request may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Octets of all files of a request, if the server takes messages that large.
const MAX_OCTETS: u64 = 30 << 20;
/// Most redirects of one file.
const MAX_REDIRECTS: usize = 5;
/// Most files of a request that are fetched.
const MAX_FETCHES: usize = 20;

/// Where files are to be had, in order.
#[derive(Debug)]
pub(super) struct Fetches(Vec<String>);

/// A file that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Bytes,
    pub(super) content_type: Option<String>,
    /// The last step of the URL's path.
    pub(super) filename: Option<String>,
}

impl Fetches {
    pub(super) fn of(urls: Vec<String>) -> Answer<Self> {
        if urls.len() > MAX_FETCHES {
            let text = format!("at most {MAX_FETCHES} attachments are fetched by their URL");
            return Err(Failure::field("attachments", text));
        }
        Ok(Self(urls))
    }

    /// What they will take at the most.
    pub(super) fn octets(&self, state: &State) -> u64 {
        let most = state.intake().options().max_message_octets.min(MAX_OCTETS);
        if self.0.is_empty() { 0 } else { most }
    }

    /// Fetches them, one after the other.
    pub(super) async fn fetch(self, state: &State) -> Answer<Vec<Fetched>> {
        let mut left = usize::try_from(self.octets(state)).unwrap_or(usize::MAX);
        let until = Instant::now() + DEADLINE;
        let mut fetched = Vec::with_capacity(self.0.len());
        for url in self.0 {
            let file = fetch(state.outgoing_http(), &url, left, until).await?;
            left -= file.bytes.len();
            fetched.push(file);
        }
        Ok(fetched)
    }
}

async fn fetch(http: &OutgoingHttp, url: &str, octets: usize, until: Instant) -> Answer<Fetched> {
    let mut target = http.target(url).map_err(refused)?;
    for _ in 0..=MAX_REDIRECTS {
        let bounds = Bounds {
            deadline: until.saturating_duration_since(Instant::now()),
            answer_octets: octets,
        };
        let answer = http.get(&target, bounds).await.map_err(refused)?;
        if let Some(next) = http.redirected(&target, &answer).map_err(refused)? {
            target = next;
            continue;
        }
        if !answer.is_success() {
            return Err(bad(format!("answered with the status {}", answer.status)));
        }
        if answer.cut {
            let text = "the attachments are too large together";
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", text));
        }
        return Ok(Fetched {
            bytes: answer.body,
            content_type: answer.content_type.filter(|value| !value.chars().any(char::is_control)),
            filename: filename(&target),
        });
    }
    Err(bad(format!("more than {MAX_REDIRECTS} redirects")))
}

/// The last step of a path, if it reads like a name.
fn filename(target: &Target) -> Option<String> {
    let url = target.to_string();
    let path = url.split(['?', '#']).next()?.split_once("://")?.1;
    let (_, last) = path.rsplit_once('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    Some(last)
        .filter(|name| !name.is_empty() && name.len() <= 100 && name.chars().all(plain))
        .map(str::to_owned)
}

fn refused(error: OutgoingError) -> Failure {
    bad(match error {
        OutgoingError::BadUrl(text) => text.to_owned(),
        // Which address a name has here is nobody's business.
        OutgoingError::Forbidden(_) => "leads to an address that this server does not talk to".into(),
        OutgoingError::NoAddress(_) => "its host has no address".into(),
        OutgoingError::TimedOut => "took too long".into(),
        OutgoingError::Setup(_) | OutgoingError::Failed(_) => "could not be fetched".into(),
    })
}

fn bad(text: String) -> Failure {
    Failure::field("attachments", format!("an attachment's url: {text}"))
}
