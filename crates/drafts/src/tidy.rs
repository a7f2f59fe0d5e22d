//! Rows of drafts that are gone: a mail program expunged them, or their inbox was deleted.

use crate::row::{DraftRow, ROWS, named};
use crate::{DraftError, Drafts};
use postroom_identity::IdentityError;
use postroom_store::{Key, prefix_end, scan};
use postroom_types::InboxId;
use std::collections::HashSet;
use tokio_util::sync::CancellationToken;

/// Most rows remembered from one round to the next.
const MAX_SUSPECTS: usize = 10_000;

/// What a round leaves for the next.
#[derive(Default)]
pub(crate) struct Sweep {
    /// Rows without a message. One that is being saved again has none for a moment; one that has none a round later is
    /// gone.
    suspects: HashSet<Key>,
}

impl Drafts {
    /// Looks at all rows once.
    pub(crate) async fn tidy(&self, sweep: &mut Sweep, shutdown: &CancellationToken) -> Result<(), DraftError> {
        let before = std::mem::take(&mut sweep.suspects);
        let mut rows = scan(&**self.store(), ROWS.to_vec(), prefix_end(ROWS)).page_pairs(100);
        let mut known: Option<(InboxId, bool)> = None;
        while let Some((key, value)) = rows.next().await? {
            if shutdown.is_cancelled() {
                break;
            }
            let Some((inbox, id)) = named(&key) else { continue };
            let lives = match known {
                Some((of, lives)) if of == inbox => lives,
                _ => self.lives(inbox).await?,
            };
            known = Some((inbox, lives));
            let row = DraftRow::read(&value)?;
            // What is scheduled, and what was sent, is looked after by who looks at what is due.
            if lives && row.due_at().is_some() {
                continue;
            }
            if lives && !matches!(self.found(inbox, id).await, Err(DraftError::NotFound)) {
                continue;
            }
            if !lives {
                self.erase(inbox, id, |now| *now == row).await?;
            } else if before.contains(&key) {
                self.forget(inbox, id, |now| *now == row).await?;
            } else if sweep.suspects.len() < MAX_SUSPECTS {
                sweep.suspects.insert(key);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn lives(&self, inbox: InboxId) -> Result<bool, DraftError> {
        match self.identity.inbox(inbox).await {
            Ok(_) => Ok(true),
            Err(IdentityError::NoSuchInbox) => Ok(self.identity.is_hidden(inbox).await?),
            Err(error) => Err(error.into()),
        }
    }
}
