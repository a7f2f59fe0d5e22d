use crate::setup::{Sent, World, address, plain};
use postroom_feed::What;
use postroom_identity::InboxChange;
use postroom_intake::{SaveSent, Submission, SubmitError, Via};
use postroom_message::fields;
use postroom_queue::ItemState;
use postroom_store::MemoryStore;
use postroom_types::{EmailId, Flag, MessageFlags, ReversePath};
use std::collections::BTreeMap;

#[tokio::test]
async fn what_goes_out_is_complete_and_signed_and_says_nothing_of_the_client() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let content = "From: Scout <scout@example.test>\r\nTo: a@example.net\r\nBcc: secret@example.org,\r\n other@example.org\r\n\
                   Subject: hello\r\n\r\nhello\r\n \r\n\t\r\n";
    let to = [
        "a@example.net",
        "secret@example.org",
        "other@example.org",
        "A@example.net",
    ];
    let submitted = world
        .intake
        .submit(world.submission(&scout, &to, content))
        .await
        .unwrap();
    assert!(!submitted.held && !submitted.replayed);

    let sent = world.work().await;
    let mut recipients: Vec<&str> = sent.iter().map(|sent| sent.to.as_str()).collect();
    recipients.sort_unstable();
    assert_eq!(
        recipients,
        [
            "A@example.net",
            "a@example.net",
            "other@example.org",
            "secret@example.org"
        ]
    );
    let Sent {
        text, envelope_from, ..
    } = &sent[0];
    let id = submitted.id;
    assert!(
        text.starts_with(&format!(
            "Received: by mx.example.test (postroom) with ESMTPSA id {id};\r\n\t"
        )),
        "{text}"
    );
    assert!(!text.contains("203.0.113.9"), "{text}");
    // An id or a signature may have the letters in it by chance.
    assert!(!fields(text.as_bytes()).any(|field| field.is("Bcc")), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert!(
        text.ends_with("\r\n\r\nhello\r\n"),
        "blank lines at the end are gone: {text}"
    );
    let count = |name: &str| fields(text.as_bytes()).filter(|field| field.is(name)).count();
    assert_eq!(
        ["DKIM-Signature", "Date", "Message-ID", "From"].map(count),
        [2, 1, 1, 1],
        "{text}"
    );
    assert!(
        envelope_from.starts_with("<b=") && envelope_from.ends_with("@example.test>"),
        "{envelope_from}"
    );

    let stored = world.messages(scout.id).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].record.email_id, id);
    assert_eq!(stored[0].record.thread_id, submitted.thread_id);
    let copy = &stored[0].text;
    assert_eq!(copy.len() as u64, submitted.octets);
    assert!(
        copy.starts_with("Bcc: secret@example.org,\r\n other@example.org\r\n"),
        "{copy}"
    );
    assert!(
        copy.contains(&format!("Message-ID: <{}>", submitted.message_id)),
        "{copy}"
    );
    assert!(!copy.contains("DKIM") && !copy.contains("Received"), "{copy}");
    assert_eq!(world.in_mailbox(scout.id, "Sent").await, [id]);
    let (mailbox, uid) = stored[0].record.placements[0];
    let flags = world.mailstore.flags(scout.id, mailbox, &[uid]).await.unwrap();
    assert!(flags[0].1.system.contains(Flag::Seen));
    let metadata = world.mailstore.metadata(scout.id, mailbox, &[uid], true).await.unwrap();
    let summary = metadata[0].summary.as_ref().unwrap();
    assert_eq!(summary.envelope.bcc.as_ref().map(Vec::len), Some(2));
    assert_eq!(summary.root.end_offset, copy.len() as u64);
}

#[tokio::test]
async fn what_may_not_be_sent_is_refused_and_leaves_nothing() {
    let world = World::new(|options| options.max_message_octets = 10_000).await;
    let scout = world.inbox("scout").await;
    world
        .identity
        .add_address(scout.id, "alias@example.test", false)
        .await
        .unwrap();
    world.inbox("ranger").await;
    let scout = world.identity.inbox(scout.id).await.unwrap();
    let good = plain(&scout, "x");
    let to = &["a@example.net"][..];
    let from = |from: &str| good.replace("From: scout@example.test", from);
    let hops = format!(
        "{}{good}",
        "Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n".repeat(101)
    );
    let many: Vec<String> = (0..101).map(|number| format!("a{number}@example.net")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let rows: Vec<(&str, Submission)> = vec![
        (
            "SenderNotYours(ranger@example.test)",
            Submission {
                reverse_path: ReversePath::Mailbox(address("ranger@example.test")),
                ..world.submission(&scout, to, &good)
            },
        ),
        (
            "SenderNotYours(ranger@example.test)",
            world.submission(&scout, to, &from("From: ranger@example.test")),
        ),
        (
            "SenderNotYours(ranger@example.test)",
            world.submission(
                &scout,
                to,
                &from("From: scout@example.test, ranger@example.test\r\nSender: scout@example.test"),
            ),
        ),
        (
            "SenderNotYours(ranger@example.test)",
            world.submission(
                &scout,
                to,
                &from("From: scout@example.test\r\nSender: ranger@example.test"),
            ),
        ),
        ("NoFrom", world.submission(&scout, to, "Subject: x\r\n\r\n")),
        (
            "NoSuchRecipient(nobody@example.test)",
            world.submission(&scout, &["nobody@example.test"], &good),
        ),
        ("NoRecipients", world.submission(&scout, &[], &good)),
        ("TooManyRecipients", world.submission(&scout, &many, &good)),
        (
            "Malformed(\"bare LF\")",
            world.submission(&scout, to, &good.replace("x\r\n", "x\n")),
        ),
        (
            "TooBig { octets: 10001 }",
            world.submission(&scout, to, &"x".repeat(10_001)),
        ),
        ("Loop { hops: 101 }", world.submission(&scout, to, &hops)),
        (
            "Malformed(\"the domain of a recipient is no domain name\")",
            world.submission(&scout, &["a@example.net", "x@out.test\u{2028}y"], &good),
        ),
    ];
    for (expected, submission) in rows {
        let error = world.intake.submit(submission).await.expect_err(expected);
        assert_eq!(format!("{error:?}"), expected);
    }
    let paused = InboxChange {
        send_paused: Some(true),
        ..InboxChange::default()
    };
    let paused = world.change(scout.id, paused).await;
    assert!(matches!(
        world.send(&paused, to, "x").await,
        Err(SubmitError::SendPaused)
    ));
    assert_eq!(world.messages(scout.id).await.len(), 0);
    assert_eq!(world.work().await.len(), 0);

    // An alias, a subaddress and another case are the inbox's own.
    for own in ["Alias@example.test", "scout+news@example.test", "SCOUT@EXAMPLE.TEST"] {
        let submission = Submission {
            reverse_path: ReversePath::Mailbox(address(own)),
            ..world.submission(&scout, to, &from(&format!("From: {own}")))
        };
        world.intake.submit(submission).await.expect(own);
    }
    assert_eq!(world.work().await.len(), 3);
}

/// What a recipient's address needs is its own affair; a header with octets above 127 goes as it came.
#[tokio::test]
async fn only_who_asks_for_smtputf8_needs_it() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let tagged = "scout+späher@example.test";
    let plain = plain(&scout, "x");
    let raw = plain.replace("Subject: x", "Subject: Grüße");
    let smtp = |smtputf8| Via::Smtp {
        client: "client".into(),
        tls: true,
        smtputf8,
    };
    let international = &["a@example.net", "用户@例子.测试"][..];
    for (via, from, to, content, needed) in [
        (smtp(false), "scout@example.test", international, &plain, false),
        (smtp(false), "scout@example.test", international, &raw, false),
        (smtp(true), "scout@example.test", &["a@example.net"], &plain, true),
        (Via::Api, "scout@example.test", international, &raw, false),
        // Signed, it is ASCII.
        (smtp(false), tagged, &["a@example.net"], &plain, false),
    ] {
        let submission = Submission {
            via: via.clone(),
            reverse_path: ReversePath::Mailbox(address(from)),
            ..world.submission(&scout, to, content)
        };
        world.intake.submit(submission).await.unwrap();
        let sent = world.work().await;
        assert_eq!(sent.len(), to.len());
        assert!(
            sent.iter().all(|sent| sent.smtputf8 == needed),
            "{via:?} {from} {content}"
        );
        let named = sent[0].text.contains("with UTF8SMTPSA id");
        assert_eq!(named, via == smtp(true), "{}", sent[0].text);
    }
}

#[tokio::test]
async fn quotes_that_say_nothing_make_no_second_recipient() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let to = [
        "\"dup\"@example.net",
        "dup@example.net",
        "Dup@example.net",
        "\"d up\"@example.net",
    ];
    world.send(&scout, &to, "x").await.unwrap();
    let mut recipients: Vec<String> = world.work().await.into_iter().map(|sent| sent.to).collect();
    recipients.sort_unstable();
    assert_eq!(
        recipients,
        ["\"d up\"@example.net", "\"dup\"@example.net", "Dup@example.net"]
    );
}

/// A client that adds a recipient and sends the same message again has sent two.
#[tokio::test]
async fn the_same_message_submitted_twice_is_two() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let content = plain(&scout, "x").replace("Subject", "Message-ID: <own@client.test>\r\nSubject");
    let mut ids = Vec::new();
    for to in [&["a@example.net"][..], &["a@example.net", "b@example.net"]] {
        let submitted = world
            .intake
            .submit(world.submission(&scout, to, &content))
            .await
            .unwrap();
        assert_eq!(world.queue.recipients(submitted.id).await.unwrap().len(), to.len());
        ids.push(submitted.id);
    }
    let mut copies = world.in_mailbox(scout.id, "Sent").await;
    copies.sort_unstable();
    assert_eq!(copies, ids);
    assert_eq!(world.work().await.len(), 3);
}

#[tokio::test]
async fn a_full_inbox_sends_nothing() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    world.mailstore.set_quota(scout.id, 10).await.unwrap();
    world.send(&scout, &["a@example.net"], "one beyond").await.unwrap();
    let refused = world.send(&scout, &["a@example.net"], "two beyond").await;
    assert!(matches!(refused, Err(SubmitError::OverQuota)), "{refused:?}");
    assert_eq!(world.work().await.len(), 1);
}

#[tokio::test]
async fn a_copy_is_saved_if_asked_for_and_recognised_when_a_client_brings_its_own() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let content = plain(&scout, "x").replace("Subject", "Message-ID: <own@client.test>\r\nSubject");
    world
        .intake
        .submit(world.submission(&scout, &["a@example.net"], &content))
        .await
        .unwrap();
    let flags = MessageFlags::default();
    let appended = world
        .intake
        .append(scout.id, "Sent", content.clone().into(), flags, None)
        .await
        .unwrap();
    assert!(appended.duplicate);
    assert_eq!(world.messages(scout.id).await.len(), 1);

    let world = World::new(|options| options.save_sent = SaveSent::Never).await;
    let scout = world.inbox("scout").await;
    world.send(&scout, &["a@example.net"], "none").await.unwrap();
    assert_eq!(world.messages(scout.id).await.len(), 0);
    let api = Submission {
        via: Via::Api,
        ..world.submission(&scout, &["a@example.net"], &plain(&scout, "one"))
    };
    let submitted = world.intake.submit(api).await.unwrap();
    assert_eq!(world.in_mailbox(scout.id, "Sent").await, [submitted.id]);
    let sent = world.work().await;
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().any(|sent| sent.text.contains("with HTTP id")));
}

#[tokio::test]
async fn an_answer_joins_the_thread() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let first = world.send(&scout, &["a@example.net"], "first").await.unwrap();
    let answer = plain(&scout, "second").replace("Subject", &format!("In-Reply-To: <{}>\r\nSubject", first.message_id));
    let second = world
        .intake
        .submit(world.submission(&scout, &["a@example.net"], &answer))
        .await
        .unwrap();
    let third = world.send(&scout, &["a@example.net"], "third").await.unwrap();
    assert_eq!(first.thread_id, second.thread_id);
    assert_ne!(first.thread_id, third.thread_id);
}

#[tokio::test]
async fn results_that_claim_to_be_ours_are_removed() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let forged = format!(
        "Authentication-Results: mx.example.test; dkim=pass\r\n{}",
        plain(&scout, "x")
    );
    world
        .intake
        .submit(world.submission(&scout, &["scout@example.test"], &forged))
        .await
        .unwrap();
    world.work().await;
    assert!(!world.messages(scout.id).await[0].text.contains("dkim=pass"));
}

/// That it was taken, and then that each of its three recipients has it.
fn told_once(heard: &[What], id: EmailId) {
    let mut told = heard.iter().filter_map(|what| match what {
        What::Sent { message, .. } if *message == id => Some(Vec::new()),
        What::Delivered { message, recipients } if *message == id => Some(recipients.clone()),
        _ => None,
    });
    assert_eq!(told.next(), Some(Vec::new()), "first of all");
    let mut delivered: Vec<u16> = told.flatten().collect();
    delivered.sort_unstable();
    assert_eq!(delivered, [0, 1, 2]);
}

/// Whatever a store answers, what was taken is there once and goes out once.
#[tokio::test]
async fn hostile_stores_take_each_message_once() {
    for seed in [3, 5] {
        let world = World::on(MemoryStore::hostile(seed), |options| {
            options.send_limits = Some(postroom_intake::SendLimits::default());
        })
        .await;
        let (scout, ranger) = (world.inbox("scout").await, world.inbox("ranger").await);
        let mut taken = Vec::new();
        for number in 0..12 {
            let to = ["ranger@example.test", "a@example.net", "b@example.org"];
            taken.push(
                world
                    .send(&scout, &to, &format!("number {number}"))
                    .await
                    .expect("taken")
                    .id,
            );
        }
        let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
        for sent in world.work().await {
            let subject = sent
                .text
                .lines()
                .find(|line| line.starts_with("Subject"))
                .unwrap()
                .to_owned();
            *seen.entry((sent.to, subject)).or_default() += 1;
        }
        assert_eq!(seen.len(), 24, "seed {seed}");
        assert!(seen.values().all(|times| *times == 1), "seed {seed}: {seen:?}");
        assert_eq!(world.messages(ranger.id).await.len(), 12, "seed {seed}");
        let mut copies = world.in_mailbox(scout.id, "Sent").await;
        let heard: Vec<What> = world.heard().await.into_iter().map(|(_, what)| what).collect();
        let received = heard.iter().filter(|what| matches!(what, What::Received { .. }));
        assert_eq!(received.count(), 12, "seed {seed}");
        copies.sort_unstable();
        taken.sort_unstable();
        assert_eq!(copies, taken, "seed {seed}");
        for id in taken {
            let states: Vec<ItemState> = world
                .queue
                .recipients(id)
                .await
                .unwrap()
                .iter()
                .map(|recipient| recipient.state)
                .collect();
            assert_eq!(states, [ItemState::Delivered; 3], "seed {seed}");
            told_once(&heard, id);
        }
    }
}
