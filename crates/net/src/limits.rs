//! How many connections, and how long their steps may take.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bounds of one listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at one time. Default 4,096: with TLS each costs about 12 KiB when idle.
    pub connections: usize,
    /// Connections at one time from one IPv4 address or one IPv6 /64. Default 100.
    pub per_address: usize,
    /// How long the peer may take to read 64 KiB. Default 2 min, under 1 KiB/s.
    pub write_timeout: Duration,
    /// How long a TLS handshake may take. Default 30 s.
    pub handshake_timeout: Duration,
    /// How long after a shutdown began sessions may finish what they do. Default 20 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            per_address: 100,
            write_timeout: Duration::from_secs(120),
            handshake_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// Counts the open connections of one listener.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One open connection; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Gate {
    /// Lets a connection in, or `None` when there is no room.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Pass> {
        let address = counted_as(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.total >= limits.connections || here >= limits.per_address {
            return None;
        }
        open.total += 1;
        open.by_address.insert(address, here + 1);
        Some(Pass {
            gate: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(here) = open.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

/// One customer usually has a whole IPv6 /64 (RFC 6177 §2), so that is what is counted.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gate_counts_in_all_and_by_address() {
        let gate = Arc::new(Gate::default());
        let limits = Limits {
            connections: 3,
            per_address: 2,
            ..Limits::default()
        };
        let enter = |text: &str| gate.enter(text.parse().expect("an address"), &limits);
        let first = enter("192.0.2.1");
        let second = enter("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(enter("192.0.2.1").is_none(), "two from one address");
        let third = enter("2001:db8::1");
        assert!(third.is_some());
        assert!(enter("192.0.2.2").is_none(), "three in all");
        drop(first);
        let fourth = enter("2001:db8::2");
        assert!(fourth.is_some());
        drop(second);
        assert!(enter("2001:db8::3").is_none(), "two from one /64");
        drop((third, fourth));
        assert!(gate.open.lock().expect("not poisoned").by_address.is_empty());
    }
}
