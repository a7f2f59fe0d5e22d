//! Searches against a naive reader of the same messages: every key, in random programs, on random mailboxes.

mod common;

use common::{Fixture, NOW, add_inbox, keyword, placing, uid};
use postroom_mailstore::{FlagMode, Found, MailboxRef, Mailstore, NewMessage, Options, Origin, Placing, SharedMailbox};
use postroom_message::{
    RawMessage, SearchText, address_text, fold, header_values, parse_address_list, search_text, sent_date, summarize,
};
use postroom_store::MemoryStore;
use postroom_types::{
    AddressField, EmailId, Flag, Flags, InternalDate, MailboxId, MessageFlags, ModSeq, SearchKey, SortBy, SortKey,
    Summary, ThreadAlgorithm, ThreadId, Uid,
};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

const DAY: i64 = 86_400;

/// What the naive reader knows of a message.
#[derive(Clone, Debug)]
struct Known {
    uid: Uid,
    read: Arc<ReadMessage>,
    flags: MessageFlags,
    modseq: ModSeq,
    internal_date: InternalDate,
    saved_at: i64,
    email_id: EmailId,
    thread_id: ThreadId,
}

/// A message as it reads.
#[derive(Debug)]
struct ReadMessage {
    content: Vec<u8>,
    summary: Summary,
    text: SearchText,
}

impl ReadMessage {
    fn new(content: Vec<u8>) -> Self {
        let summary = summarize(&content);
        let raw = RawMessage {
            prefix: b"",
            body: &content,
        };
        let text = search_text(raw, &summary.root);
        Self { content, summary, text }
    }
}

type Sample = (NewMessage, Arc<ReadMessage>);

/// The messages of [`contents`] without and with a prefix.
static POOL: LazyLock<Vec<[Sample; 2]>> = LazyLock::new(|| {
    let make = |content: String| {
        let with_prefix = common::message(&content);
        let mut without = with_prefix.clone();
        without.prefix.clear();
        [without, with_prefix].map(|mut message| {
            let read = ReadMessage::new([message.prefix.as_slice(), &message.body].concat());
            message.summary = Arc::new(read.summary.clone());
            message.origin = Origin::Imported;
            (message, Arc::new(read))
        })
    };
    contents().into_iter().map(make).collect()
});

fn is_in(text: &str, wanted: &str) -> bool {
    fold(text).contains(&fold(wanted))
}

fn naive(known: &Known, key: &SearchKey, now: i64) -> bool {
    let ReadMessage { content, summary, text } = &*known.read;
    let header = &content[..usize::try_from(summary.root.body_offset).unwrap()];
    let sent = || {
        summary
            .envelope
            .date
            .as_deref()
            .and_then(sent_date)
            .map(|sent| sent.day)
    };
    let local = known.internal_date.seconds + i64::from(known.internal_date.zone_minutes()) * 60;
    let arrived = local.div_euclid(DAY);
    let saved = known.saved_at.div_euclid(DAY);
    match key {
        SearchKey::All | SearchKey::SaveDateSupported => true,
        SearchKey::And(keys) => keys.iter().all(|key| naive(known, key, now)),
        SearchKey::Or(both) => naive(known, &both.0, now) || naive(known, &both.1, now),
        SearchKey::Not(key) => !naive(known, key, now),
        SearchKey::Uids(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&known.uid)),
        SearchKey::RecentFrom(from) => from.is_some_and(|from| known.uid >= from),
        SearchKey::Has(flags) => flags.difference(known.flags.system) == Flags::NONE,
        SearchKey::Keyword(keyword) => known.flags.keywords.contains(keyword),
        SearchKey::Address { field, text } => {
            let name = ["From", "To", "Cc", "Bcc"][*field as usize];
            let values = header_values(header, name);
            if text.contains('"') {
                return values.iter().any(|value| is_in(value, text));
            }
            let raw = postroom_message::fields(header).filter(|field| field.is(name));
            let entries: Vec<_> = raw.flat_map(|field| parse_address_list(field.value)).collect();
            !values.is_empty() && is_in(&address_text(&entries), text)
        }
        SearchKey::Subject(text) => header_values(header, "Subject")
            .first()
            .is_some_and(|value| is_in(value, text)),
        SearchKey::Header { name, text } => header_values(header, name).iter().any(|value| is_in(value, text)),
        SearchKey::Body(wanted) => text.body.contains(&fold(wanted)),
        SearchKey::Text(wanted) => text.header.contains(&fold(wanted)) || text.body.contains(&fold(wanted)),
        SearchKey::Larger(octets) => content.len() as u64 > *octets,
        SearchKey::Smaller(octets) => (content.len() as u64) < *octets,
        SearchKey::Before(day) => arrived < *day,
        SearchKey::On(day) => arrived == *day,
        SearchKey::Since(day) => arrived >= *day,
        SearchKey::SentBefore(day) => sent().is_some_and(|sent| sent < *day),
        SearchKey::SentOn(day) => sent().is_some_and(|sent| sent == *day),
        SearchKey::SentSince(day) => sent().is_some_and(|sent| sent >= *day),
        SearchKey::SavedBefore(day) => saved < *day,
        SearchKey::SavedOn(day) => saved == *day,
        SearchKey::SavedSince(day) => saved >= *day,
        SearchKey::Younger(seconds) => known.internal_date.seconds >= now - *seconds as i64,
        SearchKey::Older(seconds) => known.internal_date.seconds <= now - *seconds as i64,
        SearchKey::ModSeq(modseq) => known.modseq >= *modseq,
        SearchKey::EmailId(id) => Some(known.email_id) == *id,
        SearchKey::ThreadId(id) => Some(known.thread_id) == *id,
    }
}

/// Messages of all kinds: as they stand, encoded, of several parts, enclosed, broken.
fn contents() -> Vec<String> {
    let long_list: Vec<String> = (0..300).map(|number| format!("r{number}@example.org")).collect();
    let long_header = "x".repeat(20_000);
    let multipart = "Subject: Re: [list] parts\r\nFrom: Ann <ann@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        preamble hidden\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 soft=\r\nbreak\r\n\
        --b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
        Subject: inner =?utf-8?q?caf=C3=A9?=\r\n\r\ninside\r\n--b--\r\nepilogue hidden\r\n";
    vec![
        "Subject: hello\r\nFrom: Ann Bee <ann@example.net>\r\nTo: bob@example.org\r\nDate: Fri, 01 Dec 2023 23:30:00 -0500\r\nMessage-ID: <1@x>\r\n\r\nHello World\r\n".into(),
        "Subject: Re: hello\r\nFrom: \"Bob \\\"B\\\" C\" <bob@example.org>\r\nCc: friends: Ann <ann@example.net>, c@d;\r\nIn-Reply-To: <1@x>\r\nMessage-ID: <2@x>\r\n\r\nhello\r\nworld".into(),
        "Subject: =?utf-8?q?caf?=\r\n =?utf-8?q?=C3=A9?= time\r\nFrom: =?iso-8859-1?q?J=FCrgen?= <j@example.de>\r\nBcc:\r\nX-Empty:\r\n\r\nnothing\r\n".into(),
        "Subject: b64\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nDate: rubbish\r\n\r\nSGVsbG8gY2Fmw6k=\r\n".into(),
        multipart.into(),
        "From: a@b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nDate: 30 Nov 2023 01:00:00 +0900\r\n\r\naGVsbG8=\r\n".into(),
        "\r\n".into(),
        "no header at all\r\n\r\nhello".into(),
        "Subject: raw caf\u{e9}\r\nTo: <x@y>\r\n\r\nraw h\u{c9}llo\r\n".into(),
        format!("To: {}\r\nSubject: many\r\nReferences: <1@x> <2@x>\r\n\r\nhello\r\n", long_list.join(",\r\n ")),
        format!("X-Long: {long_header}\r\nSubject: long hello\r\nFrom: Ann <ann@example.net>\r\nTo: \"q\" <q@r>\r\n\r\nend\r\n"),
        format!("Subject: large\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}caf=C3=A9\r\n", "line =3D\r\n".repeat(140_000)),
        format!("Subject: large and plain\r\n\r\n{}hello at the end\r\n", "line\r\n".repeat(200_000)),
    ]
}

/// Half of the messages are of another zone: with the time of [`NOW`], in one it is the next day, in one the same.
fn zone_of(flags: u8) -> i32 {
    match flags % 4 {
        0 => 14 * 60,
        1 => -(11 * 60 + 30),
        _ => 0,
    }
}

struct Mailbox {
    fixture: Fixture,
    shared: Arc<SharedMailbox>,
    id: MailboxId,
    known: Vec<Known>,
}

impl Mailbox {
    async fn fill(fixture: Fixture, picks: &[(usize, u8, i64)]) -> Self {
        let id = fixture.id("INBOX").await;
        let mut known = Vec::new();
        for (pick, flags, days) in picks {
            let (message, read) = &POOL[pick / 2][pick % 2];
            let mut initial = MessageFlags::system(Flags::from_bits(*flags));
            if flags & 32 != 0 {
                initial.keywords.push(keyword("work"));
            }
            if flags & 64 != 0 {
                initial.keywords.push(keyword("$Label1"));
            }
            fixture.advance(1);
            let now = fixture.clock.load(std::sync::atomic::Ordering::SeqCst) / 1000;
            let placing = Placing {
                flags: initial,
                internal_date: InternalDate::new(NOW / 1000 + days * DAY, zone_of(*flags)),
                ..placing(fixture.inbox, MailboxRef::Inbox, message)
            };
            let placed = fixture.mail.deliver(message, vec![placing.clone()]).await.unwrap()[0];
            known.push(Known {
                uid: placed.uid,
                read: Arc::clone(read),
                flags: placing.flags,
                modseq: ModSeq(0),
                internal_date: placing.internal_date,
                saved_at: now,
                email_id: placed.email_id,
                thread_id: placed.thread_id,
            });
        }
        let shared = fixture.mail.open_shared(fixture.inbox, id).await.unwrap();
        let states = shared.states(&known.iter().map(|known| known.uid).collect::<Vec<_>>());
        for (known, state) in known.iter_mut().zip(states) {
            known.modseq = state.unwrap().modseq;
        }
        Self {
            fixture,
            shared,
            id,
            known,
        }
    }

    fn among(&self) -> Vec<Uid> {
        self.known.iter().map(|known| known.uid).collect()
    }

    fn now(&self) -> i64 {
        self.fixture
            .clock
            .load(std::sync::atomic::Ordering::SeqCst)
            .div_euclid(1000)
    }

    fn expected(&self, program: &SearchKey) -> Vec<u32> {
        let matching = self.known.iter().filter(|known| naive(known, program, self.now()));
        matching.map(|known| known.uid.get()).collect()
    }

    async fn found(&self, program: &SearchKey) -> Vec<u32> {
        let found = self
            .fixture
            .mail
            .search(&self.shared, &self.among(), program)
            .await
            .unwrap();
        numbers(&found)
    }

    async fn sorted(&self, by: SortBy, reverse: bool) -> Vec<u32> {
        let keys = [SortKey { by, reverse }];
        let found = self
            .fixture
            .mail
            .sort(&self.shared, &self.among(), &SearchKey::All, &keys)
            .await;
        numbers(&found.unwrap())
    }

    async fn threads(&self, algorithm: ThreadAlgorithm) -> Vec<(u32, u32)> {
        let threads = self
            .fixture
            .mail
            .threads(&self.shared, &self.among(), &SearchKey::All, algorithm)
            .await;
        let shown = |(depth, uid): (u32, Option<Uid>)| (depth, uid.map_or(0, Uid::get));
        threads.unwrap().into_iter().map(shown).collect()
    }
}

fn numbers(found: &Found) -> Vec<u32> {
    found.uids.iter().map(|uid| uid.get()).collect()
}

fn needle() -> impl Strategy<Value = String> {
    let words = [
        "",
        "hello",
        "HELLO",
        "world",
        "caf\u{e9}",
        "CAFE\u{301}",
        "cafe",
        "ann",
        "<ann@example.net>",
        "Ann Bee <ann",
        "\"",
        "\"Bob",
        "friends: Ann",
        "J\u{fc}rgen",
        "softbreak",
        "hidden",
        "inside",
        "inner",
        "line =",
        "at the end",
        "r299@",
        "=?utf",
        "Subject:",
        "subject: hello",
        "hello\r\nworld",
        "raw h\u{e9}",
        "aGVs",
        "xxxx",
        "large",
        "a",
        "\n",
        "<2@x>",
        "nowhere",
    ];
    proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
}

fn program() -> impl Strategy<Value = SearchKey> {
    let field = proptest::sample::select(vec![
        AddressField::From,
        AddressField::To,
        AddressField::Cc,
        AddressField::Bcc,
    ]);
    let name = proptest::sample::select(vec![
        "Subject",
        "from",
        "X-Empty",
        "x-long",
        "Message-ID",
        "",
        "Received",
        "Content-Type",
    ]);
    let today = NOW / 1000 / DAY;
    let day = today - 3..today + 25;
    let text = prop_oneof![
        (field, needle()).prop_map(|(field, text)| SearchKey::Address { field, text }),
        needle().prop_map(SearchKey::Subject),
        (name, needle()).prop_map(|(name, text)| SearchKey::Header {
            name: name.to_owned(),
            text
        }),
        needle().prop_map(SearchKey::Body),
        needle().prop_map(SearchKey::Text),
    ];
    let other = prop_oneof![
        Just(SearchKey::All),
        Just(SearchKey::SaveDateSupported),
        (1..20u32, 0..5u32)
            .prop_map(|(first, more)| SearchKey::Uids(vec![(uid(first), uid(first + more)), (uid(30), uid(40))])),
        (0..20u32).prop_map(|from| SearchKey::RecentFrom(Uid::new(from))),
        any::<u8>().prop_map(|bits| SearchKey::Has(Flags::from_bits(bits & 12))),
        proptest::sample::select(vec!["WORK", "$label1", "none"]).prop_map(|word| SearchKey::Keyword(keyword(word))),
        (0..2000u64).prop_map(SearchKey::Larger),
        (0..2000u64).prop_map(SearchKey::Smaller),
        day.clone().prop_map(SearchKey::Before),
        day.clone().prop_map(SearchKey::On),
        day.clone().prop_map(SearchKey::Since),
    ];
    let dated = prop_oneof![
        (today..today + 20).prop_map(SearchKey::SentBefore),
        (today + 14..today + 18).prop_map(SearchKey::SentOn),
        (today..today + 20).prop_map(SearchKey::SentSince),
        day.clone().prop_map(SearchKey::SavedBefore),
        day.clone().prop_map(SearchKey::SavedOn),
        day.prop_map(SearchKey::SavedSince),
        (0..20u64).prop_map(|days| SearchKey::Younger(days * DAY as u64)),
        (0..20u64).prop_map(|days| SearchKey::Older(days * DAY as u64)),
        (0..30u64).prop_map(|modseq| SearchKey::ModSeq(ModSeq(modseq))),
        Just(SearchKey::EmailId(None)),
        Just(SearchKey::ThreadId(None)),
    ];
    prop_oneof![3 => text, 2 => other, 2 => dated].prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(SearchKey::And),
            (inner.clone(), inner.clone()).prop_map(|both| SearchKey::Or(Box::new(both))),
            inner.prop_map(|key| SearchKey::Not(Box::new(key))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn searches_find_what_reading_finds(
        picks in proptest::collection::vec((prop_oneof![30 => 0..22usize, 1 => 22..26usize], any::<u8>(), -2..20i64), 1..14),
        programs in proptest::collection::vec(program(), 6),
        expunged in 0..14u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut mailbox = Mailbox::fill(Fixture::new().await, &picks).await;
            for (turn, program) in programs.iter().enumerate() {
                prop_assert_eq!(mailbox.found(program).await, mailbox.expected(program), "{:?}", program);
                if turn == 2 && let Some(uid) = Uid::new(expunged).filter(|uid| uid.get() as usize <= picks.len()) {
                    // Sessions that hold the mailbox were not told yet: it stays as it was.
                    let fixture = &mailbox.fixture;
                    fixture.flag(mailbox.id, uid, FlagMode::Add, Flag::Deleted).await;
                    fixture.mail.refresh(&mailbox.shared).await.unwrap();
                    let state = mailbox.shared.states(&[uid])[0].clone().unwrap();
                    let known = &mut mailbox.known[uid.get() as usize - 1];
                    (known.flags, known.modseq) = (state.flags, state.modseq);
                    fixture.mail.expunge(fixture.inbox, mailbox.id, &[uid], false).await.unwrap();
                    fixture.mail.refresh(&mailbox.shared).await.unwrap();
                }
            }
            mailbox.fixture.assert_consistent().await;
            Ok(())
        })?;
    }
}

fn key(by: SortBy, reverse: bool) -> SortKey {
    SortKey { by, reverse }
}

fn from(text: &str) -> SearchKey {
    SearchKey::Address {
        field: AddressField::From,
        text: text.to_owned(),
    }
}

async fn mailbox_of(headers: &[&str]) -> Mailbox {
    let fixture = Fixture::new().await;
    let mut mailbox = Mailbox::fill(fixture, &[]).await;
    for (at, header) in headers.iter().enumerate() {
        let mut message = common::message(&format!("{header}\r\n\r\n{}", "x".repeat(headers.len() - at)));
        message.received_at = NOW + 1000 * at as i64;
        let placed = mailbox.fixture.deliver(&message).await;
        mailbox.known.push(Known {
            uid: placed.uid,
            read: Arc::new(ReadMessage::new([message.prefix.as_slice(), &message.body].concat())),
            flags: MessageFlags::default(),
            modseq: ModSeq(0),
            internal_date: InternalDate::utc(message.received_at / 1000),
            saved_at: 0,
            email_id: placed.email_id,
            thread_id: placed.thread_id,
        });
    }
    mailbox.fixture.mail.refresh(&mailbox.shared).await.unwrap();
    mailbox
}

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
        let message = common::message(&format!("Subject: {number}\r\n\r\n"));
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
            let message = common::message(&format!("From: a{}@b\r\nSubject: s{number}\r\n\r\nx", number % 7));
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
