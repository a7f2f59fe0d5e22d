//! How long searches take on sled. Run by hand:
//! `cargo test --release -p postroom-mailstore --test search_speed -- --ignored --nocapture`, with `MESSAGES` (100,000 by
//! default) and `FOLDER` (one that is on a disk) in the environment.

mod common;

use common::{add_inbox, uid};
use postroom_mailstore::{MailboxRef, Mailstore, NewMessage, Options, Origin, Placing, SharedMailbox, ThreadChoice};
use postroom_store_sled::{Options as SledOptions, SledStore};
use postroom_types::{
    AddressField, EmailId, Flag, Flags, InternalDate, MessageFlags, SearchKey, SortBy, SortKey, ThreadAlgorithm, Uid,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the process has computed so far.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn message(number: u32) -> NewMessage {
    let words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];
    let word =
        |salt: u32| words[(number.wrapping_mul(2_654_435_761).wrapping_add(salt * 97) >> 7) as usize % words.len()];
    let parent = number / 4;
    let line = format!(
        "{} {} {} and more of the same, line after line of it\r\n",
        word(1),
        word(2),
        word(3)
    );
    let body = format!(
        "From: {} Person {} <person{}@example.net>\r\nTo: me@example.org\r\nSubject: {}{} {} {}\r\nDate: Fri, {} Nov 2024 21:{:02}:37 -0700\r\n\
         Message-ID: <m{number}@x>\r\nReferences: <m{}@x> <m{parent}@x>\r\nX-Filler: {}\r\n\r\n{}needle{number}\r\n",
        word(4),
        number % 997,
        number % 997,
        if number.is_multiple_of(4) { "" } else { "Re: " },
        word(5),
        word(6),
        parent,
        1 + number % 28,
        number % 60,
        parent / 4,
        "f".repeat(500),
        line.repeat(4000 / line.len())
    );
    let prefix = b"Received: from a by b; Fri, 1 Nov 2024 21:00:00 +0000\r\n".to_vec();
    let whole = [prefix.as_slice(), body.as_bytes()].concat();
    NewMessage {
        body: body.into(),
        prefix,
        summary: Arc::new(postroom_message::summarize(&whole)),
        origin: Origin::Imported,
        received_at: 1_700_000_000_000,
        verdict: Vec::new(),
        shared_body: None,
    }
}

async fn timed<T>(what: &str, work: impl Future<Output = T>) -> T {
    let (began, computed) = (Instant::now(), cpu());
    let value = work.await;
    println!(
        "{what:<42} {:>9.2} ms, {:>5} ms CPU",
        began.elapsed().as_secs_f64() * 1e3,
        (cpu() - computed).as_millis()
    );
    value
}

async fn searches(mail: &Mailstore, shared: &SharedMailbox, among: &[Uid]) {
    let text = |text: &str| text.to_owned();
    let programs = [
        ("SINCE", SearchKey::Since(19_700)),
        (
            "UNSEEN",
            SearchKey::Not(Box::new(SearchKey::Has(Flags::NONE.with(Flag::Seen)))),
        ),
        ("SUBJECT", SearchKey::Subject(text("gamma"))),
        (
            "FROM",
            SearchKey::Address {
                field: AddressField::From,
                text: text("person17@"),
            },
        ),
        (
            "HEADER",
            SearchKey::Header {
                name: text("X-Filler"),
                text: text("ffg"),
            },
        ),
        ("BODY", SearchKey::Body(text("needle77777"))),
        ("TEXT", SearchKey::Text(text("needle77777"))),
    ];
    for (what, program) in programs {
        for turn in ["first", "second"] {
            let what = format!("{what} of {}, {turn}", among.len());
            timed(&what, mail.search(shared, among, &program)).await.unwrap();
        }
    }
    for by in [SortBy::Date, SortBy::Subject, SortBy::From, SortBy::Arrival] {
        for turn in ["first", "second"] {
            let what = format!("SORT {by:?} of {}, {turn}", among.len());
            let keys = [SortKey { by, reverse: false }];
            timed(&what, mail.sort(shared, among, &SearchKey::All, &keys))
                .await
                .unwrap();
        }
    }
    for algorithm in [ThreadAlgorithm::OrderedSubject, ThreadAlgorithm::References] {
        for turn in ["first", "second"] {
            let what = format!("THREAD {algorithm:?} of {}, {turn}", among.len());
            timed(&what, mail.threads(shared, among, &SearchKey::All, algorithm))
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; prints figures"]
async fn how_long_searches_take() {
    let messages: u32 = std::env::var("MESSAGES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let folder = std::env::var("FOLDER").unwrap_or_else(|_| "/tmp/search-speed".into());
    let _ = std::fs::remove_dir_all(&folder);
    let store = SledStore::open(Path::new(&folder), SledOptions::default(), |_| {}).unwrap();
    let mail = Arc::new(Mailstore::new(store, Options::default()));
    let inbox = add_inbox(&mail, 1 << 50).await;
    let began = Instant::now();
    let mut deliveries = tokio::task::JoinSet::new();
    for number in 1..=messages {
        let mail = Arc::clone(&mail);
        while deliveries.len() >= 256 {
            deliveries.join_next().await;
        }
        deliveries.spawn(async move {
            let message = message(number);
            let placing = Placing {
                inbox,
                mailbox: MailboxRef::Inbox,
                email_id: EmailId::new(),
                flags: MessageFlags::default(),
                internal_date: InternalDate::utc(1_700_000_000 + i64::from(number)),
                thread: ThreadChoice::New,
                announce: None,
            };
            mail.deliver(&message, vec![placing]).await.unwrap();
        });
    }
    while deliveries.join_next().await.is_some() {}
    println!("{messages} messages stored in {:?}", began.elapsed());
    let id = mail.mailbox_id(inbox, "INBOX").await.unwrap();
    let shared = mail.open_shared(inbox, id).await.unwrap();
    let all = shared.snapshot().uids;
    let few = all.partition_point(|at| *at <= uid(10_000));
    searches(&mail, &shared, &all[..few]).await;
    searches(&mail, &shared, &all).await;
    let _ = std::fs::remove_dir_all(&folder);
}
