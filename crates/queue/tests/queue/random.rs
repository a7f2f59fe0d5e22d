//! Everything at once, from a seed: mail, peers, lost replies, crashes, commands, on a store where everything goes wrong
//! that may. In the end every recipient has one final state, the sender was told the right number of times, and nothing
//! is left over.

use crate::setup::*;
use crate::world::*;
use postroom_feed::{Event, What};
use postroom_queue::{AttemptOutcome, InMemory, ItemState, NewQueued, OnLostReply, Options, Queue, RecipientStatus};
use postroom_store::{Hostile, MemoryOptions, MemoryStore, SharedStore, scan_prefix};
use postroom_types::{InboxId, ReversePath};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const WORKERS: usize = 6;

struct Run {
    seed: u64,
    options: Options,
    store: Arc<MemoryStore>,
    truth: Arc<Mutex<Truth>>,
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
    messages: Vec<NewQueued>,
}

impl Run {
    async fn begin(seed: u64, is_hostile: bool) -> Self {
        let store = MemoryStore::with_options(MemoryOptions {
            blob_grace: Duration::ZERO,
            hostile: is_hostile.then(|| Hostile::from_seed(seed)),
        });
        let options = Options {
            on_lost_reply: if seed.is_multiple_of(3) {
                OnLostReply::Hold
            } else {
                OnLostReply::Retry
            },
            per_destination: 3,
            ..options_from(Instant::now())
        };
        let queue = Arc::new(Queue::new(Arc::clone(&store) as SharedStore, options.clone()));
        let mut run = Self {
            seed,
            options,
            store,
            truth: Arc::default(),
            queue,
            workers: Vec::new(),
            messages: Vec::new(),
        };
        run.start().await;
        run
    }

    fn shared(&self) -> SharedStore {
        Arc::clone(&self.store) as SharedStore
    }

    async fn start(&mut self) {
        self.queue.start().await.unwrap();
        for _ in 0..WORKERS {
            let worker = Worker {
                queue: Arc::clone(&self.queue),
                store: self.shared(),
                truth: Arc::clone(&self.truth),
                seed: self.seed,
            };
            self.workers.push(tokio::spawn(worker.run()));
        }
    }

    /// Stops wherever it is, and begins anew on the same store.
    async fn crash(&mut self) {
        self.stop().await;
        self.is_consistent().await;
        self.queue = Arc::new(Queue::new(self.shared(), self.options.clone()));
        self.start().await;
    }

    async fn is_consistent(&self) {
        let faults = self.queue.check_consistency().await.unwrap();
        assert!(faults.is_empty(), "seed {}: {faults:?}", self.seed);
    }

    async fn stop(&mut self) {
        // All at once: what one gives back must not go to another that is about to stop.
        self.workers.iter().for_each(JoinHandle::abort);
        for worker in self.workers.drain(..) {
            let result = worker.await;
            assert!(result.unwrap_err().is_cancelled(), "a worker failed");
        }
        self.truth.lock().unwrap().busy.clear();
    }

    async fn step(&mut self, n: u64) {
        let roll = |what, sides| dice(self.seed, &[1 << 40, n, what], sides);
        let some_message =
            (!self.messages.is_empty()).then(|| self.messages[roll(1, self.messages.len().max(1) as u64) as usize].id);
        let recipient = (roll(2, 2) == 0).then_some(0);
        let (kind, tell, wait) = (roll(0, 100), roll(3, 10) > 0, Duration::from_millis(roll(4, 1_200_000)));
        match (kind, some_message) {
            (0..45, _) | (_, None) => {
                let new = new_message(self.seed, n, (self.options.clock)());
                enqueue(&self.queue, &self.shared(), &new, tell).await;
                self.messages.push(new);
            }
            (45..50, _) => self.crash().await,
            (50..55, Some(id)) => drop(self.queue.cancel(id, recipient).await.unwrap()),
            (55..60, Some(id)) => drop(self.queue.hold(id, recipient).await.unwrap()),
            (60..66, Some(id)) => drop(self.queue.retry(id, recipient).await.unwrap()),
            (66..68, _) => drop(self.queue.flush().await.unwrap()),
            (68..70, _) => drop(self.queue.maintain(50).await.unwrap()),
            _ => sleep(wait).await,
        }
        let InMemory {
            destinations,
            in_flight,
        } = self.queue.in_memory();
        assert!(
            destinations <= 9,
            "four peers, three inboxes, the sender's domain, and one to spare"
        );
        assert!(in_flight <= WORKERS * 4, "{in_flight}");
        assert!(!self.workers.iter().any(JoinHandle::is_finished), "a worker failed");
    }

    /// Lets everything go and waits until nothing waits any more.
    async fn settle(&mut self) -> BTreeMap<usize, Vec<RecipientStatus>> {
        for round in 0..400 {
            sleep(HOUR).await;
            let mut all = BTreeMap::new();
            let mut pending = 0;
            for (n, new) in self.messages.iter().enumerate() {
                if round % 24 == 0 {
                    self.queue.retry(new.id, None).await.unwrap();
                }
                let recipients = self.queue.recipients(new.id).await.unwrap();
                pending += recipients
                    .iter()
                    .filter(|recipient| !recipient.state.is_final())
                    .count();
                all.insert(n, recipients);
            }
            let idle = InMemory {
                destinations: 0,
                in_flight: 0,
            };
            if pending == 0 && self.queue.in_memory() == idle {
                return all;
            }
        }
        panic!("seed {}: not settled: {:?}", self.seed, self.queue.in_memory());
    }
}

async fn check(run: &Run, all: &BTreeMap<usize, Vec<RecipientStatus>>) {
    let mut ends = BTreeMap::new();
    let events = events(&run.shared()).await;
    for (n, recipients) in all {
        let new = &run.messages[*n];
        assert_eq!(recipients.len(), new.recipients.len());
        check_told(&events, new, recipients);
        for recipient in recipients {
            check_recipient(run, new, recipient).await;
            *ends.entry(recipient.state as u8).or_insert(0) += 1;
        }
    }
    assert!(
        ends.contains_key(&(ItemState::Delivered as u8)) && ends.len() >= 3,
        "{ends:?}"
    );
    let truth = run.truth.lock().unwrap();
    let told_of: usize = truth
        .notices
        .values()
        .map(|text| text.matches("Final-Recipient:").count())
        .sum();
    assert!(told_of > 0, "nobody was told anything");
}

/// The organization heard of each end once, and of nobody else's.
fn check_told(events: &[Event], new: &NewQueued, recipients: &[RecipientStatus]) {
    let mut told = BTreeMap::new();
    let mut taken_back = 0;
    for event in events {
        match &event.what {
            What::Delivered { message, recipients } if *message == new.id => {
                let ends = recipients.iter().map(|number| (*number, ItemState::Delivered));
                tell(&mut told, ends, event.inbox);
            }
            What::Bounced {
                message,
                recipients,
                permanent,
            } if *message == new.id => {
                let state = if *permanent {
                    ItemState::Bounced
                } else {
                    ItemState::Expired
                };
                tell(&mut told, recipients.iter().map(|number| (*number, state)), event.inbox);
            }
            What::Rejected { message, .. } if *message == new.id => taken_back += 1,
            _ => {}
        }
    }
    let is_known = new.organization.is_some();
    let count = |state| recipients.iter().filter(|recipient| recipient.state == state).count();
    let cancelled = usize::from(is_known) * count(ItemState::Cancelled);
    assert!(
        taken_back <= cancelled && (taken_back > 0) == (cancelled > 0),
        "{recipients:?}"
    );
    for recipient in recipients {
        let state = match recipient.state {
            ItemState::Held => ItemState::Expired,
            state => state,
        };
        let expected = (is_known && state != ItemState::Cancelled).then_some((state, new.sender));
        let heard = told.get(&recipient.id.recipient).copied();
        assert_eq!(heard, expected, "{recipient:?}");
    }
}

/// What was heard of recipients, each once.
fn tell(
    told: &mut BTreeMap<u16, (ItemState, Option<InboxId>)>,
    ends: impl Iterator<Item = (u16, ItemState)>,
    inbox: Option<InboxId>,
) {
    for (number, state) in ends {
        assert_eq!(told.insert(number, (state, inbox)), None, "told twice");
    }
}

async fn check_recipient(run: &Run, new: &NewQueued, recipient: &RecipientStatus) {
    let attempts = run.queue.attempts(recipient.id).await.unwrap();
    assert_eq!(attempts.len(), recipient.attempts as usize);
    assert!(attempts.iter().all(|attempt| attempt.ended_at.is_some()));
    let (before, last) = attempts.split_at(attempts.len().saturating_sub(1));
    let last = last.first().map(|attempt| attempt.outcome);
    let expected = match recipient.state {
        ItemState::Delivered => last == Some(AttemptOutcome::Delivered),
        ItemState::Bounced => last == Some(AttemptOutcome::Bounced),
        ItemState::Held => last == Some(AttemptOutcome::Uncertain),
        ItemState::Expired => recipient.changed_at - new.created_at >= 120 * 3_600_000,
        ItemState::Cancelled => last != Some(AttemptOutcome::Delivered),
        _ => false,
    };
    assert!(expected, "{recipient:?} {last:?}");
    let goes_on = |outcome| {
        matches!(
            outcome,
            AttemptOutcome::Deferred | AttemptOutcome::Uncertain | AttemptOutcome::Bounced
        )
    };
    assert!(before.iter().all(|attempt| goes_on(attempt.outcome)), "{attempts:?}");

    let truth = run.truth.lock().unwrap();
    let uncertain = attempts
        .iter()
        .filter(|attempt| attempt.outcome == AttemptOutcome::Uncertain)
        .count();
    let taken = truth.taken.get(&recipient.id).copied().unwrap_or_default() as usize;
    let known = usize::from(recipient.state == ItemState::Delivered);
    assert!(
        (known..=known + uncertain).contains(&taken),
        "taken {taken} times: {attempts:?}"
    );

    let address = recipient.address.to_string();
    let (failed, delayed) = (
        times_told(&truth, &address, "failed"),
        times_told(&truth, &address, "delayed"),
    );
    let is_failure = matches!(
        recipient.state,
        ItemState::Bounced | ItemState::Expired | ItemState::Held
    );
    let somebody = new.reverse_path != ReversePath::Null;
    assert_eq!(failed, usize::from(is_failure && somebody), "{recipient:?}");
    assert!(delayed <= usize::from(somebody));
    let four_hours = new.created_at + 4 * 3_600_000;
    if !before
        .iter()
        .chain(attempts.last())
        .any(|attempt| attempt.ended_at.is_some_and(|at| at >= four_hours))
    {
        assert_eq!(delayed, 0);
    }
    if recipient.state == ItemState::Expired && somebody {
        assert_eq!(delayed, 1, "{attempts:?}");
    }
}

async fn nothing_is_left(run: &Run) {
    let store = run.shared();
    for prefix in [b"qm", b"qd"] {
        let left = scan_prefix(&*store, prefix).collect().await.unwrap();
        assert!(left.is_empty(), "{} rows of {}", left.len(), prefix.escape_ascii());
    }
    let blobs: Vec<_> = {
        let truth = run.truth.lock().unwrap();
        let sent = run.messages.iter().map(|new| new.body.blob);
        sent.chain(truth.blobs.iter().copied()).collect()
    };
    for blob in blobs {
        assert!(!is_kept(&store, blob).await, "a body is left");
    }
}

/// One run; what it came to, to be compared.
async fn run(seed: u64, is_hostile: bool, steps: u64) -> Vec<(String, u8, u32)> {
    let mut run = Run::begin(seed, is_hostile).await;
    for n in 0..steps {
        run.step(n).await;
    }
    let all = run.settle().await;
    while !run.queue.maintain(100).await.unwrap() {}
    run.stop().await;
    run.is_consistent().await;
    check(&run, &all).await;
    nothing_is_left(&run).await;
    let end = |recipient: &RecipientStatus| (recipient.address.to_string(), recipient.state as u8, recipient.attempts);
    all.values().flatten().map(end).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn every_recipient_comes_to_one_end() {
    for seed in 0..2 {
        block_on(run(seed, false, 120));
    }
}

#[test]
fn also_on_a_store_where_everything_goes_wrong() {
    for seed in 100..102 {
        block_on(run(seed, true, 120));
    }
}

#[test]
fn a_seed_repeats() {
    assert_eq!(block_on(run(7, true, 60)), block_on(run(7, true, 60)));
}
