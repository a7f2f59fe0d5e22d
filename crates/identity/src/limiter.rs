//! How fast wrong passwords may be tried.
//!
//! What always holds: the tables are bounded, and a full bucket is not kept, so only who failed lately takes room.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most buckets of one table. When it is full even so, the fullest bucket goes.
const MAX_BUCKETS: usize = 10_000;

/// Bounds on failed logins; each try takes a token, and a right password gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginLimits {
    /// Failures in a row for one address, from anywhere. Default 20.
    pub per_address: u32,
    /// After that, one more in each such time. Default 30 s.
    pub per_address_every: Duration,
    /// Failures in a row from one source: an IPv4 address or an IPv6 /64. Default 60.
    pub per_source: u32,
    /// After that, one more in each such time. Default 5 s.
    pub per_source_every: Duration,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            per_address: 20,
            per_address_every: Duration::from_secs(30),
            per_source: 60,
            per_source_every: Duration::from_secs(5),
        }
    }
}

/// Both tables.
#[derive(Debug)]
pub(crate) struct Limiter {
    addresses: Mutex<Buckets<String>>,
    sources: Mutex<Buckets<IpAddr>>,
}

impl Limiter {
    pub(crate) fn new(limits: &LoginLimits) -> Self {
        Self {
            addresses: Mutex::new(Buckets::new(limits.per_address, limits.per_address_every)),
            sources: Mutex::new(Buckets::new(limits.per_source, limits.per_source_every)),
        }
    }

    /// Takes a token from both tables, or says how long there will be none.
    pub(crate) fn take(&self, address: &str, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let source = network(source);
        lock(&self.sources).take(source, now)?;
        let taken = lock(&self.addresses).take(address.to_owned(), now);
        if taken.is_err() {
            lock(&self.sources).give_back(&source);
        }
        taken
    }

    /// Gives the tokens back: the password was right.
    pub(crate) fn give_back(&self, address: &str, source: IpAddr) {
        lock(&self.sources).give_back(&network(source));
        lock(&self.addresses).give_back(&address.to_owned());
    }
}

fn lock<K>(buckets: &Mutex<Buckets<K>>) -> MutexGuard<'_, Buckets<K>> {
    buckets.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One host of IPv6 has a whole /64 to choose from.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

/// Token buckets, each kept as the time at which it will be full again.
#[derive(Debug)]
struct Buckets<K> {
    burst: u32,
    every: Duration,
    full_at: HashMap<K, Instant>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(burst: u32, every: Duration) -> Self {
        Self {
            burst: burst.max(1),
            every,
            full_at: HashMap::new(),
        }
    }

    fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.get(&key).map_or(now, |full_at| now.max(*full_at)) + self.every;
        let wait = (full_at - now).saturating_sub(self.every * self.burst);
        if !wait.is_zero() {
            return Err(wait);
        }
        if self.full_at.len() >= MAX_BUCKETS && !self.full_at.contains_key(&key) {
            self.make_room(now);
        }
        self.full_at.insert(key, full_at);
        Ok(())
    }

    fn give_back(&mut self, key: &K) {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = full_at.checked_sub(self.every).unwrap_or(*full_at);
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= MAX_BUCKETS {
            let fullest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
            if let Some(key) = fullest.map(|(key, _)| key.clone()) {
                self.full_at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn limiter() -> Limiter {
        Limiter::new(&LoginLimits {
            per_address: 3,
            per_address_every: Duration::from_secs(10),
            per_source: 5,
            per_source_every: Duration::from_secs(1),
        })
    }

    #[test]
    fn a_burst_then_one_at_a_time() {
        let (limiter, now) = (limiter(), Instant::now());
        for _ in 0..3 {
            assert_eq!(limiter.take("a", SOURCE, now), Ok(()));
        }
        assert_eq!(limiter.take("a", SOURCE, now), Err(Duration::from_secs(10)));
        let later = now + Duration::from_secs(10);
        assert_eq!(limiter.take("a", SOURCE, later), Ok(()));
        assert_eq!(limiter.take("a", SOURCE, later), Err(Duration::from_secs(10)));
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let (limiter, now) = (limiter(), Instant::now());
        for _ in 0..100 {
            assert_eq!(limiter.take("a", SOURCE, now), Ok(()));
            limiter.give_back("a", SOURCE);
        }
    }

    #[test]
    fn sources_are_bounded_across_addresses_and_by_network() {
        let (limiter, now) = (limiter(), Instant::now());
        for n in 0..5 {
            let source = format!("2001:db8::{n}").parse().unwrap();
            assert_eq!(limiter.take(&n.to_string(), source, now), Ok(()));
        }
        let take = |source: &str| limiter.take("x", source.parse().unwrap(), now);
        assert_eq!(take("2001:db8::ffff"), Err(Duration::from_secs(1)));
        assert_eq!(take("2001:db8:0:1::1"), Ok(()));
    }

    #[test]
    fn the_table_stays_small() {
        let mut buckets = Buckets::new(1, Duration::from_secs(10));
        let now = Instant::now();
        for n in 0..MAX_BUCKETS + 50 {
            assert_eq!(buckets.take(n, now), Ok(()));
        }
        assert_eq!(buckets.full_at.len(), MAX_BUCKETS);
    }
}
