use crate::setup::{World, mailbox, to_ann};
use bytes::Bytes;
use postroom_drafts::{Draft, DraftChange, DraftError, GivenLetter, NewDraft, Sending, texts};
use postroom_identity::OrganizationChange;
use postroom_intake::SubmitError;
use postroom_message::{OutgoingAttachment, attachments};
use postroom_types::{Flag, Flags};

fn file(name: &str) -> OutgoingAttachment {
    OutgoingAttachment {
        filename: Some(name.into()),
        content_type: "text/plain".into(),
        content: Bytes::from_static(b"hello"),
        content_id: None,
        inline: false,
    }
}

#[tokio::test]
async fn a_draft_is_a_message_in_drafts() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let mut new = to_ann("first\nsecond");
    new.labels = vec!["Urgent".into(), "zwei wörter".into()];
    new.letter.bcc = Some(vec![mailbox("boss@example.net")]);
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    assert_eq!(draft.labels, ["urgent", "zwei wörter"]);
    let flags = draft.record.flags.system;
    assert_eq!(flags, Flags::NONE.with(Flag::Draft).with(Flag::Seen));
    let text = world.text(&draft).await;
    for part in [
        "To: ann@example.net\r\n",
        "Bcc: boss@example.net\r\n",
        "Subject: Plan\r\n",
        "\r\n\r\nfirst\r\nsecond\r\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert_eq!(
        texts(text.as_bytes(), &draft.summary).0.as_deref(),
        Some("first\nsecond")
    );
    assert_eq!((draft.created_at, draft.updated_at), (world.now(), world.now()));
    assert_eq!(world.drafts.get(inbox.id, draft.id).await.unwrap(), draft);
    let other = world.inbox("ranger").await;
    assert!(matches!(
        world.drafts.get(other.id, draft.id).await,
        Err(DraftError::NotFound)
    ));
}

#[tokio::test]
async fn a_change_keeps_the_name_and_what_it_does_not_name() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let mut new = to_ann("text");
    new.letter.html = Some(Some("<p>text</p>".into()));
    new.letter.attachments = vec![file("a.txt"), file("b.txt")];
    new.labels = vec!["one".into(), "two".into()];
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    world.pass(5000);
    let places: Vec<usize> = attachments(&draft.summary.root).iter().map(|file| file.index).collect();
    let change = DraftChange {
        letter: GivenLetter {
            cc: Some(vec![mailbox("cc@example.net")]),
            plain: Some(Some("other".into())),
            html: Some(None),
            attachments: vec![file("c.txt")],
            ..GivenLetter::default()
        },
        remove_attachments: vec![places[0]],
        version: Some(draft.email_id()),
        add_labels: vec!["three".into(), "both".into()],
        remove_labels: vec!["one".into(), "both".into()],
        ..DraftChange::default()
    };
    let changed = world.drafts.update(&inbox, draft.id, &change).await.unwrap();
    assert_eq!((changed.id, changed.created_at), (draft.id, draft.created_at));
    assert_eq!(changed.updated_at, draft.updated_at + 5000);
    assert_eq!(changed.summary.message_id, draft.summary.message_id);
    assert_eq!(changed.labels, ["three", "two"]);
    let content = world.text(&changed).await;
    let (plain, html) = texts(content.as_bytes(), &changed.summary);
    assert_eq!((plain.as_deref(), html), (Some("other"), None));
    assert!(
        content.contains("To: ann@example.net\r\n") && content.contains("Cc: cc@example.net\r\n"),
        "{content}"
    );
    let stale = world.drafts.update(&inbox, draft.id, &change).await;
    assert!(matches!(stale, Err(DraftError::Unavailable)), "{stale:?}");
    let names: Vec<_> = attachments(&changed.summary.root)
        .into_iter()
        .map(|file| file.filename.unwrap())
        .collect();
    assert_eq!(names, ["b.txt", "c.txt"]);
    assert_eq!(world.in_drafts(inbox.id).await, 1);

    // Labels alone: the message stays as it was, octet by octet.
    let change = DraftChange {
        remove_labels: vec!["two".into()],
        ..DraftChange::default()
    };
    let relabelled = world.drafts.update(&inbox, draft.id, &change).await.unwrap();
    assert_eq!(
        (relabelled.labels.as_slice(), world.text(&relabelled).await),
        (&["three".to_owned()][..], content)
    );
    assert!(relabelled.email_id() != changed.email_id());
}

#[tokio::test]
async fn what_is_refused() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let labelled = |label: &str| NewDraft {
        labels: vec![label.into()],
        ..to_ann("x")
    };
    let past = NewDraft {
        send_at: Some(world.now() - 120_000),
        ..to_ann("x")
    };
    let injected = {
        let mut new = to_ann("x");
        new.letter.subject = Some("a\r\nBcc: b@c".into());
        new
    };
    for bad in [
        labelled("scheduled"),
        labelled("sent"),
        labelled("unread"),
        labelled(""),
        past,
    ] {
        let refused = world.drafts.create(&inbox, bad.clone()).await;
        assert!(matches!(refused, Err(DraftError::Invalid(_))), "{bad:?} {refused:?}");
    }
    assert!(matches!(
        world.drafts.create(&inbox, injected).await,
        Err(DraftError::Compose(_))
    ));
    let draft = world.drafts.create(&inbox, to_ann("x")).await.unwrap();
    let change = DraftChange {
        remove_attachments: vec![0],
        ..DraftChange::default()
    };
    assert!(matches!(
        world.drafts.update(&inbox, draft.id, &change).await,
        Err(DraftError::Invalid(_))
    ));
    assert_eq!(world.in_drafts(inbox.id).await, 1);
}

#[tokio::test]
async fn the_same_client_id_is_the_same_draft() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let named = |text: &str| NewDraft {
        client_id: Some("mine".into()),
        ..to_ann(text)
    };
    let (one, other) = tokio::join!(
        world.drafts.create(&inbox, named("a")),
        world.drafts.create(&inbox, named("b"))
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.id, one.client_id.as_deref()), (other.id, Some("mine")));
    assert_eq!(world.in_drafts(inbox.id).await, 1);
    world.drafts.delete(inbox.id, one.id).await.unwrap();
    assert!(matches!(
        world.drafts.delete(inbox.id, one.id).await,
        Err(DraftError::NotFound)
    ));
    assert_eq!((world.in_drafts(inbox.id).await, world.rows().await), (0, 0));
    let fresh = world.drafts.create(&inbox, named("c")).await.unwrap();
    assert!(fresh.id != one.id);
}

#[tokio::test]
async fn sent_drafts_are_gone() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let mut new = to_ann("the text");
    new.labels = vec!["keep".into(), "drop".into()];
    new.letter.bcc = Some(vec![mailbox("boss@example.net")]);
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    let how = Sending {
        add_labels: vec!["new".into()],
        remove_labels: vec!["drop".into()],
        ..Sending::default()
    };
    let submitted = world.drafts.send(&inbox, draft.id, &how).await.unwrap();
    assert!(matches!(
        world.drafts.send(&inbox, draft.id, &how).await,
        Err(DraftError::NotFound)
    ));
    let [sent] = &world.sent(inbox.id).await[..] else {
        panic!("one")
    };
    assert!(
        sent.contains("the text") && sent.contains("Auto-Submitted: auto-generated\r\n"),
        "{sent}"
    );
    assert_eq!(
        sent.matches("\r\nDate: ").count() + usize::from(sent.starts_with("Date: ")),
        1,
        "{sent}"
    );
    assert!(!sent.contains(draft.summary.message_id.as_deref().unwrap()), "{sent}");
    let record = world.mailstore.message(inbox.id, submitted.id).await.unwrap().unwrap();
    let labels = world.mailstore.labels(inbox.id, &[record]).await.unwrap();
    assert_eq!(labels[0].custom.iter().collect::<Vec<_>>(), ["keep", "new"]);
    assert_eq!(world.in_drafts(inbox.id).await, 0);
    world.is_forgotten_in_a_day().await;
}

#[tokio::test]
async fn drafts_count_for_the_storage_of_the_organization_at_once() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let limit = async |max_octets| {
        let change = OrganizationChange {
            max_octets: Some(Some(max_octets)),
            ..OrganizationChange::default()
        };
        let changed = world.identity.update_organization(world.organization, &change).await;
        changed.unwrap();
    };
    let is_full = |refused: Result<Draft, DraftError>| {
        assert!(
            matches!(refused, Err(DraftError::Submit(SubmitError::StorageLimit))),
            "{refused:?}"
        );
    };
    limit(1).await;
    // One beyond the limit is taken.
    let draft = world.drafts.create(&inbox, to_ann("one")).await.unwrap();
    is_full(world.drafts.create(&inbox, to_ann("two")).await);
    let longer = DraftChange {
        letter: to_ann(&"longer ".repeat(1000)).letter,
        ..DraftChange::default()
    };
    is_full(world.drafts.update(&inbox, draft.id, &longer).await);
    // What does not grow may be changed.
    let labelled = DraftChange {
        add_labels: vec!["mine".into()],
        ..DraftChange::default()
    };
    world.drafts.update(&inbox, draft.id, &labelled).await.unwrap();
    limit(5000).await;
    world.drafts.update(&inbox, draft.id, &longer).await.unwrap();
    is_full(world.drafts.create(&inbox, to_ann("two")).await);
}
