use crate::setup::{World, mailbox};
use postroom_drafts::{Draft, DraftChange, DraftError, GivenLetter, NewDraft, NewKind, Sending, in_reply_to};
use postroom_mailstore::{MailboxRef, Origin, Placed};
use postroom_types::InboxId;

const ORIGINAL: &str = "From: Ann <ann@example.net>\nTo: scout@example.test, bob@example.net\nCc: cy@example.net\n\
    Message-ID: <q@example.net>\nReferences: <p@example.net>\nSubject: Question\nMIME-Version: 1.0\n\
    Content-Type: multipart/mixed; boundary=b\n\n--b\n\nWhat now?\n--b\nContent-Type: text/plain; name=a.txt\n\
    Content-Disposition: attachment; filename=a.txt\n\nattached\n--b--\n";

async fn asked(world: &World, inbox: InboxId) -> Placed {
    world.put(inbox, Origin::Received, MailboxRef::Inbox, ORIGINAL).await
}

fn of_kind(kind: NewKind, text: &str) -> NewDraft {
    NewDraft {
        kind,
        letter: GivenLetter {
            plain: Some(Some(text.into())),
            ..GivenLetter::default()
        },
        ..NewDraft::default()
    }
}

fn people(draft: &Draft) -> (Vec<String>, Vec<String>) {
    let names = |list: Option<&Vec<_>>| {
        let mailboxes = postroom_drafts::mailboxes_of(list);
        mailboxes.iter().map(|mailbox| mailbox.address.to_string()).collect()
    };
    (
        names(draft.summary.envelope.to.as_ref()),
        names(draft.summary.envelope.cc.as_ref()),
    )
}

#[tokio::test]
async fn a_reply_is_filled_in() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let of = asked(&world, inbox.id).await;
    let reply = |all| of_kind(NewKind::Reply { of: of.email_id, all }, "Wait.");
    let draft = world.drafts.create(&inbox, reply(false)).await.unwrap();
    assert_eq!(people(&draft), (vec!["ann@example.net".into()], vec![]));
    assert_eq!(draft.summary.subject_text, "Re: Question");
    assert_eq!(in_reply_to(&draft.summary), Some("q@example.net"));
    assert_eq!(draft.summary.references, ["p@example.net", "q@example.net"]);
    assert_eq!(draft.record.message.thread_id, of.thread_id);
    let submitted = world.drafts.send(&inbox, draft.id, &Sending::default()).await.unwrap();
    assert_eq!(submitted.thread_id, of.thread_id);
    let [sent] = &world.sent(inbox.id).await[..] else {
        panic!("one")
    };
    assert!(
        sent.contains("Auto-Submitted: auto-replied\r\n") && sent.contains("In-Reply-To: <q@example.net>"),
        "{sent}"
    );

    let all = world.drafts.create(&inbox, reply(true)).await.unwrap();
    let to = vec!["ann@example.net".to_owned(), "bob@example.net".into()];
    assert_eq!(
        (people(&all), all.reply_all),
        ((to, vec!["cy@example.net".into()]), true)
    );
    let readdressed = GivenLetter {
        cc: Some(vec![mailbox("x@example.net")]),
        ..GivenLetter::default()
    };
    let change = DraftChange {
        letter: readdressed.clone(),
        ..DraftChange::default()
    };
    let changed = world.drafts.update(&inbox, all.id, &change).await;
    assert!(matches!(changed, Err(DraftError::Invalid(_))), "{changed:?}");
    let mut given = reply(true);
    given.letter = readdressed.clone();
    assert!(matches!(
        world.drafts.create(&inbox, given).await,
        Err(DraftError::Invalid(_))
    ));
    let mut given = reply(false);
    given.letter.to = Some(vec![mailbox("x@example.net")]);
    given.letter.subject = Some("Other".into());
    let given = world.drafts.create(&inbox, given).await.unwrap();
    assert_eq!(
        (people(&given).0, given.summary.subject_text.as_str()),
        (vec!["x@example.net".into()], "Other")
    );
}

#[tokio::test]
async fn what_is_passed_on_is_merged_when_it_goes() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let of = asked(&world, inbox.id).await;
    let new = of_kind(NewKind::Forward { of: of.email_id }, "Look:");
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    assert_eq!(draft.forward_of.as_deref(), Some("q@example.net"));
    assert_eq!(
        (draft.summary.subject_text.as_str(), in_reply_to(&draft.summary)),
        ("Fwd: Question", None)
    );
    assert!(!world.text(&draft).await.contains("What now?"));
    // Nobody yet to send it to.
    let refused = world.drafts.send(&inbox, draft.id, &Sending::default()).await;
    assert!(matches!(refused, Err(DraftError::Submit(_))), "{refused:?}");
    let change = DraftChange {
        letter: GivenLetter {
            to: Some(vec![mailbox("dee@example.net")]),
            ..GivenLetter::default()
        },
        ..DraftChange::default()
    };
    world.drafts.update(&inbox, draft.id, &change).await.unwrap();
    let submitted = world.drafts.send(&inbox, draft.id, &Sending::default()).await.unwrap();
    assert_eq!(submitted.thread_id, of.thread_id);
    let [sent] = &world.sent(inbox.id).await[..] else {
        panic!("one")
    };
    let (own, passed) = (sent.find("Look:").unwrap(), sent.find("What now?").unwrap());
    assert!(
        own < passed && sent.contains("filename=a.txt") || sent.contains("filename=\"a.txt\""),
        "{sent}"
    );
    assert!(
        sent.contains("Auto-Submitted: auto-generated\r\n") && !sent.contains("In-Reply-To"),
        "{sent}"
    );
    assert_eq!(world.in_drafts(inbox.id).await, 0);
}

#[tokio::test]
async fn what_it_refers_to_has_to_be_there() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let of = asked(&world, inbox.id).await;
    let mut new = of_kind(NewKind::Forward { of: of.email_id }, "Look:");
    new.letter.to = Some(vec![mailbox("dee@example.net")]);
    let draft = world.drafts.create(&inbox, new.clone()).await.unwrap();
    world
        .mailstore
        .expunge(inbox.id, of.mailbox, &[of.uid], false)
        .await
        .unwrap();
    let refused = world.drafts.send(&inbox, draft.id, &Sending::default()).await;
    assert!(matches!(refused, Err(DraftError::NoSuchSource)), "{refused:?}");
    assert!(matches!(
        world.drafts.create(&inbox, new).await,
        Err(DraftError::NoSuchSource)
    ));
    assert_eq!(world.drafts.get(inbox.id, draft.id).await.unwrap(), draft);
}
