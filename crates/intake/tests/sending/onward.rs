use crate::setup::{World, address};
use bytes::Bytes;
use postroom_identity::{InboxChange, InboxRecord};
use postroom_intake::{Incoming, LocalRecipient};
use postroom_mailstore::FlagMode;
use postroom_message::{Disposition, DmarcVerdict, MechanismResult, Verdict};
use postroom_queue::ItemState;
use postroom_store::MemoryStore;
use postroom_types::{Flag, Flags, MessageFlags, ReversePath};

pub(crate) fn incoming(to: &[InboxRecord], content: &str) -> Incoming {
    Incoming {
        client: "mail.example.net".into(),
        extended: true,
        peer: "192.0.2.1".parse().expect("an address"),
        tls: true,
        smtputf8: false,
        reverse_path: ReversePath::Mailbox(address("a@example.net")),
        recipients: to
            .iter()
            .map(|inbox| LocalRecipient::new(inbox, inbox.canonical.clone()))
            .collect(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        verdict: Verdict::default(),
    }
}

pub(crate) const HELLO: &str = "From: a@example.net\r\nMessage-ID: <1@example.net>\r\nSubject: hello\r\n\r\nhello\r\n";

pub(crate) fn quarantine() -> Verdict {
    Verdict {
        dmarc: DmarcVerdict {
            result: MechanismResult::Fail,
            domain: "example.net".into(),
            policy: Disposition::Quarantine,
        },
        ..Verdict::default()
    }
}

#[tokio::test]
async fn more_inboxes_than_one_commit_takes_get_it_all_the_same() {
    for (store, verdict, mailbox) in [
        (MemoryStore::new(), Verdict::default(), "INBOX"),
        (MemoryStore::hostile(3), quarantine(), "Spam"),
    ] {
        let world = World::on(store, |_| {}).await;
        let mut inboxes = Vec::new();
        for number in 0..20 {
            inboxes.push(world.inbox(&format!("inbox-{number}")).await);
        }
        let incoming = Incoming {
            verdict: verdict.clone(),
            ..incoming(&inboxes, HELLO)
        };
        let accepted = world.intake.deliver_local(incoming).await.unwrap();
        assert_eq!((accepted.placed.len(), accepted.queued.len()), (16, 4));
        world.work().await;
        let first = world.messages(inboxes[0].id).await;
        for inbox in &inboxes {
            let messages = world.messages(inbox.id).await;
            assert_eq!(messages.len(), 1, "{}", inbox.canonical);
            assert_eq!(messages[0].text, first[0].text);
            assert_eq!(messages[0].record.verdict, verdict.encode());
            assert_eq!(messages[0].record.content.blob, first[0].record.content.blob);
            assert_eq!(world.in_mailbox(inbox.id, mailbox).await.len(), 1);
        }
    }
}

pub(crate) async fn forwarding(world: &World, inbox: &InboxRecord, to: &str) -> InboxRecord {
    let change = InboxChange {
        forward_to: Some(Some(address(to))),
        ..InboxChange::default()
    };
    world.change(inbox.id, change).await
}

#[tokio::test]
async fn what_an_inbox_sends_on_is_its_own() {
    let world = World::new(|_| {}).await;
    let scout = forwarding(&world, &world.inbox("scout").await, "me@example.org").await;
    world
        .intake
        .deliver_local(incoming(std::slice::from_ref(&scout), HELLO))
        .await
        .unwrap();
    let sent = world.work().await;
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, "me@example.org");
    // Where it went is found under the message's own id.
    let [received] = world.in_mailbox(scout.id, "INBOX").await[..] else {
        panic!("one message");
    };
    let trace = world.queue.recipients(received).await.unwrap();
    assert_eq!(
        (trace.len(), trace[0].address.to_string()),
        (1, "me@example.org".into())
    );
    assert!(sent[0].envelope_from.starts_with("<b="), "{}", sent[0].envelope_from);
    assert!(
        sent[0]
            .text
            .starts_with("Delivered-To: scout@example.test\r\nAuthentication-Results: "),
        "{}",
        sent[0].text
    );
    assert!(!sent[0].text.contains("Return-Path"), "{}", sent[0].text);
    assert!(sent[0].text.ends_with(HELLO));
    assert_eq!(world.in_mailbox(scout.id, "INBOX").await.len(), 1);

    // Not what was here, nor notices, nor spam; nor the same again.
    let twice = incoming(std::slice::from_ref(&scout), HELLO);
    let again = incoming(std::slice::from_ref(&scout), &sent[0].text);
    let notice = Incoming {
        reverse_path: ReversePath::Null,
        ..incoming(std::slice::from_ref(&scout), "Subject: n\r\n\r\n")
    };
    let spam = Incoming {
        verdict: quarantine(),
        ..incoming(std::slice::from_ref(&scout), "Subject: s\r\n\r\n")
    };
    for quiet in [again, notice, spam, twice] {
        world.intake.deliver_local(quiet).await.unwrap();
    }
    assert_eq!(world.work().await.len(), 0);
}

/// Where mail goes may send it back: what was done with the first is for the inbox alone.
#[tokio::test]
async fn what_comes_again_after_it_was_marked_does_not_go_on_again() {
    let world = World::new(|_| {}).await;
    let scout = forwarding(&world, &world.inbox("scout").await, "me@example.org").await;
    for times in 1..4 {
        world
            .intake
            .deliver_local(incoming(std::slice::from_ref(&scout), HELLO))
            .await
            .unwrap();
        let [received] = &world.messages(scout.id).await[..] else {
            panic!("one message");
        };
        assert_eq!(received.record.placements.len(), times);
        let (mailbox, uid) = received.record.placements[times - 1];
        let marks = MessageFlags::system(Flags::NONE.with(Flag::Deleted));
        world
            .mailstore
            .store_flags(scout.id, mailbox, &[uid], FlagMode::Add, &marks, None)
            .await
            .unwrap();
    }
    assert_eq!(world.work().await.len(), 1);
}

#[tokio::test]
async fn an_inbox_that_may_not_send_sends_nothing_on() {
    let world = World::new(|_| {}).await;
    let scout = forwarding(&world, &world.inbox("scout").await, "me@example.org").await;
    let ranger = world.inbox("ranger").await;
    let pause = |paused| InboxChange {
        send_paused: Some(paused),
        ..InboxChange::default()
    };
    let paused = world.change(scout.id, pause(true)).await;
    world.intake.deliver_local(incoming(&[paused], HELLO)).await.unwrap();
    world.send(&ranger, &["scout@example.test"], "from here").await.unwrap();
    assert_eq!(world.work().await.len(), 0);
    assert_eq!(world.in_mailbox(scout.id, "INBOX").await.len(), 2);
    world.change(scout.id, pause(false)).await;
    world.send(&ranger, &["scout@example.test"], "again").await.unwrap();
    let sent = world.work().await;
    assert_eq!(sent.len(), 1);
    // From here too, it is found under the id that it has in the inbox that sent it on.
    let newest = world.messages(scout.id).await[0].record.email_id;
    assert_eq!(world.queue.recipients(newest).await.unwrap().len(), 1);
}

/// Whatever a store answers, what an inbox got goes on once, and is found under its id.
#[tokio::test]
async fn hostile_stores_send_each_message_on_once() {
    for seed in [2, 7] {
        let world = World::on(MemoryStore::hostile(seed), |_| {}).await;
        let scout = forwarding(&world, &world.inbox("scout").await, "me@example.org").await;
        for number in 0..12 {
            let content = HELLO.replace("1@", &format!("{number}@"));
            // Whoever hears nothing sends again.
            while let Err(error) = world
                .intake
                .deliver_local(incoming(std::slice::from_ref(&scout), &content))
                .await
            {
                assert!(error.to_string().contains("unavailable"), "{error}");
            }
        }
        assert_eq!(world.work().await.len(), 12, "seed {seed}");
        let received = world.in_mailbox(scout.id, "INBOX").await;
        assert_eq!(received.len(), 12, "seed {seed}");
        for id in received {
            let trace = world.queue.recipients(id).await.unwrap();
            assert_eq!(trace.len(), 1, "seed {seed}");
            assert_eq!(trace[0].state, ItemState::Delivered, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn what_is_sent_on_needs_no_more_than_it_came_with() {
    let world = World::new(|_| {}).await;
    let scout = forwarding(&world, &world.inbox("scout").await, "me@example.org").await;
    for (smtputf8, subject) in [(false, "Grüße"), (true, "Grüße"), (true, "hello"), (false, "hello")] {
        let content = format!("From: a@example.net\r\nSubject: {subject}\r\n\r\nhello\r\n");
        let incoming = Incoming {
            smtputf8,
            ..incoming(std::slice::from_ref(&scout), &content)
        };
        world.intake.deliver_local(incoming).await.unwrap();
        let sent = world.work().await;
        assert_eq!((sent.len(), sent[0].smtputf8), (1, smtputf8), "{subject}");
    }
}

#[tokio::test]
async fn two_inboxes_that_send_on_to_each_other_come_to_rest() {
    let world = World::new(|_| {}).await;
    let (one, two) = (world.inbox("one").await, world.inbox("two").await);
    let one = forwarding(&world, &one, "two@example.test").await;
    forwarding(&world, &two, "one@example.test").await;
    let verdict = Verdict {
        iprev: MechanismResult::Pass,
        ..Verdict::default()
    };
    let hello = Incoming {
        verdict: verdict.clone(),
        ..incoming(std::slice::from_ref(&one), HELLO)
    };
    world.intake.deliver_local(hello).await.unwrap();
    world.work().await;
    assert_eq!(
        world.messages(one.id).await.len(),
        1,
        "the same message is not stored twice"
    );
    let received = world.messages(two.id).await;
    assert_eq!(received.len(), 1);
    assert!(
        received[0]
            .text
            .starts_with("Return-Path: <one@example.test>\r\nReceived: by "),
        "{}",
        received[0].text
    );
    assert!(
        !received[0].text.contains("auth=pass"),
        "nobody logged in: {}",
        received[0].text
    );
    assert_eq!(received[0].record.verdict, verdict.encode());
}

/// The notice of another server that it could not deliver.
pub(crate) fn report() -> String {
    "From: MAILER-DAEMON@example.net\r\nSubject: failed\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.net\r\n\r\n\
         Final-Recipient: rfc822; x@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n\r\n--b--\r\n"
        .into()
}

#[tokio::test]
async fn what_comes_back_is_told_of_the_message_it_is_about() {
    let world = World::new(|_| {}).await;
    let scout = world.inbox("scout").await;
    let submitted = world.send(&scout, &["x@example.net"], "hello").await.unwrap();
    let sent = world.work().await;
    let bounce = address(sent[0].envelope_from.trim_matches(['<', '>']));
    let item = world.queue.parse_bounce_address(&bounce).expect("ours");
    assert_eq!(item.message, submitted.id);
    let recipient = LocalRecipient {
        bounce: Some(item),
        ..LocalRecipient::new(&scout, bounce.clone())
    };
    let notice = |content: &str| Incoming {
        reverse_path: ReversePath::Null,
        recipients: vec![recipient.clone()],
        ..incoming(&[], content)
    };
    world
        .intake
        .deliver_local(notice("Subject: out of office\r\n\r\n"))
        .await
        .unwrap();
    assert!(
        world.queue.recipients(submitted.id).await.unwrap()[0]
            .reports
            .is_empty()
    );
    world.intake.deliver_local(notice(&report())).await.unwrap();
    let status = &world.queue.recipients(submitted.id).await.unwrap()[0];
    assert_eq!(status.state, ItemState::Delivered);
    assert_eq!(status.reports.len(), 1);
    assert_eq!(status.reports[0].status, "5.1.1");
    assert_eq!(world.in_mailbox(scout.id, "INBOX").await.len(), 2, "both can be read");
}
