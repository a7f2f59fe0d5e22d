//! Wake-ups by topic, shared by the backends.
//!
//! What always holds: nothing is kept for a topic that nobody watches.

use crate::Topic;
use postroom_types::Lsn;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Who waits for which topic.
#[derive(Debug, Default)]
pub struct Topics {
    senders: Mutex<HashMap<Topic, watch::Sender<Lsn>>>,
}

impl Topics {
    /// A receiver that is woken by every later [`wake`](Self::wake) of its topic; it starts at `now`.
    pub fn watch(&self, topic: Topic, now: Lsn) -> watch::Receiver<Lsn> {
        let mut senders = self.lock();
        if let Some(sender) = senders.get(&topic) {
            return sender.subscribe();
        }
        // Clearing at every doubling costs each subscription a constant share.
        if senders.len() == senders.capacity() {
            senders.retain(|_, sender| sender.receiver_count() > 0);
        }
        let (sender, receiver) = watch::channel(now);
        senders.insert(topic, sender);
        receiver
    }

    /// Tells the watchers of these topics about a commit that is visible now.
    pub fn wake(&self, topics: &[Topic], lsn: Lsn) {
        if topics.is_empty() {
            return;
        }
        let mut senders = self.lock();
        for topic in topics {
            // Wake-ups may come in any order; the number never goes down.
            let news = |seen: &mut Lsn| std::mem::replace(seen, lsn.max(*seen)) < lsn;
            if senders.get(topic).is_some_and(|sender| sender.receiver_count() == 0) {
                senders.remove(topic);
            } else if let Some(sender) = senders.get(topic) {
                sender.send_if_modified(news);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Topic, watch::Sender<Lsn>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
