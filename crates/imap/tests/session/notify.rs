//! NOTIFY: news of mailboxes that are not selected (RFC 5465).

use crate::client::{Client, World};
use postroom_mailstore::FlagMode;
use postroom_types::{Flag, Flags, MessageFlags, Uid};

async fn watching(world: &World, events: &str) -> Client {
    let mut client = world.log_in().await;
    let told = client.say(&format!("w NOTIFY SET {events}")).await;
    assert!(told.ends_with("w OK NOTIFY completed\r\n"), "{told}");
    client
}

#[tokio::test]
async fn messages_come_and_go_elsewhere() {
    let world = World::new().await;
    let mut actor = world.selected().await;
    let mut listener = watching(
        &world,
        "(selected (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge))",
    )
    .await;
    listener.say("s SELECT Archive").await;
    actor.append("INBOX", "Subject: 1\r\n\r\n").await;
    let told = listener.listen().await;
    assert!(
        told.starts_with("* STATUS INBOX (") && told.contains("MESSAGES 1") && told.contains("UIDNEXT 2"),
        "{told}"
    );
    actor.ok("m MOVE 1 Trash").await;
    let told = listener.listen().await;
    assert!(
        told.contains("* STATUS INBOX (") && told.contains("MESSAGES 0"),
        "{told}"
    );
    assert!(
        told.contains("* STATUS Trash (") && told.contains("MESSAGES 1"),
        "{told}"
    );
    assert!(listener.hears_nothing().await);
    // What happens in the selected mailbox is told as ever.
    actor.append("Archive", "Subject: 2\r\n\r\n").await;
    let told = listener.listen().await + &listener.ok("n NOOP").await;
    assert!(told.contains("* 1 EXISTS\r\n") && !told.contains("STATUS"), "{told}");
    world.check().await;
}

#[tokio::test]
async fn the_counts_are_told_at_once_if_asked() {
    let world = World::new().await;
    let mut actor = world.log_in().await;
    actor.append("Archive", "Subject: 1\r\n\r\n").await;
    let mut client = world.log_in().await;
    let told = client
        .ok("w NOTIFY SET STATUS (mailboxes (Archive Trash) (MessageNew MessageExpunge))")
        .await;
    assert!(told.contains("* STATUS Archive (MESSAGES 1"), "{told}");
    assert!(told.contains("* STATUS Trash (MESSAGES 0"), "{told}");
    assert!(!told.contains("INBOX"), "{told}");
    client.ok("w NOTIFY NONE").await;
    actor.append("Archive", "Subject: 2\r\n\r\n").await;
    assert!(client.hears_nothing().await);
}

/// RFC 5465 §6.3: wherever incoming mail may be put, also what lists bar.
#[tokio::test]
async fn inboxes_are_where_mail_is_delivered() {
    let world = World::new().await;
    let mut actor = world.log_in().await;
    let mut client = world.log_in().await;
    let told = client
        .ok("w NOTIFY SET STATUS (inboxes (MessageNew MessageExpunge))")
        .await;
    for name in ["INBOX", "Spam", "Blocked"] {
        assert!(told.contains(&format!("* STATUS {name} (")), "{name}: {told}");
    }
    assert_eq!(told.matches("* STATUS ").count(), 3, "{told}");
    actor.append("Archive", "Subject: 1\r\n\r\n").await;
    actor.append("Blocked", "Subject: 2\r\n\r\n").await;
    let told = client.listen().await;
    assert!(told.starts_with("* STATUS Blocked (MESSAGES 1"), "{told}");
    assert_eq!(told.matches("* STATUS ").count(), 1, "{told}");
}

#[tokio::test]
async fn mailboxes_come_and_go_elsewhere() {
    let world = World::new().await;
    let mut actor = world.log_in().await;
    let mut listener = watching(&world, "(personal (MailboxName SubscriptionChange))").await;
    actor.ok("a CREATE Work/2026").await;
    let told = listener.listen().await;
    assert!(told.contains("* LIST (") && told.contains(" Work/2026"), "{told}");
    assert!(told.contains(" Work\r\n"), "{told}");
    actor.ok("a RENAME Work Play").await;
    let told = listener.listen().await;
    assert!(
        told.contains(" Play (\"OLDNAME\" (\"Work\"))") || told.contains(" Play (\"OLDNAME\" (Work))"),
        "{told}"
    );
    assert!(!told.contains("2026"), "nothing is told of children: {told}");
    actor.ok("a SUBSCRIBE Play").await;
    let told = listener.listen().await;
    assert!(told.contains("\\Subscribed") && told.contains(" Play\r\n"), "{told}");
    actor.ok("a UNSUBSCRIBE Play").await;
    let told = listener.listen().await;
    assert!(!told.contains("\\Subscribed") && told.contains(" Play\r\n"), "{told}");
    actor.ok("a DELETE Play/2026").await;
    let told = listener.listen().await;
    assert!(told.contains("\\NonExistent") && told.contains(" Play/2026"), "{told}");
    assert!(listener.hears_nothing().await);
    world.check().await;
}

/// What is too much to be read one by one is looked at as a whole.
#[tokio::test]
async fn after_very_much_has_happened_all_is_told_anew() {
    let world = World::new().await;
    let mut actor = world.log_in().await;
    actor.append("Archive", "Subject: 1\r\n\r\n").await;
    let mut listener = watching(&world, "(personal (MessageNew MessageExpunge MailboxName))").await;
    let (inbox, mailstore) = (world.inbox.id, &world.mailstore);
    let archive = mailstore.mailbox_id(inbox, "Archive").await.unwrap();
    let flagged = MessageFlags::system(Flags::NONE.with(Flag::Flagged));
    for number in 0..1_001 {
        let mode = [FlagMode::Add, FlagMode::Remove][number % 2];
        let stored = mailstore
            .store_flags(inbox, archive, &[Uid::MIN], mode, &flagged, None)
            .await;
        assert_eq!(stored.unwrap().now.len(), 1);
    }
    actor.ok("a CREATE Work").await;
    actor.append("Trash", "Subject: 2\r\n\r\n").await;
    let told = listener.listen().await;
    for expected in [
        "* STATUS Trash (",
        "* STATUS Archive (",
        "* STATUS INBOX (",
        " Work\r\n",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert!(listener.hears_nothing().await);
}
