//! Bodies and their witnesses. How long a dead one is kept is each backend's own test.

use super::{done, invalid, key};
use crate::{BlobPut, BlobReader, SharedStore};
use bytes::Bytes;
use postroom_types::BlobId;

fn put(id: BlobId, bytes: &Bytes, witness: &str) -> BlobPut {
    BlobPut {
        id,
        bytes: bytes.clone(),
        witness: key(witness),
        adopt: false,
    }
}

fn adopt(id: BlobId, witness: &str) -> BlobPut {
    BlobPut {
        id,
        bytes: Bytes::new(),
        witness: key(witness),
        adopt: true,
    }
}

async fn read(store: &SharedStore, id: BlobId, range: std::ops::Range<u64>) -> Option<Bytes> {
    store.blob(id, range).await.expect("blob answers")
}

/// A blob from some place on, read in pieces of so many octets.
async fn pieces(store: &SharedStore, id: BlobId, from: usize, octets: usize) -> Vec<u8> {
    let (mut reader, mut all) = (BlobReader::at(id, from as u64), Vec::new());
    loop {
        let piece = reader.next(&**store, octets as u64).await.expect("blob answers");
        let piece = piece.expect("it is there");
        assert!(piece.len() <= octets, "{} octets of {octets}", piece.len());
        if piece.is_empty() {
            assert!(reader.is_at(id, (from + all.len()) as u64));
            return all;
        }
        all.extend(piece);
    }
}

pub(super) async fn slices(store: SharedStore) {
    let (id, empty) = (BlobId::new(), BlobId::new());
    assert_eq!(read(&store, id, 0..10).await, None, "not there yet");
    let body = Bytes::from_static(b"0123456789");
    done(&store, |commit| {
        commit
            .put(key("m/1"), vec![1])
            .blob(put(id, &body, "m/1"))
            .blob(put(empty, &Bytes::new(), "m/1"));
    })
    .await;
    for (range, expected) in [
        (0..10, "0123456789"),
        (0..u64::MAX, "0123456789"),
        (3..5, "34"),
        (9..12, "9"),
        (10..12, ""),
        (50..60, ""),
        (4..4, ""),
    ] {
        let bytes = read(&store, id, range.clone()).await;
        assert_eq!(bytes.as_deref(), Some(expected.as_bytes()), "{range:?}");
    }
    let wanted = [(id, 3..5), (BlobId::new(), 0..4), (empty, 0..4), (id, 0..u64::MAX)];
    let found = store.blobs(&wanted).await;
    let found: Vec<_> = found.into_iter().map(|found| found.expect("blobs answers")).collect();
    let slice = |range| Some(body.slice(range));
    assert_eq!(found, [slice(3..5), None, slice(0..0), slice(0..10)], "several");
    assert_eq!(
        BlobReader::at(BlobId::new(), 0)
            .next(&*store, 10)
            .await
            .expect("answers"),
        None
    );
    assert_eq!(
        read(&store, empty, 0..9).await.as_deref(),
        Some(&[][..]),
        "an empty one is there"
    );
}

pub(super) async fn large(store: SharedStore) {
    let body: Bytes = (0..3_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let ids: Vec<_> = (0..3).map(|_| BlobId::new()).collect();
    let sizes = [1 << 20, (1 << 20) + 1, body.len()];
    done(&store, |commit| {
        commit.put(key("m/1"), vec![1]);
        for (id, octets) in ids.iter().zip(sizes) {
            commit.blob(put(*id, &body.slice(..octets), "m/"));
        }
    })
    .await;
    for (id, octets) in ids.iter().zip(sizes) {
        assert!(
            read(&store, *id, 0..octets as u64).await == Some(body.slice(..octets)),
            "{octets} whole"
        );
        let slice = read(&store, *id, 1_000_000..1_000_100).await;
        assert_eq!(slice, Some(body.slice(1_000_000..1_000_100)), "a slice of {octets}");
        for (from, most) in [(0, 300_001), (0, octets), (5, 700_000)] {
            let read = pieces(&store, *id, from, most).await;
            assert!(read == body.slice(from..octets), "{octets} from {from} on by {most}");
        }
    }
}

pub(super) async fn adoption(store: SharedStore) {
    let id = BlobId::new();
    let body = Bytes::from_static(b"shared");
    done(&store, |commit| {
        commit.put(key("a/1"), vec![1]).put(key("b/1"), vec![1]);
        commit.blob(put(id, &body, "a/")).blob(adopt(id, "b/"));
    })
    .await;
    done(&store, |commit| {
        commit
            .require(key("b/1"), vec![1])
            .put(key("c/1"), vec![1])
            .blob(adopt(id, "c/"));
    })
    .await;
    done(&store, |commit| _ = commit.delete(key("a/1")).delete(key("b/1"))).await;
    assert_eq!(read(&store, id, 0..99).await, Some(body), "alive by its third owner");

    done(&store, |commit| _ = commit.put(key("x"), vec![1])).await;
    invalid(&store, "Equals on a key that owns nothing", |commit| {
        commit
            .require(key("x"), vec![1])
            .put(key("d/1"), vec![1])
            .blob(adopt(id, "d/"));
    })
    .await;
    invalid(&store, "adopting what is not there", |commit| {
        commit.require(key("x"), vec![1]).blob(adopt(BlobId::new(), "d/"));
    })
    .await;
}
