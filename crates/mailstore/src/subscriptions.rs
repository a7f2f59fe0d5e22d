//! The list of subscribed names (RFC 9051 §6.3.7).

use crate::attempts::{Attempts, Tried};
use crate::codec::{Corrupt, Reader, Writer};
use crate::tree::MailboxName;
use crate::{MailError, Mailstore, keys};
use postroom_store::{CommitBuilder, scan_prefix};
use postroom_types::InboxId;
use std::collections::BTreeSet;

/// Most subscribed names of an inbox.
const MAX_SUBSCRIPTIONS: usize = 2000;

impl Mailstore {
    /// All subscribed names, also of mailboxes that do not exist (any more).
    ///
    /// # Errors
    /// The store's own.
    pub async fn subscriptions(&self, inbox: InboxId) -> Result<BTreeSet<String>, MailError> {
        let mut names = BTreeSet::new();
        let mut scan = scan_prefix(&*self.store, &keys::subscriptions(inbox));
        while let Some((_, value)) = scan.next().await? {
            names.insert(read_subscription(&value)?);
        }
        Ok(names)
    }

    /// Puts a name on the list of subscriptions, or takes it off. The mailbox need not exist (RFC 3501 §6.3.6).
    ///
    /// # Errors
    /// [`MailError::NoSuchInbox`], [`MailError::Cannot`], [`MailError::Limit`], [`MailError::Unavailable`]; the store's own.
    pub async fn subscribe(&self, inbox: InboxId, name: &str, subscribed: bool) -> Result<(), MailError> {
        let name = MailboxName::parse(name)?;
        let names = self.subscriptions(inbox).await?;
        if subscribed && names.len() >= MAX_SUBSCRIPTIONS && !names.contains(name.as_str()) {
            return Err(MailError::Limit("too many subscriptions"));
        }
        let key = keys::subscription(inbox, name.as_str());
        let mut attempts = Attempts::new();
        loop {
            attempts.next().await?;
            // Asked to be unchanged, so that no row appears in an inbox that is being purged.
            let row_key = keys::inbox_row(inbox);
            let row = self.store.get(&row_key).await?.ok_or(MailError::NoSuchInbox(inbox))?;
            let mut builder = CommitBuilder::new();
            // Not in the feed; who is told of subscriptions looks at them when woken.
            builder.require(row_key, row).wake(Self::topic(inbox));
            if subscribed {
                builder.put(key.clone(), subscription_value(name.as_str()));
            } else {
                builder.delete(key.clone());
            }
            if let Tried::Done(_) = self.try_commit(builder.build()).await? {
                return Ok(());
            }
        }
    }
}

pub(crate) fn subscription_value(name: &str) -> Vec<u8> {
    let mut writer = Writer::value(name.len() + 4);
    writer.bytes(name.as_bytes());
    writer.finish()
}

pub(crate) fn read_subscription(value: &[u8]) -> Result<String, Corrupt> {
    let mut reader = Reader::value(value, "subscription")?;
    let name = reader.text()?.to_owned();
    reader.end()?;
    Ok(name)
}
