//! What a session is told of its selected mailbox.
//!
//! What always holds: [`Follower::changed`] can be dropped at any await without losing a wake-up, and the cursor moves
//! only together with what is handed out.

use crate::recent::Recent;
use postroom_imap_proto::{FlagsNow, News};
use postroom_mailstore::{Changes, FlagsAt, MailError, Mailstore, OpenMailbox};
use postroom_types::{InboxId, Lsn, MailboxId, ModSeq, Uid};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Follows one mailbox on behalf of one session.
pub(crate) struct Follower {
    inbox: InboxId,
    pub(crate) mailbox: MailboxId,
    pub(crate) read_only: bool,
    /// Everything up to here was told.
    seen: ModSeq,
    highest: ModSeq,
    /// The last UID told.
    last: Option<Uid>,
    /// Flag changes this session made itself; their answer told them.
    own: HashMap<Uid, ModSeq>,
}

impl Follower {
    pub(crate) fn new(inbox: InboxId, open: &OpenMailbox, read_only: bool) -> Self {
        Self {
            inbox,
            mailbox: open.id,
            read_only,
            seen: open.modseq,
            highest: open.highest_modseq,
            last: open.uids.last().copied(),
            own: HashMap::new(),
        }
    }

    /// Remembers what a STORE of this session did.
    pub(crate) fn remember_own(&mut self, stored: &[FlagsAt]) {
        self.own.extend(stored.iter().filter(|(_, _, modseq)| *modseq > self.seen).map(|(uid, _, modseq)| (*uid, *modseq)));
    }

    /// What happened since the last time.
    pub(crate) async fn changed(&mut self, mailstore: &Mailstore, recent: &Recent) -> Result<News, MailError> {
        let mut changes = mailstore.changes_since(self.inbox, self.mailbox, self.seen).await?;
        if changes.mailbox_gone {
            return Ok(News { bye: Some("Mailbox deleted"), ..News::default() });
        }
        if changes.resynchronised {
            self.tell_new_from_changed(mailstore, &mut changes).await?;
        }
        Ok(self.take(changes, recent))
    }

    /// Rows were compared instead of the feed read: messages we know of have changed flags, the others are new.
    async fn tell_new_from_changed(&self, mailstore: &Mailstore, changes: &mut Changes) -> Result<(), MailError> {
        let known = |uid: &Uid| self.last.is_some_and(|last| *uid <= last);
        let (old, new): (Vec<Uid>, Vec<Uid>) = changes.appended.iter().copied().partition(known);
        changes.flags.extend(mailstore.flags(self.inbox, self.mailbox, &old).await?);
        changes.appended = new;
        Ok(())
    }

    /// The synchronous end: cursor and news move together.
    fn take(&mut self, changes: Changes, recent: &Recent) -> News {
        self.seen = changes.now;
        let own = std::mem::take(&mut self.own);
        let by_others = |(uid, _, modseq): &FlagsAt| own.get(uid) != Some(modseq);
        let flags = changes.flags.into_iter().filter(by_others).map(|(uid, flags, modseq)| FlagsNow { uid, flags, modseq });
        let highest = (changes.highest_modseq != self.highest).then_some(changes.highest_modseq);
        self.highest = changes.highest_modseq;
        if let Some(last) = changes.appended.last() {
            self.last = Some(*last);
            if !self.read_only {
                recent.tell(self.mailbox, *last);
            }
        }
        News { appended: changes.appended, flags: flags.collect(), expunged: changes.expunged, highest_modseq: highest, bye: None }
    }
}

/// Whether news are worth handing to the machine.
pub(crate) fn is_empty(news: &News) -> bool {
    news.appended.is_empty() && news.flags.is_empty() && news.expunged.is_empty() && news.highest_modseq.is_none() && news.bye.is_none()
}

/// The wake-ups of an inbox.
pub(crate) struct Wakes {
    receiver: watch::Receiver<Lsn>,
    /// A wake-up was seen whose news are not handed out yet.
    pending: bool,
}

impl Wakes {
    pub(crate) fn new(mailstore: &Arc<Mailstore>, inbox: InboxId) -> Self {
        Self { receiver: mailstore.store().watch(Mailstore::topic(inbox)), pending: false }
    }

    /// Waits for a wake-up; it stays [pending](Self::done) until [`done`](Self::done).
    pub(crate) async fn wait(&mut self) {
        if self.pending {
            return;
        }
        if self.receiver.changed().await.is_err() {
            // The store is closing; the shutdown ends the session.
            std::future::pending::<()>().await;
        }
        self.pending = true;
    }

    /// The news of the wake-up are handed out.
    pub(crate) fn done(&mut self) {
        self.pending = false;
    }
}
