//! What is told of labels.

use crate::common::{Fixture, keyword};
use crate::setup::{mail, update};
use postroom_mailstore::FlagMode;
use postroom_types::{Flag, MessageFlags};

/// Labels are those of the whole message: what is done to one of two placements may change none, or others.
#[tokio::test]
async fn label_events_are_of_the_whole_message() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let (inbox, archive, trash) = (placed.mailbox, f.id("Archive").await, f.id("Trash").await);
    let copy = f.mail.copy(f.inbox, inbox, &[placed.uid], archive).await.unwrap().pairs[0].1;
    let mut seen = None;
    let mut check = async |f: &Fixture, expected: &[&str]| {
        let page = f.mail.label_events(f.inbox, seen, true, 100).await.unwrap();
        let told: Vec<String> = page
            .events
            .iter()
            .map(|event| format!("{}{}", if event.added { "+" } else { "-" }, event.label))
            .collect();
        seen = page.events.last().map(|event| event.place).or(seen);
        assert_eq!(told, expected);
    };
    check(&f, &[]).await;
    // One of two goes to Trash: the message is not there, since the other is not.
    let moved = f
        .mail
        .move_messages(f.inbox, inbox, &[placed.uid], trash)
        .await
        .unwrap();
    check(&f, &[]).await;
    f.flag(archive, copy, FlagMode::Add, Flag::Seen).await;
    check(&f, &["-unread"]).await;
    // The other one too: it was read already.
    f.flag(trash, moved.pairs[0].1, FlagMode::Add, Flag::Seen).await;
    f.flag(archive, copy, FlagMode::Remove, Flag::Seen).await;
    check(&f, &[]).await;
    // What is marked as deleted does not count, and then it is gone.
    f.flag(archive, copy, FlagMode::Add, Flag::Deleted).await;
    check(&f, &["+trash"]).await;
    f.mail.expunge(f.inbox, archive, &[copy], true).await.unwrap();
    check(&f, &[]).await;
    f.mail.copy(f.inbox, trash, &[moved.pairs[0].1], inbox).await.unwrap();
    check(&f, &["-trash"]).await;
}

/// What is done to labels by any face is told, once, newest first or oldest first, page by page.
#[tokio::test]
async fn label_events() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let id = placed.email_id;
    // A mail client marks it read and flags it with a keyword, then throws it away.
    f.flag(placed.mailbox, placed.uid, FlagMode::Add, Flag::Seen).await;
    let keyword = MessageFlags {
        keywords: vec![keyword("later")],
        ..MessageFlags::default()
    };
    let uids = [placed.uid];
    f.mail
        .store_flags(f.inbox, placed.mailbox, &uids, FlagMode::Add, &keyword, None)
        .await
        .unwrap();
    let trash = f.id("Trash").await;
    f.mail
        .move_messages(f.inbox, placed.mailbox, &uids, trash)
        .await
        .unwrap();
    // The API takes it back, and marks it unread.
    update(&f, id, &["unread", "urgent"], &["trash", "later"]).await;

    let expected = ["-unread", "+later", "+trash", "-later", "-trash", "+unread", "+urgent"];
    for ascending in [true, false] {
        for limit in [1, 2, 100] {
            let (mut told, mut after) = (Vec::new(), None);
            loop {
                let page = f.mail.label_events(f.inbox, after, ascending, limit).await.unwrap();
                assert!(page.events.len() <= limit);
                for event in &page.events {
                    assert_eq!(event.message, id);
                    told.push(format!("{}{}", if event.added { "+" } else { "-" }, event.label));
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            if !ascending {
                told.reverse();
            }
            // Within one commit the order says nothing.
            assert_eq!(told[..3], expected[..3], "{ascending} {limit}");
            told[3..].sort();
            let mut rest = expected[3..].to_vec();
            rest.sort_unstable();
            assert_eq!(told[3..], rest, "{ascending} {limit}");
        }
    }
    f.assert_consistent().await;
}
