//! The upkeep of webhooks: what belongs to nothing any more goes, and logs are trimmed.
//!
//! What always holds: of a webhook no more than [`MAX_KEPT`] attempts and as many bodies are kept, but for those of the
//! last minutes, and none for longer than [`KEPT_FOR`].

use crate::keys::{self, Name};
use crate::log::{self, unavailable};
use crate::stored::Owner;
use crate::{WebhookError, Webhooks};
use postroom_identity::IdentityError;
use postroom_store::{CommitBuilder, StoreError, prefix_end, scan, scan_prefix};
use postroom_types::InboxId;
use std::time::Duration;

/// Attempts of a webhook, and bodies.
const MAX_KEPT: usize = 1000;
/// How long they are kept.
const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);
/// Rows removed by one commit.
const PIECE: usize = 500;

impl Webhooks {
    /// Removes what is too much or too old of a webhook's log.
    pub(crate) async fn trim_log(&self, name: Name) -> Result<(), WebhookError> {
        let age = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
        let oldest = self.now().saturating_sub(age);
        self.trim(&keys::log(name), oldest, log::read_at).await?;
        self.trim(&keys::payloads(name), oldest, log::read_payload_at).await
    }

    /// Rows of a prefix stand in the order of time.
    async fn trim(
        &self,
        prefix: &[u8],
        oldest: i64,
        at: impl Fn(&[u8]) -> Result<i64, StoreError>,
    ) -> Result<(), WebhookError> {
        let mut rows = scan_prefix(&*self.store, prefix).reverse();
        let (mut kept, mut goes) = (0, CommitBuilder::new());
        while let Some((key, row)) = rows.next().await? {
            if kept < MAX_KEPT && at(&row)? >= oldest {
                kept += 1;
                continue;
            }
            goes.delete(key);
            if goes.operations() == PIECE {
                self.commit(std::mem::take(&mut goes)).await?;
            }
        }
        if goes.operations() > 0 {
            self.commit(goes).await?;
        }
        Ok(())
    }

    /// Forgets a webhook's log.
    async fn clear_log(&self, name: Name) -> Result<(), WebhookError> {
        self.clear(&keys::log(name)).await?;
        self.clear(&keys::payloads(name)).await
    }

    /// Removes webhooks and logs of what is gone, and trims the logs of the others. Done now and then while events are sent.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tidy(&self) -> Result<(), WebhookError> {
        // Those that are enabled look by themselves.
        for name in self.names().await? {
            if let Some((row, webhook)) = self.load(name).await?
                && self.owner(&webhook.scope).await? == Owner::Gone
            {
                self.remove(row, &webhook).await?;
            }
        }
        let mut after = None;
        while let Some((name, inbox)) = self.next_log(keys::LOG, after).await? {
            match inbox {
                Some(inbox) if self.is_gone(inbox).await? => self.clear_log(name).await?,
                _ => self.trim_log(name).await?,
            }
            after = Some(name);
        }
        // Bodies of which every attempt is forgotten.
        let mut after = None;
        while let Some((name, _)) = self.next_log(keys::PAYLOADS, after).await? {
            let attempts = self
                .store
                .range(&keys::log(name), &prefix_end(&keys::log(name)), false, 1)
                .await?;
            if attempts.pairs.is_empty() && !attempts.more {
                self.clear_log(name).await?;
            }
            after = Some(name);
        }
        Ok(())
    }

    /// The first webhook after this one that has rows of a kind; of the log with its inbox.
    async fn next_log(
        &self,
        kind: &[u8],
        after: Option<Name>,
    ) -> Result<Option<(Name, Option<InboxId>)>, WebhookError> {
        let low = after.map_or_else(
            || kind.to_vec(),
            |name| prefix_end(&[kind, &keys::log(name)[2..]].concat()),
        );
        let mut rows = scan(&*self.store, low, prefix_end(kind)).page_pairs(1);
        while let Some((key, row)) = rows.next().await? {
            if let Some(name) = keys::read_name(&key) {
                let inbox = match keys::read_delivery(&key).filter(|_| kind == keys::LOG) {
                    Some(id) => log::read(name, id, &row)?.inbox,
                    None => None,
                };
                return Ok(Some((name, inbox)));
            }
        }
        Ok(None)
    }

    async fn is_gone(&self, inbox: InboxId) -> Result<bool, WebhookError> {
        // Twice: its organization may have been restored between the two answers of the first look.
        for _ in 0..2 {
            match self.identity.inbox(inbox).await {
                Ok(_) => return Ok(false),
                // One of an organization that can be restored comes back with what it has.
                Err(IdentityError::NoSuchInbox) if self.identity.is_hidden(inbox).await.map_err(unavailable)? => {
                    return Ok(false);
                }
                Err(IdentityError::NoSuchInbox) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(true)
    }
}
