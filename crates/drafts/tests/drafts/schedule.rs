use crate::setup::{DAY_MS, World, mailbox, to_ann};
use postroom_drafts::{DraftChange, DraftError, NewDraft, NewKind, SendStatus, Sending};
use postroom_identity::{InboxChange, OrganizationChange, SignUp};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::SpecialUse;
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
    assert_eq!(world.in_drafts(inbox.id).await, 0);
    world.is_forgotten_in_a_day().await;
}

/// A client that did not hear that its draft was made asks again, perhaps after it went.
#[tokio::test]
async fn what_was_sent_is_not_made_again() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let named = || NewDraft {
        client_id: Some("mine".into()),
        ..at(world.now())
    };
    world.drafts.create(&inbox, named()).await.unwrap();
    world.drafts.work().await.unwrap();
    let sent = world.mailstore.messages(inbox.id, None, 10).await.unwrap();
    assert_eq!(sent.len(), 1);
    let check = async || {
        let again = world.drafts.create(&inbox, named()).await;
        match again {
            Err(DraftError::AlreadySent(message)) => assert_eq!(message, sent[0].email_id),
            other => panic!("{other:?}"),
        }
    };
    check().await;
    world.pass(DAY_MS - 1000);
    world.drafts.work().await.unwrap();
    check().await;
    assert_eq!(world.sent(inbox.id).await.len(), 1);
    world.is_forgotten_in_a_day().await;
    let fresh = world.drafts.create(&inbox, named()).await.unwrap();
    assert_eq!(fresh.client_id.as_deref(), Some("mine"));
}

/// A draft that a mail program saved as a newer version while it went is one, but not by its maker's name.
#[tokio::test]
async fn a_newer_version_does_not_hide_that_it_was_sent() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let named = || NewDraft {
        client_id: Some("mine".into()),
        ..to_ann("first")
    };
    let draft = world.drafts.create(&inbox, named()).await.unwrap();
    let first = world.text(&draft).await;
    world.drafts.send(&inbox, draft.id, &Sending::default()).await.unwrap();
    let newer = first.replace("first", "second").replace("\r\n", "\n");
    let drafts = MailboxRef::Special(SpecialUse::Drafts);
    world.put(inbox.id, Origin::Imported, drafts, &newer).await;
    let change = DraftChange {
        add_labels: vec!["mine".into()],
        ..DraftChange::default()
    };
    world.drafts.update(&inbox, draft.id, &change).await.unwrap();
    let is_sent = async || {
        let again = world.drafts.create(&inbox, named()).await;
        assert!(matches!(again, Err(DraftError::AlreadySent(_))), "{again:?}");
    };
    is_sent().await;
    world.drafts.delete(inbox.id, draft.id).await.unwrap();
    is_sent().await;
    world.is_forgotten_in_a_day().await;
    world.drafts.create(&inbox, named()).await.unwrap();
}

#[tokio::test]
async fn a_limit_of_the_day_puts_it_off() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let limit = |messages| InboxChange {
        daily_messages: Some(Some(messages)),
        ..InboxChange::default()
    };
    world.identity.update_inbox(inbox.id, &limit(1)).await.unwrap();
    let inbox = world.identity.inbox(inbox.id).await.unwrap();
    for _ in 0..3 {
        world.drafts.create(&inbox, at(world.now())).await.unwrap();
    }
    let mut counts = Vec::new();
    for _ in 0..4 {
        world.drafts.work().await.unwrap();
        world.drafts.work().await.unwrap();
        counts.push(world.sent(inbox.id).await.len());
        world.pass(DAY_MS);
    }
    assert_eq!(counts, [1, 2, 3, 3]);
    // Not for ever.
    let never = world.drafts.create(&inbox, at(world.now())).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let blocker = world.drafts.create(&inbox, to_ann("x")).await.unwrap();
        world
            .drafts
            .send(&inbox, blocker.id, &Sending::default())
            .await
            .unwrap();
        world.drafts.work().await.unwrap();
        statuses.push(world.drafts.get(inbox.id, never.id).await.unwrap().send_status);
        world.pass(DAY_MS);
    }
    assert_eq!(
        (statuses[0], statuses[5], statuses[9]),
        (
            Some(SendStatus::Scheduled),
            Some(SendStatus::Scheduled),
            Some(SendStatus::Failed)
        )
    );
}

/// Another day does not help one that has more recipients than a day takes.
#[tokio::test]
async fn what_no_day_takes_fails_at_once() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let change = InboxChange {
        daily_new_recipients: Some(Some(2)),
        ..InboxChange::default()
    };
    world.identity.update_inbox(inbox.id, &change).await.unwrap();
    let inbox = world.identity.inbox(inbox.id).await.unwrap();
    let to = |names: &[&str]| {
        let mut new = at(world.now());
        new.letter.to = Some(
            names
                .iter()
                .map(|name| mailbox(&format!("{name}@example.net")))
                .collect(),
        );
        new
    };
    let never = world.drafts.create(&inbox, to(&["a", "b", "c"])).await.unwrap();
    world.drafts.work().await.unwrap();
    world.drafts.create(&inbox, to(&["a", "b"])).await.unwrap();
    world.drafts.work().await.unwrap();
    let later = world.drafts.create(&inbox, to(&["d"])).await.unwrap();
    world.drafts.work().await.unwrap();
    assert_eq!(world.sent(inbox.id).await.len(), 1);
    let status = async |id| world.drafts.get(inbox.id, id).await.unwrap().send_status;
    assert_eq!(status(never.id).await, Some(SendStatus::Failed));
    assert_eq!(status(later.id).await, Some(SendStatus::Scheduled));
}

async fn change(world: &World, change: OrganizationChange) {
    world
        .identity
        .update_organization(world.organization, &change)
        .await
        .unwrap();
}

async fn suspend(world: &World, suspended: bool) {
    let wish = OrganizationChange {
        suspended: Some(suspended),
        ..OrganizationChange::default()
    };
    change(world, wish).await;
}

/// What cannot be read is not found out while nothing may leave: nothing of the draft is looked at.
#[tokio::test]
async fn while_nothing_may_leave_nothing_is_read() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let of = world
        .put(inbox.id, Origin::Received, MailboxRef::Inbox, "Subject: x\n\ny\n")
        .await;
    let forward = NewDraft {
        kind: NewKind::Forward { of: of.email_id },
        ..at(world.now())
    };
    let forward = world.drafts.create(&inbox, forward).await.unwrap();
    world
        .mailstore
        .expunge(inbox.id, of.mailbox, &[of.uid], false)
        .await
        .unwrap();
    let status = async || world.drafts.get(inbox.id, forward.id).await.unwrap().send_status;
    suspend(&world, true).await;
    world.drafts.work().await.unwrap();
    world.pass(30 * DAY_MS);
    world.drafts.work().await.unwrap();
    assert_eq!(status().await, Some(SendStatus::Scheduled));
    suspend(&world, false).await;
    world.drafts.work().await.unwrap();
    assert_eq!(status().await, Some(SendStatus::Failed));
}

#[tokio::test]
async fn an_organization_that_stays_full_is_not_waited_for_for_ever() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let draft = world.drafts.create(&inbox, at(world.now())).await.unwrap();
    let full = OrganizationChange {
        max_octets: Some(Some(0)),
        ..OrganizationChange::default()
    };
    change(&world, full).await;
    let status = async || world.drafts.get(inbox.id, draft.id).await.unwrap().send_status;
    for _ in 0..2 {
        world.drafts.work().await.unwrap();
        assert_eq!(status().await, Some(SendStatus::Scheduled));
        world.pass(4 * DAY_MS);
    }
    world.drafts.work().await.unwrap();
    assert_eq!(status().await, Some(SendStatus::Failed));
    assert!(world.sent(inbox.id).await.is_empty());
}

/// Many may be due there, so they are not looked at again and again.
#[tokio::test(start_paused = true)]
async fn the_task_leaves_a_suspended_organization_alone_for_a_while() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    world.drafts.create(&inbox, at(world.now())).await.unwrap();
    suspend(&world, true).await;
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (drafts, stop) = (Arc::clone(&world.drafts), stop.clone());
        async move { drafts.run(stop).await }
    });
    tokio::time::sleep(Duration::from_secs(6)).await;
    suspend(&world, false).await;
    let mut sent = Vec::new();
    for minutes in [1, 10] {
        world.pass(minutes * 60_000);
        tokio::time::sleep(Duration::from_secs(6)).await;
        sent.push(world.sent(inbox.id).await.len());
    }
    assert_eq!(sent, [0, 1]);
    stop.cancel();
    task.await.unwrap();
}

/// What an agent may is asked when its draft goes, not when it was made.
#[tokio::test]
async fn an_agent_that_nobody_confirmed_sends_to_its_human_alone() {
    let world = World::new().await;
    let wish = SignUp {
        username: "agent".into(),
        human_email: Some(mailbox("ann@example.net").address),
    };
    let agent = world.identity.sign_up(&wish).await.unwrap();
    let mut to_bob = at(world.now());
    to_bob.letter.to = Some(vec![mailbox("bob@example.net")]);
    let refused = world.drafts.create(&agent.inbox, to_bob).await.unwrap();
    world.drafts.create(&agent.inbox, at(world.now())).await.unwrap();
    world.drafts.work().await.unwrap();
    let sent = world.sent(agent.inbox.id).await;
    assert!(sent.len() == 1 && sent[0].contains("To: ann@example.net"), "{sent:?}");
    let status = async |id| world.drafts.get(agent.inbox.id, id).await.unwrap().send_status;
    assert_eq!(status(refused.id).await, Some(SendStatus::Failed));
    // Somebody confirms it before it is time, and the next one goes to whomever it names.
    let mut later = at(world.now() + 10_000);
    later.letter.to = Some(vec![mailbox("bob@example.net")]);
    let later = world.drafts.create(&agent.inbox, later).await.unwrap();
    let code = agent.otp.expect("its human has a code");
    let confirmed = world.identity.verify_otp(agent.organization, &code).await;
    confirmed.unwrap();
    assert_eq!(status(later.id).await, Some(SendStatus::Scheduled));
    world.pass(10_000);
    world.drafts.work().await.unwrap();
    assert_eq!(world.sent(agent.inbox.id).await.len(), 2);
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
    // A round has seen the row without a message; the next one, some time later, takes it away. Of the one that was sent
    // two rows are left for a day.
    assert_eq!(world.rows().await, 4);
    world.pass(600_000);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.rows().await, 2);
    world.pass(DAY_MS);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.rows().await, 0);
    stop.cancel();
    task.await.unwrap();
}
