//! What a listener does when the system gives it no connection: it waits, and tells of it now and then.

use std::io;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pause after an accept that failed for want of descriptors or memory: trying again at once would only spin.
const PAUSE: Duration = Duration::from_millis(50);

/// Between two lines in the log; what comes between is counted.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Failed accepts of one listener. The first is told at once, further ones every ten seconds with how many they were.
#[derive(Debug, Default)]
pub struct AcceptFailures {
    told: Option<Instant>,
    untold: u64,
}

impl AcceptFailures {
    /// Tells of a failure if it is time to, and waits a little.
    pub async fn pause(&mut self, error: &io::Error) {
        if let Some(times) = self.due(Instant::now()) {
            tracing::warn!(%error, times, "cannot accept a connection");
        }
        sleep(PAUSE).await;
    }

    /// Counts one more; how many are to be told now, if any.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now < told + TELL_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_at_once_then_counted() {
        let start = Instant::now();
        let mut failures = AcceptFailures::default();
        let told: Vec<Option<u64>> = [0, 1, 5, 9, 10, 11, 40, 41]
            .map(|second| failures.due(start + Duration::from_secs(second)))
            .into();
        assert_eq!(told, [Some(1), None, None, None, Some(4), None, Some(2), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_no_reason_to_spin() {
        let start = Instant::now();
        let mut failures = AcceptFailures::default();
        for _ in 0..3 {
            failures.pause(&io::Error::other("no more files")).await;
        }
        assert_eq!(start.elapsed(), 3 * PAUSE);
    }
}
