//! An organization is deleted just while an event of it is about to be tried again, and restored later.

use crate::receiver::{Reaction, Receiver};
use crate::setup::Setup;
use bytes::Bytes;
use postroom_feed::What;
use postroom_identity::Identity;
use postroom_store::{
    BoxFuture, Commit, Key, MemoryStore, Outcome, Page, SharedStore, Store, StoreError, Topic, Value,
};
use postroom_types::{BlobId, EmailId, Lsn, OrganizationId};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Who is deleted.
type Victim = Option<(Arc<Identity>, OrganizationId)>;

/// A store in which an organization is deleted before the next look at events.
struct Closing {
    store: SharedStore,
    victim: Mutex<Victim>,
}

impl Store for Closing {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        self.store.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.store.get_many(keys)
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            if low.starts_with(b"fe") {
                delete(&self.victim).await;
            }
            self.store.range(low, high, reverse, limit).await
        })
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        self.store.blob(id, range)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        self.store.commit(commit)
    }

    fn stable_lsn(&self) -> Lsn {
        self.store.stable_lsn()
    }

    fn watch(&self, topic: Topic) -> tokio::sync::watch::Receiver<Lsn> {
        self.store.watch(topic)
    }
}

pub(crate) async fn delete(victim: &Mutex<Victim>) {
    let victim = victim.lock().expect("no panic").take();
    if let Some((identity, organization)) = victim {
        identity.delete_organization(organization).await.expect("it is there");
    }
}

/// It is deleted when the event is looked up (`false`), or when what is told of it is made.
#[tokio::test]
async fn what_was_to_be_tried_again_is_tried_after_a_restoring() {
    for while_rendering in [false, true] {
        let closing = Arc::new(Closing {
            store: MemoryStore::new(),
            victim: Mutex::default(),
        });
        let setup = Setup::on(closing.clone()).await;
        let own = setup.inbox("scout", None).await;
        let status = Arc::new(AtomicU16::new(500));
        let answers = Arc::clone(&status);
        let receiver = Receiver::start(move |_| Reaction::Status(answers.load(Ordering::Relaxed))).await;
        let mut options = setup.options();
        options.waits = vec![Duration::from_millis(2500); 3];
        // Nobody looks by himself.
        options.poll = Duration::from_secs(3600);
        let working = setup.start_with(options.clone());
        setup.webhook(&working, &receiver).await;
        let what = What::Rejected {
            message: EmailId::new(),
            reason: "1".into(),
        };
        setup.announce_in(Some(own.id), what).await;
        receiver.wait_for(1).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(setup.retries().await, 1);
        // A start remembers nothing of where the inbox is.
        drop(working);
        let _working = setup.start_with(options);
        tokio::time::sleep(Duration::from_millis(500)).await;
        status.store(200, Ordering::Relaxed);
        let victim = Some((Arc::clone(&setup.identity), setup.organization));
        let place = if while_rendering {
            &setup.numbers.victim
        } else {
            &closing.victim
        };
        *place.lock().expect("no panic") = victim;
        tokio::time::sleep(Duration::from_millis(4000)).await;
        let deleted = setup.identity.deleted_organizations().await.expect("a store");
        assert_eq!((deleted.len(), receiver.requests().len()), (1, 1), "{while_rendering}");
        assert_eq!(setup.retries().await, 1, "it is still to be done ({while_rendering})");
        let restored = setup.identity.restore_organization(setup.organization).await;
        restored.expect("it can be had back");
        receiver.wait_for(2).await;
    }
}
