//! What is done to labels moves and marks messages.

use crate::common::{Fixture, keyword, message};
use crate::setup::{SENT, change, labels, mail, places, update};
use postroom_mailstore::{
    FeedEvent, FlagMode, LabelChange, MailError, MailboxRef, NewMessage, Origin, Placed, is_reserved_keyword,
};
use postroom_types::{EmailId, Flag, Flags, MessageFlags, SpecialUse};
use std::collections::BTreeMap;

#[tokio::test]
async fn labels_move_and_mark() {
    let f = Fixture::new().await;
    let Placed { email_id, mailbox, .. } = f.deliver(&mail(1)).await;
    assert_eq!(labels(&f, email_id).await, ["received", "unread"]);
    assert_eq!(update(&f, email_id, &["Work"], &["unread"]).await, ["received", "work"]);
    let modseq = f.mail.modseq(f.inbox).await.unwrap();
    assert_eq!(update(&f, email_id, &["work"], &["unread"]).await, ["received", "work"]);
    assert_eq!(f.mail.modseq(f.inbox).await.unwrap(), modseq, "nothing was changed");
    assert_eq!(
        update(&f, email_id, &["trash"], &[]).await,
        ["received", "trash", "work"]
    );
    assert_eq!(places(&f, email_id).await, [f.id("Trash").await]);
    assert_eq!(update(&f, email_id, &["spam"], &[]).await, ["received", "spam", "work"]);
    assert_eq!(places(&f, email_id).await, [f.id("Spam").await]);
    assert_eq!(update(&f, email_id, &[], &["spam", "work"]).await, ["received"]);
    assert_eq!(places(&f, email_id).await, [mailbox]);
    assert_eq!(
        update(&f, email_id, &["unread"], &["trash"]).await,
        ["received", "unread"]
    );
    f.assert_consistent().await;
}

#[tokio::test]
async fn they_go_home() {
    let f = Fixture::new().await;
    let sent = NewMessage {
        origin: Origin::Sent,
        ..mail(1)
    };
    let sent = f.deliver_to(&sent, SENT).await.unwrap();
    update(&f, sent.email_id, &["trash"], &[]).await;
    assert_eq!(update(&f, sent.email_id, &[], &["trash"]).await, ["sent", "unread"]);
    assert_eq!(places(&f, sent.email_id).await, [f.id("Sent").await]);

    let work = f.mail.create_mailbox(f.inbox, "work", None).await.unwrap();
    let filed = f.deliver_to(&mail(2), MailboxRef::Id(work)).await.unwrap();
    update(&f, filed.email_id, &["blocked"], &[]).await;
    update(&f, filed.email_id, &[], &["blocked"]).await;
    assert_eq!(places(&f, filed.email_id).await, [work]);
    update(&f, filed.email_id, &["spam"], &[]).await;
    f.mail.delete_mailbox(f.inbox, "work").await.unwrap();
    update(&f, filed.email_id, &[], &["spam"]).await;
    assert_eq!(
        places(&f, filed.email_id).await,
        [f.id("INBOX").await],
        "its home is no more"
    );
    // What came into Spam belongs to INBOX.
    let junk = f
        .deliver_to(&mail(3), MailboxRef::Special(SpecialUse::Junk))
        .await
        .unwrap();
    update(&f, junk.email_id, &[], &["spam"]).await;
    assert_eq!(places(&f, junk.email_id).await, [f.id("INBOX").await]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn all_placements_or_those_that_count() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let trash = f.id("Trash").await;
    f.mail
        .copy(f.inbox, placed.mailbox, &[placed.uid], trash)
        .await
        .unwrap();
    assert_eq!(
        labels(&f, placed.email_id).await,
        ["received", "unread"],
        "it is still in INBOX"
    );
    // What a client without MOVE does.
    f.flag(placed.mailbox, placed.uid, FlagMode::Add, Flag::Deleted).await;
    assert_eq!(labels(&f, placed.email_id).await, ["received", "unread", "trash"]);
    assert_eq!(
        update(&f, placed.email_id, &[], &["trash"]).await,
        ["received", "unread"]
    );
    f.mail
        .expunge(f.inbox, placed.mailbox, &[placed.uid], true)
        .await
        .unwrap();
    assert_eq!(labels(&f, placed.email_id).await, ["received", "unread"]);
    f.mail
        .copy(
            f.inbox,
            placed.mailbox,
            &f.mail
                .open_shared(f.inbox, placed.mailbox)
                .await
                .unwrap()
                .snapshot()
                .uids,
            f.id("Archive").await,
        )
        .await
        .unwrap();
    update(&f, placed.email_id, &["trash", "x"], &[]).await;
    assert_eq!(places(&f, placed.email_id).await, [trash]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_note_to_oneself_is_sent_and_received() {
    let f = Fixture::new().await;
    let sent = NewMessage {
        origin: Origin::Sent,
        ..mail(1)
    };
    let sent = f.deliver_to(&sent, SENT).await.unwrap();
    let again = f.deliver(&mail(1)).await;
    assert_eq!(again.email_id, sent.email_id);
    assert_eq!(labels(&f, sent.email_id).await, ["received", "sent", "unread"]);
}

#[tokio::test]
async fn drafts_are_drafts_alone() {
    let f = Fixture::new().await;
    let draft = f
        .deliver_to(&mail(1), MailboxRef::Special(SpecialUse::Drafts))
        .await
        .unwrap();
    assert_eq!(labels(&f, draft.email_id).await, ["draft"]);
}

#[tokio::test]
async fn keywords_of_other_programs_are_labels() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let flags = MessageFlags {
        system: Flags::NONE,
        keywords: vec![keyword("$Forwarded"), keyword("to=20do"), keyword("=61")],
    };
    f.mail
        .store_flags(f.inbox, placed.mailbox, &[placed.uid], FlagMode::Add, &flags, None)
        .await
        .unwrap();
    assert_eq!(
        labels(&f, placed.email_id).await,
        ["received", "unread", "$forwarded", "a", "to do"]
    );
    // There already, though written otherwise.
    let modseq = f.mail.modseq(f.inbox).await.unwrap();
    update(&f, placed.email_id, &["a", "To Do"], &[]).await;
    assert_eq!(f.mail.modseq(f.inbox).await.unwrap(), modseq);
    assert_eq!(
        update(&f, placed.email_id, &[], &["a", "to do"]).await,
        ["received", "unread", "$forwarded"]
    );
}

#[tokio::test]
async fn several_at_once_or_none() {
    let f = Fixture::new().await;
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(f.deliver(&mail(number)).await.email_id);
    }
    let before = f.mail.modseq(f.inbox).await.unwrap();
    let changed = f
        .mail
        .update_labels(f.inbox, &ids, &change(&["trash", "x"], &["unread"]))
        .await
        .unwrap();
    assert_eq!(changed.len(), 100);
    let rows = f.mail.feed(f.inbox, before, 100).await.unwrap();
    assert!(rows.iter().all(|row| row.lsn == rows[0].lsn), "one commit");
    // Of each it is told what it got and lost, however many rows that takes.
    let mut told: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for event in rows.iter().flat_map(|row| &row.events) {
        let FeedEvent::Labels(marks) = event else { continue };
        for mark in marks {
            *told.entry((&mark.label, mark.added)).or_default() += mark.messages.len();
        }
    }
    let expected = [(("trash", true), 100), (("unread", false), 100), (("x", true), 100)];
    assert_eq!(told, BTreeMap::from(expected));
    let gone = EmailId::new();
    let some = [ids[3], gone, ids[1], ids[3]];
    let changed = f
        .mail
        .update_labels(f.inbox, &some, &change(&[], &["trash"]))
        .await
        .unwrap();
    let order: Vec<EmailId> = changed.iter().map(|(id, _)| *id).collect();
    assert_eq!(order, [ids[3], ids[1]]);
    ids.push(gone);
    assert!(matches!(
        f.mail.update_labels(f.inbox, &ids, &change(&["y"], &[])).await,
        Err(MailError::Limit(_))
    ));
    f.assert_consistent().await;
}

#[tokio::test]
async fn what_the_server_says_is_not_for_others() {
    for label in [
        "sent",
        "Received",
        "draft",
        "unauthenticated",
        "delivered",
        "opened",
        "scheduled",
        "",
        " ",
        "a\u{1}",
    ] {
        assert!(LabelChange::new(&[label], &[]).is_err(), "{label:?}");
        assert!(LabelChange::new(&[], &[label]).is_err(), "{label:?}");
    }
    assert!(LabelChange::new(&["x".repeat(256)], &[]).is_err());
    assert!(is_reserved_keyword(&keyword("trash")) && !is_reserved_keyword(&keyword("read")));
}

#[tokio::test]
async fn deleting_is_for_good() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    f.mail
        .copy(f.inbox, placed.mailbox, &[placed.uid], f.id("Archive").await)
        .await
        .unwrap();
    assert!(f.mail.delete_message(f.inbox, placed.email_id).await.unwrap());
    assert!(!f.mail.delete_message(f.inbox, placed.email_id).await.unwrap());
    assert_eq!(f.mail.usage(f.inbox).await.unwrap().messages, 0);
    let root = f.deliver(&mail(2)).await;
    for number in 3..150 {
        let content = format!("Message-ID: <m{number}@x>\r\nIn-Reply-To: <m2@x>\r\n\r\nbody {number}\r\n");
        assert_eq!(f.deliver(&message(&content)).await.thread_id, root.thread_id);
    }
    let other = f.deliver(&mail(200)).await;
    assert_eq!(f.mail.delete_thread(f.inbox, root.thread_id).await.unwrap(), 148);
    assert_eq!(f.uids(root.mailbox).await.len(), 1);
    assert!(f.mail.message(f.inbox, other.email_id).await.unwrap().is_some());
    f.assert_consistent().await;
}
