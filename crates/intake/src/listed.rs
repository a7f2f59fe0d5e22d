//! Allow and block lists on the way out and in, and what an agent may send that nobody has confirmed.
//!
//! What always holds: what lists bar from going out is refused as a whole, before anything is kept; what they bar from
//! coming in is kept, out of sight, and its sender is told nothing.

use crate::answered::address_of;
use crate::settle::trouble;
use crate::{Intake, IntakeError, SubmitError};
use postroom_identity::{AgentLimits, Direction, EntryScope, IdentityError};
use postroom_mailstore::{NewMessage, Origin};
use postroom_types::{EmailAddress, InboxId, ReversePath, RuleId};

/// Why an agent may not write to somebody.
const UNCONFIRMED: &str = "an agent that no human has confirmed writes to its human alone";

/// Somebody to whom an inbox may not write.
pub(crate) struct Barred {
    pub(crate) recipient: EmailAddress,
    pub(crate) why: String,
    /// The contact rule that bars it.
    rule: Option<RuleId>,
}

impl Intake {
    /// Asks the lists and the limits of an agent about the recipients of a submission.
    pub(crate) async fn check_recipients(
        &self,
        scope: EntryScope,
        agent: Option<&AgentLimits>,
        recipients: &[EmailAddress],
    ) -> Result<(), SubmitError> {
        match self.refusal(scope, agent, recipients).await? {
            None => Ok(()),
            Some(Barred { recipient, why, rule }) => Err(SubmitError::Rejected { recipient, why, rule }),
        }
    }

    /// The first recipient that an inbox may not write to, and why.
    pub(crate) async fn refusal(
        &self,
        scope: EntryScope,
        agent: Option<&AgentLimits>,
        recipients: &[EmailAddress],
    ) -> Result<Option<Barred>, IdentityError> {
        if let Some(limits) = agent {
            let is_human = |to: &&EmailAddress| limits.only_to.as_ref() == Some(&to.folded());
            if let Some(stranger) = recipients.iter().find(|to| !is_human(to)) {
                return Ok(Some(Barred {
                    recipient: stranger.clone(),
                    why: UNCONFIRMED.into(),
                    rule: None,
                }));
            }
        }
        let lists = self.identity.lists_over(&scope).await?;
        let refusal = self.identity.list_verdict(&lists, Direction::Send, recipients).await?;
        Ok(refusal.map(|refusal| Barred {
            why: refusal.to_string(),
            recipient: refusal.address,
            rule: refusal.rule,
        }))
    }

    /// Whether the lists of an inbox bar a message on its way in.
    pub(crate) async fn is_barred(
        &self,
        scope: EntryScope,
        inbox: InboxId,
        reverse_path: &ReversePath,
        message: &NewMessage,
    ) -> Result<bool, IntakeError> {
        let lists = self.identity.lists_over(&scope).await.map_err(trouble)?;
        if !lists.has(Direction::Receive) && !lists.has(Direction::Reply) {
            return Ok(false);
        }
        let direction = match self.answers_own(inbox, message).await? {
            true => Direction::Reply,
            false => Direction::Receive,
        };
        let from = message.summary.envelope.from.iter().flatten();
        let mut authors: Vec<EmailAddress> = from.filter_map(address_of).collect();
        if authors.is_empty()
            && let ReversePath::Mailbox(sender) = reverse_path
        {
            authors.push(sender.clone());
        }
        if authors.is_empty() {
            // Nobody can be found on an allow list, or on a block list.
            return Ok(lists.admits_only_listed(direction));
        }
        let refusal = self.identity.list_verdict(&lists, direction, &authors).await;
        let mut refusal = refusal.map_err(trouble)?;
        if let (None, ReversePath::Mailbox(sender)) = (&refusal, reverse_path) {
            refusal = self.identity.bars_envelope(&lists, sender).await.map_err(trouble)?;
        }
        if let Some(refusal) = &refusal {
            tracing::info!(%inbox, from = %refusal.address, reason = %refusal, "blocked");
        }
        Ok(refusal.is_some())
    }

    /// Whether In-Reply-To names a message that the inbox sent.
    async fn answers_own(&self, inbox: InboxId, message: &NewMessage) -> Result<bool, IntakeError> {
        let Some(in_reply_to) = &message.summary.envelope.in_reply_to else {
            return Ok(false);
        };
        let text = String::from_utf8_lossy(in_reply_to);
        for ancestor in &message.summary.ancestors {
            if !text.contains(ancestor.as_str()) {
                continue;
            }
            for id in self.mailstore.find_message_ids(inbox, ancestor).await? {
                let record = self.mailstore.message(inbox, id).await?;
                if record.is_some_and(|record| record.origin == Origin::Sent) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
