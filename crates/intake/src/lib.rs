//! The one door: every message that enters the server passes here.
//!
//! What always holds: a message is looked at once (hops, verdict, summary), gets its trace fields, and is handed to the
//! mail store in one durable commit. `Ok` means it is on disk; an error means that nothing was kept, or that it is not
//! known and the sender should try again.

mod answered;
mod blind;
mod bring;
mod deliver;
mod error;
mod expiry;
mod handed_out;
mod hindrance;
mod idempotency;
mod incoming;
mod keys;
mod limits;
mod listed;
mod memory;
mod onward;
mod options;
mod prepare;
mod recipients;
mod room;
mod sender;
mod settle;
mod spool;
mod submission;
mod submit;
mod suppress;
mod trace;
mod turns;

pub use bring::{Brought, ToBring};
pub use error::{IntakeError, SubmitError};
pub use handed_out::{Holder, Single};
pub use hindrance::Hindrance;
pub use idempotency::Running;
pub use incoming::{Accepted, Appended, Forward, Incoming, LocalRecipient};
pub use limits::SendLimits;
pub use memory::Room;
pub use options::{Options, SaveSent};
pub use recipients::is_routable;
pub use sender::is_own_address;
pub use settle::Settled;
pub use spool::{Spool, Spooler};
pub use submission::{Alongside, Idempotency, KeyScope, Submission, Submitted, Via};

use limits::Days;
use memory::LargeMessages;
use postroom_identity::Identity;
use postroom_mailstore::Mailstore;
use postroom_queue::Queue;
use postroom_store::SharedStore;
use postroom_types::Domain;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Domains of which it was said that their mail is not signed; beyond, nothing is said.
const MAX_UNSIGNED: usize = 1000;

/// The door. One for the whole server.
pub struct Intake {
    mailstore: Arc<Mailstore>,
    identity: Arc<Identity>,
    queue: Arc<Queue>,
    options: Options,
    days: Days,
    large: LargeMessages,
    unsigned: Mutex<HashSet<Domain>>,
    running: idempotency::RunningKeys,
}

impl Intake {
    /// A door to this mail store; identity and the queue must use the same store.
    #[must_use]
    pub fn new(mailstore: Arc<Mailstore>, identity: Arc<Identity>, queue: Arc<Queue>, options: Options) -> Self {
        Self {
            mailstore,
            identity,
            queue,
            options,
            days: Days::default(),
            large: LargeMessages::new(),
            unsigned: Mutex::default(),
            running: idempotency::RunningKeys::default(),
        }
    }

    /// What it was made with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    fn store(&self) -> &SharedStore {
        self.mailstore.store()
    }

    fn now_ms(&self) -> i64 {
        (self.options.clock)()
    }

    /// Whether it was not said yet that the mail of this domain is not signed.
    fn is_first_unsigned(&self, domain: &Domain) -> bool {
        let mut unsigned = self.unsigned.lock().unwrap_or_else(PoisonError::into_inner);
        unsigned.len() < MAX_UNSIGNED && unsigned.insert(domain.clone())
    }
}
