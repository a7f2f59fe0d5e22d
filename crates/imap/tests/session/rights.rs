//! Keys that may not do everything.

use crate::client::{Client, World};
use postroom_identity::{KeyScope, KeyWish, Permission, Permissions};

/// A client that has tried to log in with a key of these permissions, and what it was told.
async fn with(world: &World, permissions: &[Permission]) -> (Client, String) {
    let inbox = &world.inbox;
    let identity = &world.identity;
    let all = identity
        .create_key(&KeyScope::Organization(inbox.organization), None)
        .await
        .unwrap();
    let maker = identity.authenticate_key(all.secret.expose()).await.unwrap().unwrap();
    let wish = KeyWish {
        permissions: Some(permissions.iter().copied().collect::<Permissions>()),
        ..KeyWish::default()
    };
    let scope = KeyScope::AgentInbox(inbox.organization, inbox.pod, inbox.id);
    let key = identity.create_key_with(&maker, &scope, &wish).await.unwrap();
    let key = key.secret.expose().clone();
    let mut client = world.connect().await;
    let told = client.say(&format!("l LOGIN scout@example.test {key}")).await;
    (client, told)
}

#[tokio::test]
async fn who_may_read_may_not_change() {
    let world = World::new().await;
    let mut owner = world.selected().await;
    owner.append("INBOX", "Subject: one\r\n\r\ntext\r\n").await;
    owner.append("Junk", "Subject: two\r\n\r\ntext\r\n").await;
    let (mut reader, told) = with(&world, &[Permission::MessageRead]).await;
    assert!(told.starts_with("l OK"), "{told}");
    let told = reader.say("a LIST \"\" *").await;
    assert!(
        told.contains("INBOX") && told.contains("Sent") && !told.contains("Drafts"),
        "{told}"
    );
    for hidden in ["Junk", "Spam", "Trash", "Blocked", "Drafts"] {
        for verb in ["SELECT", "EXAMINE"] {
            let told = reader.say(&format!("a {verb} {hidden}")).await;
            assert!(told.starts_with("a NO [NONEXISTENT]"), "{told}");
        }
        let told = reader.say(&format!("a STATUS {hidden} (MESSAGES)")).await;
        assert!(told.starts_with("a NO [NONEXISTENT]"), "{told}");
    }
    let told = reader.say("a SELECT INBOX").await;
    assert!(told.ends_with("a OK [READ-ONLY] SELECT completed\r\n"), "{told}");
    assert!(told.contains("[PERMANENTFLAGS ()]"), "{told}");
    let told = reader.say("a FETCH 1 BODY[TEXT]").await;
    assert!(told.contains("text") && !told.contains("\\Seen"), "{told}");
    for refused in [
        "STORE 1 +FLAGS (\\Seen)",
        "EXPUNGE",
        "COPY 1 Archive",
        "MOVE 1 Archive",
        "CREATE New",
        "DELETE Archive",
        "RENAME Archive Old",
        "SUBSCRIBE New",
        "UNSUBSCRIBE Sent",
        "APPEND INBOX {3}",
    ] {
        let told = reader.say(&format!("a {refused}")).await;
        assert!(
            told.starts_with("a NO") || told.starts_with("a BAD"),
            "{refused}: {told}"
        );
    }
    let told = owner.say("a FETCH 1:* FLAGS").await;
    assert!(told.contains("EXISTS") || told.contains("FETCH"), "{told}");
    assert!(!told.contains("\\Seen") && !told.contains("\\Deleted"), "{told}");
    world.check().await;
}

#[tokio::test]
async fn who_may_send_may_not_read() {
    let world = World::new().await;
    let (_, told) = with(&world, &[Permission::MessageSend]).await;
    assert!(told.starts_with("l NO [AUTHENTICATIONFAILED]"), "{told}");
}

#[tokio::test]
async fn who_may_do_what_a_mail_client_does_changes_mail() {
    let world = World::new().await;
    let mut owner = world.selected().await;
    owner.append("INBOX", "Subject: one\r\n\r\ntext\r\n").await;
    let all = [
        Permission::MessageRead,
        Permission::MessageUpdate,
        Permission::MessageDelete,
        Permission::DraftRead,
        Permission::DraftCreate,
        Permission::DraftUpdate,
        Permission::DraftDelete,
    ];
    let (mut client, _) = with(&world, &all).await;
    client.ok("a SELECT INBOX").await;
    client.ok("b STORE 1 +FLAGS (\\Flagged)").await;
    client.ok("c COPY 1 Drafts").await;
    let told = client.say("a COPY 1 Trash").await;
    assert!(told.starts_with("a NO"), "{told}");
}
