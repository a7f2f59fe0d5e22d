//! What is to become of labels, checked before anything is read.

use super::Labels;
use super::name::{is_server_label, keyword_of, label_of};
use crate::rows::{InboxRow, Role};
use postroom_types::{Flag, MailboxId, MessageFlags};
use std::collections::BTreeSet;

/// The places that labels stand for; what is given several of them goes to the first.
pub(super) const PLACES: [(Role, &str); 3] = [(Role::Trash, "trash"), (Role::Blocked, "blocked"), (Role::Spam, "spam")];

/// Why labels cannot be given or taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The server alone gives and takes it.
    #[error("the label {0:?} is set by the server")]
    Server(String),
    /// It is empty, too long, or not text.
    #[error("not a label: {0:?}")]
    Malformed(String),
}

/// Labels to be given and to be taken away; what is named in both is taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelChange {
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
    flagged: Option<bool>,
}

impl LabelChange {
    /// A change; labels are taken in lower case.
    ///
    /// # Errors
    /// For the first label that is none, or that nobody but the server may touch.
    pub fn new<T: AsRef<str>>(add: &[T], remove: &[T]) -> Result<Self, LabelError> {
        let remove = folded(remove)?;
        let mut add = folded(add)?;
        add.retain(|label| !remove.contains(label));
        Ok(Self {
            add,
            remove,
            flagged: None,
        })
    }

    /// A change of what is `\Seen` and `\Flagged`; `None` leaves it.
    #[must_use]
    pub fn marks(seen: Option<bool>, flagged: Option<bool>) -> Self {
        let unread = || BTreeSet::from(["unread".to_owned()]);
        let (add, remove) = match seen {
            None => (BTreeSet::new(), BTreeSet::new()),
            Some(true) => (BTreeSet::new(), unread()),
            Some(false) => (unread(), BTreeSet::new()),
        };
        Self { add, remove, flagged }
    }

    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && self.flagged.is_none()
    }

    /// The mailbox to go to.
    pub(super) fn place(&self, roles: &InboxRow, labels: &Labels, row_home: MailboxId) -> Option<MailboxId> {
        if let Some((role, _)) = PLACES.iter().find(|(_, label)| self.add.contains(*label)) {
            return Some(roles.id_of(*role));
        }
        let leaves = PLACES
            .iter()
            .any(|(_, label)| self.remove.contains(*label) && labels.contains(label));
        leaves.then_some(row_home)
    }

    /// What the change makes of flags: also of those of a message on its way in. Where it is put is not among them.
    #[must_use]
    pub fn flags(&self, old: &MessageFlags) -> MessageFlags {
        let mut new = old.clone();
        if self.add.contains("unread") {
            new.system = new.system.without(Flag::Seen);
        }
        if self.remove.contains("unread") {
            new.system = new.system.with(Flag::Seen);
        }
        if let Some(flagged) = self.flagged {
            new.system = match flagged {
                true => new.system.with(Flag::Flagged),
                false => new.system.without(Flag::Flagged),
            };
        }
        new.keywords.retain(|keyword| !self.remove.contains(&label_of(keyword)));
        for label in self.add.iter().filter(|label| !super::is_system_label(label)) {
            let has = new.keywords.iter().any(|keyword| label_of(keyword) == *label);
            // It is one: it was looked at when the change was made.
            new.keywords.extend(keyword_of(label).filter(|_| !has));
        }
        new
    }
}

fn folded<T: AsRef<str>>(labels: &[T]) -> Result<BTreeSet<String>, LabelError> {
    let fold = |label: &T| {
        let label = label.as_ref().trim().to_lowercase();
        if is_server_label(&label) {
            return Err(LabelError::Server(label));
        }
        if label.chars().any(char::is_control) || keyword_of(&label).is_none() {
            return Err(LabelError::Malformed(label.chars().take(100).collect()));
        }
        Ok(label)
    };
    labels.iter().map(fold).collect()
}
