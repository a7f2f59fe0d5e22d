//! How long pages of lists take on sled, and that they do not depend on how much mail there is. Run by hand:
//! `cargo test --release -p postroom-mailstore --test listing_speed -- --ignored --nocapture`, with `MESSAGES` (100,000 by
//! default) and `FOLDER` (one that is on a disk) in the environment.

mod common;

use common::add_inbox;
use postroom_mailstore::{ListQuery, MailboxRef, Mailstore, NewMessage, Options, Origin, Placing, ThreadChoice};
use postroom_store_sled::{Options as SledOptions, SledStore};
use postroom_types::{EmailId, InboxId, InternalDate, MessageFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest that a page of 20 may take.
const BOUND: Duration = Duration::from_millis(5);
/// Deliveries at once while the mail is put there.
const AT_ONCE: u32 = 200;

fn message(number: u32) -> NewMessage {
    let answers = if number.is_multiple_of(4) {
        String::new()
    } else {
        format!("In-Reply-To: <m{}@x>\r\n", number - number % 4)
    };
    let body = format!(
        "From: Person {} <person{}@example.net>\r\nTo: me@example.org\r\nSubject: number {number}\r\nMessage-ID: <m{number}@x>\r\n\
         {answers}\r\nbody {number}\r\n",
        number % 997,
        number % 997,
    );
    NewMessage {
        summary: Arc::new(postroom_message::summarize(body.as_bytes())),
        body: body.into(),
        prefix: Vec::new(),
        origin: Origin::Received,
        received_at: 1_700_000_000_000,
        verdict: Vec::new(),
        shared_body: None,
    }
}

async fn fill(mail: &Arc<Mailstore>, inbox: InboxId, numbers: std::ops::Range<u32>) {
    let mut from = numbers.start;
    while from < numbers.end {
        let until = numbers.end.min(from + AT_ONCE);
        let deliveries: Vec<_> = (from..until)
            .map(|number| {
                let mail = Arc::clone(mail);
                tokio::spawn(async move {
                    let placing = Placing {
                        inbox,
                        mailbox: MailboxRef::Inbox,
                        email_id: EmailId::new(),
                        flags: MessageFlags::default(),
                        internal_date: InternalDate::utc(1_700_000_000),
                        thread: ThreadChoice::Find,
                        announce: None,
                    };
                    mail.deliver(&message(number), vec![placing]).await.unwrap();
                })
            })
            .collect();
        for delivery in deliveries {
            delivery.await.unwrap();
        }
        from = until;
    }
}

/// Median of how long pages of 20 take, all along the list.
async fn median(mail: &Mailstore, inbox: InboxId, by_thread: bool) -> Duration {
    let (mut took, mut cursor) = (Vec::new(), None);
    for _ in 0..200 {
        let began = Instant::now();
        let next = if by_thread {
            mail.list_threads(inbox, &ListQuery::default(), cursor, 20)
                .await
                .unwrap()
                .next
        } else {
            mail.list(inbox, &ListQuery::default(), cursor, 20).await.unwrap().next
        };
        took.push(began.elapsed());
        cursor = next;
    }
    took.sort_unstable();
    took[took.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; prints figures"]
async fn pages_take_as_long_whatever_there_is() {
    let messages: u32 = std::env::var("MESSAGES").map_or(100_000, |text| text.parse().unwrap());
    let folder = std::env::var("FOLDER").unwrap_or_else(|_| "/tmp/listing-speed".into());
    let _ = std::fs::remove_dir_all(&folder);
    let store = SledStore::open(Path::new(&folder), SledOptions::default(), |_| {}).unwrap();
    let mail = Arc::new(Mailstore::new(store, Options::default()));
    let inbox = add_inbox(&mail, 1 << 40).await;
    let mut from = 0;
    for until in [messages / 100, messages] {
        fill(&mail, inbox, from..until).await;
        from = until;
        for (what, by_thread) in [("messages", false), ("threads", true)] {
            let took = median(&mail, inbox, by_thread).await;
            println!("a page of 20 {what} of {until} messages: {took:?}");
            assert!(took < BOUND, "{what}: {took:?}");
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}
