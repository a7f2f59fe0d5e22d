//! What all commands of one connection share.

mod telling;

pub(crate) use telling::{IN_VANISHED, highest_modseq_code, write_count};

use crate::command::{AppendRequest, Notify, Segment};
use crate::grammar::sequence_set::{SequenceSet, UidRanges};
use crate::grammar::{Bad, Parsed, Scanner, mailbox_name};
use crate::options::Options;
use crate::output::Output;
use crate::question::{Answer, Fault, Question};
use crate::response::fault::code_and_text;
use crate::response::mailbox::write_name;
use crate::view::View;
use postroom_wire::{Authenticator, Exchange};
use std::sync::Arc;

/// Where the client stands (RFC 3501 §3).
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each connection, and most have a mailbox selected"
)]
pub(crate) enum Phase {
    NotAuthenticated,
    Authenticated,
    Selected(View),
}

/// What the client has enabled, by ENABLE or by using it; never taken back (RFC 5161, RFC 7162 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enabled {
    pub(crate) condstore: bool,
    pub(crate) qresync: bool,
    /// IMAP4rev2 (RFC 9051 §6.3.1).
    pub(crate) rev2: bool,
    /// UTF8=ACCEPT (RFC 6855 §3).
    pub(crate) utf8: bool,
}

impl Enabled {
    /// Whether names and quoted strings are UTF-8.
    pub(crate) const fn utf8_names(self) -> bool {
        self.rev2 || self.utf8
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Arc<Options>,
    pub(crate) phase: Phase,
    pub(crate) tls: bool,
    pub(crate) authenticator: Authenticator,
    pub(crate) failed_logins: u32,
    pub(crate) enabled: Enabled,
    /// Set by a command that must not be told of expunges though others of its name may: UID SEARCH with sequence numbers
    /// among its keys (RFC 7162 §3.2.10.2). Cleared when it ends.
    pub(crate) holds_expunges: bool,
    /// `$`: the result of the last search that saved one (RFC 5182). `None`: empty.
    pub(crate) saved: Option<UidRanges>,
    /// COMPRESS is in force (RFC 4978).
    pub(crate) compressed: bool,
    /// What NOTIFY has asked for (RFC 5465).
    pub(crate) notify: Notify,
    pub(crate) out: Output,
}

impl Session {
    /// Whether a password may be given now.
    pub(crate) fn takes_passwords(&self) -> bool {
        self.tls || self.options.allow_plaintext_login
    }

    /// Reads a mailbox argument. `None`: there can be no mailbox of that name.
    pub(crate) fn read_name(&self, argument: &[u8]) -> Option<String> {
        mailbox_name::parse(argument, self.enabled.utf8_names())
    }

    /// Writes a mailbox name as this client reads it.
    pub(crate) fn write_name(&mut self, name: &str) {
        write_name(self.out.buffer(), name, self.enabled.utf8_names());
    }

    /// Reads a sequence set, in which `$` means what was saved (RFC 5182).
    pub(crate) fn read_set(&self, args: &mut Scanner<'_>) -> Parsed<SequenceSet> {
        Ok(SequenceSet::parse(args)?.with_saved(self.saved.as_ref()))
    }

    /// The selected mailbox and where to write.
    pub(crate) fn selected(&mut self) -> Result<(&mut View, &mut Output), Refusal> {
        match &mut self.phase {
            Phase::Selected(view) => Ok((view, &mut self.out)),
            Phase::NotAuthenticated | Phase::Authenticated => Err(Refusal::Bad("Select a mailbox first")),
        }
    }

    /// The selected mailbox, for a command that changes it.
    pub(crate) fn selected_for_writing(&mut self) -> Result<(&mut View, &mut Output), Refusal> {
        let (view, out) = self.selected()?;
        if view.read_only() {
            return Err(Refusal::No("READ-ONLY", "The mailbox is open for reading only"));
        }
        Ok((view, out))
    }
}

/// What a command does next.
pub(crate) enum Flow {
    /// It is finished.
    Done(Done),
    /// It needs an answer.
    Ask(Question, Box<dyn Task>),
    /// It takes messages (APPEND, REPLACE).
    Append(AppendRequest, Segment),
    /// It waits for lines that are no commands.
    Listen(Dialogue),
}

impl Flow {
    pub(crate) fn ask(question: Question, task: impl Task + 'static) -> Result<Self, Refusal> {
        Ok(Self::Ask(question, Box::new(task)))
    }

    pub(crate) fn ok(text: &'static str) -> Result<Self, Refusal> {
        Ok(Self::Done(Done::ok(text)))
    }
}

/// A command that waits for an answer.
pub(crate) trait Task: Send {
    /// Goes on with the answer.
    fn resume(self: Box<Self>, answer: Answer, session: &mut Session) -> Result<Flow, Refusal>;
}

/// Lines that are no commands.
pub(crate) enum Dialogue {
    /// Responses to AUTHENTICATE, and what is said when it fails.
    Authenticate(Exchange, Refusal),
    /// DONE.
    Idle,
}

/// The tagged OK, and what comes after it.
#[derive(Debug)]
pub(crate) struct Done {
    /// Response code without its brackets; may be empty.
    pub(crate) code: String,
    pub(crate) text: &'static str,
    pub(crate) then: Then,
}

/// After the tagged response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    StartTls,
    /// Go on compressed (RFC 4978).
    Compress,
    Close,
}

impl Done {
    pub(crate) const fn ok(text: &'static str) -> Self {
        Self {
            code: String::new(),
            text,
            then: Then::GoOn,
        }
    }

    pub(crate) const fn with_code(code: String, text: &'static str) -> Self {
        Self {
            code,
            text,
            then: Then::GoOn,
        }
    }
}

/// The tagged NO or BAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Bad(&'static str),
    /// With a response code, which may be empty.
    No(&'static str, &'static str),
    /// NO with a response code that has arguments of its own.
    NoWith(String, &'static str),
}

impl From<Bad> for Refusal {
    fn from(Bad(text): Bad) -> Self {
        Self::Bad(text)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let (code, text) = code_and_text(fault);
        Self::No(code, text)
    }
}

impl Refusal {
    /// The driver answered another question than was asked.
    pub(crate) const WRONG_ANSWER: Self = Self::No("SERVERBUG", "Trouble on our side, it has been logged");
    /// Sequence numbers were named whose messages others have expunged (RFC 2180 §4.1, RFC 5530).
    pub(crate) const GONE: Self = Self::No("EXPUNGEISSUED", "Some of these messages have been deleted");
    /// There cannot be such a mailbox.
    pub(crate) const BAD_NAME: Self = Self::No("CANNOT", "This is no name a mailbox can have");

    /// For APPEND, COPY and MOVE, where a mailbox that is not there may be worth making (RFC 3501 §7.1).
    pub(crate) fn try_create(fault: Fault) -> Self {
        match fault {
            Fault::NoSuchMailbox => Self::No("TRYCREATE", "No such mailbox, but it may be created"),
            other => other.into(),
        }
    }
}
