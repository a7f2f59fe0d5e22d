//! Who decides whether what was said is right, and what is kept of it for people to read.

use crate::client::{Check, Client, Heard};
use crate::command::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// Who knows more than the clients.
pub(crate) trait Judge {
    /// What happens from now on gets MODSEQs above the first and up to the second.
    fn between(&mut self, before: u64, after: u64);
    /// A command has ended; `before` are the UIDs the client knew when it began, in order.
    fn judge(&mut self, client: &mut Client, command: &Command, heard: &Heard, before: &Before) -> Check;
    /// Whether a view's mailbox was deleted.
    fn is_gone(&self, id: u32) -> bool;
    /// Whether the server may close the connection of who has selected this.
    fn may_close(&self, id: u32) -> bool;
    /// Whether the client has been told all.
    fn is_in_step(&self, client: &Client) -> Check;
}

/// The client before a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    pub(crate) uids: Vec<u32>,
    pub(crate) id: Option<u32>,
    pub(crate) read_only: bool,
}

/// What was said, by all, in the order it was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, who: &str, said: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in String::from_utf8_lossy(said).split_terminator("\r\n") {
            lines.push(format!("{who} {line}"));
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
