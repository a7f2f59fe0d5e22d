//! Right passwords, remembered briefly under a keyed hash, so that a client with ten connections costs one argon2.
//!
//! What always holds: neither a password nor a plain hash of one is kept, the table is bounded, and equal logins at the
//! same time share one check.

use crate::CredentialEpoch;
use crate::secrets::random_bytes;
use hmac::{Hmac, KeyInit, Mac};
use postroom_types::{InboxId, Secret};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long a success counts. A new password counts at once, since the epoch is part of the hash.
const KEPT: Duration = Duration::from_secs(60);
/// Most successes kept.
const MAX_SUCCESSES: usize = 8192;

/// A keyed hash of who tried which password.
pub(crate) type Fingerprint = [u8; 32];

/// The table, and the checks under way.
pub(crate) struct Successes<T> {
    key: [u8; 32],
    until: Mutex<HashMap<Fingerprint, Instant>>,
    flights: Mutex<HashMap<Fingerprint, Arc<OnceCell<T>>>>,
}

impl<T: Clone> Successes<T> {
    pub(crate) fn new() -> Self {
        Self {
            key: random_bytes(),
            until: Mutex::default(),
            flights: Mutex::default(),
        }
    }

    /// `inbox` is `None` for an address nobody has.
    pub(crate) fn fingerprint(
        &self,
        user: &str,
        inbox: Option<(InboxId, CredentialEpoch)>,
        password: &Secret<String>,
    ) -> Fingerprint {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        let (id, epoch) = inbox.map_or(([0; 16], 0), |(id, epoch)| (*id.as_bytes(), epoch.0));
        mac.update(&id);
        mac.update(&epoch.to_be_bytes());
        mac.update(&(user.len() as u64).to_be_bytes());
        mac.update(user.as_bytes());
        mac.update(password.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn contains(&self, fingerprint: &Fingerprint, now: Instant) -> bool {
        lock(&self.until).get(fingerprint).is_some_and(|until| now < *until)
    }

    pub(crate) fn insert(&self, fingerprint: Fingerprint, now: Instant) {
        let mut until = lock(&self.until);
        if until.len() >= MAX_SUCCESSES {
            until.retain(|_, until| now < *until);
            if until.len() >= MAX_SUCCESSES {
                until.clear();
            }
        }
        until.insert(fingerprint, now + KEPT);
    }

    /// Runs the check, or waits for an equal one that is under way. If that one is cut off, this one takes over.
    pub(crate) async fn shared<E>(
        &self,
        fingerprint: Fingerprint,
        check: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let flight = Flight {
            cell: Arc::clone(lock(&self.flights).entry(fingerprint).or_default()),
            fingerprint,
            flights: &self.flights,
        };
        flight.cell.get_or_try_init(|| check).await.cloned()
    }
}

/// One caller's share in a check; the last to go takes it off the table.
struct Flight<'a, T> {
    cell: Arc<OnceCell<T>>,
    fingerprint: Fingerprint,
    flights: &'a Mutex<HashMap<Fingerprint, Arc<OnceCell<T>>>>,
}

impl<T> Drop for Flight<'_, T> {
    fn drop(&mut self) {
        let mut flights = lock(self.flights);
        // Ended checks go as well, so that a later login checks anew.
        let is_last = Arc::strong_count(&self.cell) == 2;
        let is_this = flights
            .get(&self.fingerprint)
            .is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        if is_this && (is_last || self.cell.initialized()) {
            flights.remove(&self.fingerprint);
        }
    }
}

fn lock<K, V>(table: &Mutex<HashMap<K, V>>) -> MutexGuard<'_, HashMap<K, V>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn print(successes: &Successes<bool>, epoch: u64, password: &str) -> Fingerprint {
        let inbox = InboxId::from_bytes([7; 16]);
        let password = Secret::new(password.to_owned());
        successes.fingerprint("a@b", Some((inbox, CredentialEpoch(epoch))), &password)
    }

    #[test]
    fn successes_end_with_time_and_with_the_epoch() {
        let (successes, now) = (Successes::<bool>::new(), Instant::now());
        successes.insert(print(&successes, 1, "x"), now);
        assert!(successes.contains(&print(&successes, 1, "x"), now));
        assert!(!successes.contains(&print(&successes, 2, "x"), now));
        assert!(!successes.contains(&print(&successes, 1, "y"), now));
        assert!(!successes.contains(&print(&successes, 1, "x"), now + KEPT));
    }

    #[tokio::test]
    async fn equal_checks_are_shared_and_leave_nothing_behind() {
        let (successes, runs) = (Successes::<bool>::new(), AtomicUsize::new(0));
        let fingerprint = print(&successes, 1, "x");
        let check = async || {
            runs.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, ()>(true)
        };
        let both = tokio::join!(
            successes.shared(fingerprint, check()),
            successes.shared(fingerprint, check())
        );
        assert_eq!((both, runs.load(Ordering::SeqCst)), ((Ok(true), Ok(true)), 1));
        assert!(successes.flights.lock().unwrap().is_empty());
    }
}
