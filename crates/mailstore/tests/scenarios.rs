//! What a client sees, story by story, on a store in which nothing goes wrong.

mod common;

use common::{Fixture, NOW, add_inbox, deleted, keyword, message, numbered, placing, seen, uid};
use postroom_mailstore::{
    Cause, FeedEvent, FlagMode, MailError, MailboxRef, NewMessage, Origin, Placing, SharedNews, ThreadChoice,
};
use postroom_store::{CommitBuilder, MemoryStore};
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, MessageFlags, ModSeq, SpecialUse, ThreadId, Uid};

#[tokio::test]
async fn a_new_inbox_has_its_mailboxes() {
    let f = Fixture::new().await;
    let found = f.mail.mailboxes(f.inbox).await.unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|info| (info.name.as_str(), info.special_use, info.subscribed))
        .collect();
    assert_eq!(
        names,
        [
            ("Archive", Some(SpecialUse::Archive), true),
            ("Blocked", None, true),
            ("Drafts", Some(SpecialUse::Drafts), true),
            ("INBOX", None, true),
            ("Sent", Some(SpecialUse::Sent), true),
            ("Spam", Some(SpecialUse::Junk), true),
            ("Trash", Some(SpecialUse::Trash), true),
        ]
    );
    let mut validities: Vec<_> = found.iter().map(|info| info.uid_validity).collect();
    validities.sort_unstable();
    validities.dedup();
    assert_eq!(validities.len(), 7);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_delivered_message_is_there_whole() {
    let f = Fixture::new().await;
    let placed = f.deliver(&numbered(1, "")).await;
    assert_eq!((placed.uid, placed.duplicate), (uid(1), false));
    let inbox = f.id("INBOX").await;
    assert_eq!(placed.mailbox, inbox);

    let status = f.mail.status(f.inbox, inbox).await.unwrap();
    assert_eq!((status.messages, status.unseen, status.deleted), (1, 1, 0));
    assert_eq!((status.uid_next, status.uid_validity), (uid(2), placed.uid_validity));

    let meta = f.mail.metadata(f.inbox, inbox, &[uid(1)], true).await.unwrap();
    assert_eq!(meta[0].summary.as_ref().unwrap().subject_text, "number 1");
    assert_eq!(meta[0].summary.as_ref(), Some(&*numbered(1, "").summary));
    assert_eq!(
        (meta[0].email_id, meta[0].internal_date),
        (placed.email_id, InternalDate::utc(NOW / 1000))
    );
    let content = f.content(placed.email_id).await.unwrap();
    assert!(content.starts_with(b"Received: from a by b\r\nMessage-ID: <m1@x>"));
    assert!(content.ends_with(b"body 1\r\n"));
    assert_eq!(meta[0].size_octets, content.len() as u64);
    assert_eq!(status.size_octets, content.len() as u64);

    let found = f.mail.content(f.inbox, placed.email_id).await.unwrap().unwrap();
    for (from, to) in [(0, 5), (20, 30), (23, 40), (40, 1 << 40), (1 << 40, 1 << 41), (7, 7)] {
        let expected = &content[content.len().min(from)..content.len().min(to)];
        let read = f.mail.read(&found, from as u64..to as u64).await.unwrap().unwrap();
        assert_eq!(read, expected, "{from}..{to}");
    }

    let feed = f.mail.feed(f.inbox, ModSeq(1), 10).await.unwrap();
    assert_eq!(
        feed[0].events,
        [FeedEvent::Appended {
            mailbox: inbox,
            last: uid(1),
            count: 1,
            cause: Cause::New(Origin::Received),
            email_id: Some(placed.email_id),
        }]
    );
    let usage = f.mail.usage(f.inbox).await.unwrap();
    assert_eq!((usage.messages, usage.octets), (1, content.len() as u64));
    let record = f.mail.message(f.inbox, placed.email_id).await.unwrap().unwrap();
    assert_eq!((record.home, record.placements), (inbox, vec![(inbox, uid(1))]));
    assert_eq!((record.verdict, record.received_at), (vec![7, 7], NOW));
    f.assert_consistent().await;
}

#[tokio::test]
async fn one_commit_delivers_to_several_inboxes() {
    let f = Fixture::new().await;
    let other = add_inbox(&f.mail, 1 << 30).await;
    let message = numbered(1, "");
    let before = f.store.stable_lsn();
    let placings = vec![
        placing(f.inbox, MailboxRef::Inbox, &message),
        placing(other, MailboxRef::Special(SpecialUse::Junk), &message),
    ];
    let placed = f.mail.deliver(&message, placings.clone()).await.unwrap();
    assert_eq!(f.store.stable_lsn().0, before.0 + 1);
    assert_eq!(placed[1].inbox, other);
    // Both read the one body, also when the first owner has let go of it.
    f.mail
        .expunge(f.inbox, placed[0].mailbox, &[placed[0].uid], false)
        .await
        .unwrap();
    let record = f.mail.message(other, placed[1].email_id).await.unwrap().unwrap();
    assert!(f.mail.read(&record.content, 0..10).await.unwrap().is_some());
    let inbox_of_other = f.mail.mailbox_id(other, "INBOX").await.unwrap();
    assert_eq!(record.home, inbox_of_other, "Spam is not a home");
    // The second try of the same delivery stores only what is missing: nothing in the other inbox.
    let again = f.mail.deliver(&message, placings).await.unwrap();
    assert_eq!((again[0].duplicate, again[0].uid), (false, uid(2)));
    assert_eq!((again[1].duplicate, again[1].uid), (true, placed[1].uid));
    f.assert_consistent().await;
    assert!(f.mail.check_consistency(other).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_missing_inbox_or_mailbox_refuses_all() {
    let f = Fixture::new().await;
    let message = numbered(1, "");
    let nobody = InboxId::new();
    let placings = vec![
        placing(f.inbox, MailboxRef::Inbox, &message),
        placing(nobody, MailboxRef::Inbox, &message),
    ];
    let refused = f.mail.deliver(&message, placings).await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(id)) if id == nobody));
    let gone = MailboxRef::Id(postroom_types::MailboxId::new());
    let refused = f.deliver_to(&message, gone).await;
    assert!(matches!(refused, Err(MailError::NoSuchMailbox)));
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 0);
    assert!(matches!(
        f.mail.status(f.inbox, postroom_types::MailboxId::new()).await,
        Err(MailError::NoSuchMailbox)
    ));
}

#[tokio::test]
async fn one_message_over_quota_is_taken() {
    let f = Fixture::new().await;
    f.mail.set_quota(f.inbox, 10).await.unwrap();
    f.deliver(&numbered(1, "")).await;
    let refused = f.deliver_to(&numbered(2, ""), MailboxRef::Inbox).await;
    assert!(matches!(refused, Err(MailError::OverQuota(inbox)) if inbox == f.inbox));
    assert_eq!(f.mail.usage(f.inbox).await.unwrap().quota_octets, 10);
    // What is there already needs no room.
    assert!(f.deliver(&numbered(1, "")).await.duplicate);
    f.mail
        .expunge(f.inbox, f.id("INBOX").await, &[uid(1)], false)
        .await
        .unwrap();
    f.deliver(&numbered(2, "")).await;
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_full_store_refuses_and_goes_on() {
    let store = MemoryStore::new();
    let f = Fixture::on(store.clone()).await;
    store.set_full(true);
    let refused = f.deliver_to(&numbered(1, ""), MailboxRef::Inbox).await;
    assert!(matches!(refused, Err(MailError::Full)));
    store.set_full(false);
    f.deliver(&numbered(1, "")).await;
    f.assert_consistent().await;
}

#[tokio::test]
async fn duplicates() {
    let f = Fixture::new().await;
    let first = f.deliver(&numbered(1, "")).await;
    let again = f.deliver(&numbered(1, "")).await;
    assert_eq!(
        (again.uid, again.email_id, again.duplicate),
        (first.uid, first.email_id, true)
    );
    // The same Message-ID with another body is another message.
    let other = f.deliver(&message("Message-ID: <m1@x>\r\n\r\nother\r\n")).await;
    assert!(!other.duplicate);
    // Five days later it is another message too.
    let late = NewMessage {
        received_at: NOW + 6 * 86_400_000,
        ..numbered(1, "")
    };
    let late = f.deliver(&late).await;
    assert!(!late.duplicate && late.email_id != first.email_id);
    // Without Message-ID nothing is a duplicate.
    let anonymous = message("Subject: x\r\n\r\nx\r\n");
    assert!(!f.deliver(&anonymous).await.duplicate);
    assert!(!f.deliver(&anonymous).await.duplicate);
    f.assert_consistent().await;
    let uids: Vec<Uid> = (1..=5).map(uid).collect();
    f.mail.expunge(f.inbox, first.mailbox, &uids, false).await.unwrap();
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 0);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_note_to_oneself_is_one_message_with_two_placements() {
    let f = Fixture::new().await;
    let sent = NewMessage {
        origin: Origin::Sent,
        prefix: Vec::new(),
        summary: std::sync::Arc::new(postroom_message::summarize(&numbered(1, "").body)),
        ..numbered(1, "")
    };
    let in_sent = f
        .deliver_to(&sent, MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    let in_inbox = f.deliver(&numbered(1, "")).await;
    assert_eq!(in_sent.email_id, in_inbox.email_id);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 1);
    let meta = f
        .mail
        .metadata(f.inbox, in_inbox.mailbox, &[in_inbox.uid], true)
        .await
        .unwrap();
    assert_eq!(
        meta[0].summary.as_ref(),
        Some(&*sent.summary),
        "offsets are those of the stored message"
    );
    let record = f.mail.message(f.inbox, in_sent.email_id).await.unwrap().unwrap();
    assert_eq!(record.placements.len(), 2);
    assert!(f.deliver(&numbered(1, "")).await.duplicate);
    f.assert_consistent().await;
}

#[tokio::test]
async fn what_is_submitted_twice_was_sent_twice() {
    let f = Fixture::new().await;
    let submit = |received_at| {
        let sent = NewMessage {
            origin: Origin::Sent,
            received_at,
            ..numbered(1, "")
        };
        let f = &f;
        async move {
            f.deliver_to(&sent, MailboxRef::Special(SpecialUse::Sent))
                .await
                .unwrap()
        }
    };
    let (first, second) = (submit(NOW).await, submit(NOW + 1000).await);
    assert!(!second.duplicate && second.email_id != first.email_id);
    assert_eq!(f.uids(first.mailbox).await, [1, 2]);
    // What comes back is one more placement of the first, and then it is there.
    let in_inbox = f.deliver(&numbered(1, "")).await;
    assert_eq!((in_inbox.email_id, in_inbox.duplicate), (first.email_id, true));
    let again = f.deliver(&numbered(1, "")).await;
    assert_eq!((again.email_id, again.uid), (first.email_id, in_inbox.uid));
    // After it was received, it is sent as a message of its own too; and after a week what comes back is the newest.
    let third = submit(NOW + 2000).await;
    let fourth = submit(NOW + 8 * 86_400_000).await;
    let late = NewMessage {
        received_at: NOW + 8 * 86_400_000,
        ..numbered(1, "")
    };
    assert_eq!(f.deliver(&late).await.email_id, fourth.email_id);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 4);
    assert!(!third.duplicate);
    f.assert_consistent().await;
}

#[tokio::test]
async fn what_was_submitted_is_not_appended_again() {
    let f = Fixture::new().await;
    let sent = NewMessage {
        origin: Origin::Sent,
        ..numbered(1, "")
    };
    let stored = f
        .deliver_to(&sent, MailboxRef::Special(SpecialUse::Sent))
        .await
        .unwrap();
    let copy = NewMessage {
        origin: Origin::Imported,
        ..message("Message-ID: <m1@x>\r\nBcc: a@b\r\nSubject: number 1\r\n\r\nbody 1\r\n")
    };
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
        message("Message-ID: <m1@x>\r\nSubject: number 2\r\n\r\nbody 1\r\n"),
        message(&format!(
            "Message-ID: <m1@x>\r\nSubject: number 1\r\n\r\n{}\r\n",
            "b".repeat(80)
        )),
    ] {
        let other = NewMessage {
            origin: Origin::Imported,
            ..other
        };
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
async fn flags_change_and_say_when() {
    let f = Fixture::new().await;
    for number in 1..=3 {
        f.deliver(&numbered(number, "")).await;
    }
    let inbox = f.id("INBOX").await;
    let both = [uid(1), uid(2), uid(9)];
    let stored = f
        .mail
        .store_flags(f.inbox, inbox, &both, FlagMode::Add, &seen(), None)
        .await
        .unwrap();
    assert_eq!(stored.now.len(), 2);
    let modseq = stored.now[0].2;
    assert_eq!((stored.now[0].1.clone(), stored.now[1].2), (seen(), modseq));
    // Nothing changes: nothing is written, and no modseq is taken.
    let again = f
        .mail
        .store_flags(f.inbox, inbox, &both, FlagMode::Add, &seen(), None)
        .await
        .unwrap();
    assert_eq!(again, stored);
    assert_eq!(f.mail.modseq(f.inbox).await.unwrap(), modseq);

    let status = f.mail.status(f.inbox, inbox).await.unwrap();
    assert_eq!((status.unseen, status.highest_modseq), (1, modseq));

    let work = MessageFlags {
        system: Flags::NONE.with(Flag::Flagged),
        keywords: vec![keyword("Work"), keyword("work"), keyword("$b")],
    };
    let replaced = f
        .mail
        .store_flags(f.inbox, inbox, &[uid(1)], FlagMode::Replace, &work, None)
        .await
        .unwrap();
    let replaced = &replaced.now[0].1;
    assert_eq!(replaced.keywords, [keyword("Work"), keyword("$b")]);
    assert!(!replaced.system.contains(Flag::Seen));
    let less = MessageFlags {
        keywords: vec![keyword("WORK")],
        ..MessageFlags::default()
    };
    let removed = f
        .mail
        .store_flags(f.inbox, inbox, &[uid(1)], FlagMode::Remove, &less, None)
        .await
        .unwrap();
    assert_eq!(removed.now[0].1.keywords, [keyword("$b")]);

    let open = f.mail.open_shared(f.inbox, inbox).await.unwrap().snapshot();
    assert_eq!((open.first_unseen, open.keywords), (Some(uid(1)), vec![keyword("$b")]));
    assert_eq!(open.modseq, removed.now[0].2);

    let many = MessageFlags {
        keywords: (0..101).map(|number| keyword(&format!("k{number}"))).collect(),
        ..MessageFlags::default()
    };
    let refused = f
        .mail
        .store_flags(f.inbox, inbox, &[uid(1)], FlagMode::Add, &many, None)
        .await;
    assert!(matches!(refused, Err(MailError::Limit(_))));
    f.assert_consistent().await;
}

#[tokio::test]
async fn changes_tell_each_session_what_it_missed() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    f.deliver(&numbered(1, "")).await;
    f.deliver(&numbered(2, "")).await;
    let shared = f.mail.open_shared(f.inbox, inbox).await.unwrap();
    let open = shared.snapshot();
    let news = async || {
        f.mail.refresh(&shared).await.unwrap();
        shared.news(open.modseq, open.uids.last().copied())
    };
    let quiet = news().await;
    assert_eq!(
        quiet,
        SharedNews {
            now: open.modseq,
            highest_modseq: open.modseq,
            ..SharedNews::default()
        }
    );

    // What happens elsewhere in the inbox is not told, but the cursor moves.
    let spam = f
        .deliver_to(&numbered(7, ""), MailboxRef::Special(SpecialUse::Junk))
        .await
        .unwrap();
    let elsewhere = news().await;
    assert_eq!(
        (elsewhere.appended.len(), elsewhere.highest_modseq),
        (0, open.highest_modseq)
    );
    assert!(elsewhere.now > open.modseq);

    f.deliver(&numbered(3, "")).await;
    f.deliver(&numbered(4, "")).await;
    f.flag(inbox, uid(2), FlagMode::Add, Flag::Seen).await;
    f.flag(inbox, uid(3), FlagMode::Add, Flag::Seen).await;
    f.mail.expunge(f.inbox, inbox, &[uid(1), uid(4)], false).await.unwrap();
    let moved = f
        .mail
        .move_messages(f.inbox, spam.mailbox, &[spam.uid], inbox)
        .await
        .unwrap();
    assert_eq!(moved.pairs, [(spam.uid, uid(5))]);
    let told = news().await;
    assert_eq!(told.appended, [uid(3), uid(5)]);
    assert_eq!(told.flags.iter().map(|(uid, ..)| *uid).collect::<Vec<_>>(), [uid(2)]);
    // That of which it never heard is left out.
    assert_eq!((told.expunged, told.present), (vec![uid(1)], None));
    assert_eq!(told.now, f.mail.modseq(f.inbox).await.unwrap());

    // From far back the rows themselves tell.
    f.advance(31);
    f.mail.expunge(f.inbox, inbox, &[uid(3)], false).await.unwrap();
    f.advance(31);
    assert!(f.mail.maintain(f.inbox, 1000).await.unwrap());
    assert!(f.mail.feed(f.inbox, ModSeq(0), 10).await.unwrap().is_empty());
    let told = news().await;
    assert_eq!(told.flags.iter().map(|(uid, ..)| *uid).collect::<Vec<_>>(), [uid(2)]);
    assert_eq!((told.appended, told.expunged), (vec![uid(5)], vec![]));
    assert_eq!(*told.present.unwrap(), [uid(2), uid(5)]);
    let all = [(uid(1), uid(100))];
    let vanished = f.mail.vanished(&shared, open.modseq, &all).await.unwrap();
    assert_eq!(vanished, [(uid(1), uid(1)), (uid(3), uid(4))]);
    let vanished = f.mail.vanished(&shared, quiet.now, &all[..0]).await.unwrap();
    assert_eq!(vanished, []);
    let last = f.mail.modseq(f.inbox).await.unwrap();
    assert_eq!(
        f.mail.vanished(&shared, ModSeq(last.0 - 1), &all).await.unwrap(),
        [(uid(3), uid(3))]
    );
    f.advance(40);
    f.mail.maintain(f.inbox, 1000).await.unwrap();
    // The first expunges are not remembered any more, the last is.
    f.deliver(&numbered(8, "")).await;
    assert_eq!(
        f.mail.vanished(&shared, ModSeq(last.0 - 1), &all).await.unwrap(),
        [(uid(3), uid(3))]
    );
    let vanished = f.mail.vanished(&shared, open.modseq, &all).await.unwrap();
    assert_eq!(vanished, [(uid(1), uid(1)), (uid(3), uid(4))]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn copies_share_the_message_until_the_last_goes() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    let archive = f.id("Archive").await;
    for number in 1..=3 {
        f.deliver(&numbered(number, "")).await;
    }
    f.flag(inbox, uid(2), FlagMode::Add, Flag::Flagged).await;
    let email_id = f.mail.metadata(f.inbox, inbox, &[uid(2)], false).await.unwrap()[0].email_id;
    let copied = f
        .mail
        .copy(f.inbox, inbox, &[uid(2), uid(3), uid(8)], archive)
        .await
        .unwrap();
    assert_eq!(copied.pairs, [(uid(2), uid(1)), (uid(3), uid(2))]);
    let flags = f.mail.flags(f.inbox, archive, &[uid(1)]).await.unwrap();
    assert!(flags[0].1.system.contains(Flag::Flagged));
    let twice = f.mail.copy(f.inbox, inbox, &[uid(2)], inbox).await.unwrap();
    assert_eq!(twice.pairs, [(uid(2), uid(4))]);
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 3);

    // Flags of all placements at once, for the API.
    assert!(
        f.mail
            .store_message_flags(f.inbox, email_id, FlagMode::Add, &seen())
            .await
            .unwrap()
    );
    for (mailbox, number) in [(inbox, 2), (inbox, 4), (archive, 1)] {
        let flags = f.mail.flags(f.inbox, mailbox, &[uid(number)]).await.unwrap();
        assert!(flags[0].1.system.contains(Flag::Seen));
    }
    f.assert_consistent().await;

    f.mail.expunge(f.inbox, inbox, &[uid(2), uid(4)], false).await.unwrap();
    assert!(f.content(email_id).await.is_some());
    f.mail.expunge(f.inbox, archive, &[uid(1)], false).await.unwrap();
    assert!(f.content(email_id).await.is_none());
    assert!(
        !f.mail
            .store_message_flags(f.inbox, email_id, FlagMode::Add, &seen())
            .await
            .unwrap()
    );
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 2);
    let feed = f.mail.feed(f.inbox, ModSeq(1), 100).await.unwrap();
    let FeedEvent::Expunged { gone, .. } = &feed.last().unwrap().events[0] else {
        panic!("{feed:?}")
    };
    assert_eq!(gone, &[email_id]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_large_copy_is_one_commit() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    let archive = f.id("Archive").await;
    for number in 1..=400 {
        f.deliver(&numbered(number, "")).await;
    }
    let uids: Vec<Uid> = (1..=400).map(uid).collect();
    let before = f.store.stable_lsn();
    let copied = f.mail.copy(f.inbox, inbox, &uids, archive).await.unwrap();
    assert_eq!(f.store.stable_lsn().0, before.0 + 1);
    assert_eq!((copied.pairs.len(), copied.pairs[399]), (400, (uid(400), uid(400))));
    // Moves and expunges of as many go in pieces.
    let moved = f
        .mail
        .move_messages(f.inbox, inbox, &uids[..300], archive)
        .await
        .unwrap();
    assert_eq!(
        (moved.pairs[0], moved.pairs[299]),
        ((uid(1), uid(401)), (uid(300), uid(700)))
    );
    let gone = f.mail.expunge(f.inbox, archive, &uids[..300], false).await.unwrap();
    assert_eq!(gone, uids[..300]);
    assert!(matches!(
        f.mail.expunge(f.inbox, archive, &uids, false).await,
        Err(MailError::Limit(_))
    ));
    f.assert_consistent().await;
}

#[tokio::test]
async fn moves_keep_flags_and_know_where_home_is() {
    let f = Fixture::new().await;
    let [inbox, archive, trash] = [f.id("INBOX").await, f.id("Archive").await, f.id("Trash").await];
    let placed = f.deliver(&numbered(1, "")).await;
    f.flag(inbox, uid(1), FlagMode::Add, Flag::Answered).await;
    let home = async || f.mail.message(f.inbox, placed.email_id).await.unwrap().unwrap().home;
    f.mail.move_messages(f.inbox, inbox, &[uid(1)], archive).await.unwrap();
    assert_eq!(home().await, archive);
    f.mail.move_messages(f.inbox, archive, &[uid(1)], trash).await.unwrap();
    assert_eq!(home().await, archive);
    let flags = f.mail.flags(f.inbox, trash, &[uid(1)]).await.unwrap();
    assert!(flags[0].1.system.contains(Flag::Answered));
    let same = f.mail.move_messages(f.inbox, trash, &[uid(1)], trash).await.unwrap();
    assert_eq!(same.pairs, [(uid(1), uid(2))]);
    assert_eq!(f.uids(trash).await, [2]);
    let nowhere = postroom_types::MailboxId::new();
    let refused = f.mail.move_messages(f.inbox, trash, &[uid(2)], nowhere).await;
    assert!(matches!(refused, Err(MailError::NoSuchMailbox)));
    f.assert_consistent().await;
}

#[tokio::test]
async fn expunge_takes_only_what_is_deleted() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    for number in 1..=3 {
        f.deliver(&numbered(number, "")).await;
    }
    f.mail
        .store_flags(f.inbox, inbox, &[uid(1), uid(3)], FlagMode::Add, &deleted(), None)
        .await
        .unwrap();
    assert_eq!(f.mail.status(f.inbox, inbox).await.unwrap().deleted, 2);
    let gone = f
        .mail
        .expunge(f.inbox, inbox, &[uid(2), uid(3), uid(4)], true)
        .await
        .unwrap();
    assert_eq!(gone, [uid(3)]);
    assert_eq!(f.uids(inbox).await, [1, 2]);
    let next = f.deliver(&numbered(9, "")).await;
    assert_eq!(next.uid, uid(4), "UIDs are never used again");
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

#[tokio::test]
async fn a_caller_can_add_to_the_commit() {
    let f = Fixture::new().await;
    let message = numbered(1, "");
    let mut with = CommitBuilder::new();
    with.put_new(b"q-item".to_vec(), vec![1]);
    let placings = || vec![placing(f.inbox, MailboxRef::Inbox, &message)];
    f.mail.deliver_with(&message, placings(), &with).await.unwrap();
    assert_eq!(f.store.get(b"q-item").await.unwrap(), Some(vec![1]));
    let other = numbered(2, "");
    let placings = vec![placing(f.inbox, MailboxRef::Inbox, &other)];
    let refused = f.mail.deliver_with(&other, placings, &with).await;
    assert!(matches!(refused, Err(MailError::Conflict(key)) if key == b"q-item"));
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 1);
    // A duplicate stores nothing, but the caller's part is done.
    let mut with = CommitBuilder::new();
    with.delete(b"q-item".to_vec());
    let placings = vec![placing(f.inbox, MailboxRef::Inbox, &message)];
    assert!(f.mail.deliver_with(&message, placings, &with).await.unwrap()[0].duplicate);
    assert_eq!(f.store.get(b"q-item").await.unwrap(), None);
}

#[tokio::test]
async fn a_removed_inbox_refuses_and_is_purged() {
    let f = Fixture::new().await;
    let other = add_inbox(&f.mail, 1 << 30).await;
    let placed = f.deliver(&numbered(1, "")).await;
    let shared = f.mail.open_shared(f.inbox, placed.mailbox).await.unwrap();
    assert!(matches!(
        f.mail.purge_inbox(f.inbox, 10).await,
        Err(MailError::Cannot(_))
    ));
    let mut builder = CommitBuilder::new();
    f.mail.remove_inbox(&mut builder, f.inbox);
    f.store.commit(builder.build()).await.unwrap();
    let refused = f.deliver_to(&numbered(2, ""), MailboxRef::Inbox).await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(_))));
    let refused = f.mail.refresh(&shared).await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(_))));
    assert!(matches!(
        f.mail.mailboxes(f.inbox).await,
        Err(MailError::NoSuchInbox(_))
    ));
    let refused = f
        .mail
        .store_flags(f.inbox, placed.mailbox, &[uid(1)], FlagMode::Add, &seen(), None)
        .await;
    assert!(matches!(refused, Err(MailError::NoSuchInbox(_))));
    while !f.mail.purge_inbox(f.inbox, 10).await.unwrap() {}
    let left = postroom_store::scan_prefix(&*f.store, b"m").collect().await.unwrap();
    assert!(left.iter().all(|(key, _)| key[1..17] == *other.as_bytes()));
}
