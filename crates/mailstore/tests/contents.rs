//! Where the bytes of messages are, as rows say it, for messages that came in every way.

mod common;

use bytes::Bytes;
use common::{Fixture, message, numbered, placing, uid};
use postroom_mailstore::{MailboxRef, NewMessage};
use postroom_store::{BlobPut, CommitBuilder};
use postroom_types::{BlobId, Piece, Uid};
use std::sync::Arc;

fn with_body(body: String) -> NewMessage {
    message(&format!("Subject: long\r\n\r\n{body}"))
}

fn whole(message: &NewMessage) -> Vec<u8> {
    [message.prefix.as_slice(), &message.body].concat()
}

/// How many pieces a message is read in, and that they are all of it.
async fn pieces(f: &Fixture, at: Uid, expected: &[u8]) -> usize {
    let inbox = f.id("INBOX").await;
    let mut located = f.mail.contents(f.inbox, inbox, &[at]).await.unwrap();
    let located = located.pop().expect("it is there");
    assert_eq!(located.uid, at);
    let read = f.mail.read(&located.content, 0..u64::MAX).await.unwrap();
    assert_eq!(read.as_deref(), Some(expected));
    assert_eq!(f.content(located.email_id).await.as_deref(), Some(expected));
    let some = f.mail.read(&located.content, 5..40).await.unwrap();
    assert_eq!(some.as_deref(), expected.get(5..40.min(expected.len())));
    let pieces = located.content.pieces(0..u64::MAX);
    assert!(matches!(pieces.last(), Some(Piece::Stored(_))));
    pieces.len()
}

#[tokio::test]
async fn what_is_small_is_one_piece() {
    let f = Fixture::new().await;
    let small = with_body("x".repeat(1000));
    let at = f.deliver(&small).await.uid;
    assert_eq!(pieces(&f, at, &whole(&small)).await, 1);

    let large = with_body("x".repeat(70_000));
    let at = f.deliver(&large).await.uid;
    assert_eq!(pieces(&f, at, &whole(&large)).await, 2, "it is not copied to be joined");

    let bare = NewMessage {
        prefix: Vec::new(),
        ..with_body("x".repeat(70_000))
    };
    let at = f.deliver(&bare).await.uid;
    assert_eq!(pieces(&f, at, &bare.body).await, 1);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_body_that_is_there_already_is_shared() {
    let f = Fixture::new().await;
    let mut shared = with_body("y".repeat(500));
    let blob = BlobId([9; 16]);
    shared.shared_body = Some(blob);
    let mut with = CommitBuilder::new();
    with.put(b"queue".to_vec(), vec![1]).blob(BlobPut {
        id: blob,
        bytes: shared.body.clone(),
        witness: b"queue".to_vec(),
        adopt: false,
    });
    let placings = vec![placing(f.inbox, MailboxRef::Inbox, &shared)];
    let placed = f.mail.deliver_with(&shared, placings, &with).await.unwrap();
    assert_eq!(pieces(&f, placed[0].uid, &whole(&shared)).await, 2);
    let queued = f.store.blob(blob, 0..u64::MAX).await.unwrap();
    assert_eq!(queued.as_deref(), Some(&shared.body[..]), "the queue has what it had");
    f.assert_consistent().await;
}

#[tokio::test]
async fn the_same_body_below_other_trace_fields_is_a_duplicate() {
    let f = Fixture::new().await;
    let first = numbered(1, "");
    let again = NewMessage {
        prefix: b"Received: by another way\r\n".to_vec(),
        summary: Arc::clone(&first.summary),
        body: Bytes::copy_from_slice(&first.body),
        ..numbered(1, "")
    };
    let placed = f.deliver(&first).await;
    let found = f.deliver(&again).await;
    assert!(found.duplicate);
    assert_eq!((found.uid, found.email_id), (placed.uid, placed.email_id));
    assert_eq!(pieces(&f, uid(1), &whole(&first)).await, 1);
    f.assert_consistent().await;
}

#[tokio::test]
async fn those_that_are_gone_are_left_out() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    for number in 1..=3 {
        f.deliver(&numbered(number, "")).await;
    }
    f.mail.expunge(f.inbox, inbox, &[uid(2)], false).await.unwrap();
    let all: Vec<Uid> = (1..=5).map(uid).collect();
    let located = f.mail.contents(f.inbox, inbox, &all).await.unwrap();
    let uids: Vec<Uid> = located.iter().map(|located| located.uid).collect();
    assert_eq!(uids, [uid(1), uid(3)]);
}

#[tokio::test]
async fn what_is_there_is_known_by_its_octets() {
    let f = Fixture::new().await;
    for octets in [100, 70_000] {
        let sample = message(&format!("Message-ID: <{octets}@x>\r\n\r\n{}", "x".repeat(octets)));
        f.deliver(&sample).await;
        let id = format!("{octets}@x");
        let has = async |octets: &[u8]| f.mail.has_content(f.inbox, &id, octets).await.unwrap();
        assert!(has(&sample.body).await, "as it was sent");
        assert!(has(&whole(&sample)).await, "as an export has it");
        assert!(!has(&sample.body[1..]).await);
        let other = whole(&sample).iter().map(|octet| octet ^ 1).collect::<Vec<u8>>();
        assert!(!has(&other).await, "of the same length");
        let unknown = f.mail.has_content(f.inbox, "other@x", &sample.body).await.unwrap();
        assert!(!unknown);
    }
}
