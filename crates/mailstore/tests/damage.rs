//! `check_consistency` finds what it is for: each row of a healthy inbox is removed or bent in turn, and every time
//! something is said. And what is damaged hides nothing else.

mod common;

use common::{Fixture, message, numbered, uid};
use postroom_mailstore::{FlagMode, ListQuery, MailboxRef};
use postroom_store::{
    BoxFuture, Commit, CommitBuilder, Front, MemoryStore, Outcome, SharedStore, Store, StoreError, scan_prefix,
};
use postroom_types::{BlobId, Flag, SearchKey, SortBy, SortKey, SpecialUse};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// An inbox with a little of everything.
async fn healthy() -> Fixture {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    let archive = f.id("Archive").await;
    for number in 1..=4 {
        f.deliver(&numbered(number, "<m1@x>")).await;
    }
    f.deliver_to(&numbered(9, ""), MailboxRef::Special(SpecialUse::Junk))
        .await
        .unwrap();
    f.flag(inbox, uid(2), FlagMode::Add, Flag::Seen).await;
    f.mail.copy(f.inbox, inbox, &[uid(2), uid(3)], archive).await.unwrap();
    f.mail.move_messages(f.inbox, inbox, &[uid(4)], archive).await.unwrap();
    f.mail.expunge(f.inbox, inbox, &[uid(1)], false).await.unwrap();
    f.mail.create_mailbox(f.inbox, "a/b", None).await.unwrap();
    f.assert_consistent().await;
    f
}

async fn faults(f: &Fixture) -> Vec<String> {
    f.mail.check_consistency(f.inbox).await.unwrap()
}

/// Rows whose loss is no damage: a subscription; the result of a COPY; an expunge that is forgotten early; a
/// Message-ID row, which an older message may have kept; the first and the last feed rows are checked below.
const HARMLESS: &[u8] = b"soxij";

#[tokio::test]
async fn every_missing_row_is_found() {
    let f = healthy().await;
    let rows = scan_prefix(&*f.store, b"m").collect().await.unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for (key, value) in rows {
        let kind = key[17];
        kinds.insert(kind);
        let mut builder = CommitBuilder::new();
        builder.delete(key.clone());
        f.store.commit(builder.build()).await.unwrap();
        let found = faults(&f).await;
        assert!(
            !found.is_empty() || HARMLESS.contains(&kind),
            "missing {}",
            key.escape_ascii()
        );
        let mut builder = CommitBuilder::new();
        builder.put(key.clone(), value.clone());
        f.store.commit(builder.build()).await.unwrap();
    }
    assert_eq!(kinds, b"#!bcdefhijostvx".iter().copied().collect());
}

#[tokio::test]
async fn every_bent_value_is_found() {
    let f = healthy().await;
    let rows = scan_prefix(&*f.store, b"m").collect().await.unwrap();
    for (key, value) in rows {
        for bent in [Vec::new(), vec![99; value.len()], [value.clone(), vec![0]].concat()] {
            let mut builder = CommitBuilder::new();
            builder.put(key.clone(), bent.clone());
            f.store.commit(builder.build()).await.unwrap();
            // Rows whose key says everything have no value to bend.
            let says_all = key[17] == b't';
            assert!(
                !faults(&f).await.is_empty() || says_all,
                "{} = {bent:?}",
                key.escape_ascii()
            );
        }
        let mut builder = CommitBuilder::new();
        builder.put(key.clone(), value.clone());
        f.store.commit(builder.build()).await.unwrap();
    }
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_gap_in_the_feed_is_found() {
    let f = healthy().await;
    let prefix = [b"m".as_slice(), f.inbox.as_bytes(), b"j"].concat();
    let rows = scan_prefix(&*f.store, &prefix).collect().await.unwrap();
    for (key, said) in [(&rows[3].0, "gap"), (&rows[rows.len() - 1].0, "ends")] {
        let mut builder = CommitBuilder::new();
        builder.delete(key.clone());
        f.store.commit(builder.build()).await.unwrap();
        assert!(faults(&f).await.iter().any(|fault| fault.contains(said)), "{said}");
    }
}

#[tokio::test]
async fn what_is_kept_twice_is_compared() {
    let f = healthy().await;
    let inbox = f.id("INBOX").await;
    let prefix = [b"m".as_slice(), f.inbox.as_bytes(), b"f", inbox.as_bytes()].concat();
    let (key, value) = scan_prefix(&*f.store, &prefix).collect().await.unwrap().remove(0);
    // Version, modseq, flags, email id; then date, its zone, and size.
    for at in [26, 33, 34, 35] {
        let mut other = value.clone();
        other[at] ^= 1;
        let mut builder = CommitBuilder::new();
        builder.put(key.clone(), other);
        f.store.commit(builder.build()).await.unwrap();
        assert!(
            faults(&f).await.iter().any(|fault| fault.contains("date or size")),
            "{at}"
        );
    }
}

#[tokio::test]
async fn a_wrong_body_is_found() {
    let f = healthy().await;
    let prefix = [b"m".as_slice(), f.inbox.as_bytes(), b"e"].concat();
    let (key, value) = scan_prefix(&*f.store, &prefix).collect().await.unwrap().remove(0);
    let record = &f.mail.messages(f.inbox, None, 100).await.unwrap().pop().unwrap();
    let BlobId(blob) = record.content.blob;
    let at = value.windows(16).position(|window| window == blob).unwrap();
    let mut other = value.clone();
    other[at] ^= 1;
    let mut builder = CommitBuilder::new();
    builder.put(key.clone(), other);
    f.store.commit(builder.build()).await.unwrap();
    assert!(faults(&f).await.iter().any(|fault| fault.contains("body is gone")));
    let mut other = value.clone();
    let hash = at + 17;
    other[hash + 5] ^= 1;
    let mut builder = CommitBuilder::new();
    builder.put(key, other);
    f.store.commit(builder.build()).await.unwrap();
    assert!(
        faults(&f)
            .await
            .iter()
            .any(|fault| fault.contains("not what was stored"))
    );
}

#[tokio::test]
async fn a_row_of_an_unknown_kind_is_found() {
    let f = healthy().await;
    let mut builder = CommitBuilder::new();
    builder.put([b"m".as_slice(), f.inbox.as_bytes(), b"?"].concat(), vec![1]);
    f.store.commit(builder.build()).await.unwrap();
    assert_eq!(faults(&f).await.len(), 1);
}

/// A store that has lost some blobs.
struct Losing {
    store: SharedStore,
    /// Those of each commit that has any.
    put: Mutex<Vec<Vec<BlobId>>>,
    lost: Mutex<BTreeSet<BlobId>>,
}

impl Front for Losing {
    fn behind(&self) -> &dyn Store {
        &*self.store
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<bytes::Bytes>, StoreError>> {
        if self.lost.lock().unwrap().contains(&id) {
            return Box::pin(async { Err(StoreError::Corrupt("lost".into())) });
        }
        self.store.blob(id, range)
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        if !commit.blobs.is_empty() {
            let ids = commit.blobs.iter().map(|blob| blob.id).collect();
            self.put.lock().unwrap().push(ids);
        }
        self.store.commit(commit)
    }
}

/// Of five messages the body of one is lost, and the summary of another, which is too long for its row.
#[tokio::test]
async fn what_is_lost_hides_nothing_else() {
    let store = Arc::new(Losing {
        store: MemoryStore::new(),
        put: Mutex::default(),
        lost: Mutex::default(),
    });
    let f = Fixture::on(store.clone()).await;
    let to: Vec<String> = (0..200).map(|number| format!("a{number}@example.net")).collect();
    let long = format!("To: {}\r\nSubject: number 3\r\n\r\nbody 3\r\n", to.join(",\r\n "));
    for sample in [
        numbered(1, ""),
        numbered(2, ""),
        message(&long),
        numbered(4, ""),
        numbered(5, ""),
    ] {
        f.deliver(&sample).await;
    }
    let body_of_3 = f.mail.messages(f.inbox, None, 100).await.unwrap()[2].content.blob;
    let put = store.put.lock().unwrap().clone();
    assert_eq!(put[1].len(), 1);
    let (body, summary) = (put[1][0], *put[2].iter().find(|id| **id != body_of_3).unwrap());
    store.lost.lock().unwrap().extend([body, summary]);

    let inbox = f.id("INBOX").await;
    let shared = f.mail.open_shared(f.inbox, inbox).await.unwrap();
    let all: Vec<_> = (1..=5).map(uid).collect();
    let by_size = [SortKey {
        by: SortBy::Size,
        reverse: false,
    }];
    for (program, expected) in [
        (SearchKey::Text("body".into()), vec![uid(1), uid(4), uid(5)]),
        (SearchKey::Body("number".into()), vec![]),
        (
            SearchKey::Header {
                name: "References".into(),
                text: String::new(),
            },
            vec![uid(1), uid(4), uid(5)],
        ),
    ] {
        // Twice: with columns that are made for it, and with those.
        for _ in 0..2 {
            let found = f.mail.search(&shared, &all, &program).await.unwrap();
            assert_eq!(found.uids, expected, "{program:?}");
            let sorted = f.mail.sort(&shared, &all, &program, &by_size).await.unwrap();
            assert_eq!(sorted.uids, expected, "{program:?}");
        }
    }
    let stored = f.mail.stored_metadata(f.inbox, inbox, &all).await.unwrap();
    let readable = stored
        .iter()
        .filter(|meta| meta.summary.envelope().is_ok())
        .map(|meta| meta.uid);
    assert_eq!(readable.collect::<Vec<_>>(), [1, 2, 4, 5].map(uid));
    assert_eq!(stored.len(), 5);
    let metadata = f.mail.metadata(f.inbox, inbox, &all, true).await.unwrap();
    assert_eq!(
        metadata.iter().map(|meta| meta.uid).collect::<Vec<_>>(),
        [1, 2, 4, 5].map(uid)
    );
    let page = f.mail.list(f.inbox, &ListQuery::default(), None, 100).await.unwrap();
    assert_eq!(page.messages.len(), 4);

    let faults = faults(&f).await;
    assert_eq!(faults.len(), 2, "{faults:?}");
    for what in ["its body is damaged", "its long summary is damaged"] {
        assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
    }
}
