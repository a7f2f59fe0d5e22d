//! The feed: what happened in an organization, in the order of commits.
//!
//! What always holds:
//! - An event is written in the commit that makes it true: a crash loses no announcement of something that was kept, and
//!   announces nothing that was not.
//! - Events have the order of their commits, and within a commit the order in which they were announced. A reader sees
//!   an event only once everything before it is visible, so no event appears behind a cursor that was given out.
//! - Events go from the old end alone, and it is known how far they are gone: a reader that comes too late is told.

mod announce;
mod check;
mod cursor;
mod event;
mod keys;
mod read;
mod row;
mod since;
mod trim;

pub use announce::announce;
pub use cursor::{Cursor, CursorError};
pub use event::{Event, MAX_REASON_OCTETS, NewEvent, ReceivedAs, What};
pub use read::{FeedError, MAX_PAGE, Page};

use postroom_store::{SharedStore, Topic};
use postroom_types::OrganizationId;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time in milliseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the feed behaves.
#[derive(Clone)]
pub struct Options {
    /// What time it is, for the upkeep.
    pub clock: Clock,
    /// How long an event is kept. Default 30 days.
    pub keep: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(system_milliseconds),
            keep: Duration::from_secs(30 * 86_400),
        }
    }
}

fn system_milliseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// The events of all organizations, on one store.
pub struct Feed {
    store: SharedStore,
    options: Options,
    /// Where the upkeep goes on: the organizations before this one were looked at.
    upkeep_from: Mutex<Option<OrganizationId>>,
}

impl Feed {
    /// The feed on this store.
    #[must_use]
    pub fn new(store: SharedStore, options: Options) -> Self {
        Self {
            store,
            options,
            upkeep_from: Mutex::default(),
        }
    }
}

/// The topic that is woken by every event of an organization.
const fn topic(organization: OrganizationId) -> Topic {
    *organization.as_bytes()
}
