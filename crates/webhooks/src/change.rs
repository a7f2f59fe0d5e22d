//! Changing and deleting webhooks.

use crate::check::{check_context, check_listed};
use crate::dialect::Dialect;
use crate::manage::checked_row;
use crate::model::{Webhook, WebhookChange, WebhookId};
use crate::subscription::Scope;
use crate::{WebhookError, Webhooks, headers, keys, rows};
use postroom_store::{CommitBuilder, Value};

/// How often a change is tried anew when others changed the same.
const TRIES: usize = 16;

impl Webhooks {
    /// Changes a dialect's webhook within this scope. The token of Inkbox's does not follow it to a URL of another origin. One that is enabled again hears of what happens from now on. One that
    /// hears of certain pods or inboxes keeps at least one of them, lest it hear of all. Whether what is added lies within
    /// the scope is the caller's to check.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`], [`WebhookError::Invalid`], [`WebhookError::Busy`]; the store's own.
    pub async fn update(
        &self,
        dialect: Dialect,
        scope: &Scope,
        id: WebhookId,
        change: &WebhookChange,
    ) -> Result<Webhook, WebhookError> {
        if let Some(url) = &change.url {
            self.check_url(dialect, url)?;
        }
        check_context(change.context.as_ref().and_then(|context| context.as_deref()))?;
        let name = (scope.organization, id);
        for _ in 0..TRIES {
            let (old, mut webhook) = self.visible(dialect, scope, id).await?;
            let goes_elsewhere = change.url.as_ref().is_some_and(|url| self.leads_away(&webhook, url));
            self.apply(&mut webhook, change)?;
            let mut builder = CommitBuilder::new();
            builder.replace(keys::webhook(name), old, checked_row(&webhook)?);
            // A token is for who it was given to.
            let token = change.auth_token.as_ref().or(goes_elsewhere.then_some(&None));
            if let Some(token) = token {
                webhook
                    .headers
                    .retain(|(field, _)| !field.eq_ignore_ascii_case("authorization"));
                webhook.headers.extend(token.as_deref().map(bearer));
                headers::check(&webhook.headers)?;
                builder.put(keys::headers(name), rows::write_headers(&webhook.headers));
            }
            if self.commit(builder).await? {
                self.nudges.add(name);
                return Ok(webhook);
            }
        }
        Err(WebhookError::Busy)
    }

    /// Whether a URL is another endpoint's than that of a webhook which shows a token that nobody can read. AgentMail's
    /// header fields can be read by whoever can change the URL.
    fn leads_away(&self, webhook: &Webhook, url: &str) -> bool {
        let (before, after) = (self.http.target(&webhook.url), self.http.target(url));
        let stays = before.is_ok_and(|before| after.is_ok_and(|after| before.is_of_one_origin(&after)));
        webhook.dialect == Dialect::Inkbox && webhook.has_auth_token() && !stays
    }

    fn apply(&self, webhook: &mut Webhook, change: &WebhookChange) -> Result<(), WebhookError> {
        let was_bound = webhook.is_bound();
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
        if was_bound && !webhook.is_bound() {
            let why = "a webhook that hears of certain pods or inboxes keeps at least one; delete it, or disable it";
            return Err(WebhookError::invalid(unbinding_field(change), why));
        }
        if let Some(url) = &change.url {
            webhook.url.clone_from(url);
        }
        if let Some(context) = &change.context {
            webhook.context.clone_from(context);
        }
        if change.enabled == Some(true) && !webhook.enabled {
            webhook.start = self.hubs.feed().newest();
        }
        webhook.enabled = change.enabled.unwrap_or(webhook.enabled);
        webhook.updated_at = self.now();
        Ok(())
    }

    /// Sets some header fields of a dialect's webhook within this scope, and takes others away; names in any case.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`], [`WebhookError::Invalid`], [`WebhookError::Busy`]; the store's own.
    pub async fn update_headers(
        &self,
        dialect: Dialect,
        scope: &Scope,
        id: WebhookId,
        set: &[(String, String)],
        remove: &[String],
    ) -> Result<(), WebhookError> {
        let name = (scope.organization, id);
        for _ in 0..TRIES {
            let (old, mut webhook) = self.visible(dialect, scope, id).await?;
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

    /// Deletes a dialect's webhook within this scope: nothing more is sent, not even what was to be tried again. What was
    /// logged of it stays for as long as it would have.
    ///
    /// # Errors
    /// [`WebhookError::NoSuchWebhook`], [`WebhookError::Busy`]; the store's own.
    pub async fn delete(&self, dialect: Dialect, scope: &Scope, id: WebhookId) -> Result<(), WebhookError> {
        for attempt in 0..TRIES {
            let (old, webhook) = match self.visible(dialect, scope, id).await {
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
}

/// The header field that shows an endpoint a token (RFC 6750 §2.1).
pub(crate) fn bearer(token: &str) -> (String, String) {
    ("Authorization".into(), format!("Bearer {token}"))
}

/// What of a change takes away the last that a webhook heard of.
const fn unbinding_field(change: &WebhookChange) -> &'static str {
    if change.remove_inboxes.is_empty() {
        "remove_pod_ids"
    } else {
        "remove_inbox_ids"
    }
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
