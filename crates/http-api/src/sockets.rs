//! Room for WebSocket connections, of which no organization takes all: the listener does not count them once they are
//! such.

use postroom_types::OrganizationId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections at once.
const ALL: usize = 4096;
/// Those of one organization.
const EACH: usize = ALL / 4;

/// How many there are.
#[derive(Default)]
pub(crate) struct Sockets(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    all: usize,
    each: HashMap<OrganizationId, usize>,
}

/// Room for one; free again when it is dropped.
pub(crate) struct Room {
    sockets: Arc<Sockets>,
    organization: OrganizationId,
}

impl Sockets {
    /// Room for one more connection of an organization, if there is some.
    pub(crate) fn take(self: &Arc<Self>, organization: OrganizationId) -> Option<Room> {
        let mut taken = self.lock();
        let own = taken.each.get(&organization).copied().unwrap_or_default();
        if taken.all >= ALL || own >= EACH {
            return None;
        }
        taken.all += 1;
        taken.each.insert(organization, own + 1);
        Some(Room {
            sockets: Arc::clone(self),
            organization,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.sockets.lock();
        taken.all -= 1;
        if let Some(own) = taken.each.get_mut(&self.organization) {
            *own -= 1;
            if *own == 0 {
                taken.each.remove(&self.organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all() {
        let sockets = Arc::new(Sockets::default());
        let organization = |number| OrganizationId::from_bytes([number; 16]);
        let mut first: Vec<Room> = (0..EACH)
            .map(|_| sockets.take(organization(1)).expect("room"))
            .collect();
        assert!(sockets.take(organization(1)).is_none());
        let others = (2..5).flat_map(|number| (0..EACH).map(move |_| number));
        let others: Vec<Room> = others
            .map(|number| sockets.take(organization(number)).expect("room"))
            .collect();
        assert!(sockets.take(organization(5)).is_none(), "all is taken");
        first.pop();
        assert!(sockets.take(organization(5)).is_some());
        drop((first, others));
        assert!(sockets.lock().each.is_empty() && sockets.lock().all == 0);
    }
}
