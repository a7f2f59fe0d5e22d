//! Counters, and the numbers they give to keys and values.

use super::{conflicts, done, expect, get, invalid, key, receipt};
use crate::{COUNTER_LANES, CounterRecord, Patch, PatchPlace, PatchSource, SharedStore, scan_prefix};

async fn lanes(store: &SharedStore, name: &[u8]) -> [u64; COUNTER_LANES] {
    let value = get(store, name).await.expect("the record is there");
    CounterRecord::from_value(&value).expect("it is a counter record").0
}

pub(super) async fn lanes_and_bounds(store: SharedStore) {
    conflicts(&store, b"c", |commit| _ = commit.count(key("c"), 0, 1)).await;
    const TOP: u64 = (1 << 63) - 1;
    done(&store, |commit| {
        _ = commit.put(key("c"), CounterRecord([5, 0, 0, 0, 0, 0, TOP, TOP]).to_value())
    })
    .await;
    done(&store, |commit| {
        commit.count(key("c"), 0, 3);
        commit.count(key("c"), 7, -1);
        commit.count(key("c"), 0, -8);
        commit.count(key("c"), 1, i64::MAX);
    })
    .await;
    assert_eq!(lanes(&store, b"c").await, [0, TOP, 0, 0, 0, 0, TOP, TOP - 1]);

    conflicts(&store, b"c", |commit| {
        commit.count(key("c"), 7, 1);
        commit.count(key("c"), 0, -1);
    })
    .await;
    conflicts(&store, b"c", |commit| _ = commit.count(key("c"), 6, 1)).await;
    conflicts(&store, b"c", |commit| _ = commit.count(key("c"), 2, i64::MIN)).await;
    assert_eq!(
        lanes(&store, b"c").await,
        [0, TOP, 0, 0, 0, 0, TOP, TOP - 1],
        "a conflict changes nothing"
    );

    let numbers = receipt(&store, |commit| {
        commit.count(key("c"), 3, 0);
        commit.count(key("c"), 7, 0);
    })
    .await
    .numbers;
    assert_eq!(numbers, [0, TOP - 1], "the result of each operation, in order");

    done(&store, |commit| _ = commit.put(key("text"), vec![1, 2, 3])).await;
    invalid(&store, "counting on a value that is no record", |commit| {
        _ = commit.count(key("text"), 0, 1)
    })
    .await;
    invalid(&store, "put and counted", |commit| {
        commit.put(key("c"), CounterRecord::default().to_value());
        commit.count(key("c"), 0, 1);
    })
    .await;
}

pub(super) async fn patches(store: SharedStore) {
    done(&store, |commit| {
        commit.put(key("uid"), CounterRecord([41, 0, 0, 0, 0, 0, 0, 0]).to_value());
        commit.put(key("modseq"), CounterRecord([0, 900, 0, 0, 0, 0, 0, 0]).to_value());
    })
    .await;
    let receipt = receipt(&store, |commit| {
        let uid = commit.count(key("uid"), 0, 2);
        let modseq = commit.count(key("modseq"), 1, 1);
        for minus in [1, 0] {
            let number = |source, minus, place| Patch { source, minus, place };
            let patches = vec![
                number(PatchSource::Counter(uid), minus, PatchPlace::Key(4)),
                number(PatchSource::Counter(modseq), 0, PatchPlace::Value(1)),
                number(PatchSource::Lsn, 0, PatchPlace::Value(10)),
            ];
            commit.put_patched(
                [b"msg/".as_slice(), &[0xff; 8], b"/x"].concat(),
                vec![b'v'; 19],
                patches,
            );
        }
    })
    .await;
    let [uid, modseq] = receipt.numbers[..] else {
        panic!("two numbers: {receipt:?}")
    };
    let rows = scan_prefix(&*store, b"msg/").collect().await.expect("a scan");
    let expected = [uid - 1, uid].map(|uid| {
        let value = [
            b"v".as_slice(),
            &modseq.to_be_bytes(),
            b"v",
            &receipt.lsn.0.to_be_bytes(),
            b"v",
        ]
        .concat();
        ([b"msg/".as_slice(), &uid.to_be_bytes(), b"/x"].concat(), value)
    });
    assert!(uid >= 43 && modseq >= 901, "{uid} {modseq}");
    assert_eq!(rows[rows.len() - 2..], expected);

    invalid(&store, "a patch below zero", |commit| {
        let index = commit.count(key("uid"), 5, 0);
        let patch = Patch {
            source: PatchSource::Counter(index),
            minus: 1,
            place: PatchPlace::Value(0),
        };
        commit.put_patched(key("k"), vec![0; 8], vec![patch]);
    })
    .await;
}

pub(super) async fn order_of_writes(store: SharedStore) {
    done(&store, |commit| {
        _ = commit.put(key("c"), CounterRecord::default().to_value())
    })
    .await;
    done(&store, |commit| {
        commit.delete(key("k")).put(key("k"), vec![1]).put(key("k"), vec![2]);
    })
    .await;
    expect(&store, b"k", Some(&[2])).await;
    done(&store, |commit| {
        commit.count(key("c"), 0, 1);
        commit.delete(key("c"));
    })
    .await;
    expect(&store, b"c", None).await;
}
