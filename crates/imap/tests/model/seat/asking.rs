//! Commands that every client gives now and then, in any program.

use super::Seat;
use crate::client::{Check, ensure};
use crate::command::{Command, What};
use crate::dice::Dice;
use crate::judge::Judge;
use crate::world::World;

impl Seat {
    /// Learns which messages were counted.
    pub(crate) async fn learn(&mut self, world: &World, judge: &mut impl Judge, dice: &mut Dice) -> Check {
        let (mut known, mut last_count) = (0, 0);
        while let Some(view) = self.client.view.as_ref().filter(|_| !self.idle) {
            let Some(first) = view.first_unknown() else { break };
            if first == known {
                // It went before anybody could keep it for this session; in turns that is a fault, together it may be.
                let noop = Command::line("NOOP", false, "NOOP".to_owned(), What::Noop);
                self.exchange(world, judge, vec![noop]).await?;
                let next = self.client.view.as_ref().and_then(|view| view.first_unknown());
                let count = self.client.view.as_ref().map_or(0, |view| view.messages.len());
                ensure!(
                    next != Some(first) || count != last_count,
                    "session {}: FETCH does not tell the UID of message {first}",
                    self.number
                );
                (known, last_count) = (0, count);
                continue;
            }
            last_count = view.messages.len();
            let last = view.messages.len();
            known = first;
            let mut asked = vec!["UID"];
            if dice.chance(85) {
                asked.push("FLAGS");
            }
            if self.client.dialect.condstore() && dice.chance(70) {
                asked.push("MODSEQ");
            }
            let text = format!("FETCH {first}:{last} ({})", asked.join(" "));
            let what = What::Fetch {
                uids: Vec::new(),
                asked,
                seen: false,
                changed_since: None,
                vanished: false,
            };
            let command = Command::line("FETCH", false, text, what);
            self.exchange(world, judge, vec![command]).await?;
        }
        Ok(())
    }

    /// SELECT with what is known.
    pub(crate) async fn select(&mut self, world: &World, judge: &mut impl Judge, name: &str) -> Check {
        let mut text = format!("SELECT {name}");
        let mut resync = None;
        if self.client.dialect.qresync()
            && let Some(cache) = self.client.caches.get(name)
        {
            text.push_str(&format!(" (QRESYNC ({} {}))", cache.uid_validity, cache.highest));
            resync = Some(Box::new(cache.clone()));
        }
        let what = What::Select {
            name: name.to_owned(),
            read_only: false,
            resync,
            enables: false,
        };
        self.exchange(world, judge, vec![Command::line("SELECT", false, text, what)])
            .await
    }

    /// FETCH of all there is to know of flags.
    pub(crate) async fn fetch_all_flags(&mut self, world: &World, judge: &mut impl Judge) -> Check {
        let Some(view) = &self.client.view else { return Ok(()) };
        let mut asked = vec!["UID", "FLAGS"];
        if self.client.dialect.condstore() {
            asked.push("MODSEQ");
        }
        let text = format!("UID FETCH 1:* ({})", asked.join(" "));
        let what = What::Fetch {
            uids: view.uids(),
            asked,
            seen: false,
            changed_since: None,
            vanished: false,
        };
        self.exchange(world, judge, vec![Command::line("FETCH", true, text, what)])
            .await
    }
}
