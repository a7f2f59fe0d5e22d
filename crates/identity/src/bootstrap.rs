//! What the server itself needs before anybody asks: the operator's organization with the postmaster's inbox.

use crate::attempts::ATTEMPTS;
use crate::create::{add_credentials, address_row};
use crate::keys;
use crate::organizations::add_organization;
use crate::record::{InboxRecord, StoredOperator, encode};
use crate::secrets::random_secret;
use crate::{Identity, IdentityError};
use postroom_store::CommitBuilder;
use postroom_types::{EmailAddress, OrganizationId};

/// The operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The organization that `sa_` keys belong to.
    pub organization: OrganizationId,
    /// Where `postmaster@` and `abuse@` of every hosted domain go.
    pub postmaster: InboxRecord,
}

impl Identity {
    /// Makes the operator's organization and the inbox `postmaster@<default domain>` on the first start, and finds them
    /// on every later one; reads the domains, and lists what older servers did not. Nobody knows the inbox's secrets until
    /// they are rotated.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn bootstrap(&self) -> Result<Operator, IdentityError> {
        self.open_domains().await?;
        self.scram().await?;
        if let Err(error) = self.list_older_keys().await {
            // They open what they did; the next start tries it again.
            tracing::warn!(%error, "the keys of inboxes that older servers made are not all listed for their organizations");
        }
        for _ in 0..ATTEMPTS {
            if let Some(organization) = self.operator_organization().await? {
                return Ok(Operator {
                    organization,
                    postmaster: self.postmaster().await?,
                });
            }
            self.make_operator().await?;
        }
        Err(IdentityError::Busy)
    }

    async fn make_operator(&self) -> Result<(), IdentityError> {
        let canonical = EmailAddress::from_parts("postmaster", self.options.default_domain.clone())
            .map_err(|_| IdentityError::Invalid("the default domain is too long"))?;
        let mut builder = CommitBuilder::new();
        let (organization, pod) = add_organization(&mut builder, "Operator", None, 1, None)?;
        let inbox = InboxRecord {
            display_name: Some("Postmaster".into()),
            ..InboxRecord::new(organization.id, pod.id, canonical)
        };
        let operator = StoredOperator {
            organization: organization.id,
            postmaster: inbox.id,
        };
        builder.put_new(keys::OPERATOR.to_vec(), encode(&operator));
        builder.put_new(keys::address(&inbox.canonical), encode(&address_row(&inbox)));
        let turn = self.hasher.turn().await;
        let password = self.stored_password(turn, &random_secret("")).await?;
        self.add_inbox_rows(&mut builder, &inbox);
        add_credentials(&mut builder, self.scram().await?, &inbox, &password);
        self.commit_new(builder, keys::OPERATOR).await.map(|_| ())
    }
}
