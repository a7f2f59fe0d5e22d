//! Making and reading webhooks.

use crate::change::bearer;
use crate::check::{check_context, check_listed};
use crate::dialect::Dialect;
use crate::model::{Attempt, Webhook, WebhookId, WebhookPage, WebhookWish};
use crate::rows;
use crate::sign::{new_plain_secret, new_secret};
use crate::subscription::Scope;
use crate::{WebhookError, Webhooks, headers, keys};
use postroom_store::{CommitBuilder, Committed, MAX_VALUE_OCTETS, Value, commit_once, prefix_end, scan, scan_prefix};
use postroom_types::Secret;
use std::collections::HashMap;

/// Most webhooks of an organization.
const MAX_WEBHOOKS: usize = 1000;

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
        let mut headers = wish.headers.clone();
        headers.extend(wish.auth_token.as_deref().map(bearer));
        self.check(wish)?;
        headers::check(&headers)?;
        let _making = self.making.lock().await;
        self.check_room(scope, wish).await?;
        let now = self.now();
        let webhook = Webhook {
            id: WebhookId::new(),
            dialect: wish.dialect,
            scope: *scope,
            pods: wish.pods.clone(),
            inboxes: wish.inboxes.clone(),
            url: wish.url.clone(),
            event_types: wish.event_types.clone(),
            headers,
            secret: Secret::new(match wish.dialect {
                Dialect::AgentMail => new_secret(),
                Dialect::MyAgentMail => new_plain_secret(),
                Dialect::Inkbox => String::new(),
            }),
            rights: wish.rights,
            context: wish.context.clone(),
            enabled: true,
            client_id: wish.client_id.clone(),
            created_at: now,
            updated_at: now,
            start: self.hubs.feed().newest(),
        };
        let name = (scope.organization, webhook.id);
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
        self.check_url(wish.dialect, &wish.url)?;
        check_context(wish.context.as_deref())?;
        check_listed("pod_ids", &wish.pods)?;
        check_listed("inbox_ids", &wish.inboxes)
    }

    /// Whether there may be one more. Those of other dialects count for the organization alone.
    async fn check_room(&self, scope: &Scope, wish: &WebhookWish) -> Result<(), WebhookError> {
        let organization = scope.organization;
        let mut rows = scan_prefix(&*self.store, &keys::webhooks(organization));
        let (mut all, mut alike) = (0, 0);
        while let Some((key, row)) = rows.next().await? {
            let Some((_, id)) = keys::read_name(&key) else { continue };
            let found = rows::read_webhook(organization, id, &row, None)?;
            all += 1;
            alike += usize::from(found.scope == *scope && found.dialect == wish.dialect);
        }
        match wish.most.filter(|most| alike >= *most) {
            Some(most) => Err(WebhookError::TooMany(most)),
            None if all >= MAX_WEBHOOKS => Err(WebhookError::TooMany(MAX_WEBHOOKS)),
            None => Ok(()),
        }
    }

    async fn made_for(&self, scope: &Scope, client_id: &str) -> Result<Option<Webhook>, WebhookError> {
        let Some(row) = self.store.get(&keys::client_id(scope, client_id)).await? else {
            return Ok(None);
        };
        let found = self.load((scope.organization, rows::read_id(&row)?)).await?;
        Ok(found.map(|(_, webhook)| webhook))
    }

    /// A dialect's webhook within this scope.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`]; the store's own.
    pub async fn get(&self, dialect: Dialect, scope: &Scope, id: WebhookId) -> Result<Webhook, WebhookError> {
        self.visible(dialect, scope, id).await.map(|(_, webhook)| webhook)
    }

    /// Up to `limit` webhooks of a dialect within this scope after the one named, oldest first or newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(
        &self,
        dialect: Dialect,
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
        let mut owned = HashMap::new();
        while let Some((key, row)) = rows.next().await? {
            let Some((_, id)) = keys::read_name(&key) else { continue };
            let mut found = rows::read_webhook(organization, id, &row, None)?;
            if found.dialect != dialect || !scope.covers(&found.scope) {
                continue;
            }
            let is_owned = match owned.get(&found.scope) {
                Some(is_owned) => *is_owned,
                None => self.is_owned(&found.scope).await?,
            };
            owned.insert(found.scope, is_owned);
            if !is_owned {
                continue;
            }
            if page.webhooks.len() == limit {
                page.next = page.webhooks.last().map(|last| last.id);
                break;
            }
            if let Some(headers) = self.store.get(&keys::headers((organization, id))).await? {
                found.headers = rows::read_headers(&headers)?;
            }
            page.webhooks.push(found);
        }
        Ok(page)
    }

    /// The last attempts of a dialect's webhook within this scope, oldest first.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`]; the store's own.
    pub async fn attempts(&self, dialect: Dialect, scope: &Scope, id: WebhookId) -> Result<Vec<Attempt>, WebhookError> {
        self.get(dialect, scope, id).await?;
        let progress = self.progress((scope.organization, id)).await?;
        Ok(progress.map(|progress| progress.attempts.into()).unwrap_or_default())
    }

    pub(crate) async fn visible(
        &self,
        dialect: Dialect,
        scope: &Scope,
        id: WebhookId,
    ) -> Result<(Value, Webhook), WebhookError> {
        let found = self.load((scope.organization, id)).await?;
        let found = found.filter(|(_, webhook)| webhook.dialect == dialect && scope.covers(&webhook.scope));
        let (row, webhook) = found.ok_or(WebhookError::NoSuchWebhook)?;
        match self.is_owned(&webhook.scope).await? {
            true => Ok((row, webhook)),
            false => Err(WebhookError::NoSuchWebhook),
        }
    }
}

pub(crate) fn checked_row(webhook: &Webhook) -> Result<Value, WebhookError> {
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
