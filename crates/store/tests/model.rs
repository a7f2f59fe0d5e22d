//! Random commits against a model that does one thing after the other on a plain map.

use postroom_store::{
    Commit, CommitBuilder, Condition, CounterRecord, Key, MemoryStore, Outcome, Patch, PatchPlace, PatchSource, Put,
    Receipt, Store, Value, scan,
};
use postroom_types::Lsn;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a commit does, step by step.
#[derive(Clone, Debug)]
enum Step {
    PutNew(u8, u8),
    Put(u8, u8),
    Replace {
        key: u8,
        old: u8,
        new: u8,
    },
    Delete(u8),
    MakeCounter(u8, u64),
    Count {
        key: u8,
        lane: usize,
        delta: i64,
    },
    /// A row named by the result of the last counter operation, with the lsn in its value.
    Row {
        minus: u64,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let (key, value) = (0..6u8, 0..3u8);
    prop_oneof![
        (key.clone(), value.clone()).prop_map(|(key, value)| Step::PutNew(key, value)),
        (key.clone(), value.clone()).prop_map(|(key, value)| Step::Put(key, value)),
        (key.clone(), value.clone(), value).prop_map(|(key, old, new)| Step::Replace { key, old, new }),
        key.clone().prop_map(Step::Delete),
        (6..9u8, 0..5u64).prop_map(|(key, start)| Step::MakeCounter(key, start)),
        (6..9u8, 0..3usize, -3..6i64).prop_map(|(key, lane, delta)| Step::Count { key, lane, delta }),
        (0..2u64).prop_map(|minus| Step::Row { minus }),
    ]
}

fn commit_of(steps: &[Step]) -> Commit {
    let mut commit = CommitBuilder::new();
    let (mut counters, mut counted, mut made) = (0, Vec::new(), Vec::new());
    for step in steps {
        match *step {
            Step::PutNew(key, value) => _ = commit.put_new(vec![key], vec![value]),
            Step::Put(key, value) => _ = commit.put(vec![key], vec![value]),
            Step::Replace { key, old, new } => _ = commit.replace(vec![key], vec![old], vec![new]),
            Step::Delete(key) => _ = commit.delete(vec![key]),
            // A record is not put and counted in one commit.
            Step::MakeCounter(key, start) if !counted.contains(&key) => {
                made.push(key);
                commit.put(vec![key], CounterRecord([start; 8]).to_value());
            }
            Step::Count { key, lane, delta } if !made.contains(&key) => {
                counted.push(key);
                counters = commit.count(vec![key], lane, delta) + 1;
            }
            Step::Row { minus } if counters > 0 => {
                let number = PatchSource::Counter(counters - 1);
                let patches = vec![
                    Patch {
                        source: number,
                        minus,
                        place: PatchPlace::Key(1),
                    },
                    Patch {
                        source: PatchSource::Lsn,
                        minus: 0,
                        place: PatchPlace::Value(0),
                    },
                ];
                commit.put_patched(vec![20; 9], vec![0; 8], patches);
            }
            Step::MakeCounter(..) | Step::Count { .. } | Step::Row { .. } => {}
        }
    }
    commit.build()
}

/// The plain map, and the last lsn.
#[derive(Clone, Default)]
struct Model {
    pairs: BTreeMap<Key, Value>,
    lsn: u64,
}

impl Model {
    /// `None`: the commit takes off more than there is, which the store calls invalid.
    fn commit(&mut self, commit: &Commit) -> Option<Outcome> {
        let mut after = self.clone();
        after.lsn += 1;
        for (key, condition) in &commit.conditions {
            let holds = match (condition, self.pairs.get(key)) {
                (Condition::Absent, found) => found.is_none(),
                (Condition::Equals(value), found) => found == Some(value),
            };
            if !holds {
                return Some(Outcome::Conflict(key.clone()));
            }
        }
        let mut numbers = Vec::new();
        for op in &commit.counters {
            let record = after
                .pairs
                .get(&op.key)
                .and_then(|value| CounterRecord::from_value(value));
            let Some(CounterRecord(mut lanes)) = record else {
                return Some(Outcome::Conflict(op.key.clone()));
            };
            let Some(number) = lanes[op.lane].checked_add_signed(op.delta) else {
                return Some(Outcome::Conflict(op.key.clone()));
            };
            lanes[op.lane] = number;
            numbers.push(number);
            after.pairs.insert(op.key.clone(), CounterRecord(lanes).to_value());
        }
        for key in &commit.deletes {
            after.pairs.remove(key);
        }
        for Put { key, value, patches } in &commit.puts {
            let (mut key, mut value) = (key.clone(), value.clone());
            for patch in patches {
                match (patch.source, patch.place) {
                    (PatchSource::Counter(index), PatchPlace::Key(at)) => {
                        let number = numbers[index].checked_sub(patch.minus)?;
                        key.splice(at..at + 8, number.to_be_bytes());
                    }
                    (PatchSource::Lsn, PatchPlace::Value(at)) => {
                        value.splice(at..at + 8, after.lsn.to_be_bytes());
                    }
                    other => panic!("{other:?} is not made here"),
                }
            }
            after.pairs.insert(key, value);
        }
        *self = after;
        Some(Outcome::Done(Receipt {
            lsn: Lsn(self.lsn),
            numbers,
        }))
    }
}

proptest! {
    #[test]
    fn the_store_does_what_the_model_does(
        commits in prop::collection::vec(prop::collection::vec(any_step(), 0..6), 1..40),
        hostile_seed: u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (store, mut model) = (MemoryStore::new(), Model::default());
        runtime.block_on(async {
            for steps in &commits {
                let commit = commit_of(steps);
                let outcome = store.commit(commit.clone()).await.ok();
                prop_assert_eq!(outcome, model.commit(&commit), "{:?}", commit);
            }
            let pairs = scan(&*store, vec![], vec![255]).collect().await.expect("a scan");
            prop_assert_eq!(pairs, model.pairs.into_iter().collect::<Vec<_>>());
            Ok(())
        })?;

        // A hostile store may refuse, but what it says it did is what the model does.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (store, mut model) = (MemoryStore::hostile(hostile_seed), Model::default());
        runtime.block_on(async {
            for (n, steps) in (0u8..).zip(&commits) {
                let mut commit = commit_of(steps);
                // So that it shows whether a commit was done.
                commit.puts.push(Put { key: vec![30, n], value: vec![1], patches: Vec::new() });
                let before = model.pairs.clone();
                let outcome = store.commit(commit.clone()).await.ok();
                let pairs: BTreeMap<_, _> =
                    scan(&*store, vec![], vec![255]).collect().await.expect("a scan").into_iter().collect();
                let expected = model.commit(&commit);
                match outcome {
                    Some(Outcome::Unknown) if pairs == before => model = Model { pairs, lsn: model.lsn - done(&expected) },
                    Some(Outcome::Unknown) => prop_assert_eq!(pairs, model.pairs.clone()),
                    Some(Outcome::Conflict(_)) => {
                        prop_assert_eq!(&pairs, &before);
                        model = Model { pairs, lsn: model.lsn - done(&expected) };
                    }
                    outcome => prop_assert_eq!(outcome, expected),
                }
            }
            Ok(())
        })?;
    }
}

fn done(outcome: &Option<Outcome>) -> u64 {
    u64::from(matches!(outcome, Some(Outcome::Done(_))))
}
