//! Folders and marks: what some clients show of where messages are and of their flags.

mod common;

use common::{Fixture, message};
use postroom_mailstore::{Folder, LabelChange, MailboxRef, NewMessage, Origin};
use postroom_types::{EmailId, MailboxId, SpecialUse};

const SENT: MailboxRef = MailboxRef::Special(SpecialUse::Sent);

fn mail(number: u32) -> NewMessage {
    message(&format!(
        "Message-ID: <m{number}@x>\r\nSubject: {number}\r\n\r\nbody {number}\r\n"
    ))
}

async fn places(f: &Fixture, id: EmailId) -> Vec<MailboxId> {
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    record.placements.into_iter().map(|(mailbox, _)| mailbox).collect()
}

async fn relabel(f: &Fixture, id: EmailId, add: &[&str], remove: &[&str]) {
    let change = LabelChange::new(add, remove).unwrap();
    f.mail.update_labels(f.inbox, &[id], &change).await.unwrap();
}

async fn folder(f: &Fixture, id: EmailId) -> Option<Folder> {
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    f.mail.labels(f.inbox, &[record]).await.unwrap().remove(0).folder()
}

async fn file(f: &Fixture, id: EmailId, to: Folder, sent_too: bool) -> Vec<MailboxId> {
    let filed = f.mail.file(f.inbox, &[id], to, sent_too).await.unwrap();
    assert_eq!(
        filed[0].1.folder(),
        folder(f, id).await,
        "what is told is what is stored"
    );
    places(f, id).await
}

#[tokio::test]
async fn folders_are_where_messages_are() {
    let f = Fixture::new().await;
    let [inbox, sent, archive, spam, trash] = [
        f.id("INBOX").await,
        f.id("Sent").await,
        f.id("Archive").await,
        f.id("Spam").await,
        f.id("Trash").await,
    ];
    let id = f.deliver(&mail(1)).await.email_id;
    assert_eq!(folder(&f, id).await, Some(Folder::Inbox));
    assert_eq!(file(&f, id, Folder::Archive, false).await, [archive]);
    assert_eq!(file(&f, id, Folder::Spam, false).await, [spam]);
    // What leaves Spam by its label goes back to where it was at home: Archive.
    relabel(&f, id, &[], &["spam"]).await;
    assert_eq!(places(&f, id).await, [archive]);
    assert_eq!(file(&f, id, Folder::Inbox, false).await, [inbox]);
    let modseq = f.mail.modseq(f.inbox).await.unwrap();
    assert_eq!(file(&f, id, Folder::Inbox, false).await, [inbox]);
    assert_eq!(f.mail.modseq(f.inbox).await.unwrap(), modseq, "nothing was changed");

    let own = NewMessage {
        origin: Origin::Sent,
        ..mail(2)
    };
    let own = f.deliver_to(&own, SENT).await.unwrap().email_id;
    assert_eq!(file(&f, own, Folder::Archive, false).await, [sent]);
    assert_eq!(file(&f, own, Folder::Archive, true).await, [archive]);
    assert_eq!(file(&f, own, Folder::Inbox, true).await, [sent]);

    relabel(&f, id, &["trash"], &[]).await;
    assert_eq!(folder(&f, id).await, None);
    assert_eq!(file(&f, id, Folder::Inbox, true).await, [trash]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_note_to_oneself_is_filed_but_for_its_copy_in_sent() {
    let f = Fixture::new().await;
    let note = NewMessage {
        origin: Origin::Sent,
        ..mail(1)
    };
    let id = f.deliver_to(&note, SENT).await.unwrap().email_id;
    f.deliver(&mail(1)).await;
    assert_eq!(folder(&f, id).await, Some(Folder::Inbox));
    let mut now = file(&f, id, Folder::Archive, true).await;
    now.sort_unstable();
    let mut expected = vec![f.id("Sent").await, f.id("Archive").await];
    expected.sort_unstable();
    assert_eq!((now, folder(&f, id).await), (expected, Some(Folder::Archive)));
    f.assert_consistent().await;
}

#[tokio::test]
async fn marks_are_flags_of_all_placements() {
    let f = Fixture::new().await;
    let id = f.deliver(&mail(1)).await.email_id;
    let mark = async |seen, flagged| {
        let change = LabelChange::marks(seen, flagged);
        let now = f.mail.update_labels(f.inbox, &[id], &change).await.unwrap().remove(0).1;
        (!now.unread, now.flagged)
    };
    assert_eq!(mark(None, Some(true)).await, (false, true));
    assert_eq!(mark(Some(true), None).await, (true, true));
    assert_eq!(mark(Some(false), Some(false)).await, (false, false));
    assert!(LabelChange::marks(None, None).is_empty() && !LabelChange::marks(None, Some(false)).is_empty());
    f.assert_consistent().await;
}
