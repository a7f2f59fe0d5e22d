//! Which of several messages with one Message-ID is called by it.

use crate::common::{Fixture, message, placing};
use crate::setup::{SENT, mail};
use postroom_mailstore::{MailError, MailboxRef, NewMessage, Origin};
use postroom_types::SpecialUse;
use std::sync::Arc;

#[tokio::test]
async fn names_are_told_apart() {
    let f = Fixture::new().await;
    let first = f.deliver(&mail(1)).await;
    let same = message("Message-ID: <m1@x>\r\nSubject: another\r\n\r\nanother body\r\n");
    let second = f.deliver(&same).await;
    let record = |id| f.mail.message(f.inbox, id);
    assert!(record(first.email_id).await.unwrap().unwrap().is_named);
    assert!(!record(second.email_id).await.unwrap().unwrap().is_named);
    assert_eq!(
        f.mail.find_message_ids(f.inbox, "m1@x").await.unwrap(),
        [first.email_id, second.email_id]
    );
    // What is sent bears the Message-ID of its draft, which is never called by it.
    let draft = f
        .deliver_to(&mail(2), MailboxRef::Special(SpecialUse::Drafts))
        .await
        .unwrap();
    assert!(!record(draft.email_id).await.unwrap().unwrap().is_named);
    let sent = NewMessage {
        origin: Origin::Sent,
        ..message("Message-ID: <m2@x>\r\n\r\nas it was sent\r\n")
    };
    let sent = f.deliver_to(&sent, SENT).await.unwrap();
    assert!(record(sent.email_id).await.unwrap().unwrap().is_named);
    let nameless = f.deliver(&message("Subject: x\r\n\r\nx\r\n")).await;
    assert!(!record(nameless.email_id).await.unwrap().unwrap().is_named);
}

/// However many messages with one Message-ID come at once, one is called by it, and it is found by it.
#[tokio::test]
async fn names_are_given_once_in_a_race() {
    for seed in 0..20 {
        let f = Arc::new(Fixture::hostile(seed).await);
        let race = (0..8).map(|number| {
            let f = Arc::clone(&f);
            tokio::spawn(async move {
                let new = message(&format!(
                    "Message-ID: <same@x>\r\nSubject: {number}\r\n\r\n{number}\r\n"
                ));
                // On a hostile store it may take a second call.
                let placing = placing(f.inbox, MailboxRef::Inbox, &new);
                loop {
                    match f.mail.deliver(&new, vec![placing.clone()]).await {
                        Ok(placed) => return placed[0].email_id,
                        Err(MailError::Unavailable) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        let mut named = Vec::new();
        for task in race.collect::<Vec<_>>() {
            let id = task.await.unwrap();
            if f.mail.message(f.inbox, id).await.unwrap().unwrap().is_named {
                named.push(id);
            }
        }
        assert_eq!(named.len(), 1, "{seed}: {named:?}");
        assert_eq!(f.mail.find_message_id(f.inbox, "same@x").await.unwrap(), Some(named[0]));
        assert_eq!(f.mail.find_message_ids(f.inbox, "same@x").await.unwrap().len(), 8);
        f.mail.delete_message(f.inbox, named[0]).await.unwrap();
        assert_eq!(f.mail.find_message_ids(f.inbox, "same@x").await.unwrap().len(), 7);
        f.assert_consistent().await;
    }
}
