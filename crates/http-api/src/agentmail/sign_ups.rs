//! How many agents may sign themselves up: each makes an organization for good and may have a mail sent, and anybody may ask.

use super::failure::Failure;
use axum::http::StatusCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// At once, after a quiet time.
const BURST: u32 = 30;
/// Then one in this time.
const PAUSE: Duration = Duration::from_secs(60);

/// What is left for all callers together.
pub(crate) struct SignUps(Mutex<Left>);

struct Left {
    many: u32,
    since: Instant,
}

impl SignUps {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Left {
            many: BURST,
            since: Instant::now(),
        }))
    }

    /// Takes one, or says when to come back.
    pub(super) fn take(&self) -> Result<(), Failure> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let passed = (now - left.since).as_secs() / PAUSE.as_secs();
        left.many = left
            .many
            .saturating_add(u32::try_from(passed).unwrap_or(BURST))
            .min(BURST);
        left.since += PAUSE * u32::try_from(passed).unwrap_or(0);
        if left.many == BURST {
            left.since = now;
        }
        if left.many == 0 {
            let wait = PAUSE.saturating_sub(now - left.since).as_secs().max(1);
            return Err(Failure {
                retry_after_seconds: Some(wait),
                ..Failure::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limit_exceeded",
                    "Too many agents sign up at once",
                )
            });
        }
        left.many -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_one_a_minute() {
        let sign_ups = SignUps::new();
        for _ in 0..BURST {
            sign_ups.take().unwrap();
        }
        let refused = sign_ups.take().unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        let wait = refused.retry_after_seconds.unwrap();
        tokio::time::advance(Duration::from_secs(wait)).await;
        sign_ups.take().unwrap();
        assert!(sign_ups.take().is_err());
        tokio::time::advance(PAUSE * 1000).await;
        for _ in 0..BURST {
            sign_ups.take().unwrap();
        }
        assert!(sign_ups.take().is_err());
    }
}
