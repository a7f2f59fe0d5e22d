//! A message comes in once: within a file, beside what came by mail, and over crashes.

use crate::world::{imports, letter, mbox, wish, world};
use bytes::Bytes;
use postroom_imports::{Format, Job, Status};
use postroom_mailstore::{MailboxRef, NewMessage, Origin, Placing, ThreadChoice};
use postroom_store::{BoxFuture, Front, MemoryStore, SharedStore, Store, StoreError};
use postroom_types::{BlobId, EmailId, InternalDate, MessageFlags};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_file_comes_in_once_in_its_order() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let mut letters: Vec<String> = (0..70).map(letter).collect();
    letters.push(letters[3].clone());
    letters.push(letter(70).replace("a@example.net", "old@elsewhere.test"));
    letters.push(format!("Subject: large\n\n{}\n", "x".repeat(20_000)));
    letters.push("Subject: nul\n\n\0\n".into());
    let file = mbox(letters.into_iter());
    let job = world.done(&wish(Format::Auto), &file).await;
    let counts = (
        job.processed,
        job.imported,
        job.duplicates,
        job.failed,
        job.unsafe_messages,
    );
    assert_eq!(
        (job.status, counts),
        (Status::Completed, (74, 71, 1, 1, 1)),
        "{:?}",
        job.error
    );
    assert!(job.started_at.is_some() && job.finished_at.is_some() && job.upload_octets == Some(file.len() as u64));
    // Those of one date in the order of the file.
    let mut expected: Vec<usize> = (0..71).collect();
    expected.sort_by_key(|number| number % 60);
    let expected: Vec<String> = expected.iter().map(usize::to_string).collect();
    assert_eq!(world.subjects().await, expected);
    assert_eq!(world.files().await, 0);
    // Its date, its flags, and where it goes.
    let messages = world.mailstore.messages(world.scout.id, None, 1000).await.unwrap();
    assert_eq!(messages.last().unwrap().received_at, 1_420_070_400_000);
    let mailboxes = world.mailstore.mailboxes(world.scout.id).await.unwrap();
    let in_mailbox = async |name: &str| {
        let mailbox = mailboxes.iter().find(|mailbox| mailbox.name == name).unwrap();
        let status = world.mailstore.status(world.scout.id, mailbox.id).await.unwrap();
        (status.messages, status.unseen)
    };
    assert_eq!((in_mailbox("INBOX").await, in_mailbox("Sent").await), ((70, 0), (1, 0)));
    // The same file again adds nothing.
    let again = world.done(&wish(Format::Mbox), &file).await;
    assert_eq!((again.imported, again.duplicates), (0, 72));
}

#[tokio::test]
async fn what_came_by_mail_comes_in_once() {
    let store = Arc::new(Losing {
        store: MemoryStore::new(),
        is_lost: AtomicBool::new(false),
    });
    let world = world(Arc::clone(&store) as SharedStore, 1 << 30).await;
    let trace = "Received: from a by b\r\n";
    let mut letters = Vec::new();
    for number in 1..=3 {
        let text = letter(number);
        let body = text.replace('\n', "\r\n");
        let message = NewMessage {
            summary: Arc::new(postroom_message::summarize(format!("{trace}{body}").as_bytes())),
            body: body.into(),
            prefix: trace.into(),
            origin: Origin::Received,
            received_at: 1_420_070_400_000,
            verdict: Vec::new(),
            shared_body: None,
        };
        let placing = Placing {
            inbox: world.scout.id,
            mailbox: MailboxRef::Inbox,
            email_id: EmailId::new(),
            flags: MessageFlags::default(),
            internal_date: InternalDate::utc(1_420_070_400),
            thread: ThreadChoice::Find,
            announce: None,
        };
        world.mailstore.deliver(&message, vec![placing]).await.unwrap();
        letters.push(text);
    }
    let counted = |job: Job| (job.status, job.imported, job.duplicates, job.failed);
    let all = letters.clone().into_iter();
    let job = world.done(&wish(Format::Mbox), &mbox(all)).await;
    assert_eq!(counted(job), (Status::Completed, 0, 3, 0));
    // As an export has them: with the trace fields.
    let exported = letters.iter().map(|text| format!("Received: from a by b\n{text}"));
    let job = world.done(&wish(Format::Mbox), &mbox(exported.clone())).await;
    assert_eq!(counted(job), (Status::Completed, 0, 3, 0));
    // What cannot be read any more is no reason to wait, and none to do without.
    store.is_lost.store(true, Ordering::SeqCst);
    let job = world.done(&wish(Format::Mbox), &mbox(exported)).await;
    assert_eq!(counted(job), (Status::Completed, 3, 0, 0));
}

/// Cannot read any body at times.
struct Losing {
    store: SharedStore,
    is_lost: AtomicBool,
}

impl Front for Losing {
    fn behind(&self) -> &dyn Store {
        &*self.store
    }

    fn blob(&self, id: BlobId, range: Range<u64>) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        if self.is_lost.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Corrupt("lost".into())) });
        }
        self.store.blob(id, range)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_imports_nothing_twice() {
    for seed in 0..6 {
        let world = world(MemoryStore::hostile(seed), 1 << 30).await;
        let id = world.uploaded(&wish(Format::Mbox), &mbox((0..60).map(letter))).await;
        world.imports.start(world.scout.id, id).await.unwrap();
        let mut rounds = 0;
        loop {
            // A worker that is dropped wherever it is, and another that begins where the store says.
            let worker = imports(&world.store, &world.identity, &world.intake, &world.folder);
            let patience = Duration::from_millis(3 + 7 * (rounds + seed) % 40);
            let none = CancellationToken::new();
            if let Ok(Ok(false)) = tokio::time::timeout(patience, worker.turn(&none)).await {
                break;
            }
            rounds += 1;
            if rounds > 40 {
                world.work().await;
                break;
            }
        }
        let job = world.imports.get(world.scout.id, id).await.unwrap();
        assert_eq!(
            (job.status, job.processed, job.imported),
            (Status::Completed, 60, 60),
            "seed {seed}"
        );
        let expected: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        assert_eq!(world.subjects().await, expected, "seed {seed}");
    }
}
