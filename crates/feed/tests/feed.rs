//! The feed on the in-memory store, where everything goes wrong that may.

use postroom_feed::{Cursor, Event, Feed, FeedError, NewEvent, Options, ReceivedAs, What, announce};
use postroom_store::{CommitBuilder, Committed, MemoryStore, SharedStore, commit_once, scan_prefix};
use postroom_types::{EmailId, InboxId, OrganizationId};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const DAY: i64 = 86_400_000;
/// Later than a hostile store shows anything.
const LATE: Duration = Duration::from_secs(1);

fn organization(n: u8) -> OrganizationId {
    OrganizationId::from_bytes([n; 16])
}

/// The `n`th event of a test; its message says which.
fn event(n: u64, at: i64) -> NewEvent {
    let mut message = [0; 16];
    message[8..].copy_from_slice(&n.to_be_bytes());
    NewEvent {
        at,
        inbox: Some(InboxId::from_bytes([1; 16])),
        what: What::Received {
            message: EmailId::from_bytes(message),
            received_as: ReceivedAs::Plain,
        },
    }
}

fn number(event: &Event) -> u64 {
    let What::Received { message, .. } = event.what else {
        panic!("no event of these tests: {event:?}");
    };
    u64::from_be_bytes(*message.as_bytes().last_chunk().unwrap())
}

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(number).collect()
}

/// Commits these events of organizations, each part announced by itself.
async fn commit(store: &SharedStore, once: &str, parts: &[(u8, Vec<NewEvent>)]) {
    let mut builder = CommitBuilder::new();
    builder.put_new(once.into(), vec![1]);
    for (owner, events) in parts {
        announce(&mut builder, organization(*owner), events);
    }
    let commit = builder.build();
    for _ in 0..100 {
        match commit_once(&**store, commit.clone(), once.as_bytes()).await.unwrap() {
            Committed::Done(_) | Committed::AlreadyDone => return,
            Committed::Conflict(_) | Committed::Full => {}
        }
    }
    panic!("a hundred conflicts");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

/// One who reads a feed, page by page.
struct Reader {
    after: Cursor,
    seen: Vec<u64>,
}

impl Reader {
    const fn from(after: Cursor) -> Self {
        Self {
            after,
            seen: Vec::new(),
        }
    }

    /// Reads one page; whether there is more.
    async fn read(&mut self, feed: &Feed, owner: u8, limit: usize) -> bool {
        let page = feed.page(organization(owner), self.after, limit).await.unwrap();
        assert!(page.events.len() <= limit && page.next >= self.after);
        let cursors: Vec<_> = page.events.iter().map(|event| event.cursor).collect();
        assert!(cursors.is_sorted_by(|a, b| a < b));
        assert!(cursors.iter().all(|cursor| (self.after..=page.next).contains(cursor)));
        self.after = page.next;
        self.seen.extend(numbers(&page.events));
        page.more
    }
}

/// A test in steps: commits of events for two organizations, and pages read in between.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, u64)>),
    Read(u8, usize),
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => prop::collection::vec((0..2u8, 0..4u64), 1..4).prop_map(Step::Commit),
        3 => (0..2u8, 1..5usize).prop_map(|(owner, limit)| Step::Read(owner, limit)),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 1..40)
}

async fn play(store: SharedStore, steps: Vec<Step>, last_limit: usize) {
    let feed = Feed::new(Arc::clone(&store), Options::default());
    let mut expected = [Vec::new(), Vec::new()];
    let mut readers = [Reader::from(Cursor::START), Reader::from(Cursor::START)];
    let mut count = 0;
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Commit(parts) => {
                let mut announced = Vec::new();
                for (owner, many) in parts {
                    expected[usize::from(owner)].extend(count..count + many);
                    announced.push((owner, (count..count + many).map(|n| event(n, 0)).collect()));
                    count += many;
                }
                commit(&store, &format!("once{index}"), &announced).await;
            }
            Step::Read(owner, limit) => {
                readers[usize::from(owner)].read(&feed, owner, limit).await;
            }
            Step::Wait => tokio::time::sleep(LATE).await,
        }
    }
    tokio::time::sleep(LATE).await;
    for ((reader, owner), expected) in readers.iter_mut().zip(0..).zip(expected) {
        while reader.read(&feed, owner, last_limit).await {}
        assert_eq!(reader.seen, expected);
        assert_eq!(reader.after, feed.newest());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_event_comes_once_and_in_order(steps in steps(), limit in 1..5usize) {
        block_on(play(MemoryStore::new(), steps, limit));
    }

    #[test]
    fn also_on_a_store_where_everything_goes_wrong(seed: u64, steps in steps(), limit in 1..5usize) {
        block_on(async { play(MemoryStore::hostile(seed), steps, limit).await });
    }

    #[test]
    fn what_is_trimmed_is_known_to_be_gone(
        seed: Option<u64>,
        days in prop::collection::vec(0..60i64, 0..30),
        budget in 1..9usize,
    ) {
        block_on(async { trim(seed.map_or_else(MemoryStore::new, MemoryStore::hostile), days, budget).await });
    }
}

/// One event on each of these days, and one more by another organization; then the upkeep, at day 60.
async fn trim(store: SharedStore, mut days: Vec<i64>, budget: usize) {
    days.sort_unstable();
    let clock = Arc::new(AtomicI64::new(0));
    let told = Arc::clone(&clock);
    let options = Options {
        clock: Arc::new(move || told.load(Ordering::SeqCst)),
        ..Options::default()
    };
    let feed = Feed::new(Arc::clone(&store), options);
    commit(&store, "other", &[(2, vec![event(0, 59 * DAY)])]).await;
    for (n, day) in (0..).zip(&days) {
        commit(&store, &format!("once{n}"), &[(1, vec![event(n, day * DAY)])]).await;
    }
    tokio::time::sleep(LATE).await;
    let owner = organization(1);
    let all = feed.page(owner, Cursor::START, 1000).await.unwrap().events;
    assert_eq!(all.len(), days.len());

    for day in [0, 20, 40, 61] {
        let since = feed.page(owner, feed.since(owner, day * DAY).await.unwrap(), 1000);
        let first = days.iter().position(|made| *made >= day).unwrap_or(days.len());
        // Nothing is missing; of what is older, at most the last event comes along.
        let events = since.await.unwrap().events;
        assert!(
            all[first..].ends_with(&events) || events.ends_with(&all[first..]),
            "since {day}"
        );
        assert!(
            (days.len() - first..=days.len() - first + 1).contains(&events.len()),
            "since {day}"
        );
    }

    clock.store(60 * DAY, Ordering::SeqCst);
    // On a hostile store a call may end without having done its part.
    for _ in 0..100 {
        feed.maintain(budget).await.unwrap();
    }
    let gone = days.iter().filter(|day| **day < 30).count();
    let oldest = all[..gone].last().map_or(Cursor::START, |event| event.cursor);
    let cursors: Vec<_> = all.iter().map(|event| event.cursor).collect();
    for (n, after) in std::iter::once(Cursor::START).chain(cursors).enumerate() {
        match feed.page(owner, after, 1000).await {
            Ok(page) => assert!(n >= gone && page.events == all[n..], "after {n}"),
            Err(FeedError::Gone { oldest: told }) => assert!(n < gone && told == oldest, "after {n}"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(feed.check_consistency().await.unwrap(), Vec::<String>::new());
    assert!(feed.page(owner, feed.newest(), 1).await.unwrap().events.is_empty());
    let other = feed.page(organization(2), Cursor::START, 10).await.unwrap();
    assert_eq!(numbers(&other.events), [0], "another organization's");
}

#[tokio::test(start_paused = true)]
async fn a_reader_beside_many_writers_misses_nothing() {
    for seed in 0..8 {
        let store: SharedStore = MemoryStore::hostile(seed);
        let feed = Feed::new(Arc::clone(&store), Options::default());
        let writers: Vec<_> = (0..4u64)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for n in 0..25 {
                        let event = event(writer << 32 | n, 0);
                        commit(&store, &format!("once{writer}.{n}"), &[(1, vec![event])]).await;
                        tokio::time::sleep(Duration::from_millis(n * 7 % 4)).await;
                    }
                })
            })
            .collect();
        let mut reader = Reader::from(feed.newest());
        while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
            reader.read(&feed, 1, 3).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(LATE).await;
        while reader.read(&feed, 1, 3).await {}
        for writer in 0..4 {
            let own = reader.seen.iter().filter(|number| **number >> 32 == writer);
            assert!(
                own.map(|number| number & 0xffff_ffff).eq(0..25),
                "seed {seed}: {:?}",
                reader.seen
            );
        }
    }
}

#[tokio::test]
async fn an_event_wakes_who_waits_for_its_organization() {
    let store: SharedStore = MemoryStore::new();
    let feed = Feed::new(Arc::clone(&store), Options::default());
    let (mut own, other) = (feed.watch(organization(1)), feed.watch(organization(2)));
    commit(&store, "nothing", &[(1, Vec::new())]).await;
    assert!(!own.has_changed().unwrap());
    commit(&store, "something", &[(1, vec![event(1, 0)])]).await;
    own.changed().await.unwrap();
    assert!(!other.has_changed().unwrap());
}

#[tokio::test]
async fn upkeep_goes_round_in_pieces() {
    let store: SharedStore = MemoryStore::new();
    let clock: postroom_feed::Clock = Arc::new(|| 31 * DAY);
    let feed = Feed::new(
        Arc::clone(&store),
        Options {
            clock,
            ..Options::default()
        },
    );
    for owner in [1, 2, 255] {
        let events = (0..10).map(|n| event(n, 0)).collect();
        commit(&store, &format!("once{owner}"), &[(owner, events)]).await;
    }
    // Thirty events; after those of the last organization nobody comes.
    let mut calls = Vec::new();
    while calls.last() != Some(&true) {
        calls.push(feed.maintain(11).await.unwrap());
    }
    assert_eq!(calls, [false, false, true]);
    assert!(feed.maintain(1).await.unwrap(), "nobody has events any more");
    for owner in [1, 2, 255] {
        let page = feed.page(organization(owner), Cursor::START, 1).await;
        assert!(matches!(page, Err(FeedError::Gone { .. })), "{page:?}");
    }
}

#[tokio::test]
async fn damage_is_found() {
    let store: SharedStore = MemoryStore::new();
    let feed = Feed::new(Arc::clone(&store), Options::default());
    commit(&store, "once", &[(1, vec![event(1, 0)])]).await;
    let (key, good) = scan_prefix(&*store, b"fe").next().await.unwrap().unwrap();
    let trimmed = [b"ft", &[1; 16][..]].concat();
    let last = [&[1][..], &key[18..]].concat();
    for (key, value, fault) in [
        (key.clone(), vec![1, 2], "does not decode"),
        (key.clone(), good.clone(), ""),
        (b"fx".to_vec(), vec![1], "row fx"),
        (trimmed.clone(), vec![1, 2], "does not decode"),
        (trimmed, last, "is said to be gone"),
    ] {
        let mut builder = CommitBuilder::new();
        builder.put(key, value);
        builder.delete(b"fx".to_vec());
        store.commit(builder.build()).await.unwrap();
        let faults = feed.check_consistency().await.unwrap();
        assert_eq!(faults.len(), usize::from(!fault.is_empty()), "{faults:?}");
        assert!(faults.iter().all(|found| found.contains(fault)), "{faults:?}");
    }
}
