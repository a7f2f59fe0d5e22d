//! Pods: isolated parts of an organization.

use crate::attempts::ATTEMPTS;
use crate::client_id::check_client_id;
use crate::keys::{self, LANE_INBOXES};
use crate::names::{derive_username, random_username};
use crate::organizations::check_name;
use crate::record::{Pod, decode, encode, encode_id, now_ms};
use crate::{Identity, IdentityError, KeyScope};
use postroom_store::{CommitBuilder, CounterRecord, scan_prefix};
use postroom_types::{OrganizationId, PodId};

/// Most pods of one organization.
const MAX_PODS: usize = 1000;
/// Pods of one name get numbers up to this one, then something random: finding the next number takes a try for each.
const MAX_SUFFIX: u32 = 99;

/// What a new pod is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodWish {
    /// Its name; one is made up if `None`.
    pub name: Option<String>,
    /// What its maker calls it: once there is a pod that the organization calls so, that is found, whatever else is
    /// asked for.
    pub client_id: Option<String>,
}

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
        let wish = PodWish {
            name: Some(name.to_owned()),
            client_id: None,
        };
        self.make_pod(organization, &wish, slug).await
    }

    /// Makes a pod, or finds the one that the organization calls so.
    ///
    /// # Errors
    /// Those of [`create_pod`](Self::create_pod).
    pub async fn create_pod_with(&self, organization: OrganizationId, wish: &PodWish) -> Result<Pod, IdentityError> {
        self.make_pod(organization, wish, None).await
    }

    async fn make_pod(
        &self,
        organization: OrganizationId,
        wish: &PodWish,
        slug: Option<&str>,
    ) -> Result<Pod, IdentityError> {
        wish.client_id.as_deref().map_or(Ok(()), check_client_id)?;
        if let Some(pod) = self.pod_made_before(organization, wish).await? {
            return Ok(pod);
        }
        let name = wish
            .name
            .clone()
            .unwrap_or_else(|| format!("Pod {}", random_username()));
        check_name(&name)?;
        slug.map_or(Ok(()), check_slug)?;
        if self.pods(organization).await?.len() >= MAX_PODS {
            return Err(IdentityError::TooMany("workspaces"));
        }
        let wanted = slug.map_or_else(|| derive_username(&name), str::to_owned);
        let mut pod = Pod {
            id: PodId::new(),
            organization,
            name,
            slug: wanted.clone(),
            client_id: wish.client_id.clone(),
            created_at: now_ms(),
        };
        let mut suffix = 0;
        for _ in 0..ATTEMPTS {
            let (owner, _) = self.live_organization(organization).await?;
            let slug_key = keys::slug(organization, &pod.slug);
            let mut builder = CommitBuilder::new();
            builder.put_new(keys::pod(organization, pod.id), encode(&pod));
            builder.require(keys::organization(organization), owner);
            builder.put_new(slug_key.clone(), encode_id(pod.id.as_bytes()));
            builder.put(keys::pod_counters(pod.id), CounterRecord::default().to_value());
            if let Some(client_id) = &pod.client_id {
                let key = keys::client_id(organization, b'p', client_id);
                builder.put_new(key, encode_id(pod.id.as_bytes()));
            }
            let conflict = self.commit_new(builder, &keys::pod(organization, pod.id)).await?;
            let Some(key) = conflict else { return Ok(pod) };
            // An equal request may have been faster; it has the slug then as well.
            if let Some(pod) = self.pod_made_before(organization, wish).await? {
                return Ok(pod);
            }
            if key == slug_key && slug.is_some() {
                return Err(IdentityError::SlugTaken);
            }
            if key == slug_key {
                suffix += 1;
                pod.slug = match suffix {
                    ..=MAX_SUFFIX => format!("{wanted}-{suffix}"),
                    _ => format!("{wanted}-{}", random_username()),
                };
            }
        }
        Err(IdentityError::Busy)
    }

    async fn pod_made_before(
        &self,
        organization: OrganizationId,
        wish: &PodWish,
    ) -> Result<Option<Pod>, IdentityError> {
        match &wish.client_id {
            Some(client_id) => self.pod_called(organization, client_id).await,
            None => Ok(None),
        }
    }

    async fn pod_called(&self, organization: OrganizationId, client_id: &str) -> Result<Option<Pod>, IdentityError> {
        // The same is looked for as if there was one.
        let id = self
            .by_client_id(organization, b'p', client_id)
            .await?
            .unwrap_or_default();
        let found = self.row(&keys::pod(organization, PodId::from_bytes(id))).await?;
        Ok(found.map(|(_, pod)| pod))
    }

    /// A pod of this organization.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchPod`].
    pub async fn pod(&self, organization: OrganizationId, id: PodId) -> Result<Pod, IdentityError> {
        let found = self.row(&keys::pod(organization, id)).await?;
        found.map(|(_, pod)| pod).ok_or(IdentityError::NoSuchPod)
    }

    /// A pod of this organization by its id, or by what its maker calls it; of a key that is bound to one, only that. Another
    /// one costs as many reads as one that is nowhere.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchPod`] for both.
    pub async fn pod_by(
        &self,
        organization: OrganizationId,
        name: &str,
        own: Option<PodId>,
    ) -> Result<Pod, IdentityError> {
        let is_seen = |pod: &Pod| own.is_none_or(|own| own == pod.id);
        if let Ok(id) = name.parse() {
            let found = self.row(&keys::pod(organization, id)).await?;
            if let Some(pod) = found.map(|(_, pod)| pod).filter(is_seen) {
                return Ok(pod);
            }
            // A client may call a pod by what looks like an id.
        }
        let found = self.pod_called(organization, name).await?;
        found.filter(is_seen).ok_or(IdentityError::NoSuchPod)
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

    /// Deletes a pod with its keys.
    ///
    /// # Errors
    /// [`IdentityError::CannotDelete`] while it has inboxes or domains, and always for the default one;
    /// [`IdentityError::NoSuchPod`].
    pub async fn delete_pod(&self, organization: OrganizationId, id: PodId) -> Result<(), IdentityError> {
        let mut sent = false;
        for _ in 0..ATTEMPTS {
            let Some((row, pod)) = self.row::<Pod>(&keys::pod(organization, id)).await? else {
                return if sent {
                    self.clear(self.list_rows_of_pod(organization, id).await?).await
                } else {
                    Err(IdentityError::NoSuchPod)
                };
            };
            let (owner, owning) = self.live_organization(organization).await?;
            if owning.default_pod == id {
                return Err(IdentityError::CannotDelete("it is the default pod"));
            }
            let counters_key = keys::pod_counters(id);
            let value = self.store.get(&counters_key).await?.ok_or(IdentityError::NoSuchPod)?;
            if CounterRecord::from_value(&value).is_none_or(|counters| counters.0[LANE_INBOXES] > 0) {
                return Err(IdentityError::CannotDelete("it has inboxes"));
            }
            if !self.domains_of(organization, Some(id)).await?.is_empty() {
                return Err(IdentityError::CannotDelete("it has domains"));
            }
            let mut builder = CommitBuilder::new();
            builder.require(keys::organization(organization), owner);
            // A new inbox moves the counter, so none is made meanwhile.
            builder.require(counters_key.clone(), value);
            builder.delete(counters_key);
            builder.require(keys::pod(organization, id), row);
            builder.delete(keys::pod(organization, id));
            builder.delete(keys::slug(organization, &pod.slug));
            if let Some(client_id) = &pod.client_id {
                builder.delete(keys::client_id(organization, b'p', client_id));
            }
            for scope in [KeyScope::Pod(organization, id), KeyScope::AgentPod(organization, id)] {
                for row in self.all_key_rows(&scope).await? {
                    builder.delete(row);
                }
            }
            builder.wake(keys::changed_keys(organization));
            sent = true;
            if self.commit_change(builder).await? {
                // Of no more use to anybody; what a crash leaves of them goes with the organization.
                return self.clear(self.list_rows_of_pod(organization, id).await?).await;
            }
        }
        Err(IdentityError::Busy)
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
