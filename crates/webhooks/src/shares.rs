//! A number of places that organizations share, so that none keeps the others waiting.
//!
//! What always holds: no organization has more than its share of the places; a place that becomes free goes to a waiting
//! organization that has the fewest, among equals to the one that was served longest ago.

use postroom_types::OrganizationId;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

pub(crate) struct Shares {
    /// Places of one organization at most.
    each: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    /// Those that have places or wait for some.
    organizations: HashMap<OrganizationId, Share>,
    /// Those that wait and may have more: how many they have, when they were served last, who.
    ready: BTreeSet<(usize, u64, OrganizationId)>,
    /// Counts what was handed out.
    served: u64,
}

#[derive(Default)]
struct Share {
    taken: usize,
    served: u64,
    waiting: VecDeque<oneshot::Sender<Place>>,
}

/// A place; free again when it is dropped.
pub(crate) struct Place {
    shares: Arc<Shares>,
    organization: OrganizationId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shares.lock().give_back(self.organization, self.shares.each);
        self.shares.serve();
    }
}

impl Shares {
    /// So many places, of which one organization gets at most a quarter.
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            each: (places / 4).max(1),
            state: Mutex::new(State {
                free: places.max(1),
                organizations: HashMap::new(),
                ready: BTreeSet::new(),
                served: 0,
            }),
        })
    }

    /// Waits for a place.
    pub(crate) async fn take(self: &Arc<Self>, organization: OrganizationId) -> Place {
        let (sender, receiver) = oneshot::channel();
        self.lock().wait(organization, sender, self.each);
        self.serve();
        let place = receiver.await;
        place.expect("the shares are held here, and they keep who waits until a place is handed over")
    }

    /// Hands out what is free.
    fn serve(self: &Arc<Self>) {
        loop {
            let next = self.lock().next(self.each);
            let Some((organization, sender)) = next else { return };
            let place = Place {
                shares: Arc::clone(self),
                organization,
            };
            // Who stopped waiting just now gives it back by dropping it.
            drop(sender.send(place));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, organization: OrganizationId, sender: oneshot::Sender<Place>, each: usize) {
        self.change(organization, each, |share| share.waiting.push_back(sender));
    }

    fn give_back(&mut self, organization: OrganizationId, each: usize) {
        self.free += 1;
        self.change(organization, each, |share| share.taken -= 1);
    }

    /// Whose turn it is, if there is a place.
    fn next(&mut self, each: usize) -> Option<(OrganizationId, oneshot::Sender<Place>)> {
        while self.free > 0 {
            let (.., organization) = *self.ready.first()?;
            let mut sender = None;
            self.served += 1;
            let served = self.served;
            self.change(organization, each, |share| {
                // Those who do not wait any more are passed over.
                sender = std::iter::from_fn(|| share.waiting.pop_front()).find(|sender| !sender.is_closed());
                if sender.is_some() {
                    share.taken += 1;
                    share.served = served;
                }
            });
            if let Some(sender) = sender {
                self.free -= 1;
                return Some((organization, sender));
            }
        }
        None
    }

    /// Changes a share and what follows from it.
    fn change(&mut self, organization: OrganizationId, each: usize, change: impl FnOnce(&mut Share)) {
        let share = self.organizations.entry(organization).or_default();
        self.ready.remove(&(share.taken, share.served, organization));
        change(share);
        if share.taken == 0 && share.waiting.is_empty() {
            self.organizations.remove(&organization);
        } else if share.taken < each && !share.waiting.is_empty() {
            self.ready.insert((share.taken, share.served, organization));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_millis(20);

    fn organization(number: u8) -> OrganizationId {
        OrganizationId::from_bytes([number; 16])
    }

    async fn take(shares: &Arc<Shares>, number: u8) -> Option<Place> {
        timeout(SOON, shares.take(organization(number))).await.ok()
    }

    #[tokio::test]
    async fn one_organization_gets_a_quarter() {
        let shares = Shares::new(16);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(take(&shares, 1).await.expect("a place"));
        }
        assert!(take(&shares, 1).await.is_none());
        let other = take(&shares, 2).await.expect("a place: there are enough");
        held.pop();
        held.push(take(&shares, 1).await.expect("the one that was given back"));
        drop((held, other));
        let state = shares.lock();
        assert_eq!((state.free, state.organizations.len(), state.ready.len()), (16, 0, 0));
    }

    #[tokio::test]
    async fn who_has_the_fewest_is_next() {
        let shares = Shares::new(8);
        let mut held = Vec::new();
        // Four take all there is, and want more.
        for number in [1, 1, 2, 2, 3, 3, 4, 4] {
            held.push(take(&shares, number).await.expect("a place"));
        }
        let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
        let mut waiting = tokio::task::JoinSet::new();
        for number in [1, 1, 2, 3, 4, 5, 5, 6] {
            let (shares, told) = (Arc::clone(&shares), told.clone());
            waiting.spawn(async move {
                let place = shares.take(organization(number)).await;
                told.send(number).expect("heard");
                (place, number)
            });
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(SOON).await;
        assert!(hears.try_recv().is_err(), "nothing is free");
        // Two places of the first become free: they go to those who have none.
        held.drain(..2);
        let mut first = [hears.recv().await.expect("one"), hears.recv().await.expect("two")];
        first.sort_unstable();
        assert_eq!(first, [5, 6]);
        tokio::time::sleep(SOON).await;
        assert!(hears.try_recv().is_err());
        drop(held);
        let mut rest = Vec::new();
        while let Some(ended) = waiting.join_next().await {
            rest.push(ended.expect("no panic").1);
        }
        rest.sort_unstable();
        assert_eq!(rest, [1, 1, 2, 3, 4, 5, 5, 6], "all came in the end");
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_nothing() {
        let shares = Shares::new(4);
        let only = take(&shares, 1).await.expect("a place");
        for _ in 0..3 {
            assert!(take(&shares, 1).await.is_none());
        }
        drop(only);
        let again = take(&shares, 1).await;
        assert!(again.is_some());
        drop(again);
        assert_eq!(shares.lock().free, 4);
    }
}
