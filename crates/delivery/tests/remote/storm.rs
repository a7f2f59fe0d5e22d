//! Many worlds, each from its seed. `POSTROOM_SEEDS=7` or `POSTROOM_SEEDS=100..200` plays others.

use crate::check::check;
use crate::rng::Rng;
use crate::scenario;
use crate::world::World;
use postroom_queue::ItemState;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

#[tokio::test(start_paused = true)]
async fn every_recipient_ends_in_one_state() {
    let mut ends: HashMap<ItemState, usize> = HashMap::new();
    for seed in seeds() {
        for state in play(seed).await {
            *ends.entry(state).or_default() += 1;
        }
    }
    println!("{ends:?}");
    if std::env::var_os("POSTROOM_SEEDS").is_none() {
        for state in [ItemState::Delivered, ItemState::Bounced, ItemState::Expired] {
            assert!(ends.contains_key(&state), "the scenarios are too tame: {ends:?}");
        }
    }
}

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("POSTROOM_SEEDS") else {
        return 0..12;
    };
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}

async fn play(seed: u64) -> Vec<ItemState> {
    let mut rng = Rng::new(seed);
    let mut world = World::new(scenario::net(&mut rng)).await;
    let begun = Instant::now();
    let mut sent = Vec::new();
    for (number, mail) in (1..).zip(scenario::mail(&mut rng)) {
        sleep_until(begun + mail.at).await;
        sent.push(world.accept(number, &mail.recipients).await);
        // In the middle of whatever is going on, sometimes.
        if rng.below(3) == 0 {
            sleep(Duration::from_secs(rng.below(900))).await;
            world.restart().await;
        }
    }
    world.settle().await;
    check(&world, &sent, &format!("seed {seed}")).await;
    let mut states = Vec::new();
    for message in &sent {
        let recipients = world.queue.recipients(message.id).await.expect("a working store");
        states.extend(recipients.iter().map(|status| status.state));
    }
    world.stop().await;
    states
}
