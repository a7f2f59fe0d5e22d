//! `check_consistency` finds what it is for: each row of a healthy inbox is removed or bent in turn, and every time
//! something is said.

mod common;

use common::{Fixture, numbered, uid};
use postroom_mailstore::{FlagMode, MailboxRef};
use postroom_store::{CommitBuilder, scan_prefix};
use postroom_types::Flag;
use postroom_types::{BlobId, SpecialUse};

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
