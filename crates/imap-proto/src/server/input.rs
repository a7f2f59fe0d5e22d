//! What comes in: commands, literals that are announced, lines of a dialogue.

use super::{Origin, Running, Server};
use crate::collector::{Event, LiteralMark};
use crate::command::{Command, authenticate_goes_on};
use crate::grammar::Scanner;
use crate::session::{Dialogue, Flow, Refusal};
use std::time::Instant;
use zeroize::Zeroizing;

/// Largest literal that may be sent without asking if LITERAL- is shown (RFC 7888 §5).
const LITERAL_MINUS_OCTETS: u64 = 4_096;
/// RFC 7888 §5: the code should be in the BYE too.
pub(super) const TOO_LARGE_TO_SKIP: &str = "[TOOBIG] Literal too long";

impl Server {
    pub(super) fn on_event(&mut self, event: Event, now: Instant) {
        match (std::mem::replace(&mut self.running, Running::Nothing), event) {
            (Running::Dialogue { of, dialogue }, Event::Command(line)) => self.on_dialogue_line(of, dialogue, &line),
            (Running::Dialogue { of, .. }, _) => self.refuse(of, Refusal::Bad("Line too long")),
            (Running::AppendLine(appends), event) => self.on_append_event(appends, event),
            (Running::Skipping { of, refusal }, Event::Skipped) => self.refuse(of, refusal),
            (_, Event::Command(bytes)) => self.on_command(&bytes, now),
            (_, Event::Literal(mark)) => self.on_literal(mark),
            (_, Event::TooLong { head, literal }) => {
                let of = Scanner::new(&head)
                    .tag()
                    .map_or_else(|_| Origin::untagged(), Origin::of);
                self.refuse_with_literal(of, Refusal::Bad("Command too long"), literal);
            }
            (_, Event::Endless) => self.bye(TOO_LARGE_TO_SKIP),
            (_, Event::Skipped) => {}
        }
    }

    pub(super) fn on_command(&mut self, bytes: &Zeroizing<Vec<u8>>, now: Instant) {
        let mut args = Scanner::with_utf8(bytes, self.session.enabled.utf8_names());
        let Ok(tag) = args.tag() else {
            return self.refuse(Origin::untagged(), Refusal::Bad("Tag expected"));
        };
        let mut of = Origin::of(tag);
        let found = args
            .space()
            .map_err(Refusal::from)
            .and_then(|()| Command::find(&mut args, &self.session));
        let flow = found.and_then(|command| {
            of.tells_expunges = command.tells_expunges;
            self.session.holds_expunges = false;
            self.session.notify.expunging = command.expunges();
            command.run(&mut args, &mut self.session)
        });
        self.said = now;
        self.follow(of, flow);
    }

    /// A command goes on with a literal. Refused here, the client never sends it (or it is skipped).
    pub(super) fn on_literal(&mut self, mark: LiteralMark) {
        let so_far = self.collector.so_far();
        let mut args = Scanner::with_utf8(so_far, self.session.enabled.utf8_names());
        let Ok(tag) = args.tag() else {
            return self.refuse_with_literal(Origin::untagged(), Refusal::Bad("Tag expected"), Some(mark));
        };
        let of = Origin::of(tag);
        let found = args
            .space()
            .map_err(Refusal::from)
            .and_then(|()| Command::find(&mut args, &self.session));
        let append = found.and_then(|command| {
            if let Some(refusal) = self.too_large_without_asking(mark) {
                return Err(refusal);
            }
            if mark.binary && !command.is_append() {
                return Err(Refusal::Bad("A literal8 is for messages"));
            }
            let read = command.read_append(&mut args, &self.session)?;
            Ok(read.map(|(request, segment)| (request, segment, command.expunges())))
        });
        match append {
            Err(refusal) => self.refuse_with_literal(of, refusal, Some(mark)),
            Ok(Some((request, segment, expunges))) => {
                self.session.holds_expunges = false;
                self.session.notify.expunging = expunges;
                self.begin_append(of, request, segment, Some(mark));
            }
            Ok(None) if self.collector.has_room(mark.octets, self.limit()) => self.accept_argument(mark),
            Ok(None) => self.refuse_with_literal(of, Refusal::No("TOOBIG", "Literal too long"), Some(mark)),
        }
    }

    /// A literal that is an argument is put into the command.
    pub(super) fn accept_argument(&mut self, mark: LiteralMark) {
        self.collector.accept(mark);
        if mark.waits {
            self.session.out.line("+ OK");
        }
    }

    /// With LITERAL-, a literal that the client sends without asking has a bound (RFC 7888 §5).
    pub(super) fn too_large_without_asking(&self, mark: LiteralMark) -> Option<Refusal> {
        let too_large = self.session.options.literal_minus && !mark.waits && mark.octets > LITERAL_MINUS_OCTETS;
        too_large.then_some(Refusal::Bad("[TOOBIG] Literals of more than 4096 octets have to wait"))
    }

    pub(super) fn on_dialogue_line(&mut self, of: Origin, dialogue: Dialogue, line: &[u8]) {
        let flow = match dialogue {
            Dialogue::Idle if line.eq_ignore_ascii_case(b"DONE") => Flow::ok("IDLE completed"),
            Dialogue::Idle => Err(Refusal::Bad("DONE expected")),
            Dialogue::Authenticate(mut exchange, refusal) => {
                let progress = exchange.respond(line);
                authenticate_goes_on(exchange, progress, refusal, &mut self.session)
            }
        };
        self.follow(of, flow);
    }

    /// Refuses a command whose literal may be on its way.
    pub(super) fn refuse_with_literal(&mut self, of: Origin, refusal: Refusal, mark: Option<LiteralMark>) {
        let Some(mark) = mark else {
            return self.refuse(of, refusal);
        };
        self.collector.refuse(mark);
        if mark.waits {
            return self.refuse(of, refusal);
        }
        if mark.octets > self.session.options.skip_octets {
            return self.bye(TOO_LARGE_TO_SKIP);
        }
        self.running = Running::Skipping { of, refusal };
    }
}
