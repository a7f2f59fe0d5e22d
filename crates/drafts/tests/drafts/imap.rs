use crate::setup::{World, mailbox, to_ann};
use postroom_drafts::{DraftChange, DraftError, GivenLetter, NewDraft, Sending};
use postroom_mailstore::{FlagMode, MailboxRef, Origin};
use postroom_types::{Flag, Flags, MessageFlags, SpecialUse};

const DRAFTS: MailboxRef = MailboxRef::Special(SpecialUse::Drafts);

#[tokio::test]
async fn a_draft_saved_again_keeps_its_name_and_what_is_known_of_it() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let new = NewDraft {
        client_id: Some("mine".into()),
        labels: vec!["keep".into()],
        send_at: Some(world.now() + 60_000),
        ..to_ann("first")
    };
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    world.pass(1000);
    let id = draft.summary.message_id.as_deref().unwrap();
    world
        .save_again(&draft, &format!("From: scout@example.test\nTo: bob@example.net\nMessage-ID: <{id}>\nX-Mozilla-Draft-Info: x\nSubject: S\n\nsecond\n"))
        .await;
    let again = world.drafts.get(inbox.id, draft.id).await.unwrap();
    assert_eq!(
        (again.client_id.as_deref(), again.send_at),
        (Some("mine"), draft.send_at)
    );
    assert_eq!(
        (again.labels.as_slice(), again.created_at),
        (&["keep".to_owned()][..], draft.created_at)
    );
    assert_eq!(again.updated_at, draft.updated_at + 1000);
    world.pass(60_000);
    world.drafts.work().await.unwrap();
    let [sent] = &world.sent(inbox.id).await[..] else {
        panic!("one")
    };
    assert!(
        sent.contains("To: bob@example.net\r\n") && sent.contains("second") && !sent.contains("Mozilla"),
        "{sent}"
    );
    assert_eq!(world.in_drafts(inbox.id).await, 0);
    world.is_forgotten_in_a_day().await;
}

/// An index names one message of several with the same bytes; with the older one its place there goes.
#[tokio::test]
async fn saved_again_with_the_same_bytes() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let draft = world.drafts.create(&inbox, to_ann("text")).await.unwrap();
    let text = world.text(&draft).await.replace("\r\n", "\n");
    world.save_again(&draft, &text).await;
    assert_eq!(world.drafts.get(inbox.id, draft.id).await.unwrap().id, draft.id);
    world.drafts.send(&inbox, draft.id, &Sending::default()).await.unwrap();
    assert_eq!(world.in_drafts(inbox.id).await, 0);
}

#[tokio::test]
async fn drafts_of_mail_programs_are_drafts() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let content = "From: Scout <scout@example.test>\nTo: ann@example.net\nBcc: boss@example.net\nDate: Fri, 11 Jul 2003 21:00:37 -0700\nSubject: S\n\nhello\n";
    let placed = world.put(inbox.id, Origin::Imported, DRAFTS, content).await;
    let listed = world.drafts.list(&crate::lists::all_of(inbox.id)).await.unwrap().drafts;
    let [draft] = &listed[..] else {
        panic!("one: {listed:?}")
    };
    // Without a Message-ID it is called by its EMAILID, and by its Message-ID once it has one.
    assert_eq!(draft.id.0, *placed.email_id.as_bytes());
    let change = DraftChange {
        letter: GivenLetter {
            cc: Some(vec![mailbox("cc@example.net")]),
            ..GivenLetter::default()
        },
        ..DraftChange::default()
    };
    let changed = world.drafts.update(&inbox, draft.id, &change).await.unwrap();
    assert!(changed.id != draft.id && changed.summary.message_id.is_some());
    assert!(matches!(
        world.drafts.get(inbox.id, draft.id).await,
        Err(DraftError::NotFound)
    ));
    let submitted = world
        .drafts
        .send(&inbox, changed.id, &Sending::default())
        .await
        .unwrap();
    let [sent] = &world.sent(inbox.id).await[..] else {
        panic!("one")
    };
    assert!(
        !sent.contains(" 2003 ") && sent.contains("hello") && sent.contains("Cc: cc@example.net"),
        "{sent}"
    );
    let record = world.mailstore.message(inbox.id, submitted.id).await.unwrap().unwrap();
    assert_eq!(record.origin, Origin::Sent);
    assert_eq!(world.in_drafts(inbox.id).await, 0);
}

#[tokio::test]
async fn what_a_mail_program_removes_is_gone_and_does_not_go() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let scheduled = |text: &str| NewDraft {
        send_at: Some(world.now() + 10_000),
        ..to_ann(text)
    };
    let expunged = world.drafts.create(&inbox, scheduled("a")).await.unwrap();
    let marked = world.drafts.create(&inbox, scheduled("b")).await.unwrap();
    let (mailbox, uid) = (expunged.record.mailbox, expunged.record.uid);
    world.mailstore.expunge(inbox.id, mailbox, &[uid], false).await.unwrap();
    let deleted = MessageFlags::system(Flags::NONE.with(Flag::Deleted));
    let uids = [marked.record.uid];
    world
        .mailstore
        .store_flags(inbox.id, mailbox, &uids, FlagMode::Add, &deleted, None)
        .await
        .unwrap();
    for draft in [&expunged, &marked] {
        assert!(matches!(
            world.drafts.get(inbox.id, draft.id).await,
            Err(DraftError::NotFound)
        ));
    }
    assert!(
        world
            .drafts
            .list(&crate::lists::all_of(inbox.id))
            .await
            .unwrap()
            .drafts
            .is_empty()
    );
    world.pass(20_000);
    world.drafts.work().await.unwrap();
    assert!(world.sent(inbox.id).await.is_empty());
}
