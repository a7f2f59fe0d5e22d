//! Carries the messages of one turn: over the connection at hand, one that was kept, or a new one to the next host.

use crate::classify::{self, Setback};
use crate::delivery::{Delivery, Permit};
use crate::hop::{HopKey, NextHop, Terms, TlsPolicy};
use crate::line::Opened;
use crate::link::{Gone, Link, OpenError};
use crate::setbacks::{Setbacks, Unreachable};
use crate::walk::{Host, Walk};
use postroom_queue::{Contact, ItemId, Job, Outcome};
use postroom_smtp_proto::client::TransactionResult;
use postroom_types::Domain;
use std::net::SocketAddr;
use tokio::time::Instant;

/// Carries messages to one destination.
pub(crate) struct Courier<'a> {
    delivery: &'a Delivery,
    domain: Domain,
    link: Option<Link>,
    permit: Option<Permit>,
    unreachable: Option<Unreachable>,
}

/// What an attempt came to.
pub(crate) struct Ended {
    pub(crate) contact: Contact,
    pub(crate) outcomes: Vec<(ItemId, Outcome)>,
}

impl<'a> Courier<'a> {
    pub(crate) fn new(delivery: &'a Delivery, domain: Domain, permit: Permit) -> Self {
        Self {
            delivery,
            domain,
            link: None,
            permit: Some(permit),
            unreachable: None,
        }
    }

    /// With whom the next message will likely be tried.
    pub(crate) fn contact(&self) -> Contact {
        self.link.as_ref().map(|link| link.contact.clone()).unwrap_or_default()
    }

    /// Leaves the connection to others.
    pub(crate) fn leave(self) {
        if let Some(link) = self.link {
            self.delivery.keep(link);
        }
    }

    /// Tries to hand a message over, to all recipients of the job.
    pub(crate) async fn deliver(&mut self, opened: &Opened<'_>) -> Ended {
        let job = opened.job;
        if let Some(outcome) = &opened.barred {
            return Ended::alike(Contact::default(), job, outcome);
        }
        let hop = NextHop::of(job, &self.domain, &self.delivery.options);
        let mut setbacks = Setbacks::default();
        if let Some(link) = self.link.take() {
            if link.key.hop != hop {
                self.delivery.keep(link);
            } else if let Some(ended) = self.over_kept(link, opened, &mut setbacks).await {
                return ended;
            }
        }
        if let Some((setback, contact)) = self.unreachable.as_ref().and_then(|known| known.of(hop)) {
            return Ended::alike(contact, job, &setback.into_outcome());
        }
        match self.walk(opened, hop, &mut setbacks).await {
            Some(ended) => ended,
            None => {
                self.unreachable = setbacks.unreachable(hop);
                let (setback, contact) = setbacks.conclude();
                Ended::alike(contact, job, &setback.into_outcome())
            }
        }
    }

    /// Tries host after host. `None`: all have had setbacks.
    async fn walk(&mut self, opened: &Opened<'_>, hop: NextHop, setbacks: &mut Setbacks) -> Option<Ended> {
        let delivery = self.delivery;
        let options = &delivery.options;
        let seed = seed(opened.job);
        let terms = hop.terms(options);
        let trip = Trip {
            hop,
            terms: &terms,
            until: Instant::now() + options.walk_timeout,
        };
        if let Some(route) = hop.route(options) {
            let host = self
                .unless_down(Walk::to_host(&*delivery.network, options, &route.host, seed))
                .await;
            return self.try_host(opened, &trip, host, setbacks).await;
        }
        let domain = self.domain.clone();
        let begun = self
            .unless_down(Walk::begin(&*delivery.network, options, &domain, seed))
            .await;
        let mut walk = match begun {
            Ok(walk) => walk,
            Err(setback) => {
                setbacks.add(setback, Contact::default());
                return None;
            }
        };
        while !trip.is_over() {
            let host = match self.unless_down(async { Ok(walk.next().await) }).await {
                Ok(Some(host)) => host,
                Ok(None) => return None,
                Err(setback) => {
                    setbacks.add(setback, Contact::default());
                    return None;
                }
            };
            let ended = self.try_host(opened, &trip, host, setbacks).await;
            if ended.is_some() {
                return ended;
            }
        }
        None
    }

    /// Looks something up, unless the server goes down.
    async fn unless_down<T>(&self, lookup: impl Future<Output = Result<T, Setback>>) -> Result<T, Setback> {
        tokio::select! {
            biased;
            () = self.delivery.shutdown.cancelled() => Err(Setback::shutdown()),
            found = lookup => found,
        }
    }

    /// Tries the connections there are to a host, then its addresses.
    async fn try_host(
        &mut self,
        opened: &Opened<'_>,
        trip: &Trip<'_>,
        host: Result<Host, Setback>,
        setbacks: &mut Setbacks,
    ) -> Option<Ended> {
        let host = match host {
            Ok(host) => host,
            Err(setback) => {
                setbacks.add(setback, Contact::default());
                return None;
            }
        };
        let key = HopKey {
            hop: trip.hop,
            host: host.name,
        };
        while let Some(link) = self.delivery.kept(&key) {
            let ended = self.over_kept(link, opened, setbacks).await;
            if ended.is_some() {
                return ended;
            }
        }
        for ip in host.addresses {
            if trip.is_over() {
                return None;
            }
            let address = SocketAddr::new(ip, trip.terms.port);
            let ended = match self.open(&key, address, trip.terms).await {
                Ok(link) => self.over_new(link, opened, setbacks).await,
                Err(setback) => {
                    let contact = Contact {
                        host: key.host.clone(),
                        address: address.to_string(),
                        tls: String::new(),
                    };
                    setbacks.add(setback, contact);
                    None
                }
            };
            if ended.is_some() {
                return ended;
            }
        }
        None
    }

    async fn open(&mut self, key: &HopKey, address: SocketAddr, terms: &Terms) -> Result<Link, Setback> {
        let delivery = self.delivery;
        let opened = match self.permit().await {
            Some(permit) => Link::open(delivery, key.clone(), address, terms, permit).await,
            None => return Err(Setback::shutdown()),
        };
        match opened {
            Ok(link) => Ok(link),
            // RFC 7435: rather in clear than not at all, where nobody promised TLS.
            Err(OpenError::Tls(why)) if terms.tls == TlsPolicy::Opportunistic => {
                tracing::debug!(host = key.host, peer = %address, reason = why.reason.text, "again without TLS");
                let clear = Terms {
                    tls: TlsPolicy::Clear,
                    ..terms.clone()
                };
                let permit = self.permit().await.ok_or_else(Setback::shutdown)?;
                let opened = Link::open(delivery, key.clone(), address, &clear, permit).await;
                opened.map_err(|error| match error {
                    OpenError::Tls(setback) | OpenError::Host(setback) => setback,
                })
            }
            Err(OpenError::Tls(setback) | OpenError::Host(setback)) => Err(setback),
        }
    }

    /// The permit of this turn; it goes with the connection, and comes back if there is none.
    async fn permit(&mut self) -> Option<Permit> {
        // The task of the connection that went before lets go of it in a moment.
        let spent = |permit: &Permit| Permit::strong_count(permit) > 1;
        if self.permit.as_ref().is_none_or(spent) {
            self.permit = None;
            self.permit = self.delivery.permit().await;
        }
        self.permit.clone()
    }

    /// Sends over a connection that was good once. `None`: it is not any more, which is nobody's fault, or the host had
    /// a setback.
    async fn over_kept(&mut self, mut link: Link, opened: &Opened<'_>, setbacks: &mut Setbacks) -> Option<Ended> {
        match link.send(self.delivery, opened).await {
            Ok(result) if classify::is_stale(&result) => None,
            Err(Gone { ended: false }) => None,
            told => self.told(link, opened.job, told, setbacks),
        }
    }

    async fn over_new(&mut self, mut link: Link, opened: &Opened<'_>, setbacks: &mut Setbacks) -> Option<Ended> {
        let told = link.send(self.delivery, opened).await;
        self.told(link, opened.job, told, setbacks)
    }

    fn told(
        &mut self,
        link: Link,
        job: &Job,
        told: Result<TransactionResult, Gone>,
        setbacks: &mut Setbacks,
    ) -> Option<Ended> {
        let contact = link.contact.clone();
        setbacks.reached = true;
        let result = match told {
            Ok(result) => result,
            Err(gone) => {
                let outcome = classify::gone(gone.ended);
                return Some(Ended::alike(contact, job, &outcome));
            }
        };
        if let Some(setback) = classify::setback(&result) {
            setbacks.add(setback, contact);
            return None;
        }
        if link.is_good(self.delivery.options.messages_per_connection) {
            // The permit is with the link; another connection of this turn needs another.
            self.permit = None;
            self.link = Some(link);
        }
        let outcomes = classify::outcomes(&result);
        Some(Ended {
            contact,
            outcomes: job.items.iter().map(|item| item.id).zip(outcomes).collect(),
        })
    }
}

/// What is the same for all hosts of one attempt.
struct Trip<'t> {
    hop: NextHop,
    terms: &'t Terms,
    until: Instant,
}

impl Trip<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

impl Ended {
    /// The same for every recipient.
    fn alike(contact: Contact, job: &Job, outcome: &Outcome) -> Self {
        Self {
            contact,
            outcomes: job.items.iter().map(|item| (item.id, outcome.clone())).collect(),
        }
    }
}

/// Other messages, and other tries of this one, meet equal hosts in another order.
fn seed(job: &Job) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = *job.message.as_bytes();
    let attempts = job.items.first().map_or(0, |item| item.attempts);
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).wrapping_add(u64::from(attempts))
}
