//! Requests that carry mail: bounded before they are read, and large ones take turns, so that a few of them cannot take
//! all memory.
//!
//! What always holds: a request takes its turn once, for all it will need, so that none waits while it holds a part. What
//! it fetches from elsewhere, which it only says once it is read, has turns of its own; who has one waits for no other.

use crate::State;
use crate::error::ApiError;
use crate::request::{Fields, read_body};
use axum::extract::Request;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all large requests together may occupy.
const TOTAL_OCTETS: u64 = 256 << 20;
/// Requests up to this do not queue, and are worked on where they are.
const SMALL_OCTETS: u64 = 256 << 10;
/// What a request occupies at the worst: its body, the JSON read from it, the decoded attachments, the message made of it.
const FACTOR: u64 = 4;
const UNIT: u64 = 1 << 10;
/// What all files that are fetched may occupy, and how many times its size one does: itself and the message made of it.
const TOTAL_FETCHED_OCTETS: u64 = 256 << 20;
const FETCHED_FACTOR: u64 = 2;
/// How long one waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(20);
/// Room in a body for all that is not content.
const AROUND_OCTETS: u64 = 64 << 10;

/// The turns.
pub(crate) struct Turns {
    requests: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
}

/// A turn, until it is dropped; `None` for what is too small to need one.
pub(crate) type Turn = Option<OwnedSemaphorePermit>;

/// A request that carries mail, read; while it is there, so is its turn.
pub(crate) struct Large {
    pub(crate) fields: Fields,
    octets: u64,
    /// To be kept until the message is submitted.
    pub(crate) turn: Turn,
}

impl Turns {
    pub(crate) fn new() -> Self {
        let of = |octets| Arc::new(Semaphore::new(units(octets) as usize));
        Self {
            requests: of(TOTAL_OCTETS),
            fetches: of(TOTAL_FETCHED_OCTETS),
        }
    }

    /// Waits until this much may be in memory. More than there is takes all of it.
    pub(crate) async fn take(&self, octets: u64) -> Result<Turn, ApiError> {
        if octets <= SMALL_OCTETS {
            return Ok(None);
        }
        take(&self.requests, octets.saturating_mul(FACTOR).min(TOTAL_OCTETS)).await
    }

    /// Waits until files of so many octets may be fetched.
    pub(crate) async fn take_fetches(&self, octets: u64) -> Result<Turn, ApiError> {
        if octets == 0 {
            return Ok(None);
        }
        let octets = octets.saturating_mul(FETCHED_FACTOR).min(TOTAL_FETCHED_OCTETS);
        take(&self.fetches, octets).await
    }
}

async fn take(turns: &Arc<Semaphore>, octets: u64) -> Result<Turn, ApiError> {
    let turn = tokio::time::timeout(PATIENCE, Arc::clone(turns).acquire_many_owned(units(octets))).await;
    turn.ok().and_then(Result::ok).map(Some).ok_or(ApiError::Busy)
}

fn units(octets: u64) -> u32 {
    u32::try_from(octets / UNIT).expect("at most TOTAL_OCTETS / UNIT")
}

/// As [`Large`], not taken apart yet.
pub(crate) struct Raw {
    pub(crate) bytes: Bytes,
    octets: u64,
    /// To be kept until the message is submitted.
    pub(crate) turn: Turn,
}

impl Raw {
    /// Its size, with what it loads besides.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }
}

/// Reads a body that may hold a message's worth of base64. `further_octets` is what the request will load besides.
pub(crate) async fn read(state: &State, request: Request, further_octets: u64) -> Result<Large, ApiError> {
    let Raw { bytes, octets, turn } = read_raw(state, request, further_octets).await?;
    Ok(Large {
        fields: Fields::parse(&bytes)?,
        octets,
        turn,
    })
}

/// As [`read`], for who takes the body apart in another way.
pub(crate) async fn read_raw(state: &State, request: Request, further_octets: u64) -> Result<Raw, ApiError> {
    let content = state.intake().options().max_message_octets;
    // Base64 makes four octets of three (RFC 4648 §4).
    let limit = content.div_ceil(3).saturating_mul(4).saturating_add(AROUND_OCTETS);
    let expected = Fields::declared_octets(request.headers()).unwrap_or(limit);
    if expected > limit {
        return Err(ApiError::TooLarge);
    }
    let octets = expected.saturating_add(further_octets);
    let turn = state.turns().take(octets).await?;
    let bytes = read_body(request, usize::try_from(expected).unwrap_or(usize::MAX)).await?;
    Ok(Raw { bytes, octets, turn })
}

/// Does work whose length goes with the size of a request: large ones beside the executor, which has others to serve.
pub(crate) async fn work<T, F>(octets: u64, work: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ApiError> + Send + 'static,
{
    if octets <= SMALL_OCTETS {
        return work();
    }
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(reason = %error, "making a message failed");
        Err(ApiError::Internal)
    })
}

impl Large {
    /// Its size, with what it loads besides.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn small_requests_pass_while_large_ones_wait() {
        let turns = Turns::new();
        let all = turns.take(u64::MAX).await.unwrap();
        assert!(all.is_some());
        assert!(turns.take(SMALL_OCTETS).await.unwrap().is_none());
        assert!(matches!(turns.take(SMALL_OCTETS + 1).await, Err(ApiError::Busy)));
        drop(all);
        let (one, other) = (turns.take(20 << 20).await.unwrap(), turns.take(20 << 20).await.unwrap());
        assert!(one.is_some() && other.is_some());
    }
}
