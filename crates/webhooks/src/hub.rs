//! What all subscribers of an organization share: one wake-up, one reader of the feed, and its last events in memory.
//!
//! What always holds: a hub lives as long as somebody holds it; it shows the same events in the same order as the feed,
//! but for those of inboxes that are gone.

mod tail;

use crate::bodies::{Bodies, Render, RenderError, Told};
use crate::dialect::Dialect;
use crate::subscription::{LabelRights, Placed};
use bytes::Bytes;
use postroom_feed::{Cursor, Event, Feed, FeedError};
use postroom_identity::{Identity, IdentityError};
use postroom_store::StoreError;
use postroom_types::{InboxId, OrganizationId, PodId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tail::Tail;
use tokio::sync::watch;

/// Events read from the feed at a time.
const PIECE: usize = 256;
/// Pods remembered at most.
const MAX_PODS: usize = 65_536;

/// The hubs of all organizations.
pub struct Hubs {
    feed: Arc<Feed>,
    identity: Arc<Identity>,
    poll: Duration,
    open: Mutex<HashMap<OrganizationId, Weak<Hub>>>,
    /// An inbox never changes its pod.
    pods: Mutex<HashMap<InboxId, PodId>>,
    bodies: Bodies,
}

/// The hub of one organization.
pub struct Hub {
    hubs: Arc<Hubs>,
    organization: OrganizationId,
    tail: Mutex<Tail>,
    /// How far the feed is read.
    news: watch::Sender<Cursor>,
}

/// Where an inbox is.
enum Found {
    In(PodId),
    /// Its organization was deleted and can be restored.
    Hidden,
    Gone,
}

/// Events with their pods.
struct Placing {
    placed: Vec<Arc<Placed>>,
    /// Whether these are all that were to be placed.
    all: bool,
}

/// Some events.
#[derive(Clone, Debug)]
pub struct HubPage {
    /// They, in order.
    pub events: Vec<Arc<Placed>>,
    /// Where to go on.
    pub next: Cursor,
    /// Whether there is more now.
    pub more: bool,
    /// Whether it ends before an event of an inbox that is hidden with its organization: what comes may be told later.
    pub hidden: bool,
}

impl Hubs {
    /// Hubs on this feed, which look at it after `poll` even when nothing wakes them.
    #[must_use]
    pub fn new(feed: Arc<Feed>, identity: Arc<Identity>, poll: Duration) -> Arc<Self> {
        Arc::new(Self {
            feed,
            identity,
            poll,
            open: Mutex::default(),
            pods: Mutex::default(),
            bodies: Bodies::default(),
        })
    }

    /// The feed it reads.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The hub of an organization; made if nobody holds it.
    #[must_use]
    pub fn of(self: &Arc<Self>, organization: OrganizationId) -> Arc<Hub> {
        let mut open = lock(&self.open);
        if let Some(hub) = open.get(&organization).and_then(Weak::upgrade) {
            return hub;
        }
        if open.len() == open.capacity() {
            open.retain(|_, hub| hub.strong_count() > 0);
        }
        let now = self.feed.newest();
        let hub = Arc::new(Hub {
            hubs: Arc::clone(self),
            organization,
            tail: Mutex::new(Tail::at(now)),
            news: watch::channel(now).0,
        });
        // Watched before anything is read, so that no wake-up falls between.
        let wake = self.feed.watch(organization);
        open.insert(organization, Arc::downgrade(&hub));
        tokio::spawn(follow(Arc::downgrade(&hub), wake, self.poll));
        hub
    }

    /// Finds the pods of events; those of inboxes that are gone are left out. It ends before the first of an inbox that
    /// is hidden with its organization: that may come back.
    async fn place(&self, events: Vec<Event>) -> Result<Placing, StoreError> {
        let mut placed = Vec::with_capacity(events.len());
        for event in events {
            let pod = match event.inbox {
                Some(inbox) => match self.pod_of(inbox).await? {
                    Found::In(pod) => Some(pod),
                    Found::Hidden => return Ok(Placing { placed, all: false }),
                    Found::Gone => continue,
                },
                None => None,
            };
            placed.push(Arc::new(Placed { event, pod }));
        }
        Ok(Placing { placed, all: true })
    }

    /// Makes what is told of an event. That there is nothing counts only of what is not hidden: that may come back.
    async fn render(
        &self,
        render: &dyn Render,
        organization: OrganizationId,
        dialect: Dialect,
        placed: &Placed,
    ) -> Result<Option<Told>, RenderError> {
        // Twice: its organization may have been restored between the two answers of the first look.
        for _ in 0..2 {
            if let Some(told) = render.render(organization, dialect, placed).await? {
                return Ok(Some(told));
            }
            let Some(inbox) = placed.event.inbox else { break };
            let is_hidden = self.identity.is_hidden(inbox).await;
            if is_hidden.map_err(|error| RenderError(error.to_string()))? {
                return Err(RenderError("its organization was deleted and may be restored".into()));
            }
        }
        Ok(None)
    }

    async fn pod_of(&self, inbox: InboxId) -> Result<Found, StoreError> {
        if let Some(pod) = lock(&self.pods).get(&inbox) {
            return Ok(Found::In(*pod));
        }
        match self.identity.inbox(inbox).await {
            Ok(record) => {
                let mut pods = lock(&self.pods);
                if pods.len() >= MAX_PODS {
                    pods.clear();
                }
                pods.insert(inbox, record.pod);
                Ok(Found::In(record.pod))
            }
            Err(IdentityError::NoSuchInbox) => match self.identity.is_hidden(inbox).await {
                Ok(true) => Ok(Found::Hidden),
                Ok(false) => Ok(Found::Gone),
                Err(error) => Err(StoreError::Unavailable(error.to_string().into())),
            },
            Err(error) => Err(StoreError::Unavailable(error.to_string().into())),
        }
    }
}

impl Hub {
    /// Whose it is.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// How far the feed is read, and a wake-up whenever that is further.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<Cursor> {
        self.news.subscribe()
    }

    /// Up to `limit` events after a cursor: from memory if they are there, else from the feed.
    ///
    /// # Errors
    /// Those of [`Feed::page`].
    pub async fn page(&self, after: Cursor, limit: usize) -> Result<HubPage, FeedError> {
        if let Some(page) = lock(&self.tail).page(after, limit) {
            return Ok(page);
        }
        let page = self
            .hubs
            .feed
            .page(self.organization, after, limit.clamp(1, PIECE))
            .await?;
        let Placing { placed: events, all } = self.hubs.place(page.events).await?;
        let (next, more) = match events.last() {
            _ if all => (page.next, page.more),
            last => (last.map_or(after, |last| last.event.cursor), false),
        };
        Ok(HubPage {
            events,
            next,
            more,
            hidden: !all,
        })
    }

    /// What is told of an event in a dialect; `None` if what it tells of is gone, or hidden by now from who has these
    /// rights.
    ///
    /// # Errors
    /// [`RenderError`]; also while its inbox is hidden with its organization, which may come back.
    pub async fn body(
        &self,
        render: &dyn Render,
        dialect: Dialect,
        placed: &Placed,
        rights: LabelRights,
    ) -> Result<Option<Bytes>, RenderError> {
        let name = (self.organization, dialect, placed.event.cursor);
        let making = || self.hubs.render(render, self.organization, dialect, placed);
        let told = self.hubs.bodies.get(name, making).await?;
        let shown = told.filter(|told| told.hidden.is_open_to(rights));
        Ok(shown.map(|told| told.body))
    }

    /// Reads what is new.
    async fn read(&self) -> Result<(), FeedError> {
        loop {
            let after = lock(&self.tail).end();
            let page = match self.hubs.feed.page(self.organization, after, PIECE).await {
                Ok(page) => page,
                // It slept for longer than events are kept.
                Err(FeedError::Gone { oldest }) => {
                    lock(&self.tail).restart(oldest);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let happened = !page.events.is_empty();
            let Placing { placed, all } = self.hubs.place(page.events).await?;
            let mut tail = lock(&self.tail);
            if all {
                tail.extend(placed, page.next);
            } else {
                // Whoever wants these reads them from the feed, as it shows them then.
                tail.restart(page.next);
            }
            drop(tail);
            if happened {
                self.news.send_replace(page.next);
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// Reads the feed for a hub until nobody holds it.
async fn follow(hub: Weak<Hub>, mut wake: watch::Receiver<postroom_types::Lsn>, poll: Duration) {
    loop {
        wake.mark_unchanged();
        let Some(held) = hub.upgrade() else { return };
        if let Err(error) = held.read().await {
            tracing::warn!(organization = %held.organization, reason = %error, "cannot read the feed");
        }
        drop(held);
        // Both the end of the wait and a store that is gone lead to another look.
        if let Ok(Err(_)) = tokio::time::timeout(poll, wake.changed()).await {
            tokio::time::sleep(poll).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
