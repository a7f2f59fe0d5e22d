//! Mail comes in: to one inbox or to several, all of it or nothing.

use crate::common::{Fixture, NOW, add_inbox, numbered, placing, uid};
use postroom_mailstore::{Cause, FeedEvent, MailError, MailboxRef, Origin};
use postroom_store::{CommitBuilder, MemoryStore};
use postroom_types::{InboxId, InternalDate, ModSeq, SpecialUse};

#[tokio::test]
async fn a_delivered_message_is_there_whole() {
    let f = Fixture::new().await;
    let placed = f.deliver(&numbered(1, "")).await;
    assert_eq!((placed.uid, placed.duplicate), (uid(1), false));
    let inbox = f.id("INBOX").await;
    assert_eq!(placed.mailbox, inbox);

    let status = f.mail.status(f.inbox, inbox).await.unwrap();
    assert_eq!((status.messages, status.unseen, status.deleted), (1, 1, 0));
    assert_eq!((status.uid_next, status.uid_validity), (uid(2), placed.uid_validity));

    let meta = f.mail.metadata(f.inbox, inbox, &[uid(1)], true).await.unwrap();
    assert_eq!(meta[0].summary.as_ref().unwrap().subject_text, "number 1");
    assert_eq!(meta[0].summary.as_ref(), Some(&*numbered(1, "").summary));
    assert_eq!(
        (meta[0].email_id, meta[0].internal_date),
        (placed.email_id, InternalDate::utc(NOW / 1000))
    );
    let content = f.content(placed.email_id).await.unwrap();
    assert!(content.starts_with(b"Received: from a by b\r\nMessage-ID: <m1@x>"));
    assert!(content.ends_with(b"body 1\r\n"));
    assert_eq!(meta[0].size_octets, content.len() as u64);
    assert_eq!(status.size_octets, content.len() as u64);

    let found = f.mail.content(f.inbox, placed.email_id).await.unwrap().unwrap();
    for (from, to) in [(0, 5), (20, 30), (23, 40), (40, 1 << 40), (1 << 40, 1 << 41), (7, 7)] {
        let expected = &content[content.len().min(from)..content.len().min(to)];
        let read = f.mail.read(&found, from as u64..to as u64).await.unwrap().unwrap();
        assert_eq!(read, expected, "{from}..{to}");
    }

    let feed = f.mail.feed(f.inbox, ModSeq(1), 10).await.unwrap();
    assert_eq!(
        feed[0].events,
        [FeedEvent::Appended {
            mailbox: inbox,
            last: uid(1),
            count: 1,
            cause: Cause::New(Origin::Received),
            email_id: Some(placed.email_id),
        }]
    );
    let usage = f.mail.usage(f.inbox).await.unwrap();
    assert_eq!((usage.messages, usage.octets), (1, content.len() as u64));
    let record = f.mail.message(f.inbox, placed.email_id).await.unwrap().unwrap();
    assert_eq!((record.home, record.placements), (inbox, vec![(inbox, uid(1))]));
    assert_eq!((record.verdict, record.received_at), (vec![7, 7], NOW));
    f.assert_consistent().await;
}

#[tokio::test]
async fn one_commit_delivers_to_several_inboxes() {
    let f = Fixture::new().await;
    let other = add_inbox(&f.mail, 1 << 30).await;
    let message = numbered(1, "");
    let before = f.store.stable_lsn();
    let placings = vec![
        placing(f.inbox, MailboxRef::Inbox, &message),
        placing(other, MailboxRef::Special(SpecialUse::Junk), &message),
    ];
    let placed = f.mail.deliver(&message, placings.clone()).await.unwrap();
    assert_eq!(f.store.stable_lsn().0, before.0 + 1);
    assert_eq!(placed[1].inbox, other);
    // Both read the one body, also when the first owner has let go of it.
    f.mail
        .expunge(f.inbox, placed[0].mailbox, &[placed[0].uid], false)
        .await
        .unwrap();
    let record = f.mail.message(other, placed[1].email_id).await.unwrap().unwrap();
    assert!(f.mail.read(&record.content, 0..10).await.unwrap().is_some());
    let inbox_of_other = f.mail.mailbox_id(other, "INBOX").await.unwrap();
    assert_eq!(record.home, inbox_of_other, "Spam is not a home");
    // The second try of the same delivery stores only what is missing: nothing in the other inbox.
    let again = f.mail.deliver(&message, placings).await.unwrap();
    assert_eq!((again[0].duplicate, again[0].uid), (false, uid(2)));
    assert_eq!((again[1].duplicate, again[1].uid), (true, placed[1].uid));
    f.assert_consistent().await;
    assert!(f.mail.check_consistency(other).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_inbox_or_mailbox_refuses_all() {
    let f = Fixture::new().await;
    let message = numbered(1, "");
    let nobody = InboxId::new();
    let placings = vec![
        placing(f.inbox, MailboxRef::Inbox, &message),
        placing(nobody, MailboxRef::Inbox, &message),
    ];
    let refused = f.mail.deliver(&message, placings).await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(id)) if id == nobody));
    let gone = MailboxRef::Id(postroom_types::MailboxId::new());
    let refused = f.deliver_to(&message, gone).await;
    assert!(matches!(refused, Err(MailError::NoSuchMailbox)));
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 0);
    assert!(matches!(
        f.mail.status(f.inbox, postroom_types::MailboxId::new()).await,
        Err(MailError::NoSuchMailbox)
    ));
}

#[tokio::test]
async fn a_full_store_refuses_and_goes_on() {
    let store = MemoryStore::new();
    let f = Fixture::on(store.clone()).await;
    store.set_full(true);
    let refused = f.deliver_to(&numbered(1, ""), MailboxRef::Inbox).await;
    assert!(matches!(refused, Err(MailError::Full)));
    store.set_full(false);
    f.deliver(&numbered(1, "")).await;
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_caller_can_add_to_the_commit() {
    let f = Fixture::new().await;
    let message = numbered(1, "");
    let mut with = CommitBuilder::new();
    with.put_new(b"q-item".to_vec(), vec![1]);
    let placings = || vec![placing(f.inbox, MailboxRef::Inbox, &message)];
    f.mail.deliver_with(&message, placings(), &with).await.unwrap();
    assert_eq!(f.store.get(b"q-item").await.unwrap(), Some(vec![1]));
    let other = numbered(2, "");
    let placings = vec![placing(f.inbox, MailboxRef::Inbox, &other)];
    let refused = f.mail.deliver_with(&other, placings, &with).await;
    assert!(matches!(refused, Err(MailError::Conflict(key)) if key == b"q-item"));
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 1);
    // A duplicate stores nothing, but the caller's part is done.
    let mut with = CommitBuilder::new();
    with.delete(b"q-item".to_vec());
    let placings = vec![placing(f.inbox, MailboxRef::Inbox, &message)];
    assert!(f.mail.deliver_with(&message, placings, &with).await.unwrap()[0].duplicate);
    assert_eq!(f.store.get(b"q-item").await.unwrap(), None);
}
