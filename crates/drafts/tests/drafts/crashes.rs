use crate::setup::{DAY_MS, World, to_ann};
use postroom_drafts::{DraftChange, DraftError, DraftId, GivenLetter, NewDraft, Sending};
use postroom_identity::InboxRecord;
use postroom_mailstore::{MailboxRef, Origin};
use postroom_store::{BoxFuture, Commit, Front, Key, MemoryStore, Outcome, Page, Store, StoreError, Value};
use postroom_types::SpecialUse;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A store that stops for good after so many more commits, the last of which is done but not answered if `late`. It counts
/// the rows that it was asked for.
pub(crate) struct Stopping {
    inner: Arc<MemoryStore>,
    left: AtomicUsize,
    late: bool,
    pub(crate) rows: AtomicUsize,
}

impl Stopping {
    pub(crate) fn after(inner: Arc<MemoryStore>, commits: usize, late: bool) -> Arc<Self> {
        Arc::new(Self {
            inner,
            left: AtomicUsize::new(commits),
            late,
            rows: AtomicUsize::new(0),
        })
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("stopped".into())
}

impl Front for Stopping {
    fn behind(&self) -> &dyn Store {
        &*self.inner
    }

    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Value>, StoreError>> {
        self.rows.fetch_add(1, Ordering::Relaxed);
        self.inner.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        self.rows.fetch_add(keys.len(), Ordering::Relaxed);
        self.inner.get_many(keys)
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let page = self.inner.range(low, high, reverse, limit).await?;
            self.rows.fetch_add(page.pairs.len(), Ordering::Relaxed);
            Ok(page)
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        Box::pin(async move {
            let left = self.left.load(Ordering::SeqCst);
            if left == 0 {
                return Err(stopped());
            }
            self.left.store(left - 1, Ordering::SeqCst);
            let outcome = self.inner.commit(commit).await;
            if left == 1 && self.late {
                Err(stopped())
            } else {
                outcome
            }
        })
    }
}

/// However many commits are done before a crash, a scheduled draft goes once, and in the end nothing is left of it.
#[tokio::test]
async fn a_crash_between_any_two_commits() {
    let inner = MemoryStore::new();
    let world = World::on(inner.clone()).await;
    let inbox = world.inbox("scout").await;
    let mut sent = 0;
    for (commits, late) in (0..8).flat_map(|commits| [(commits, false), (commits, true)]) {
        let new = NewDraft {
            send_at: Some(world.now()),
            client_id: Some("mine".into()),
            ..to_ann("once")
        };
        let draft = world.drafts.create(&inbox, new).await.unwrap();
        let stopping = Stopping::after(inner.clone(), commits, late);
        let doomed = world.again(stopping).await;
        // Whether it says so or not.
        let _ = doomed.drafts.work().await;
        let revived = world.again(inner.clone()).await;
        // Longer than idempotency keys are known.
        revived.pass(3 * 86_400_000);
        revived.drafts.work().await.unwrap();
        revived.drafts.work().await.unwrap();
        sent += 1;
        let case = format!("{commits} {late}");
        assert_eq!(revived.sent(inbox.id).await.len(), sent, "{case}");
        assert_eq!(revived.in_drafts(inbox.id).await, 0, "{case}");
        let again = revived.drafts.send(&inbox, draft.id, &Sending::default()).await;
        assert!(matches!(again, Err(DraftError::NotFound)), "{case} {again:?}");
        revived.is_forgotten_in_a_day().await;
    }
}

/// The version that was sent could not be expunged; a mail program saved a newer one, which is changed, or sent, or removed.
#[tokio::test]
async fn what_was_sent_does_not_come_back() {
    for what_next in ["change", "send", "delete"] {
        let inner = MemoryStore::new();
        let world = World::on(inner.clone()).await;
        let inbox = world.inbox("scout").await;
        let draft = world.drafts.create(&inbox, to_ann("first")).await.unwrap();
        let text = world.text(&draft).await;
        taken_and_no_more(&world, &inner, &inbox, draft.id).await;
        assert_eq!(world.in_drafts(inbox.id).await, 1);
        let newer = text.replace("first", "second").replace("\r\n", "\n");
        let drafts = MailboxRef::Special(SpecialUse::Drafts);
        world.put(inbox.id, Origin::Imported, drafts, &newer).await;
        let how = Sending::default();
        match what_next {
            "change" => {
                let change = DraftChange::default();
                world.drafts.update(&inbox, draft.id, &change).await.unwrap();
                world.drafts.delete(inbox.id, draft.id).await.unwrap();
            }
            "send" => {
                world.drafts.send(&inbox, draft.id, &how).await.unwrap();
            }
            _ => world.drafts.delete(inbox.id, draft.id).await.unwrap(),
        }
        let list = crate::lists::all_of(inbox.id);
        let left = world.drafts.list(&list).await.unwrap().drafts;
        assert!(left.is_empty(), "{what_next}: {left:?}");
        let again = world.drafts.send(&inbox, draft.id, &how).await;
        assert!(matches!(again, Err(DraftError::NotFound)), "{what_next}: {again:?}");
        world.drafts.work().await.unwrap();
        assert_eq!(world.in_drafts(inbox.id).await, 0, "{what_next}");
    }
}

/// Sends a draft on a server that stops right after the commit that takes it.
async fn taken_and_no_more(world: &World, inner: &Arc<MemoryStore>, inbox: &InboxRecord, id: DraftId) {
    // Once everything else is there, such as keys to sign with, the first commit is the one that takes the draft.
    loop {
        let stopping = Stopping::after(inner.clone(), 1, false);
        let doomed = world.again(stopping).await;
        if doomed.drafts.send(inbox, id, &Sending::default()).await.is_ok() {
            break;
        }
    }
}

/// After a crash the draft that was taken is not to be seen, although its message is still there.
#[tokio::test]
async fn a_draft_that_was_sent_is_none_before_it_is_expunged() {
    let inner = MemoryStore::new();
    let world = World::on(inner.clone()).await;
    let inbox = world.inbox("scout").await;
    let draft = world.drafts.create(&inbox, to_ann("once")).await.unwrap();
    taken_and_no_more(&world, &inner, &inbox, draft.id).await;
    assert_eq!(world.in_drafts(inbox.id).await, 1);
    assert!(matches!(
        world.drafts.get(inbox.id, draft.id).await,
        Err(DraftError::NotFound)
    ));
    assert!(
        world
            .drafts
            .list(&crate::lists::all_of(inbox.id))
            .await
            .unwrap()
            .drafts
            .is_empty()
    );
    let change = DraftChange::default();
    assert!(matches!(
        world.drafts.update(&inbox, draft.id, &change).await,
        Err(DraftError::NotFound)
    ));
    world.drafts.work().await.unwrap();
    assert_eq!(world.in_drafts(inbox.id).await, 0);
    world.is_forgotten_in_a_day().await;
}

/// On a store that lies, stalls and forgets to answer: what was said to be done is done, and each draft goes once.
#[tokio::test]
async fn on_a_hostile_store() {
    for seed in 0..6 {
        let world = World::on(MemoryStore::hostile(seed)).await;
        let inbox = world.inbox("scout").await;
        for number in 0..4 {
            let new = NewDraft {
                client_id: Some(format!("n{number}")),
                ..to_ann("first")
            };
            let draft = again(|| world.drafts.create(&inbox, new.clone())).await;
            let change = DraftChange {
                letter: GivenLetter {
                    plain: Some(Some(format!("text {number}"))),
                    ..GivenLetter::default()
                },
                ..DraftChange::default()
            };
            let changed = again(|| world.drafts.update(&inbox, draft.id, &change)).await;
            assert_eq!(
                (changed.id, changed.client_id.as_deref()),
                (draft.id, draft.client_id.as_deref())
            );
            let how = Sending::default();
            let (one, other) = tokio::join!(
                world.drafts.send(&inbox, draft.id, &how),
                world.drafts.send(&inbox, draft.id, &how)
            );
            if one.is_err() && other.is_err() {
                match world.drafts.send(&inbox, draft.id, &how).await {
                    Ok(_) | Err(DraftError::NotFound) => {}
                    Err(error) => panic!("{seed} {number}: {error}"),
                }
            }
        }
        again(|| world.drafts.work()).await;
        again(|| world.drafts.work()).await;
        let sent = world.sent(inbox.id).await;
        assert_eq!(sent.len(), 4, "{seed}");
        for (number, sent) in sent.iter().enumerate() {
            assert!(sent.contains(&format!("text {number}")), "{seed} {sent}");
        }
        assert_eq!(world.in_drafts(inbox.id).await, 0, "{seed}");
        world.pass(DAY_MS);
        again(|| world.drafts.work()).await;
        assert_eq!(world.rows().await, 0, "{seed}");
        let problems = world.mailstore.check_consistency(inbox.id).await.unwrap();
        assert!(problems.is_empty(), "{seed} {problems:?}");
    }
}

/// Until it is done, as a client does that is told to try again.
async fn again<T, F: Future<Output = Result<T, DraftError>>>(mut call: impl FnMut() -> F) -> T {
    for _ in 0..10 {
        match call().await {
            Ok(done) => return done,
            Err(DraftError::Unavailable) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("never done")
}
