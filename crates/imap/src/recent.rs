//! Which messages are `\Recent`: those no session that could change the mailbox has been told of (RFC 3501 §2.3.2).
//!
//! Kept in memory. What is not known (after a restart, or when there were too many mailboxes) counts as recent, as
//! the RFC asks.

use postroom_types::{MailboxId, Uid};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Mailboxes remembered.
const MAILBOXES: usize = 100_000;

/// The first UID of each mailbox that nobody was told of.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<HashMap<MailboxId, Uid>>);

impl Recent {
    /// Where the recent messages of a mailbox begin.
    pub(crate) fn from(&self, mailbox: MailboxId) -> Uid {
        self.lock().get(&mailbox).copied().unwrap_or(Uid::MIN)
    }

    /// A session that can change the mailbox is being told of all messages below this UID. Where the recent ones among
    /// them begin: of two sessions only one gets them.
    pub(crate) fn told(&self, mailbox: MailboxId, below: Uid) -> Uid {
        let mut known = self.lock();
        if known.len() >= MAILBOXES && !known.contains_key(&mailbox) {
            known.clear();
        }
        let from = known.entry(mailbox).or_insert(Uid::MIN);
        let before = *from;
        *from = below.max(before);
        before
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MailboxId, Uid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_recent_any_more() {
        let (recent, mailbox) = (Recent::default(), MailboxId::new());
        let uid = |number| Uid::new(number).unwrap();
        assert_eq!(recent.from(mailbox), uid(1));
        assert_eq!(recent.told(mailbox, uid(5)), uid(1));
        assert_eq!(recent.told(mailbox, uid(3)), uid(5));
        assert_eq!(recent.from(mailbox), uid(5));
        assert_eq!(recent.from(MailboxId::new()), uid(1));
    }
}
