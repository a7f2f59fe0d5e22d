//! Where a submission goes.

use crate::{Intake, SubmitError};
use postroom_identity::{IdentityError, Resolution};
use postroom_queue::{Destination, MAX_RECIPIENTS, NewRecipient};
use postroom_types::EmailAddress;
use std::collections::HashSet;

impl Intake {
    /// Where mail to an address is lined up: an inbox here, or another domain.
    ///
    /// # Errors
    /// [`SubmitError::NoSuchRecipient`]; [`SubmitError::Identity`].
    pub async fn destination(&self, address: &EmailAddress) -> Result<Destination, SubmitError> {
        match self.identity.resolve(address).await? {
            Resolution::Inbox(inbox) => Ok(Destination::Inbox(inbox.id)),
            Resolution::NoSuchMailbox => Err(SubmitError::NoSuchRecipient(address.clone())),
            Resolution::NotLocal => Ok(Destination::Domain(address.domain().clone())),
        }
    }

    /// Each recipient once, in the order given. In domains of ours case says nothing; elsewhere it may (RFC 5321 §2.4).
    pub(crate) async fn line_up(&self, addresses: &[EmailAddress]) -> Result<Vec<NewRecipient>, SubmitError> {
        let mut seen = HashSet::new();
        let mut recipients = Vec::with_capacity(addresses.len().min(MAX_RECIPIENTS));
        for address in addresses {
            let is_local = self.identity.is_local(address.domain());
            let name = if is_local { address.folded() } else { address.clone() };
            if !seen.insert(name) {
                continue;
            }
            if recipients.len() == MAX_RECIPIENTS {
                return Err(SubmitError::TooManyRecipients);
            }
            recipients.push(NewRecipient {
                address: address.clone(),
                destination: self.destination(address).await?,
            });
        }
        if recipients.is_empty() {
            return Err(SubmitError::NoRecipients);
        }
        Ok(recipients)
    }
}

impl From<IdentityError> for SubmitError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Full => Self::Full,
            error => Self::Identity(error),
        }
    }
}
