//! What lists bar, and what an agent may send that nobody has confirmed.

use crate::onward::{incoming, report};
use crate::setup::{World, address, plain};
use postroom_feed::{ReceivedAs, What};
use postroom_identity::{
    Direction, EntryScope, FilterMode, IdentityError, InboxChange, InboxRecord, List, ListType, Listed, RuleAction,
    RuleDirection, RuleWish, SignUp,
};
use postroom_intake::{Incoming, LocalRecipient, SubmitError};
use postroom_types::ReversePath;

async fn put(world: &World, scope: EntryScope, direction: Direction, list_type: ListType, entry: &str) {
    let list = List {
        scope,
        direction,
        list_type,
    };
    let name = Listed::parse(entry).unwrap();
    world.identity.add_list_entry(&list, &name, None).await.unwrap();
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(result: Result<T, SubmitError>) -> String {
    match result {
        Err(SubmitError::Rejected { recipient, why, .. }) => format!("{recipient}: {why}"),
        other => panic!("not rejected: {other:?}"),
    }
}

/// What the inbox was told of the last message that came in.
async fn last(world: &World, inbox: &InboxRecord) -> ReceivedAs {
    let heard = world.heard().await;
    let mut received = heard.into_iter().filter_map(|(of, what)| match what {
        What::Received { received_as, .. } if of == inbox.id => Some(received_as),
        _ => None,
    });
    received.next_back().expect("something came in")
}

#[tokio::test]
async fn the_narrowest_list_that_decides_decides() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let organization = EntryScope::Organization(scout.organization);
    let pod = EntryScope::Pod(scout.organization, scout.pod);
    let (send, block, allow) = (Direction::Send, ListType::Block, ListType::Allow);
    put(&world, organization, send, block, "Example.NET").await;
    let why = rejected(world.send(&scout, &["b@example.org", "a@EXAMPLE.net"], "x").await);
    assert_eq!(why, "a@example.net: on the block list of the organization");
    // Exactly that domain.
    world.send(&scout, &["a@sub.example.net"], "x").await.unwrap();
    put(&world, pod, send, allow, "a@example.net").await;
    world.send(&scout, &["A@example.net"], "x").await.unwrap();
    let why = rejected(world.send(&scout, &["c@example.net"], "x").await);
    assert_eq!(why, "c@example.net: not on the allow list of the pod");
    put(&world, (&scout).into(), send, block, "a@example.net").await;
    let why = rejected(world.send(&scout, &["a@example.net"], "x").await);
    assert_eq!(why, "a@example.net: on the block list of the inbox");
    // Taken off, the wider ones count again.
    let list = List {
        scope: (&scout).into(),
        direction: send,
        list_type: block,
    };
    let name = Listed::parse("a@example.net").unwrap();
    world.identity.remove_list_entry(&list, &name).await.unwrap();
    world.send(&scout, &["a@example.net"], "x").await.unwrap();
    let again = world.identity.remove_list_entry(&list, &name).await;
    assert!(matches!(again, Err(IdentityError::NoSuchEntry)), "{again:?}");
}

#[tokio::test]
async fn what_is_barred_comes_in_out_of_sight() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let lists = EntryScope::from(&scout);
    put(&world, lists, Direction::Receive, ListType::Allow, "friend@example.net").await;
    let from = |from: &str, more: &str| {
        let content = format!("From: {from}\r\n{more}Subject: hi\r\n\r\nhi {from}{more}\r\n");
        incoming(&[scout.clone(), ranger.clone()], &content)
    };
    for (message, expected) in [
        (from("Friend@example.net", ""), ReceivedAs::Plain),
        (from("x@example.net", ""), ReceivedAs::Blocked),
        (
            from("x@example.net", "In-Reply-To: <unknown@example.net>\r\n"),
            ReceivedAs::Blocked,
        ),
        (from("", ""), ReceivedAs::Blocked),
    ] {
        world.intake.deliver_local(message).await.unwrap();
        assert_eq!(last(&world, &scout).await, expected);
        assert_eq!(last(&world, &ranger).await, ReceivedAs::Plain);
    }
    // An answer to what it sent is no such mail.
    let submitted = world.send(&scout, &["x@example.net"], "hello").await.unwrap();
    world.work().await;
    let answer = format!("In-Reply-To: <{}>\r\n", submitted.message_id.trim_matches(['<', '>']));
    world
        .intake
        .deliver_local(from("x@example.net", &answer))
        .await
        .unwrap();
    assert_eq!(last(&world, &scout).await, ReceivedAs::Plain);
    put(&world, lists, Direction::Reply, ListType::Block, "x@example.net").await;
    let again = format!("{answer}Message-ID: <2@example.net>\r\n");
    world.intake.deliver_local(from("x@example.net", &again)).await.unwrap();
    assert_eq!(last(&world, &scout).await, ReceivedAs::Blocked);
    // From the queue as from outside.
    world.send(&ranger, &["scout@example.test"], "internal").await.unwrap();
    world.work().await;
    assert_eq!(last(&world, &scout).await, ReceivedAs::Blocked);
}

#[tokio::test]
async fn contact_rules_bar_by_author_and_by_envelope() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let rule = async |action, entry: &str, direction| {
        let wish = RuleWish {
            action,
            target: Listed::parse(entry).unwrap(),
            direction,
            paused: false,
        };
        world.identity.add_contact_rule(scout.id, &wish).await.unwrap().id
    };
    let comes = async |from: &str, sender: &str| {
        let content = format!("From: {from}\r\nSubject: hi\r\n\r\nhi {from} {sender}\r\n");
        let message = Incoming {
            reverse_path: ReversePath::Mailbox(address(sender)),
            ..incoming(std::slice::from_ref(&scout), &content)
        };
        world.intake.deliver_local(message).await.unwrap();
        last(&world, &scout).await
    };
    rule(RuleAction::Block, "rival.test", RuleDirection::Inbound).await;
    let out = rule(RuleAction::Block, "x@fine.test", RuleDirection::Outbound).await;
    for (from, sender, expected) in [
        ("x@fine.test", "x@fine.test", ReceivedAs::Plain),
        ("x@rival.test", "x@fine.test", ReceivedAs::Blocked),
        ("x@fine.test", "bounces@Rival.test", ReceivedAs::Blocked),
    ] {
        assert_eq!(comes(from, sender).await, expected, "{from} {sender}");
    }
    world.send(&scout, &["x@rival.test"], "hello").await.unwrap();
    match world.send(&scout, &["y@fine.test", "x@fine.test"], "hello").await {
        Err(SubmitError::Rejected { recipient, rule, .. }) => {
            assert_eq!((recipient, rule), (address("x@fine.test"), Some(out)));
        }
        other => panic!("not rejected: {other:?}"),
    }
    let change = InboxChange {
        inbound_mode: Some(FilterMode::Whitelist),
        ..InboxChange::default()
    };
    world.identity.update_inbox(scout.id, &change).await.unwrap();
    assert_eq!(comes("y@fine.test", "y@fine.test").await, ReceivedAs::Blocked);
    rule(RuleAction::Allow, "fine.test", RuleDirection::Inbound).await;
    // Whose server it comes through says nothing, unless a rule does.
    assert_eq!(comes("z@fine.test", "bounces@mailer.test").await, ReceivedAs::Plain);
    assert_eq!(comes("w@fine.test", "bounces@rival.test").await, ReceivedAs::Blocked);
}

#[tokio::test]
async fn where_mail_bounced_none_is_sent_again() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    world.send(&scout, &["x@example.net"], "hello").await.unwrap();
    let sent = world.work().await;
    let bounce = address(sent[0].envelope_from.trim_matches(['<', '>']));
    let recipient = LocalRecipient {
        bounce: world.queue.parse_bounce_address(&bounce),
        ..LocalRecipient::new(&scout, bounce)
    };
    // Not even an allow list keeps a report from coming in.
    put(
        &world,
        (&scout).into(),
        Direction::Receive,
        ListType::Allow,
        "friend@example.org",
    )
    .await;
    let notice = Incoming {
        reverse_path: ReversePath::Null,
        recipients: vec![recipient],
        ..incoming(&[], &report())
    };
    world.intake.deliver_local(notice).await.unwrap();
    assert_eq!(last(&world, &scout).await, ReceivedAs::Plain);
    let why = rejected(world.send(&scout, &["x@example.net"], "again").await);
    assert_eq!(why, "x@example.net: on the block list of the organization");
    let list = List {
        scope: EntryScope::Organization(scout.organization),
        direction: Direction::Send,
        list_type: ListType::Block,
    };
    let entries = world.identity.list_entries(&list, None, 10).await.unwrap().entries;
    assert!(
        entries[0].read_only && entries[0].reason.as_deref().unwrap().contains("5.1.1"),
        "{entries:?}"
    );
    let removed = world.identity.remove_list_entry(&list, &entries[0].name).await;
    assert!(matches!(removed, Err(IdentityError::CannotDelete(_))), "{removed:?}");
}

#[tokio::test]
async fn an_agent_writes_to_its_human_alone() {
    let world = World::new(|_| {}).await;
    let wish = SignUp {
        username: "agent".into(),
        human_email: Some(address("Ann@human.test")),
    };
    let agent = world.identity.sign_up(&wish).await.unwrap();
    let inbox = agent.inbox;
    let send = |to: &'static [&'static str]| {
        let submission = world.submission(&inbox, to, &plain(&inbox, "x"));
        world.intake.submit(submission)
    };
    let why = rejected(send(&["ann@human.test", "bob@human.test"]).await);
    assert!(why.starts_with("bob@human.test: an agent"), "{why}");
    for _ in 0..10 {
        send(&["ann@Human.test"]).await.unwrap();
    }
    let more = send(&["ann@human.test"]).await;
    assert!(matches!(more, Err(SubmitError::DailyLimit { .. })), "{more:?}");
    let code = agent.otp.unwrap();
    world.identity.verify_otp(agent.organization, &code).await.unwrap();
    send(&["ann@human.test", "bob@human.test"]).await.unwrap();
}
