//! The server dies after any commit of any operation: what is left is consistent, and upkeep finishes what was begun.

mod common;

use common::{Fixture, numbered, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef, Mailstore, NewMessage, Options, Origin};
use postroom_store::{BoxFuture, Commit, Front, MemoryStore, Outcome, SharedStore, Store, StoreError};
use postroom_types::{InboxId, InternalDate, Uid};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A store that dies after so many commits.
struct Mortal {
    inner: SharedStore,
    left: AtomicUsize,
}

impl Front for Mortal {
    fn behind(&self) -> &dyn Store {
        &*self.inner
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        let alive = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, alive) {
            Ok(_) => self.inner.commit(commit),
            Err(_) => Box::pin(async { Err(StoreError::Unavailable("dead".into())) }),
        }
    }
}

/// Messages in INBOX: more than one commit holds.
const MESSAGES: u32 = 130;

async fn begin() -> (Arc<MemoryStore>, Fixture) {
    let store = MemoryStore::new();
    let f = Fixture::on(store.clone()).await;
    for number in 1..=MESSAGES {
        f.deliver(&numbered(number, "<m1@x>")).await;
    }
    f.mail.create_mailbox(f.inbox, "work/kid", None).await.unwrap();
    (store, f)
}

/// Does an operation on a store that dies after 0, 1, 2, … commits, until it lives through it.
async fn try_all<F>(messages_after: [u64; 2], operation: F)
where
    F: AsyncFn(&Mailstore, InboxId) -> Result<(), MailError>,
{
    for commits in 0.. {
        let (store, f) = begin().await;
        let mortal = Arc::new(Mortal {
            inner: store,
            left: AtomicUsize::new(commits),
        });
        let result = operation(&Mailstore::new(mortal, Options::default()), f.inbox).await;
        // Started again on what is left.
        f.mail.maintain(f.inbox, 1000).await.unwrap();
        f.assert_consistent().await;
        let count = f.mail.count(f.inbox).await.unwrap();
        assert!(
            (messages_after[0]..=messages_after[1]).contains(&count),
            "{count} messages after {commits} commits"
        );
        match result {
            Ok(()) => return assert!(commits > 0),
            Err(MailError::Store(StoreError::Unavailable(_))) => assert!(commits < 20),
            Err(other) => panic!("{other}"),
        }
    }
}

fn all() -> Vec<Uid> {
    (1..=MESSAGES).map(uid).collect()
}

#[tokio::test]
async fn dying_while_mail_comes_in() {
    try_all([130, 131], async |mail, inbox| {
        let message = numbered(999, "");
        let placing = common::placing(inbox, MailboxRef::Inbox, &message);
        mail.deliver(&message, vec![placing]).await.map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn dying_while_messages_move() {
    try_all([130, 130], async |mail, inbox| {
        let source = mail.mailbox_id(inbox, "INBOX").await?;
        let target = mail.mailbox_id(inbox, "work").await?;
        mail.store_flags(inbox, source, &all(), FlagMode::Add, &seen(), None)
            .await?;
        mail.copy(inbox, source, &all()[..40], target).await?;
        mail.move_messages(inbox, source, &all(), target).await.map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn dying_while_messages_go() {
    try_all([0, 130], async |mail, inbox| {
        let source = mail.mailbox_id(inbox, "INBOX").await?;
        mail.expunge(inbox, source, &all(), false).await.map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn dying_while_a_mailbox_is_deleted() {
    try_all([1, 130], async |mail, inbox| {
        let source = mail.mailbox_id(inbox, "INBOX").await?;
        let target = mail.mailbox_id(inbox, "work/kid").await?;
        mail.copy(inbox, source, &all()[..1], mail.mailbox_id(inbox, "Archive").await?)
            .await?;
        mail.move_messages(inbox, source, &all(), target).await?;
        mail.delete_mailbox(inbox, "work/kid").await.map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn dying_while_inbox_is_renamed() {
    try_all([130, 130], async |mail, inbox| {
        mail.rename_mailbox(inbox, "work", "play/work").await?;
        mail.rename_mailbox(inbox, "INBOX", "old").await
    })
    .await;
}

/// What is done in one commit, however large, is there or it is not.
#[tokio::test]
async fn dying_while_thousands_are_copied() {
    try_all([130, 1331], async |mail, inbox| {
        let source = mail.mailbox_id(inbox, "INBOX").await?;
        let target = mail.mailbox_id(inbox, "Archive").await?;
        let new = |number| {
            (
                NewMessage {
                    origin: Origin::Imported,
                    ..numbered(number, "")
                },
                seen(),
                InternalDate::default(),
            )
        };
        let messages: Vec<_> = (1000..2200).map(new).collect();
        let uids = match mail.append_many(inbox, "INBOX", &messages, None).await {
            Ok((_, uids)) => uids,
            Err(error) => {
                assert_eq!(mail.count(inbox).await?, 130);
                return Err(error);
            }
        };
        let copied = mail.copy(inbox, source, &uids, target).await;
        let there = mail.status(inbox, target).await?.messages;
        assert_eq!(there, if copied.is_ok() { 1200 } else { 0 });
        let replaced = mail
            .append_many(inbox, "Trash", &messages[..1], Some((target, uid(1))))
            .await;
        let trash = mail.mailbox_id(inbox, "Trash").await?;
        let counts = [
            mail.status(inbox, trash).await?.messages,
            mail.status(inbox, target).await?.messages,
        ];
        assert!(copied.is_err() || counts == [0, 1200] || counts == [1, 1199]);
        copied?;
        mail.expunge(inbox, source, &uids[..300], false).await?;
        replaced.map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn a_deletion_begun_before_death_is_finished() {
    let (store, f) = begin().await;
    let inbox = f.id("INBOX").await;
    let kid = f.id("work/kid").await;
    f.mail.move_messages(f.inbox, inbox, &all(), kid).await.unwrap();
    let mortal = Arc::new(Mortal {
        inner: store,
        left: AtomicUsize::new(2),
    });
    let dying = Mailstore::new(mortal, Options::default());
    assert!(dying.delete_mailbox(f.inbox, "work/kid").await.is_err());
    // Half of it is done; the mailbox is gone at once, its messages are not.
    assert!(matches!(
        f.mail.mailbox_id(f.inbox, "work/kid").await,
        Err(MailError::NoSuchMailbox)
    ));
    let left = f.mail.count(f.inbox).await.unwrap();
    assert!(left > 0 && left < u64::from(MESSAGES));
    f.assert_consistent().await;
    f.mail.maintain(f.inbox, 1000).await.unwrap();
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 0);
    f.assert_consistent().await;
}
