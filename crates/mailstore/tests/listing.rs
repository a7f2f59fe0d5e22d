//! Lists and threads of the API: in order, filtered, in pages, and with bounded work.

mod common;

use common::{Fixture, NOW, message};
use postroom_mailstore::{
    FlagMode, Include, LabelChange, ListQuery, MailboxRef, NewMessage, Origin, Placed, Placing, ThreadChoice,
    WindowQuery,
};
use postroom_types::{EmailId, Flag, InternalDate, MessageFlags, SpecialUse, ThreadId};
use std::collections::BTreeSet;

/// An id as it is made in this millisecond.
fn id_at(ms: i64, number: u8) -> EmailId {
    let mut bytes = [number; 16];
    bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
    EmailId::from_bytes(bytes)
}

/// A message from a sender, so many seconds after the beginning.
async fn put(f: &Fixture, seconds: i64, from: &str, subject: &str, more: &str) -> Placed {
    put_into(f, seconds, MailboxRef::Inbox, Origin::Received, &format!(
        "From: {from}\r\nTo: Agent <agent@example.org>\r\nCc: c{seconds}@example.org\r\nSubject: {subject}\r\nMessage-ID: <m{seconds}@x>\r\n{more}\r\nbody {seconds}\r\n"
    ))
    .await
}

async fn put_into(f: &Fixture, seconds: i64, mailbox: MailboxRef, origin: Origin, content: &str) -> Placed {
    let at = NOW + seconds * 1000;
    let new = NewMessage {
        received_at: at,
        verdict: Vec::new(),
        origin,
        ..message(content)
    };
    let placing = Placing {
        inbox: f.inbox,
        mailbox,
        email_id: id_at(at, 7),
        flags: MessageFlags::default(),
        internal_date: InternalDate::utc(at / 1000),
        thread: ThreadChoice::Find,
        announce: None,
    };
    f.mail.deliver(&new, vec![placing]).await.unwrap().remove(0)
}

/// The seconds of all messages of a list, page by page.
async fn listed(f: &Fixture, query: &ListQuery, limit: usize) -> Vec<i64> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = f.mail.list(f.inbox, query, cursor, limit).await.unwrap();
        assert!(page.messages.len() <= limit);
        all.extend(
            page.messages
                .iter()
                .map(|listed| (listed.record.received_at - NOW) / 1000),
        );
        match page.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

/// For each thread of a list the seconds of its messages.
async fn threads(f: &Fixture, query: &ListQuery, limit: usize) -> Vec<Vec<i64>> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = f.mail.list_threads(f.inbox, query, cursor, limit).await.unwrap();
        assert!(page.threads.len() <= limit);
        for thread in &page.threads {
            let at = thread
                .messages
                .iter()
                .map(|listed| (listed.record.received_at - NOW) / 1000);
            all.push(at.collect());
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

fn texts(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[tokio::test]
async fn pages_in_both_directions() {
    for f in [Fixture::new().await, Fixture::hostile(7).await] {
        for seconds in 0..25 {
            put(&f, seconds, "a@example.net", "x", "").await;
        }
        let newest_first: Vec<i64> = (0..25).rev().collect();
        for limit in [1, 4, 24, 25, 100] {
            assert_eq!(listed(&f, &ListQuery::default(), limit).await, newest_first);
            let ascending = ListQuery {
                ascending: true,
                ..ListQuery::default()
            };
            assert_eq!(listed(&f, &ascending, limit).await, (0..25).collect::<Vec<_>>());
        }
        let window = ListQuery {
            after: Some(NOW + 5_000),
            before: Some(NOW + 8_000),
            ..ListQuery::default()
        };
        assert_eq!(listed(&f, &window, 2).await, [7, 6, 5]);
        let page = f.mail.list(f.inbox, &ListQuery::default(), None, 25).await.unwrap();
        assert_eq!(page.next, None, "the last page says that it is");
    }
}

#[tokio::test]
async fn filters() {
    let f = Fixture::new().await;
    put(&f, 1, "Ann <ann@example.net>", "=?utf-8?q?Caf=C3=A9?= menu", "").await;
    put(&f, 2, "Bob <bob@example.net>", "Invoice", "").await;
    put(&f, 3, "ann@example.net", "Invoice", "").await;
    let query = |set: fn(&mut ListQuery)| {
        let mut query = ListQuery::default();
        set(&mut query);
        query
    };
    for (query, expected) in [
        (query(|q| q.from = texts("ANN")), &[3, 1][..]),
        (query(|q| q.subject = texts("café")), &[1]),
        (query(|q| q.to = texts("c2@")), &[2]),
        (query(|q| q.to = texts("agent")), &[3, 2, 1]),
        (
            query(|q| {
                q.from = texts("ann");
                q.subject = texts("invoice");
            }),
            &[3],
        ),
        (query(|q| q.from = vec!["ann".into(), "bob".into()]), &[]),
        (query(|q| q.labels = texts("received")), &[3, 2, 1]),
        (query(|q| q.labels = texts("sent")), &[]),
    ] {
        assert_eq!(listed(&f, &query, 2).await, expected, "{query:?}");
    }
}

#[tokio::test]
async fn what_is_hidden_is_shown_on_request() {
    let f = Fixture::new().await;
    let first = put(&f, 1, "a@b", "x", "").await;
    put(&f, 2, "a@b", "x", "").await;
    put_into(
        &f,
        3,
        MailboxRef::Special(SpecialUse::Junk),
        Origin::Received,
        "Subject: s\r\n\r\n",
    )
    .await;
    put_into(
        &f,
        4,
        MailboxRef::Special(SpecialUse::Drafts),
        Origin::Draft,
        "Subject: d\r\n\r\n",
    )
    .await;
    let trash = LabelChange::new(&["trash"], &[]).unwrap();
    f.mail.update_labels(f.inbox, &[first.email_id], &trash).await.unwrap();
    assert_eq!(listed(&f, &ListQuery::default(), 10).await, [2]);
    let all = ListQuery {
        include: Include::ALL,
        ..ListQuery::default()
    };
    assert_eq!(listed(&f, &all, 10).await, [3, 2, 1]);
    let spam = ListQuery {
        include: Include {
            spam: true,
            ..Include::default()
        },
        labels: texts("spam"),
        ..ListQuery::default()
    };
    assert_eq!(listed(&f, &spam, 10).await, [3]);
    assert_eq!(threads(&f, &ListQuery::default(), 10).await, [[2]]);
}

#[tokio::test]
async fn threads_stand_at_their_last_message() {
    let f = Fixture::new().await;
    put(&f, 1, "ann@b", "one", "").await;
    put(&f, 2, "bob@b", "two", "").await;
    put(&f, 3, "cat@b", "three", "").await;
    let answer = put(&f, 4, "dan@b", "Re: one", "In-Reply-To: <m1@x>\r\n").await;
    for limit in [1, 2, 10] {
        assert_eq!(
            threads(&f, &ListQuery::default(), limit).await,
            [vec![1, 4], vec![3], vec![2]]
        );
        let ascending = ListQuery {
            ascending: true,
            ..ListQuery::default()
        };
        assert_eq!(threads(&f, &ascending, limit).await, [vec![2], vec![3], vec![1, 4]]);
    }
    // A text and a label may be those of different messages.
    let query = ListQuery {
        from: texts("ann"),
        subject: texts("re: one"),
        ..ListQuery::default()
    };
    assert_eq!(threads(&f, &query, 10).await, [[1, 4]]);
    let window = ListQuery {
        before: Some(NOW + 4_000),
        ..ListQuery::default()
    };
    assert_eq!(threads(&f, &window, 10).await, [[3], [2]]);
    // Without its last message it stands elsewhere.
    let trash = LabelChange::new(&["trash"], &[]).unwrap();
    f.mail.update_labels(f.inbox, &[answer.email_id], &trash).await.unwrap();
    assert_eq!(threads(&f, &ListQuery::default(), 2).await, [[3], [2], [1]]);
}

#[tokio::test]
async fn threads_in_pages() {
    let f = Fixture::new().await;
    let root = put(&f, 0, "a@b", "long", "").await;
    for seconds in 1..250 {
        put(&f, seconds, "a@b", "Re: long", "In-Reply-To: <m0@x>\r\n").await;
    }
    let page = f
        .mail
        .list_threads(f.inbox, &ListQuery::default(), None, 10)
        .await
        .unwrap();
    let [thread] = page.threads.as_slice() else {
        panic!("one thread: {}", page.threads.len())
    };
    assert_eq!((thread.count, thread.messages.len()), (250, 101));
    assert_eq!(thread.messages[0].record.email_id, root.email_id);
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = f
            .mail
            .thread_messages(f.inbox, root.thread_id, Include::default(), before, 60)
            .await
            .unwrap();
        let at: Vec<i64> = page
            .messages
            .iter()
            .map(|listed| (listed.record.received_at - NOW) / 1000)
            .collect();
        assert!(at.is_sorted());
        all.splice(0..0, at);
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert_eq!(all, (0..250).collect::<Vec<_>>());
    let none = f
        .mail
        .list_thread(f.inbox, ThreadId::new(), Include::ALL)
        .await
        .unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn work_is_bounded_and_goes_on() {
    let f = Fixture::new().await;
    for seconds in 0..4500 {
        let from = if seconds == 3 { "needle@b" } else { "hay@b" };
        put(&f, seconds, from, "x", "").await;
    }
    let query = ListQuery {
        from: texts("needle"),
        ..ListQuery::default()
    };
    let first = f.mail.list(f.inbox, &query, None, 10).await.unwrap();
    assert!(
        first.messages.is_empty() && first.next.is_some(),
        "an empty page that goes on"
    );
    assert_eq!(listed(&f, &query, 10).await, [3]);
    assert_eq!(threads(&f, &query, 10).await, [[3]]);
}

#[tokio::test]
async fn words_are_found() {
    let f = Fixture::new().await;
    put(&f, 1, "Ann <ann@example.net>", "Quarterly report", "").await;
    put(&f, 2, "report@example.net", "hello", "").await;
    put_into(
        &f,
        3,
        MailboxRef::Inbox,
        Origin::Received,
        "Subject: x\r\n\r\nthe report is here\r\n",
    )
    .await;
    put_into(
        &f,
        4,
        MailboxRef::Special(SpecialUse::Junk),
        Origin::Received,
        "Subject: report\r\n\r\n",
    )
    .await;
    let find = async |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let hits = f.mail.find(f.inbox, &words).await.unwrap();
        let ids: Vec<EmailId> = hits.iter().map(|hit| hit.email_id).collect();
        let found = f.mail.list_of(f.inbox, &ids).await.unwrap();
        let at = found.iter().map(|listed| (listed.record.received_at - NOW) / 1000);
        at.collect::<Vec<_>>()
    };
    assert_eq!(
        find(&["REPORT"]).await,
        [1, 2, 3],
        "the subject counts most, then addresses"
    );
    assert_eq!(find(&["report", "ann"]).await, [1]);
    assert_eq!(find(&["report", "here"]).await, [3]);
    assert!(find(&["nothing"]).await.is_empty());
    let distinct: BTreeSet<i64> = find(&["report"]).await.into_iter().collect();
    assert_eq!(distinct.len(), 3);
}

#[tokio::test]
async fn times_that_ids_do_not_tell() {
    let f = Fixture::new().await;
    const DAY: i64 = 86_400;
    // Brought along under an id of today, as long as ids of such mail began with when it was brought.
    let old = NewMessage {
        received_at: NOW - 1000 * DAY * 1000,
        ..message("Subject: old\r\n\r\nold\r\n")
    };
    let placing = Placing {
        inbox: f.inbox,
        mailbox: MailboxRef::Inbox,
        email_id: id_at(NOW, 1),
        flags: MessageFlags::default(),
        internal_date: InternalDate::utc(NOW / 1000 - 1000 * DAY),
        thread: ThreadChoice::Find,
        announce: None,
    };
    f.mail.deliver(&old, vec![placing]).await.unwrap();
    put(&f, 5, "a@example.net", "new", "").await;
    let before = ListQuery {
        before: Some(NOW - 10 * DAY * 1000),
        ..ListQuery::default()
    };
    assert!(listed(&f, &before, 10).await.is_empty());
    for _ in 0..2 {
        f.mail.note_undated(f.inbox).await.unwrap();
    }
    assert_eq!(listed(&f, &before, 10).await, [-1000 * DAY]);
    assert_eq!(threads(&f, &before, 10).await, [[-1000 * DAY]]);
    f.assert_consistent().await;
    f.mail.note_undated(postroom_types::InboxId::new()).await.unwrap();
}

#[tokio::test]
async fn windows_are_counted() {
    let f = Fixture::new().await;
    for seconds in 0..12 {
        put(&f, seconds, "a@example.net", "x", "").await;
    }
    let sent = MailboxRef::Special(SpecialUse::Sent);
    for seconds in 12..15 {
        let content = format!("Message-ID: <m{seconds}@x>\r\n\r\nx\r\n");
        put_into(&f, seconds, sent, Origin::Sent, &content).await;
    }
    let trash = LabelChange::new(&["trash"], &[]).unwrap();
    let third = id_at(NOW + 3000, 7);
    f.mail.update_labels(f.inbox, &[third], &trash).await.unwrap();
    // Out of INBOX, but for a mail program to clear away: what is also in the trash is there.
    let fifth = f.mail.message(f.inbox, id_at(NOW + 5000, 7)).await.unwrap().unwrap();
    let (inbox, uid) = fifth.placements[0];
    let bin = f.id("Trash").await;
    f.mail.copy(f.inbox, inbox, &[uid], bin).await.unwrap();
    f.flag(inbox, uid, FlagMode::Add, Flag::Deleted).await;
    let window = async |sent, include, offset, limit| {
        let query = WindowQuery {
            include,
            sent,
            offset,
            limit,
        };
        let window = f.mail.window(f.inbox, &query).await.unwrap();
        let seconds = window
            .messages
            .iter()
            .map(|listed| (listed.record.received_at - NOW) / 1000);
        (seconds.collect::<Vec<_>>(), window.total)
    };
    let none = Include::default();
    assert_eq!(window(None, none, 0, 4).await, (vec![14, 13, 12, 11], 13));
    assert_eq!(window(None, none, 8, 9).await, (vec![6, 4, 2, 1, 0], 13));
    assert_eq!(window(None, Include::ALL, 13, 9).await, (vec![1, 0], 15));
    assert_eq!(window(Some(true), none, 1, 5).await, (vec![13, 12], 3));
    assert_eq!(window(Some(false), none, 0, 1).await, (vec![11], 10));
    assert_eq!(window(None, none, 100_000, 1).await, (vec![], 13));
    let too_far = WindowQuery {
        include: none,
        sent: None,
        offset: 100_001,
        limit: 1,
    };
    assert!(f.mail.window(f.inbox, &too_far).await.is_err());
}
