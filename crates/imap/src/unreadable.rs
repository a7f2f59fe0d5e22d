//! Messages of which something stored cannot be read.
//!
//! What always holds: they do not hide the others, and the log hears of each once for an answer; of what is not kept any
//! more, as it is to be, it does not hear.

use crate::fetch::Source;
use postroom_imap_proto::{Fetched, Summarized};
use postroom_mailstore::{MailError, StoredSummary};
use postroom_types::{EmailId, Envelope, Part, Uid};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Those of an answer.
#[derive(Default)]
pub(crate) struct Unreadable {
    faulty: BTreeSet<EmailId>,
    /// Those that were expunged, and whose bodies are not kept any more.
    bodiless: BTreeSet<Uid>,
}

impl Unreadable {
    /// Notes one; the log hears of each once.
    pub(crate) fn note(&mut self, message: EmailId, error: impl fmt::Display) {
        if self.faulty.insert(message) {
            log_unreadable(message, error);
        }
    }

    /// Notes one whose body is not kept.
    pub(crate) fn has_no_body(&mut self, uid: Uid, source: &Source) {
        if source.is_ghost {
            self.bodiless.insert(uid);
        } else {
            self.note(source.email_id, "a body is gone");
        }
    }

    pub(crate) fn any(&self) -> bool {
        !self.faulty.is_empty()
    }

    /// Takes out those that are gone with their bodies: how many.
    pub(crate) fn remove_bodiless(&self, messages: &mut Vec<Fetched>) -> usize {
        messages.retain(|message| !self.bodiless.contains(&message.uid));
        self.bodiless.len()
    }

    /// A summary for the machine.
    pub(crate) fn told(&self, message: EmailId, summary: StoredSummary) -> Arc<dyn Summarized> {
        Arc::new(Told {
            message,
            is_noted: self.faulty.contains(&message).into(),
            summary,
        })
    }
}

/// A summary for the machine.
#[derive(Debug)]
struct Told {
    message: EmailId,
    /// The log has heard that it cannot be read.
    is_noted: AtomicBool,
    summary: StoredSummary,
}

impl Summarized for Told {
    fn envelope(&self) -> Option<Envelope> {
        self.readable(self.summary.envelope())
    }

    fn root(&self) -> Option<Part> {
        self.readable(self.summary.root())
    }
}

impl Told {
    fn readable<T>(&self, read: Result<T, MailError>) -> Option<T> {
        let note = |error: &MailError| {
            if !self.is_noted.swap(true, Ordering::Relaxed) {
                log_unreadable(self.message, error);
            }
        };
        read.inspect_err(note).ok()
    }
}

fn log_unreadable(message: EmailId, error: impl fmt::Display) {
    tracing::error!(msg = %message, %error, "cannot read a message");
}
