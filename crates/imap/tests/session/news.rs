//! What one client does and another hears.

use crate::client::World;

#[tokio::test]
async fn idle_hears_what_others_do() {
    let world = World::new().await;
    let mut listener = world.selected().await;
    let mut actor = world.selected().await;
    assert_eq!(listener.say("i IDLE").await, "+ idling\r\n");
    actor.append("INBOX", "Subject: 1\r\n\r\n").await;
    assert_eq!(listener.listen().await, "* 1 EXISTS\r\n* 0 RECENT\r\n");
    actor.say("a STORE 1 +FLAGS (\\Flagged)").await;
    assert_eq!(listener.listen().await, "* 1 FETCH (UID 1 FLAGS (\\Flagged))\r\n");
    actor.say("a STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(
        listener.listen().await,
        "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Deleted))\r\n"
    );
    actor.say("a EXPUNGE").await;
    assert_eq!(listener.listen().await, "* 1 EXPUNGE\r\n");
    actor.append("Archive", "Subject: elsewhere\r\n\r\n").await;
    assert!(listener.hears_nothing().await);
    assert_eq!(listener.say("DONE").await, "i OK IDLE completed\r\n");
    world.check().await;
}

#[tokio::test]
async fn a_change_of_others_is_told_even_after_an_own_silent_one() {
    let world = World::new().await;
    let mut one = world.selected().await;
    let mut two = world.selected().await;
    one.append("INBOX", "Subject: 1\r\n\r\n").await;
    two.say("n NOOP").await;
    two.say("a STORE 1 +FLAGS (\\Answered)").await;
    let told = one.say("b STORE 1 +FLAGS.SILENT (\\Seen)").await;
    assert_eq!(
        told,
        "* 1 FETCH (UID 1 FLAGS (\\Answered \\Seen \\Recent))\r\nb OK STORE completed\r\n"
    );
    assert_eq!(one.say("b NOOP").await, "b OK NOOP completed\r\n");
    assert_eq!(
        two.say("b NOOP").await,
        "* 1 FETCH (UID 1 FLAGS (\\Answered \\Seen))\r\nb OK NOOP completed\r\n"
    );
}

#[tokio::test]
async fn expunges_wait_for_their_moment() {
    let world = World::new().await;
    let mut one = world.selected().await;
    let mut two = world.selected().await;
    for number in 1..=3 {
        one.append("INBOX", &format!("Subject: {number}\r\n\r\n")).await;
    }
    two.say("n NOOP").await;
    one.say("a STORE 1 +FLAGS (\\Deleted)").await;
    one.say("a EXPUNGE").await;
    assert_eq!(
        two.say("b FETCH 2 UID").await,
        "* 2 FETCH (UID 2)\r\nb OK FETCH completed\r\n"
    );
    // What is gone can be read until it was told, but not be changed.
    assert_eq!(
        two.ok("b FETCH 1:2 UID").await,
        "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n"
    );
    let told = two.say("b STORE 1:2 +FLAGS (\\Seen)").await;
    assert!(told.contains("b NO [EXPUNGEISSUED] "), "{told}");
    let told = two.say("b STORE 1:2 +FLAGS.SILENT (\\Answered)").await;
    assert_eq!(told, "b OK STORE completed\r\n");
    assert_eq!(two.say("b NOOP").await, "* 1 EXPUNGE\r\nb OK NOOP completed\r\n");
    assert_eq!(
        two.say("b FETCH 1 UID").await,
        "* 1 FETCH (UID 2)\r\nb OK FETCH completed\r\n"
    );
}

#[tokio::test]
async fn what_arrives_between_two_looks_is_told_once() {
    let world = World::new().await;
    let mut client = world.selected().await;
    for number in 1..=20 {
        let message = format!("Subject: {number}\r\n\r\n");
        let mut other = world.log_in().await;
        other.append("INBOX", &message).await;
        let told = if number % 2 == 0 {
            client.say("n NOOP").await
        } else {
            client.listen().await
        };
        let told = if told.is_empty() {
            client.say("n NOOP").await
        } else {
            told
        };
        assert!(told.starts_with(&format!("* {number} EXISTS\r\n")), "{told}");
    }
}

#[tokio::test]
async fn a_session_ends_with_its_mailbox() {
    let world = World::new().await;
    let mut one = world.log_in().await;
    one.say("a CREATE Work").await;
    one.say("a SELECT Work").await;
    let mut two = world.log_in().await;
    two.say("a SELECT Work").await;
    two.say("a IDLE").await;
    // Who deletes it has left it, and goes on.
    let told = one.send(b"a DELETE Work\r\nb CREATE Play\r\n").await;
    assert!(
        told.starts_with("* OK [CLOSED] The mailbox is deleted\r\na OK DELETE completed\r\nb OK [MAILBOXID ("),
        "{told}"
    );
    assert_eq!(two.listen().await, "* BYE The mailbox was deleted\r\n");
    assert!(two.is_closed());
    assert!(one.hears_nothing().await);
    // Another mailbox than the selected one.
    one.ok("s SELECT INBOX").await;
    assert_eq!(one.say("c DELETE Play").await, "c OK DELETE completed\r\n");
    assert_eq!(one.say("d CHECK").await, "d OK CHECK completed\r\n");
}

/// RFC 9051 §6.4.1–6.4.3, §6.4.9: it is the mailbox that commands are about, not what the session was told of it.
#[tokio::test]
async fn what_is_not_told_is_there_all_the_same() {
    let world = World::new().await;
    let mut one = world.selected().await;
    let mut two = world.log_in().await;
    two.append("INBOX", "Subject: 1\r\n\r\n").await;
    two.append("INBOX (\\Deleted)", "Subject: 2\r\n\r\n").await;
    let told = one.say("a UID STORE 2:3 +FLAGS (\\Flagged)").await;
    assert!(told.starts_with("* 2 EXISTS\r\n"), "{told}");
    assert!(told.contains("* 2 FETCH (UID 2 FLAGS (\\Flagged \\Deleted"), "{told}");
    two.append("INBOX (\\Deleted)", "Subject: 3\r\n\r\n").await;
    assert_eq!(one.ok("b EXPUNGE").await, "* 2 EXPUNGE\r\n* 1 RECENT\r\n");
    two.append("INBOX (\\Deleted)", "Subject: 4\r\n\r\n").await;
    one.ok("c CLOSE").await;
    let told = two.ok("s STATUS INBOX (MESSAGES DELETED UIDNEXT)").await;
    assert_eq!(told, "* STATUS INBOX (MESSAGES 1 DELETED 0 UIDNEXT 5)\r\n");
    world.check().await;
}

#[tokio::test]
async fn a_session_ends_with_its_credentials() {
    let world = World::new().await;
    let mut idle = world.selected().await;
    assert!(idle.hears_nothing().await);
    let mut unselected = world.log_in().await;
    world.identity.delete_inbox(world.inbox.id).await.unwrap();
    assert!(idle.listen().await.starts_with("* BYE "));
    assert!(unselected.listen().await.starts_with("* BYE "));
    let mut later = world.connect().await;
    let told = later.say("a LOGIN scout@example.test x").await;
    assert!(told.starts_with("a NO [AUTHENTICATIONFAILED]"), "{told}");
}
