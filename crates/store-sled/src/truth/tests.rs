//! What a journal and snapshots say, against a map that has all of it.

use super::fold::Bounds;
use super::*;
use crate::index::{At, change};
use crate::journal::Journal;
use crate::record::{Op, Place, encode};
use postroom_types::BlobId;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

const STORE: [u8; 16] = [7; 16];
/// Journal files of a few records.
const ROLL_OCTETS: u64 = 300;
/// Runs of a few operations.
const BOUNDS: Bounds = Bounds {
    run_octets: 700,
    runs: 3,
};

/// A store without an index, removed on drop, and what its journal makes.
struct World {
    folder: Folder,
    journal: Journal,
    next: Lsn,
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let name = format!("postroom-truth-{}", uuid::Uuid::now_v7().simple());
        let folder = Folder::new(&std::env::temp_dir().join(name));
        folder.create().expect("made");
        let journal = Journal::create(&folder.journal(), STORE, Lsn(1), ROLL_OCTETS).expect("a journal");
        Self {
            folder,
            journal,
            next: Lsn(1),
            pairs: BTreeMap::new(),
        }
    }

    fn commit(&mut self, ops: &[Op]) {
        let mut record = Vec::new();
        let bodies_at = encode(
            &mut record,
            self.journal.seed(),
            self.next,
            self.next,
            ops,
            &[b"bodies"],
        );
        let (file, offset) = self.journal.append(&record, self.next).expect("written");
        self.next.0 += 1;
        for op in ops {
            match change(op, file, offset + bodies_at) {
                (key, Some(value)) => _ = self.pairs.insert(key, value.into_owned()),
                (key, None) => _ = self.pairs.remove(&key),
            }
        }
    }

    fn truth(&self) -> Truth<'_> {
        self.truth_unless(&|| false)
    }

    /// From the newest snapshot.
    fn truth_unless<'a>(&'a self, stop: &'a dyn Fn() -> bool) -> Truth<'a> {
        let snapshots = snapshot::list_of(&self.folder).expect("lists");
        let newest = snapshots.last().copied().unwrap_or_default();
        Truth::from_snapshot(&self.folder, STORE, newest, Lsn(self.next.0 - 1), stop).expect("lists")
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let rows = self.pairs.iter();
        rows.map(|(key, value)| Row::of(key, value).expect("a row"))
    }

    fn is_alive(&self, id: BlobId) -> bool {
        let witnesses = self.rows().filter_map(|row| match row {
            Row::Body(of, _, witness) | Row::Witness(of, witness) if of == id => Some(witness),
            _ => None,
        });
        let is_there = self.rows().any(|row| matches!(row, Row::Body(of, ..) if of == id));
        let has_owner = |witness: &[u8]| {
            self.rows()
                .any(|row| matches!(row, Row::Key(key) if key.starts_with(witness)))
        };
        is_there && witnesses.into_iter().any(has_owner)
    }

    /// All answers are those of the map.
    fn check(&self) -> Result<(), TestCaseError> {
        let truth = self.truth();
        let ids: HashSet<BlobId> = (0..IDS).map(id).collect();
        let alive = truth.alive(&ids).expect("read");
        let own = truth.own_files(&ids).expect("read");
        for id in ids {
            prop_assert_eq!(alive.contains(&id), self.is_alive(id), "{:?}", id);
            let number = self.rows().find_map(|row| match row {
                Row::Body(of, location, _) if of == id => match location.at {
                    At::Own(number) => Some(number),
                    At::Journal { .. } => None,
                },
                _ => None,
            });
            prop_assert_eq!(own.get(&id).copied(), number);
        }
        for file in list(&self.folder.journal()).expect("lists") {
            let is_covered = self
                .files_after(file)
                .is_some_and(|next| next.0 <= truth.snapshot.0 + 1);
            let holds = self.rows().any(|row| {
                matches!(row, Row::Body(_, location, _) if matches!(location.at, At::Journal { file: of, .. } if of == file))
            });
            let found = truth.bodies_in(&HashSet::from([file])).expect("read");
            prop_assert!(!is_covered || found.contains_key(&file) == holds, "{}", file);
        }
        Ok(())
    }

    fn files_after(&self, file: Lsn) -> Option<Lsn> {
        let files = list(&self.folder.journal()).expect("lists");
        files.into_iter().find(|next| *next > file)
    }

    /// The newest snapshot, with what comes after it, is the map.
    fn check_snapshot(&self) {
        let mut pairs = BTreeMap::new();
        let truth = self.truth();
        let mut reader = truth.reader().expect("opens").expect("a snapshot");
        while let Some(rows) = reader.block().expect("reads") {
            pairs.extend(rows);
        }
        let visit = &mut |record: Record| {
            for op in &record.ops {
                match change(op, record.file, record.bodies_at) {
                    (key, Some(value)) => _ = pairs.insert(key, value.into_owned()),
                    (key, None) => _ = pairs.remove(&key),
                }
            }
            Ok(())
        };
        truth.records(visit).expect("reads");
        assert!(pairs == self.pairs, "{pairs:?} is not {:?}", self.pairs);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.folder.path());
    }
}

const IDS: u8 = 6;

fn id(n: u8) -> BlobId {
    BlobId([n; 16])
}

/// Few keys, some of them the beginnings of others.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(0..3u8, 1..4)
}

fn op() -> impl Strategy<Value = Op> {
    let id = || (0..IDS).prop_map(id);
    let place = prop_oneof![(0..50u64).prop_map(Place::Inline), (0..4u64).prop_map(Place::Own)];
    prop_oneof![
        4 => (key(), vec(0..9u8, 0..40)).prop_map(|(key, value)| Op::Put(key, value)),
        4 => key().prop_map(Op::Delete),
        3 => (id(), key(), place).prop_map(|(id, witness, place)| Op::Body { id, witness, place, octets: 3, crc: 9 }),
        1 => (id(), key()).prop_map(|(id, witness)| Op::Witness { id, witness }),
        1 => id().prop_map(Op::Forget),
        1 => (id(), key()).prop_map(|(id, witness)| Op::Unwitness { id, witness }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn snapshots_and_answers_are_those_of_a_map(
        eras in vec(vec(vec(op(), 1..6), 1..30), 1..4),
    ) {
        let mut world = World::new();
        for commits in eras {
            for ops in &commits {
                world.commit(ops);
            }
            world.check()?;
            let snapshot = world.truth().take_snapshot_within(BOUNDS, 0).expect("taken");
            prop_assert_eq!(snapshot.0 + 1, world.next.0);
            world.check_snapshot();
            world.check()?;
        }
        let folder = std::fs::read_dir(world.folder.snapshots()).expect("a folder");
        let is_left = folder.map(|entry| entry.expect("an entry").file_name()).any(|name| name == "unfinished");
        prop_assert!(!is_left);
    }
}

#[test]
fn what_is_missing_or_damaged_is_an_error_and_never_an_answer() {
    let mut world = World::new();
    let ids = HashSet::from([id(1)]);
    let put = |n: u8| Op::Put(vec![n; 9], vec![n; 200]);
    for n in 0..9 {
        world.commit(&[put(n)]);
    }
    // More than was written; and a file that is gone.
    world.next.0 += 1;
    assert!(matches!(world.truth().alive(&ids), Err(OpenError::Corrupt { .. })));
    world.next.0 -= 1;
    let taken = world.truth().take_snapshot(0).expect("taken");
    assert_eq!(taken, Lsn(9));
    for n in 0..9 {
        world.commit(&[put(n)]);
    }
    assert!(world.truth().alive(&ids).expect("read").is_empty());
    let files = list(&world.folder.journal()).expect("lists");
    let path = crate::journal::file_path(&world.folder.journal(), files[files.len() - 2]);
    let aside = world.folder.path().join("aside");
    std::fs::rename(&path, &aside).expect("moved");
    assert!(matches!(
        world.truth().bodies_in(&HashSet::new()),
        Err(OpenError::Corrupt { .. })
    ));
    assert!(world.truth().take_snapshot(0).is_err());
    std::fs::rename(&aside, &path).expect("moved");

    let snapshot = snapshot::path_of(&world.folder.snapshots(), taken);
    let mut bytes = std::fs::read(&snapshot).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&snapshot, bytes).expect("written");
    assert!(matches!(
        world.truth().bodies_in(&HashSet::new()),
        Err(OpenError::Corrupt { .. })
    ));
    assert!(world.truth().take_snapshot(0).is_err());
    assert_eq!(snapshot::list(&world.folder.snapshots()).expect("lists"), [taken]);

    let stopped = world.truth_unless(&|| true);
    assert!(stopped.alive(&ids).is_err());
}

#[test]
fn without_room_there_is_no_snapshot_and_nothing_left_of_it() {
    let mut world = World::new();
    for n in 0..9 {
        world.commit(&[Op::Put(vec![n; 9], vec![n; 200])]);
    }
    match world.truth().take_snapshot(u64::MAX) {
        Err(OpenError::Io { error, .. }) => assert_eq!(error.kind(), io::ErrorKind::StorageFull),
        other => panic!("{other:?}"),
    }
    let mut left = std::fs::read_dir(world.folder.snapshots()).expect("a folder");
    assert!(left.next().is_none());
    // Nor does it begin with another file while it is made.
    let path = world.folder.path().join("run");
    let begun = snapshot::Writer::create(&path, STORE, Lsn(0), u64::MAX).map(drop);
    assert_eq!(begun.expect_err("no room").kind(), io::ErrorKind::StorageFull);
}
