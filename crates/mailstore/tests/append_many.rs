//! MULTIAPPEND and REPLACE: all or none.

mod common;

use bytes::Bytes;
use common::{Fixture, NOW, add_inbox, deleted, message, numbered, seen, uid};
use postroom_mailstore::{MailError, NewMessage, Origin};
use postroom_types::{InternalDate, MessageFlags};

type Appending = (NewMessage, MessageFlags, InternalDate);

fn imported(message: NewMessage) -> Appending {
    let message = NewMessage {
        origin: Origin::Imported,
        ..message
    };
    (message, seen(), InternalDate::new(NOW / 1000 - 5, -210))
}

#[tokio::test]
async fn all_in_one_commit() {
    for f in [Fixture::new().await, Fixture::hostile(3).await] {
        let before = f.mail.modseq(f.inbox).await.unwrap();
        let messages: Vec<Appending> = (1..=700)
            .map(|number| imported(numbered(number, &format!("<m{}@x>", number - 1))))
            .collect();
        let (uid_validity, uids) = f.mail.append_many(f.inbox, "Archive", &messages, None).await.unwrap();
        assert_eq!(uids, (1..=700).map(uid).collect::<Vec<_>>());
        assert_eq!(f.mail.modseq(f.inbox).await.unwrap().0, before.0 + 1);
        let archive = f.id("Archive").await;
        assert_eq!(
            f.mail.status(f.inbox, archive).await.unwrap().uid_validity,
            uid_validity
        );
        // Each answers the one before it, in the same commit.
        let metas = f.mail.metadata(f.inbox, archive, &uids, true).await.unwrap();
        assert!(metas.iter().all(|meta| meta.thread_id == metas[0].thread_id));
        assert_eq!(metas[699].summary.as_ref().unwrap().subject_text, "number 700");
        assert_eq!(metas[699].internal_date, InternalDate::new(NOW / 1000 - 5, -210));
        assert_eq!(f.mail.thread(f.inbox, metas[0].thread_id).await.unwrap().len(), 700);
        f.assert_consistent().await;
    }
}

#[tokio::test]
async fn the_same_message_twice_is_two() {
    let f = Fixture::new().await;
    let messages = [
        imported(numbered(1, "")),
        imported(numbered(1, "")),
        imported(message("x")),
    ];
    let (_, uids) = f.mail.append_many(f.inbox, "INBOX", &messages, None).await.unwrap();
    assert_eq!(uids.len(), 3);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 3);
    let inbox = f.id("INBOX").await;
    f.mail.expunge(f.inbox, inbox, &uids[..1], false).await.unwrap();
    f.assert_consistent().await;
}

#[tokio::test]
async fn none_if_one_cannot_be() {
    let f = Fixture::new().await;
    let mut messages = vec![imported(numbered(1, "")), imported(numbered(2, ""))];
    messages[1].0.prefix = vec![b'x'; 3000];
    let append = async |name: &str, messages: &[Appending], replaces| {
        let before = f.mail.modseq(f.inbox).await.unwrap();
        let refused = f.mail.append_many(f.inbox, name, messages, replaces).await.unwrap_err();
        assert_eq!(f.mail.modseq(f.inbox).await.unwrap(), before, "nothing was done");
        refused
    };
    assert!(matches!(append("INBOX", &messages, None).await, MailError::TooBig));
    messages[1].0.prefix.clear();
    assert!(matches!(
        append("nowhere", &messages, None).await,
        MailError::NoSuchMailbox
    ));
    assert!(matches!(append("INBOX", &[], None).await, MailError::Cannot(_)));
    let inbox = f.id("INBOX").await;
    let gone = Some((inbox, uid(7)));
    assert!(matches!(
        append("INBOX", &messages, gone).await,
        MailError::NoSuchMessage
    ));
    let nowhere = Some((postroom_types::MailboxId::new(), uid(7)));
    assert!(matches!(
        append("INBOX", &messages, nowhere).await,
        MailError::NoSuchMailbox
    ));
    messages[0].0.body = Bytes::from(vec![b'x'; 200 << 20]);
    messages[1].0.body = messages[0].0.body.clone();
    assert!(matches!(append("INBOX", &messages, None).await, MailError::Limit(_)));
    let many = vec![imported(numbered(1, "")); 10_001];
    assert!(matches!(append("INBOX", &many, None).await, MailError::Limit(_)));
    f.assert_consistent().await;
}

#[tokio::test]
async fn one_message_may_go_over_quota() {
    let f = Fixture::new().await;
    let (one, size) = (imported(numbered(1, "")), numbered(1, "").octets());
    for (quota, count, taken) in [
        (2 * size, 2, true),
        (2 * size, 3, false),
        (2 * size + 1, 3, true),
        (1, 1, true),
    ] {
        let inbox = add_inbox(&f.mail, quota).await;
        let messages = vec![one.clone(); count];
        let appended = f.mail.append_many(inbox, "INBOX", &messages, None).await;
        assert_eq!(appended.is_ok(), taken, "{count} of {size} in {quota}");
        let there = f.mail.count(inbox).await.unwrap();
        assert_eq!(there, if taken { count as u64 } else { 0 });
        if !taken {
            assert!(matches!(appended, Err(MailError::OverQuota(of)) if of == inbox));
            continue;
        }
        // A full inbox takes a replacement: what goes makes room (RFC 8508 §3.4).
        let mailbox = f.mail.mailbox_id(inbox, "INBOX").await.unwrap();
        let full = f.mail.usage(inbox).await.unwrap();
        let replaced = f
            .mail
            .append_many(inbox, "INBOX", &messages[..1], Some((mailbox, uid(1))))
            .await;
        assert_eq!(replaced.is_ok(), full.octets - size < full.quota_octets);
        assert!(f.mail.check_consistency(inbox).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn replacing_is_one_commit() {
    for seed in 0..20 {
        let f = Fixture::hostile(seed).await;
        let drafts = f.id("Drafts").await;
        let draft = imported(numbered(1, ""));
        let first = f
            .mail
            .append(f.inbox, "Drafts", &draft.0, deleted(), draft.2)
            .await
            .unwrap();
        let before = f.mail.modseq(f.inbox).await.unwrap();
        // The same Message-ID and body, as a client saves a draft whose addresses changed.
        let again = NewMessage {
            prefix: b"To: a@b\r\n".to_vec(),
            ..draft.0.clone()
        };
        let replaces = Some((drafts, first.uid));
        let (_, uids) = f
            .mail
            .append_many(f.inbox, "Drafts", &[imported(again)], replaces)
            .await
            .unwrap();
        assert_eq!(uids, [uid(2)]);
        assert_eq!(f.uids(drafts).await, [2]);
        assert_eq!(f.mail.modseq(f.inbox).await.unwrap().0, before.0 + 1);
        let found = f.mail.find_message_id(f.inbox, "m1@x").await.unwrap();
        assert!(
            found.is_some_and(|id| id != first.email_id),
            "the new one has its Message-ID"
        );
        f.assert_consistent().await;

        // Into another mailbox, of a message that has a second placement: it stays there.
        let copied = f
            .mail
            .copy(f.inbox, drafts, &uids, f.id("Archive").await)
            .await
            .unwrap();
        let replaces = Some((drafts, uids[0]));
        let two = [imported(numbered(2, "<m1@x>")), imported(numbered(3, ""))];
        let (_, sent) = f.mail.append_many(f.inbox, "Sent", &two, replaces).await.unwrap();
        assert_eq!(sent, [uid(1), uid(2)]);
        assert!(f.uids(drafts).await.is_empty());
        assert_eq!(f.uids(f.id("Archive").await).await, [copied.pairs[0].1.get()]);
        assert_eq!(f.mail.count(f.inbox).await.unwrap(), 3);
        f.assert_consistent().await;
    }
}
