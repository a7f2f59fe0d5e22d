//! A client's copy of what it has submitted, appended to Sent.

use crate::common::{Fixture, NOW, keyword, message, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef, NewMessage, Origin};
use postroom_types::{Flag, Flags, InternalDate, MessageFlags, SpecialUse};

/// Message 1 as it is stored when it is submitted: what is only in the sender's copy stands before the body.
pub(crate) fn submitted(prefix: &str, fields: &str) -> NewMessage {
    let body = format!("{fields}Message-ID: <m1@x>\r\nSubject: number 1\r\n\r\nbody 1\r\n");
    NewMessage {
        origin: Origin::Sent,
        prefix: prefix.into(),
        summary: std::sync::Arc::new(postroom_message::summarize(format!("{prefix}{body}").as_bytes())),
        ..message(&body)
    }
}

/// Message 1 as a client appends it.
fn client_copy(fields: &str, text: &str) -> NewMessage {
    let body = format!("{fields}Message-ID: <m1@x>\r\nSubject: number 1\r\n\r\n{text}");
    NewMessage {
        origin: Origin::Imported,
        ..message(&body)
    }
}

#[tokio::test]
async fn what_was_submitted_is_not_appended_again() {
    let f = Fixture::new().await;
    let sent = submitted("Bcc: a@b,\r\n c@d\r\n", "");
    let stored = f
        .deliver_to(&sent, MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    let copy = client_copy("Bcc: a@b\r\nX-Client: note\r\n", "body \r\n1\r\n\r\n");
    let marks = MessageFlags {
        keywords: vec![keyword("$Forwarded")],
        ..MessageFlags::system(Flags::NONE.with(Flag::Flagged).with(Flag::Seen))
    };
    let appended = f
        .mail
        .append(f.inbox, "Sent", &copy, marks, InternalDate::utc(5))
        .await
        .unwrap();
    assert_eq!((appended.uid, appended.email_id), (stored.uid, stored.email_id));
    let flags = f.mail.flags(f.inbox, stored.mailbox, &[stored.uid]).await.unwrap();
    assert_eq!(
        flags[0].1.system,
        Flags::NONE.with(Flag::Flagged),
        "what the owner made unread stays so"
    );
    assert_eq!(flags[0].1.keywords, [keyword("$Forwarded")]);
    // With another text it is another message, whatever its Message-ID.
    for other in [
        client_copy("", "body 2\r\n"),
        client_copy("To: a@b\r\n", "body 1\r\n"),
        client_copy("Bcc: a@b, e@f\r\n", "body 1\r\n"),
        NewMessage {
            origin: Origin::Imported,
            ..message("Message-ID: <m1@x>\r\nSubject: number 2\r\n\r\nbody 1\r\n")
        },
    ] {
        let own = f
            .mail
            .append(f.inbox, "Sent", &other, seen(), InternalDate::utc(5))
            .await
            .unwrap();
        assert!(!own.duplicate && own.email_id != stored.email_id);
        assert!(f.content(own.email_id).await.unwrap().ends_with(&other.body));
    }
    // Elsewhere, or a day later, it is a message of its own.
    let elsewhere = f
        .mail
        .append(f.inbox, "Archive", &copy, seen(), InternalDate::utc(5))
        .await
        .unwrap();
    assert_ne!(elsewhere.email_id, stored.email_id);
    let late = NewMessage {
        received_at: NOW + 2 * 86_400_000,
        ..copy.clone()
    };
    assert!(
        !f.mail
            .append(f.inbox, "Sent", &late, seen(), InternalDate::utc(5))
            .await
            .unwrap()
            .duplicate
    );
    // An append is never a duplicate of what is in its own mailbox.
    let twice = f
        .mail
        .append(f.inbox, "archive/none", &copy, seen(), InternalDate::utc(5))
        .await;
    assert!(matches!(twice, Err(MailError::NoSuchMailbox)));
    let twice = f
        .mail
        .append(f.inbox, "Archive", &copy, seen(), InternalDate::utc(5))
        .await
        .unwrap();
    assert_ne!(twice.uid, elsewhere.uid);
    f.assert_consistent().await;
}

/// The bytes are compared wherever they are: a large one is in a blob of its own, without what stands before it.
#[tokio::test]
async fn large_copies_are_compared_to_the_last_octet() {
    let f = Fixture::new().await;
    let large = |last: char| {
        let data = "QUJD".repeat(60_000);
        format!(
            "Message-ID: <m1@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n\
             Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}QUJ{last}\r\n--b--\r\n"
        )
    };
    let sent = NewMessage {
        origin: Origin::Sent,
        ..message(&large('D'))
    };
    let stored = f
        .deliver_to(&sent, MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    for (last, is_copy) in [('E', false), ('D', true)] {
        let copy = NewMessage {
            origin: Origin::Imported,
            ..message(&large(last))
        };
        let placed = f
            .mail
            .append(f.inbox, "Sent", &copy, seen(), InternalDate::utc(5))
            .await
            .unwrap();
        assert_eq!(
            (placed.duplicate, placed.uid == stored.uid),
            (is_copy, is_copy),
            "{last}"
        );
    }
    f.assert_consistent().await;
}

/// The answer to several, or to one in place of another, is UIDs that ascend from the next one on; so each is kept.
#[tokio::test]
async fn only_what_is_appended_alone_may_be_a_copy() {
    let f = Fixture::new().await;
    let stored = f
        .deliver_to(&submitted("", ""), MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    let copy = (client_copy("", "body 1\r\n"), seen(), InternalDate::utc(5));
    let append = async |messages: &[_], replaces| {
        let (_, uids) = f.mail.append_many(f.inbox, "Sent", messages, replaces).await.unwrap();
        uids
    };
    assert_eq!(append(std::slice::from_ref(&copy), None).await, [stored.uid]);
    assert_eq!(append(&[copy.clone(), copy.clone()], None).await, [uid(2), uid(3)]);
    let instead = append(std::slice::from_ref(&copy), Some((stored.mailbox, uid(3)))).await;
    assert_eq!(instead, [uid(4)]);
    assert_eq!(f.uids(stored.mailbox).await, [1, 2, 4]);
    f.assert_consistent().await;
}

/// EXPUNGE must not take what came after the mark with it.
#[tokio::test]
async fn what_is_about_to_go_is_no_copy() {
    let f = Fixture::new().await;
    let stored = f
        .deliver_to(&submitted("", ""), MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    let append = async |flags: MessageFlags| {
        let copy = client_copy("", "body 1\r\n");
        let placed = f.mail.append(f.inbox, "Sent", &copy, flags, InternalDate::utc(5)).await;
        placed.unwrap().uid
    };
    // Nor does a copy that is appended as one to go take the stored one with it.
    let going = MessageFlags::system(Flags::NONE.with(Flag::Deleted));
    assert_eq!(append(going).await, uid(2));
    assert_eq!(append(seen()).await, stored.uid);
    f.flag(stored.mailbox, stored.uid, FlagMode::Add, Flag::Deleted).await;
    assert_eq!(append(seen()).await, uid(3));
    f.flag(stored.mailbox, stored.uid, FlagMode::Remove, Flag::Deleted)
        .await;
    assert_eq!(append(seen()).await, stored.uid);
    f.assert_consistent().await;
}
