//! Connections without work, kept for more work to the same server. Each ends by itself when its time is up, and each
//! holds one of the connection permits, which bounds them.

use crate::hop::HopKey;
use crate::link::Link;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<HopKey, Vec<Link>>>,
}

impl Pool {
    /// A connection to this server. The one used last is the likeliest to be good still.
    pub(crate) fn take(&self, key: &HopKey) -> Option<Link> {
        let mut idle = self.idle();
        let links = idle.get_mut(key)?;
        let link = links.pop();
        if links.is_empty() {
            idle.remove(key);
        }
        link
    }

    /// Keeps a connection for others.
    pub(crate) fn put(&self, link: Link) {
        let mut idle = self.idle();
        idle.retain(|_, links| {
            links.retain(|link| link.is_good(usize::MAX));
            !links.is_empty()
        });
        idle.entry(link.key.clone()).or_default().push(link);
    }

    /// Lets one connection go, so that another can be made.
    pub(crate) fn drop_one(&self) {
        let mut idle = self.idle();
        let key = idle.keys().next().cloned();
        drop(key.and_then(|key| {
            let links = idle.get_mut(&key)?;
            let link = links.pop();
            if links.is_empty() {
                idle.remove(&key);
            }
            link
        }));
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<HopKey, Vec<Link>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
