//! Taking a submission: the copy in Sent, the queue, the idempotency record and the limits, in one commit.
//!
//! What always holds: the id is chosen once for each call, and the queue puts its row under Absent, so whatever is
//! repeated after an unknown outcome is taken once.

use crate::idempotency::{Known, Replay};
use crate::limits::{Limit, Reservation};
use crate::options::SaveSent;
use crate::prepare::Prepared;
use crate::submission::{Alongside, Submission, Submitted, Via};
use crate::turns::Turn;
use crate::{Intake, SubmitError, keys};
use postroom_feed::{NewEvent, What, announce};
use postroom_identity::InboxRecord;
use postroom_mailstore::{MailError, MailboxRef, NewMessage, Origin, Placing, ThreadChoice};
use postroom_message::summarize;
use postroom_queue::{Destination, Enqueued, NewQueued, NewRecipient, QueueError, QueuedBody};
use postroom_store::{CommitBuilder, StoreError};
use postroom_types::{Flag, Flags, InternalDate, MessageFlags, SpecialUse};
use std::sync::Arc;
use std::time::Duration;

/// How often a submission is decided anew when others were faster or the outcome is unknown.
const TRIES: u32 = 24;

/// What a submission stands to use, as it is decided in one try.
struct Decision {
    replay: Option<Replay>,
    reservation: Option<Reservation>,
    /// Of the organization's day.
    together: Option<Reservation>,
    turn: Option<Turn>,
}

impl Intake {
    /// Takes a message that an inbox wants sent: completes it, checks it against who the inbox is and what it may, signs
    /// it, and puts it into Sent and into the queue. Durable on return.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was kept. [`SubmitError::Unavailable`]: it is not known; repeated with the same
    /// idempotency key it is done once.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        self.submit_with(submission, Alongside::default()).await
    }

    /// As [`submit`](Self::submit), in one commit with what the caller asks for.
    ///
    /// # Errors
    /// Also [`SubmitError::Conflict`].
    pub async fn submit_with(&self, submission: Submission, alongside: Alongside) -> Result<Submitted, SubmitError> {
        // First of all, since what was done once needs no permission now.
        if let Known::Done(submitted) = self.recall(&submission.inbox, submission.idempotency.as_ref()).await? {
            return Ok(submitted);
        }
        let prepared = self.prepare(submission, alongside).await?;
        for attempt in 0..TRIES {
            if attempt > 0 {
                pause(attempt).await;
            }
            let replay = match self.recall(&prepared.inbox, prepared.idempotency.as_ref()).await? {
                Known::New(replay) => replay,
                Known::Done(done) => {
                    let replayed = done.id != prepared.id;
                    return Ok(Submitted { replayed, ..done });
                }
            };
            let decision = self.decide(&prepared, replay).await?;
            if let Some(submitted) = self.take(&prepared, decision).await? {
                return Ok(submitted);
            }
        }
        Err(SubmitError::Unavailable)
    }

    async fn decide(&self, prepared: &Prepared, replay: Option<Replay>) -> Result<Decision, SubmitError> {
        let inbox = &prepared.inbox;
        let addresses: Vec<_> = prepared
            .recipients
            .iter()
            .map(|recipient| recipient.address.clone())
            .collect();
        let mut known: Vec<_> = inbox.addresses().cloned().collect();
        if let Some(answered) = &prepared.answered {
            known.extend(answered.participants.iter().cloned());
        }
        Ok(Decision {
            replay,
            reservation: self.reserve(inbox.id, self.limit(prepared), &addresses, &known).await?,
            together: self
                .reserve_together(inbox.organization, prepared.organization_a_day)
                .await?,
            turn: self.machine_turn(prepared).await?,
        })
    }

    /// The turn that this is in a conversation between machines.
    async fn machine_turn(&self, prepared: &Prepared) -> Result<Option<Turn>, SubmitError> {
        let inbox = prepared.inbox.id;
        let automated = prepared.completed.auto_submitted;
        if let Some(answered) = &prepared.answered {
            let is_machine = automated || prepared.via == Via::Api;
            return self.turn(inbox, Some(answered).filter(|_| is_machine)).await;
        }
        let is_other = |recipient: &NewRecipient| match recipient.destination {
            Destination::Inbox(peer) => Some(peer).filter(|peer| *peer != inbox),
            Destination::Domain(_) => None,
        };
        // Who writes to many at once does not answer one.
        match prepared.recipients.as_slice() {
            [only] if automated => match is_other(only) {
                Some(peer) => Ok(Some(self.unthreaded_turn(inbox, peer).await?)),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Sends the commit. `None`: it was not done, and is to be decided anew.
    async fn take(&self, prepared: &Prepared, decision: Decision) -> Result<Option<Submitted>, SubmitError> {
        let Decision {
            replay,
            reservation,
            together,
            turn,
        } = decision;
        let held = turn.as_ref().is_some_and(Turn::is_too_many);
        let copy = self.copy(prepared);
        let submitted = Submitted {
            id: prepared.id,
            thread_id: prepared.thread_id,
            message_id: prepared.completed.message_id.clone(),
            octets: copy.octets(),
            replayed: false,
            held,
        };
        let mut builder = prepared.alongside.commit.clone();
        let queued = self.queued(prepared, held);
        let body = prepared.completed.content.clone();
        let enqueued = self.queue.enqueue(&mut builder, &queued, Some(body))?;
        announce_sent(&mut builder, &prepared.inbox, &queued, prepared.alongside.forwards);
        if let Some(replay) = &replay {
            self.remember(&mut builder, replay, &submitted);
        }
        for reservation in reservation.iter().chain(&together) {
            reservation.count(&mut builder, prepared.now_ms);
        }
        if let Some(turn) = &turn {
            turn.count(&mut builder);
        }
        let done = match self.mailstore.deliver_with(&copy, self.sent(prepared), &builder).await {
            Ok(_) => true,
            // A condition of ours, perhaps since an earlier try was done after all; or no answer, which may be the same.
            Err(MailError::Conflict(key)) => match self.is_queued(prepared).await? {
                false if !keys::is_own(&key) => return Err(SubmitError::Conflict),
                done => done,
            },
            Err(MailError::Unavailable) => self.is_queued(prepared).await?,
            Err(error) => return Err(error.into()),
        };
        if !done {
            return Ok(None);
        }
        for reservation in reservation.into_iter().chain(together) {
            reservation.keep();
        }
        self.committed(prepared, &enqueued, held);
        Ok(Some(submitted))
    }

    fn committed(&self, prepared: &Prepared, enqueued: &Enqueued, held: bool) {
        self.queue.committed(enqueued);
        let octets = prepared.completed.content.len() as u64;
        self.identity.note_stored(prepared.inbox.organization, octets);
        if held {
            let (msg, inbox) = (prepared.id, prepared.inbox.id);
            tracing::warn!(%msg, %inbox, "held: too many automated turns, the operator can let it go");
        }
    }

    async fn is_queued(&self, prepared: &Prepared) -> Result<bool, SubmitError> {
        Ok(!self.queue.recipients(prepared.id).await?.is_empty())
    }

    /// What counts for an inbox. 0 is without limit, here as in what the operator sets for all.
    fn limit(&self, prepared: &Prepared) -> Limit {
        let inbox = &prepared.inbox;
        let general = self.options.send_limits.as_ref();
        let of = |own: Option<u32>, general: Option<u32>| own.or(general).filter(|limit| *limit != 0);
        Limit {
            messages: of(inbox.daily_messages, general.map(|limits| limits.messages)),
            new_recipients: of(inbox.daily_new_recipients, general.map(|limits| limits.new_recipients)),
            recipients: prepared.recipients_a_day,
        }
    }

    /// The sender's copy. It shows who got it blindly, and has no trace of its own way.
    fn copy(&self, prepared: &Prepared) -> NewMessage {
        let prefix = prepared.copy_prefix.clone();
        let mut summary = prepared.summary.clone();
        if !prefix.is_empty() {
            summary.root.lower(prefix.len() as u64);
            summary.envelope.bcc = summarize(&prefix).envelope.bcc;
        }
        NewMessage {
            body: prepared.completed.content.clone(),
            prefix,
            summary: Arc::new(summary),
            origin: Origin::Sent,
            received_at: prepared.now_ms,
            verdict: Vec::new(),
            shared_body: Some(prepared.blob),
        }
    }

    /// Where the copy goes: into Sent, or nowhere.
    fn sent(&self, prepared: &Prepared) -> Vec<Placing> {
        if self.options.save_sent == SaveSent::Never && prepared.via != Via::Api {
            return Vec::new();
        }
        vec![Placing {
            inbox: prepared.inbox.id,
            mailbox: MailboxRef::Special(SpecialUse::Sent),
            email_id: prepared.id,
            flags: MessageFlags {
                system: Flags::NONE.with(Flag::Seen),
                keywords: prepared.alongside.keywords.clone(),
            },
            internal_date: InternalDate::utc(prepared.now_ms.div_euclid(1000)),
            thread: ThreadChoice::Given(prepared.thread_id),
            announce: None,
        }]
    }

    fn queued(&self, prepared: &Prepared, held: bool) -> NewQueued {
        let completed = &prepared.completed;
        NewQueued {
            id: prepared.id,
            sender: Some(prepared.inbox.id),
            organization: Some(prepared.inbox.organization),
            reverse_path: prepared.reverse_path.clone(),
            verp: true,
            prefix: prepared.prefix.clone(),
            body: QueuedBody {
                blob: prepared.blob,
                octets: completed.content.len() as u64,
            },
            eight_bit: completed.eight_bit || !prepared.prefix.is_ascii(),
            smtputf8: matches!(prepared.via, Via::Smtp { smtputf8: true, .. }),
            recipients: prepared.recipients.clone(),
            created_at: prepared.now_ms,
            held: held.then(|| "loop breaker: too many automated turns within a day".to_owned()),
        }
    }
}

/// That a message was taken, and whether it is kept back for now.
fn announce_sent(builder: &mut CommitBuilder, inbox: &InboxRecord, queued: &NewQueued, forwarded: bool) {
    let message = queued.id;
    let event = |what| NewEvent {
        at: queued.created_at,
        inbox: Some(inbox.id),
        what,
    };
    let rejected = queued.held.clone().map(|reason| What::Rejected { message, reason });
    let events = [Some(What::Sent { message, forwarded }), rejected];
    let events: Vec<_> = events.into_iter().flatten().map(event).collect();
    announce(builder, inbox.organization, &events);
}

/// Random enough to part those who collide.
async fn pause(attempt: u32) {
    let dice = u64::from(postroom_types::EmailId::new().as_bytes()[15]);
    tokio::time::sleep(Duration::from_micros(dice * u64::from(attempt))).await;
}

impl From<MailError> for SubmitError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::OverQuota(_) => Self::OverQuota,
            MailError::Full => Self::Full,
            MailError::Unavailable => Self::Unavailable,
            error => Self::Mail(error),
        }
    }
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        Self::Mail(error.into())
    }
}

impl From<QueueError> for SubmitError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Full => Self::Full,
            QueueError::Busy | QueueError::LeaseLost | QueueError::Withdrawn => Self::Unavailable,
            QueueError::Store(error) => error.into(),
            QueueError::Invalid(_) => Self::Queue(error),
        }
    }
}
