//! Work that waits for nobody: purging what was deleted, trimming what was kept long enough.

use crate::Outcome;
use crate::core::Core;
use postroom_mailstore::{MailError, Mailstore};
use postroom_store::StoreError;
use postroom_types::OrganizationId;
use std::collections::HashSet;
use std::time::Duration;

/// Pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(600);
/// Rows removed in one go, so that mail gets its turn.
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
    while !core.queue.maintain(BUDGET).await? {
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
                // A store that fails does so for all of them; what is wrong with one inbox must not stop the others.
                Err(error @ MailError::Store(StoreError::Unavailable(_))) => return Err(error),
                Err(error) => {
                    tracing::warn!(%inbox, %error, "cannot look after an inbox");
                    break;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_mailstore::Options;
    use postroom_store::{CommitBuilder, MemoryStore, Store, scan_prefix};
    use postroom_types::InboxId;
    use std::sync::Arc;

    #[tokio::test]
    async fn one_inbox_does_not_stop_the_others() {
        let store = MemoryStore::new();
        let options = Options {
            // All that is told is old at once.
            feed_keep: Duration::ZERO,
            clock: Arc::new({
                let ticks = std::sync::atomic::AtomicI64::new(0);
                move || ticks.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
            }),
            ..Options::default()
        };
        let mailstore = Mailstore::new(store.clone(), options);
        let mut inboxes = Vec::new();
        for number in 1..=3 {
            let inbox = InboxId::from_bytes([number; 16]);
            let mut builder = CommitBuilder::new();
            mailstore.add_inbox(&mut builder, inbox, 1 << 30);
            store.commit(builder.build()).await.unwrap();
            mailstore.create_mailbox(inbox, "work", None).await.unwrap();
            inboxes.push(inbox);
        }
        let feed = |inbox: InboxId| [b"m", inbox.as_bytes().as_slice(), b"j"].concat();
        let told = async |inbox| scan_prefix(&*store, &feed(inbox)).collect().await.unwrap().len();
        // A row that cannot be read, before those of its kind.
        let mut builder = CommitBuilder::new();
        builder.put([feed(inboxes[0]), vec![0; 8]].concat(), vec![0xff]);
        store.commit(builder.build()).await.unwrap();
        maintain(&mailstore).await.unwrap();
        let mut left = Vec::new();
        for inbox in inboxes {
            left.push(told(inbox).await > 0);
        }
        assert_eq!(left, [true, false, false]);
    }
}
