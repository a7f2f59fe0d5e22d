use crate::setup::{World, to_ann};
use postroom_drafts::{
    DraftChange, DraftError, GivenContext, GivenLetter, NewDraft, NewKind, Passing, Sending, in_reply_to,
};
use postroom_mailstore::{MailboxRef, Origin};
use postroom_types::{ThreadId, Uid};

const ORIGINAL: &str = "From: ann@example.net\nTo: scout@example.test\nMessage-ID: <q@example.net>\nSubject: Question\n\
    MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nWhat now?\n--b\n\
    Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=a.txt\n\nattached\n--b--\n";

fn subject(text: &str, generation: Option<Uid>) -> DraftChange {
    DraftChange {
        letter: GivenLetter {
            subject: Some(text.into()),
            ..GivenLetter::default()
        },
        generation,
        ..DraftChange::default()
    }
}

#[tokio::test]
async fn only_the_version_that_is_meant() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let first = world.drafts.create(&inbox, to_ann("x")).await.unwrap();
    let change = subject("second", Some(first.generation()));
    let second = world.drafts.update(&inbox, first.id, &change).await.unwrap();
    assert!(second.generation() > first.generation());
    let stale = Some(first.generation());
    let late = world.drafts.update(&inbox, first.id, &subject("late", stale)).await;
    assert!(matches!(late, Err(DraftError::Stale)), "{late:?}");
    let how = Sending {
        generation: stale,
        ..Sending::default()
    };
    assert!(matches!(
        world.drafts.send(&inbox, first.id, &how).await,
        Err(DraftError::Stale)
    ));
    assert!(matches!(
        world.drafts.duplicate(&inbox, first.id, stale).await,
        Err(DraftError::Stale)
    ));
    let deleted = world.drafts.delete_version(inbox.id, first.id, stale).await;
    assert!(matches!(deleted, Err(DraftError::Stale)));
    assert_eq!(world.drafts.get(inbox.id, first.id).await.unwrap(), second);
    let how = Sending {
        generation: Some(second.generation()),
        ..Sending::default()
    };
    let sent = world.drafts.send(&inbox, first.id, &how).await.unwrap();
    let again = world.drafts.sent_as(inbox.id, first.id, second.generation()).await;
    assert_eq!(again.unwrap(), Some(sent.id));
    let other = world.drafts.sent_as(inbox.id, first.id, first.generation()).await;
    assert!(matches!(other, Err(DraftError::Stale)), "{other:?}");
    assert!(!world.drafts.is_being_sent(inbox.id, first.id));
}

#[tokio::test]
async fn a_copy_says_the_same_and_is_another() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let mut new = to_ann("text");
    new.labels = vec!["urgent".into()];
    new.client_id = Some("mine".into());
    new.send_at = Some(world.now() + 1_000_000);
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    let copy = world.drafts.duplicate(&inbox, draft.id, None).await.unwrap();
    assert!(copy.id != draft.id && copy.send_at.is_none() && copy.client_id.is_none());
    assert_eq!(
        (&copy.labels, &copy.summary.subject_text),
        (&draft.labels, &draft.summary.subject_text)
    );
    assert_eq!(copy.summary.envelope.to, draft.summary.envelope.to);
    assert_eq!(world.in_drafts(inbox.id).await, 2);
}

#[tokio::test]
async fn what_it_answers_can_be_said_and_changed() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let asked = world.put(inbox.id, Origin::Received, MailboxRef::Inbox, ORIGINAL).await;
    let new = NewDraft {
        context: GivenContext {
            in_reply_to: Some(Some("q@example.net".into())),
            references: Some(vec!["q@example.net".into()]),
            thread: Some(Some(asked.thread_id)),
        },
        ..to_ann("x")
    };
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    assert_eq!(
        (in_reply_to(&draft.summary), draft.thread),
        (Some("q@example.net"), Some(asked.thread_id))
    );
    let nothing = DraftChange {
        context: GivenContext {
            in_reply_to: Some(None),
            references: Some(Vec::new()),
            thread: Some(None),
        },
        ..DraftChange::default()
    };
    let draft = world.drafts.update(&inbox, draft.id, &nothing).await.unwrap();
    assert_eq!((in_reply_to(&draft.summary), draft.thread), (None, None));
    let alone = world.drafts.send(&inbox, draft.id, &Sending::default()).await.unwrap();
    assert_ne!(alone.thread_id, asked.thread_id);
    let elsewhere = ThreadId::new();
    let new = NewDraft {
        context: GivenContext {
            thread: Some(Some(elsewhere)),
            ..GivenContext::default()
        },
        ..to_ann("y")
    };
    let draft = world.drafts.create(&inbox, new).await.unwrap();
    let sent = world.drafts.send(&inbox, draft.id, &Sending::default()).await.unwrap();
    assert_eq!(sent.thread_id, elsewhere);
}

#[tokio::test]
async fn ways_to_pass_a_message_on() {
    let world = World::new().await;
    let inbox = world.inbox("scout").await;
    let asked = world.put(inbox.id, Origin::Received, MailboxRef::Inbox, ORIGINAL).await;
    for (passing, has, has_not) in [
        (Passing::default(), &["What now?", "a.txt"][..], &["message/rfc822"][..]),
        (
            Passing {
                without_files: true,
                ..Passing::default()
            },
            &["What now?"],
            &["a.txt"],
        ),
        (
            Passing {
                wrapped: true,
                new_thread: true,
                ..Passing::default()
            },
            &["message/rfc822", "What now?", "a.txt"],
            &["wrote:"],
        ),
    ] {
        let new = NewDraft {
            kind: NewKind::Forward { of: asked.email_id },
            passing,
            ..to_ann("note")
        };
        let draft = world.drafts.create(&inbox, new).await.unwrap();
        assert_eq!(draft.passes_on, Some((asked.email_id, passing)));
        let sent = world.drafts.send(&inbox, draft.id, &Sending::default()).await.unwrap();
        assert_eq!(sent.thread_id != asked.thread_id, passing.new_thread);
        let all = world.sent(inbox.id).await;
        let text = all
            .iter()
            .find(|text| text.contains(&sent.message_id))
            .expect("it is in Sent");
        assert!(has.iter().all(|part| text.contains(part)), "{passing:?} {text}");
        assert!(!has_not.iter().any(|part| text.contains(part)), "{passing:?} {text}");
    }
}
