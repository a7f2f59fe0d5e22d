//! What a large mailbox costs on the embedded store, and what large operations on it cost others.
//!
//! `large_mailbox FOLDER MESSAGES`: FOLDER must not exist. Fills a mailbox, then prints how long it takes to open it the
//! first time and later, to change all flags while mail is delivered to somebody else, to copy, and to expunge.

use postroom_mailstore::{FlagMode, MailboxRef, Mailstore, NewMessage, Options, Origin, PIECE, Placing, ThreadChoice};
use postroom_store::{CommitBuilder, SharedStore, commit_once};
use postroom_store_sled::SledStore;
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, MessageFlags};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Messages of one MULTIAPPEND.
const BATCH: u32 = 500;
/// Between two deliveries.
const PAUSE: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, messages] = words.as_slice() else {
        return Err("large_mailbox FOLDER MESSAGES".into());
    };
    let (folder, messages) = (Path::new(folder), messages.parse::<u32>()?);
    let store: SharedStore = SledStore::open(folder, postroom_store_sled::Options::default(), |_| ())?;
    let mail = Arc::new(Mailstore::new(Arc::clone(&store), Options::default()));
    let (owner, other) = (add_inbox(&mail).await?, add_inbox(&mail).await?);

    let begun = Instant::now();
    for first in (0..messages).step_by(BATCH as usize) {
        let batch: Vec<_> = (first..messages.min(first + BATCH))
            .map(|number| {
                (
                    message(number),
                    MessageFlags::default(),
                    InternalDate::utc(number.into()),
                )
            })
            .collect();
        mail.append_many(owner, "INBOX", &batch, None).await?;
    }
    println!("fill: {:?}", begun.elapsed());
    let quiet = deliver_until(&mail, other, &AtomicBool::new(false), 400).await?;
    println!("deliveries alone: {}", percentiles(quiet));

    let inbox = mail.mailbox_id(owner, "INBOX").await?;
    // Nothing is known of it.
    let mail = Arc::new(Mailstore::new(store, Options::default()));
    for what in ["open first", "open again"] {
        let begun = Instant::now();
        let shared = mail.open_shared(owner, inbox).await?;
        println!(
            "{what}: {:?}, {} messages",
            begun.elapsed(),
            shared.snapshot().uids.len()
        );
    }
    let shared = mail.open_shared(owner, inbox).await?;
    let begun = Instant::now();
    mail.statuses(owner, &[inbox]).await?;
    println!("status: {:?}", begun.elapsed());

    let uids = shared.snapshot().uids;
    let seen = MessageFlags::system(Flags::NONE.with(Flag::Seen));
    let large = async |what: &str, work: std::pin::Pin<Box<dyn Future<Output = Outcome<()>> + Send>>| -> Outcome<()> {
        let done = Arc::new(AtomicBool::new(false));
        let deliveries = tokio::spawn({
            let (mail, done) = (Arc::clone(&mail), Arc::clone(&done));
            async move { deliver_until(&mail, other, &done, usize::MAX).await }
        });
        let begun = Instant::now();
        tokio::spawn(work).await??;
        let took = begun.elapsed();
        done.store(true, Ordering::SeqCst);
        println!(
            "{what}: {took:?}; deliveries meanwhile: {}",
            percentiles(deliveries.await??)
        );
        Ok(())
    };
    let work = {
        let (mail, shared, uids) = (Arc::clone(&mail), Arc::clone(&shared), Arc::clone(&uids));
        async move {
            for piece in uids.chunks(PIECE) {
                mail.store_flags(owner, inbox, piece, FlagMode::Add, &seen, None)
                    .await?;
                mail.refresh(&shared).await?;
            }
            Ok(())
        }
    };
    large("store", Box::pin(work)).await?;
    let work = {
        let (mail, uids) = (Arc::clone(&mail), Arc::clone(&uids));
        async move {
            let archive = mail.mailbox_id(owner, "Archive").await?;
            mail.copy(owner, inbox, &uids, archive).await?;
            Ok(())
        }
    };
    large("copy of all", Box::pin(work)).await?;
    let work = {
        let (mail, shared, uids) = (Arc::clone(&mail), Arc::clone(&shared), Arc::clone(&uids));
        async move {
            for piece in uids[..uids.len().min(20_000)].chunks(PIECE) {
                mail.expunge(owner, inbox, piece, false).await?;
                mail.refresh(&shared).await?;
            }
            Ok(())
        }
    };
    large("expunge of 20,000", Box::pin(work)).await?;
    Ok(())
}

async fn add_inbox(mail: &Mailstore) -> Outcome<InboxId> {
    let inbox = InboxId::new();
    let once = [b"i".as_slice(), inbox.as_bytes()].concat();
    let mut builder = CommitBuilder::new();
    builder.put_new(once.clone(), vec![1]);
    mail.add_inbox(&mut builder, inbox, 1 << 40);
    commit_once(&**mail.store(), builder.build(), &once).await?;
    Ok(inbox)
}

fn message(number: u32) -> NewMessage {
    let body = format!(
        "From: Somebody <s{number}@example.org>\r\nTo: a@example.net\r\nSubject: number {number}\r\n\
         Message-ID: <{number}@example.org>\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700\r\n\r\nbody {number}\r\n"
    );
    NewMessage {
        summary: Arc::new(postroom_message::summarize(body.as_bytes())),
        body: body.into(),
        prefix: Vec::new(),
        origin: Origin::Imported,
        received_at: 0,
        verdict: Vec::new(),
        shared_body: None,
    }
}

/// Delivers a message every few milliseconds; how long each took.
async fn deliver_until(mail: &Mailstore, inbox: InboxId, done: &AtomicBool, most: usize) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while took.len() < most && !done.load(Ordering::SeqCst) {
        ticks.tick().await;
        let message = message(u32::MAX - u32::try_from(took.len())?);
        let placing = Placing {
            inbox,
            mailbox: MailboxRef::Inbox,
            email_id: EmailId::new(),
            flags: MessageFlags::default(),
            internal_date: InternalDate::utc(0),
            thread: ThreadChoice::Find,
            announce: None,
        };
        let begun = Instant::now();
        mail.deliver(&message, vec![placing]).await?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

fn percentiles(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| {
        took.get((took.len().max(1) - 1) * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    format!(
        "{} of them, p50 {:?}, p99 {:?}, most {:?}",
        took.len(),
        at(50),
        at(99),
        at(100)
    )
}
