//! Mail being written: letters, replies, forwards, drafts, and when they go.
//!
//! What always holds:
//! - A draft is a message in Drafts. What a message cannot say of it stands in a row beside it, and a draft without a row
//!   (a mail program made it) is one like any other; a row without its message counts for nothing and is cleared away.
//! - A change replaces the message and its row in one commit, which asks that both are what was read; so of two changes
//!   at once none is lost.
//! - The commit that takes a draft for sending writes into its row which version was sent, asking that the row is what
//!   was read: a version is sent once, however often and by whomever it is tried, and whatever crashes meanwhile. A
//!   version that was sent is no draft any more, before it is expunged too.

mod answering;
mod claims;
mod client_id;
mod content;
mod error;
mod id;
mod labels;
mod letter;
mod list;
mod mailboxes;
mod model;
mod read;
mod remove;
mod row;
mod schedule;
mod send;
mod signature;
mod source;
mod tidy;
mod version;
mod write;

pub use answering::{Audience, audience};
pub use content::{has_html, in_reply_to, texts};
pub use error::DraftError;
pub use id::DraftId;
pub use labels::label_keywords;
pub use letter::{Context, Letter, Written};
pub use mailboxes::{of as mailboxes_of, one_line};
pub use model::{
    Draft, DraftChange, DraftPage, GivenContext, GivenLetter, Group, NewDraft, NewKind, Passing, Place, Scope,
    SendStatus, Sending, Wanted,
};
pub use source::Source;

use claims::Claims;
use postroom_identity::Identity;
use postroom_intake::Intake;
use postroom_mailstore::{Clock, Mailstore};
use postroom_store::SharedStore;
use std::sync::Arc;
use tokio::sync::Notify;

/// The drafts of all inboxes.
pub struct Drafts {
    mailstore: Arc<Mailstore>,
    identity: Arc<Identity>,
    intake: Arc<Intake>,
    clock: Clock,
    claims: Claims,
    /// Something was scheduled.
    scheduled: Notify,
}

impl Drafts {
    /// The drafts in this mail store; all must be on the same store. Nothing goes by itself before
    /// [`run`](Self::run).
    #[must_use]
    pub fn new(mailstore: Arc<Mailstore>, identity: Arc<Identity>, intake: Arc<Intake>) -> Self {
        Self {
            clock: Arc::clone(&intake.options().clock),
            mailstore,
            identity,
            intake,
            claims: Claims::default(),
            scheduled: Notify::new(),
        }
    }

    fn store(&self) -> &SharedStore {
        self.mailstore.store()
    }

    fn now_ms(&self) -> i64 {
        (self.clock)()
    }
}
