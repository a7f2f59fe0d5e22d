//! What is done to a submission before it is decided upon: completed, looked at, signed. Nothing here is durable.

use crate::answered::Answered;
use crate::blind::blind_prefix;
use crate::sender::{check_authors, check_reverse_path};
use crate::submission::{Alongside, Idempotency, Submission, Via};
use crate::trace::submission_received;
use crate::{Intake, SubmitError};
use bytes::Bytes;
use postroom_identity::{IdentityError, InboxRecord, Standing};
use postroom_mailstore::{MAX_PREFIX_OCTETS, ThreadChoice};
use postroom_message::{CompleteError, Completed, complete, count_received, summarize};
use postroom_queue::NewRecipient;
use postroom_types::{BlobId, Domain, EmailId, InboxId, ReversePath, Summary, ThreadId};

/// Completing and signing read all of a message: what is larger than this is not done between two other tasks' turns.
const QUICK_OCTETS: usize = 256 << 10;

/// A submission, ready to be taken.
pub(crate) struct Prepared {
    pub(crate) id: EmailId,
    pub(crate) blob: BlobId,
    pub(crate) inbox: InboxRecord,
    pub(crate) via: Via,
    pub(crate) reverse_path: ReversePath,
    pub(crate) recipients: Vec<NewRecipient>,
    /// Most recipients a day, while nobody has confirmed the agent that sends.
    pub(crate) recipients_a_day: Option<u32>,
    /// Most messages a day of all inboxes of its organization.
    pub(crate) organization_a_day: Option<u32>,
    pub(crate) completed: Completed,
    pub(crate) summary: Summary,
    /// What the sender's copy has on top of the content.
    pub(crate) copy_prefix: Vec<u8>,
    /// What goes out on top of the content.
    pub(crate) prefix: Vec<u8>,
    pub(crate) answered: Option<Answered>,
    pub(crate) thread_id: ThreadId,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) alongside: Alongside,
    pub(crate) now_ms: i64,
}

impl Intake {
    pub(crate) async fn prepare(&self, submission: Submission, alongside: Alongside) -> Result<Prepared, SubmitError> {
        let Submission { inbox, content, .. } = submission;
        check_reverse_path(&inbox, &submission.reverse_path)?;
        if inbox.send_paused {
            return Err(SubmitError::SendPaused);
        }
        let owner = self.identity.organization(inbox.organization).await?;
        if owner.standing() == Standing::Suspended {
            return Err(SubmitError::Suspended);
        }
        if !self.identity.has_storage(owner.id).await? {
            return Err(SubmitError::StorageLimit);
        }
        // Its organization may have given the domain up.
        if !self.identity.may_send_from(inbox.organization, inbox.primary.domain()) {
            return Err(IdentityError::DomainNotAvailable.into());
        }
        let octets = content.len() as u64;
        if octets > self.options.max_message_octets {
            return Err(SubmitError::TooBig { octets });
        }
        let now_ms = self.now_ms();
        let content = self.without_forgeries(&content);
        let completed = completed(content, inbox.primary.domain().clone(), now_ms.div_euclid(1000)).await?;
        check_authors(&inbox, &completed)?;
        // Made 7-bit it may be larger: better refused now than by the next server.
        let octets = completed.content.len() as u64;
        if octets > self.options.max_message_octets {
            return Err(SubmitError::TooBig { octets });
        }
        let hops = count_received(&completed.content);
        if hops > self.options.max_received {
            return Err(SubmitError::Loop { hops });
        }
        let recipients = self.line_up(&submission.recipients, alongside.bounces_unknown).await?;
        let agent = self.identity.sending_limits(inbox.organization).await?;
        self.check_recipients((&inbox).into(), agent.as_ref(), &submission.recipients)
            .await?;
        let in_reply_to = completed.in_reply_to.as_deref();
        let answered = self.answered(inbox.id, submission.answers, in_reply_to).await?;
        let via = submission.via;
        let (completed, recipients, summary, copy_prefix) = looked_at(completed, recipients, via.clone())
            .await
            .ok_or(SubmitError::Unavailable)?;
        let thread_id = self.thread(inbox.id, submission.thread, &summary).await?;
        let id = alongside.id.unwrap_or_else(EmailId::new);
        let signatures = self.sign(completed.from[0].domain(), &completed.content).await?;
        let received = submission_received(&self.options.hostname, &via, id, now_ms);
        Ok(Prepared {
            id,
            blob: BlobId::new(),
            via,
            reverse_path: submission.reverse_path,
            recipients,
            recipients_a_day: agent.map(|agent| agent.recipients_a_day),
            organization_a_day: owner.daily_messages,
            summary,
            copy_prefix,
            prefix: self.prefix(received, signatures),
            answered,
            thread_id,
            idempotency: submission.idempotency,
            alongside,
            now_ms,
            completed,
            inbox,
        })
    }

    /// Decided here and not by the mail store, since the answer to a repeated request has it too.
    async fn thread(&self, inbox: InboxId, choice: ThreadChoice, summary: &Summary) -> Result<ThreadId, SubmitError> {
        match choice {
            ThreadChoice::Given(thread_id) => return Ok(thread_id),
            ThreadChoice::New => return Ok(ThreadId::new()),
            ThreadChoice::Find => {}
        }
        for ancestor in &summary.ancestors {
            let Some(id) = self.mailstore.find_message_id(inbox, ancestor).await? else {
                continue;
            };
            if let Some(record) = self.mailstore.message(inbox, id).await? {
                return Ok(record.thread_id);
            }
        }
        Ok(ThreadId::new())
    }

    /// The DKIM-Signature fields of the From domain; empty if it has no keys.
    async fn sign(&self, domain: &Domain, content: &Bytes) -> Result<Vec<u8>, SubmitError> {
        let Some(signer) = self.identity.signer(domain).await? else {
            self.warn_unsigned(domain);
            return Ok(Vec::new());
        };
        let (octets, content) = (content.len(), content.clone());
        let signed = worked(octets, move || signer.sign(&content)).await;
        signed.ok_or(SubmitError::Unavailable)?.map_err(|error| {
            tracing::error!(%domain, %error, "cannot sign");
            SubmitError::Unavailable
        })
    }

    /// Without its keys a domain's mail goes out all the same, but it should not stay so.
    fn warn_unsigned(&self, domain: &Domain) {
        if self.is_first_unsigned(domain) {
            tracing::warn!(%domain, "mail from this domain is not signed: it has no keys");
        }
    }

    /// Received above the signatures, which do not cover it.
    fn prefix(&self, received: String, signatures: Vec<u8>) -> Vec<u8> {
        if received.len() + signatures.len() <= MAX_PREFIX_OCTETS {
            [received.into_bytes(), signatures].concat()
        } else {
            // Our own trace is the one that can be missed. Two signatures by names of the utmost length fit.
            signatures
        }
    }
}

async fn completed(content: Bytes, domain: Domain, now_seconds: i64) -> Result<Completed, SubmitError> {
    let octets = content.len();
    let work = move || complete(content, &domain, now_seconds);
    let completed = worked(octets, work).await.ok_or(SubmitError::Unavailable)?;
    completed.map_err(malformed)
}

/// The summary, and what stands before the sender's copy.
async fn looked_at(
    completed: Completed,
    recipients: Vec<NewRecipient>,
    via: Via,
) -> Option<(Completed, Vec<NewRecipient>, Summary, Vec<u8>)> {
    let octets = completed.content.len() + completed.bcc.len();
    let look = move || {
        let prefix = blind_prefix(&completed, &via, &recipients);
        let summary = summarize(&completed.content);
        (completed, recipients, summary, prefix)
    };
    worked(octets, look).await
}

/// Does work that grows with a message: where that is large, beside the executor. `None`: the runtime is shutting down.
pub(crate) async fn worked<T: Send + 'static>(octets: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if octets <= QUICK_OCTETS {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

fn malformed(error: CompleteError) -> SubmitError {
    match error {
        CompleteError::Malformed(reason) => SubmitError::Malformed(reason),
    }
}
