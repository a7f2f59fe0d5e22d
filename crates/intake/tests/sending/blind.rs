//! Who gets a message blindly is told to its sender alone.

use crate::setup::{Stored, World};
use postroom_message::fields;
use postroom_types::{InboxId, MessageFlags, Uid};

const CONTENT: &str = "From: scout@example.test\r\nTo: bob@example.net\r\nSubject: hello\r\nMessage-ID: <q1@x>\r\n\r\n\
                       The code is 12345, pay 100.\r\n";

fn bcc(text: &str) -> Vec<&str> {
    let fields = fields(text.as_bytes()).filter(|field| field.is("Bcc"));
    fields
        .map(|field| std::str::from_utf8(field.value).expect("ASCII").trim())
        .collect()
}

/// The only message of an inbox.
async fn only(world: &World, inbox: InboxId) -> Stored {
    let mut all = world.messages(inbox).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// What a client puts into Sent, and the UID it is told.
async fn append(world: &World, inbox: InboxId, content: &str) -> Uid {
    let content = content.to_owned().into();
    let placed = world
        .intake
        .append(inbox, "Sent", content, MessageFlags::default(), None)
        .await;
    placed.expect("room").uid
}

#[tokio::test]
async fn the_copy_in_sent_alone_names_those_of_the_envelope() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let to = [
        "bob@example.net",
        "secret@example.org",
        "ranger@example.test",
        "scout@example.test",
    ];
    let submission = world.submission(&scout, &to, CONTENT);
    let submitted = world.intake.submit(submission).await.unwrap();
    let sent = world.work().await;
    assert_eq!(sent.len(), 2);
    for sent in &sent {
        assert!(
            bcc(&sent.text).is_empty() && !sent.text.contains("secret@"),
            "{}",
            sent.text
        );
        assert!(!sent.text.contains("ranger@"), "{}", sent.text);
    }
    let received = only(&world, ranger.id).await.text;
    assert!(bcc(&received).is_empty() && !received.contains("secret@"), "{received}");
    // What the sender gets back is the message in Sent itself, with what only its sender may see.
    let own = only(&world, scout.id).await;
    assert_eq!(own.record.placements.len(), 2);
    assert_eq!(own.record.email_id, submitted.id);
    assert_eq!(
        bcc(&own.text),
        ["secret@example.org,\r\n ranger@example.test,\r\n scout@example.test"]
    );
    assert!(
        own.text.ends_with("\r\n\r\nThe code is 12345, pay 100.\r\n"),
        "{}",
        own.text
    );
    assert_eq!(own.text.len() as u64, submitted.octets);
    let (mailbox, uid) = own.record.placements[0];
    let metadata = world.mailstore.metadata(scout.id, mailbox, &[uid], true).await.unwrap();
    let summary = metadata[0].summary.as_ref().unwrap();
    assert_eq!(summary.envelope.bcc.as_ref().map(Vec::len), Some(3));

    // The client's own copy has the field that it did not send: nothing of it is lost if it is not kept.
    let blind = format!("Bcc: secret@example.org, ranger@example.test\r\nX-Client: note\r\n{CONTENT}");
    assert_eq!(append(&world, scout.id, &blind).await, uid);
    assert_eq!(append(&world, scout.id, CONTENT).await, uid);
    // Somebody whom the server knows nothing of, or another text, is kept.
    let more = CONTENT.replace("Subject", "Bcc: other@example.org\r\nSubject");
    let other = CONTENT.replace("12345", "99999").replace("100", "900");
    for (at, content) in [more, other].into_iter().enumerate() {
        assert_ne!(append(&world, scout.id, &content).await, uid);
        let stored = world.messages(scout.id).await;
        assert_eq!(stored.len(), at + 2);
        assert!(stored.iter().any(|stored| stored.text == content), "{content}");
    }
}

#[tokio::test]
async fn a_field_that_came_with_the_message_is_not_repeated() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let content = format!("Bcc: Secret <secret@example.org>\r\n{CONTENT}");
    let to = ["bob@example.net", "secret@example.org"];
    world
        .intake
        .submit(world.submission(&scout, &to, &content))
        .await
        .unwrap();
    assert_eq!(bcc(&only(&world, scout.id).await.text), ["Secret <secret@example.org>"]);
    append(&world, scout.id, &content).await;
    assert_eq!(world.messages(scout.id).await.len(), 1);
}

/// There is not room for all of them: then the client's copy, which has them, is kept.
#[tokio::test]
async fn those_who_do_not_fit_are_in_the_copy_of_the_client() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let many: Vec<String> = (0..100)
        .map(|number| format!("a.recipient.with.a.long.name.{number}@example.net"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    world
        .intake
        .submit(world.submission(&scout, &many, CONTENT))
        .await
        .unwrap();
    let stored = only(&world, scout.id).await.text;
    let named = bcc(&stored)[0].split(",\r\n ").count();
    assert!(
        (40..100).contains(&named) && !bcc(&stored)[0].ends_with(','),
        "{stored}"
    );
    let all = format!("Bcc: {}\r\n{CONTENT}", many.join(",\r\n "));
    append(&world, scout.id, &all).await;
    let texts: Vec<String> = world
        .messages(scout.id)
        .await
        .into_iter()
        .map(|stored| stored.text)
        .collect();
    assert!(texts.len() == 2 && texts.contains(&all), "{texts:?}");
}
