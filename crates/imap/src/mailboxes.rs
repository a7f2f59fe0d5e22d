//! Questions about mailboxes by name, and about the inbox as a whole.

use crate::answer::Session;
use crate::fault::of_mail;
use postroom_imap_proto::{Fault, MailboxEntry, QuotaData, StatusData};
use postroom_mailstore::{MailError, Status};
use postroom_types::{Flag, InboxId, MailboxId, SpecialUse};
use std::collections::HashMap;

impl Session {
    pub(crate) async fn mailboxes(&self) -> Result<Vec<MailboxEntry>, Fault> {
        self.entries().await.map_err(|e| of_mail(&e))
    }

    /// All mailboxes and all subscribed names.
    pub(crate) async fn entries(&self) -> Result<Vec<MailboxEntry>, MailError> {
        let Some(login) = &self.login else {
            return Ok(Vec::new());
        };
        let (inbox, mailstore) = (login.inbox.id, &self.service.mailstore);
        let found = mailstore.mailboxes(inbox).await?;
        let mut subscriptions = mailstore.subscriptions(inbox).await?;
        let mut entries = Vec::with_capacity(found.len());
        for info in found {
            subscriptions.remove(&info.name);
            if !login.rights.shows(info.label.unwrap_or_default()) {
                continue;
            }
            entries.push(MailboxEntry {
                name: info.name,
                exists: true,
                subscribed: info.subscribed,
                special_use: info.special_use,
                marked: None,
                id: Some(info.id),
            });
        }
        // A subscription may outlive its mailbox (RFC 3501 §6.3.9).
        entries.extend(subscriptions.into_iter().map(|name| no_mailbox(name, true)));
        Ok(entries)
    }

    pub(crate) async fn status(&self, name: &str) -> Result<StatusData, Fault> {
        let (inbox, mailbox) = self.find(name).await?;
        let status = self.service.mailstore.status(inbox, mailbox).await;
        status
            .map(|status| self.status_data(mailbox, &status))
            .map_err(|e| of_mail(&e))
    }

    pub(crate) async fn statuses(&self, names: &[String]) -> Result<Vec<Option<StatusData>>, Fault> {
        let by_name: HashMap<String, MailboxId> = (self.mailboxes().await?.into_iter())
            .filter_map(|entry| Some((entry.name, entry.id?)))
            .collect();
        let ids: Vec<MailboxId> = names.iter().filter_map(|name| by_name.get(name).copied()).collect();
        let mut found = self.statuses_of(&ids).await.map_err(|e| of_mail(&e))?.into_iter();
        let of = |name: &String| by_name.contains_key(name).then(|| found.next()).flatten().flatten();
        Ok(names.iter().map(of).collect())
    }

    /// Counts of these mailboxes, in their order.
    pub(crate) async fn statuses_of(&self, ids: &[MailboxId]) -> Result<Vec<Option<StatusData>>, MailError> {
        let Some(login) = &self.login else {
            return Ok(vec![None; ids.len()]);
        };
        let found = self.service.mailstore.statuses(login.inbox.id, ids).await?;
        let told = |(id, status): (&MailboxId, Option<Status>)| Some(self.status_data(*id, &status?));
        Ok(ids.iter().zip(found).map(told).collect())
    }

    fn status_data(&self, id: MailboxId, status: &Status) -> StatusData {
        let recent_from = self.service.recent.from(id);
        StatusData {
            id,
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
        }
    }

    /// Octets of the messages with `\Deleted`.
    pub(crate) async fn deleted_octets(&self, name: &str) -> Result<u64, Fault> {
        let (inbox, mailbox) = self.find(name).await?;
        let shared = self.service.mailstore.open_shared(inbox, mailbox).await;
        let shared = shared.map_err(|e| of_mail(&e))?;
        Ok(shared.with_rows(|rows, _| {
            let deleted = rows.iter().filter(|row| row.flags.contains(Flag::Deleted));
            deleted.map(|row| u64::from(row.size_octets)).sum()
        }))
    }

    pub(crate) async fn quota(&self) -> Result<QuotaData, Fault> {
        let usage = self.service.mailstore.usage(self.inbox()?).await;
        let usage = usage.map_err(|e| of_mail(&e))?;
        Ok(QuotaData {
            octets: usage.octets,
            limit_octets: usage.quota_octets,
            messages: usage.messages,
        })
    }

    pub(crate) async fn create(&self, name: &str, special_use: Option<SpecialUse>) -> Result<MailboxId, Fault> {
        let inbox = self.inbox()?;
        let created = self.service.mailstore.create_mailbox(inbox, name, special_use).await;
        created.map_err(|e| of_mail(&e))
    }

    pub(crate) async fn delete(&mut self, name: &str) -> Result<MailboxId, Fault> {
        self.find(name).await?;
        let deleted = self.service.mailstore.delete_mailbox(self.inbox()?, name).await;
        let deleted = deleted.map_err(|e| of_mail(&e))?;
        if self.selected_id() == Some(deleted) {
            self.selected = None;
        }
        Ok(deleted)
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), Fault> {
        self.find(from).await?;
        let renamed = self.service.mailstore.rename_mailbox(self.inbox()?, from, to).await;
        renamed.map_err(|e| of_mail(&e))
    }

    pub(crate) async fn subscribe(&self, name: &str, subscribed: bool) -> Result<(), Fault> {
        let done = self.service.mailstore.subscribe(self.inbox()?, name, subscribed).await;
        done.map_err(|e| of_mail(&e))
    }

    /// A mailbox of this session's inbox by name.
    pub(crate) async fn find(&self, name: &str) -> Result<(InboxId, MailboxId), Fault> {
        let inbox = self.inbox()?;
        let mailbox = self.service.mailstore.mailbox_id(inbox, name).await;
        let mailbox = mailbox.map_err(|e| of_mail(&e))?;
        if self.is_restricted() && !self.mailboxes().await?.iter().any(|entry| entry.id == Some(mailbox)) {
            return Err(Fault::NoSuchMailbox);
        }
        Ok((inbox, mailbox))
    }
}

/// A name without a mailbox.
pub(crate) const fn no_mailbox(name: String, subscribed: bool) -> MailboxEntry {
    MailboxEntry {
        name,
        exists: false,
        subscribed,
        special_use: None,
        marked: None,
        id: None,
    }
}
