//! Flags, and what sessions hear of changes.

use crate::common::{Fixture, deleted, keyword, numbered, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef, SharedNews};
use postroom_types::{Flag, Flags, MessageFlags, ModSeq, SpecialUse};

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
