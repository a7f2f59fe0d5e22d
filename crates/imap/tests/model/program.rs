//! Makes programs, plays them, and shortens those that fail.

use crate::client::{Check, Dialect};
use crate::command::{KINDS, Kind, Step};
use crate::dice::Dice;
use crate::jitter::Jitter;
use crate::judge::Log;
use crate::seat::Seat;
use crate::world::World;
use crate::{together, turns::Turns};
use postroom_store::{MemoryStore, SharedStore};
use postroom_store_sled::SledStore;
use postroom_types::EmailId;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Turns,
    Together,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Hostile,
    Sled,
}

/// Tests that share the time.
const TESTS: u32 = 4;
/// No program takes so long.
const HANGS: Duration = Duration::from_secs(60);
/// How long a program that fails is made shorter.
const SHORTENING: Duration = Duration::from_secs(60);

struct Program {
    seed: u64,
    dialects: Vec<Dialect>,
    steps: Vec<Step>,
}

impl Program {
    fn new(seed: u64, order: Order) -> Self {
        const DIALECTS: [Dialect; 5] = [
            Dialect::Rev1,
            Dialect::Condstore,
            Dialect::Qresync,
            Dialect::Rev2,
            Dialect::Rev2Qresync,
        ];
        let mut dice = Dice::new(seed);
        let dialects: Vec<Dialect> = (0..1 + dice.below(4)).map(|_| dice.pick(&DIALECTS)).collect();
        let mut steps: Vec<Step> = Vec::new();
        let mut step = |dice: &mut Dice, kind| {
            steps.push(Step {
                session: dice.below(dialects.len()),
                kind,
                seed: dice.roll(),
            });
        };
        // More messages than fit in one piece, now and then.
        if order == Order::Turns && dice.chance(3) {
            step(&mut dice, Kind::ApiMany);
        }
        for _ in 0..40 + dice.below(300) {
            let kind = dice.weighed(&KINDS);
            step(&mut dice, kind);
        }
        Self { seed, dialects, steps }
    }
}

/// Plays programs until the time is over.
pub(crate) fn run(order: Order, store: StoreKind) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("POSTROOM_MODEL_SEED") {
        let commands = play_or_explain(&Program::new(seed, order), order, store);
        println!("{order:?} on {store:?}: seed {seed}, {commands} commands");
        return;
    }
    let limit = Duration::from_secs(number("POSTROOM_MODEL_SECONDS").unwrap_or(20)) / TESTS;
    let begun = Instant::now();
    let first = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64);
    let (mut programs, mut commands) = (0, 0);
    while begun.elapsed() < limit {
        commands += play_or_explain(&Program::new(first + programs, order), order, store);
        programs += 1;
    }
    println!("{order:?} on {store:?}: {programs} programs from seed {first}, {commands} commands");
    assert!(programs > 0 && commands > 0);
}

/// Gives the number of commands; or explains what went wrong, as short as it can be, and fails.
fn play_or_explain(program: &Program, order: Order, store: StoreKind) -> u64 {
    let (wrong, log) = match play(program, &program.steps, order, store) {
        (Ok(commands), _) => return commands,
        (Err(wrong), log) => (wrong, log),
    };
    println!("seed {}: {wrong}\nmaking it shorter …", program.seed);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let (steps, wrong, log) = shorten(program, order, store, wrong, log);
    std::panic::set_hook(hook);
    for line in log.lines() {
        println!("{}", line.chars().take(300).collect::<String>());
    }
    panic!(
        "{order:?} on {store:?}: {wrong}\n{} steps of {} (above is what was said), sessions {:?}\n\
         again: POSTROOM_MODEL_SEED={}",
        steps.len(),
        program.steps.len(),
        program.dialects,
        program.seed
    );
}

/// Leaves out what can be left out: first large pieces, then single steps.
fn shorten(program: &Program, order: Order, store: StoreKind, wrong: String, log: Log) -> (Vec<Step>, String, Log) {
    let mut best = (program.steps.clone(), wrong, log);
    let mut size = best.0.len() / 2;
    let begun = Instant::now();
    // Concurrency fails now and then only.
    let repeats = if order == Order::Together { 5 } else { 1 };
    while size > 0 && begun.elapsed() < SHORTENING {
        let mut at = 0;
        let before = best.0.len();
        while at < best.0.len() && begun.elapsed() < SHORTENING {
            let mut steps = best.0.clone();
            steps.drain(at..(at + size).min(steps.len()));
            let failed = (0..repeats).find_map(|_| {
                let (played, log) = play(program, &steps, order, store);
                played.err().map(|wrong| (wrong, log))
            });
            match failed {
                Some((wrong, log)) => best = (steps, wrong, log),
                None => at += size,
            }
        }
        if best.0.len() == before {
            size /= 2;
        } else {
            size = size.min(best.0.len());
        }
    }
    best
}

fn play(program: &Program, steps: &[Step], order: Order, store: StoreKind) -> (Check<u64>, Log) {
    let log = Log::default();
    let folder = Folder::new();
    let played = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            let playing = play_on(
                program,
                steps,
                order,
                make_store(store, program.seed, &folder),
                log.clone(),
            );
            tokio::time::timeout(HANGS, playing)
                .await
                .unwrap_or_else(|_| Err("it hangs".to_owned()))
        })
    }));
    let played = played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    (played, log)
}

async fn play_on(program: &Program, steps: &[Step], order: Order, store: SharedStore, log: Log) -> Check<u64> {
    match order {
        Order::Turns => {
            let world = World::on(store).await;
            let mut turns = Turns::new(world, &program.dialects, log).await;
            turns.play(steps).await?;
            Ok(turns.seats.iter().map(|seat| seat.given).sum())
        }
        Order::Together => {
            let world = World::on(Jitter::over(store, program.seed)).await;
            together::play(world, &program.dialects, steps, log).await
        }
    }
}

fn make_store(kind: StoreKind, seed: u64, folder: &Folder) -> SharedStore {
    match kind {
        StoreKind::Hostile => MemoryStore::hostile(seed),
        StoreKind::Sled => {
            let options = postroom_store_sled::Options {
                tidy_every: None,
                min_free_octets: 0,
                ..postroom_store_sled::Options::default()
            };
            SledStore::open(&folder.0, options, |_| ()).expect("a new store opens")
        }
    }
}

/// A folder that goes with the program.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("postroom-imap-model-{}", EmailId::new())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the server offers to who has logged in.
pub(crate) fn capabilities() -> BTreeSet<String> {
    block_on(async {
        let world = World::on(MemoryStore::new()).await;
        let mut seat = Seat::new(0, Dialect::Rev1, Log::default());
        seat.sit_down(&world).await.expect("a server answers");
        seat.client.capabilities
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime of our own").block_on(future)
}
