//! Whether mail to a forward-path is taken.

use crate::reply::{self, reply_for_hindrance, reply_for_lookup};
use crate::service::Service;
use postroom_identity::{IdentityError, InboxRecord, Resolution};
use postroom_intake::LocalRecipient;
use postroom_queue::ItemId;
use postroom_smtp_proto::Reply;
use postroom_types::{EmailAddress, ForwardPath};

impl Service {
    /// The inbox that a forward-path means, if it takes mail now.
    pub(crate) async fn recipient(
        &self,
        forward_path: &ForwardPath,
        declared_size: Option<u64>,
    ) -> Result<LocalRecipient, Reply> {
        if let ForwardPath::Mailbox(address) = forward_path
            && is_bounce_address(address)
        {
            return match self.queue.parse_bounce_address(address) {
                Some(item) => self.bounce_recipient(address, item, declared_size).await,
                None if self.identity.is_local(address.domain()) => Err(reply::UNKNOWN),
                None => Err(reply::NOT_LOCAL),
            };
        }
        let (address, inbox) = match self.resolve(forward_path).await {
            Ok(Ok(found)) => found,
            Ok(Err(refusal)) => return Err(refusal),
            Err(error) => {
                tracing::error!(to = %forward_path, %error, "cannot look up a recipient");
                return Err(reply_for_lookup(&error));
            }
        };
        if inbox.receive_paused {
            return Err(reply::PAUSED);
        }
        self.has_room(&inbox, declared_size).await?;
        Ok(LocalRecipient::new(&inbox, address))
    }

    /// The inbox that sent what comes back. It gets it even if it takes no mail from others: it asked for it.
    async fn bounce_recipient(
        &self,
        address: &EmailAddress,
        item: ItemId,
        declared_size: Option<u64>,
    ) -> Result<LocalRecipient, Reply> {
        if !self.identity.is_local(address.domain()) {
            return Err(reply::NOT_LOCAL);
        }
        let recipients = self.queue.recipients(item.message).await.map_err(|error| {
            tracing::error!(to = %address, %error, "cannot look up a bounce address");
            reply_for_hindrance(&error)
        })?;
        let sender = recipients.iter().find(|recipient| recipient.id == item);
        let Some(sender) = sender.and_then(|recipient| recipient.sender) else {
            return Err(reply::UNKNOWN);
        };
        let inbox = match self.identity.inbox(sender).await {
            Ok(inbox) => inbox,
            Err(IdentityError::NoSuchInbox) => return Err(reply::UNKNOWN),
            Err(error) => {
                tracing::error!(to = %address, %error, "cannot look up a recipient");
                return Err(reply_for_lookup(&error));
            }
        };
        self.has_room(&inbox, declared_size).await?;
        Ok(LocalRecipient {
            bounce: Some(item),
            // Nobody else is to hear of it.
            forward: None,
            ..LocalRecipient::new(&inbox, address.clone())
        })
    }

    async fn resolve(
        &self,
        forward_path: &ForwardPath,
    ) -> Result<Result<(EmailAddress, InboxRecord), Reply>, IdentityError> {
        let ForwardPath::Mailbox(address) = forward_path else {
            let inbox = self.identity.postmaster().await?;
            return Ok(Ok((inbox.primary.clone(), inbox)));
        };
        Ok(match self.identity.resolve(address).await? {
            Resolution::Inbox(inbox) => Ok((address.clone(), *inbox)),
            Resolution::NoSuchMailbox => Err(reply::UNKNOWN),
            Resolution::NotLocal => Err(reply::NOT_LOCAL),
        })
    }

    /// A message whose size is not declared may be the one that goes over the quota; the next is not taken.
    async fn has_room(&self, inbox: &InboxRecord, declared_size: Option<u64>) -> Result<(), Reply> {
        match self.mailstore.usage(inbox.id).await {
            Ok(usage) if usage.octets >= usage.quota_octets => Err(reply::FULL_INBOX),
            Ok(usage) if usage.octets.saturating_add(declared_size.unwrap_or(0)) > usage.quota_octets => {
                Err(reply::FULL_INBOX)
            }
            Ok(_) => match self.identity.has_storage(inbox.organization).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(reply::FULL_INBOX),
                Err(error) => {
                    tracing::error!(inbox = %inbox.id, %error, "cannot read the usage of an organization");
                    Err(reply_for_lookup(&error))
                }
            },
            Err(error) => {
                tracing::error!(inbox = %inbox.id, %error, "cannot read the usage of an inbox");
                Err(reply_for_hindrance(&error))
            }
        }
    }
}

/// Whether an address is in the form of those that bounces come back to. Nobody else has one, not even a catch-all: what
/// we did not sign is forged or damaged.
fn is_bounce_address(address: &EmailAddress) -> bool {
    address.folded().local_part().starts_with("b=")
}
