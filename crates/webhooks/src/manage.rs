//! Making, reading and changing webhooks.

use crate::model::{Attempt, Webhook, WebhookChange, WebhookId, WebhookPage, WebhookWish};
use crate::rows;
use crate::sign::new_secret;
use crate::subscription::Scope;
use crate::{WebhookError, Webhooks, headers, keys};
use postroom_store::{CommitBuilder, Committed, MAX_VALUE_OCTETS, Value, commit_once, prefix_end, scan, scan_prefix};
use postroom_types::Secret;

/// Longest URL, so that a row has room for the rest.
pub(crate) const MAX_URL_OCTETS: usize = 1500;
/// Most webhooks of an organization.
const MAX_WEBHOOKS: usize = 1000;
/// Most pods or inboxes that one is bound to.
const MAX_LISTED: usize = 10;
/// How often a change is tried anew when others changed the same.
const TRIES: usize = 16;

impl Webhooks {
    /// Makes a webhook of this scope, or finds the one that was made for the same client id. Whether the pods and inboxes
    /// lie within the scope, and hidden messages may be asked for, is the caller's to check.
    ///
    /// # Errors
    /// [`WebhookError::Invalid`], [`WebhookError::TooMany`]; the store's own.
    pub async fn create(&self, scope: &Scope, wish: &WebhookWish) -> Result<Webhook, WebhookError> {
        if let Some(client_id) = &wish.client_id {
            check_client_id(client_id)?;
            if let Some(made) = self.made_for(scope, client_id).await? {
                return Ok(made);
            }
        }
        self.check(wish)?;
        let organization = scope.organization;
        let rows = scan_prefix(&*self.store, &keys::webhooks(organization))
            .collect()
            .await?;
        if rows.len() >= MAX_WEBHOOKS {
            return Err(WebhookError::TooMany(MAX_WEBHOOKS));
        }
        let now = self.now();
        let webhook = Webhook {
            id: WebhookId::new(),
            scope: *scope,
            pods: wish.pods.clone(),
            inboxes: wish.inboxes.clone(),
            url: wish.url.clone(),
            event_types: wish.event_types.clone(),
            headers: wish.headers.clone(),
            secret: Secret::new(new_secret()),
            enabled: true,
            client_id: wish.client_id.clone(),
            created_at: now,
            updated_at: now,
            start: self.hubs.feed().newest(),
        };
        let name = (organization, webhook.id);
        let mut builder = CommitBuilder::new();
        builder.put_new(keys::webhook(name), checked_row(&webhook)?);
        if !webhook.headers.is_empty() {
            builder.put(keys::headers(name), rows::write_headers(&webhook.headers));
        }
        if let Some(client_id) = &wish.client_id {
            builder.put_new(keys::client_id(scope, client_id), rows::write_id(webhook.id));
        }
        match commit_once(&*self.store, builder.build(), &keys::webhook(name)).await? {
            Committed::Done(_) | Committed::AlreadyDone => {
                self.nudges.add(name);
                Ok(webhook)
            }
            // Another request with the same client id was quicker.
            Committed::Conflict(_) => {
                let client_id = wish.client_id.as_deref().ok_or(WebhookError::Busy)?;
                self.made_for(scope, client_id).await?.ok_or(WebhookError::Busy)
            }
            Committed::Full => Err(WebhookError::Full),
        }
    }

    fn check(&self, wish: &WebhookWish) -> Result<(), WebhookError> {
        if wish.url.len() > MAX_URL_OCTETS {
            return Err(WebhookError::invalid("url", "at most 1,500 octets"));
        }
        self.http.target(&wish.url)?;
        check_listed("pod_ids", &wish.pods)?;
        check_listed("inbox_ids", &wish.inboxes)?;
        headers::check(&wish.headers)
    }

    async fn made_for(&self, scope: &Scope, client_id: &str) -> Result<Option<Webhook>, WebhookError> {
        let Some(row) = self.store.get(&keys::client_id(scope, client_id)).await? else {
            return Ok(None);
        };
        let found = self.load((scope.organization, rows::read_id(&row)?)).await?;
        Ok(found.map(|(_, webhook)| webhook))
    }

    /// A webhook within this scope.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`]; the store's own.
    pub async fn get(&self, scope: &Scope, id: WebhookId) -> Result<Webhook, WebhookError> {
        let found = self.load((scope.organization, id)).await?;
        let found = found.filter(|(_, webhook)| scope.covers(&webhook.scope));
        found.map(|(_, webhook)| webhook).ok_or(WebhookError::NoSuchWebhook)
    }

    /// Up to `limit` webhooks within this scope after the one named, oldest first or newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(
        &self,
        scope: &Scope,
        after: Option<WebhookId>,
        ascending: bool,
        limit: usize,
    ) -> Result<WebhookPage, WebhookError> {
        let organization = scope.organization;
        let (mut low, mut high) = (keys::webhooks(organization), prefix_end(&keys::webhooks(organization)));
        match after.map(|id| keys::webhook((organization, id))) {
            Some(after) if ascending => low = [after.as_slice(), &[0]].concat(),
            Some(after) => high = after,
            None => {}
        }
        let mut rows = scan(&*self.store, low, high);
        if !ascending {
            rows = rows.reverse();
        }
        let mut page = WebhookPage::default();
        while let Some((key, row)) = rows.next().await? {
            let Some((_, id)) = keys::read_name(&key) else { continue };
            let found = rows::read_webhook(organization, id, &row, None)?;
            if !scope.covers(&found.scope) {
                continue;
            }
            if page.webhooks.len() == limit {
                page.next = page.webhooks.last().map(|last| last.id);
                break;
            }
            page.webhooks.push(found);
        }
        Ok(page)
    }

    /// Changes a webhook within this scope. One that is enabled again hears of what happens from now on. Whether what is
    /// added lies within the scope is the caller's to check.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`], [`WebhookError::Invalid`], [`WebhookError::Busy`]; the store's own.
    pub async fn update(&self, scope: &Scope, id: WebhookId, change: &WebhookChange) -> Result<Webhook, WebhookError> {
        let name = (scope.organization, id);
        for _ in 0..TRIES {
            let (old, mut webhook) = self.visible(scope, id).await?;
            if !change.event_types.is_empty() {
                webhook.event_types.clone_from(&change.event_types);
            }
            webhook.pods = changed("add_pod_ids", &webhook.pods, &change.add_pods, &change.remove_pods)?;
            webhook.inboxes = changed(
                "add_inbox_ids",
                &webhook.inboxes,
                &change.add_inboxes,
                &change.remove_inboxes,
            )?;
            if change.enabled == Some(true) && !webhook.enabled {
                webhook.start = self.hubs.feed().newest();
            }
            webhook.enabled = change.enabled.unwrap_or(webhook.enabled);
            webhook.updated_at = self.now();
            let mut builder = CommitBuilder::new();
            builder.replace(keys::webhook(name), old, checked_row(&webhook)?);
            if self.commit(builder).await? {
                self.nudges.add(name);
                return Ok(webhook);
            }
        }
        Err(WebhookError::Busy)
    }

    /// Sets some header fields of a webhook within this scope, and takes others away; names in any case.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`], [`WebhookError::Invalid`], [`WebhookError::Busy`]; the store's own.
    pub async fn update_headers(
        &self,
        scope: &Scope,
        id: WebhookId,
        set: &[(String, String)],
        remove: &[String],
    ) -> Result<(), WebhookError> {
        let name = (scope.organization, id);
        for _ in 0..TRIES {
            let (old, mut webhook) = self.visible(scope, id).await?;
            let goes = |field: &str| {
                let set = set.iter().map(|(name, _)| name);
                remove.iter().chain(set).any(|name| name.eq_ignore_ascii_case(field))
            };
            webhook.headers.retain(|(field, _)| !goes(field));
            webhook.headers.extend_from_slice(set);
            headers::check(&webhook.headers)?;
            webhook.updated_at = self.now();
            let mut builder = CommitBuilder::new();
            builder.replace(keys::webhook(name), old, checked_row(&webhook)?);
            builder.put(keys::headers(name), rows::write_headers(&webhook.headers));
            if self.commit(builder).await? {
                self.nudges.add(name);
                return Ok(());
            }
        }
        Err(WebhookError::Busy)
    }

    /// Deletes a webhook within this scope: nothing more is sent, not even what was to be tried again.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`], [`WebhookError::Busy`]; the store's own.
    pub async fn delete(&self, scope: &Scope, id: WebhookId) -> Result<(), WebhookError> {
        for attempt in 0..TRIES {
            let (old, webhook) = match self.visible(scope, id).await {
                // An attempt whose outcome was not known did it.
                Err(WebhookError::NoSuchWebhook) if attempt > 0 => return Ok(()),
                found => found?,
            };
            if self.remove(old, &webhook).await? {
                return Ok(());
            }
        }
        Err(WebhookError::Busy)
    }

    /// The last attempts of a webhook within this scope, oldest first.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`]; the store's own.
    pub async fn attempts(&self, scope: &Scope, id: WebhookId) -> Result<Vec<Attempt>, WebhookError> {
        self.get(scope, id).await?;
        let progress = self.progress((scope.organization, id)).await?;
        Ok(progress.map(|progress| progress.attempts.into()).unwrap_or_default())
    }

    /// `false`: it changed since it was read.
    pub(crate) async fn remove(&self, old: Value, webhook: &Webhook) -> Result<bool, WebhookError> {
        let name = (webhook.scope.organization, webhook.id);
        let mut builder = CommitBuilder::new();
        builder.require(keys::webhook(name), old);
        for key in [keys::webhook(name), keys::headers(name), keys::state(name)] {
            builder.delete(key);
        }
        if let Some(client_id) = &webhook.client_id {
            builder.delete(keys::client_id(&webhook.scope, client_id));
        }
        let removed = self.commit(builder).await?;
        if removed {
            self.nudges.add(name);
            self.clear_retries(name).await?;
        }
        Ok(removed)
    }

    async fn visible(&self, scope: &Scope, id: WebhookId) -> Result<(Value, Webhook), WebhookError> {
        let found = self.load((scope.organization, id)).await?;
        found
            .filter(|(_, webhook)| scope.covers(&webhook.scope))
            .ok_or(WebhookError::NoSuchWebhook)
    }
}

fn checked_row(webhook: &Webhook) -> Result<Value, WebhookError> {
    let row = rows::write_webhook(webhook);
    if row.len() > MAX_VALUE_OCTETS {
        return Err(WebhookError::invalid(
            "url",
            "the URL and the lists are too long together",
        ));
    }
    Ok(row)
}

fn check_client_id(client_id: &str) -> Result<(), WebhookError> {
    let good = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    if client_id.is_empty() || client_id.len() > 256 || !client_id.bytes().all(good) {
        return Err(WebhookError::invalid(
            "client_id",
            "1 to 256 letters, digits and `-`, `.`, `_`, `~`",
        ));
    }
    Ok(())
}

fn check_listed<T>(field: &'static str, ids: &[T]) -> Result<(), WebhookError> {
    if ids.len() > MAX_LISTED {
        return Err(WebhookError::invalid(field, "at most 10"));
    }
    Ok(())
}

fn changed<T: Copy + PartialEq>(
    field: &'static str,
    before: &[T],
    add: &[T],
    remove: &[T],
) -> Result<Vec<T>, WebhookError> {
    let mut after: Vec<T> = before.iter().copied().filter(|id| !remove.contains(id)).collect();
    for id in add {
        if !after.contains(id) && !remove.contains(id) {
            after.push(*id);
        }
    }
    check_listed(field, &after)?;
    Ok(after)
}
