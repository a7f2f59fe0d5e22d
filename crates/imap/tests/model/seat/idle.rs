//! IDLE: what is told to who just listens.

use super::Seat;
use crate::client::Check;
use crate::judge::Judge;
use crate::world::World;
use postroom_testkit::Driven;
use std::time::{Duration, Instant};

/// How long something may take that a server does by itself.
const PATIENCE: Duration = Duration::from_secs(20);

impl Seat {
    /// Ends IDLE, if it goes on.
    pub(crate) async fn end_idle(&mut self, world: &World, judge: &mut impl Judge) -> Check {
        if !std::mem::take(&mut self.idle) {
            return Ok(());
        }
        self.say(world, judge, b"DONE\r\n").await?;
        self.check_answered(judge)
    }

    /// An idle client is told of everything before long.
    pub(crate) async fn hear(&mut self, world: &World, judge: &mut impl Judge) -> Check {
        let begun = Instant::now();
        while self.idle {
            let in_step = match self.before.id.is_some_and(|id| judge.is_gone(id)) {
                true => Err("its mailbox is gone, and IDLE goes on".to_owned()),
                false => judge.is_in_step(&self.client),
            };
            let Err(lacks) = in_step else {
                // What was told on the way was true then.
                self.client.heard.fetched.clear();
                return Ok(());
            };
            let connection = self.connection.as_mut().ok_or("no connection")?;
            let before = world.modseq().await;
            let said = connection.listen(PATIENCE.saturating_sub(begun.elapsed())).await;
            let said = said.ok_or_else(|| format!("IDLE does not tell: {lacks}"))?;
            self.hear_said(&said, judge, before, before)?;
            if self.connection.as_ref().is_none_or(Driven::is_closed) {
                self.check_answered(judge)?;
            }
        }
        Ok(())
    }

    /// What is told within this time is heard.
    pub(crate) async fn listen(&mut self, judge: &mut impl Judge, limit: Duration) -> Check {
        while self.idle {
            let connection = self.connection.as_mut().ok_or("no connection")?;
            let Some(said) = connection.listen(limit).await else {
                return Ok(());
            };
            self.hear_said(&said, judge, 0, 0)?;
            if self.connection.as_ref().is_none_or(Driven::is_closed) {
                self.check_answered(judge)?;
            }
        }
        Ok(())
    }
}
