//! What an organization as a whole may do: nothing while it is suspended, and no more than its limits.

use crate::setup::{DAY_MS, World, plain};
use bytes::Bytes;
use postroom_identity::{InboxRecord, OrganizationChange};
use postroom_intake::{Appended, IntakeError, SubmitError};
use postroom_mailstore::MailError;
use postroom_queue::ItemState;
use postroom_store::MemoryStore;
use postroom_types::MessageFlags;
use std::sync::Arc;

async fn change(world: &World, inbox: &InboxRecord, change: OrganizationChange) {
    let changed = world.identity.update_organization(inbox.organization, &change).await;
    changed.expect("it is there");
}

fn suspended(suspended: bool) -> OrganizationChange {
    OrganizationChange {
        suspended: Some(suspended),
        ..OrganizationChange::default()
    }
}

#[tokio::test]
async fn a_suspended_organization_sends_nothing() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    change(&world, &scout, suspended(true)).await;
    let refused = world.send(&scout, &["a@example.net"], "one").await;
    assert!(matches!(refused, Err(SubmitError::Suspended)), "{refused:?}");
    assert!(world.messages(scout.id).await.is_empty() && world.work().await.is_empty());
    // What its people put there themselves, they may.
    let append = world.intake.append(
        scout.id,
        "INBOX",
        Bytes::from_static(b"Subject: x\r\n\r\n"),
        MessageFlags::default(),
        None,
    );
    append.await.unwrap();
    change(&world, &scout, suspended(false)).await;
    world.send(&scout, &["a@example.net"], "two").await.unwrap();
    assert_eq!(world.work().await.len(), 1);
}

#[tokio::test]
async fn inboxes_share_the_storage_of_their_organization() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let limit = |max_octets| OrganizationChange {
        max_octets: Some(max_octets),
        ..OrganizationChange::default()
    };
    change(&world, &scout, limit(Some(1))).await;
    // One message beyond the limit is taken, as with the quota of an inbox.
    world.send(&scout, &["ranger@example.test"], "one").await.unwrap();
    let refused = world.send(&ranger, &["a@example.net"], "two").await;
    assert!(matches!(refused, Err(SubmitError::StorageLimit)), "{refused:?}");
    let content = Bytes::from_static(b"Subject: x\r\n\r\n");
    let append = world
        .intake
        .append(ranger.id, "INBOX", content, MessageFlags::default(), None);
    match append.await {
        Err(IntakeError::Mail(MailError::OverQuota(inbox))) => assert_eq!(inbox, ranger.id),
        other => panic!("{other:?}"),
    }
    // What is on its way to an inbox waits.
    world.work().await;
    assert!(world.messages(ranger.id).await.is_empty());
    let pending = world.messages(scout.id).await[0].record.email_id;
    let status = &world.queue.recipients(pending).await.unwrap()[0];
    assert_eq!((status.state, status.reason.code), (ItemState::Queued, 452));
    change(&world, &scout, limit(None)).await;
    world.pass(DAY_MS / 10);
    world.work().await;
    assert_eq!(world.messages(ranger.id).await.len(), 1);
}

/// A sum is kept for a while, in which no client puts more there than one message beyond the limit.
#[tokio::test]
async fn what_a_client_brings_counts_at_once() {
    for many in [false, true] {
        let world = World::new(|_| {}).await;
        let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
        let limit = OrganizationChange {
            max_octets: Some(Some(20)),
            ..OrganizationChange::default()
        };
        change(&world, &scout, limit).await;
        let append = async |inbox: &InboxRecord| {
            let (content, flags) = (Bytes::from_static(b"Subject: x\r\n\r\n"), MessageFlags::default());
            if !many {
                let placed = world.intake.append(inbox.id, "INBOX", content, flags, None).await;
                return placed.map(|_| ());
            }
            let message = Appended {
                content,
                flags,
                internal_date: None,
            };
            let appended = world.intake.append_many(inbox.id, "INBOX", vec![message], None).await;
            appended.map(|_| ())
        };
        append(&scout).await.unwrap();
        append(&ranger).await.unwrap();
        let refused = append(&scout).await;
        assert!(
            matches!(refused, Err(IntakeError::Mail(MailError::OverQuota(_)))),
            "{many} {refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inboxes_share_the_day_of_their_organization() {
    for seed in 0..4 {
        let world = Arc::new(World::on(MemoryStore::hostile(seed), |_| {}).await);
        let inboxes = [world.inbox("scout").await, world.inbox("ranger").await];
        let limit = OrganizationChange {
            daily_messages: Some(Some(5)),
            ..OrganizationChange::default()
        };
        change(&world, &inboxes[0], limit).await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..16 {
            let (world, from) = (Arc::clone(&world), inboxes[number % 2].clone());
            tasks.spawn(async move {
                let content = plain(&from, &number.to_string());
                let submission = world.submission(&from, &["a@example.net"], &content);
                world.intake.submit(submission).await
            });
        }
        let mut taken = 0;
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                Ok(_) => taken += 1,
                Err(SubmitError::DailyLimit { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(taken, 5, "seed {seed}");
        world.pass(DAY_MS);
        world.send(&inboxes[1], &["a@example.net"], "next day").await.unwrap();
    }
}
