//! An inbox from its making to its end.

use crate::common::{Fixture, add_inbox, numbered, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef};
use postroom_store::CommitBuilder;
use postroom_types::SpecialUse;

#[tokio::test]
async fn a_new_inbox_has_its_mailboxes() {
    let f = Fixture::new().await;
    let found = f.mail.mailboxes(f.inbox).await.unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|info| (info.name.as_str(), info.special_use, info.subscribed))
        .collect();
    assert_eq!(
        names,
        [
            ("Archive", Some(SpecialUse::Archive), true),
            ("Blocked", None, true),
            ("Drafts", Some(SpecialUse::Drafts), true),
            ("INBOX", None, true),
            ("Sent", Some(SpecialUse::Sent), true),
            ("Spam", Some(SpecialUse::Junk), true),
            ("Trash", Some(SpecialUse::Trash), true),
        ]
    );
    let mut validities: Vec<_> = found.iter().map(|info| info.uid_validity).collect();
    validities.sort_unstable();
    validities.dedup();
    assert_eq!(validities.len(), 7);
    f.assert_consistent().await;
}

#[tokio::test]
async fn one_message_over_quota_is_taken() {
    let f = Fixture::new().await;
    f.mail.set_quota(f.inbox, 10).await.unwrap();
    f.deliver(&numbered(1, "")).await;
    let refused = f.deliver_to(&numbered(2, ""), MailboxRef::Inbox).await;
    assert!(matches!(refused, Err(MailError::OverQuota(inbox)) if inbox == f.inbox));
    assert_eq!(f.mail.usage(f.inbox).await.unwrap().quota_octets, 10);
    // What is there already needs no room.
    assert!(f.deliver(&numbered(1, "")).await.duplicate);
    f.mail
        .expunge(f.inbox, f.id("INBOX").await, &[uid(1)], false)
        .await
        .unwrap();
    f.deliver(&numbered(2, "")).await;
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_removed_inbox_refuses_and_is_purged() {
    let f = Fixture::new().await;
    let other = add_inbox(&f.mail, 1 << 30).await;
    let placed = f.deliver(&numbered(1, "")).await;
    let shared = f.mail.open_shared(f.inbox, placed.mailbox).await.unwrap();
    assert!(matches!(
        f.mail.purge_inbox(f.inbox, 10).await,
        Err(MailError::Cannot(_))
    ));
    let mut builder = CommitBuilder::new();
    f.mail.remove_inbox(&mut builder, f.inbox);
    f.store.commit(builder.build()).await.unwrap();
    let refused = f.deliver_to(&numbered(2, ""), MailboxRef::Inbox).await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(_))));
    let refused = f.mail.refresh(&shared).await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(_))));
    assert!(matches!(
        f.mail.mailboxes(f.inbox).await,
        Err(MailError::NoSuchInbox(_))
    ));
    let refused = f
        .mail
        .store_flags(f.inbox, placed.mailbox, &[uid(1)], FlagMode::Add, &seen(), None)
        .await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(_))));
    while !f.mail.purge_inbox(f.inbox, 10).await.unwrap() {}
    let left = postroom_store::scan_prefix(&*f.store, b"m").collect().await.unwrap();
    assert!(left.iter().all(|(key, _)| key[1..17] == *other.as_bytes()));
}
