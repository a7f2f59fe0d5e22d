//! Organizations: made with a default pod and a key, listed, changed.

mod closing;
mod storage;

pub use storage::StorageUse;
pub(crate) use storage::Sums;

use crate::api_keys::add_key;
use crate::attempts::ATTEMPTS;
use crate::keys::{self, LANE_DEBT, LANE_INBOXES, LANE_ROOM};
use crate::record::{AgentState, Organization, Pod, StoredOperator, decode, encode, encode_id, now_ms};
use crate::{Identity, IdentityError, KeyScope};
use postroom_store::{CommitBuilder, CounterRecord, scan_prefix};
use postroom_types::{InboxId, OrganizationId, PodId, Secret};
use std::collections::HashSet;

/// The room of an organization without a limit; far from both ends of a counter lane.
const UNLIMITED: u64 = 1 << 60;

/// A new organization. The key is told here only.
#[derive(Debug)]
pub struct NewOrganization {
    /// It.
    pub organization: Organization,
    /// Its default pod.
    pub default_pod: Pod,
    /// Its `tk_` key.
    pub api_key: Secret<String>,
}

/// What to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct OrganizationChange {
    /// A new name.
    pub name: Option<String>,
    /// A new limit of live inboxes; `Some(None)` takes the limit away. Inboxes above a lower limit stay.
    pub max_inboxes: Option<Option<u32>>,
    /// A new limit of octets; `Some(None)` takes the limit away. What is above a lower limit stays.
    pub max_octets: Option<Option<u64>>,
    /// A new limit of messages sent a day; `Some(None)` takes the limit away.
    pub daily_messages: Option<Option<u32>>,
    /// Whether nothing of it leaves; what is so already stays as it is.
    pub suspended: Option<bool>,
}

impl Identity {
    /// Makes an organization with its default pod and a `tk_` key.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`] for a bad name.
    pub async fn create_organization(
        &self,
        name: &str,
        max_inboxes: Option<u32>,
    ) -> Result<NewOrganization, IdentityError> {
        let mut builder = CommitBuilder::new();
        let (organization, default_pod) = add_organization(&mut builder, name, max_inboxes, 0, None)?;
        let (_, new) = add_key(
            &mut builder,
            self.scram().await?,
            &KeyScope::Tenant(organization.id),
            None,
        );
        let once_key = keys::organization(organization.id);
        match self.commit_new(builder, &once_key).await? {
            None => Ok(NewOrganization {
                organization,
                default_pod,
                api_key: new.secret,
            }),
            Some(_) => Err(IdentityError::Busy),
        }
    }

    /// An organization.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`].
    pub async fn organization(&self, id: OrganizationId) -> Result<Organization, IdentityError> {
        let found = self.row::<Organization>(&keys::organization(id)).await?;
        let live = found
            .map(|(_, organization)| organization)
            .filter(|found| found.deleted_at.is_none());
        live.ok_or(IdentityError::NoSuchOrganization)
    }

    /// All organizations but the operator's own, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn organizations(&self) -> Result<Vec<Organization>, IdentityError> {
        let own = self.operator_organization().await?;
        let mut all = Vec::new();
        let mut rows = scan_prefix(&*self.store, keys::ORGANIZATIONS);
        while let Some((_, value)) = rows.next().await? {
            let organization: Organization = decode(&value)?;
            if organization.deleted_at.is_none() && Some(organization.id) != own {
                all.push(organization);
            }
        }
        Ok(all)
    }

    /// How many live inboxes an organization has.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`].
    pub async fn inbox_count(&self, id: OrganizationId) -> Result<u64, IdentityError> {
        let value = self.store.get(&keys::organization_counters(id)).await?;
        let counters = value.as_deref().and_then(CounterRecord::from_value);
        counters
            .map(|counters| counters.0[LANE_INBOXES])
            .ok_or(IdentityError::NoSuchOrganization)
    }

    /// The live inboxes of an organization, also of one that was deleted and can be had back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inbox_ids(&self, id: OrganizationId) -> Result<HashSet<InboxId>, IdentityError> {
        let mut found = HashSet::new();
        let mut rows = scan_prefix(&*self.store, &keys::inboxes(id));
        while let Some((row, _)) = rows.next().await? {
            found.extend(keys::last_id(&row).map(InboxId::from_bytes));
        }
        Ok(found)
    }

    /// How many domains an organization has claimed, for one pod or all in all.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn domain_count(&self, id: OrganizationId, pod: Option<PodId>) -> Result<u64, IdentityError> {
        Ok(self.domains_of(id, pod).await?.len() as u64)
    }

    /// Changes an organization and returns it.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchOrganization`], also for the operator's own; [`IdentityError::Invalid`].
    pub async fn update_organization(
        &self,
        id: OrganizationId,
        change: &OrganizationChange,
    ) -> Result<Organization, IdentityError> {
        self.refuse_operator(id).await?;
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        for _ in 0..ATTEMPTS {
            let found = self.row::<Organization>(&keys::organization(id)).await?;
            let Some((old, organization)) = found.filter(|(_, found)| found.deleted_at.is_none()) else {
                return Err(IdentityError::NoSuchOrganization);
            };
            let mut changed = organization.clone();
            if let Some(name) = &change.name {
                changed.name.clone_from(name);
            }
            changed.max_inboxes = change.max_inboxes.unwrap_or(organization.max_inboxes);
            changed.max_octets = change.max_octets.unwrap_or(organization.max_octets);
            changed.daily_messages = change.daily_messages.unwrap_or(organization.daily_messages);
            changed.suspended_at = match change.suspended {
                None => organization.suspended_at,
                Some(false) => None,
                Some(true) => organization.suspended_at.or_else(|| Some(now_ms())),
            };
            if changed == organization {
                return Ok(changed);
            }
            changed.touch();
            let mut builder = CommitBuilder::new();
            builder.replace(keys::organization(id), old, encode(&changed));
            if changed.max_inboxes != organization.max_inboxes {
                let key = keys::organization_counters(id);
                let value = self.store.get(&key).await?.ok_or(IdentityError::NoSuchOrganization)?;
                let counters = CounterRecord::from_value(&value).ok_or(IdentityError::NoSuchOrganization)?;
                builder.replace(key, value, with_limit(counters, changed.max_inboxes).to_value());
            }
            if self.commit_change(builder).await? {
                return Ok(changed);
            }
        }
        Err(IdentityError::Busy)
    }

    pub(crate) async fn refuse_operator(&self, id: OrganizationId) -> Result<(), IdentityError> {
        if self.operator_organization().await? == Some(id) {
            return Err(IdentityError::NoSuchOrganization);
        }
        Ok(())
    }

    pub(crate) async fn operator_organization(&self) -> Result<Option<OrganizationId>, IdentityError> {
        let operator = self.row::<StoredOperator>(keys::OPERATOR).await?;
        Ok(operator.map(|(_, operator)| operator.organization))
    }
}

/// Adds an organization with its default pod to a commit, in which so many inboxes of it are made as well; `agent` if an
/// agent makes it.
pub(crate) fn add_organization(
    builder: &mut CommitBuilder,
    name: &str,
    max_inboxes: Option<u32>,
    inboxes: u64,
    agent: Option<AgentState>,
) -> Result<(Organization, Pod), IdentityError> {
    check_name(name)?;
    let mut counters = CounterRecord::default();
    counters.0[LANE_INBOXES] = inboxes;
    let (id, pod_id, created_at) = (OrganizationId::new(), PodId::new(), now_ms());
    let pod = Pod {
        id: pod_id,
        organization: id,
        name: "Default".into(),
        slug: "default".into(),
        client_id: None,
        created_at,
    };
    let organization = Organization {
        id,
        name: name.to_owned(),
        default_pod: pod_id,
        max_inboxes,
        created_at,
        agent,
        changed_at: None,
        max_octets: None,
        daily_messages: None,
        suspended_at: None,
        default_domain: None,
        deleted_at: None,
        restorable: false,
    };
    builder.put_new(keys::organization(id), encode(&organization));
    builder.put(
        keys::organization_counters(id),
        with_limit(counters, max_inboxes).to_value(),
    );
    builder.put(keys::pod(id, pod_id), encode(&pod));
    builder.put(keys::slug(id, &pod.slug), encode_id(pod_id.as_bytes()));
    builder.put(keys::pod_counters(pod_id), counters.to_value());
    Ok((organization, pod))
}

/// The counters under another limit: inboxes above it become debt, which deletions pay off before they make room.
pub(crate) fn with_limit(mut counters: CounterRecord, max_inboxes: Option<u32>) -> CounterRecord {
    let inboxes = counters.0[LANE_INBOXES];
    let limit = max_inboxes.map_or(UNLIMITED, u64::from);
    counters.0[LANE_ROOM] = limit.saturating_sub(inboxes);
    counters.0[LANE_DEBT] = inboxes.saturating_sub(limit);
    counters
}

/// A name that people see: 1 to 255 characters, none of them a control character.
pub(crate) fn check_name(name: &str) -> Result<(), IdentityError> {
    if name.trim().is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
        return Err(IdentityError::Invalid(
            "a name has 1 to 255 characters, and no control characters",
        ));
    }
    Ok(())
}
