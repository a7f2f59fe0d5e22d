//! One step at a time: every answer is compared with the truth, which each step brings up to date.

mod api;

use crate::client::{Check, Client, Dialect, Heard};
use crate::command::{Command, Kind, Step};
use crate::dice::Dice;
use crate::judge::{Before, Judge, Log};
use crate::mail::Post;
use crate::seat::Seat;
use crate::settle::{Settling, in_step};
use crate::truth::{Span, Truth};
use crate::world::World;

/// The truth as a judge.
pub(crate) struct Bench {
    pub(crate) truth: Truth,
    pub(crate) post: Post,
}

impl Judge for Bench {
    fn between(&mut self, before: u64, after: u64) {
        self.truth.now = Span {
            after: before,
            upto: after,
        };
    }

    fn judge(&mut self, client: &mut Client, command: &Command, heard: &Heard, before: &Before) -> Check {
        let settling = Settling {
            client,
            truth: &mut self.truth,
            command,
            heard,
            before: &before.uids,
            id: before.id,
            read_only: before.read_only,
        };
        settling.settle()
    }

    fn is_gone(&self, id: u32) -> bool {
        !self.truth.boxes.contains_key(&id)
    }

    fn may_close(&self, id: u32) -> bool {
        self.is_gone(id)
    }

    fn is_in_step(&self, client: &Client) -> Check {
        match client
            .view
            .as_ref()
            .and_then(|view| Some((view, self.truth.boxes.get(&view.id)?)))
        {
            Some((view, mailbox)) => in_step(view, mailbox),
            None => Ok(()),
        }
    }
}

pub(crate) struct Turns {
    pub(crate) world: World,
    bench: Bench,
    pub(crate) seats: Vec<Seat>,
    log: Log,
}

impl Turns {
    pub(crate) async fn new(world: World, dialects: &[Dialect], log: Log) -> Self {
        let mut truth = Truth::default();
        truth.now.upto = world.modseq().await;
        for info in world
            .mailstore
            .mailboxes(world.inbox.id)
            .await
            .expect("the inbox is there")
        {
            let id = truth.create(&info.name);
            truth.needed.insert(id);
        }
        let seat = |(number, dialect): (usize, &Dialect)| Seat::new(number, *dialect, log.clone());
        Self {
            world,
            bench: Bench {
                truth,
                post: Post::default(),
            },
            seats: dialects.iter().enumerate().map(seat).collect(),
            log,
        }
    }

    pub(crate) async fn play(&mut self, program: &[Step]) -> Check {
        for step in program {
            self.step(*step).await?;
        }
        self.finish().await
    }

    async fn step(&mut self, step: Step) -> Check {
        let mut dice = Dice::new(step.seed);
        let Self {
            world, bench, seats, ..
        } = self;
        match step.kind {
            Kind::ApiDeliver | Kind::ApiMany | Kind::ApiFlags | Kind::ApiMove | Kind::ApiExpunge => {
                self.api(step.kind, &mut dice).await?;
            }
            Kind::Drop if dice.chance(30) => seats[step.session].drop_halfway(&mut dice).await,
            Kind::Drop => seats[step.session].drop_connection(),
            kind => {
                let post = bench.post.clone();
                seats[step.session].act(world, bench, &post, kind, &mut dice).await?;
            }
        }
        let Self {
            world, bench, seats, ..
        } = self;
        for seat in seats {
            seat.hear(world, bench).await?;
        }
        Ok(())
    }

    /// All clients are told all; a new one sees the same; who comes back with what it knows is brought up to date.
    async fn finish(&mut self) -> Check {
        let Self {
            world, bench, seats, ..
        } = self;
        let mut dice = Dice::new(0);
        let post = bench.post.clone();
        for seat in seats.iter_mut() {
            seat.act(world, bench, &post, Kind::Noop, &mut dice).await?;
            seat.fetch_all_flags(world, bench).await?;
            bench.is_in_step(&seat.client)?;
        }
        let names: Vec<String> = bench.truth.names.keys().cloned().collect();
        for seat in seats.iter_mut() {
            seat.drop_connection();
            seat.sit_down(world).await?;
            let known: Vec<String> = seat
                .client
                .caches
                .keys()
                .filter(|name| names.contains(name))
                .cloned()
                .collect();
            for name in known {
                seat.select(world, bench, &name).await?;
                seat.learn(world, bench, &mut dice).await?;
                seat.fetch_all_flags(world, bench).await?;
                bench.is_in_step(&seat.client)?;
            }
        }
        let mut newcomer = Seat::new(9, Dialect::Condstore, self.log.clone());
        newcomer.sit_down(world).await?;
        for name in names {
            newcomer.select(world, bench, &name).await?;
            newcomer.fetch_all_flags(world, bench).await?;
            bench.is_in_step(&newcomer.client)?;
        }
        world.check_consistency().await
    }
}
