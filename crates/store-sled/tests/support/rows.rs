//! Rows that name their bodies.

use bytes::Bytes;
use postroom_store::{BlobPut, CommitBuilder, Outcome, Receipt, Store, scan_prefix};
use postroom_store_sled::SledStore;
use postroom_types::BlobId;

/// Commits, where only "done" is right.
pub(crate) async fn done(store: &SledStore, build: impl FnOnce(&mut CommitBuilder)) -> Receipt {
    let mut commit = CommitBuilder::new();
    build(&mut commit);
    match store.commit(commit.build()).await.expect("committed") {
        Outcome::Done(receipt) => receipt,
        outcome => panic!("{outcome:?}"),
    }
}

pub(crate) fn row(n: u32) -> Vec<u8> {
    [b"row/".as_slice(), &n.to_be_bytes()].concat()
}

/// Every fiftieth has a file of its own.
pub(crate) fn body(n: u32) -> Bytes {
    let octets = if n % 50 == 7 { (1 << 20) + 9 } else { 2000 };
    (0..octets).map(|k: u32| (k.wrapping_mul(n + 1) >> 3) as u8).collect()
}

/// A row with its body; the row's value names it.
pub(crate) async fn put(store: &SledStore, n: u32) -> BlobId {
    let id = BlobId::new();
    done(store, |commit| {
        let blob = BlobPut {
            id,
            bytes: body(n),
            witness: row(n),
            adopt: false,
        };
        commit.put(row(n), id.0.to_vec()).blob(blob);
    })
    .await;
    id
}

/// The rows there are, each with its body.
pub(crate) async fn rows(store: &SledStore) -> Vec<u32> {
    let mut found = Vec::new();
    for (key, id) in scan_prefix(store, b"row/").collect().await.expect("a scan") {
        let n = u32::from_be_bytes(key[4..].try_into().expect("four octets"));
        let id = BlobId(id.try_into().expect("sixteen octets"));
        let bytes = store.blob(id, 0..u64::MAX).await.expect("answers");
        assert!(bytes == Some(body(n)), "the body of row {n}");
        found.push(n);
    }
    found
}
