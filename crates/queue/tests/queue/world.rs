//! Workers, peers and an operator around a queue, all deciding by one seed.

use crate::setup::*;
use bytes::Bytes;
use postroom_queue::{Destination, ItemId, Job, NewQueued, NewRecipient, OpenAttempt, Outcome, Queue};
use postroom_store::{CommitBuilder, Outcome as Committed, SharedStore};
use postroom_types::{BlobId, EmailId, InboxId, ReversePath};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// What the outside knows.
#[derive(Default)]
pub(crate) struct Truth {
    /// Items somebody works on now.
    pub(crate) busy: BTreeSet<ItemId>,
    /// Items whose attempt was closed as delivered or refused for good: nobody may get them again.
    pub(crate) done: BTreeSet<ItemId>,
    /// How often a peer, or an inbox, took the item.
    pub(crate) taken: BTreeMap<ItemId, u32>,
    /// Contents of the notices that went out.
    pub(crate) notices: BTreeMap<EmailId, String>,
    pub(crate) blobs: Vec<BlobId>,
    /// Jobs worked on: the dice fall anew each time.
    pub(crate) jobs: u64,
}

/// Dice without state: the same question gets the same answer.
pub(crate) fn dice(seed: u64, question: &[u64], sides: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    question.iter().for_each(|part| hash.update(part.to_be_bytes()));
    u64::from_be_bytes(*hash.finalize().first_chunk().unwrap()) % sides
}

fn of_item(item: &ItemId) -> u64 {
    u64::from_be_bytes(*item.message.as_bytes().last_chunk().unwrap()) << 8 | u64::from(item.recipient)
}

pub(crate) struct Worker {
    pub(crate) queue: Arc<Queue>,
    pub(crate) store: SharedStore,
    pub(crate) truth: Arc<Mutex<Truth>>,
    pub(crate) seed: u64,
}

impl Worker {
    pub(crate) async fn run(self) {
        loop {
            let mut turn = self.queue.next_turn().await;
            loop {
                match turn.next_job().await {
                    Ok(Some(job)) => self.work(job).await,
                    Ok(None) => break,
                    Err(_) => {
                        sleep(Duration::from_secs(1)).await;
                        break;
                    }
                }
            }
        }
    }

    fn dice(&self, job: &Job, what: u64, sides: u64) -> u64 {
        let item = &job.items[0];
        dice(self.seed, &[of_item(&item.id), u64::from(item.attempts), what], sides)
    }

    async fn work(&self, job: Job) {
        for item in &job.items {
            let mut truth = self.truth.lock().unwrap();
            assert!(truth.busy.insert(item.id), "{:?} is worked on already", item.id);
            assert!(!truth.done.contains(&item.id), "{:?} is done", item.id);
        }
        let is_notice = job.reverse_path == ReversePath::Null;
        if is_notice {
            let body = self
                .store
                .blob(job.body.blob, 0..job.body.octets)
                .await
                .unwrap()
                .unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let mut truth = self.truth.lock().unwrap();
            truth.notices.insert(job.message, text);
            truth.blobs.push(job.body.blob);
        }
        let jobs = {
            let mut truth = self.truth.lock().unwrap();
            truth.jobs += 1;
            truth.jobs
        };
        let ids: Vec<ItemId> = job.items.iter().map(|item| item.id).collect();
        let trouble = dice(self.seed, &[jobs, 1], 30);
        if trouble > 0
            && let Ok(attempt) = self.queue.open_attempt(&job, &contact()).await
        {
            sleep(Duration::from_secs(self.dice(&job, 2, 40))).await;
            let mark = self.queue.content_mark(&attempt);
            if let Some(mark) = mark
                && mark.write().await.is_err()
            {
                // Nothing may be sent.
                ids.iter()
                    .for_each(|id| assert!(self.truth.lock().unwrap().busy.remove(id)));
                return;
            }
            let outcomes = self.outcomes(&job, &attempt, is_notice).await;
            sleep(Duration::from_millis(self.dice(&job, 3, 500))).await;
            if trouble > 1 && self.queue.close_attempt(attempt, &contact(), &outcomes).await.is_ok() {
                let finals = outcomes
                    .iter()
                    .filter(|(_, o)| matches!(o, Outcome::Delivered(_) | Outcome::Bounced(_)));
                self.truth.lock().unwrap().done.extend(finals.map(|(id, _)| *id));
            }
        }
        let mut truth = self.truth.lock().unwrap();
        ids.iter().for_each(|id| assert!(truth.busy.remove(id)));
    }

    async fn outcomes(&self, job: &Job, attempt: &OpenAttempt, is_notice: bool) -> Vec<(ItemId, Outcome)> {
        let mut outcomes = Vec::new();
        for item in &job.items {
            let number = u64::from(item.attempts);
            let hopeless = dice(self.seed, &[of_item(&item.id), 7], 6) == 0;
            let roll = dice(self.seed, &[of_item(&item.id), number, 8], 100);
            let outcome = match roll {
                _ if is_notice => delivered(),
                _ if hopeless => deferred(),
                0..30 => delivered(),
                30..60 => deferred(),
                60..80 => bounced(),
                _ => Outcome::Uncertain(reason(0, "", "lost")),
            };
            let is_taken = match (&job.destination, &outcome) {
                (Destination::Inbox(_), Outcome::Delivered(_)) => self.settle(attempt, item.id).await,
                (_, Outcome::Delivered(_)) => true,
                (_, Outcome::Uncertain(_)) => roll.is_multiple_of(2),
                _ => false,
            };
            match (&outcome, is_taken) {
                // Taken back meanwhile.
                (Outcome::Delivered(_), false) => outcomes.push((item.id, deferred())),
                _ => outcomes.push((item.id, outcome)),
            }
            if is_taken {
                *self.truth.lock().unwrap().taken.entry(item.id).or_default() += 1;
            }
        }
        outcomes
    }

    /// Delivers into an inbox; whether it was done.
    async fn settle(&self, attempt: &OpenAttempt, item: ItemId) -> bool {
        loop {
            match self.queue.is_settled(attempt, item).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(_) => return false,
            }
            let Ok(Some(part)) = self.queue.settle_locally(attempt, item).await else {
                return false;
            };
            if let Committed::Done(_) = self.store.commit(part.build()).await.unwrap() {
                return true;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The `n`th message: one to four recipients at few domains and inboxes.
pub(crate) fn new_message(seed: u64, n: u64, now: i64) -> NewQueued {
    let message = id(now, n);
    let roll = |what, sides| dice(seed, &[n, what], sides);
    let recipients = (0..=roll(1, 4)).map(|r| {
        let place = roll(10 + r, 5);
        NewRecipient {
            address: address(&format!("m{n}r{r}@peer{place}.test")),
            destination: match place {
                4 => Destination::Inbox(InboxId::from_bytes([roll(20 + r, 3) as u8; 16])),
                _ => Destination::Domain(domain(&format!("peer{place}.test"))),
            },
        }
    });
    NewQueued {
        id: message,
        sender: (roll(2, 2) == 0).then(|| InboxId::from_bytes([roll(3, 3) as u8; 16])),
        organization: (roll(2, 2) == 0).then_some(ORGANIZATION),
        reverse_path: match roll(4, 5) {
            0 => ReversePath::Null,
            _ => ReversePath::Mailbox(address("agent@sender.test")),
        },
        verp: roll(5, 2) == 0,
        prefix: Vec::new(),
        body: postroom_queue::QueuedBody {
            blob: BlobId(*message.as_bytes()),
            octets: BODY.len() as u64,
        },
        eight_bit: false,
        smtputf8: false,
        recipients: recipients.collect(),
        created_at: now,
        held: (roll(6, 20) == 0).then(|| "a loop".into()),
    }
}

/// Enqueues, and now and then forgets to say so.
pub(crate) async fn enqueue(queue: &Queue, store: &SharedStore, new: &NewQueued, tell: bool) {
    let mut builder = CommitBuilder::new();
    let enqueued = queue
        .enqueue(&mut builder, new, Some(Bytes::from_static(BODY)))
        .unwrap();
    let once = [b"qm", &new.id.as_bytes()[..]].concat();
    postroom_store::commit_once(&**store, builder.build(), &once)
        .await
        .unwrap();
    if tell {
        queue.committed(&enqueued);
    }
}

/// How often notices of this action name this address.
pub(crate) fn times_told(truth: &Truth, address: &str, action: &str) -> usize {
    let named = |text: &String| {
        let groups = text.split("\r\n\r\n");
        let names = |group: &&str| group.contains(&format!("Final-Recipient: rfc822; {address}\r\n"));
        groups
            .filter(names)
            .filter(|group| group.contains(&format!("Action: {action}\r\n")))
            .count()
    };
    truth.notices.values().map(named).sum()
}
