//! When a deferred recipient is tried again: a pure function of how often it was tried, and of the message's id.

use postroom_types::EmailId;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The pauses between attempts (RFC 5321 §4.5.4.1 asks for quick ones first, then at least 30 minutes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The pause after each of the first attempts. Default 1, 5, 15 and 30 minutes, then 1 hour.
    pub first: Vec<Duration>,
    /// Later pauses grow by half, up to this. Default 4 hours.
    pub longest: Duration,
    /// Each pause is made longer by up to this share of it, so that messages deferred together come back apart.
    /// Default 10 percent.
    pub jitter_percent: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            first: [1, 5, 15, 30, 60]
                .map(|minutes| Duration::from_secs(minutes * MINUTE))
                .into(),
            longest: Duration::from_secs(240 * MINUTE),
            jitter_percent: 10,
        }
    }
}

impl Schedule {
    /// The pause after this many attempts. The jitter comes from the message, so that the recipients of one message stay together.
    #[must_use]
    pub fn pause(&self, message: EmailId, attempts: u32) -> Duration {
        let base = self.base(attempts.max(1) as usize - 1);
        base + base * self.jitter_percent * dice(message, attempts) / 100 / DICE
    }

    fn base(&self, place: usize) -> Duration {
        if let Some(pause) = self.first.get(place) {
            return (*pause).min(self.longest);
        }
        let mut pause = self.first.last().copied().unwrap_or(self.longest);
        // Sixteen steps multiply by more than 600: nothing grows for longer.
        for _ in self.first.len()..=place.min(self.first.len() + 16) {
            pause = (pause + pause / 2).min(self.longest);
        }
        pause
    }

    /// When a recipient is tried next whose attempt of this number ended at `ended_at`: after the pause, but once more
    /// at the end of the lifetime. `None` if that end has come. Times are milliseconds since 1970 UTC.
    #[must_use]
    pub fn next_attempt(
        &self,
        message: EmailId,
        created_at: i64,
        attempts: u32,
        ended_at: i64,
        lifetime: Duration,
    ) -> Option<i64> {
        let end = created_at.saturating_add(milliseconds(lifetime));
        let next = ended_at.saturating_add(milliseconds(self.pause(message, attempts)));
        (ended_at < end).then(|| next.min(end))
    }
}

/// Sides of the dice.
const DICE: u32 = 256;

fn dice(message: EmailId, attempts: u32) -> u32 {
    let mut hash = Sha256::new();
    hash.update(message.as_bytes());
    hash.update(attempts.to_be_bytes());
    u32::from(hash.finalize()[0])
}

pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: EmailId = EmailId::from_bytes([7; 16]);

    #[test]
    fn quick_at_first_then_slower() {
        let schedule = Schedule {
            jitter_percent: 0,
            ..Schedule::default()
        };
        let minutes = |attempts| schedule.pause(MESSAGE, attempts).as_secs() / 60;
        let pauses: Vec<u64> = (1..=10).map(minutes).collect();
        assert_eq!(pauses, [1, 5, 15, 30, 60, 90, 135, 202, 240, 240]);
        assert_eq!(minutes(u32::MAX), 240);
        assert_eq!(minutes(0), 1);
    }

    #[test]
    fn jitter_is_bounded_and_repeatable() {
        let schedule = Schedule::default();
        let plain = Schedule {
            jitter_percent: 0,
            ..Schedule::default()
        };
        let mut seen = std::collections::HashSet::new();
        for seed in 0..=255 {
            let message = EmailId::from_bytes([seed; 16]);
            let pause = schedule.pause(message, 9);
            assert_eq!(pause, schedule.pause(message, 9));
            assert!(pause >= plain.pause(message, 9) && pause <= plain.pause(message, 9) * 11 / 10);
            seen.insert(pause);
        }
        assert!(seen.len() > 100, "{} different pauses", seen.len());
    }

    #[test]
    fn there_is_one_last_try_at_the_end() {
        let schedule = Schedule::default();
        let hours = |hours: i64| hours * 3_600_000;
        let day5 = Duration::from_secs(5 * 86_400);
        let next = |ended_at| schedule.next_attempt(MESSAGE, 0, 30, ended_at, day5);
        assert!(next(hours(10)).is_some_and(|at| at >= hours(14) && at < hours(15)));
        assert_eq!(next(hours(119)), Some(hours(120)));
        assert_eq!(next(hours(120)), None);
        assert_eq!(next(hours(500)), None);
    }
}
