//! Messages that a client brings: several at once, or one in place of another.

use crate::onward::incoming;
use crate::setup::World;
use postroom_intake::{Appended, IntakeError};
use postroom_mailstore::MailError;
use postroom_types::{Flag, Flags, InternalDate, MessageFlags, Uid};

fn message(content: &str, seconds: Option<i64>) -> Appended {
    Appended {
        content: content.to_owned().into(),
        flags: MessageFlags::system(Flags::NONE.with(Flag::Seen)),
        internal_date: seconds.map(|seconds| InternalDate::new(seconds, 180)),
    }
}

#[tokio::test]
async fn all_of_them_or_none() {
    let world = World::new(|options| options.max_message_octets = 100).await;
    let scout = world.inbox("scout").await;
    let two = vec![
        message("Subject: one\r\n\r\n1\r\n", Some(1_000)),
        message("Subject: two\r\n\r\n2\r\n", None),
    ];
    let (_, uids) = world.intake.append_many(scout.id, "INBOX", two, None).await.unwrap();
    assert_eq!(uids.iter().map(|uid| uid.get()).collect::<Vec<_>>(), [1, 2]);
    let stored = world.messages(scout.id).await;
    let mut texts: Vec<&str> = stored.iter().map(|stored| stored.text.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(texts, ["Subject: one\r\n\r\n1\r\n", "Subject: two\r\n\r\n2\r\n"]);
    // A date is kept with its zone; without one it is now, in UTC.
    let inbox = world.mailstore.mailbox_id(scout.id, "INBOX").await.unwrap();
    let metas = world.mailstore.metadata(scout.id, inbox, &uids, false).await.unwrap();
    let dates: Vec<InternalDate> = metas.iter().map(|meta| meta.internal_date).collect();
    assert_eq!((dates[0].seconds, dates[0].zone_minutes()), (1_000, 180));
    assert_eq!(dates[1].zone_minutes(), 0);
    // Together they may not be larger than one may be.
    let line = "x".repeat(50);
    let large = vec![message(&line, None), message(&line, None), message("y", None)];
    let refused = world.intake.append_many(scout.id, "INBOX", large, None).await;
    assert!(
        matches!(refused, Err(IntakeError::TooBig { octets: 101 })),
        "{refused:?}"
    );
    assert_eq!(world.messages(scout.id).await.len(), 2);
}

#[tokio::test]
async fn in_place_of_another() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let inbox = world.mailstore.mailbox_id(scout.id, "INBOX").await.unwrap();
    let append = async |text: &str, replaces| {
        let messages = vec![message(text, None)];
        world.intake.append_many(scout.id, "INBOX", messages, replaces).await
    };
    let (_, first) = append("Subject: one\r\n\r\n", None).await.unwrap();
    let (_, second) = append("Subject: two\r\n\r\n", Some((inbox, first[0]))).await.unwrap();
    assert_eq!(second, [Uid::new(2).unwrap()]);
    let again = append("Subject: three\r\n\r\n", Some((inbox, first[0]))).await;
    assert!(
        matches!(again, Err(IntakeError::Mail(MailError::NoSuchMessage))),
        "{again:?}"
    );
    let stored = world.messages(scout.id).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].text, "Subject: two\r\n\r\n");
}

/// What a user brings is kept however broken it is; only mail from outside is refused for it.
#[tokio::test]
async fn several_from_fields_are_no_hindrance() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let two = "From: a@b.c\r\nFrom: d@e.f\r\n\r\n";
    let messages = vec![message(two, None)];
    world
        .intake
        .append_many(scout.id, "INBOX", messages, None)
        .await
        .unwrap();
    assert_eq!(world.messages(scout.id).await[0].text, two);
    let refused = world
        .intake
        .deliver_local(incoming(std::slice::from_ref(&scout), two))
        .await;
    assert!(
        matches!(refused, Err(IntakeError::SeveralFrom { fields: 2 })),
        "{refused:?}"
    );
    assert_eq!(world.messages(scout.id).await.len(), 1);
}
