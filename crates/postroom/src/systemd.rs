//! What the service manager is told (sd_notify). Without one, all of this does nothing.

use postroom_store::{CommitBuilder, Outcome, Store};
use postroom_store_sled::{Progress, SledStore};
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;

/// How much more time a start gets with each sign that it goes on; longer than a part of a replay takes.
const START_EXTENSION: Duration = Duration::from_secs(120);
/// How much time stopping gets: sessions drain for some seconds, then the store is closed.
const STOP_EXTENSION: Duration = Duration::from_secs(60);
/// A row that is there from the first start on, whose value is never empty.
const PROBE: &[u8] = b"iO";

/// All services answer.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// Certificates are being read again; [`ready`] ends it. The time is what `Type=notify-reload` asks for.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock"),
    }
}

/// Stopping has begun.
pub(crate) fn stopping() {
    tell(&[
        NotifyState::Stopping,
        extension(STOP_EXTENSION),
        NotifyState::Status("finishing sessions"),
    ]);
}

/// The journal is being replayed; each call gives the start more time.
pub(crate) fn replaying(progress: Progress) {
    let percent = progress.done_octets.saturating_mul(100) / progress.total_octets.max(1);
    let status = format!(
        "replaying the journal: {percent} % of {} MiB",
        progress.total_octets >> 20
    );
    tell(&[extension(START_EXTENSION), NotifyState::Status(&status)]);
}

/// Tells the watchdog that all is well for as long as the store answers; pends for ever if there is no watchdog. When
/// the store hangs, nothing is said, and systemd starts the server anew.
pub(crate) async fn watchdog(store: Arc<SledStore>) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    // Three times within the limit, so that one slow answer is no reason to end a server.
    let mut interval = tokio::time::interval(limit / 3);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if is_alive(&*store).await {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Asks for what cannot be: the answer comes from the one thread that commits, after it has read the index, and writes
/// nothing.
async fn is_alive(store: &dyn Store) -> bool {
    let mut probe = CommitBuilder::new();
    probe.require(PROBE.to_vec(), Vec::new());
    match store.commit(probe.build()).await {
        Ok(Outcome::Conflict(_)) => true,
        // Out of space is no reason to start anew.
        Ok(Outcome::Full) => true,
        Ok(Outcome::Done(_) | Outcome::Unknown) => false,
        Err(error) => {
            tracing::warn!(%error, "the store does not answer the watchdog");
            false
        }
    }
}

fn extension(time: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_store::MemoryStore;

    #[tokio::test]
    async fn a_store_that_answers_is_alive() {
        let store = MemoryStore::new();
        assert!(is_alive(&*store).await, "before anything is stored");
        let mut builder = CommitBuilder::new();
        builder.put(PROBE.to_vec(), vec![1]);
        store.commit(builder.build()).await.unwrap();
        assert!(is_alive(&*store).await);
    }
}
