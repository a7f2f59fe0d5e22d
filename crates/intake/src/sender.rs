//! Who may send as whom.

use crate::SubmitError;
use postroom_identity::InboxRecord;
use postroom_message::Completed;
use postroom_types::{EmailAddress, ReversePath};

/// Whether an address is one of the inbox's: its canonical one or an alias, in any case, with or without a subaddress.
/// What reaches the inbox because nobody else has it (a catch-all) is not.
#[must_use]
pub fn is_own_address(inbox: &InboxRecord, address: &EmailAddress) -> bool {
    let folded = address.folded();
    let is_own = |address: &EmailAddress| inbox.addresses().any(|own| own == address);
    is_own(&folded) || folded.subaddress().is_some_and(|(base, _)| is_own(&base))
}

/// The reverse-path must be the inbox's: notices come back to it. The null one is for read receipts, which ask for none
/// (RFC 8098 §3).
pub(crate) fn check_reverse_path(inbox: &InboxRecord, reverse_path: &ReversePath) -> Result<(), SubmitError> {
    match reverse_path {
        ReversePath::Null => Ok(()),
        ReversePath::Mailbox(address) => check_address(inbox, address),
    }
}

/// Whoever the header says it is from, or was sent by, must be the inbox.
pub(crate) fn check_authors(inbox: &InboxRecord, completed: &Completed) -> Result<(), SubmitError> {
    if completed.from.is_empty() {
        return Err(SubmitError::NoFrom);
    }
    let authors = completed.from.iter().chain(&completed.sender);
    authors
        .into_iter()
        .try_for_each(|address| check_address(inbox, address))
}

fn check_address(inbox: &InboxRecord, address: &EmailAddress) -> Result<(), SubmitError> {
    if is_own_address(inbox, address) {
        Ok(())
    } else {
        Err(SubmitError::SenderNotYours(address.clone()))
    }
}
