//! What is the same message, and what only looks like it.

use crate::common::{Fixture, NOW, message, numbered, placing, uid};
use crate::sent_copies::submitted;
use postroom_mailstore::{FlagMode, MailboxRef, NewMessage, Origin};
use postroom_store::CommitBuilder;
use postroom_types::{Flag, SpecialUse, Uid};

#[tokio::test]
async fn duplicates() {
    let f = Fixture::new().await;
    let first = f.deliver(&numbered(1, "")).await;
    let again = f.deliver(&numbered(1, "")).await;
    assert_eq!(
        (again.uid, again.email_id, again.duplicate),
        (first.uid, first.email_id, true)
    );
    // The same Message-ID with another body is another message.
    let other = f.deliver(&message("Message-ID: <m1@x>\r\n\r\nother\r\n")).await;
    assert!(!other.duplicate);
    // Five days later it is another message too.
    let late = NewMessage {
        received_at: NOW + 6 * 86_400_000,
        ..numbered(1, "")
    };
    let late = f.deliver(&late).await;
    assert!(!late.duplicate && late.email_id != first.email_id);
    // Without Message-ID nothing is a duplicate.
    let anonymous = message("Subject: x\r\n\r\nx\r\n");
    assert!(!f.deliver(&anonymous).await.duplicate);
    assert!(!f.deliver(&anonymous).await.duplicate);
    f.assert_consistent().await;
    let uids: Vec<Uid> = (1..=5).map(uid).collect();
    f.mail.expunge(f.inbox, first.mailbox, &uids, false).await.unwrap();
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 0);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_note_to_oneself_is_one_message_with_two_placements() {
    let f = Fixture::new().await;
    let sent = NewMessage {
        origin: Origin::Sent,
        prefix: Vec::new(),
        summary: std::sync::Arc::new(postroom_message::summarize(&numbered(1, "").body)),
        ..numbered(1, "")
    };
    let in_sent = f
        .deliver_to(&sent, MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    let in_inbox = f.deliver(&numbered(1, "")).await;
    assert_eq!(in_sent.email_id, in_inbox.email_id);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 1);
    let meta = f
        .mail
        .metadata(f.inbox, in_inbox.mailbox, &[in_inbox.uid], true)
        .await
        .unwrap();
    assert_eq!(
        meta[0].summary.as_ref(),
        Some(&*sent.summary),
        "offsets are those of the stored message"
    );
    let record = f.mail.message(f.inbox, in_sent.email_id).await.unwrap().unwrap();
    assert_eq!(record.placements.len(), 2);
    assert!(f.deliver(&numbered(1, "")).await.duplicate);
    f.assert_consistent().await;
}

#[tokio::test]
async fn what_is_submitted_twice_was_sent_twice() {
    let f = Fixture::new().await;
    let submit = |received_at| {
        let sent = NewMessage {
            origin: Origin::Sent,
            received_at,
            ..numbered(1, "")
        };
        let f = &f;
        async move {
            f.deliver_to(&sent, MailboxRef::Special(SpecialUse::Sent))
                .await
                .unwrap()
        }
    };
    let (first, second) = (submit(NOW).await, submit(NOW + 1000).await);
    assert!(!second.duplicate && second.email_id != first.email_id);
    assert_eq!(f.uids(first.mailbox).await, [1, 2]);
    // What comes back is one more placement of the first, and then it is there.
    let in_inbox = f.deliver(&numbered(1, "")).await;
    assert_eq!((in_inbox.email_id, in_inbox.duplicate), (first.email_id, true));
    let again = f.deliver(&numbered(1, "")).await;
    assert_eq!((again.email_id, again.uid), (first.email_id, in_inbox.uid));
    // After it was received, it is sent as a message of its own too; and after a week what comes back is the newest.
    let third = submit(NOW + 2000).await;
    let fourth = submit(NOW + 8 * 86_400_000).await;
    let late = NewMessage {
        received_at: NOW + 8 * 86_400_000,
        ..numbered(1, "")
    };
    assert_eq!(f.deliver(&late).await.email_id, fourth.email_id);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 4);
    assert!(!third.duplicate);
    f.assert_consistent().await;
}

#[tokio::test]
async fn what_comes_again_outlives_an_expunge_of_what_was_marked() {
    let f = Fixture::new().await;
    let first = f.deliver(&numbered(1, "")).await;
    f.flag(first.mailbox, first.uid, FlagMode::Add, Flag::Deleted).await;
    let again = f.deliver(&numbered(1, "")).await;
    assert_eq!(
        (again.uid, again.email_id, again.duplicate),
        (uid(2), first.email_id, true)
    );
    // Now it is there to stay.
    assert_eq!(f.deliver(&numbered(1, "")).await.uid, again.uid);
    f.mail
        .expunge(f.inbox, first.mailbox, &[first.uid], false)
        .await
        .unwrap();
    assert_eq!(f.uids(first.mailbox).await, [2]);
    assert!(f.content(first.email_id).await.is_some());
    f.assert_consistent().await;
    // What its owner has put into Trash or Spam is there, unless it is marked there.
    for name in ["Trash", "Spam"] {
        let (inbox, target) = (f.id("INBOX").await, f.id(name).await);
        let uids: Vec<Uid> = f.uids(inbox).await.into_iter().map(uid).collect();
        let moved = f.mail.move_messages(f.inbox, inbox, &uids, target).await.unwrap();
        let there = f.deliver(&numbered(1, "")).await;
        assert_eq!((there.mailbox, there.uid), (target, moved.pairs[0].1), "{name}");
        f.flag(target, there.uid, FlagMode::Add, Flag::Deleted).await;
        let back = f.deliver(&numbered(1, "")).await;
        assert_eq!((back.mailbox, back.email_id), (inbox, first.email_id), "{name}");
        f.assert_consistent().await;
    }
    // A copy that stays elsewhere is enough.
    let inbox = f.id("INBOX").await;
    let archive = f.id("Archive").await;
    let uids: Vec<Uid> = f.uids(inbox).await.into_iter().map(uid).collect();
    f.mail.copy(f.inbox, inbox, &uids, archive).await.unwrap();
    f.flag(inbox, uids[0], FlagMode::Add, Flag::Deleted).await;
    assert_eq!(f.deliver(&numbered(1, "")).await.mailbox, archive);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 1);
}

/// However often it is marked and comes again: what has no room for one more placement comes as a new message.
#[tokio::test]
async fn what_comes_again_and_again_is_never_refused() {
    let f = Fixture::new().await;
    let mut all = Vec::new();
    for _ in 0..103 {
        let placed = f.deliver(&numbered(1, "")).await;
        f.flag(placed.mailbox, placed.uid, FlagMode::Add, Flag::Deleted).await;
        // It came before, though it is about to go.
        let again = placing(f.inbox, MailboxRef::Inbox, &numbered(1, ""));
        assert!(f.mail.has_duplicate(&numbered(1, ""), &again).await.unwrap());
        all.push(placed.email_id);
    }
    // What comes then is one more placement of the new one.
    all.dedup();
    assert_eq!(all.len(), 2);
    f.assert_consistent().await;
}

/// Of a note to oneself the placement in Sent stays; yet what comes is to be seen in INBOX.
#[tokio::test]
async fn a_note_that_comes_again_is_placed_again() {
    let f = Fixture::new().await;
    let in_sent = f
        .deliver_to(&submitted("Bcc: a@b\r\n", ""), MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    let note = message("Message-ID: <m1@x>\r\nSubject: number 1\r\n\r\nbody 1\r\n");
    let first = f.deliver(&note).await;
    assert_eq!(f.deliver(&note).await.uid, first.uid);
    f.flag(first.mailbox, first.uid, FlagMode::Add, Flag::Deleted).await;
    let again = f.deliver(&note).await;
    assert_eq!(
        (again.email_id, again.mailbox, again.uid),
        (in_sent.email_id, first.mailbox, uid(2))
    );
    f.assert_consistent().await;
}

/// A mailbox that is deleted loses its messages only after it is gone: what comes meanwhile must not go with them.
#[tokio::test]
async fn what_is_left_of_a_deleted_mailbox_does_not_count() {
    let f = Fixture::new().await;
    let work = f.mail.create_mailbox(f.inbox, "work", None).await.unwrap();
    let first = f.deliver_to(&numbered(1, ""), MailboxRef::Id(work)).await.unwrap();
    assert_eq!(f.deliver(&numbered(1, "")).await.mailbox, work);
    let key = [b"m", &f.inbox.as_bytes()[..], b"b", work.as_bytes()].concat();
    assert!(f.store.get(&key).await.unwrap().is_some());
    let mut deletion = CommitBuilder::new();
    deletion.delete(key);
    f.store.commit(deletion.build()).await.unwrap();
    let again = f.deliver(&numbered(1, "")).await;
    assert_eq!((again.mailbox, again.email_id), (f.id("INBOX").await, first.email_id));
}
