//! Sending once more what was sent before, because somebody asks for it.

use crate::endpoint::Outcome;
use crate::model::{Delivery, DeliveryId};
use crate::{WebhookError, Webhooks};
use postroom_identity::Standing;
use postroom_store::{CommitBuilder, StoreError};
use postroom_types::{InboxId, OrganizationId};
use std::sync::Arc;

impl Webhooks {
    /// Posts an attempt's body again to where its webhook goes now, signed anew, and logs that; the schedule of what
    /// failed does not change. `inbox`: only of webhooks of this inbox.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchDelivery`], [`WebhookError::NotReplayable`]; the store's own.
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
            return Err(WebhookError::NotReplayable("the organization is suspended"));
        }
        // By itself: whoever asks may go away, and what was sent is logged all the same.
        let webhooks = Arc::clone(self);
        let replay = tokio::spawn(async move { webhooks.send_again(organization, delivery).await });
        replay
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string().into()))?
    }

    async fn send_again(&self, organization: OrganizationId, before: Delivery) -> Result<Delivery, WebhookError> {
        let name = (organization, before.webhook);
        let gone = WebhookError::NotReplayable("its subscription is gone");
        let _place = self.requests.take(organization).await;
        let (_, webhook) = self.load(name).await?.ok_or(gone)?;
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
