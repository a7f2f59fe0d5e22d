//! What all commands of one connection share.

use crate::grammar::Bad;
use crate::options::Options;
use crate::output::Output;
use crate::question::{Answer, Fault, News, Question};
use crate::response::fault::code_and_text;
use crate::response::fetch::write_flags_only;
use crate::response::flags::announce_keywords;
use crate::view::View;
use postroom_wire::{Authenticator, Exchange};
use std::sync::Arc;

/// Where the client stands (RFC 3501 §3).
#[derive(Debug)]
pub(crate) enum Phase {
    NotAuthenticated,
    Authenticated,
    Selected(View),
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: Arc<Options>,
    pub(crate) phase: Phase,
    pub(crate) tls: bool,
    pub(crate) authenticator: Authenticator,
    pub(crate) failed_logins: u32,
    pub(crate) out: Output,
}

impl Session {
    /// Whether a password may be given now.
    pub(crate) fn takes_passwords(&self) -> bool {
        self.tls || self.options.allow_plaintext_login
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

    /// Takes news into the view, if a mailbox is selected.
    pub(crate) fn absorb(&mut self, news: News) {
        if let Phase::Selected(view) = &mut self.phase {
            view.absorb(news);
        }
    }

    /// Tells what may be told now.
    pub(crate) fn tell(&mut self, expunges: bool) {
        let Phase::Selected(view) = &mut self.phase else { return };
        let telling = view.tell(expunges);
        for seq in telling.expunged {
            self.out.line(&format!("* {seq} EXPUNGE"));
        }
        if let Some((exists, recent)) = telling.counts {
            self.out.line(&format!("* {exists} EXISTS"));
            self.out.line(&format!("* {recent} RECENT"));
        }
        for (seq, uid, flags) in telling.flags {
            announce_keywords(&mut self.out, view, &flags);
            write_flags_only(&mut self.out, seq, Some(uid), &flags, view.is_recent(uid));
        }
    }
}

/// What a command does next.
pub(crate) enum Flow {
    /// It is finished.
    Done(Done),
    /// It needs an answer.
    Ask(Question, Box<dyn Task>),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Bad(&'static str),
    /// With a response code, which may be empty.
    No(&'static str, &'static str),
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
    pub(crate) const GONE: Self = Self::No("EXPUNGEISSUED", "Some of these messages are gone");
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
