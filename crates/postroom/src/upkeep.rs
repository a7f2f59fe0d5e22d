//! Work that waits for nobody: purging what was deleted, trimming what was kept long enough.

use postroom_identity::Identity;
use postroom_mailstore::{MailError, Mailstore};
use std::sync::Arc;
use std::time::Duration;

/// Pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(600);
/// Rows removed of one inbox in one go, so that its mail gets its turn.
const BUDGET: usize = 500;

/// Works in rounds for ever; the first begins at once, since a crash may have left something half purged. May be dropped
/// at any time: each step is a commit of its own.
pub(crate) async fn run(identity: Arc<Identity>, mailstore: Arc<Mailstore>, keep: Duration) {
    loop {
        if let Err(error) = identity.purge_deleted(keep).await {
            tracing::warn!(%error, "cannot purge deleted inboxes");
        }
        if let Err(error) = maintain(&mailstore).await {
            tracing::warn!(%error, "cannot trim what was kept long enough");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn maintain(mailstore: &Mailstore) -> Result<(), MailError> {
    for inbox in mailstore.inboxes().await? {
        loop {
            match mailstore.maintain(inbox, BUDGET).await {
                Ok(true) | Err(MailError::NoSuchInbox(_)) => break,
                Ok(false) => tokio::task::yield_now().await,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
