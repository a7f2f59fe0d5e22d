use crate::setup::{DAY_MS, World};
use bytes::Bytes;
use postroom_feed::What;
use postroom_identity::InboxRecord;
use postroom_intake::{Submission, Submitted, Via};
use postroom_queue::ItemState;
use postroom_types::EmailId;

const STAMP: &str = "Auto-Submitted: auto-replied\r\n";

/// What an agent does: answers the newest message in its INBOX that it has not answered.
async fn answer(
    world: &World,
    agent: &InboxRecord,
    done: &mut Vec<EmailId>,
    stamp: &str,
    threaded: bool,
) -> Option<Submitted> {
    let inbox = world.in_mailbox(agent.id, "INBOX").await;
    let id = *inbox.iter().find(|id| !done.contains(id))?;
    done.push(id);
    let messages = world.messages(agent.id).await;
    let text = &messages
        .iter()
        .find(|stored| stored.record.email_id == id)
        .unwrap()
        .text;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let parent = match threaded {
        true => format!("In-Reply-To: {}\r\n", field("Message-ID: ")),
        false => String::new(),
    };
    let content = format!(
        "From: {}\r\nTo: {}\r\nSubject: Re: again\r\n{parent}{stamp}\r\nanswer\r\n",
        agent.primary,
        field("From: "),
    );
    let to = field("From: ");
    let submission = Submission {
        via: Via::Api,
        content: Bytes::from(content.into_bytes()),
        answers: threaded.then_some(id),
        ..world.submission(agent, &[&to], "")
    };
    Some(world.intake.submit(submission).await.expect("taken, perhaps held"))
}

/// Lets two agents answer each other until nothing moves; how many answers there were, and the last.
async fn ping_pong(world: &World, stamp: &str, threaded: bool, most: usize) -> (usize, Option<Submitted>) {
    let (one, two) = (world.inbox("one").await, world.inbox("two").await);
    let first = format!("From: one@example.test\r\nTo: two@example.test\r\n{stamp}\r\nhello\r\n");
    world
        .intake
        .submit(world.submission(&one, &["two@example.test"], &first))
        .await
        .unwrap();
    let (mut done_one, mut done_two) = (Vec::new(), Vec::new());
    let mut answers = 0;
    let mut last = None;
    loop {
        world.work().await;
        let mut moved = false;
        for (agent, done) in [(&one, &mut done_one), (&two, &mut done_two)] {
            if let Some(submitted) = answer(world, agent, done, stamp, threaded).await {
                answers += 1;
                last = Some(submitted);
                moved = true;
            }
        }
        if !moved || answers >= most {
            return (answers, last);
        }
    }
}

#[tokio::test]
async fn two_agents_come_to_rest() {
    let world = World::new(|_| {}).await;
    let (answers, last) = ping_pong(&world, STAMP, true, 40).await;
    // Eight turns of each, and the one that is held.
    assert_eq!(answers, 17);
    let held = last.unwrap();
    assert!(held.held);
    let recipients = world.queue.recipients(held.id).await.unwrap();
    assert_eq!(recipients[0].state, ItemState::OnHold);
    assert!(
        recipients[0].reason.text.contains("loop breaker"),
        "{:?}",
        recipients[0].reason
    );

    // The sender's organization hears of it, and of what comes of it later.
    let heard = async || {
        let all = world.heard().await;
        let about = |what: &What| match what {
            What::Sent { message, .. } | What::Rejected { message, .. } | What::Delivered { message, .. } => {
                *message == held.id
            }
            _ => false,
        };
        all.into_iter().map(|(_, what)| what).filter(about).collect::<Vec<_>>()
    };
    let [What::Sent { .. }, What::Rejected { reason, .. }] = &heard().await[..] else {
        panic!("taken and kept back: {:?}", heard().await)
    };
    assert!(reason.contains("loop breaker"), "{reason}");

    // The operator lets it go, and the other side, a day later, may answer again.
    assert_eq!(world.queue.retry(held.id, None).await.unwrap(), 1);
    world.pass(DAY_MS + 1);
    world.work().await;
    assert_eq!(
        world.queue.recipients(held.id).await.unwrap()[0].state,
        ItemState::Delivered
    );
    assert!(matches!(heard().await[2..], [What::Delivered { .. }]));
    let one = world
        .identity
        .resolve(&crate::setup::address("one@example.test"))
        .await
        .unwrap();
    let postroom_identity::Resolution::Inbox(one) = one else {
        panic!("it is there")
    };
    let seen = world.in_mailbox(one.id, "INBOX").await;
    let mut done = seen[1..].to_vec();
    let after = answer(&world, &one, &mut done, STAMP, true).await.unwrap();
    assert!(!after.held);
}

#[tokio::test]
async fn two_agents_that_begin_anew_each_time_come_to_rest_too() {
    let world = World::new(|options| options.max_automated_turns = 2).await;
    let (answers, last) = ping_pong(&world, STAMP, false, 60).await;
    // The first message counts as well: nine of one, and the ninth of the other is held.
    assert_eq!(answers, 17);
    assert!(last.unwrap().held);
}

#[tokio::test]
async fn people_are_not_stopped() {
    let world = World::new(|_| {}).await;
    let (answers, last) = ping_pong(&world, "", true, 40).await;
    assert_eq!(answers, 40);
    assert!(!last.unwrap().held);
}
