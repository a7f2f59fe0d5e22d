//! Time: how long a client may be silent, and what is said meanwhile (RFC 3501 §5.4).

use super::{Running, Server};
use crate::session::{Dialogue, Phase};
use std::time::Instant;

impl Server {
    pub(super) fn on_tick(&mut self, now: Instant) {
        if self.is_waiting_for_answer() {
            return;
        }
        if now >= self.limit_of_silence() {
            return self.bye("Silent for too long");
        }
        if self.keepalive_at().is_some_and(|at| now >= at) {
            self.session.out.line("* OK Still here");
            self.said = now;
        }
    }

    pub(super) fn limit_of_silence(&self) -> Instant {
        match self.session.phase {
            Phase::NotAuthenticated => self.opened + self.session.options.unauthenticated_timeout,
            Phase::Authenticated | Phase::Selected(_) => self.heard + self.session.options.autologout,
        }
    }

    pub(super) fn keepalive_at(&self) -> Option<Instant> {
        let idle = matches!(
            self.running,
            Running::Dialogue {
                dialogue: Dialogue::Idle,
                ..
            }
        );
        self.session
            .options
            .idle_keepalive
            .filter(|_| idle)
            .map(|every| self.said + every)
    }

    /// When [`on_tick`](Self::on_tick) is due. Not while a question is open: the outside may take its time.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        if self.is_waiting_for_answer() || matches!(self.running, Running::Closed) {
            return None;
        }
        let silence = self.limit_of_silence();
        Some(self.keepalive_at().map_or(silence, |at| at.min(silence)))
    }
}
