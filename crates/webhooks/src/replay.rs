//! Sending once more what was sent before, because somebody asks for it.

use crate::endpoint::Outcome;
use crate::model::Delivery;
use crate::{WebhookError, Webhooks};
use postroom_identity::Standing;
use postroom_store::{CommitBuilder, StoreError};
use postroom_types::{DeliveryId, InboxId, OrganizationId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Replays of one organization at once, those that wait for a place among them: each holds a body.
const MAX_REPLAYS: usize = 16;
const SUSPENDED: WebhookError = WebhookError::NotReplayable("the organization is suspended");

/// How many replays each organization has under way.
#[derive(Default)]
pub(crate) struct Replays(Mutex<HashMap<OrganizationId, usize>>);

/// One that is under way, until it is dropped.
struct UnderWay {
    replays: Arc<Replays>,
    organization: OrganizationId,
}

impl Replays {
    /// `None`: there are enough.
    fn begin(self: &Arc<Self>, organization: OrganizationId) -> Option<UnderWay> {
        let mut counts = self.counts();
        let count = counts.entry(organization).or_default();
        if *count >= MAX_REPLAYS {
            return None;
        }
        *count += 1;
        Some(UnderWay {
            replays: Arc::clone(self),
            organization,
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<OrganizationId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.replays.counts();
        match counts.get_mut(&self.organization) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.organization)),
        }
    }
}

impl Webhooks {
    /// Posts an attempt's body again to where its webhook goes now, signed anew, and logs that; the schedule of what
    /// failed does not change. `inbox`: only of webhooks of this inbox.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchDelivery`], [`WebhookError::NotReplayable`]; [`WebhookError::Busy`] while the organization has
    /// too many under way; the store's own.
    pub async fn replay(
        self: &Arc<Self>,
        organization: OrganizationId,
        inbox: Option<InboxId>,
        id: DeliveryId,
    ) -> Result<Delivery, WebhookError> {
        let delivery = self.delivery(organization, inbox, id).await?;
        if let Some(why) = delivery.final_because {
            return Err(WebhookError::NotReplayable(why));
        }
        if self.standing(organization).await? != Standing::Active {
            return Err(SUSPENDED);
        }
        let under_way = self.replays.begin(organization).ok_or(WebhookError::Busy)?;
        // By itself: whoever asks may go away, and what was sent is logged all the same.
        let webhooks = Arc::clone(self);
        let replay = tokio::spawn(async move {
            let _under_way = under_way;
            webhooks.send_again(organization, delivery).await
        });
        replay
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string().into()))?
    }

    async fn send_again(&self, organization: OrganizationId, before: Delivery) -> Result<Delivery, WebhookError> {
        let name = (organization, before.webhook);
        let gone = WebhookError::NotReplayable("its subscription is gone");
        let _place = self.requests.take(organization).await;
        // It may have waited for its place, and much may have changed meanwhile.
        if self.standing(organization).await? != Standing::Active {
            return Err(SUSPENDED);
        }
        let webhook = self.sendable(name).await?.ok_or(gone)?;
        let payload = before.payload.ok_or(WebhookError::NoSuchDelivery)?;
        let posted = self
            .request(&webhook, before.event, before.event_type, payload.clone())
            .await;
        let mut logged = posted.logged.ok_or(WebhookError::Busy)?;
        logged.is_replay = true;
        let at = self.now();
        let mut builder = CommitBuilder::new();
        logged.add_attempt(&mut builder, name, webhook.scope.inbox, at);
        self.commit(builder).await?;
        let (status, failure) = match logged.outcome {
            Outcome::Taken { status } => (Some(status), None),
            Outcome::Failed { status, why } => (status, Some(why)),
            Outcome::Nothing | Outcome::Later => (None, None),
        };
        Ok(Delivery {
            id: logged.id,
            inbox: webhook.scope.inbox,
            url: logged.url,
            payload: Some(payload),
            status,
            response: logged.response,
            failure,
            milliseconds: logged.milliseconds,
            is_replay: true,
            at,
            final_because: None,
            ..before
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_so_many_under_way() {
        let replays = Arc::<Replays>::default();
        let (one, other) = (OrganizationId::from_bytes([1; 16]), OrganizationId::from_bytes([2; 16]));
        let mut held: Vec<_> = (0..MAX_REPLAYS).filter_map(|_| replays.begin(one)).collect();
        assert_eq!(held.len(), MAX_REPLAYS);
        assert!(replays.begin(one).is_none() && replays.begin(other).is_some());
        held.pop();
        assert!(replays.begin(one).is_some(), "one came to its end");
        held.clear();
        assert!(replays.counts().is_empty());
    }
}
