//! Comparing while much more is written than is remembered at once, and with a snapshot that does not read.

use super::*;
use crate::committer::Request;
use crate::index::Index;
use crate::{Options, SledStore, lock, snapshot};
use postroom_store::{CommitBuilder, Outcome, Store};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// A store, removed on drop.
struct World {
    path: PathBuf,
    // Before the store, which ends when nobody can ask its committer any more.
    queue: mpsc::Sender<Request>,
    index: Arc<Index>,
    store: Arc<SledStore>,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("postroom-compare-{}", uuid::Uuid::now_v7().simple()));
        let options = Options {
            min_free_octets: 0,
            roll_octets: 4 << 10,
            snapshot_octets: 0,
            ..Options::default()
        };
        let store = SledStore::open(&path, options, |_| ()).expect("opens");
        let queue = lock(&store.queue).clone().expect("open");
        Self {
            runtime: Runtime::new().expect("a runtime"),
            index: store.index().expect("open"),
            queue,
            store,
            path,
        }
    }

    /// Writes every so-many-th row, in one commit.
    fn write(&self, step: u32, value: u8) {
        self.commit(|commit| {
            for n in (0..2000_u32).filter(|n| n.is_multiple_of(step)) {
                commit.put(n.to_be_bytes().to_vec(), vec![value; 20]);
            }
        });
    }

    fn commit(&self, build: impl FnOnce(&mut CommitBuilder)) {
        let mut commit = CommitBuilder::new();
        commit.bulk();
        build(&mut commit);
        let outcome = self.runtime.block_on(self.store.commit(commit.build()));
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    }

    /// Takes a snapshot.
    fn tidy(&self) {
        let tidied = self.runtime.block_on(self.store.tidy());
        assert!(tidied.expect("tidied").snapshot);
    }

    fn snapshots(&self) -> Vec<Lsn> {
        snapshot::list(&self.store.folder.snapshots()).expect("lists")
    }

    fn round(&self) -> Round<'_> {
        Round {
            keeper: &self.store.keeper,
            index: &self.index,
            bodies: &self.store.bodies,
            queue: &self.queue,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[test]
fn what_was_just_written_hides_no_lie() {
    let world = World::new();
    world.write(2, 1);
    world.write(3, 2);
    world.tidy();
    // Others, beside and as they were, by the time that the index is read.
    world.write(1, 3);
    world.commit(|commit| _ = commit.delete(0_u32.to_be_bytes().to_vec()));
    let newest = world.snapshots()[0];
    for octets in [5000, 80_000, usize::MAX] {
        world.round().compare_within(newest, octets).expect("no lie");
    }
    assert!(!world.store.shared.has_failed());
    // The last of all rows, beside.
    let last = [b"k".as_slice(), &[0xff; 9]].concat();
    world.index.load(vec![(last, b"more".to_vec())]).expect("written");
    assert!(world.round().compare_within(newest, 5000).is_err());
    assert!(world.store.shared.has_failed());
}

#[test]
fn a_snapshot_that_does_not_read_as_it_was_written_goes() {
    let world = World::new();
    world.write(1, 1);
    world.tidy();
    let taken = world.snapshots()[0];
    let path = path_of(&world.store.folder.snapshots(), taken);
    let mut damaged = std::fs::read(&path).expect("read");
    let place = damaged.len() / 2;
    damaged[place] ^= 1;
    std::fs::write(&path, damaged).expect("written");
    assert!(world.round().compare(taken).is_err());
    assert!(!world.store.shared.has_failed(), "the index does not lie");
    assert!(world.snapshots().is_empty());
    world.tidy();
    assert_eq!(world.snapshots(), [taken]);
}
