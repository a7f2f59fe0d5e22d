//! Many at once in one inbox: nothing acknowledged is lost or doubled, and all of it stays consistent.

mod common;

use common::{Fixture, numbered, placing, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef, Mailstore};
use postroom_types::{EmailId, Flag, Flags, InboxId, MailboxId, MessageFlags, ModSeq, Uid};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Small dice, so that a failure repeats as far as threads let it.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// What a task got an answer for.
#[derive(Default)]
struct Acknowledged {
    delivered: BTreeSet<EmailId>,
    expunged: usize,
}

async fn work(
    mail: Arc<Mailstore>,
    inbox: InboxId,
    boxes: [MailboxId; 3],
    task: u32,
    rounds: u32,
) -> Result<Acknowledged, MailError> {
    let mut dice = Dice(u64::from(task) + 1);
    let mut done = Acknowledged::default();
    for round in 0..rounds {
        let from = boxes[dice.below(3)];
        let to = boxes[dice.below(3)];
        let open = mail.open(inbox, from).await?;
        let some: Vec<Uid> = (0..4)
            .filter_map(|_| open.uids.get(dice.below(open.uids.len().max(1))).copied())
            .collect();
        match dice.below(6) {
            0 | 1 => {
                let message = numbered(task * 1000 + round, "<m0@x>");
                let placing = placing(inbox, MailboxRef::Id(from), &message);
                let placed = mail.deliver(&message, vec![placing.clone()]).await?[0];
                let again = mail.deliver(&message, vec![placing]).await?[0];
                assert!(again.duplicate || again.email_id == placed.email_id);
                done.delivered.insert(placed.email_id);
            }
            2 => {
                let flag = [Flag::Seen, Flag::Flagged, Flag::Deleted][dice.below(3)];
                let mode = [FlagMode::Add, FlagMode::Remove][dice.below(2)];
                let flags = MessageFlags::system(Flags::NONE.with(flag));
                mail.store_flags(inbox, from, &some, mode, &flags).await?;
            }
            3 => {
                mail.move_messages(inbox, from, &some, to).await?;
            }
            4 => {
                mail.copy(inbox, from, &some[..some.len().min(1)], to).await?;
            }
            _ => {
                done.expunged += mail.expunge(inbox, from, &some[..some.len().min(2)], true).await?.len();
            }
        }
    }
    Ok(done)
}

async fn crowd(f: Fixture, tasks: u32, rounds: u32) {
    let boxes = [f.id("INBOX").await, f.id("Archive").await, f.id("Trash").await];
    let watcher = tokio::spawn(follow(Arc::clone(&f.mail), f.inbox, boxes[0]));
    let workers: Vec<_> = (0..tasks)
        .map(|task| tokio::spawn(work(Arc::clone(&f.mail), f.inbox, boxes, task, rounds)))
        .collect();
    let mut delivered = BTreeSet::new();
    for worker in workers {
        delivered.extend(worker.await.unwrap().unwrap().delivered);
    }
    f.mail.subscribe(f.inbox, "the end", true).await.unwrap();
    let known = watcher.await.unwrap();
    let uids = f.mail.open(f.inbox, boxes[0]).await.unwrap().uids;
    assert_eq!(
        known.into_iter().collect::<Vec<_>>(),
        uids,
        "the follower saw everything"
    );

    // Every delivered message is there, or the feed says that it went.
    let mut gone = BTreeSet::new();
    let mut after = ModSeq(0);
    loop {
        let entries = f.mail.feed(f.inbox, after, 1000).await.unwrap();
        let Some(last) = entries.last() else { break };
        after = last.modseq;
        for event in entries.into_iter().flat_map(|entry| entry.events) {
            if let postroom_mailstore::FeedEvent::Expunged { gone: ids, .. } = event {
                gone.extend(ids);
            }
        }
    }
    let there: BTreeSet<EmailId> = f
        .mail
        .messages(f.inbox, None, 100_000)
        .await
        .unwrap()
        .into_iter()
        .map(|m| m.email_id)
        .collect();
    assert!(there.is_disjoint(&gone));
    assert!(delivered.is_subset(&there.union(&gone).copied().collect()));
    f.assert_consistent().await;
}

/// A session that only listens, until the name "the end" is subscribed.
async fn follow(mail: Arc<Mailstore>, inbox: InboxId, mailbox: MailboxId) -> BTreeSet<Uid> {
    let open = mail.open(inbox, mailbox).await.unwrap();
    let mut known: BTreeSet<Uid> = open.uids.into_iter().collect();
    let mut since = open.modseq;
    loop {
        let last = mail.subscriptions(inbox).await.unwrap().contains("the end");
        let changes = mail.changes_since(inbox, mailbox, since).await.unwrap();
        for uid in changes.appended {
            assert!(known.insert(uid), "{uid} was told twice");
        }
        for (uid, ..) in &changes.flags {
            assert!(known.contains(uid), "flags of {uid}, which was not told");
        }
        for uid in changes.expunged {
            known.remove(&uid);
        }
        since = changes.now;
        if last {
            return known;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_at_once() {
    crowd(Fixture::new().await, 32, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_at_once_on_a_hostile_store() {
    crowd(Fixture::hostile(7).await, 32, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_message_sent_many_times_at_once_is_one() {
    for seed in 0..4 {
        let f = Arc::new(Fixture::hostile(seed).await);
        let senders: Vec<_> = (0..16)
            .map(|_| {
                let f = Arc::clone(&f);
                tokio::spawn(async move { f.deliver(&numbered(1, "")).await })
            })
            .collect();
        let mut ids = BTreeSet::new();
        for sender in senders {
            ids.insert(sender.await.unwrap().email_id);
        }
        assert_eq!((ids.len(), f.mail.count(f.inbox).await.unwrap()), (1, 1));
        f.assert_consistent().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_name_is_made_once() {
    let f = Arc::new(Fixture::hostile(3).await);
    let makers: Vec<_> = (0..16)
        .map(|_| {
            let f = Arc::clone(&f);
            tokio::spawn(async move { f.mail.create_mailbox(f.inbox, "a/b").await })
        })
        .collect();
    let mut made = 0;
    for maker in makers {
        match maker.await.unwrap() {
            Ok(_) => made += 1,
            Err(MailError::AlreadyExists) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(made, 1);
    f.assert_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn deliveries_race_with_deletion() {
    for seed in 0..4 {
        let f = Arc::new(Fixture::hostile(seed).await);
        let id = f.mail.create_mailbox(f.inbox, "doomed").await.unwrap();
        let senders: Vec<_> = (0..16)
            .map(|number| {
                let f = Arc::clone(&f);
                tokio::spawn(async move {
                    let placed = f.deliver_to(&numbered(number, ""), MailboxRef::Id(id)).await?;
                    f.mail
                        .store_flags(f.inbox, id, &[placed.uid], FlagMode::Add, &seen())
                        .await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(seed * 2)).await;
        f.mail.delete_mailbox(f.inbox, "doomed").await.unwrap();
        for sender in senders {
            match sender.await.unwrap() {
                Ok(_) | Err(MailError::NoSuchMailbox) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(f.mail.count(f.inbox).await.unwrap(), 0);
        assert!(f.mail.flags(f.inbox, id, &[uid(1)]).await.unwrap().is_empty());
        f.assert_consistent().await;
    }
}
