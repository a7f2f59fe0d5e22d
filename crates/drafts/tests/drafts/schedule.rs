use crate::setup::{World, to_ann};
use postroom_drafts::{DraftChange, DraftError, NewDraft, SendStatus};
use postroom_identity::InboxChange;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn at(send_at: i64) -> NewDraft {
    NewDraft {
        send_at: Some(send_at),
        ..to_ann("later")
    }
}

fn move_to(send_at: Option<i64>) -> DraftChange {
    DraftChange {
        send_at: Some(send_at),
        ..DraftChange::default()
    }
}

#[tokio::test]
async fn it_goes_when_it_is_time_and_once() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let draft = world.drafts.create(&inbox, at(world.now() + 10_000)).await.unwrap();
    assert_eq!(draft.send_status, Some(SendStatus::Scheduled));
    world.drafts.work().await.unwrap();
    assert!(world.sent(inbox.id).await.is_empty());
    // Later, then not at all, then again.
    world
        .drafts
        .update(&inbox, draft.id, &move_to(Some(world.now() + 20_000)))
        .await
        .unwrap();
    world.pass(11_000);
    world.drafts.work().await.unwrap();
    assert!(world.sent(inbox.id).await.is_empty());
    let unscheduled = world.drafts.update(&inbox, draft.id, &move_to(None)).await.unwrap();
    assert_eq!((unscheduled.send_at, unscheduled.send_status), (None, None));
    world.pass(20_000);
    world.drafts.work().await.unwrap();
    assert!(world.sent(inbox.id).await.is_empty());
    world
        .drafts
        .update(&inbox, draft.id, &move_to(Some(world.now())))
        .await
        .unwrap();
    let (one, other) = tokio::join!(world.drafts.work(), world.drafts.work());
    one.unwrap();
    other.unwrap();
    world.drafts.work().await.unwrap();
    assert_eq!(world.sent(inbox.id).await.len(), 1);
    assert!(matches!(
        world.drafts.get(inbox.id, draft.id).await,
        Err(DraftError::NotFound)
    ));
    assert_eq!((world.in_drafts(inbox.id).await, world.rows().await), (0, 0));
}

#[tokio::test]
async fn what_is_refused_waits_for_another_time() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let draft = world.drafts.create(&inbox, at(world.now())).await.unwrap();
    let pause = |paused| InboxChange {
        send_paused: Some(paused),
        ..InboxChange::default()
    };
    world.identity.update_inbox(inbox.id, &pause(true)).await.unwrap();
    world.drafts.work().await.unwrap();
    let failed = world.drafts.get(inbox.id, draft.id).await.unwrap();
    assert_eq!(
        (failed.send_status, failed.send_at),
        (Some(SendStatus::Failed), draft.send_at)
    );
    world.identity.update_inbox(inbox.id, &pause(false)).await.unwrap();
    world.pass(100_000);
    world.drafts.work().await.unwrap();
    assert!(world.sent(inbox.id).await.is_empty());
    world
        .drafts
        .update(&inbox, draft.id, &move_to(Some(world.now())))
        .await
        .unwrap();
    world.drafts.work().await.unwrap();
    assert_eq!(world.sent(inbox.id).await.len(), 1);
}

#[tokio::test]
async fn an_inbox_that_is_gone_sends_nothing() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    world.drafts.create(&inbox, at(world.now())).await.unwrap();
    world.identity.delete_inbox(inbox.id).await.unwrap();
    world.drafts.work().await.unwrap();
    assert_eq!(world.rows().await, 0);
}

/// The task: woken by what is scheduled, clearing away what is left, and ending when told.
#[tokio::test(start_paused = true)]
async fn the_task() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let gone = NewDraft {
        client_id: Some("gone".into()),
        ..to_ann("x")
    };
    let gone = world.drafts.create(&inbox, gone).await.unwrap();
    world
        .mailstore
        .expunge(inbox.id, gone.record.mailbox, &[gone.record.uid], false)
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (drafts, stop) = (Arc::clone(&world.drafts), stop.clone());
        async move { drafts.run(stop).await }
    });
    world.drafts.create(&inbox, at(world.now())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.sent(inbox.id).await.len(), 1);
    // A round has seen the row without a message; the next one, some time later, takes it away.
    assert_eq!(world.rows().await, 2);
    world.pass(600_000);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.rows().await, 0);
    stop.cancel();
    task.await.unwrap();
}
