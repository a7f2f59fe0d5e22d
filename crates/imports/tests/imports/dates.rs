//! A message stands where its date is.

use crate::world::{dated, wish, world};
use postroom_imports::{Format, Status};
use postroom_intake::ToBring;
use postroom_mailstore::ListQuery;
use postroom_store::{CommitBuilder, MemoryStore};
use postroom_types::EmailId;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

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
