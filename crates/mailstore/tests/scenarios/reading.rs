//! What is read back: threads, the newest first, summaries of any length.

use crate::common::{Fixture, message, numbered, placing, uid};
use postroom_mailstore::{MailboxRef, Placing, ThreadChoice};
use postroom_types::{EmailId, ThreadId};

#[tokio::test]
async fn threads_follow_references_newest_first() {
    let f = Fixture::new().await;
    let first = f.deliver(&numbered(1, "")).await;
    let unrelated = f.deliver(&numbered(2, "")).await;
    assert_ne!(first.thread_id, unrelated.thread_id);
    let reply = f.deliver(&numbered(3, "<m2@x> <m1@x> <unknown@x>")).await;
    assert_eq!(reply.thread_id, first.thread_id);
    assert_eq!(
        f.mail.thread(f.inbox, first.thread_id).await.unwrap(),
        [first.email_id, reply.email_id]
    );
    let given = ThreadId::new();
    for (number, thread, expected) in [
        (4, ThreadChoice::Given(given), Some(given)),
        (5, ThreadChoice::New, None),
    ] {
        let message = numbered(number, "<m1@x>");
        let placing = Placing {
            thread,
            announce: None,
            ..placing(f.inbox, MailboxRef::Inbox, &message)
        };
        let placed = f.mail.deliver(&message, vec![placing]).await.unwrap()[0];
        assert_ne!(placed.thread_id, first.thread_id);
        assert!(expected.is_none_or(|thread| thread == placed.thread_id));
    }
    assert_eq!(
        f.mail.find_message_id(f.inbox, "m2@x").await.unwrap(),
        Some(unrelated.email_id)
    );
    f.assert_consistent().await;
}

#[tokio::test]
async fn messages_for_the_api_come_newest_first() {
    let f = Fixture::new().await;
    let mut ids = Vec::new();
    for number in 1..=5 {
        ids.push(f.deliver(&numbered(number, "")).await.email_id);
    }
    ids.reverse();
    let first = f.mail.messages(f.inbox, None, 2).await.unwrap();
    assert_eq!(first.iter().map(|record| record.email_id).collect::<Vec<_>>(), ids[..2]);
    let rest = f.mail.messages(f.inbox, Some(ids[1]), 10).await.unwrap();
    assert_eq!(rest.iter().map(|record| record.email_id).collect::<Vec<_>>(), ids[2..]);
    assert_eq!(f.mail.message(f.inbox, EmailId::new()).await.unwrap(), None);
}

#[tokio::test]
async fn long_summaries_go_to_a_blob() {
    let f = Fixture::new().await;
    let many: Vec<String> = (0..300).map(|number| format!("somebody{number}@example.net")).collect();
    let long = message(&format!(
        "Message-ID: <l@x>\r\nTo: {}\r\n\r\nhello\r\n",
        many.join(", ")
    ));
    let placed = f.deliver(&long).await;
    let meta = f
        .mail
        .metadata(f.inbox, placed.mailbox, &[placed.uid], true)
        .await
        .unwrap();
    assert_eq!(meta[0].summary.as_ref(), Some(&*long.summary));
    assert_eq!(
        f.mail
            .metadata(f.inbox, placed.mailbox, &[placed.uid], false)
            .await
            .unwrap()[0]
            .summary,
        None
    );
    let archive = f.id("Archive").await;
    f.mail
        .move_messages(f.inbox, placed.mailbox, &[placed.uid], archive)
        .await
        .unwrap();
    let meta = f.mail.metadata(f.inbox, archive, &[uid(1)], true).await.unwrap();
    assert_eq!(meta[0].summary.as_ref(), Some(&*long.summary));
    f.assert_consistent().await;
}
