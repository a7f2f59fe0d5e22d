//! When an event is tried again.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::time::Duration;

/// How long to wait after so many failed attempts; `None` if that was the last. A tenth is left to chance, so that what
/// failed together does not come back together.
pub(crate) fn wait_after(attempts: u8, waits: &[Duration], chance: u8) -> Option<Duration> {
    let wait = *waits.get(usize::from(attempts.max(1)) - 1)?;
    Some(wait + wait * u32::from(chance) / (10 * 255))
}

/// Chance that needs no secrecy, from a source that needs no seed.
pub(crate) fn chance() -> u8 {
    let mut octet = [0];
    // Without it all come back at the same time, which is no harm.
    let _ = SystemRandom::new().fill(&mut octet);
    octet[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_end() {
        let waits = crate::Options::default().waits;
        let seconds = |attempts, chance| wait_after(attempts, &waits, chance).map(|wait| wait.as_secs());
        let all: Vec<_> = (1..=8).map(|attempts| seconds(attempts, 0)).collect();
        let expected = [5, 300, 1800, 7200, 18_000, 36_000, 36_000].map(Some);
        assert_eq!(all[..7], expected);
        assert_eq!(all[7], None);
        assert_eq!(seconds(2, 255), Some(330));
        // A store that failed before the first attempt could be made does not use one up.
        assert_eq!(seconds(0, 0), Some(5));
    }
}
