//! Work that waits for nobody: purging what was deleted, trimming what was kept long enough.

use crate::Outcome;
use crate::core::Core;
use postroom_mailstore::{MailError, Mailstore};
use postroom_types::OrganizationId;
use std::collections::HashSet;
use std::time::Duration;

/// Pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(600);
/// Rows removed of one inbox in one go, so that its mail gets its turn.
const BUDGET: usize = 500;

/// Works in rounds for ever; the first begins at once, since a crash may have left something half purged. May be dropped
/// at any time: each step is a commit of its own.
pub(crate) async fn run(core: Core, keep: Duration) {
    let mut withdrawn = HashSet::new();
    loop {
        if let Err(error) = withdraw(&core, &mut withdrawn).await {
            tracing::warn!(%error, "cannot take back the mail of deleted organizations");
        }
        if let Err(error) = core.identity.purge_deleted(keep).await {
            tracing::warn!(%error, "cannot purge deleted inboxes");
        }
        if let Err(error) = core.identity.maintain_domains().await {
            tracing::warn!(%error, "cannot look after the domains' keys");
        }
        if let Err(error) = core.identity.recheck_domains(&*core.names).await {
            tracing::warn!(%error, "cannot check the domains of organizations");
        }
        if let Err(error) = maintain(&core.mailstore).await {
            tracing::warn!(%error, "cannot trim what was kept long enough");
        }
        if let Err(error) = tidy_queue(&core).await {
            tracing::warn!(%error, "cannot trim the history of the queue");
        }
        if let Err(error) = tidy_feed(&core).await {
            tracing::warn!(%error, "cannot trim the feed");
        }
        if let Err(error) = tidy_intake(&core).await {
            tracing::warn!(%error, "cannot trim what intake counts");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Takes back what deleted organizations have in the queue: whoever deletes one does so at once, unless a crash cuts it
/// short. Nothing comes to it afterwards, so each is looked at once.
async fn withdraw(core: &Core, done: &mut HashSet<OrganizationId>) -> Outcome<()> {
    let deleted = core.identity.deleted_organizations().await?;
    done.retain(|id| deleted.iter().any(|organization| organization.id == *id));
    for organization in deleted {
        if !done.contains(&organization.id) {
            let senders = core.identity.inbox_ids(organization.id).await?;
            core.queue.withdraw(&senders).await?;
            done.insert(organization.id);
        }
    }
    Ok(())
}

async fn tidy_queue(core: &Core) -> Result<(), postroom_queue::QueueError> {
    // `true` is that there is more.
    while core.queue.maintain(BUDGET).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn tidy_intake(core: &Core) -> Result<(), postroom_store::StoreError> {
    while !core.intake.maintain(BUDGET).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn tidy_feed(core: &Core) -> Result<(), postroom_feed::FeedError> {
    while !core.feed.maintain(BUDGET).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
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
