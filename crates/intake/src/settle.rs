//! Delivering what the queue has for an inbox here.
//!
//! What always holds: the inbox gets the message and the queue's item its final state in one commit, so the message is
//! there exactly if the history says so. The body is adopted, never written again.

use crate::deliver::{date_of, mailbox_for, received_as, summary_of};
use crate::incoming::Forward;
use crate::onward::{Onward, Passing, of_queue};
use crate::trace::queue_trace;
use crate::{Intake, IntakeError};
use bytes::Bytes;
use postroom_identity::{IdentityError, InboxRecord, Resolution};
use postroom_mailstore::{
    Announce, MAX_PREFIX_OCTETS, MailError, MailboxRef, NewMessage, Origin, Placing, ThreadChoice,
};
use postroom_message::{Verdict, count_received, fields};
use postroom_queue::{Destination, ItemId, Job, JobItem, OpenAttempt, Outcome, Reason};
use postroom_types::{BlobSpan, EmailAddress, EmailId, MessageFlags, ReversePath};

/// How often a commit is made anew when something else of the queue changed meanwhile.
const TRIES: usize = 16;

/// What came of delivering to an inbox here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The inbox has it, and the queue knows: nothing is left to do for this recipient.
    Delivered,
    /// It was not delivered; the attempt is to be closed with this.
    Refused(Outcome),
    /// The recipient was cancelled, or another process has the work now: nothing is to be done here.
    Gone,
}

impl Intake {
    /// Delivers a queued message to one recipient that is an inbox here, within an open attempt.
    ///
    /// # Errors
    /// [`IntakeError::Mail`]: it is not known what came of it, or the attempt is no longer ours; the attempt may be
    /// closed as deferred, which has no effect if the message was delivered after all.
    pub async fn deliver_queued(&self, job: &Job, attempt: &OpenAttempt, item: ItemId) -> Result<Settled, IntakeError> {
        let Some(wanted) = job.items.iter().find(|wanted| wanted.id == item) else {
            return Err(MailError::Cannot("the job has no such recipient").into());
        };
        let inbox = match self.recipient_inbox(job, &wanted.address).await? {
            Ok(inbox) => inbox,
            Err(outcome) => return Ok(Settled::Refused(outcome)),
        };
        if !self.identity.has_storage(inbox.organization).await.map_err(trouble)? {
            return Ok(Settled::Refused(deferred(452, "4.2.2", "Mailbox full")));
        }
        // Kept until the message is stored.
        let _room = self
            .large
            .room(usize::try_from(job.body.octets).unwrap_or(usize::MAX))
            .await;
        let span = BlobSpan {
            id: job.body.blob,
            offset: 0,
            octets: job.body.octets,
        };
        let Some(body) = self.mailstore.read_blob(span).await? else {
            tracing::error!(msg = %job.message, "the body of a queued message is gone");
            return Ok(Settled::Refused(bounced(
                554,
                "5.3.0",
                "The message is no longer stored",
            )));
        };
        let hops = count_received(&job.prefix) + count_received(&body);
        if hops > self.options.max_received {
            return Ok(Settled::Refused(bounced(554, "5.4.6", "Routing loop detected")));
        }
        let verdict = self.queued_verdict(job.message).await?;
        let id = EmailId::new();
        let message = self.queued_message(job, wanted, id, body, verdict.as_deref()).await?;
        let judged = verdict.as_deref().and_then(Verdict::decode).unwrap_or_default();
        // What the server itself tells a sender is not barred.
        let is_notice = job.reverse_path == ReversePath::Null && job.sender.is_none() && verdict.is_none();
        let is_barred = !is_notice
            && self
                .is_barred((&inbox).into(), inbox.id, &job.reverse_path, &message)
                .await?;
        let mailbox = match is_barred {
            true => MailboxRef::Blocked,
            false => mailbox_for(&judged),
        };
        let placing = Placing {
            inbox: inbox.id,
            mailbox,
            email_id: id,
            flags: MessageFlags::default(),
            internal_date: date_of(&message),
            thread: ThreadChoice::Find,
            announce: Some(Announce {
                organization: inbox.organization,
                received_as: received_as(mailbox, &judged),
            }),
        };
        let mut onward = Onward::new(verdict.unwrap_or_default(), None);
        if let (Some(forward), MailboxRef::Inbox) = (Forward::of(&inbox), mailbox) {
            let passing = Passing {
                reverse_path: &job.reverse_path,
                smtputf8: job.smtputf8,
                prefix: &message.prefix,
                content: &message.body,
                body: job.body,
                now_ms: message.received_at,
            };
            if let Some(copy) = self.forwarded(&passing, &forward, &message, &placing).await? {
                onward.queue(copy);
            }
        }
        self.settle(attempt, item, &message, placing, &onward).await
    }

    /// The inbox that takes mail for an address now, or why there is none: what a client would hear at RCPT. A notice goes
    /// to the inbox that sent what it is about, even if it takes no mail from others or has lost the address it sent
    /// from: otherwise nobody would hear of it. So does other mail with the null reverse-path that was taken from outside.
    async fn recipient_inbox(
        &self,
        job: &Job,
        address: &EmailAddress,
    ) -> Result<Result<InboxRecord, Outcome>, IntakeError> {
        if let (ReversePath::Null, None, Destination::Inbox(id)) = (&job.reverse_path, job.sender, &job.destination) {
            return match self.identity.inbox(*id).await {
                Ok(inbox) => Ok(Ok(inbox)),
                Err(IdentityError::NoSuchInbox) => Ok(Err(bounced(550, "5.1.1", "No such mailbox here"))),
                Err(error) => Err(trouble(error)),
            };
        }
        Ok(match self.identity.resolve(address).await.map_err(trouble)? {
            Resolution::Inbox(inbox) if inbox.receive_paused => {
                Err(bounced(550, "5.2.1", "Mailbox does not accept mail"))
            }
            Resolution::Inbox(inbox) => Ok(*inbox),
            Resolution::NoSuchMailbox | Resolution::NotLocal => Err(bounced(550, "5.1.1", "No such mailbox here")),
        })
    }

    /// What the queue has of mail from outside has its trace already; other mail gets one.
    async fn queued_message(
        &self,
        job: &Job,
        item: &JobItem,
        id: EmailId,
        body: Bytes,
        verdict: Option<&[u8]>,
    ) -> Result<NewMessage, IntakeError> {
        let now_ms = self.now_ms();
        let mut prefix = Vec::new();
        if !fields(&job.prefix).any(|field| field.is("Return-Path")) {
            let hostname = &self.options.hostname;
            let is_submitted = job.sender.is_some() && verdict.is_none();
            let trace = queue_trace(hostname, &job.reverse_path, is_submitted, &item.address, id, now_ms);
            // With names of the utmost length, what came with the message is worth more than our own trace.
            if trace.len() + job.prefix.len() <= MAX_PREFIX_OCTETS {
                prefix = trace.into_bytes();
            }
        }
        prefix.extend_from_slice(&job.prefix);
        Ok(NewMessage {
            summary: summary_of(&body, prefix.len()).await?,
            body,
            prefix,
            origin: Origin::Received,
            received_at: now_ms,
            verdict: verdict.unwrap_or_default().to_vec(),
            shared_body: Some(job.body.blob),
        })
    }

    async fn settle(
        &self,
        attempt: &OpenAttempt,
        item: ItemId,
        message: &NewMessage,
        placing: Placing,
        onward: &Onward,
    ) -> Result<Settled, IntakeError> {
        for _ in 0..TRIES {
            let Some(mut builder) = self.queue.settle_locally(attempt, item).await.map_err(of_queue)? else {
                return Ok(Settled::Gone);
            };
            let enqueued = self.add_onward(onward, &mut builder).await?;
            match self
                .mailstore
                .deliver_with(message, vec![placing.clone()], &builder)
                .await
            {
                Ok(_) => {}
                // Done by an earlier try, or something else of the message changed: another of its recipients.
                Err(MailError::Conflict(_) | MailError::Unavailable) => {
                    if !self.queue.is_settled(attempt, item).await.map_err(of_queue)? {
                        continue;
                    }
                }
                Err(error) => return refused(error),
            }
            for enqueued in &enqueued {
                self.queue.committed(enqueued);
            }
            if let Some(announce) = &placing.announce {
                self.identity.note_stored(announce.organization, message.octets());
            }
            return Ok(Settled::Delivered);
        }
        Err(MailError::Unavailable.into())
    }
}

/// What the next try may mend is deferred, the rest is told to the sender.
fn refused(error: MailError) -> Result<Settled, IntakeError> {
    let outcome = match error {
        MailError::OverQuota(_) => deferred(452, "4.2.2", "Mailbox full"),
        MailError::Full => deferred(452, "4.3.1", "Out of space"),
        MailError::NoSuchInbox(_) => bounced(550, "5.1.1", "No such mailbox here"),
        MailError::TooBig => bounced(552, "5.3.4", "Message too big"),
        error => return Err(error.into()),
    };
    Ok(Settled::Refused(outcome))
}

fn reason(code: u16, status: &str, text: &str) -> Reason {
    Reason {
        code,
        status: status.to_owned(),
        text: text.to_owned(),
    }
}

fn bounced(code: u16, status: &str, text: &str) -> Outcome {
    Outcome::Bounced(reason(code, status, text))
}

fn deferred(code: u16, status: &str, text: &str) -> Outcome {
    Outcome::Deferred(reason(code, status, text))
}

/// Not being able to look somebody up is trouble of the store.
pub(crate) fn trouble(error: IdentityError) -> IntakeError {
    IntakeError::Mail(match error {
        IdentityError::Mail(error) => error,
        IdentityError::Store(error) => MailError::Store(error),
        IdentityError::Full => MailError::Full,
        error => {
            tracing::error!(%error, "cannot look up a recipient");
            MailError::Unavailable
        }
    })
}
