//! Sends to who never wrote to the inbox: refused, where the operator wants that, unless the request says `verified`. The
//! vendor protects a reputation so that all its customers share; a server of one's own has none to share, so this is off
//! by default.

use crate::State;
use crate::error::ApiError;
use postroom_mailstore::{MailError, Mailstore};
use postroom_types::{AddressField, EmailAddress, InboxId, MailboxId, SearchKey, SpecialUse};

/// Of those whose From has the address in it somewhere, the newest that are looked at.
const LOOKED_AT: usize = 50;

/// Refuses the first of the recipients who never wrote to the inbox.
pub(super) async fn refuse(state: &State, inbox: InboxId, recipients: &[EmailAddress]) -> Result<(), ApiError> {
    if !state.options().verified_sends || recipients.is_empty() {
        return Ok(());
    }
    let mailstore = state.mailstore();
    let mailboxes = mailstore.mailboxes(inbox).await?;
    let counts = |role: Option<SpecialUse>| {
        // Junk and what the inbox wrote itself are no acquaintance.
        !matches!(
            role,
            Some(SpecialUse::Junk | SpecialUse::Drafts | SpecialUse::Sent | SpecialUse::Trash)
        )
    };
    let mailboxes = mailboxes.iter().filter(|mailbox| counts(mailbox.special_use));
    let mailboxes: Vec<MailboxId> = mailboxes.map(|mailbox| mailbox.id).collect();
    for recipient in recipients {
        if !has_written(mailstore, inbox, &mailboxes, recipient).await? {
            return Err(ApiError::Stranger(recipient.clone()));
        }
    }
    Ok(())
}

async fn has_written(
    mailstore: &Mailstore,
    inbox: InboxId,
    mailboxes: &[MailboxId],
    address: &EmailAddress,
) -> Result<bool, ApiError> {
    let from = SearchKey::Address {
        field: AddressField::From,
        text: address.to_string(),
    };
    for mailbox in mailboxes {
        let shared = match mailstore.open_shared(inbox, *mailbox).await {
            Ok(shared) => shared,
            // Deleted meanwhile.
            Err(MailError::NoSuchMailbox) => continue,
            Err(error) => return Err(error.into()),
        };
        let among = shared.snapshot().uids;
        let found = mailstore.search(&shared, &among, &from).await?.uids;
        let newest = &found[found.len().saturating_sub(LOOKED_AT)..];
        for meta in mailstore.metadata(inbox, *mailbox, newest, true).await? {
            let authors = meta
                .summary
                .iter()
                .flat_map(|summary| summary.envelope.from.iter().flatten());
            let mut addresses = authors.filter_map(crate::model::address);
            // A search finds parts of longer addresses too.
            if addresses.any(|author| author.eq_ignore_ascii_case(&address.to_string())) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
