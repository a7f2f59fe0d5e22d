//! Ranges in both directions, across short pages.

use super::{done, key};
use crate::{Key, SharedStore, Value, prefix_end, scan, scan_prefix};

fn row(n: u16) -> (Key, Value) {
    ([b"r/".as_slice(), &n.to_be_bytes()].concat(), n.to_be_bytes().to_vec())
}

pub(super) async fn pages(store: SharedStore) {
    const ROWS: u16 = 700;
    done(&store, |commit| {
        for (key, value) in (0..ROWS).map(row) {
            commit.put(key, value);
        }
        commit.put(key("q"), vec![1]).put(key("s"), vec![1]);
    })
    .await;
    let all: Vec<_> = (0..ROWS).map(row).collect();
    let backward: Vec<_> = all.iter().rev().cloned().collect();
    for pairs in [1, 7, 256, 100_000] {
        let forward = scan_prefix(&*store, b"r/")
            .page_pairs(pairs)
            .collect()
            .await
            .expect("a scan");
        assert!(forward == all, "forward by {pairs}");
        let reverse = scan_prefix(&*store, b"r/")
            .reverse()
            .page_pairs(pairs)
            .collect()
            .await
            .expect("a scan");
        assert!(reverse == backward, "in reverse by {pairs}");
    }
    for (low, high) in [(0, 0), (3, 4), (3, 90), (699, 700), (700, 720)] {
        let found = scan(&*store, row(low).0, row(high).0).collect().await.expect("a scan");
        assert_eq!(
            found,
            (low..high.min(ROWS)).map(row).collect::<Vec<_>>(),
            "{low}..{high}"
        );
        let found = scan(&*store, row(low).0, row(high).0)
            .reverse()
            .collect()
            .await
            .expect("a scan");
        assert_eq!(
            found,
            (low..high.min(ROWS)).rev().map(row).collect::<Vec<_>>(),
            "{low}..{high} in reverse"
        );
    }
    for reverse in [false, true] {
        let page = store.range(b"r/", b"r0", reverse, 10).await.expect("a page");
        assert!(
            page.more && page.pairs.len() <= 10 && page.resume.is_some(),
            "a page keeps its limit: {page:?}"
        );
        let page = store.range(b"s", b"r", reverse, 10).await.expect("a page");
        assert!(
            page.pairs.is_empty() && !page.more,
            "an inverted range is empty: {page:?}"
        );
    }
}

pub(super) async fn borders(store: SharedStore) {
    let keys = [
        vec![0],
        vec![0, 0],
        vec![5],
        vec![5, 0],
        vec![5, 255],
        vec![6],
        vec![255],
        vec![255; 256],
    ];
    done(&store, |commit| {
        keys.iter().for_each(|key| _ = commit.put(key.clone(), vec![1]));
    })
    .await;
    let found = |low: Key, high: Key| {
        let store = &store;
        async move {
            let found = scan(&**store, low, high).collect().await.expect("a scan");
            // The once-key of the commit above lies among them.
            found
                .into_iter()
                .map(|(key, _)| key)
                .filter(|key| !key.starts_with(b"once/"))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(found(vec![], prefix_end(&[])).await, keys, "everything");
    assert_eq!(found(vec![5], prefix_end(&[5])).await, keys[2..5], "low is part of it");
    assert_eq!(found(vec![5], vec![6]).await, keys[2..5], "high is not");
    assert_eq!(found(vec![255], prefix_end(&[255])).await, keys[6..], "up to the end");
    assert_eq!(found(vec![0, 0], vec![5, 0]).await, keys[1..3]);
}
