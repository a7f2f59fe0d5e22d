//! Random commits, upkeep, restarts and torn tails; the in-memory store does the same commits and nothing else.

mod support;

use postroom_store::{
    BlobPut, Commit, CommitBuilder, CounterRecord, Key, MemoryOptions, MemoryStore, Outcome, Patch, PatchPlace,
    PatchSource, SharedStore, Store, Value, scan,
};
use postroom_store_sled::{Options, SledStore};
use postroom_types::BlobId;
use proptest::prelude::*;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use support::{Folder, eager};

#[derive(Clone, Debug)]
enum Action {
    Commit(Vec<Step>),
    Together(Vec<Vec<Step>>),
    Tidy,
    /// Dropped, or closed well; on the same run of the machine or another; with this much garbage behind the journal.
    Restart {
        close: bool,
        reboot: bool,
        garbage: usize,
    },
}

#[derive(Clone, Debug)]
enum Step {
    PutNew(u8, u8),
    Put(u8, u16),
    Delete(u8),
    Count(u8, i64),
    Row,
    Body {
        owner: u8,
        octets: usize,
    },
    /// The owner's body gets a second owner.
    Adopt {
        owner: u8,
        second: u8,
    },
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..8u8;
    let octets = prop_oneof![9 => 0..5000usize, 1 => (1usize << 20)..(1 << 20) + 9];
    let step = prop_oneof![
        (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::PutNew(key, value)),
        (key.clone(), 0..4000u16).prop_map(|(key, octets)| Step::Put(key, octets)),
        key.clone().prop_map(Step::Delete),
        (8..11u8, -2..6i64).prop_map(|(key, delta)| Step::Count(key, delta)),
        Just(Step::Row),
        (key.clone(), octets).prop_map(|(owner, octets)| Step::Body { owner, octets }),
        (key.clone(), key).prop_map(|(owner, second)| Step::Adopt { owner, second }),
    ];
    prop::collection::vec(step, 0..6)
}

fn any_action() -> impl Strategy<Value = Action> {
    let garbage = prop_oneof![3 => Just(0usize), 1 => 1..300usize];
    prop_oneof![
        12 => any_steps().prop_map(Action::Commit),
        2 => prop::collection::vec(any_steps(), 2..8).prop_map(Action::Together),
        2 => Just(Action::Tidy),
        2 => (any::<bool>(), any::<bool>(), garbage)
            .prop_map(|(close, reboot, garbage)| Action::Restart { close, reboot, garbage }),
    ]
}

/// A row whose value names its body.
fn owner_key(owner: u8) -> Key {
    vec![100, owner]
}

fn body(id: BlobId, octets: usize) -> Vec<u8> {
    id.0.iter().copied().cycle().take(octets).collect()
}

struct Both {
    memory: Arc<MemoryStore>,
    bodies: Vec<(BlobId, usize)>,
}

impl Both {
    async fn commit_of(&mut self, steps: &[Step]) -> Commit {
        let mut commit = CommitBuilder::new();
        let mut rows = 0;
        for step in steps {
            match *step {
                Step::PutNew(key, value) => _ = commit.put_new(vec![key], vec![value]),
                Step::Put(key, octets) => _ = commit.put(vec![key], vec![key; usize::from(octets)]),
                Step::Delete(key) => _ = commit.delete(owner_key(key)).delete(vec![key]),
                Step::Count(key, delta) => _ = commit.count(vec![key], usize::from(key % 8), delta),
                Step::Row => {
                    rows += 1;
                    let source = PatchSource::Counter(commit.count(vec![8], 0, 1));
                    let place = PatchPlace::Key(1);
                    commit.put_patched(
                        vec![50; 9],
                        vec![rows],
                        vec![Patch {
                            source,
                            minus: 0,
                            place,
                        }],
                    );
                }
                Step::Body { owner, octets } => {
                    let id = BlobId::new();
                    self.bodies.push((id, octets));
                    let bytes = body(id, octets).into();
                    commit.put(owner_key(owner), id.0.to_vec());
                    commit.blob(BlobPut {
                        id,
                        bytes,
                        witness: owner_key(owner),
                        adopt: false,
                    });
                }
                Step::Adopt { owner, second } => {
                    let found = self.memory.get(&owner_key(owner)).await.expect("answers");
                    let Some(id) = found.filter(|_| owner != second) else {
                        continue;
                    };
                    let blob = BlobId(id.as_slice().try_into().expect("sixteen octets"));
                    commit.require(owner_key(owner), id.clone()).put(owner_key(second), id);
                    let witness = owner_key(second);
                    commit.blob(BlobPut {
                        id: blob,
                        bytes: vec![].into(),
                        witness,
                        adopt: true,
                    });
                }
            }
        }
        commit.build()
    }

    /// The pairs are the same, and every body that is owned in memory is there.
    async fn check(&self, store: &SledStore) {
        let pairs = all(store).await;
        assert!(pairs == all(&*self.memory).await, "the same pairs");
        for (key, id) in pairs {
            let Some(id) = id.try_into().ok().filter(|_| key[0] == 100).map(BlobId) else {
                continue;
            };
            let octets = self.bodies.iter().find(|(body, _)| *body == id).expect("made here").1;
            let found = store.blob(id, 0..u64::MAX).await.expect("answers");
            assert!(
                found.is_some_and(|found| found == body(id, octets)),
                "body {id:?} of {octets}"
            );
        }
    }
}

async fn all(store: &dyn Store) -> Vec<(Key, Value)> {
    scan(store, vec![], vec![255]).collect().await.expect("a scan")
}

/// Lsns differ, since upkeep takes some.
fn without_lsn(outcome: Option<Outcome>) -> Option<(Vec<u64>, Option<Key>)> {
    match outcome? {
        Outcome::Done(receipt) => Some((receipt.numbers, None)),
        Outcome::Conflict(key) => Some((Vec::new(), Some(key))),
        outcome => panic!("{outcome:?}"),
    }
}

async fn run(actions: Vec<Action>) {
    let folder = Folder::new();
    let mut boot = 0;
    let options = |boot: u32| Options {
        boot_id: Some(boot.to_string()),
        roll_octets: 20_000,
        ..eager()
    };
    let mut store = folder.open_with(options(boot));
    let memory = MemoryStore::with_options(MemoryOptions {
        blob_grace: Duration::ZERO,
        ..MemoryOptions::default()
    });
    let mut both = Both {
        memory: Arc::clone(&memory),
        bodies: Vec::new(),
    };
    let stores: [SharedStore; 2] = [store.clone(), memory.clone()];
    for store in stores {
        let mut commit = CommitBuilder::new();
        (8..11).for_each(|key| _ = commit.put(vec![key], CounterRecord::default().to_value()));
        store.commit(commit.build()).await.expect("committed");
    }
    for action in actions {
        match action {
            Action::Commit(steps) => {
                let commit = both.commit_of(&steps).await;
                let expected = memory.commit(commit.clone()).await.ok();
                assert_eq!(without_lsn(store.commit(commit).await.ok()), without_lsn(expected));
            }
            Action::Together(commits) => {
                // Queued before the committer wakes, most of them are one group; they are resolved in their order.
                let mut waiting = Vec::new();
                for steps in commits {
                    let commit = both.commit_of(&steps).await;
                    let expected = memory.commit(commit.clone()).await.ok();
                    let has_large = commit.blobs.iter().any(|blob| blob.bytes.len() > 1 << 20);
                    let store = Arc::clone(&store);
                    let task = tokio::spawn(async move { store.commit(commit).await.ok() });
                    // A large body is written before its commit is queued, so later commits would overtake it.
                    let task = if has_large {
                        tokio::spawn(std::future::ready(task.await.expect("done")))
                    } else {
                        task
                    };
                    waiting.push((task, expected));
                    tokio::task::yield_now().await;
                }
                for (task, expected) in waiting {
                    assert_eq!(without_lsn(task.await.expect("no task panics")), without_lsn(expected));
                }
            }
            Action::Tidy => _ = store.tidy().await.expect("tidied"),
            Action::Restart { close, reboot, garbage } => {
                if close {
                    store.close().await.expect("closes");
                }
                drop(store);
                boot += u32::from(reboot);
                let last = folder.journal().pop().expect("a file");
                let mut last = std::fs::OpenOptions::new().append(true).open(last).expect("opens");
                last.write_all(&vec![0x70; garbage]).expect("written");
                store = folder.open_with(options(boot));
            }
        }
        both.check(&store).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_store_keeps_what_memory_keeps(actions in prop::collection::vec(any_action(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(actions));
    }
}
