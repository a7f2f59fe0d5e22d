//! What is to be said, written as a message.
//!
//! What always holds: From is the inbox's primary address; every value that becomes a header field is one line.

use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_mailstore::ThreadChoice;
use postroom_message::{ComposeError, Mailbox, Outgoing, OutgoingAttachment, compose};
use postroom_types::{EmailAddress, EmailId};
use std::collections::HashSet;

/// What is to be said, and to whom.
#[derive(Clone, Debug, Default)]
pub struct Letter {
    /// To.
    pub to: Vec<Mailbox>,
    /// Cc.
    pub cc: Vec<Mailbox>,
    /// Bcc: in the message that intake gets, which takes it out for all but the sender's own copy.
    pub bcc: Vec<Mailbox>,
    /// Reply-To.
    pub reply_to: Vec<Mailbox>,
    /// Subject, on one line.
    pub subject: String,
    /// The text.
    pub plain: Option<String>,
    /// The text as HTML.
    pub html: Option<String>,
    /// Files, in order.
    pub attachments: Vec<OutgoingAttachment>,
    /// Further header fields: name and value.
    pub headers: Vec<(String, String)>,
    /// Whether a program wrote it, as far as its owner says. RFC 3834 §5 wants such mail marked, and loop breakers, ours
    /// included, count on the mark. What comes over an API is taken for a program's unless the request says that a person
    /// wrote it.
    pub automated: bool,
}

/// What it answers.
#[derive(Clone, Debug)]
pub struct Context {
    /// Its thread in the inbox.
    pub thread: ThreadChoice,
    /// The message that it answers.
    pub answers: Option<EmailId>,
    /// In-Reply-To, without angle brackets.
    pub in_reply_to: Option<String>,
    /// References, oldest first, without angle brackets.
    pub references: Vec<String>,
}

impl Context {
    /// Of mail that answers nothing.
    #[must_use]
    pub const fn new_thread() -> Self {
        Self {
            thread: ThreadChoice::New,
            answers: None,
            in_reply_to: None,
            references: Vec::new(),
        }
    }
}

/// A message ready for intake.
#[derive(Clone, Debug)]
pub struct Written {
    /// The message, Bcc and all.
    pub content: Bytes,
    /// Each address of To, Cc and Bcc once.
    pub recipients: Vec<EmailAddress>,
    /// Its thread in the inbox.
    pub thread: ThreadChoice,
    /// The message that it answers.
    pub answers: Option<EmailId>,
}

impl Letter {
    /// Writes the message that an inbox sends.
    ///
    /// # Errors
    /// [`ComposeError`] names the field that cannot be written.
    pub fn write(self, inbox: &InboxRecord, context: Context) -> Result<Written, ComposeError> {
        let recipients = self.recipients();
        let (thread, answers) = (context.thread, context.answers);
        let mark = auto_submitted(self.automated, answers.is_some());
        let outgoing = self.outgoing(inbox, context, new_message_id(inbox), mark);
        Ok(Written {
            content: compose(&outgoing)?.into(),
            recipients,
            thread,
            answers,
        })
    }

    /// Each address of To, Cc and Bcc once, in order.
    #[must_use]
    pub fn recipients(&self) -> Vec<EmailAddress> {
        let mut seen = HashSet::new();
        let addressed = self.to.iter().chain(&self.cc).chain(&self.bcc);
        let addresses = addressed.map(|mailbox| mailbox.address.clone());
        addresses.filter(|address| seen.insert(address.clone())).collect()
    }

    pub(crate) fn outgoing(
        self,
        inbox: &InboxRecord,
        context: Context,
        message_id: String,
        auto_submitted: Option<&'static str>,
    ) -> Outgoing {
        Outgoing {
            from: Mailbox {
                name: inbox.display_name.clone(),
                address: inbox.primary.clone(),
            },
            auto_submitted,
            to: self.to,
            cc: self.cc,
            bcc: self.bcc,
            reply_to: self.reply_to,
            subject: self.subject,
            text: self.plain,
            html: self.html,
            attachments: self.attachments,
            in_reply_to: context.in_reply_to,
            references: context.references,
            extra: self.headers,
            date_seconds: jiff::Timestamp::now().as_second(),
            message_id,
        }
    }
}

/// A Message-ID for what an inbox writes, without angle brackets.
pub(crate) fn new_message_id(inbox: &InboxRecord) -> String {
    format!("{}@{}", EmailId::new(), inbox.primary.domain())
}

/// What RFC 3834 §5 calls a message that a program wrote: in answer to another, or of its own accord.
pub(crate) fn auto_submitted(automated: bool, is_answer: bool) -> Option<&'static str> {
    match (automated, is_answer) {
        (false, _) => None,
        (true, true) => Some("auto-replied"),
        (true, false) => Some("auto-generated"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        assert_eq!(auto_submitted(true, false), Some("auto-generated"));
        assert_eq!(auto_submitted(true, true), Some("auto-replied"));
        assert_eq!(
            (auto_submitted(false, false), auto_submitted(false, true)),
            (None, None)
        );
    }
}
