//! What is told without being asked for, while no command runs or during IDLE, as NOTIFY wishes (RFC 5465 §3.1, §4).
//!
//! Of new messages more may be told than the machine knows, and so of searches that the client follows: that is asked, and
//! nothing else begins until it is told.

use super::{Running, Server};
use crate::question::Answer;
use crate::session::{Dialogue, Flow, Task};
use postroom_wire::Action;
use std::time::Instant;

impl Server {
    fn is_idle(&self) -> bool {
        matches!(
            self.running,
            Running::Dialogue {
                dialogue: Dialogue::Idle,
                ..
            }
        )
    }

    /// News have come, or the state has changed to one in which they may be told.
    pub(super) fn announce(&mut self) {
        if self.closing.is_some() {
            return;
        }
        let tells_selected = if self.is_idle() {
            self.session.tell_at_once();
            true
        } else if matches!(self.running, Running::Nothing) {
            self.session.tell_between_commands()
        } else {
            return;
        };
        // RFC 5465 §5.2: what NOTIFY tells of new messages comes after the searches they have come into.
        let update = if tells_selected {
            self.session.next_update()
        } else {
            None
        };
        if let Some((question, task)) = update.or_else(|| self.session.next_announcement()) {
            self.session.out.push(Action::Ask(question));
            let then = Box::new(std::mem::replace(&mut self.running, Running::Nothing));
            self.running = Running::Announcing { task, then };
        }
    }

    /// As [`announce`](Self::announce), on news.
    pub(super) fn announce_news(&mut self, now: Instant) {
        if self.is_idle() {
            self.said = now;
        }
        self.announce();
    }

    pub(super) fn on_announced(&mut self, task: Box<dyn Task>, then: Box<Running>, answer: Answer) {
        if self.closing.is_some() {
            return self.close_now();
        }
        match task.resume(answer, &mut self.session) {
            Ok(Flow::Ask(question, task)) => {
                self.session.out.push(Action::Ask(question));
                self.running = Running::Announcing { task, then };
            }
            // All is told; or it could not be had, and there is no command that could be refused.
            _ => {
                self.running = *then;
                self.announce();
            }
        }
    }
}
