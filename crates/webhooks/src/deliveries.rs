//! Reading the log of attempts, newest first over all webhooks that somebody may see.

use crate::event_type::EventType;
use crate::keys::{self, Name};
use crate::log;
use crate::model::{Delivery, Webhook, WebhookId};
use crate::subscription::Scope;
use crate::{WebhookError, Webhooks, rows};
use bytes::Bytes;
use postroom_store::{Scan, prefix_end, scan, scan_prefix};
use postroom_types::{DeliveryId, InboxId, OrganizationId};
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// Logs of webhooks that are gone which are looked at by one call, besides those of all that there are.
const MAX_LOGS: usize = 2000;
/// Octets of bodies that one call gives, about: after that the page is short.
const MAX_PAGE_OCTETS: usize = 4 << 20;
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
    /// leave out what is very old; and where the bodies are long it gives fewer than asked for.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn deliveries(
        &self,
        organization: OrganizationId,
        query: &DeliveryQuery,
    ) -> Result<Vec<Delivery>, WebhookError> {
        let names = match query.webhook {
            Some(webhook) => self.log_of((organization, webhook), query.inbox).await?,
            None => self.logs(organization, query.inbox).await?,
        };
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

    /// The webhooks of which something may be logged, also those that are gone, unless the inbox is: first all that there
    /// are, then those that are gone, the newest first.
    async fn logs(&self, organization: OrganizationId, inbox: Option<InboxId>) -> Result<Vec<Name>, WebhookError> {
        let (mut names, mut known, mut there) = (Vec::new(), HashSet::new(), HashMap::new());
        let mut rows = scan_prefix(&*self.store, &keys::webhooks(organization));
        while let Some((key, row)) = rows.next().await? {
            let Some(name) = keys::read_name(&key) else { continue };
            let webhook = rows::read_webhook(organization, name.1, &row, None)?;
            known.insert(name);
            let owner = webhook.scope.inbox;
            if webhook.dialect.is_logged() && self.is_readable(organization, owner, inbox, &mut there).await? {
                names.push(name);
            }
        }
        let all = keys::logs(organization);
        let (low, mut high) = (all.clone(), prefix_end(&all));
        for _ in 0..MAX_LOGS + known.len() {
            let mut rows = scan(&*self.store, low.clone(), high).reverse().page_pairs(1);
            let Some((key, row)) = rows.next().await? else { break };
            let (Some(name), Some(id)) = (keys::read_name(&key), keys::read_delivery(&key)) else {
                break;
            };
            high = keys::log(name);
            if known.contains(&name) {
                continue;
            }
            let owner = log::read(name, id, &row)?.inbox;
            if self.is_readable(organization, owner, inbox, &mut there).await? {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// This webhook, if something is logged of it that may be read.
    async fn log_of(&self, name: Name, inbox: Option<InboxId>) -> Result<Vec<Name>, WebhookError> {
        let mut rows = scan_prefix(&*self.store, &keys::log(name)).page_pairs(1);
        let Some((key, row)) = rows.next().await? else {
            return Ok(Vec::new());
        };
        let Some(id) = keys::read_delivery(&key) else {
            return Ok(Vec::new());
        };
        let owner = log::read(name, id, &row)?.inbox;
        let readable = self.is_readable(name.0, owner, inbox, &mut HashMap::new()).await?;
        Ok(Vec::from_iter(readable.then_some(name)))
    }

    /// Whether the log of a webhook of `owner` may be read by who sees `inbox`, or all; `there` remembers who is.
    async fn is_readable(
        &self,
        organization: OrganizationId,
        owner: Option<InboxId>,
        inbox: Option<InboxId>,
        there: &mut HashMap<Option<InboxId>, bool>,
    ) -> Result<bool, WebhookError> {
        if inbox.is_some() && owner != inbox {
            return Ok(false);
        }
        if let Some(is_there) = there.get(&owner) {
            return Ok(*is_there);
        }
        let scope = Scope {
            inbox: owner,
            ..Scope::organization(organization)
        };
        let is_there = self.is_owned(&scope).await?;
        there.insert(owner, is_there);
        Ok(is_there)
    }

    /// Adds what was sent, and whether it can be sent again; leaves out those for which there is no room.
    async fn complete(&self, organization: OrganizationId, found: &mut Vec<Delivery>) -> Result<(), WebhookError> {
        let mut webhooks: HashMap<WebhookId, Option<Webhook>> = HashMap::new();
        let (mut octets, mut completed) = (0, 0);
        for delivery in found.iter_mut() {
            if octets >= MAX_PAGE_OCTETS {
                break;
            }
            completed += 1;
            let name = (organization, delivery.webhook);
            delivery.payload = self.payload(name, delivery.event).await?;
            octets += delivery.payload.as_ref().map_or(0, Bytes::len);
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
        found.truncate(completed);
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
