//! Whether what users want of a webhook may be.

use crate::dialect::Dialect;
use crate::{WebhookError, Webhooks};

/// Longest URL, so that a row has room for the rest.
pub(crate) const MAX_URL_OCTETS: usize = 1500;
/// Longest context.
const MAX_CONTEXT_OCTETS: usize = 1000;
/// Most pods or inboxes that one is bound to.
const MAX_LISTED: usize = 10;

impl Webhooks {
    pub(crate) fn check_url(&self, dialect: Dialect, url: &str) -> Result<(), WebhookError> {
        if url.len() > MAX_URL_OCTETS {
            return Err(WebhookError::invalid("url", "at most 1,500 octets"));
        }
        let target = self.http.target(url)?;
        // Inkbox and MyAgentMail ask for TLS; on this machine, where it may be tried out, nobody is between.
        if dialect != Dialect::AgentMail && !target.is_https() && !target.is_this_machine() {
            return Err(WebhookError::invalid("url", "the URL must begin with https://"));
        }
        Ok(())
    }
}

pub(crate) fn check_context(context: Option<&str>) -> Result<(), WebhookError> {
    if context.is_some_and(|context| context.len() > MAX_CONTEXT_OCTETS) {
        return Err(WebhookError::invalid("context_config", "at most 1,000 octets of JSON"));
    }
    Ok(())
}

pub(crate) fn check_listed<T>(field: &'static str, ids: &[T]) -> Result<(), WebhookError> {
    if ids.len() > MAX_LISTED {
        return Err(WebhookError::invalid(field, "at most 10"));
    }
    Ok(())
}
