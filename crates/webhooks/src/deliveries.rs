//! Reading the log of attempts, newest first over all webhooks that somebody may see.

use crate::event_type::EventType;
use crate::keys::{self, Name};
use crate::log;
use crate::model::{Delivery, DeliveryId, Webhook, WebhookId};
use crate::subscription::Scope;
use crate::{WebhookError, Webhooks};
use postroom_store::{Scan, prefix_end, scan, scan_prefix};
use postroom_types::{InboxId, OrganizationId};
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};

/// Webhooks whose logs are looked at by one call: as many as there may be, and as many that are gone.
const MAX_LOGS: usize = 2000;
/// Rows looked at by one call.
const MAX_LOOKED_AT: usize = 20_000;
/// Keys asked for at once.
const PIECE: usize = 500;

/// Which attempts are wanted.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    /// Of webhooks of this inbox.
    pub inbox: Option<InboxId>,
    /// Of this webhook.
    pub webhook: Option<WebhookId>,
    /// About such events.
    pub event_type: Option<EventType>,
    /// Those that the endpoint took, or those that it did not.
    pub success: Option<bool>,
    /// So many of them are passed over.
    pub offset: usize,
    /// At most so many.
    pub limit: usize,
}

impl DeliveryQuery {
    fn takes(&self, delivery: &Delivery) -> bool {
        self.event_type.is_none_or(|wanted| wanted == delivery.event_type)
            && self.success.is_none_or(|wanted| wanted == delivery.is_success())
            && self.inbox.is_none_or(|wanted| Some(wanted) == delivery.inbox)
    }
}

impl Webhooks {
    /// Attempts that were logged, newest first. A call looks at a bounded number of rows, so that a narrow filter may
    /// leave out what is very old.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn deliveries(
        &self,
        organization: OrganizationId,
        query: &DeliveryQuery,
    ) -> Result<Vec<Delivery>, WebhookError> {
        let mut names = self.logs(organization, query.inbox).await?;
        names.retain(|(_, webhook)| query.webhook.is_none_or(|wanted| wanted == *webhook));
        // Few rows of each at a time if there are many.
        let pairs = (512 / names.len().max(1)).clamp(2, 64);
        let mut rows: Vec<Scan<'_>> = Vec::with_capacity(names.len());
        let mut next = BinaryHeap::new();
        for (at, name) in names.iter().enumerate() {
            rows.push(scan_prefix(&*self.store, &keys::log(*name)).reverse().page_pairs(pairs));
            next.extend(pull(&mut rows[at], at).await?);
        }
        let (mut passed, mut looked_at) = (0, 0);
        let mut found = Vec::new();
        while found.len() < query.limit
            && looked_at < MAX_LOOKED_AT
            && let Some((id, at, row)) = next.pop()
        {
            looked_at += 1;
            next.extend(pull(&mut rows[at], at).await?);
            let delivery = log::read(names[at], id, &row)?;
            if !query.takes(&delivery) {
                continue;
            }
            passed += 1;
            if passed > query.offset {
                found.push(delivery);
            }
        }
        self.complete(organization, &mut found).await?;
        Ok(found)
    }

    /// An attempt of a webhook of this inbox, or of any.
    pub(crate) async fn delivery(
        &self,
        organization: OrganizationId,
        inbox: Option<InboxId>,
        id: DeliveryId,
    ) -> Result<Delivery, WebhookError> {
        let names = self.logs(organization, inbox).await?;
        for names in names.chunks(PIECE) {
            let keys: Vec<_> = names.iter().map(|name| keys::delivery(*name, id)).collect();
            let rows = self.store.get_many(&keys).await?;
            for (name, row) in names.iter().zip(rows) {
                let Some(row) = row else { continue };
                let mut found = vec![log::read(*name, id, &row)?];
                self.complete(organization, &mut found).await?;
                return found.pop().ok_or(WebhookError::NoSuchDelivery);
            }
        }
        Err(WebhookError::NoSuchDelivery)
    }

    /// The webhooks of which something is logged, also those that are gone, unless the inbox is.
    async fn logs(&self, organization: OrganizationId, inbox: Option<InboxId>) -> Result<Vec<Name>, WebhookError> {
        let all = keys::logs(organization);
        let (mut low, high) = (all.clone(), prefix_end(&all));
        let (mut names, mut there) = (Vec::new(), HashMap::new());
        for _ in 0..MAX_LOGS {
            let Some((key, row)) = scan(&*self.store, low, high.clone()).page_pairs(1).next().await? else {
                break;
            };
            let (Some(name), Some(id)) = (keys::read_name(&key), keys::read_delivery(&key)) else {
                break;
            };
            low = prefix_end(&keys::log(name));
            let owner = log::read(name, id, &row)?.inbox;
            if inbox.is_some() && owner != inbox {
                continue;
            }
            let is_there = match there.get(&owner) {
                Some(is_there) => *is_there,
                None => {
                    self.is_owned(&Scope {
                        inbox: owner,
                        ..Scope::organization(organization)
                    })
                    .await?
                }
            };
            there.insert(owner, is_there);
            if is_there {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Adds what was sent, and whether it can be sent again.
    async fn complete(&self, organization: OrganizationId, found: &mut [Delivery]) -> Result<(), WebhookError> {
        let mut webhooks: HashMap<WebhookId, Option<Webhook>> = HashMap::new();
        for delivery in found {
            let name = (organization, delivery.webhook);
            delivery.payload = self.payload(name, delivery.event).await?;
            let webhook = match webhooks.entry(delivery.webhook) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.load(name).await?.map(|(_, webhook)| webhook)),
            };
            delivery.final_because = match webhook.as_ref().filter(|webhook| webhook.enabled) {
                None => Some("its subscription is gone"),
                Some(webhook) if !webhook.event_types.contains(&delivery.event_type) => {
                    Some("its subscription does not hear of such events any more")
                }
                Some(_) if delivery.payload.is_none() => Some("what was sent is not kept any more"),
                Some(_) => None,
            };
        }
        Ok(())
    }
}

type Row = (DeliveryId, usize, Vec<u8>);

/// The next row of a log.
async fn pull(rows: &mut Scan<'_>, at: usize) -> Result<Option<Row>, WebhookError> {
    while let Some((key, row)) = rows.next().await? {
        if let Some(id) = keys::read_delivery(&key) {
            return Ok(Some((id, at, row)));
        }
    }
    Ok(None)
}
