//! Messages with many placements: what one commit cannot hold is done in several, and nothing of it is left untold.

mod common;

use common::{Fixture, NOW, Replica, add_inbox, numbered, seen, uid};
use postroom_mailstore::{FeedEvent, FlagMode, MailboxRef, Mailstore, Marked, NewMessage, Options, Origin};
use postroom_store::{
    BoxFuture, Commit, CommitBuilder, Front, Key, MemoryStore, Outcome, SharedStore, Store, StoreError,
};
use postroom_types::{EmailId, Flags, InternalDate, Keyword, MailboxId, MessageFlags, ModSeq, SpecialUse, Uid};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

fn uids(count: u32) -> Vec<Uid> {
    (1..=count).map(uid).collect()
}

/// So many messages in INBOX, each with so many placements in all, the others in as many mailboxes.
async fn spread(f: &Fixture, messages: u32, placements: usize) -> MailboxId {
    let new = |number| {
        let message = NewMessage {
            origin: Origin::Imported,
            ..numbered(number, "")
        };
        (message, MessageFlags::default(), InternalDate::default())
    };
    let new: Vec<_> = (1..=messages).map(new).collect();
    f.mail.append_many(f.inbox, "INBOX", &new, None).await.unwrap();
    let inbox = f.id("INBOX").await;
    for number in 1..placements {
        let name = format!("copies {number}");
        let target = f.mail.create_mailbox(f.inbox, &name, None).await.unwrap();
        copy(f, inbox, messages, target).await;
    }
    inbox
}

async fn copy(f: &Fixture, source: MailboxId, messages: u32, target: MailboxId) {
    let copied = f.mail.copy(f.inbox, source, &uids(messages), target).await.unwrap();
    assert_eq!(copied.pairs.len(), messages as usize);
}

/// What the feed tells of labels after a modseq.
async fn marks_of(f: &Fixture, after: ModSeq) -> Vec<Marked> {
    let mut marks = Vec::new();
    for entry in f.mail.feed(f.inbox, after, 500).await.unwrap() {
        for event in entry.events {
            if let FeedEvent::Labels(told) = event {
                marks.extend(told);
            }
        }
    }
    marks
}

/// Of which messages it is told that they got, or lost, a label.
fn told(marks: &[Marked], label: &str, added: bool) -> BTreeSet<EmailId> {
    let of = marks.iter().filter(|mark| mark.label == label && mark.added == added);
    of.flat_map(|mark| mark.messages.iter().copied()).collect()
}

#[tokio::test]
async fn all_are_moved() {
    for seed in [None, Some(1), Some(2)] {
        let f = match seed {
            None => Fixture::new().await,
            Some(seed) => Fixture::hostile(seed).await,
        };
        let inbox = spread(&f, 120, 3).await;
        let archive = f.id("Archive").await;
        let moved = f.mail.move_messages(f.inbox, inbox, &uids(120), archive).await.unwrap();
        let expected: Vec<(Uid, Uid)> = (1..=120).map(|number| (uid(number), uid(number))).collect();
        assert_eq!((moved.pairs, moved.gone), (expected, 0), "seed {seed:?}");
        assert!(f.uids(inbox).await.is_empty());
        assert_eq!(f.uids(archive).await.len(), 120);
        f.assert_consistent().await;
    }
}

#[tokio::test]
async fn all_are_expunged() {
    for seed in [None, Some(1), Some(2)] {
        let f = match seed {
            None => Fixture::new().await,
            Some(seed) => Fixture::hostile(seed).await,
        };
        let inbox = spread(&f, 100, 6).await;
        let gone = f.mail.expunge(f.inbox, inbox, &uids(100), false).await.unwrap();
        assert_eq!(gone, uids(100), "seed {seed:?}");
        assert_eq!(f.mail.count(f.inbox).await.unwrap(), 100);
        f.assert_consistent().await;
    }
}

#[tokio::test]
async fn a_mailbox_goes_with_all_that_is_in_it() {
    let f = Fixture::new().await;
    spread(&f, 100, 6).await;
    let copies = f.id("copies 1").await;
    f.mail.delete_mailbox(f.inbox, "copies 1").await.unwrap();
    assert!(f.mail.open_shared(f.inbox, copies).await.is_err());
    assert_eq!(f.mail.count(f.inbox).await.unwrap(), 100);
    f.assert_consistent().await;
}

#[tokio::test]
async fn all_are_flagged() {
    for seed in [None, Some(1), Some(2)] {
        let f = match seed {
            None => Fixture::new().await,
            Some(seed) => Fixture::hostile(seed).await,
        };
        let inbox = spread(&f, 100, 9).await;
        let before = f.mail.modseq(f.inbox).await.unwrap();
        for since in [None, Some(before)] {
            let mode = if since.is_none() {
                FlagMode::Add
            } else {
                FlagMode::Remove
            };
            let before = f.mail.modseq(f.inbox).await.unwrap();
            let since = since.map(|_| before);
            let stored = f
                .mail
                .store_flags(f.inbox, inbox, &uids(100), mode, &seen(), since)
                .await;
            let stored = stored.unwrap();
            assert!(stored.modified.is_empty());
            assert_eq!(
                stored.now.iter().map(|(uid, ..)| *uid).collect::<Vec<_>>(),
                uids(100),
                "seed {seed:?}"
            );
            let expected = if mode == FlagMode::Add {
                seen()
            } else {
                MessageFlags::default()
            };
            assert!(
                stored
                    .now
                    .iter()
                    .all(|(_, flags, at)| *flags == expected && *at > before)
            );
        }
        f.assert_consistent().await;
    }
}

#[tokio::test]
async fn one_with_as_many_placements_as_there_can_be() {
    let f = Fixture::new().await;
    let inbox = spread(&f, 3, 1).await;
    let archive = f.id("Archive").await;
    // 50 each in INBOX and Archive.
    for target in std::iter::repeat_n(inbox, 49).chain(std::iter::repeat_n(archive, 50)) {
        copy(&f, inbox, 3, target).await;
    }
    let many = uids(150);
    let stored = f
        .mail
        .store_flags(f.inbox, inbox, &many, FlagMode::Add, &seen(), None)
        .await;
    assert_eq!(stored.unwrap().now.len(), 150);
    f.assert_consistent().await;
    let spam = f.id("Spam").await;
    let moved = f.mail.move_messages(f.inbox, inbox, &many[..140], spam).await.unwrap();
    assert_eq!((moved.pairs.len(), moved.gone), (140, 0));
    f.assert_consistent().await;
    let gone = f.mail.expunge(f.inbox, archive, &many, false).await.unwrap();
    assert_eq!(gone, many);
    let gone = f.mail.expunge(f.inbox, inbox, &many, false).await.unwrap();
    assert_eq!(gone, many[140..]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn all_labels_are_told() {
    let f = Fixture::new().await;
    let mut ids = BTreeSet::new();
    for number in 1..=120 {
        ids.insert(f.deliver(&numbered(number, "")).await.email_id);
    }
    let (inbox, drafts) = (f.id("INBOX").await, f.id("Drafts").await);
    let before = f.mail.modseq(f.inbox).await.unwrap();
    f.mail.move_messages(f.inbox, inbox, &uids(120), drafts).await.unwrap();
    let marks_of_move = marks_of(&f, before).await;
    assert_eq!(told(&marks_of_move, "draft", true), ids);
    assert_eq!(told(&marks_of_move, "unread", false), ids);

    let before = f.mail.modseq(f.inbox).await.unwrap();
    f.mail.move_messages(f.inbox, drafts, &uids(120), inbox).await.unwrap();
    let last = f.uids(inbox).await;
    let last: Vec<Uid> = last.into_iter().map(uid).collect();
    let flags = MessageFlags {
        system: Flags::NONE,
        keywords: ["one", "two", "three", "four"]
            .map(|word| Keyword::new(word).unwrap())
            .to_vec(),
    };
    let stored = f
        .mail
        .store_flags(f.inbox, inbox, &last, FlagMode::Add, &flags, None)
        .await;
    assert_eq!(stored.unwrap().now.len(), 120);
    let marks = marks_of(&f, before).await;
    for label in ["one", "two", "three", "four"] {
        assert_eq!(told(&marks, label, true), ids, "{label}");
    }
    f.assert_consistent().await;
}

/// A store that keeps the keys which bulk commits put, in their order.
struct Witness {
    inner: SharedStore,
    bulk: Mutex<Vec<Key>>,
}

impl Front for Witness {
    fn behind(&self) -> &dyn Store {
        &*self.inner
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Outcome, StoreError>> {
        if commit.bulk {
            let keys = commit.puts.iter().map(|put| put.key.clone());
            self.bulk.lock().unwrap().extend(keys);
        }
        self.inner.commit(commit)
    }
}

/// A bulk commit is seen half done: who finds a placement in a message row then must find its rows too.
#[tokio::test]
async fn placements_come_before_what_names_them() {
    let store = Arc::new(Witness {
        inner: MemoryStore::new(),
        bulk: Mutex::default(),
    });
    let f = Fixture::on(store.clone()).await;
    let inbox = spread(&f, 400, 1).await;
    store.bulk.lock().unwrap().clear();
    copy(&f, inbox, 400, f.id("Archive").await).await;
    let keys = store.bulk.lock().unwrap().clone();
    let kinds: Vec<u8> = keys.iter().map(|key| key[17]).collect();
    let first_message = kinds.iter().position(|kind| *kind == b'e').unwrap();
    let last_placement = kinds.iter().rposition(|kind| b"fd".contains(kind)).unwrap();
    assert!(last_placement < first_message, "{first_message}..{last_placement}");
}

#[tokio::test]
async fn drafts_are_found_by_time_while_one_goes() {
    const EACH: i64 = 10_000;
    for missing in 1..=5 {
        let f = Fixture::new().await;
        let mut ids = Vec::new();
        for number in 1..=5 {
            f.clock.store(NOW + i64::from(number) * EACH, Ordering::SeqCst);
            let draft = NewMessage {
                received_at: NOW + i64::from(number) * EACH,
                ..numbered(number, "")
            };
            let place = MailboxRef::Special(SpecialUse::Drafts);
            ids.push(f.deliver_to(&draft, place).await.unwrap().email_id);
        }
        // As one sees it who read the flags row before the message went.
        let row = [b"m", f.inbox.as_bytes().as_slice(), b"e", ids[missing - 1].as_bytes()].concat();
        let mut builder = CommitBuilder::new();
        builder.delete(row);
        f.store.commit(builder.build()).await.unwrap();
        let there = |number: &u32| *number as usize != missing;
        for since in 0..=6 {
            let at = NOW + i64::from(since) * EACH;
            let beyond = f
                .mail
                .drafts_since(f.inbox, at, true)
                .await
                .unwrap()
                .map_or(0, Uid::get);
            let found: Vec<u32> = (1..=5).filter(there).filter(|number| *number > beyond).collect();
            let expected: Vec<u32> = (1..=5).filter(there).filter(|number| *number >= since).collect();
            assert_eq!(found, expected, "{missing} goes, from {since} on");
            let beyond = f.mail.drafts_since(f.inbox, at, false).await.unwrap();
            let beyond = beyond.map_or(u32::MAX, Uid::get);
            let found: Vec<u32> = (1..=5).filter(there).filter(|number| *number < beyond).collect();
            let expected: Vec<u32> = (1..=5).filter(there).filter(|number| *number <= since).collect();
            assert_eq!(found, expected, "{missing} goes, from {since} back");
        }
    }
}

/// A mailbox that was condemned and could not be purged is purged by upkeep.
#[tokio::test]
async fn upkeep_purges_what_is_left() {
    let f = Fixture::new().await;
    spread(&f, 100, 6).await;
    let other = add_inbox(&f.mail, 1 << 30).await;
    let id = f.id("copies 2").await;
    let key = |letter: &[u8]| [b"m", f.inbox.as_bytes().as_slice(), letter, id.as_bytes().as_slice()].concat();
    let mut builder = CommitBuilder::new();
    builder.delete(key(b"b")).delete(key(b"c")).put(key(b"z"), vec![1]);
    f.store.commit(builder.build()).await.unwrap();
    let mail = Mailstore::new(Arc::clone(&f.store), Options::default());
    for inbox in [f.inbox, other] {
        assert!(mail.maintain(inbox, 1000).await.unwrap());
    }
    f.assert_consistent().await;
}

/// However many are copied, of each is told what labels it has now: in the commit that copies them, and so all or none.
#[tokio::test]
async fn copies_tell_of_every_label() {
    for (seed, messages) in [(None, 1300), (Some(1), 300), (Some(2), 600)] {
        let f = match seed {
            None => Fixture::new().await,
            Some(seed) => Fixture::hostile(seed).await,
        };
        let inbox = spread(&f, messages, 1).await;
        let (trash, archive) = (f.id("Trash").await, f.id("Archive").await);
        for piece in uids(messages).chunks(300) {
            f.mail.move_messages(f.inbox, inbox, piece, trash).await.unwrap();
        }
        let mut replica = Replica::open(&f.mail, f.inbox, archive).await.unwrap();
        let before = f.mail.modseq(f.inbox).await.unwrap();
        copy(&f, trash, messages, archive).await;
        let marks = marks_of(&f, before).await;
        assert_eq!(told(&marks, "trash", false).len(), messages as usize, "{seed:?}");
        assert_eq!(
            marks.iter().map(|mark| mark.messages.len()).sum::<usize>(),
            messages as usize
        );
        let entries = f.mail.feed(f.inbox, before, 500).await.unwrap();
        assert!(entries.len() > 1 && entries.iter().all(|entry| entry.lsn == entries[0].lsn));
        // Who hears of the copies hears of each once, and nothing of them later.
        replica.poll(&f.mail).await.unwrap();
        assert_eq!(replica.known.len(), messages as usize);
        replica.poll(&f.mail).await.unwrap();
        // Where no label changes, nothing is told but the copies.
        let before = f.mail.modseq(f.inbox).await.unwrap();
        let folder = f.mail.create_mailbox(f.inbox, "folder", None).await.unwrap();
        copy(&f, archive, messages, folder).await;
        assert_eq!(marks_of(&f, before).await, [], "{seed:?}");
        f.assert_consistent().await;
    }
}
