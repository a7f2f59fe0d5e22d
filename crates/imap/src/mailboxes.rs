//! Questions about mailboxes by name.

use crate::answer::Session;
use crate::fault::of_mail;
use postroom_imap_proto::{Fault, MailboxEntry, StatusData};
use postroom_mailstore::MailError;
use postroom_types::{InboxId, MailboxId};

impl Session {
    pub(crate) async fn mailboxes(&self) -> Result<Vec<MailboxEntry>, Fault> {
        let inbox = self.inbox()?;
        let mailstore = &self.service.mailstore;
        let found = mailstore.mailboxes(inbox).await.map_err(|e| of_mail(&e))?;
        let mut subscriptions = mailstore.subscriptions(inbox).await.map_err(|e| of_mail(&e))?;
        let mut entries = Vec::with_capacity(found.len());
        for info in found {
            subscriptions.remove(&info.name);
            entries.push(MailboxEntry {
                name: info.name,
                exists: true,
                subscribed: info.subscribed,
                special_use: info.special_use,
                marked: None,
            });
        }
        // A subscription may outlive its mailbox (RFC 3501 §6.3.9).
        entries.extend(subscriptions.into_iter().map(|name| MailboxEntry {
            name,
            exists: false,
            subscribed: true,
            special_use: None,
            marked: None,
        }));
        Ok(entries)
    }

    pub(crate) async fn status(&self, name: &str) -> Result<StatusData, Fault> {
        let (inbox, mailbox) = self.find(name).await?;
        let status = self
            .service
            .mailstore
            .status(inbox, mailbox)
            .await
            .map_err(|e| of_mail(&e))?;
        let recent_from = self.service.recent.from(mailbox);
        Ok(StatusData {
            messages: status.messages,
            // At most: some of these UIDs may have been expunged.
            recent: status
                .uid_next
                .get()
                .saturating_sub(recent_from.get())
                .min(status.messages),
            uid_next: status.uid_next,
            uid_validity: status.uid_validity,
            unseen: status.unseen,
            deleted: status.deleted,
            size_octets: status.size_octets,
            highest_modseq: status.highest_modseq,
        })
    }

    pub(crate) async fn create(&self, name: &str) -> Result<(), Fault> {
        self.done(
            self.service
                .mailstore
                .create_mailbox(self.inbox()?, name)
                .await
                .map(|_| ()),
        )
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), Fault> {
        self.done(self.service.mailstore.delete_mailbox(self.inbox()?, name).await)
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), Fault> {
        self.done(self.service.mailstore.rename_mailbox(self.inbox()?, from, to).await)
    }

    pub(crate) async fn subscribe(&self, name: &str, subscribed: bool) -> Result<(), Fault> {
        self.done(self.service.mailstore.subscribe(self.inbox()?, name, subscribed).await)
    }

    /// A mailbox of this session's inbox by name.
    pub(crate) async fn find(&self, name: &str) -> Result<(InboxId, MailboxId), Fault> {
        let inbox = self.inbox()?;
        let mailbox = self
            .service
            .mailstore
            .mailbox_id(inbox, name)
            .await
            .map_err(|e| of_mail(&e))?;
        Ok((inbox, mailbox))
    }

    fn done(&self, result: Result<(), MailError>) -> Result<(), Fault> {
        result.map_err(|e| of_mail(&e))
    }
}
