//! What a session may do that logged in with a restricted key.
//!
//! What always holds: without the right to change, nothing that would change the inbox is tried; mailboxes whose label the
//! key may not see are not there.

use crate::answer::Session;
use postroom_identity::Login;
use postroom_imap_proto::{Answer, Fault, Question};

/// Labels that stand for a mailbox.
const LABELS: [&str; 4] = ["spam", "trash", "blocked", "draft"];

impl Session {
    /// The answer to what the session may not do.
    pub(crate) fn refusal(&self, question: &Question) -> Option<Answer> {
        if self.login.is_none() || self.may_change() {
            return None;
        }
        let fault = Fault::NoPermission;
        match question {
            Question::Create { .. } => Some(Answer::Created(Err(fault))),
            Question::Delete(_) => Some(Answer::Deleted(Err(fault))),
            Question::Rename { .. }
            | Question::Subscribe { .. }
            | Question::AppendStart { .. }
            | Question::AppendMore { .. }
            | Question::AppendUrl(_)
            | Question::Expunge(_) => Some(Answer::Done(Err(fault))),
            Question::Append { .. } => Some(Answer::Appended(Err(fault))),
            Question::Store { .. } => Some(Answer::Stored(Err(fault))),
            Question::Copy { .. } | Question::Move { .. } => Some(Answer::Copied(Err(fault))),
            Question::Login(_)
            | Question::Mailboxes
            | Question::Status(_)
            | Question::Statuses(_)
            | Question::DeletedOctets(_)
            | Question::Quota
            | Question::Select { .. }
            | Question::Vanished { .. }
            | Question::Unselect
            | Question::Fetch { .. }
            | Question::Search { .. }
            | Question::Sort { .. }
            | Question::Thread { .. }
            | Question::Watch(_)
            | Question::Poll => None,
        }
    }

    /// Whether the session may change mail and mailboxes.
    pub(crate) fn may_change(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.rights.may_change())
    }

    /// Whether the session does not see all mailboxes.
    pub(crate) fn is_restricted(&self) -> bool {
        let hides = |login: &Login| LABELS.into_iter().any(|label| !login.rights.shows(label));
        self.login.as_deref().is_some_and(hides)
    }
}
