//! What is kept between searches, and searches that end early or never should.

use crate::common::{Fixture, add_inbox, message, placing, uid};
use crate::mailbox::{mailbox_of, numbers};
use crate::pool::POOL;
use crate::programs::{from, key};
use postroom_mailstore::{MailboxRef, Mailstore, Options};
use postroom_store::MemoryStore;
use postroom_types::{ModSeq, SearchKey, SortBy, Uid};

#[tokio::test]
async fn modseqs_are_told_if_asked_for() {
    let mailbox = mailbox_of(&["Subject: one", "Subject: two"]).await;
    let search = |program| async {
        let program: SearchKey = program;
        mailbox
            .fixture
            .mail
            .search(&mailbox.shared, &mailbox.among(), &program)
            .await
            .unwrap()
    };
    assert_eq!(search(SearchKey::All).await.modseqs, []);
    let all = search(SearchKey::ModSeq(ModSeq(0))).await;
    assert_eq!((all.uids.len(), all.modseqs.len()), (2, 2));
    let last = search(SearchKey::Or(Box::new((
        SearchKey::ModSeq(all.modseqs[1]),
        SearchKey::Body("nowhere".into()),
    ))))
    .await;
    assert_eq!((last.uids, last.modseqs), (vec![uid(2)], vec![all.modseqs[1]]));
}

/// Few of many are searched without making columns of all; then all; then those that came; with and without room.
#[tokio::test]
async fn columns_follow_the_mailbox() {
    for column_octets in [1, 64 << 20] {
        let options = Options {
            column_octets,
            ..Options::default()
        };
        let mail = Mailstore::new(MemoryStore::new(), options);
        let inbox = add_inbox(&mail, 1 << 40).await;
        let id = mail.mailbox_id(inbox, "INBOX").await.unwrap();
        let deliver = async |number: u32| {
            let message = message(&format!("From: a{}@b\r\nSubject: s{number}\r\n\r\nx", number % 7));
            mail.deliver(&message, vec![placing(inbox, MailboxRef::Inbox, &message)])
                .await
                .unwrap();
        };
        for number in 1..=700 {
            deliver(number).await;
        }
        let shared = mail.open_shared(inbox, id).await.unwrap();
        let found = async |among: &[u32], program: &SearchKey| {
            let among: Vec<Uid> = among.iter().map(|number| uid(*number)).collect();
            numbers(&mail.search(&shared, &among, program).await.unwrap())
        };
        let expected = |last: u32| -> Vec<u32> { (1..=last).filter(|number| number % 7 == 3).collect() };
        assert_eq!(found(&[3, 9, 10, 700], &from("A3@")).await, [3, 10]);
        let all: Vec<u32> = (1..=700).collect();
        assert_eq!(found(&all, &from("<a3@b>")).await, expected(700));
        for number in 701..=710 {
            deliver(number).await;
        }
        // Not learnt of yet: not there.
        assert_eq!(found(&[703, 708], &from("a3@b")).await, [0; 0]);
        mail.refresh(&shared).await.unwrap();
        let more: Vec<u32> = (1..=710).collect();
        assert_eq!(found(&more, &from("a3@b")).await, expected(710));
        let keys = [key(SortBy::From, true), key(SortBy::Subject, false)];
        let uids: Vec<Uid> = more.iter().map(|number| uid(*number)).collect();
        let sorted = mail.sort(&shared, &uids, &SearchKey::All, &keys).await.unwrap();
        let mut order = more.clone();
        order.sort_by_key(|number| (std::cmp::Reverse(number % 7), format!("S{number}")));
        assert_eq!(numbers(&sorted), order);
    }
}

#[tokio::test]
async fn a_text_belongs_to_all_its_inboxes() {
    let fixture = Fixture::new().await;
    let other = add_inbox(&fixture.mail, 1 << 40).await;
    let (message, _) = &POOL[3][1];
    let placings = vec![
        placing(fixture.inbox, MailboxRef::Inbox, message),
        placing(other, MailboxRef::Inbox, message),
    ];
    fixture.mail.deliver(message, placings).await.unwrap();
    let first = fixture.id("INBOX").await;
    fixture
        .mail
        .expunge(fixture.inbox, first, &[uid(1)], false)
        .await
        .unwrap();
    let id = fixture.mail.mailbox_id(other, "INBOX").await.unwrap();
    let shared = fixture.mail.open_shared(other, id).await.unwrap();
    let program = SearchKey::Body("hello caf\u{e9}".into());
    let found = fixture.mail.search(&shared, &[uid(1)], &program).await.unwrap();
    assert_eq!(numbers(&found), [1]);
    fixture.assert_consistent().await;
    assert_eq!(fixture.mail.check_consistency(other).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn programs_without_measure() {
    let mailbox = mailbox_of(&["Subject: one", "Subject: =?utf-8?q?two?=", "From: a@b"]).await;
    let many = |make: fn(String) -> SearchKey| SearchKey::And((0..3000).map(|_| make("x".to_owned())).collect());
    assert_eq!(mailbox.found(&many(SearchKey::Text)).await, [1, 2, 3]);
    assert_eq!(mailbox.found(&many(SearchKey::Subject)).await, [0; 0]);
    let name = |text| SearchKey::Header {
        name: "Subject".into(),
        text,
    };
    assert_eq!(mailbox.found(&SearchKey::Not(Box::new(many(name)))).await, [1, 2, 3]);
    let mut deep = SearchKey::Subject("one".into());
    for _ in 0..500 {
        deep = SearchKey::Or(Box::new((
            SearchKey::Not(Box::new(deep)),
            SearchKey::Body("nowhere".into()),
        )));
    }
    assert_eq!(mailbox.found(&deep).await, [1]);
}

#[tokio::test]
async fn a_dropped_search_leaves_nothing_behind() {
    let mailbox = mailbox_of(&["Subject: one", "Subject: two"]).await;
    let among = mailbox.among();
    for program in [SearchKey::Subject("two".into()), SearchKey::Text("two".into())] {
        for polls in 0..12 {
            let mut search = std::pin::pin!(mailbox.fixture.mail.search(&mailbox.shared, &among, &program));
            for _ in 0..polls {
                tokio::select! { biased; _ = &mut search => break, () = tokio::task::yield_now() => {} }
            }
        }
        assert_eq!(mailbox.found(&program).await, [2]);
    }
}
