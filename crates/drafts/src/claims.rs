//! Which drafts this node is sending at the moment.

use crate::DraftId;
use postroom_types::InboxId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

type Held = Arc<Mutex<HashSet<(InboxId, DraftId)>>>;

/// The drafts being sent. It spares others the work and lets them say so; that a draft goes once is for the commit.
#[derive(Default)]
pub(crate) struct Claims(Held);

/// A draft being sent, until this is dropped.
pub(crate) struct Claim {
    held: Held,
    draft: (InboxId, DraftId),
}

impl Claims {
    /// `None`: it is being sent already.
    pub(crate) fn take(&self, inbox: InboxId, id: DraftId) -> Option<Claim> {
        let draft = (inbox, id);
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(draft);
        is_new.then(|| Claim {
            held: Arc::clone(&self.0),
            draft,
        })
    }

    pub(crate) fn holds(&self, inbox: InboxId, id: DraftId) -> bool {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.contains(&(inbox, id))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&self.draft);
    }
}
