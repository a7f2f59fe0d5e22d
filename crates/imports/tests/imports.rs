//! Imports from the upload to the inbox, with crashes in between, on a store in memory.

use bytes::Bytes;
use postroom_archive::ZipStream;
use postroom_identity::{CreateInbox, CreateOutcome, Identity, InboxRecord, OrganizationChange};
use postroom_imports::{Format, ImportError, Imports, Job, JobId, JobWish, Options, Status};
use postroom_intake::{Intake, ToBring};
use postroom_mailstore::{ListQuery, MailboxRef, Mailstore, NewMessage, Origin, Placing, ThreadChoice};
use postroom_queue::Queue;
use postroom_store::{BoxFuture, CommitBuilder, Front, MemoryStore, SharedStore, Store, StoreError};
use postroom_types::{BlobId, Domain, EmailAddress, EmailId, InboxId, InternalDate, MessageFlags};
use sha2::{Digest, Sha256};
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

struct World {
    store: SharedStore,
    identity: Arc<Identity>,
    mailstore: Arc<Mailstore>,
    intake: Arc<Intake>,
    imports: Imports,
    folder: PathBuf,
    scout: InboxRecord,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn world(store: SharedStore, quota_octets: u64) -> World {
    let mailstore = Arc::new(Mailstore::new(
        Arc::clone(&store),
        postroom_mailstore::Options::default(),
    ));
    let domain = Domain::parse("example.test").unwrap();
    let options = postroom_identity::Options {
        quota_octets,
        ..postroom_identity::Options::new(domain.clone())
    };
    let identity = Arc::new(Identity::new(Arc::clone(&store), Arc::clone(&mailstore), options));
    identity.bootstrap().await.unwrap();
    let queue = postroom_queue::Options::new("mail.example.test".into(), domain);
    let queue = Arc::new(Queue::new(Arc::clone(&store), queue));
    let intake = Arc::new(Intake::new(
        Arc::clone(&mailstore),
        Arc::clone(&identity),
        queue,
        postroom_intake::Options {
            max_message_octets: 10_000,
            ..postroom_intake::Options::default()
        },
    ));
    let made = identity.create_organization("Example", None).await.unwrap();
    let request = CreateInbox {
        username: Some("scout".into()),
        ..CreateInbox::new(made.organization.id)
    };
    let Ok(CreateOutcome::Created { inbox, .. }) = identity.create_inbox(&request).await else {
        panic!("the name is free");
    };
    let folder = std::env::temp_dir().join(format!("postroom-imports-{}", EmailId::new()));
    World {
        imports: imports(&store, &identity, &intake, &folder),
        store,
        identity,
        mailstore,
        intake,
        folder,
        scout: *inbox,
    }
}

fn imports(store: &SharedStore, identity: &Arc<Identity>, intake: &Arc<Intake>, folder: &std::path::Path) -> Imports {
    let options = Options {
        max_file_octets: 1_000_000,
        waiting_octets: 2_000_000,
        // Workers are dropped here as often as the seed wants.
        attempts: 100,
        ..Options::new(folder.to_path_buf())
    };
    Imports::new(Arc::clone(store), Arc::clone(identity), Arc::clone(intake), options)
}

fn wish(format: Format) -> JobWish {
    JobWish {
        format,
        original_addresses: Some(vec![EmailAddress::parse("Old@elsewhere.test").unwrap()]),
        mark_as_read: true,
    }
}

fn letter(number: usize) -> String {
    format!(
        "From: a@example.net\nDate: Thu, 1 Jan 2015 00:00:{:02} +0000\nMessage-ID: <{number}@example.net>\nSubject: {number}\n\nFrom {number}\n",
        number % 60
    )
}

fn mbox(letters: impl Iterator<Item = String>) -> Vec<u8> {
    letters
        .map(|letter| {
            format!(
                "From a Thu Jan  1 00:00:00 2015\n{}\n",
                letter.replace("\nFrom ", "\n>From ")
            )
        })
        .collect::<String>()
        .into_bytes()
}

impl World {
    async fn uploaded(&self, wish: &JobWish, file: &[u8]) -> JobId {
        let (job, ticket) = self.imports.create(self.scout.id, wish).await.unwrap();
        let mut upload = self.imports.upload(job.id, ticket.token.expose(), None).await.unwrap();
        for piece in file.chunks(1000) {
            upload.write(piece).await.unwrap();
        }
        self.imports.uploaded(job.id, upload).await.unwrap();
        job.id
    }

    async fn done(&self, wish: &JobWish, file: &[u8]) -> Job {
        let id = self.uploaded(wish, file).await;
        self.imports.start(self.scout.id, id).await.unwrap();
        self.work().await;
        self.imports.get(self.scout.id, id).await.unwrap()
    }

    async fn work(&self) {
        while self.imports.turn(&CancellationToken::new()).await.unwrap() {}
    }

    async fn files(&self) -> usize {
        std::fs::read_dir(&self.folder).map_or(0, Iterator::count)
    }

    async fn subjects(&self) -> Vec<String> {
        let faults = self.mailstore.check_consistency(self.scout.id).await.unwrap();
        assert_eq!(faults, Vec::<String>::new());
        let mut found = Vec::new();
        for message in self.mailstore.messages(self.scout.id, None, 1000).await.unwrap() {
            assert_eq!(message.origin, Origin::Imported);
            let text = self
                .mailstore
                .read(&message.content, 0..u64::MAX)
                .await
                .unwrap()
                .unwrap();
            let text = String::from_utf8(text.to_vec()).unwrap();
            assert!(!text.replace("\r\n", "").contains('\n'), "{text:?}");
            found.push(
                text.split("Subject: ")
                    .nth(1)
                    .unwrap()
                    .split('\r')
                    .next()
                    .unwrap()
                    .to_owned(),
            );
        }
        found.reverse();
        found
    }
}

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

/// A letter of a year, or of none.
fn dated(subject: &str, date: Option<&str>) -> String {
    let date = date.map_or_else(String::new, |date| format!("Date: {date}\n"));
    format!("From: a@example.net\n{date}Message-ID: <{subject}@example.net>\nSubject: {subject}\n\nx\n")
}

#[tokio::test]
async fn messages_stand_where_their_dates_are() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let at = |year: &str| format!("Thu, 5 Mar {year} 12:00:00 +0000");
    let letters = [
        dated("2022", Some(&at("2022"))),
        dated("2019", Some(&at("2019"))),
        dated("future", Some(&at("2999"))),
        dated("2021", Some(&at("2021"))),
        dated("absurd", Some(&at("1066"))),
        dated("none", None),
        dated("nonsense", Some("soon")),
    ];
    let file: String = letters
        .iter()
        .map(|letter| format!("From a Thu Mar  5 12:00:00 2020\n{letter}\n"))
        .collect();
    let job = world.done(&wish(Format::Mbox), file.as_bytes()).await;
    assert_eq!((job.status, job.imported), (Status::Completed, 7));
    // Those of one time in the order of the file; what says no possible date has that of the line above it.
    let in_order = ["2019", "future", "absurd", "none", "nonsense", "2021", "2022"];
    assert_eq!(world.subjects().await, in_order);
    let query = |after: i64, before: i64| ListQuery {
        after: Some(after * 1000),
        before: Some(before * 1000),
        ..ListQuery::default()
    };
    // From 2020 to the end of 2021.
    let query = query(1_577_836_800, 1_640_995_200);
    let page = world.mailstore.list(world.scout.id, &query, None, 10).await.unwrap();
    let subjects: Vec<&str> = page
        .messages
        .iter()
        .map(|listed| listed.summary.subject_text.as_str())
        .collect();
    assert_eq!(subjects, ["2021", "nonsense", "none", "absurd", "future"]);
    let threads = world
        .mailstore
        .list_threads(world.scout.id, &query, None, 10)
        .await
        .unwrap();
    assert_eq!(threads.threads.len(), 5);
    // UIDs are given in the order of the file.
    let mailboxes = world.mailstore.mailboxes(world.scout.id).await.unwrap();
    let inbox = mailboxes.iter().find(|mailbox| mailbox.name == "INBOX").unwrap().id;
    let mut uids = Vec::new();
    let all = world.mailstore.messages(world.scout.id, None, 10).await.unwrap();
    for record in &all {
        uids.push(
            record
                .placements
                .iter()
                .find(|(mailbox, _)| *mailbox == inbox)
                .unwrap()
                .1
                .get(),
        );
    }
    uids.reverse();
    assert_eq!(uids, [2, 3, 5, 6, 7, 4, 1]);
    let ids: Vec<EmailId> = all.iter().map(|record| record.email_id).collect();
    let jobs = world.imports.jobs_of(world.scout.id, &ids).await.unwrap();
    assert_eq!(jobs, vec![Some(job.id); 7]);
    // A file of one message without a date is from when it was brought.
    let eml = world.done(&wish(Format::Eml), dated("alone", None).as_bytes()).await;
    let newest = world
        .mailstore
        .messages(world.scout.id, None, 1)
        .await
        .unwrap()
        .remove(0);
    let began = eml.started_at.unwrap();
    assert_eq!(newest.received_at, began.div_euclid(1000) * 1000);
}

#[tokio::test]
async fn a_job_begun_before_ids_had_dates_goes_on() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let inbox = world.scout.id;
    let letters: String = ["one", "two"]
        .iter()
        .map(|subject| dated(subject, Some("Thu, 5 Mar 2020 12:00:00 +0000")).replace("Message-ID: ", "X-ID: "))
        .map(|letter| format!("From a Thu Mar  5 12:00:00 2020\n{letter}\n"))
        .collect();
    let id = world.uploaded(&wish(Format::Mbox), letters.as_bytes()).await;
    world.imports.start(inbox, id).await.unwrap();
    // As such a job is stored, whose first message came in before the server stopped.
    let key = [b"jj".as_slice(), id.as_bytes()].concat();
    let value = world.store.get(&key).await.unwrap().unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&value[1..]).unwrap();
    json.as_object_mut().unwrap().remove("is_dated").unwrap();
    let began: i64 = 1_700_000_000_000;
    json["started_at"] = began.into();
    let mut commit = CommitBuilder::new();
    commit.put(key, [&value[..1], &serde_json::to_vec(&json).unwrap()].concat());
    world.store.commit(commit.build()).await.unwrap();
    let hash: [u8; 32] = Sha256::new()
        .chain_update(id.as_bytes())
        .chain_update([0; 8])
        .finalize()
        .into();
    let mut first = [0; 16];
    first[..6].copy_from_slice(&began.to_be_bytes()[2..]);
    (first[6], first[8], first[10]) = (0x70, 0x80, hash[0] & 3);
    first[11..].copy_from_slice(&hash[1..6]);
    let first = EmailId::from_bytes(first);
    let brought = ToBring {
        content: letters
            .split_once('\n')
            .unwrap()
            .1
            .split_once("\nFrom ")
            .unwrap()
            .0
            .replace('\n', "\r\n")
            .into(),
        came_at: None,
        latest: began / 1000,
        also: &[],
        is_read: true,
        earlier_id: None,
    };
    world.intake.bring(&world.scout, brought, |_| first).await.unwrap();

    let shutdown = CancellationToken::new();
    let working = async {
        while world.imports.get(inbox, id).await.unwrap().status != Status::Completed {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        shutdown.cancel();
    };
    tokio::join!(world.imports.run(shutdown.clone()), working);
    let job = world.imports.get(inbox, id).await.unwrap();
    assert_eq!((job.processed, job.imported), (2, 2));
    assert_eq!(world.subjects().await, ["two", "one"]);
    // Both are found by their dates, also the one whose id tells another.
    let query = ListQuery {
        before: Some(1_600_000_000_000),
        ..ListQuery::default()
    };
    let page = world.mailstore.list(inbox, &query, None, 10).await.unwrap();
    assert_eq!(page.messages.len(), 2);
    let ids: Vec<EmailId> = page.messages.iter().map(|listed| listed.record.email_id).collect();
    assert_eq!(world.imports.jobs_of(inbox, &ids).await.unwrap(), [Some(id), Some(id)]);
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

#[tokio::test]
async fn a_name_that_leads_out_keeps_no_other_message_out() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let mut zip = ZipStream::default();
    for (number, name) in ["1.eml", "xxxxx.eml", "2.eml"].into_iter().enumerate() {
        zip.begin(name).unwrap();
        zip.write_all(letter(number).as_bytes()).unwrap();
    }
    let mut file = zip.finish().unwrap();
    // Once before the file, and once in the directory.
    for at in 0..file.len() - 9 {
        if &file[at..at + 9] == b"xxxxx.eml" {
            file[at..at + 3].copy_from_slice(b"../");
        }
    }
    let job = world.done(&wish(Format::Auto), &file).await;
    let counts = (job.processed, job.imported, job.failed, job.unsafe_messages);
    assert_eq!(
        (job.status, counts),
        (Status::Completed, (3, 2, 0, 1)),
        "{:?}",
        job.error
    );
    assert_eq!(world.subjects().await, ["0", "2"]);
}

#[tokio::test]
async fn what_cannot_be_read_fails_and_a_full_inbox_ends_it() {
    let world = world(MemoryStore::new(), 2000).await;
    for (format, file) in [
        (Format::Mbox, &b"no mbox"[..]),
        (Format::Zip, b"no zip"),
        (Format::Eml, b"\n\n"),
        (Format::Auto, b"PK\x03\x04 no zip"),
    ] {
        let job = world.done(&wish(format), file).await;
        assert_eq!((job.status, job.processed), (Status::Failed, 0), "{format:?}");
        assert!(job.error.is_some());
    }
    let full = world.done(&wish(Format::Mbox), &mbox((0..60).map(letter))).await;
    assert_eq!(full.status, Status::Failed);
    assert!(full.imported > 5 && full.imported < 60 && full.processed == full.imported);
    assert!(full.error.unwrap().starts_with("mail_import_quota_exceeded"));
    assert_eq!(world.files().await, 0);
}

#[tokio::test]
async fn who_may_do_what_and_when() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let (imports, inbox) = (&world.imports, world.scout.id);
    let (job, ticket) = imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    for wrong in ["", "wrong"] {
        assert!(matches!(
            imports.upload(job.id, wrong, None).await,
            Err(ImportError::NotAllowed)
        ));
    }
    assert!(matches!(imports.start(inbox, job.id).await, Err(ImportError::State(_))));
    let stranger = InboxId::new();
    assert!(matches!(
        imports.get(stranger, job.id).await,
        Err(ImportError::NoSuchJob)
    ));
    assert!(matches!(
        imports.cancel(stranger, job.id).await,
        Err(ImportError::NoSuchJob)
    ));
    // A new ticket ends the one before it.
    let renewed = imports.renew_upload(inbox, job.id).await.unwrap();
    assert!(imports.upload(job.id, ticket.token.expose(), None).await.is_err());
    let mut upload = imports.upload(job.id, renewed.token.expose(), None).await.unwrap();
    assert!(matches!(
        upload.write(&[0; 1_000_001]).await,
        Err(ImportError::TooLarge(1_000_000))
    ));
    drop(upload);
    assert_eq!(world.files().await, 0);
    let cancelled = imports.cancel(inbox, job.id).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert!(matches!(
        imports.cancel(inbox, job.id).await,
        Err(ImportError::State(_))
    ));
    assert!(matches!(
        imports.upload(job.id, renewed.token.expose(), None).await,
        Err(ImportError::NotAllowed)
    ));

    for _ in 0..5 {
        imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    }
    assert!(matches!(
        imports.create(inbox, &wish(Format::Auto)).await,
        Err(ImportError::TooMany)
    ));
    let first = imports.list(inbox, None, 4).await.unwrap();
    let last = first.jobs.last().unwrap().id;
    let second = imports.list(inbox, Some(last), 4).await.unwrap();
    assert_eq!(
        (first.jobs.len(), first.more, second.jobs.len(), second.more),
        (4, true, 2, false)
    );
    assert_eq!(second.jobs[1].id, job.id);
}

#[tokio::test]
async fn a_cancelled_job_goes_no_further_and_a_hidden_inbox_waits() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let inbox = world.scout.id;
    let queued = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(inbox, queued).await.unwrap();
    world.imports.cancel(inbox, queued).await.unwrap();
    world.work().await;
    assert!(world.subjects().await.is_empty() && world.files().await == 0);

    let job = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(inbox, job).await.unwrap();
    let organization = world.scout.organization;
    world.identity.delete_organization(organization).await.unwrap();
    world.work().await;
    assert_eq!(world.files().await, 1);
    world.identity.restore_organization(organization).await.unwrap();
    let suspended = OrganizationChange {
        suspended: Some(true),
        ..OrganizationChange::default()
    };
    world
        .identity
        .update_organization(organization, &suspended)
        .await
        .unwrap();
    world.work().await;
    assert_eq!(world.subjects().await.len(), 5);
    let waits = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(inbox, waits).await.unwrap();
    world.identity.delete_inbox(inbox).await.unwrap();
    world.work().await;
    assert_eq!(world.files().await, 0);
    assert!(matches!(
        world.imports.get(inbox, waits).await,
        Err(ImportError::NoSuchJob)
    ));
}

#[tokio::test]
async fn uploads_are_one_a_job_and_bounded_for_all() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let inbox = world.scout.id;
    let (job, ticket) = world.imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    let token = ticket.token.expose();
    let mut upload = world.imports.upload(job.id, token, None).await.unwrap();
    assert!(matches!(
        world.imports.upload(job.id, token, None).await,
        Err(ImportError::State(_))
    ));
    // Who is cancelled goes no further, and leaves nothing.
    world.imports.cancel(inbox, job.id).await.unwrap();
    assert!(matches!(upload.write(b"x").await, Err(ImportError::NotAllowed)));
    drop(upload);
    assert_eq!(world.files().await, 0);
    // What waits is counted: two millions for all, of which a third file gets nothing.
    for _ in 0..2 {
        world.uploaded(&wish(Format::Auto), &[b'x'; 1_000_000]).await;
    }
    let (job, ticket) = world.imports.create(inbox, &wish(Format::Auto)).await.unwrap();
    assert!(matches!(
        world.imports.upload(job.id, ticket.token.expose(), None).await,
        Err(ImportError::TooMuch)
    ));
    let options = Options {
        spare_octets: u64::MAX,
        ..Options::new(world.folder.clone())
    };
    let full = Imports::new(
        Arc::clone(&world.store),
        Arc::clone(&world.identity),
        Arc::clone(&world.intake),
        options,
    );
    assert!(matches!(
        full.upload(job.id, ticket.token.expose(), None).await,
        Err(ImportError::Full)
    ));
}

#[tokio::test]
async fn what_cannot_be_read_keeps_nobody_from_its_turn() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let bad = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(world.scout.id, bad).await.unwrap();
    let mut builder = postroom_store::CommitBuilder::new();
    builder.put([b"jj", bad.as_bytes().as_slice()].concat(), b"\x01no job".to_vec());
    world.store.commit(builder.build()).await.unwrap();
    let good = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(world.scout.id, good).await.unwrap();
    world.work().await;
    assert_eq!(
        world.imports.get(world.scout.id, good).await.unwrap().status,
        Status::Completed
    );
}

#[tokio::test]
async fn a_job_that_stops_the_server_is_not_begun_for_ever() {
    let world = world(MemoryStore::new(), 1 << 30).await;
    let id = world.uploaded(&wish(Format::Mbox), &mbox((0..5).map(letter))).await;
    world.imports.start(world.scout.id, id).await.unwrap();
    let options = Options {
        attempts: 0,
        ..Options::new(world.folder.clone())
    };
    let strict = Imports::new(
        Arc::clone(&world.store),
        Arc::clone(&world.identity),
        Arc::clone(&world.intake),
        options,
    );
    strict.turn(&CancellationToken::new()).await.unwrap();
    let job = strict.get(world.scout.id, id).await.unwrap();
    assert_eq!((job.status, job.processed), (Status::Failed, 0));
    assert_eq!(world.files().await, 0);
}
