//! Folders and marks: what some clients show of where messages are and of their flags.

mod common;

use common::{Fixture, Replica, message};
use postroom_mailstore::{FlagMode, Folder, LabelChange, MailboxRef, NewMessage, Origin};
use postroom_types::{EmailId, Flag, MailboxId, SpecialUse, Uid};

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

/// A note to oneself: one message, in Sent and in INBOX.
async fn note(f: &Fixture, number: u32) -> EmailId {
    let note = NewMessage {
        origin: Origin::Sent,
        ..mail(number)
    };
    let id = f.deliver_to(&note, SENT).await.unwrap().email_id;
    f.deliver(&mail(number)).await;
    id
}

async fn names(f: &Fixture, id: EmailId) -> Vec<String> {
    let places = places(f, id).await;
    let all = f.mail.mailboxes(f.inbox).await.unwrap();
    let name = |id| all.iter().find(|mailbox| mailbox.id == id).unwrap().name.clone();
    let mut names: Vec<String> = places.into_iter().map(name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_note_to_oneself_comes_back_to_both_places() {
    let f = Fixture::new().await;
    let work = f.mail.create_mailbox(f.inbox, "Work", None).await.unwrap();
    let id = note(&f, 1).await;
    assert_eq!(names(&f, id).await, ["INBOX", "Sent"]);
    for place in ["trash", "spam", "blocked"] {
        let mailbox = [place[..1].to_uppercase(), place[1..].to_owned()].concat();
        relabel(&f, id, &[place], &[]).await;
        assert_eq!(names(&f, id).await, [mailbox]);
        relabel(&f, id, &[], &[place]).await;
        assert_eq!(names(&f, id).await, ["INBOX", "Sent"], "{place}");
        f.assert_consistent().await;
    }
    // From one place to the next, and back by the folder.
    relabel(&f, id, &["trash"], &[]).await;
    relabel(&f, id, &["spam"], &["trash"]).await;
    assert_eq!(names(&f, id).await, ["Spam"]);
    file(&f, id, Folder::Archive, true).await;
    assert_eq!(names(&f, id).await, ["Archive", "Sent"]);
    file(&f, id, Folder::Inbox, true).await;
    assert_eq!(names(&f, id).await, ["INBOX", "Sent"]);
    file(&f, id, Folder::Spam, true).await;
    file(&f, id, Folder::Inbox, true).await;
    assert_eq!(names(&f, id).await, ["INBOX", "Sent"]);
    // What was taken out of INBOX by a mail program does not come back there.
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    let inbox = f.id("INBOX").await;
    let (_, uid) = record.placements.iter().find(|(at, _)| *at == inbox).unwrap();
    f.mail.expunge(f.inbox, inbox, &[*uid], false).await.unwrap();
    relabel(&f, id, &["trash"], &[]).await;
    relabel(&f, id, &[], &["trash"]).await;
    assert_eq!(names(&f, id).await, ["Sent"]);

    // Filed by a mail program under a mailbox that is gone by the time.
    let id = note(&f, 2).await;
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    let (_, uid) = record.placements.iter().find(|(at, _)| *at == inbox).unwrap();
    f.mail.move_messages(f.inbox, inbox, &[*uid], work).await.unwrap();
    relabel(&f, id, &["trash"], &[]).await;
    f.mail.delete_mailbox(f.inbox, "Work").await.unwrap();
    relabel(&f, id, &[], &["trash"]).await;
    assert_eq!(names(&f, id).await, ["INBOX", "Sent"]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn it_comes_back_whatever_the_store_does() {
    for seed in 0..8 {
        let f = Fixture::hostile(seed).await;
        let id = note(&f, 1).await;
        for place in ["trash", "spam", "blocked", "trash"] {
            relabel(&f, id, &[place], &[]).await;
            assert_eq!(names(&f, id).await.len(), 1, "seed {seed}");
            relabel(&f, id, &[], &[place]).await;
            assert_eq!(names(&f, id).await, ["INBOX", "Sent"], "seed {seed}");
        }
        relabel(&f, id, &["spam"], &[]).await;
        file(&f, id, Folder::Archive, true).await;
        assert_eq!(names(&f, id).await, ["Archive", "Sent"], "seed {seed}");
        f.assert_consistent().await;
    }
}

#[tokio::test]
async fn what_was_doubled_before_is_put_apart() {
    // Both placements of a note stood in Trash, before one of them stood for both.
    let f = Fixture::new().await;
    let id = note(&f, 1).await;
    let trash = f.id("Trash").await;
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    for (mailbox, uid) in record.placements {
        f.mail.move_messages(f.inbox, mailbox, &[uid], trash).await.unwrap();
    }
    assert_eq!(names(&f, id).await, ["Trash", "Trash"]);
    relabel(&f, id, &[], &["trash"]).await;
    assert_eq!(names(&f, id).await, ["INBOX", "Sent"]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn copies_are_put_together() {
    let f = Fixture::new().await;
    let [inbox, archive] = [f.id("INBOX").await, f.id("Archive").await];
    let placed = f.deliver(&mail(1)).await;
    f.mail.copy(f.inbox, inbox, &[placed.uid], archive).await.unwrap();
    f.flag(inbox, placed.uid, FlagMode::Add, Flag::Flagged).await;
    let archived = f.uids(archive).await[0];
    f.flag(archive, Uid::new(archived).unwrap(), FlagMode::Add, Flag::Seen)
        .await;
    let mut replica = Replica::open(&f.mail, f.inbox, inbox).await.unwrap();
    relabel(&f, placed.email_id, &["trash"], &[]).await;
    assert_eq!(names(&f, placed.email_id).await, ["Trash"]);
    replica.poll(&f.mail).await.unwrap();
    assert!(replica.known.is_empty(), "who has INBOX open is told");
    f.assert_consistent().await;
    let record = f.mail.message(f.inbox, placed.email_id).await.unwrap().unwrap();
    let labels = f.mail.labels(f.inbox, &[record]).await.unwrap().remove(0);
    assert!(labels.flagged && !labels.unread, "the marks of both");
    relabel(&f, placed.email_id, &[], &["trash"]).await;
    assert_eq!(names(&f, placed.email_id).await, ["INBOX"]);
    f.assert_consistent().await;
    // What stands in the place already takes the marks of what comes.
    let trash = f.id("Trash").await;
    let uid = Uid::new(f.uids(inbox).await[0]).unwrap();
    f.mail.copy(f.inbox, inbox, &[uid], trash).await.unwrap();
    let keyword = LabelChange::new(&["trash", "project"], &[]).unwrap();
    f.mail
        .update_labels(f.inbox, &[placed.email_id], &keyword)
        .await
        .unwrap();
    assert_eq!(names(&f, placed.email_id).await, ["Trash"]);
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
