//! Reading what is stored of webhooks, and committing to it.

use crate::log::unavailable;
use crate::model::Webhook;
use crate::rows::{self, Progress};
use crate::subscription::Scope;
use crate::{WebhookError, Webhooks, keys};
use postroom_identity::{IdentityError, Standing};
use postroom_store::{CommitBuilder, Outcome, Value, scan_prefix};
use postroom_types::OrganizationId;

/// How often a commit is sent whose outcome is not known.
const TRIES: usize = 16;
/// Rows removed by one commit.
const CLEARED: usize = 500;

/// What became of what a webhook belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It is there.
    There,
    /// Its organization is suspended, or was deleted and can be restored: nothing leaves, nothing is forgotten.
    Suspended,
    /// It is not coming back.
    Gone,
}

impl Webhooks {
    /// A webhook with its row.
    pub(crate) async fn load(&self, name: keys::Name) -> Result<Option<(Value, Webhook)>, WebhookError> {
        let wanted = [keys::webhook(name), keys::headers(name)];
        let mut found = self.store.get_many(&wanted).await?.into_iter();
        let (row, headers) = (found.next().flatten(), found.next().flatten());
        let Some(row) = row else { return Ok(None) };
        let webhook = rows::read_webhook(name.0, name.1, &row, headers.as_deref())?;
        Ok(Some((row, webhook)))
    }

    /// A webhook that may send at this moment.
    pub(crate) async fn sendable(&self, name: keys::Name) -> Result<Option<Webhook>, WebhookError> {
        if self.standing(name.0).await? != Standing::Active {
            return Ok(None);
        }
        let found = self.load(name).await?.map(|(_, webhook)| webhook);
        Ok(found.filter(|webhook| webhook.enabled))
    }

    pub(crate) async fn progress(&self, name: keys::Name) -> Result<Option<Progress>, WebhookError> {
        let row = self.store.get(&keys::state(name)).await?;
        Ok(row.map(|row| rows::read_progress(&row)).transpose()?)
    }

    /// All webhooks of the server.
    pub(crate) async fn names(&self) -> Result<Vec<keys::Name>, WebhookError> {
        let rows = scan_prefix(&*self.store, keys::WEBHOOKS).collect().await?;
        Ok(rows.iter().filter_map(|(key, _)| keys::read_name(key)).collect())
    }

    /// Does it; `false` if what it requires does not hold (any more). Repeating it changes nothing.
    pub(crate) async fn commit(&self, builder: CommitBuilder) -> Result<bool, WebhookError> {
        let commit = builder.build();
        for _ in 0..TRIES {
            match self.store.commit(commit.clone()).await? {
                Outcome::Done(_) => return Ok(true),
                Outcome::Conflict(_) => return Ok(false),
                Outcome::Full => return Err(WebhookError::Full),
                Outcome::Unknown => tokio::task::yield_now().await,
            }
        }
        Err(WebhookError::Busy)
    }

    /// Forgets what was to be tried again.
    pub(crate) async fn clear_retries(&self, name: keys::Name) -> Result<(), WebhookError> {
        self.clear(&keys::retries(name)).await
    }

    /// Removes all rows of a prefix.
    pub(crate) async fn clear(&self, prefix: &[u8]) -> Result<(), WebhookError> {
        let mut rows = scan_prefix(&*self.store, prefix);
        let mut builder = CommitBuilder::new();
        while let Some((key, _)) = rows.next().await? {
            builder.delete(key);
            if builder.operations() == CLEARED {
                self.commit(std::mem::take(&mut builder)).await?;
            }
        }
        if builder.operations() > 0 {
            self.commit(builder).await?;
        }
        Ok(())
    }

    /// What became of what a webhook belongs to.
    pub(crate) async fn owner(&self, scope: &Scope) -> Result<Owner, WebhookError> {
        // Twice: the organization may have been deleted, which hides what it has, between the two answers of the first
        // look, and that it is gone cannot be taken back.
        for _ in 0..2 {
            match self.standing(scope.organization).await? {
                Standing::Gone => return Ok(Owner::Gone),
                Standing::Suspended | Standing::Deleted => return Ok(Owner::Suspended),
                Standing::Active => {}
            }
            if self.is_owned(scope).await? {
                return Ok(Owner::There);
            }
        }
        match self.standing(scope.organization).await? {
            Standing::Suspended | Standing::Deleted => Ok(Owner::Suspended),
            Standing::Active | Standing::Gone => Ok(Owner::Gone),
        }
    }

    /// Whether the pod or inbox is there that a webhook belongs to. What belongs to one that is gone is not there either,
    /// also before it is cleared away.
    pub(crate) async fn is_owned(&self, scope: &Scope) -> Result<bool, WebhookError> {
        let owned = match (scope.pod, scope.inbox) {
            (_, Some(inbox)) => self.identity.inbox(inbox).await.map(|_| ()),
            (Some(pod), None) => self.identity.pod(scope.organization, pod).await.map(|_| ()),
            (None, None) => Ok(()),
        };
        match owned {
            Ok(()) => Ok(true),
            Err(IdentityError::NoSuchInbox | IdentityError::NoSuchPod | IdentityError::NoSuchOrganization) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    pub(crate) async fn standing(&self, organization: OrganizationId) -> Result<Standing, WebhookError> {
        self.identity.standing(organization).await.map_err(unavailable)
    }
}
