//! How much the inboxes of an organization hold together, against its limit.
//!
//! What always holds: no commit counts for an organization, so inboxes do not wait for each other; the sum of their
//! counters is kept for a while, what is stored meanwhile on this node is added to it, and what others store or remove
//! counts when it is summed again. One at a time sums an organization on each node.

use crate::record::{InboxRecord, Organization};
use crate::{Identity, IdentityError, keys};
use postroom_store::scan_prefix;
use postroom_types::{InboxId, OrganizationId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a sum counts at least, and how many times the time it took: one of many inboxes is made less often.
const KEPT: Duration = Duration::from_secs(5);
const KEPT_TIMES: u32 = 100;
/// Most sums kept.
const MAX_SUMS: usize = 8192;
/// Inboxes whose counters are read together.
const INBOXES_A_READ: usize = 256;

/// What the inboxes of an organization hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageUse {
    /// Octets of all messages.
    pub octets: u64,
    /// Number of messages.
    pub messages: u64,
}

struct Sum {
    octets: u64,
    until: Instant,
}

/// What one organization was summed to. Whoever finds no sum makes it, while the others wait for it.
#[derive(Default)]
struct Summed {
    sum: Mutex<Option<Sum>>,
    summing: tokio::sync::Mutex<()>,
}

impl Summed {
    fn lock(&self) -> MutexGuard<'_, Option<Sum>> {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sum, as long as it counts.
    fn octets(&self) -> Option<u64> {
        let now = Instant::now();
        self.lock().as_ref().filter(|sum| now < sum.until).map(|sum| sum.octets)
    }
}

/// The sums made lately, of organizations with a limit.
#[derive(Default)]
pub(crate) struct Sums(Mutex<HashMap<OrganizationId, Arc<Summed>>>);

impl Sums {
    fn lock(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<Summed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, id: OrganizationId) -> Arc<Summed> {
        let mut sums = self.lock();
        if sums.len() >= MAX_SUMS && !sums.contains_key(&id) {
            sums.clear();
        }
        Arc::clone(sums.entry(id).or_default())
    }

    fn add(&self, id: OrganizationId, octets: u64) {
        let Some(summed) = self.lock().get(&id).cloned() else {
            return;
        };
        if let Some(sum) = &mut *summed.lock() {
            sum.octets = sum.octets.saturating_add(octets);
        }
    }
}

impl Identity {
    /// What the inboxes of an organization hold, summed now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn storage(&self, id: OrganizationId) -> Result<StorageUse, IdentityError> {
        let mut rows = scan_prefix(&*self.store, &keys::inboxes(id)).page_pairs(INBOXES_A_READ);
        let (mut used, mut inboxes) = (StorageUse::default(), Vec::with_capacity(INBOXES_A_READ));
        loop {
            let row = rows.next().await?;
            let is_end = row.is_none();
            inboxes.extend(row.and_then(|(key, _)| keys::last_id(&key)).map(InboxId::from_bytes));
            if is_end || inboxes.len() == INBOXES_A_READ {
                let (octets, messages) = self.mailstore.total_usage(&inboxes).await?;
                used.octets = used.octets.saturating_add(octets);
                used.messages = used.messages.saturating_add(messages);
                inboxes.clear();
            }
            if is_end {
                return Ok(used);
            }
        }
    }

    /// Whether an organization may store one more message: one beyond its limit is taken, as for an inbox. True of one
    /// without limit, of which nothing is summed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn has_storage(&self, id: OrganizationId) -> Result<bool, IdentityError> {
        let found = self.row::<Organization>(&keys::organization(id)).await?;
        let Some(limit) = found.and_then(|(_, organization)| organization.max_octets) else {
            return Ok(true);
        };
        let summed = self.sums.of(id);
        if let Some(octets) = summed.octets() {
            return Ok(octets < limit);
        }
        let _alone = summed.summing.lock().await;
        // Somebody else made it meanwhile.
        if let Some(octets) = summed.octets() {
            return Ok(octets < limit);
        }
        let begun = Instant::now();
        let octets = self.storage(id).await?.octets;
        let now = Instant::now();
        let until = now + KEPT.max(now.duration_since(begun) * KEPT_TIMES);
        *summed.lock() = Some(Sum { octets, until });
        Ok(octets < limit)
    }

    /// Whose an inbox is, also one that is hidden. `None`: it is gone, and refuses mail by itself.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn owner_of(&self, inbox: InboxId) -> Result<Option<OrganizationId>, IdentityError> {
        let found = self.row::<InboxRecord>(&keys::inbox(inbox)).await?;
        Ok(found.map(|(_, inbox)| inbox.organization))
    }

    /// That so many octets were stored for an organization, until its use is summed again.
    pub fn note_stored(&self, id: OrganizationId, octets: u64) {
        self.sums.add(id, octets);
    }
}
