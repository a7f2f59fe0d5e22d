//! Which hosts take mail for a domain, best first (RFC 5321 §5.1, RFC 7505).
//!
//! What always holds:
//! - However many MX records there are, at most [`MAX_HOSTS`] hosts are looked up and [`MAX_ADDRESSES`] addresses given.
//! - Addresses are looked up preference by preference, when the better hosts have failed, each time under a deadline.
//! - What is given out may be dialled: it is not ourselves and, unless allowed, not a private address.

use crate::classify::Setback;
use crate::network::{LookupError, MxRecord, Network};
use crate::options::Options;
use postroom_types::{Domain, Reach};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tokio::time::timeout;

/// Most hosts of one walk.
pub(crate) const MAX_HOSTS: usize = 20;
/// Most addresses of one walk.
pub(crate) const MAX_ADDRESSES: usize = 40;
/// Most addresses of one host, so that a host with many leaves some to the next.
const MAX_HOST_ADDRESSES: usize = 10;

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Its name, or the address itself where that is all there is.
    pub(crate) name: String,
    /// Where it is, in the order to try.
    pub(crate) addresses: Vec<IpAddr>,
}

/// The hosts of one domain, looked up as they are needed.
pub(crate) struct Walk<'a> {
    network: &'a dyn Network,
    options: &'a Options,
    shuffle: Shuffle,
    /// Hosts not yet looked up, best first.
    waiting: VecDeque<MxRecord>,
    /// Hosts of the preference at hand.
    ready: VecDeque<Result<Host, Setback>>,
    addresses_left: usize,
    /// Whether a host was given out, or could not be found: then meeting ourselves is only the end.
    begun: bool,
}

impl<'a> Walk<'a> {
    /// Looks up the MX records of a domain that is not local. `seed` decides the order of equals.
    ///
    /// # Errors
    /// [`Setback`] if the domain takes no mail, or if that cannot be found out at present.
    pub(crate) async fn begin(
        network: &'a dyn Network,
        options: &'a Options,
        domain: &Domain,
        seed: u64,
    ) -> Result<Self, Setback> {
        let mut walk = Self {
            network,
            options,
            shuffle: Shuffle(seed),
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            addresses_left: MAX_ADDRESSES,
            begun: false,
        };
        if let Some(address) = literal_address(domain) {
            walk.ready.push_back(walk.literal(address));
            return Ok(walk);
        }
        let records = match within(options.lookup_timeout, network.mx(domain.as_str())).await {
            Ok(records) => walk.usable(records)?,
            // RFC 5321 §5.1: the implicit MX.
            Err(LookupError::NoRecords) => walk.usable(vec![MxRecord {
                preference: 0,
                host: domain.as_str().to_owned(),
            }])?,
            Err(LookupError::NoSuchName) => {
                return Err(Setback::ours(true, "5.1.2", format!("no such domain: {domain}")));
            }
            Err(LookupError::Failed(why)) => {
                return Err(Setback::ours(
                    false,
                    "4.4.3",
                    format!("cannot look up the MX records of {domain}: {why}"),
                ));
            }
        };
        walk.waiting = records.into();
        Ok(walk)
    }

    /// A walk to a host named by the operator: no MX records, any address.
    ///
    /// # Errors
    /// [`Setback`] if it has no address, or none can be found out. Always one that leads to another try: the operator
    /// will put it right.
    pub(crate) async fn to_host(
        network: &dyn Network,
        options: &Options,
        name: &str,
        seed: u64,
    ) -> Result<Host, Setback> {
        let addresses = match name.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => within(options.lookup_timeout, network.addresses(name))
                .await
                .map_err(|error| Setback::ours(false, "4.4.3", format!("cannot look up {name}: {error}")))?,
        };
        let mut addresses = Shuffle(seed).by_family(addresses);
        addresses.truncate(MAX_HOST_ADDRESSES);
        Ok(Host {
            name: name.to_owned(),
            addresses,
        })
    }

    /// The next host, or why one cannot be tried. `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Host, Setback>> {
        if self.ready.is_empty() && self.addresses_left > 0 {
            self.look_up_equals().await;
        }
        let next = self.ready.pop_front()?;
        self.begun = true;
        Some(next)
    }

    /// Sorts out what cannot be used: bad names, and from ourselves on everything that is not better.
    fn usable(&mut self, mut records: Vec<MxRecord>) -> Result<Vec<MxRecord>, Setback> {
        if let [MxRecord { host, .. }] = &*records
            && host.is_empty()
        {
            return Err(Setback::ours(
                true,
                "5.1.10",
                "the domain takes no mail (null MX)".into(),
            ));
        }
        records.retain(|record| is_host_name(&record.host));
        if records.is_empty() {
            return Err(Setback::ours(true, "5.4.4", "the MX records name no host".into()));
        }
        let ourselves = |record: &&MxRecord| record.host.eq_ignore_ascii_case(&self.options.hostname);
        let own_preference = records.iter().filter(ourselves).map(|record| record.preference).min();
        if let Some(own) = own_preference {
            records.retain(|record| record.preference < own);
        }
        if records.is_empty() {
            return Err(loops_back());
        }
        self.shuffle.shuffle(&mut records);
        // Stable, so that equals stay shuffled.
        records.sort_by_key(|record| record.preference);
        records.truncate(MAX_HOSTS);
        Ok(records)
    }

    /// Looks up all hosts of the best preference that is left: one of them may be ourselves under another name.
    async fn look_up_equals(&mut self) {
        let preference = self.waiting.front().map(|record| record.preference);
        let deadline = tokio::time::Instant::now() + self.options.lookup_timeout;
        let mut found = VecDeque::new();
        while let Some(record) = self
            .waiting
            .pop_front_if(|record| Some(record.preference) == preference)
        {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let addresses = within(left, self.network.addresses(&record.host)).await;
            if let Ok(addresses) = &addresses
                && addresses.iter().any(|address| self.is_own(*address))
            {
                self.waiting.clear();
                if !self.begun {
                    self.ready.push_back(Err(loops_back()));
                }
                return;
            }
            found.push_back((record.host, addresses));
        }
        for (name, addresses) in found {
            if self.addresses_left == 0 {
                break;
            }
            let host = self.host(name, addresses);
            self.ready.push_back(host);
        }
    }

    fn host(&mut self, name: String, addresses: Result<Vec<IpAddr>, LookupError>) -> Result<Host, Setback> {
        let addresses = addresses.map_err(|error| match error {
            LookupError::NoSuchName | LookupError::NoRecords => {
                Setback::ours(true, "5.4.4", format!("{name} has no address"))
            }
            LookupError::Failed(why) => Setback::ours(false, "4.4.3", format!("cannot look up {name}: {why}")),
        })?;
        let mut addresses = self.shuffle.by_family(addresses);
        addresses.retain(|address| self.may_dial(*address));
        if addresses.is_empty() {
            return Err(Setback::ours(true, "5.4.4", format!("{name} has no public address")));
        }
        addresses.truncate(MAX_HOST_ADDRESSES.min(self.addresses_left));
        self.addresses_left -= addresses.len();
        Ok(Host { name, addresses })
    }

    fn literal(&self, address: IpAddr) -> Result<Host, Setback> {
        if self.is_own(address) {
            return Err(loops_back());
        }
        if !self.may_dial(address) {
            return Err(Setback::ours(
                true,
                "5.4.4",
                format!("{address} is not a public address"),
            ));
        }
        Ok(Host {
            name: address.to_string(),
            addresses: vec![address],
        })
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.options.own_addresses.contains(&address.to_canonical())
    }

    fn may_dial(&self, address: IpAddr) -> bool {
        let reach = if self.options.allow_private {
            Reach::Everywhere
        } else {
            Reach::Public
        };
        reach.allows(address)
    }
}

fn loops_back() -> Setback {
    Setback::ours(true, "5.4.6", "mail loops back to myself".into())
}

async fn within<T>(limit: Duration, lookup: impl Future<Output = Result<T, LookupError>>) -> Result<T, LookupError> {
    let late = || LookupError::Failed("no answer in time".into());
    timeout(limit, lookup).await.unwrap_or_else(|_| Err(late()))
}

/// Whether an MX record may name this: no address, no root, nothing that is not a name (RFC 5321 §5.1, RFC 1035 §3.3.9).
fn is_host_name(name: &str) -> bool {
    name.parse::<IpAddr>().is_err() && Domain::parse(name).is_ok_and(|domain| !domain.is_literal())
}

/// The address in `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3).
fn literal_address(domain: &Domain) -> Option<IpAddr> {
    let inside = domain.as_str().strip_prefix('[')?.strip_suffix(']')?;
    match inside.strip_prefix("ipv6:") {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => inside.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// A small generator (SplitMix64): the order of equals has to differ, not to be unpredictable.
struct Shuffle(u64);

impl Shuffle {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            items.swap(last, other as usize);
        }
    }

    /// IPv4 and IPv6 in turn, so that neither uses up the tries when the network lacks it. IPv4 begins: many servers
    /// refuse IPv6 clients without a PTR record for good.
    fn by_family(&mut self, mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        self.shuffle(&mut addresses);
        let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv4);
        let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
        let mut mixed = Vec::with_capacity(v4.len() + v6.len());
        loop {
            let before = mixed.len();
            mixed.extend(v4.next());
            mixed.extend(v6.next());
            if mixed.len() == before {
                return mixed;
            }
        }
    }
}

#[cfg(test)]
mod tests;
