//! `\Recent` (RFC 3501 §2.3.2): which messages no session has been told of. Kept in memory alone: after a restart
//! everything is recent once more, which the RFC allows and clients ignore.

use postroom_types::{MailboxId, Uid};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most mailboxes remembered; beyond, all are forgotten.
const MAX_MAILBOXES: usize = 100_000;

/// The last UID that some session was told of, for each mailbox.
#[derive(Default)]
pub(crate) struct Recent {
    told: Mutex<HashMap<MailboxId, Uid>>,
}

impl Recent {
    /// The first UID that is recent.
    pub(crate) fn from(&self, mailbox: MailboxId) -> Uid {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(&mailbox).map_or(0, |uid| uid.get());
        Uid::new(last.saturating_add(1)).unwrap_or(Uid::MIN)
    }

    /// A session that is not read-only was told of messages up to this one.
    pub(crate) fn tell(&self, mailbox: MailboxId, last: Uid) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_MAILBOXES {
            told.clear();
        }
        let known = told.entry(mailbox).or_insert(last);
        *known = last.max(*known);
    }
}
