//! Mail semantics on a Store: mailboxes, UIDs, modseq, flags, threads, feed, consistency.
//!
//! What always holds:
//! - Every change to an inbox is one commit that takes the inbox's next modseq and writes the feed row of that modseq, and
//!   further ones where more is to be told than a row holds: the feed has no gaps, and what a crash keeps is announced.
//! - UIDs, modseqs and UIDVALIDITYs come from counters of the store and are patched into the rows by it; none is read
//!   first and written later.
//! - A placement is a flags row, a metadata row and an entry in the message row; the message row is asked to be
//!   unchanged by whoever changes one of the three, so a message is gone exactly when its last placement is.
//! - Every operation can be repeated after an unknown outcome and is then done once.
//! - No lock is held and no iterator kept across an await, but for those under which a mailbox, or what is searched of
//!   it, is read for all its sessions.

mod append;
mod attempts;
mod change;
mod check;
mod codec;
mod content;
mod copy;
mod deliver;
mod drafts;
mod error;
mod event;
mod expunge;
mod feed;
mod fetch;
mod find;
mod flags;
mod inbox;
mod inboxes;
mod keys;
mod label_events;
mod labels;
mod lately;
mod likeness;
mod listing;
mod mailboxes;
mod marks;
mod messages;
mod model;
mod once;
mod open;
mod pieces;
mod relocate;
mod remove;
mod rows;
mod search;
mod shared;
mod subscriptions;
mod summaries;
mod thread_list;
mod tree;

pub use content::{Content, Located};
pub use drafts::{DraftPlace, DraftRecord, DraftRecords};
pub use error::MailError;
pub use event::{Cause, FeedEntry, FeedEvent, Marked};
pub use find::Hit;
pub use label_events::{LabelEvent, LabelEventPage, LabelPlace};
pub use labels::{
    Folder, LabelChange, LabelError, Labels, MAX_LABEL_CHANGE, is_reserved_keyword, is_server_label, is_system_label,
};
pub use listing::{Include, ListQuery, Listed, MAX_WINDOW_OFFSET, MessagePage, Window, WindowQuery};
pub use model::{
    Announce, Copied, FlagMode, FlagsAt, MailboxInfo, MailboxRef, MessageRecord, Meta, NewMessage, Origin, Placed,
    Placing, Status, Stored, ThreadChoice, Usage,
};
pub use postroom_store::BlobReader;
pub use search::Found;
pub use shared::{Ghost, Holding, KeywordSet, Keywords, MessageState, Row, SharedMailbox, SharedNews, Snapshot};
pub use summaries::{StoredMeta, StoredSummary};
pub use thread_list::{THREAD_MESSAGES, ThreadListed, ThreadMessages, ThreadPage};
pub use tree::MAX_MAILBOX_NAME_OCTETS;

use postroom_store::{SharedStore, Topic};
use postroom_types::InboxId;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most UIDs in one call of [`Mailstore::store_flags`], [`Mailstore::move_messages`] and [`Mailstore::expunge`].
pub const PIECE: usize = 300;

/// Longest [`NewMessage::prefix`], in octets.
pub const MAX_PREFIX_OCTETS: usize = 2560;

/// Longest [`NewMessage::verdict`], in octets.
pub const MAX_VERDICT_OCTETS: usize = 512;

/// Most inboxes of one delivery.
pub const MAX_PLACINGS: usize = 16;

/// Tells the time in milliseconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the mailstore behaves.
#[derive(Clone)]
pub struct Options {
    /// What time it is, for the feed and for UIDVALIDITYs.
    pub clock: Clock,
    /// Most mailboxes of one inbox. Default 1,000.
    pub max_mailboxes: usize,
    /// How long a feed row is kept. Default 30 days.
    pub feed_keep: Duration,
    /// How long it is known what was expunged from a mailbox. Default 90 days.
    pub expunged_keep: Duration,
    /// Within this time a message that is received with the Message-ID and body of one that was received or sent is that
    /// one. Default 5 days.
    pub duplicate_window: Duration,
    /// Most messages of all mailboxes that are kept open for the next session; each takes 32 octets. Default 2,000,000.
    pub open_messages: usize,
    /// Octets of what searches keep in memory of the mailboxes searched lately. Default 64 MiB.
    pub column_octets: usize,
    /// Within this time a client's copy of a message it sent is recognised when appended to Sent. Default 24 hours.
    pub sent_copy_window: Duration,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            clock: Arc::new(system_milliseconds),
            max_mailboxes: 1000,
            feed_keep: 30 * DAY,
            expunged_keep: 90 * DAY,
            duplicate_window: 5 * DAY,
            open_messages: 2_000_000,
            column_octets: 64 << 20,
            sent_copy_window: DAY,
        }
    }
}

fn system_milliseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// All mail of all inboxes, on one store.
pub struct Mailstore {
    store: SharedStore,
    options: Options,
    trees: tree::TreeCache,
    open: shared::OpenMailboxes,
    searches: search::Searches,
    ghosts: Arc<shared::Ghosts>,
}

impl Mailstore {
    /// The mail on this store.
    #[must_use]
    pub fn new(store: SharedStore, options: Options) -> Self {
        Self {
            store,
            trees: tree::TreeCache::default(),
            open: shared::OpenMailboxes::new(options.open_messages),
            searches: search::Searches::new(options.column_octets),
            ghosts: Arc::new(shared::Ghosts::new(Arc::clone(&options.clock))),
            options,
        }
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The topic that is woken by every change to an inbox.
    #[must_use]
    pub const fn topic(inbox: InboxId) -> Topic {
        *inbox.as_bytes()
    }

    fn now(&self) -> i64 {
        (self.options.clock)()
    }

    /// The time as it is kept with what is put into a mailbox: seconds since 1970 UTC.
    fn now_seconds(&self) -> i64 {
        self.now().div_euclid(1000)
    }
}

/// A count for IMAP, which has 32 bits.
fn to_u32(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
