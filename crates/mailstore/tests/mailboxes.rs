//! Create, delete, rename, subscribe.

mod common;

use common::{Fixture, numbered, uid};
use postroom_mailstore::{MailError, MailboxRef};
use postroom_types::{SpecialUse, Uid};

async fn names(f: &Fixture) -> Vec<String> {
    let found = f.mail.mailboxes(f.inbox).await.unwrap();
    let is_new =
        |name: &String| !["Archive", "Blocked", "Drafts", "INBOX", "Sent", "Spam", "Trash"].contains(&name.as_str());
    found.into_iter().map(|info| info.name).filter(is_new).collect()
}

#[tokio::test]
async fn creating_makes_the_parents() {
    let f = Fixture::new().await;
    f.mail.create_mailbox(f.inbox, "a/b/c/", None).await.unwrap();
    f.mail.create_mailbox(f.inbox, "inbox/kid", None).await.unwrap();
    assert_eq!(names(&f).await, ["INBOX/kid", "a", "a/b", "a/b/c"]);
    for (name, same) in [("a/b", true), ("InBox", true), ("A", false)] {
        let created = f.mail.create_mailbox(f.inbox, name, None).await;
        assert_eq!(matches!(created, Err(MailError::AlreadyExists)), same, "{name}");
    }
    assert!(matches!(
        f.mail.create_mailbox(f.inbox, "x//y", None).await,
        Err(MailError::Cannot(_))
    ));
    f.assert_consistent().await;
}

#[tokio::test]
async fn mailboxes_are_bounded() {
    let f = Fixture::new().await;
    let mut made = 7;
    let refused = loop {
        match f.mail.create_mailbox(f.inbox, &format!("m{made}"), None).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, MailError::Limit(_)));
    assert_eq!(made, 40);
}

#[tokio::test]
async fn deleting_takes_the_messages() {
    let f = Fixture::new().await;
    let id = f.mail.create_mailbox(f.inbox, "work", None).await.unwrap();
    let validity = f.mail.status(f.inbox, id).await.unwrap().uid_validity;
    for number in 1..=250 {
        f.deliver_to(&numbered(number, ""), MailboxRef::Id(id)).await.unwrap();
    }
    let kept = f.mail.copy(f.inbox, id, &[uid(7)], f.id("INBOX").await).await.unwrap();
    let shared = f.mail.open_shared(f.inbox, id).await.unwrap();
    f.mail.delete_mailbox(f.inbox, "work").await.unwrap();
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 1);
    assert_eq!(f.uids(f.id("INBOX").await).await, [kept.pairs[0].1.get()]);
    assert!(matches!(f.mail.refresh(&shared).await, Err(MailError::NoSuchMailbox)));
    // Who has it open still sees what it was told of.
    assert_eq!(shared.snapshot().uids.len(), 250);
    let ghost = shared.ghost(uid(250)).unwrap();
    assert_eq!(ghost.meta.summary.as_ref().unwrap().subject_text, "number 250");
    f.assert_consistent().await;

    let again = f.mail.create_mailbox(f.inbox, "work", None).await.unwrap();
    let status = f.mail.status(f.inbox, again).await.unwrap();
    assert!(status.uid_validity > validity && status.messages == 0);
    let refused = f.deliver_to(&numbered(999, ""), MailboxRef::Id(id)).await;
    assert!(matches!(refused, Err(MailError::NoSuchMailbox)));
    let refused = f.mail.expunge(f.inbox, id, &[uid(1)], false).await;
    assert!(matches!(refused, Err(MailError::NoSuchMailbox)));
}

#[tokio::test]
async fn some_mailboxes_stay() {
    let f = Fixture::new().await;
    for name in ["inbox", "Trash", "Blocked", "Sent"] {
        let refused = f.mail.delete_mailbox(f.inbox, name).await;
        assert!(matches!(refused, Err(MailError::Cannot(_))), "{name}");
    }
    f.mail.create_mailbox(f.inbox, "a/b", None).await.unwrap();
    assert!(matches!(
        f.mail.delete_mailbox(f.inbox, "a").await,
        Err(MailError::HasChildren)
    ));
    assert!(matches!(
        f.mail.delete_mailbox(f.inbox, "b").await,
        Err(MailError::NoSuchMailbox)
    ));
    f.mail.delete_mailbox(f.inbox, "a/b").await.unwrap();
    f.mail.delete_mailbox(f.inbox, "a").await.unwrap();
    assert!(names(&f).await.is_empty());
}

#[tokio::test]
async fn renaming_takes_the_children() {
    let f = Fixture::new().await;
    let c = f.mail.create_mailbox(f.inbox, "a/b/c", None).await.unwrap();
    let before = f.mail.status(f.inbox, c).await.unwrap();
    f.mail.rename_mailbox(f.inbox, "a/b", "x/y").await.unwrap();
    assert_eq!(names(&f).await, ["a", "x", "x/y", "x/y/c"]);
    assert_eq!(
        f.mail.status(f.inbox, c).await.unwrap().uid_validity,
        before.uid_validity
    );
    for (from, to, why) in [
        ("x", "x/y/z", "cannot"),
        ("x", "a", "already"),
        ("nope", "new", "no such"),
        ("x", "x", "already"),
    ] {
        let refused = f.mail.rename_mailbox(f.inbox, from, to).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{from} → {to}: {refused}");
    }
    let deep = vec!["d"; 19].join("/");
    let refused = f.mail.rename_mailbox(f.inbox, "x", &deep).await;
    assert!(matches!(refused, Err(MailError::Limit(_))));
    // A mailbox with a role keeps it under its new name.
    f.mail.rename_mailbox(f.inbox, "Spam", "Ham").await.unwrap();
    let found = f.mail.mailboxes(f.inbox).await.unwrap();
    assert!(
        found
            .iter()
            .any(|info| info.name == "Ham" && info.special_use == Some(SpecialUse::Junk))
    );
    f.assert_consistent().await;
}

#[tokio::test]
async fn renaming_inbox_moves_its_messages() {
    let f = Fixture::new().await;
    for number in 1..=5 {
        f.deliver(&numbered(number, "")).await;
    }
    f.mail.create_mailbox(f.inbox, "INBOX/kid", None).await.unwrap();
    f.mail.rename_mailbox(f.inbox, "INBOX", "old").await.unwrap();
    assert_eq!(names(&f).await, ["INBOX/kid", "old"]);
    assert_eq!(f.uids(f.id("old").await).await, [1, 2, 3, 4, 5]);
    assert!(f.uids(f.id("INBOX").await).await.is_empty());
    assert_eq!(f.deliver(&numbered(6, "")).await.uid, Uid::new(6).unwrap());
    f.assert_consistent().await;
}

#[tokio::test]
async fn subscriptions_outlive_mailboxes() {
    let f = Fixture::new().await;
    f.mail.create_mailbox(f.inbox, "list", None).await.unwrap();
    f.mail.subscribe(f.inbox, "list", true).await.unwrap();
    f.mail.subscribe(f.inbox, "never/was", true).await.unwrap();
    f.mail.subscribe(f.inbox, "Trash", false).await.unwrap();
    f.mail.delete_mailbox(f.inbox, "list").await.unwrap();
    let names = f.mail.subscriptions(f.inbox).await.unwrap();
    assert!(names.contains("list") && names.contains("never/was") && !names.contains("Trash"));
    let trash = f.mail.mailboxes(f.inbox).await.unwrap();
    assert!(trash.iter().any(|info| info.name == "Trash" && !info.subscribed));
    f.assert_consistent().await;
}

#[tokio::test]
async fn one_mailbox_is_important() {
    let f = Fixture::hostile(1).await;
    let important = Some(SpecialUse::Important);
    let create = async |name, special_use| f.mail.create_mailbox(f.inbox, name, special_use).await;
    for special_use in SpecialUse::ALL
        .into_iter()
        .filter(|special_use| Some(*special_use) != important)
    {
        let refused = create("mine", Some(special_use)).await;
        assert!(matches!(refused, Err(MailError::SpecialUse)), "{special_use:?}");
    }
    create("a/b", important).await.unwrap();
    let uses = async || {
        let all = f.mail.mailboxes(f.inbox).await.unwrap();
        let theirs = all.into_iter().filter(|info| info.special_use == important);
        theirs.map(|info| info.name).collect::<Vec<_>>()
    };
    assert_eq!(uses().await, ["a/b"]);
    assert!(matches!(create("c", important).await, Err(MailError::SpecialUse)));
    assert!(matches!(create("a/b", important).await, Err(MailError::AlreadyExists)));
    f.mail.rename_mailbox(f.inbox, "a/b", "d").await.unwrap();
    assert_eq!(uses().await, ["d"]);
    f.assert_consistent().await;
    f.mail.delete_mailbox(f.inbox, "d").await.unwrap();
    create("c", important).await.unwrap();
    assert_eq!(uses().await, ["c"]);
    f.assert_consistent().await;
}
