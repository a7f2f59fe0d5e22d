//! Many at once in one inbox: nothing acknowledged is lost or doubled, and all of it stays consistent.

mod common;

use common::{Fixture, Replica, numbered, placing, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef, Mailstore, NewMessage, Options, Origin};
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, MailboxId, MessageFlags, ModSeq, Uid};
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
        let uids = mail.open_shared(inbox, from).await?.snapshot().uids;
        let some: Vec<Uid> = (0..4)
            .filter_map(|_| uids.get(dice.below(uids.len().max(1))).copied())
            .collect();
        match dice.below(7) {
            6 => {
                let number = task * 1000 + round;
                let new = |number| {
                    (
                        NewMessage {
                            origin: Origin::Imported,
                            ..numbered(number, "")
                        },
                        seen(),
                        InternalDate::default(),
                    )
                };
                let replaces = some.first().map(|uid| (from, *uid));
                match mail
                    .append_many(inbox, "Archive", &[new(number), new(number + 1)], replaces)
                    .await
                {
                    Ok((_, uids)) => assert_eq!(uids.len(), 2),
                    // It went meanwhile: then nothing was appended.
                    Err(MailError::NoSuchMessage) if replaces.is_some() => {}
                    Err(other) => return Err(other),
                }
            }
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
                let since = (round % 2 == 0).then_some(mail.modseq(inbox).await?);
                let stored = mail.store_flags(inbox, from, &some, mode, &flags, since).await?;
                assert!(stored.now.iter().all(|(uid, ..)| !stored.modified.contains(uid)));
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
    let watchers: Vec<_> = (0..9)
        .map(|number| tokio::spawn(follow(Arc::clone(&f.mail), f.inbox, boxes[number % 3], number)))
        .collect();
    let workers: Vec<_> = (0..tasks)
        .map(|task| tokio::spawn(work(Arc::clone(&f.mail), f.inbox, boxes, task, rounds)))
        .collect();
    let mut delivered = BTreeSet::new();
    for worker in workers {
        delivered.extend(worker.await.unwrap().unwrap().delivered);
    }
    f.mail.subscribe(f.inbox, "the end", true).await.unwrap();
    for watcher in watchers {
        let replica = watcher.await.unwrap();
        // As it is, and as one who reads it for the first time finds it.
        let fresh = Mailstore::new(Arc::clone(&f.store), Options::default());
        for mail in [&*f.mail, &fresh] {
            let now = Replica::open(mail, f.inbox, replica.shared.id()).await.unwrap();
            assert_eq!(replica.known, now.known, "the follower saw everything");
        }
    }

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
    // What is sent again, by its caller or after an unknown outcome, comes again if it was expunged in between.
    assert!(there.intersection(&gone).all(|id| delivered.contains(id)));
    assert!(delivered.is_subset(&there.union(&gone).copied().collect()));
    f.assert_consistent().await;
}

/// A session that only listens, until the name "the end" is subscribed.
async fn follow(mail: Arc<Mailstore>, inbox: InboxId, mailbox: MailboxId, number: usize) -> Replica {
    let mut replica = Replica::open(&mail, inbox, mailbox).await.unwrap();
    loop {
        let last = mail.subscriptions(inbox).await.unwrap().contains("the end");
        let since = replica.cursor;
        replica.poll(&mail).await.unwrap();
        let among = [(uid(1), uid(u32::MAX))];
        for (first, last) in mail.vanished(&replica.shared, since, &among).await.unwrap() {
            // Others may have brought it further than this session was told.
            replica.listen();
            assert!(
                replica.known.range(first..=last).next().is_none(),
                "{first} to {last} are there"
            );
        }
        if last {
            replica.poll(&mail).await.unwrap();
            return replica;
        }
        tokio::time::sleep(Duration::from_millis(number as u64)).await;
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
            tokio::spawn(async move { f.mail.create_mailbox(f.inbox, "a/b", None).await })
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
        let id = f.mail.create_mailbox(f.inbox, "doomed", None).await.unwrap();
        let senders: Vec<_> = (0..16)
            .map(|number| {
                let f = Arc::clone(&f);
                tokio::spawn(async move {
                    let placed = f.deliver_to(&numbered(number, ""), MailboxRef::Id(id)).await?;
                    f.mail
                        .store_flags(f.inbox, id, &[placed.uid], FlagMode::Add, &seen(), None)
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
