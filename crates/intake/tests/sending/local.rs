use crate::onward::{HELLO, incoming};
use crate::setup::{World, address, plain};
use postroom_identity::InboxChange;
use postroom_intake::{Incoming, Submission};
use postroom_message::{DkimVerdict, MechanismResult, Verdict};
use postroom_queue::ItemState;
use postroom_types::ReversePath;

#[tokio::test]
async fn mail_between_inboxes_shares_a_body_and_has_a_trace() {
    let world = World::new(|_| {}).await;
    let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
    let submitted = world.send(&scout, &["ranger+tag@example.test"], "hello").await.unwrap();
    assert_eq!(world.work().await.len(), 0);
    let received = &world.messages(ranger.id).await[0];
    let id = received.record.email_id;
    let text = &received.text;
    let top = format!(
        "Return-Path: <scout@example.test>\r\nAuthentication-Results: mx.example.test;\r\n\tauth=pass \
         smtp.mailfrom=scout@example.test\r\nReceived: by mx.example.test (postroom) with LMTP id {id}\r\n\tfor \
         <ranger+tag@example.test>;\r\n\t"
    );
    assert!(text.starts_with(&top), "{text}");
    assert!(text.contains(&format!("with ESMTPSA id {}", submitted.id)), "{text}");
    assert!(text.ends_with("\r\n\r\nhello\r\n"), "{text}");
    let copy = &world.messages(scout.id).await[0];
    assert_eq!(copy.record.content.blob, received.record.content.blob);
    assert_eq!(received.record.size_octets(), text.len() as u64);
    assert_eq!(Verdict::decode(&received.record.verdict), None);
    assert_eq!(
        world.queue.recipients(submitted.id).await.unwrap()[0].state,
        ItemState::Delivered
    );
    assert_eq!(world.in_mailbox(ranger.id, "INBOX").await, [id]);
}

#[tokio::test]
async fn a_notice_reaches_who_sent_whatever_became_of_the_address() {
    let world = World::new(|_| {}).await;
    let (scout, gone) = (world.inbox("scout").await, world.inbox("gone").await);
    let alias = "alias@example.test";
    world.identity.add_address(scout.id, alias, false).await.unwrap();
    let scout = world.identity.inbox(scout.id).await.unwrap();
    let submission = Submission {
        reverse_path: ReversePath::Mailbox(address(alias)),
        ..world.submission(&scout, &["gone@example.test"], &plain(&scout, "hello"))
    };
    world.intake.submit(submission).await.unwrap();
    world.identity.delete_inbox(gone.id).await.unwrap();
    world.identity.remove_address(scout.id, &address(alias)).await.unwrap();
    let pause = InboxChange {
        receive_paused: Some(true),
        ..InboxChange::default()
    };
    world.change(scout.id, pause).await;
    world.work().await;
    let notices = world.in_mailbox(scout.id, "INBOX").await;
    assert_eq!(notices.len(), 1);
    // Other mail with the null reverse-path is no notice of ours.
    let ranger = world.inbox("ranger").await;
    let receipt = Submission {
        reverse_path: ReversePath::Null,
        ..world.submission(&ranger, &["scout@example.test"], &plain(&ranger, "read"))
    };
    let submitted = world.intake.submit(receipt).await.unwrap();
    world.work().await;
    let state = world.queue.recipients(submitted.id).await.unwrap()[0].state;
    assert_eq!(state, ItemState::Bounced);
    assert_eq!(world.in_mailbox(scout.id, "INBOX").await, notices);
}

#[tokio::test]
async fn a_note_to_oneself_is_one_message() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let submitted = world.send(&scout, &["scout@example.test"], "remember").await.unwrap();
    world.work().await;
    assert_eq!(world.messages(scout.id).await.len(), 1);
    assert_eq!(world.in_mailbox(scout.id, "Sent").await, [submitted.id]);
    assert_eq!(world.in_mailbox(scout.id, "INBOX").await, [submitted.id]);
}

#[tokio::test]
async fn what_an_inbox_does_not_take_is_told_or_tried_again() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let to = ["gone@example.test", "paused@example.test", "full@example.test"];
    let [gone, paused, full] = [
        world.inbox("gone").await,
        world.inbox("paused").await,
        world.inbox("full").await,
    ];
    let submitted = world.send(&scout, &to, "hello").await.unwrap();
    world.identity.delete_inbox(gone.id).await.unwrap();
    let pause = InboxChange {
        receive_paused: Some(true),
        ..InboxChange::default()
    };
    world.change(paused.id, pause).await;
    world.mailstore.set_quota(full.id, 0).await.unwrap();
    world.work().await;
    let recipients = world.queue.recipients(submitted.id).await.unwrap();
    let states: Vec<_> = recipients
        .iter()
        .map(|recipient| (recipient.state, recipient.reason.status.as_str()))
        .collect();
    let expected = [
        (ItemState::Bounced, "5.1.1"),
        (ItemState::Bounced, "5.2.1"),
        (ItemState::Queued, "4.2.2"),
    ];
    assert_eq!(states, expected);
    // The sender has heard of it, in its own inbox and by the same way.
    let notices = world.in_mailbox(scout.id, "INBOX").await;
    assert!(!notices.is_empty());
    let notice = &world.messages(scout.id).await[0].text;
    assert!(notice.starts_with("Return-Path: <>\r\nReceived: by "), "{notice}");

    world.mailstore.set_quota(full.id, 1_000_000).await.unwrap();
    world.queue.flush().await.unwrap();
    world.work().await;
    assert_eq!(world.messages(full.id).await.len(), 1);
}

/// However long the names are that a sender chose, they are no reason to refuse its mail.
#[tokio::test]
async fn a_verdict_of_long_names_is_stored() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    for name in ["n".repeat(250), "\"".repeat(1_000)] {
        let signature = DkimVerdict {
            result: MechanismResult::Pass,
            domain: name.clone(),
            selector: name.clone(),
        };
        let mut verdict = Verdict {
            dkim: vec![signature; 8],
            ..Verdict::default()
        };
        (verdict.spf.domain, verdict.dmarc.domain) = (name.clone(), name.clone());
        verdict.dmarc.result = MechanismResult::Pass;
        let incoming = Incoming {
            client: name.clone(),
            reverse_path: ReversePath::Null,
            verdict,
            ..incoming(
                std::slice::from_ref(&scout),
                &HELLO.replace("1@", &name.len().to_string()),
            )
        };
        world.intake.deliver_local(incoming).await.unwrap();
    }
    let stored = world.messages(scout.id).await;
    assert_eq!(stored.len(), 2);
    for message in stored {
        let verdict = Verdict::decode(&message.record.verdict).unwrap();
        assert_eq!(verdict.dmarc.result, MechanismResult::Pass);
        assert!(message.text.contains("dmarc=pass"), "{}", message.text);
    }
}
