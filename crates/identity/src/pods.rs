//! Pods: isolated parts of an organization.

use crate::attempts::ATTEMPTS;
use crate::keys::{self, LANE_INBOXES};
use crate::names::derive_username;
use crate::organizations::check_name;
use crate::record::{Organization, Pod, decode, encode, encode_id, now_ms};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, CounterRecord, scan_prefix};
use postroom_types::{OrganizationId, PodId};

/// Most pods of one organization.
const MAX_PODS: usize = 1000;

impl Identity {
    /// Makes a pod. Without a slug, one is made from the name, with a number if others have it.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::SlugTaken`], [`IdentityError::NoSuchOrganization`],
    /// [`IdentityError::TooMany`].
    pub async fn create_pod(
        &self,
        organization: OrganizationId,
        name: &str,
        slug: Option<&str>,
    ) -> Result<Pod, IdentityError> {
        check_name(name)?;
        slug.map_or(Ok(()), check_slug)?;
        if self.pods(organization).await?.len() >= MAX_PODS {
            return Err(IdentityError::TooMany("workspaces"));
        }
        let wanted = slug.map_or_else(|| derive_username(name), str::to_owned);
        let mut pod = Pod {
            id: PodId::new(),
            organization,
            name: name.to_owned(),
            slug: wanted.clone(),
            created_at: now_ms(),
        };
        let mut suffix = 0;
        for _ in 0..ATTEMPTS {
            let found = self.row::<Organization>(&keys::organization(organization)).await?;
            let Some((owner, _)) = found.filter(|(_, owner)| owner.deleted_at.is_none()) else {
                return Err(IdentityError::NoSuchOrganization);
            };
            let slug_key = keys::slug(organization, &pod.slug);
            let mut builder = CommitBuilder::new();
            builder.put_new(keys::pod(organization, pod.id), encode(&pod));
            builder.require(keys::organization(organization), owner);
            builder.put_new(slug_key.clone(), encode_id(pod.id.as_bytes()));
            builder.put(keys::pod_counters(pod.id), CounterRecord::default().to_value());
            match self.commit_new(builder, &keys::pod(organization, pod.id)).await? {
                None => return Ok(pod),
                Some(key) if key == slug_key && slug.is_some() => return Err(IdentityError::SlugTaken),
                Some(key) if key == slug_key => {
                    suffix += 1;
                    pod.slug = format!("{wanted}-{suffix}");
                }
                Some(_) => {}
            }
        }
        Err(IdentityError::Busy)
    }

    /// A pod of this organization.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchPod`].
    pub async fn pod(&self, organization: OrganizationId, id: PodId) -> Result<Pod, IdentityError> {
        let found = self.row(&keys::pod(organization, id)).await?;
        found.map(|(_, pod)| pod).ok_or(IdentityError::NoSuchPod)
    }

    /// The pods of an organization, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pods(&self, organization: OrganizationId) -> Result<Vec<Pod>, IdentityError> {
        let rows = scan_prefix(&*self.store, &keys::pods(organization)).collect().await?;
        rows.iter().map(|(_, value)| Ok(decode(value)?)).collect()
    }

    /// How many live inboxes a pod has.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchPod`].
    pub async fn pod_inbox_count(&self, id: PodId) -> Result<u64, IdentityError> {
        let value = self.store.get(&keys::pod_counters(id)).await?;
        let counters = value.as_deref().and_then(CounterRecord::from_value);
        counters
            .map(|counters| counters.0[LANE_INBOXES])
            .ok_or(IdentityError::NoSuchPod)
    }
}

fn check_slug(slug: &str) -> Result<(), IdentityError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if slug.is_empty() || slug.len() > 64 || !slug.chars().all(good) || slug.starts_with('-') || slug.ends_with('-') {
        return Err(IdentityError::Invalid(
            "a slug has 1 to 64 characters a-z, 0-9 and inner `-`",
        ));
    }
    Ok(())
}
