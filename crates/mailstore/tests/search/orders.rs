//! Days, orders and threads of a few messages.

use crate::common::{Fixture, message, uid};
use crate::mailbox::{mailbox_of, numbers};
use crate::naive::DAY;
use crate::programs::key;
use postroom_mailstore::{Mailstore, Options};
use postroom_types::{InternalDate, MessageFlags, SearchKey, SortBy, ThreadAlgorithm, Uid};
use std::sync::Arc;

/// RFC 9051 §6.4.4: BEFORE, ON and SINCE disregard time and timezone, so they go by the date as it is shown.
#[tokio::test]
async fn days_are_those_of_the_zone() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    let day = 20_446; // 24 December 2025
    let at = |hours: i64, zone_hours: i32| {
        let local = day * DAY + hours * 3_600;
        InternalDate::new(local - i64::from(zone_hours) * 3_600, zone_hours * 60)
    };
    let dates = [
        at(23, 2),   // 21:00 UTC on the 24th
        at(24, 2),   // 22:00 UTC on the 24th: the 25th
        at(23, -5),  // 04:00 UTC on the 25th: the 24th
        at(1, 14),   // 11:00 UTC on the 23rd: the 24th
        at(-1, -10), // 09:00 UTC on the 24th: the 23rd
        at(12, 0),
    ];
    for (number, date) in dates.into_iter().enumerate() {
        let message = message(&format!("Subject: {number}\r\n\r\n"));
        let flags = MessageFlags::default();
        f.mail.append(f.inbox, "INBOX", &message, flags, date).await.unwrap();
    }
    let archive = f.id("Archive").await;
    let all: Vec<Uid> = (1..=6).map(uid).collect();
    f.mail.copy(f.inbox, inbox, &all, archive).await.unwrap();
    let trash = f.id("Trash").await;
    f.mail.copy(f.inbox, inbox, &all, trash).await.unwrap();
    let spam = f.id("Spam").await;
    f.mail.move_messages(f.inbox, trash, &all, spam).await.unwrap();
    // Read by another, so that nothing is remembered from before.
    let fresh = Mailstore::new(Arc::clone(&f.store) as _, Options::default());
    for mailbox in [inbox, archive, spam] {
        let shared = fresh.open_shared(f.inbox, mailbox).await.unwrap();
        let states = shared
            .states(&all)
            .into_iter()
            .map(|state| state.unwrap().internal_date);
        assert_eq!(states.collect::<Vec<_>>(), dates);
        let metas = fresh.metadata(f.inbox, mailbox, &all, false).await.unwrap();
        assert_eq!(metas.iter().map(|meta| meta.internal_date).collect::<Vec<_>>(), dates);
        for (program, expected) in [
            (SearchKey::On(day), vec![1, 3, 4, 6]),
            (SearchKey::On(day + 1), vec![2]),
            (SearchKey::Before(day), vec![5]),
            (SearchKey::Since(day), vec![1, 2, 3, 4, 6]),
            (SearchKey::Before(day + 1), vec![1, 3, 4, 5, 6]),
        ] {
            let found = fresh.search(&shared, &all, &program).await.unwrap();
            assert_eq!(numbers(&found), expected, "{program:?}");
        }
        // The moment counts for the order.
        let keys = [key(SortBy::Arrival, false)];
        let sorted = fresh.sort(&shared, &all, &SearchKey::All, &keys).await.unwrap();
        assert_eq!(numbers(&sorted), [4, 5, 6, 1, 2, 3]);
    }
    f.assert_consistent().await;
}

#[tokio::test]
async fn every_order() {
    let mailbox = mailbox_of(&[
        "Subject: Re: beta\r\nFrom: zoe@a\r\nTo: Bob <z@a>\r\nDate: Fri, 01 Dec 2023 10:00:00 +0200\r\nMessage-ID: <1@x>",
        "Subject: [x] Alpha (fwd)\r\nFrom: \"adam\" <Yves@a>\r\nTo: a@a\r\nDate: Fri, 01 Dec 2023 08:30:00 +0000\r\nMessage-ID: <2@x>",
        "From: =?utf-8?q?=C3=89mile?= <xaver@a>\r\nCc: c@a\r\nMessage-ID: <3@x>",
        "Subject: ALPHA\r\nTo: g: m@a;\r\nCc: b@a\r\nDate: Thu, 30 Nov 2023 10:00:00 +0000\r\nMessage-ID: <4@x>",
    ])
    .await;
    for (by, order) in [
        (SortBy::Arrival, [1, 2, 3, 4]),
        (SortBy::Size, [1, 2, 3, 4]),
        (SortBy::Subject, [3, 2, 4, 1]),
        (SortBy::From, [4, 3, 2, 1]),
        (SortBy::DisplayFrom, [4, 2, 3, 1]),
        (SortBy::To, [3, 2, 4, 1]),
        (SortBy::DisplayTo, [3, 2, 1, 4]),
        (SortBy::Cc, [1, 2, 4, 3]),
        // The third has no Date field: INTERNALDATE, in November.
        (SortBy::Date, [3, 4, 1, 2]),
    ] {
        let mut expected = order.to_vec();
        if by == SortBy::Size {
            expected.sort_by_key(|uid| mailbox.known[*uid as usize - 1].read.content.len());
        }
        assert_eq!(mailbox.sorted(by, false).await, expected, "{by:?}");
    }
    // Equal ones stay in the order of the mailbox.
    assert_eq!(mailbox.sorted(SortBy::Subject, true).await, [1, 2, 4, 3]);
    let keys = [key(SortBy::Subject, false), key(SortBy::Date, false)];
    let program = SearchKey::Not(Box::new(SearchKey::Subject("beta".into())));
    let found = mailbox
        .fixture
        .mail
        .sort(&mailbox.shared, &mailbox.among(), &program, &keys)
        .await;
    assert_eq!(numbers(&found.unwrap()), [3, 4, 2]);
}

#[tokio::test]
async fn threads_of_a_mailbox() {
    let mailbox = mailbox_of(&[
        "Subject: one\r\nMessage-ID: <1@x>\r\nDate: 1 Dec 2023 10:00:00 +0000",
        "Subject: Re: one\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\nDate: 4 Dec 2023 10:00:00 +0000",
        "Subject: other\r\nMessage-ID: <3@x>\r\nIn-Reply-To: <\"1\"@x>\r\nDate: 3 Dec 2023 10:00:00 +0000",
        "Subject: fwd: one\r\nMessage-ID: <4@x>\r\nDate: 2 Dec 2023 10:00:00 +0000",
        "Subject: one\r\nMessage-ID: <5@x>\r\nReferences: <2@x>\r\nDate: 5 Dec 2023 10:00:00 +0000",
    ])
    .await;
    assert_eq!(
        mailbox.threads(ThreadAlgorithm::References).await,
        [(0, 1), (1, 4), (1, 3), (1, 2), (2, 5)]
    );
    assert_eq!(
        mailbox.threads(ThreadAlgorithm::OrderedSubject).await,
        [(0, 1), (1, 4), (1, 2), (1, 5), (0, 3)]
    );
}
