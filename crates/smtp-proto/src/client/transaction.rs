//! Sending a message: MAIL, RCPT, DATA, content, and what the replies mean.

use crate::client::content::Stuffer;
use crate::client::machine::Client;
use crate::client::question::ClientQuestion;
use crate::client::reply::{RemoteReply, Reply};
use crate::client::result::{Failure, Phase, RecipientResult};
use crate::client::state::{After, State};
use crate::client::transfer::{Command, Transfer};
use bytes::Bytes;
use std::time::Instant;

impl Client {
    /// Waits for the next reply, or sends the next commands, or is done.
    pub(crate) fn go_on(&mut self, mut transfer: Transfer, now: Instant) -> State {
        if transfer.awaited().is_none() {
            match transfer.next_group() {
                Some(commands) => self.send(commands),
                None => {
                    let after = if transfer.open { After::Reset } else { After::Next };
                    // All is decided, or there would be a command to send.
                    return self.report(transfer, Phase::Mail, Failure::Closed, after);
                }
            }
        }
        let left = transfer.end_by.saturating_duration_since(now);
        let limit = match transfer.awaited() {
            Some(Command::End) => self.options.final_timeout,
            Some(Command::Data) => self.options.data_timeout.min(left),
            _ => self.options.command_timeout.min(left),
        };
        self.wait(limit, now);
        State::Transfer(transfer)
    }

    pub(crate) fn transfer_replied(&mut self, mut transfer: Transfer, reply: &Reply, now: Instant) -> State {
        let Some(command) = transfer.take_awaited() else {
            return self.go_on(transfer, now);
        };
        let phase = command.phase();
        if reply.code == 421 {
            // The server closes (RFC 5321 §3.8); what it would say to the commands behind this one is the same.
            return self.refuse(transfer, phase, &reply.remote());
        }
        match (command, reply.code) {
            (Command::Mail, 200..=299) => transfer.open = true,
            (Command::Recipient(_), 200..=299) => {}
            (Command::Recipient(index), 400..) => transfer.refuse_one(index, reply.remote()),
            (Command::Data, 354) => return self.begin_content(transfer, now),
            (Command::End, 200..=299) => {
                transfer.open = false;
                transfer.decide_rest(|| RecipientResult::Accepted(reply.remote()));
            }
            (Command::Mail | Command::Data | Command::End, 400..) => {
                transfer.open &= command != Command::End;
                let reply = reply.remote();
                transfer.decide_rest(|| RecipientResult::Refused {
                    phase,
                    reply: reply.clone(),
                });
            }
            // Also 250 in answer to DATA: what we sent next would be taken for commands.
            _ => return self.lose(transfer, phase, Failure::Protocol("reply out of place")),
        }
        self.go_on(transfer, now)
    }

    fn begin_content(&mut self, mut transfer: Transfer, now: Instant) -> State {
        if transfer.is_decided() {
            // Nobody is to get it (RFC 2920 §3.1).
            self.send(Bytes::from_static(b".\r\n"));
            transfer.ended();
            return self.go_on(transfer, now);
        }
        self.ask_content(transfer, Stuffer::new())
    }

    /// Takes a chunk of the content; an empty one is its end.
    pub(crate) fn send_content(
        &mut self,
        mut transfer: Transfer,
        mut stuffer: Stuffer,
        chunk: Bytes,
        now: Instant,
    ) -> State {
        if now >= transfer.end_by {
            return self.lose(transfer, Phase::Content, Failure::Timeout);
        }
        if chunk.is_empty() {
            return match stuffer.end() {
                Ok(end) => {
                    self.send(Bytes::from_static(end));
                    transfer.ended();
                    self.go_on(transfer, now)
                }
                Err(_) => self.forbid(transfer),
            };
        }
        match stuffer.chunk(chunk) {
            Ok(text) => {
                if !text.is_empty() {
                    self.send(text);
                }
                self.ask_content(transfer, stuffer)
            }
            Err(_) => self.forbid(transfer),
        }
    }

    /// The content has a CR or LF that stands alone. Without the final dot the server takes nothing, and only closing
    /// ends a message without one.
    fn forbid(&mut self, mut transfer: Transfer) -> State {
        transfer.decide_rest(|| RecipientResult::Unfit {
            status: "5.6.0",
            text: "The message has a bare CR or LF",
        });
        self.report(transfer, Phase::Content, Failure::Unreadable, After::Close)
    }

    /// The server's last word, for all that was undecided.
    pub(crate) fn refuse(&mut self, mut transfer: Transfer, phase: Phase, reply: &RemoteReply) -> State {
        transfer.decide_rest(|| RecipientResult::Refused {
            phase,
            reply: reply.clone(),
        });
        self.report(transfer, phase, Failure::Closed, After::Close)
    }

    /// The dialogue broke off.
    pub(crate) fn lose(&mut self, transfer: Transfer, phase: Phase, failure: Failure) -> State {
        self.report(transfer, phase, failure, After::Close)
    }

    fn report(&mut self, transfer: Transfer, phase: Phase, failure: Failure, after: After) -> State {
        self.ask(ClientQuestion::Result(transfer.finish(phase, failure)));
        State::Told(after)
    }
}
