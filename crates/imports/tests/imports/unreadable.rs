//! Files and rows that cannot be read harm nothing else.

use crate::world::{letter, mbox, wish, world};
use postroom_archive::ZipStream;
use postroom_imports::{Format, Imports, Options, Status};
use postroom_store::MemoryStore;
use std::io::Write as _;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
