//! Mailboxes as a whole: their uses, counts, and the quota.

use crate::client::World;
use crate::fetch::number_after;

#[tokio::test]
async fn mailboxes_with_a_special_use() {
    let world = World::new().await;
    let mut client = world.log_in().await;
    let told = client.say("a CREATE Stars (USE (\\Flagged))").await;
    assert!(
        told.starts_with("a NO [USEATTR]") || told.starts_with("a OK [MAILBOXID ("),
        "{told}"
    );
    let told = client.say("a CREATE Important (USE (\\Important))").await;
    assert!(told.starts_with("a OK [MAILBOXID ("), "{told}");
    let told = client.ok("l LIST \"\" Important RETURN (SPECIAL-USE)").await;
    assert!(
        told.contains("\\Important") && told.contains(" Important\r\n"),
        "{told}"
    );
    // There is one already.
    let told = client.say("a CREATE Sent2 (USE (\\Sent))").await;
    assert!(told.starts_with("a NO [USEATTR]"), "{told}");
    world.check().await;
}

#[tokio::test]
async fn counts_of_many_in_one_command() {
    let world = World::new().await;
    let mut client = world.log_in().await;
    client.append("INBOX", "Subject: 1\r\n\r\n").await;
    client.append("INBOX (\\Seen \\Deleted)", "Subject: 2\r\n\r\n").await;
    client.append("Archive", "Subject: 3\r\n\r\n").await;
    let told = client
        .ok("l LIST \"\" (INBOX Archive) RETURN (STATUS (MESSAGES UNSEEN SIZE))")
        .await;
    assert!(
        told.contains("* STATUS INBOX (MESSAGES 2 UNSEEN 1 SIZE 28)\r\n"),
        "{told}"
    );
    assert!(
        told.contains("* STATUS Archive (MESSAGES 1 UNSEEN 1 SIZE 14)\r\n"),
        "{told}"
    );
    let told = client
        .ok("s STATUS INBOX (MESSAGES DELETED HIGHESTMODSEQ MAILBOXID DELETED-STORAGE)")
        .await;
    assert!(told.contains("MESSAGES 2 DELETED 1 HIGHESTMODSEQ "), "{told}");
    assert_eq!(number_after(&told, "DELETED-STORAGE "), 14, "{told}");
    let id = |told: &str| {
        told.split("MAILBOXID (")
            .nth(1)
            .and_then(|rest| rest.split(')').next())
            .map(str::to_owned)
    };
    let selected = client.ok("s SELECT INBOX").await;
    assert_eq!(id(&told), id(&selected), "{told}{selected}");
    assert!(id(&told).is_some());
}

#[tokio::test]
async fn the_quota() {
    let world = World::new().await;
    let mut client = world.log_in().await;
    world.mailstore.set_quota(world.inbox.id, 1 << 20).await.unwrap();
    client
        .append("INBOX", &format!("Subject: x\r\n\r\n{}\r\n", "x".repeat(4096)))
        .await;
    let told = client.ok("q GETQUOTAROOT INBOX").await;
    assert!(
        told.contains("* QUOTAROOT INBOX ") && told.contains("(STORAGE 5 1024"),
        "{told}"
    );
}

#[tokio::test]
async fn a_rename_keeps_the_id() {
    let world = World::new().await;
    let mut client = world.log_in().await;
    client.ok("a CREATE Work").await;
    let id = client.ok("s STATUS Work (MAILBOXID UIDVALIDITY)").await;
    client.ok("a RENAME Work Play").await;
    let renamed = client.ok("s STATUS Play (MAILBOXID UIDVALIDITY)").await;
    assert_eq!(renamed, id.replace("Work", "Play"));
    assert!(number_after(&id, "UIDVALIDITY ") > 0);
}
