//! COPY and MOVE.

use crate::common::{Fixture, numbered, seen, uid};
use postroom_mailstore::{FeedEvent, FlagMode, MailError};
use postroom_types::{Flag, ModSeq, Uid};

#[tokio::test]
async fn copies_share_the_message_until_the_last_goes() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    let archive = f.id("Archive").await;
    for number in 1..=3 {
        f.deliver(&numbered(number, "")).await;
    }
    f.flag(inbox, uid(2), FlagMode::Add, Flag::Flagged).await;
    let email_id = f.mail.metadata(f.inbox, inbox, &[uid(2)], false).await.unwrap()[0].email_id;
    let copied = f
        .mail
        .copy(f.inbox, inbox, &[uid(2), uid(3), uid(8)], archive)
        .await
        .unwrap();
    assert_eq!(copied.pairs, [(uid(2), uid(1)), (uid(3), uid(2))]);
    let flags = f.mail.flags(f.inbox, archive, &[uid(1)]).await.unwrap();
    assert!(flags[0].1.system.contains(Flag::Flagged));
    let twice = f.mail.copy(f.inbox, inbox, &[uid(2)], inbox).await.unwrap();
    assert_eq!(twice.pairs, [(uid(2), uid(4))]);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 3);

    // Flags of all placements at once, for the API.
    assert!(
        f.mail
            .store_message_flags(f.inbox, email_id, FlagMode::Add, &seen())
            .await
            .unwrap()
    );
    for (mailbox, number) in [(inbox, 2), (inbox, 4), (archive, 1)] {
        let flags = f.mail.flags(f.inbox, mailbox, &[uid(number)]).await.unwrap();
        assert!(flags[0].1.system.contains(Flag::Seen));
    }
    f.assert_consistent().await;

    f.mail.expunge(f.inbox, inbox, &[uid(2), uid(4)], false).await.unwrap();
    assert!(f.content(email_id).await.is_some());
    f.mail.expunge(f.inbox, archive, &[uid(1)], false).await.unwrap();
    assert!(f.content(email_id).await.is_none());
    assert!(
        !f.mail
            .store_message_flags(f.inbox, email_id, FlagMode::Add, &seen())
            .await
            .unwrap()
    );
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 2);
    let feed = f.mail.feed(f.inbox, ModSeq(1), 100).await.unwrap();
    let FeedEvent::Expunged { gone, .. } = &feed.last().unwrap().events[0] else {
        panic!("{feed:?}")
    };
    assert_eq!(gone, &[email_id]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_large_copy_is_one_commit() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    let archive = f.id("Archive").await;
    for number in 1..=400 {
        f.deliver(&numbered(number, "")).await;
    }
    let uids: Vec<Uid> = (1..=400).map(uid).collect();
    let before = f.store.stable_lsn();
    let copied = f.mail.copy(f.inbox, inbox, &uids, archive).await.unwrap();
    assert_eq!(f.store.stable_lsn().0, before.0 + 1);
    assert_eq!((copied.pairs.len(), copied.pairs[399]), (400, (uid(400), uid(400))));
    // Moves and expunges of as many go in pieces.
    let moved = f
        .mail
        .move_messages(f.inbox, inbox, &uids[..300], archive)
        .await
        .unwrap();
    assert_eq!(
        (moved.pairs[0], moved.pairs[299]),
        ((uid(1), uid(401)), (uid(300), uid(700)))
    );
    let gone = f.mail.expunge(f.inbox, archive, &uids[..300], false).await.unwrap();
    assert_eq!(gone, uids[..300]);
    assert!(matches!(
        f.mail.expunge(f.inbox, archive, &uids, false).await,
        Err(MailError::Limit(_))
    ));
    f.assert_consistent().await;
}

#[tokio::test]
async fn moves_keep_flags_and_know_where_home_is() {
    let f = Fixture::new().await;
    let [inbox, archive, trash] = [f.id("INBOX").await, f.id("Archive").await, f.id("Trash").await];
    let placed = f.deliver(&numbered(1, "")).await;
    f.flag(inbox, uid(1), FlagMode::Add, Flag::Answered).await;
    let home = async || f.mail.message(f.inbox, placed.email_id).await.unwrap().unwrap().home;
    f.mail.move_messages(f.inbox, inbox, &[uid(1)], archive).await.unwrap();
    assert_eq!(home().await, archive);
    f.mail.move_messages(f.inbox, archive, &[uid(1)], trash).await.unwrap();
    assert_eq!(home().await, archive);
    let flags = f.mail.flags(f.inbox, trash, &[uid(1)]).await.unwrap();
    assert!(flags[0].1.system.contains(Flag::Answered));
    let same = f.mail.move_messages(f.inbox, trash, &[uid(1)], trash).await.unwrap();
    assert_eq!(same.pairs, [(uid(1), uid(2))]);
    assert_eq!(f.uids(trash).await, [2]);
    let nowhere = postroom_types::MailboxId::new();
    let refused = f.mail.move_messages(f.inbox, trash, &[uid(2)], nowhere).await;
    assert!(matches!(refused, Err(MailError::NoSuchMailbox)));
    f.assert_consistent().await;
}
