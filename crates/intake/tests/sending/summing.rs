//! What it costs to know how much an organization stores.

use crate::setup::World;
use postroom_identity::OrganizationChange;
use postroom_store::{BoxFuture, Front, MemoryStore, Page, SharedStore, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts what is listed, and lets others go on meanwhile.
struct Counting {
    store: SharedStore,
    lists: AtomicUsize,
}

impl Front for Counting {
    fn behind(&self) -> &dyn Store {
        &*self.store
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.store.range(low, high, reverse, limit).await
        })
    }
}

/// All that come at once are answered by one sum.
#[tokio::test]
async fn one_at_a_time_sums() {
    let counting = Arc::new(Counting {
        store: MemoryStore::new(),
        lists: AtomicUsize::new(0),
    });
    let world = World::on(counting.clone(), |_| {}).await;
    let (scout, identity) = (world.inbox("scout").await, &world.identity);
    let other = identity.create_organization("B", None).await.unwrap().organization.id;
    let limit = OrganizationChange {
        max_octets: Some(Some(1)),
        ..OrganizationChange::default()
    };
    for id in [scout.organization, other] {
        identity.update_organization(id, &limit).await.unwrap();
    }
    let lists = || counting.lists.swap(0, Ordering::SeqCst);
    lists();
    assert!(identity.has_storage(other).await.unwrap());
    let cost = lists();
    assert!(cost > 0);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let identity = Arc::clone(identity);
        tasks.spawn(async move { identity.has_storage(scout.organization).await.unwrap() });
    }
    while let Some(done) = tasks.join_next().await {
        assert!(done.unwrap());
    }
    assert_eq!(lists(), cost);
}
