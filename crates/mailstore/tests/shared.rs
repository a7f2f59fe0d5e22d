//! Open mailboxes: read once for all, kept within bounds, exact also beside rows of older versions and half-done copies.

mod common;

use common::{Fixture, NOW, Replica, deleted, keyword, message, numbered, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef, Mailstore, NewMessage, Options, Origin};
use postroom_store::{
    BoxFuture, CommitBuilder, Front, Key, MemoryStore, Page, SharedStore, Store, StoreError, Value, scan_prefix,
};
use postroom_types::{Flag, Flags, InternalDate, Keyword, MessageFlags, ModSeq, Uid};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A store that counts the pages it is asked for, and takes its time; a few feed rows or flags rows are a page too.
struct Counting {
    inner: SharedStore,
    pages: AtomicUsize,
}

impl Front for Counting {
    fn behind(&self) -> &dyn Store {
        &*self.inner
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Value>>, StoreError>> {
        // After `m` and the inbox comes the kind.
        let is_page = keys.iter().any(|key| matches!(key[17], b'f' | b'j'));
        self.pages.fetch_add(usize::from(is_page), Ordering::SeqCst);
        Box::pin(async move {
            if is_page {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.inner.get_many(keys).await
        })
    }

    fn range<'a>(
        &'a self,
        low: &'a [u8],
        high: &'a [u8],
        reverse: bool,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.pages.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.inner.range(low, high, reverse, limit).await
        })
    }
}

fn imported(number: u32) -> (NewMessage, MessageFlags, InternalDate) {
    let message = NewMessage {
        origin: Origin::Imported,
        ..numbered(number, "")
    };
    (message, MessageFlags::default(), InternalDate::utc(i64::from(number)))
}

async fn fill(f: &Fixture, mailbox: &str, count: u32) {
    let messages: Vec<_> = (1..=count).map(imported).collect();
    f.mail.append_many(f.inbox, mailbox, &messages, None).await.unwrap();
}

/// A message that goes while its mailbox is read is not in the state, though the state is older than its expunge: who
/// resynchronises is told all the same.
#[tokio::test]
async fn what_went_during_a_reading_has_vanished() {
    let inner: SharedStore = MemoryStore::new();
    let f = Fixture::on(Arc::clone(&inner)).await;
    for number in 1..=3 {
        f.deliver(&numbered(number, "")).await;
    }
    let mailbox = f.id("INBOX").await;
    let slow = Counting {
        inner,
        pages: AtomicUsize::new(0),
    };
    let slow = Mailstore::new(Arc::new(slow), Options::default());
    let shared = slow.open_shared(f.inbox, mailbox).await.unwrap();
    let known = shared.snapshot().modseq;
    f.flag(mailbox, uid(2), FlagMode::Add, Flag::Seen).await;
    let expunge = async {
        tokio::task::yield_now().await;
        f.mail.expunge(f.inbox, mailbox, &[uid(2)], false).await.unwrap();
    };
    let (refreshed, ()) = tokio::join!(slow.refresh(&shared), expunge);
    refreshed.unwrap();
    let state = shared.snapshot();
    assert_eq!(*state.uids, [uid(1), uid(3)]);
    assert_eq!(
        state.modseq,
        ModSeq(known.0 + 1),
        "the expunge lies beyond what was read"
    );
    let everything = [(uid(1), uid(9))];
    let vanished = slow.vanished(&shared, state.highest_modseq, &everything).await.unwrap();
    assert_eq!(vanished, [(uid(2), uid(2))]);
}

#[tokio::test]
async fn one_reads_for_all() {
    let f = Fixture::new().await;
    f.deliver(&numbered(1, "")).await;
    let counting = Arc::new(Counting {
        inner: Arc::clone(&f.store),
        pages: AtomicUsize::new(0),
    });
    let mail = Arc::new(Mailstore::new(counting.clone(), Options::default()));
    let inbox = f.id("INBOX").await;
    let open_all = async || {
        let sessions: Vec<_> = (0..50)
            .map(|_| {
                let (mail, owner) = (Arc::clone(&mail), f.inbox);
                tokio::spawn(async move { mail.open_shared(owner, inbox).await.unwrap() })
            })
            .collect();
        let mut all = Vec::new();
        for session in sessions {
            all.push(session.await.unwrap());
        }
        all
    };
    let all = open_all().await;
    assert!(all.iter().all(|shared| Arc::ptr_eq(shared, &all[0])));
    let first = counting.pages.swap(0, Ordering::SeqCst);
    assert!(first <= 4, "{first} pages to open a mailbox of one message");

    f.deliver(&numbered(2, "")).await;
    let again = open_all().await;
    assert!(Arc::ptr_eq(&again[0], &all[0]));
    assert_eq!(again[0].snapshot().uids.len(), 2);
    let later = counting.pages.swap(0, Ordering::SeqCst);
    assert!((1..=4).contains(&later), "{later} pages to hear of one message");
    open_all().await;
    assert_eq!(counting.pages.load(Ordering::SeqCst), 0, "nothing has happened");
    // As long as nothing comes or goes, the list of UIDs is one for all.
    assert!(Arc::ptr_eq(&again[0].snapshot().uids, &all[0].snapshot().uids));
}

#[tokio::test]
async fn what_is_let_go_stays_valid() {
    let f = Fixture::new().await;
    let options = Options {
        open_messages: 200,
        ..Options::default()
    };
    let mail = Mailstore::new(Arc::clone(&f.store), options);
    for name in ["INBOX", "Archive", "Trash"] {
        fill(&f, name, 90).await;
    }
    let inbox = f.id("INBOX").await;
    let mut replica = Replica::open(&mail, f.inbox, inbox).await.unwrap();
    let held = Arc::clone(&replica.shared);
    let archive = mail.open_shared(f.inbox, f.id("Archive").await).await.unwrap();
    let weak = Arc::downgrade(&archive);
    drop(archive);
    assert!(weak.upgrade().is_some(), "kept for the next");
    // Three times ninety are more than two hundred: the first two go.
    for name in ["Trash", "INBOX"] {
        mail.open_shared(f.inbox, f.id(name).await).await.unwrap();
    }
    assert!(weak.upgrade().is_none(), "let go");
    // Held by a session, so there is no second state of it.
    let again = mail.open_shared(f.inbox, inbox).await.unwrap();
    assert!(Arc::ptr_eq(&again, &held));
    f.mail.expunge(f.inbox, inbox, &[uid(3)], false).await.unwrap();
    replica.poll(&mail).await.unwrap();
    assert_eq!(replica.known.len(), 89);
}

#[tokio::test]
async fn rows_of_earlier_versions_are_completed() {
    let f = Fixture::new().await;
    fill(&f, "INBOX", 300).await;
    let inbox = f.id("INBOX").await;
    let work = MessageFlags {
        keywords: vec![keyword("work")],
        ..seen()
    };
    let odd: Vec<Uid> = (1..=300).step_by(2).map(uid).collect();
    f.mail
        .store_flags(f.inbox, inbox, &odd, FlagMode::Add, &work, None)
        .await
        .unwrap();
    let fresh = || Mailstore::new(Arc::clone(&f.store), Options::default());
    let all: Vec<Uid> = (1..=300).map(uid).collect();
    let states = async |mail: &Mailstore| {
        let shared = mail.open_shared(f.inbox, inbox).await.unwrap();
        let states = shared.states(&all);
        states.into_iter().collect::<Option<Vec<_>>>().unwrap()
    };
    let expected = states(&fresh()).await;

    let located = f.mail.contents(f.inbox, inbox, &all).await.unwrap();
    assert_eq!(located.len(), 300);

    // As servers wrote them that knew only the first version, or the second.
    let prefix = [b"m".as_slice(), f.inbox.as_bytes(), b"f", inbox.as_bytes()].concat();
    for (number, (key, value)) in scan_prefix(&*f.store, &prefix)
        .collect()
        .await
        .unwrap()
        .into_iter()
        .enumerate()
    {
        if number % 3 == 0 {
            continue;
        }
        assert_eq!(value[0], 3);
        // Version, modseq, flags, email id; then date, zone, size of one or two octets, and five octets of saving; then the
        // blob with its length.
        let size = if value[35] < 0x80 { 1 } else { 2 };
        let rest = &value[35 + size + 5 + 17..];
        let old = match number % 3 {
            1 => [&[1], &value[1..26], rest].concat(),
            _ => [&[2], &value[1..35 + size + 5], rest].concat(),
        };
        let mut builder = CommitBuilder::new();
        builder.replace(key, value, old);
        f.store.commit(builder.build()).await.unwrap();
    }
    f.assert_consistent().await;
    let found = states(&fresh()).await;
    for (number, (found, mut expected)) in found.into_iter().zip(expected).enumerate() {
        if number % 3 == 1 {
            expected.saved_at = None;
        }
        assert_eq!(found, expected);
    }
    assert_eq!(f.mail.contents(f.inbox, inbox, &all).await.unwrap(), located);

    // Changed, they stay what they are; copied and moved, they are of the new version.
    f.flag(inbox, uid(2), FlagMode::Add, Flag::Flagged).await;
    let archive = f.id("Archive").await;
    f.mail.copy(f.inbox, inbox, &[uid(2), uid(3)], archive).await.unwrap();
    f.mail.move_messages(f.inbox, inbox, &[uid(5)], archive).await.unwrap();
    let shared = f.mail.open_shared(f.inbox, archive).await.unwrap();
    for (state, date) in shared.states(&[uid(1), uid(2), uid(3)]).into_iter().zip([2, 3, 5]) {
        let state = state.unwrap();
        assert_eq!((state.internal_date.seconds, state.saved_at), (date, Some(NOW / 1000)));
    }
    assert_eq!(f.uids(inbox).await.len(), 300 - 1);
    f.assert_consistent().await;
}

#[tokio::test]
async fn ghosts_have_an_end() {
    let f = Fixture::new().await;
    let inbox = f.id("INBOX").await;
    // Nobody has looked: nobody is haunted.
    let early = f.deliver(&numbered(1, "")).await;
    f.mail.expunge(f.inbox, inbox, &[early.uid], false).await.unwrap();
    let shared = f.mail.open_shared(f.inbox, inbox).await.unwrap();
    assert!(shared.ghost(early.uid).is_none());

    let long: String = (0..300)
        .map(|number| format!("somebody{number}@example.net, "))
        .collect();
    let mut placed = Vec::new();
    for number in 0..400 {
        let text = format!("Message-ID: <l{number}@x>\r\nTo: {long}\r\nSubject: {number}\r\n\r\nhello\r\n");
        placed.push(f.deliver(&message(&text)).await);
    }
    f.flag(inbox, placed[399].uid, FlagMode::Add, Flag::Flagged).await;
    let uids: Vec<Uid> = placed.iter().map(|placed| placed.uid).collect();
    for piece in uids.chunks(300) {
        f.mail.expunge(f.inbox, inbox, piece, false).await.unwrap();
    }
    let kept = uids.iter().filter(|uid| shared.ghost(**uid).is_some()).count();
    assert!((100..400).contains(&kept), "{kept} within 8 MiB");
    let ghost = shared.ghost(uids[399]).expect("the last");
    assert_eq!(
        f.mail.read(&ghost.content, 0..u64::MAX).await.unwrap().unwrap().len() as u64,
        ghost.meta.size_octets
    );
    let states = shared.states(&uids[398..]);
    assert!(states[1].as_ref().unwrap().flags.system.contains(Flag::Flagged));
    f.clock.fetch_add(3_600_000, Ordering::SeqCst);
    assert!(shared.ghost(uids[399]).is_none(), "an hour later");
    f.mail.refresh(&shared).await.unwrap();
    assert_eq!(shared.states(&uids[398..]), [None, None]);
}

/// Many bulk commits; whoever opens the mailbox meanwhile sees all of each or nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bulk_is_seen_whole() {
    for store in [MemoryStore::new(), MemoryStore::hostile(5)] {
        let f = Arc::new(Fixture::on(store).await);
        fill(&f, "INBOX", 400).await;
        let (inbox, archive) = (f.id("INBOX").await, f.id("Archive").await);
        let done = Arc::new(AtomicUsize::new(0));
        let watchers: Vec<_> = (0..4)
            .map(|number| {
                let (f, done) = (Arc::clone(&f), Arc::clone(&done));
                tokio::spawn(async move {
                    let mut replica = Replica::open(&f.mail, f.inbox, archive).await.unwrap();
                    while done.load(Ordering::SeqCst) == 0 {
                        match number % 2 {
                            0 => replica.poll(&f.mail).await.unwrap(),
                            _ => {
                                let fresh = Mailstore::new(Arc::clone(&f.store), Options::default());
                                replica = Replica::open(&fresh, f.inbox, archive).await.unwrap();
                            }
                        }
                        assert_eq!(replica.known.len() % 400, 0);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let uids: Vec<Uid> = (1..=400).map(uid).collect();
        for _ in 0..2 {
            let copied = f.mail.copy(f.inbox, inbox, &uids, archive).await.unwrap();
            assert_eq!((copied.pairs.len(), copied.gone), (400, 0));
            fill(&f, "Archive", 400).await;
        }
        done.store(1, Ordering::SeqCst);
        for watcher in watchers {
            watcher.await.unwrap();
        }
        assert_eq!(f.uids(archive).await, (1..=1600).collect::<Vec<_>>());
        f.assert_consistent().await;
    }
}

#[tokio::test]
async fn copies_say_what_was_gone() {
    let f = Fixture::new().await;
    fill(&f, "INBOX", 5).await;
    let (inbox, archive) = (f.id("INBOX").await, f.id("Archive").await);
    f.mail.expunge(f.inbox, inbox, &[uid(2)], false).await.unwrap();
    let asked = [uid(1), uid(2), uid(3), uid(3)];
    let copied = f.mail.copy(f.inbox, inbox, &asked, archive).await.unwrap();
    assert_eq!(
        (copied.pairs, copied.gone),
        (vec![(uid(1), uid(1)), (uid(3), uid(2))], 1)
    );
    let moved = f.mail.move_messages(f.inbox, inbox, &asked, archive).await.unwrap();
    assert_eq!((moved.pairs, moved.gone), (vec![(uid(1), uid(3)), (uid(3), uid(4))], 1));
    let copied = f.mail.copy(f.inbox, inbox, &asked, archive).await.unwrap();
    assert_eq!((copied.pairs.len(), copied.gone), (0, 3));
}

/// A conditional STORE does what it says exactly once, also where the outcome of a commit is not known.
#[tokio::test]
async fn store_only_what_is_unchanged() {
    for seed in 0..40 {
        let f = Fixture::hostile(seed).await;
        fill(&f, "INBOX", 4).await;
        let inbox = f.id("INBOX").await;
        let store = async |uids: &[Uid], mode, flags: &MessageFlags, since: u64| {
            let since = Some(ModSeq(since));
            f.mail
                .store_flags(f.inbox, inbox, uids, mode, flags, since)
                .await
                .unwrap()
        };
        let all: Vec<Uid> = (1..=4).map(uid).collect();
        let before = f.mail.modseq(f.inbox).await.unwrap().0;
        let refused = store(&all, FlagMode::Add, &seen(), 0).await;
        assert_eq!((refused.now.len(), refused.modified), (0, all.clone()));
        let done = store(&all[..2], FlagMode::Add, &seen(), before).await;
        assert_eq!((done.now.len(), done.modified.len()), (2, 0));
        assert!(
            done.now
                .iter()
                .all(|(_, flags, at)| *flags == seen() && at.0 == before + 1)
        );
        // Half of them have changed. What is as asked for already counts as done where it has not.
        let half = store(&all, FlagMode::Add, &deleted(), before).await;
        assert_eq!(half.modified, all[..2]);
        let told: Vec<_> = half
            .now
            .iter()
            .map(|(uid, flags, at)| (*uid, flags.clone(), at.0))
            .collect();
        assert_eq!(told, [(uid(3), deleted(), before + 2), (uid(4), deleted(), before + 2)]);
        let same = store(&all[2..], FlagMode::Add, &deleted(), before + 2).await;
        assert_eq!(same, half_of(&half));
        f.assert_consistent().await;
    }

    fn half_of(stored: &postroom_mailstore::Stored) -> postroom_mailstore::Stored {
        postroom_mailstore::Stored {
            modified: Vec::new(),
            ..stored.clone()
        }
    }
}

/// Of many who change a flag under the same condition, one succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_conditional_stores_succeeds() {
    for seed in 0..6 {
        let f = Arc::new(Fixture::hostile(seed).await);
        let placed = f.deliver(&numbered(1, "")).await;
        let since = f.mail.modseq(f.inbox).await.unwrap();
        let tasks: Vec<_> = (0..12)
            .map(|number| {
                let f = Arc::clone(&f);
                tokio::spawn(async move {
                    let flags = MessageFlags {
                        system: Flags::NONE,
                        keywords: Keyword::new(&format!("k{number}")).into_iter().collect(),
                    };
                    let uids = [placed.uid];
                    let stored = f
                        .mail
                        .store_flags(f.inbox, placed.mailbox, &uids, FlagMode::Add, &flags, Some(since));
                    let stored = stored.await.unwrap();
                    assert_eq!(stored.now.len() + stored.modified.len(), 1);
                    stored.now.len()
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.unwrap();
        }
        assert_eq!(done, 1);
        let flags = f.mail.flags(f.inbox, placed.mailbox, &[placed.uid]).await.unwrap();
        assert_eq!(flags[0].1.keywords.len(), 1);
    }
}

/// An expunge that has to begin anew keeps the message as it is then, not as it was when the expunge was first tried.
#[tokio::test]
async fn a_ghost_is_what_the_message_was_last() {
    let mut changed = 0;
    for seed in 0..60 {
        let f = Fixture::hostile(seed).await;
        let inbox = f.id("INBOX").await;
        let shared = f.mail.open_shared(f.inbox, inbox).await.unwrap();
        let uid = f.deliver(&numbered(1, "")).await.uid;
        let (uids, seen) = ([uid], seen());
        let (gone, stored) = tokio::join!(
            f.mail.expunge(f.inbox, inbox, &uids, false),
            f.mail.store_flags(f.inbox, inbox, &uids, FlagMode::Add, &seen, None)
        );
        assert_eq!(gone.unwrap(), [uid]);
        let ghost = shared.ghost(uid).unwrap();
        if let [(_, flags, modseq)] = stored.unwrap().now.as_slice() {
            assert_eq!(
                (&ghost.state.flags, ghost.state.modseq),
                (flags, *modseq),
                "seed {seed}"
            );
            changed += 1;
        }
    }
    assert!(changed > 0);
}

#[tokio::test]
async fn statuses_of_several() {
    let f = Fixture::new().await;
    fill(&f, "Archive", 2).await;
    let (archive, gone) = (f.id("Archive").await, postroom_types::MailboxId::new());
    let inbox = f.id("INBOX").await;
    let all = f.mail.statuses(f.inbox, &[archive, gone, inbox]).await.unwrap();
    let one = f.mail.status(f.inbox, archive).await.unwrap();
    assert_eq!((all[0], all[1], all[2].unwrap().messages), (Some(one), None, 0));
    let nobody = postroom_types::InboxId::new();
    assert!(matches!(
        f.mail.statuses(nobody, &[inbox]).await,
        Err(MailError::NoSuchInbox(_))
    ));
    let nine = numbered(9, "");
    let refused = f.deliver_to(&nine, MailboxRef::Special(postroom_types::SpecialUse::Important));
    assert!(matches!(refused.await, Err(MailError::NoSuchMailbox)));
}
