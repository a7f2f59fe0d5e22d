//! Mail from outside to local inboxes, and messages that a client brings itself (APPEND).

use crate::incoming::{Accepted, Appended, Incoming, LocalRecipient};
use crate::onward::{Onward, Passing};
use crate::prepare::worked;
use crate::trace::{timestamp, trace_fields};
use crate::{Intake, IntakeError};
use bytes::Bytes;
use postroom_feed::ReceivedAs;
use postroom_mailstore::{
    Announce, MAX_PLACINGS, MAX_VERDICT_OCTETS, MailError, MailboxRef, NewMessage, Origin, Placed, Placing,
    ThreadChoice,
};
use postroom_message::{
    Disposition, Verdict, count_from, count_received, is_authentication_results_of, remove_fields, summarize,
};
use postroom_queue::QueuedBody;
use postroom_store::CommitBuilder;
use postroom_types::{
    BlobId, EmailId, InboxId, InternalDate, MailboxId, MessageFlags, SpecialUse, Summary, Uid, UidValidity,
};
use std::sync::Arc;

/// What a sender wrote never makes a verdict that cannot be stored.
const _: () = assert!(Verdict::MAX_STORED_OCTETS <= MAX_VERDICT_OCTETS);

/// How often a commit is made anew when something of the queue changed meanwhile.
const TRIES: usize = 16;

impl Intake {
    /// Delivers to every recipient or to none, in one commit; beyond the first 16 inboxes the others get it from the
    /// queue, into which the same commit puts it. So it does with what inboxes send on, and with what a report says of
    /// mail sent from here. Durable on return.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing was kept, or for [`MailError::Unavailable`] the outcome is unknown and the client
    /// should send again.
    pub async fn deliver_local(&self, incoming: Incoming) -> Result<Accepted, IntakeError> {
        self.check(&incoming)?;
        let id = EmailId::new();
        let now_ms = self.now_ms();
        let incoming = Incoming {
            content: self.without_forgeries(&incoming.content),
            ..incoming
        };
        let prefix = trace_fields(&incoming, &self.options.hostname, id, timestamp(now_ms)).into_bytes();
        let (first, others) = split(&incoming.recipients);
        let blob = BlobId::new();
        let mut message = NewMessage {
            summary: summary_of(&incoming.content, prefix.len()).await?,
            body: incoming.content.clone(),
            prefix,
            origin: Origin::Received,
            received_at: now_ms,
            verdict: incoming.verdict.encode(),
            shared_body: None,
        };
        let mailbox = mailbox_for(&incoming.verdict);
        let mut placings = placings(&first, id, (mailbox, &incoming.verdict), date_of(&message));
        self.bar(&incoming, &message, first.iter().zip(&mut placings)).await?;
        let onward = self
            .onward(&incoming, &message, blob, first.iter().zip(&placings), &others)
            .await?;
        message.shared_body = onward.shares_body().then_some(blob);
        let placed = self
            .deliver_onward(&message, placings, &onward)
            .await
            .map_err(|error| name_inbox(error, &incoming.recipients))?;
        for recipient in &first {
            self.identity.note_stored(recipient.organization, message.octets());
        }
        Ok(Accepted {
            id,
            octets: message.octets(),
            message_id: message.summary.message_id.clone(),
            placed,
            queued: others.iter().map(|recipient| recipient.inbox).collect(),
        })
    }

    /// Places what the lists of an inbox bar out of its sight. A report to a bounce address is about its own mail.
    async fn bar(
        &self,
        incoming: &Incoming,
        message: &NewMessage,
        placed: impl Iterator<Item = (&LocalRecipient, &mut Placing)>,
    ) -> Result<(), IntakeError> {
        for (recipient, placing) in placed {
            let (lists, inbox) = (recipient.lists(), recipient.inbox);
            if recipient.bounce.is_none() && self.is_barred(lists, inbox, &incoming.reverse_path, message).await? {
                placing.mailbox = MailboxRef::Blocked;
                if let Some(announce) = &mut placing.announce {
                    announce.received_as = ReceivedAs::Blocked;
                }
            }
        }
        Ok(())
    }

    /// What goes onward of a message that comes in, with its body as this blob.
    async fn onward(
        &self,
        incoming: &Incoming,
        message: &NewMessage,
        blob: BlobId,
        first: impl Iterator<Item = (&LocalRecipient, &Placing)>,
        others: &[LocalRecipient],
    ) -> Result<Onward, IntakeError> {
        let passing = Passing {
            reverse_path: &incoming.reverse_path,
            smtputf8: incoming.smtputf8,
            prefix: &message.prefix,
            content: &message.body,
            body: QueuedBody {
                blob,
                octets: message.body.len() as u64,
            },
            now_ms: message.received_at,
        };
        let mut onward = Onward::new(incoming.verdict.encode(), Some(incoming.content.clone()));
        onward.read_reports(&incoming.recipients, &incoming.content);
        if !others.is_empty() {
            onward.queue(self.overflow(&passing, others));
        }
        for (recipient, placing) in first {
            if placing.mailbox == MailboxRef::Inbox
                && let Some(forward) = &recipient.forward
                && let Some(copy) = self.forwarded(&passing, forward, message, placing).await?
            {
                onward.queue(copy);
            }
        }
        Ok(onward)
    }

    /// Delivers in one commit with what goes onward.
    async fn deliver_onward(
        &self,
        message: &NewMessage,
        placings: Vec<Placing>,
        onward: &Onward,
    ) -> Result<Vec<Placed>, IntakeError> {
        for _ in 0..TRIES {
            let mut builder = CommitBuilder::new();
            let enqueued = self.add_onward(onward, &mut builder).await?;
            let delivered = self.mailstore.deliver_with(message, placings.clone(), &builder).await;
            let placed = match delivered {
                // Something of the queue changed meanwhile, perhaps since an earlier try was done after all.
                Err(MailError::Conflict(_)) if !self.is_onward(onward).await? => continue,
                Err(MailError::Conflict(_)) => self.mailstore.deliver(message, placings).await?,
                delivered => delivered?,
            };
            for enqueued in &enqueued {
                self.queue.committed(enqueued);
            }
            self.note_failures(&onward.failures()).await;
            return Ok(placed);
        }
        Err(MailError::Unavailable.into())
    }

    /// Appends a message that a client brings (RFC 9051 §6.3.12). It is kept byte for byte, without trace fields.
    /// Without `internal_date` its date is now, in UTC.
    ///
    /// # Errors
    /// As for [`deliver_local`](Self::deliver_local).
    pub async fn append(
        &self,
        inbox: InboxId,
        mailbox: &str,
        content: Bytes,
        flags: MessageFlags,
        internal_date: Option<InternalDate>,
    ) -> Result<Placed, IntakeError> {
        self.check_size(content.len() as u64)?;
        let owner = self.check_storage(inbox).await?;
        let message = self.imported(content).await?;
        let date = internal_date.unwrap_or_else(|| date_of(&message));
        let placed = self.mailstore.append(inbox, mailbox, &message, flags, date).await?;
        self.note_brought(owner, message.octets());
        Ok(placed)
    }

    /// Appends several messages, all or none (RFC 3502 §4), or one in place of another, which is expunged in the same
    /// commit (RFC 8508): `replaces` says which. Each is kept byte for byte; where they went, in their order.
    ///
    /// # Errors
    /// As for [`append`](Self::append); [`IntakeError::TooBig`] also if they are too large together.
    pub async fn append_many(
        &self,
        inbox: InboxId,
        mailbox: &str,
        messages: Vec<Appended>,
        replaces: Option<(MailboxId, Uid)>,
    ) -> Result<(UidValidity, Vec<Uid>), IntakeError> {
        self.check_size(messages.iter().map(|message| message.content.len() as u64).sum())?;
        let owner = self.check_storage(inbox).await?;
        let mut imported = Vec::with_capacity(messages.len());
        for Appended {
            content,
            flags,
            internal_date,
        } in messages
        {
            let message = self.imported(content).await?;
            let date = internal_date.unwrap_or_else(|| date_of(&message));
            imported.push((message, flags, date));
        }
        let appended = self.mailstore.append_many(inbox, mailbox, &imported, replaces).await?;
        self.note_brought(owner, imported.iter().map(|(message, ..)| message.octets()).sum());
        Ok(appended)
    }

    /// A message that a client brings, looked at.
    pub(crate) async fn imported(&self, content: Bytes) -> Result<NewMessage, IntakeError> {
        Ok(NewMessage {
            summary: summary_of(&content, 0).await?,
            body: content,
            prefix: Vec::new(),
            origin: Origin::Imported,
            received_at: timestamp(self.now_ms()).as_millisecond(),
            verdict: Vec::new(),
            shared_body: None,
        })
    }

    fn check(&self, incoming: &Incoming) -> Result<(), IntakeError> {
        self.check_size(incoming.content.len() as u64)?;
        let hops = count_received(&incoming.content);
        if hops > self.options.max_received {
            return Err(IntakeError::Loop { hops });
        }
        // Wherever it comes from: this needs no DNS, and whoever writes such mail should hear of it at once.
        let fields = count_from(&incoming.content);
        if fields > 1 {
            return Err(IntakeError::SeveralFrom { fields });
        }
        match incoming.verdict.disposition() {
            Disposition::Reject => Err(IntakeError::DmarcReject {
                domain: incoming.verdict.dmarc.domain.clone(),
            }),
            Disposition::Deliver | Disposition::Quarantine => Ok(()),
        }
    }

    pub(crate) fn check_size(&self, octets: u64) -> Result<(), IntakeError> {
        if octets > self.options.max_message_octets {
            Err(IntakeError::TooBig { octets })
        } else {
            Ok(())
        }
    }

    /// RFC 8601 §5: results that claim to be ours but came from outside are removed.
    pub(crate) fn without_forgeries(&self, content: &Bytes) -> Bytes {
        remove_fields(content, |name, value| {
            is_authentication_results_of(&self.options.hostname, name, value)
        })
    }
}

/// INTERNALDATE of what comes now: in UTC, as no client says otherwise.
pub(crate) fn date_of(message: &NewMessage) -> InternalDate {
    InternalDate::utc(message.received_at.div_euclid(1000))
}

/// The summary of content that stands below `prefix_octets` of trace fields.
pub(crate) async fn summary_of(content: &Bytes, prefix_octets: usize) -> Result<Arc<Summary>, MailError> {
    let (octets, content) = (content.len(), content.clone());
    let work = move || {
        let mut summary = summarize(&content);
        summary.root.lower(prefix_octets as u64);
        Arc::new(summary)
    };
    worked(octets, work).await.ok_or(MailError::Unavailable)
}

/// Each inbox once, and what one commit takes apart from the others. What came to a bounce address goes first: the queue
/// does not know such an address as a recipient.
fn split(recipients: &[LocalRecipient]) -> (Vec<LocalRecipient>, Vec<LocalRecipient>) {
    let mut inboxes: Vec<LocalRecipient> = Vec::with_capacity(recipients.len());
    let (bounces, plain): (Vec<_>, Vec<_>) = recipients.iter().partition(|recipient| recipient.bounce.is_some());
    for recipient in bounces.into_iter().chain(plain) {
        if inboxes.iter().all(|other| other.inbox != recipient.inbox) {
            inboxes.push(recipient.clone());
        }
    }
    let others = inboxes.split_off(inboxes.len().min(MAX_PLACINGS));
    (inboxes, others)
}

/// Where a message goes that was judged so.
pub(crate) fn mailbox_for(verdict: &Verdict) -> MailboxRef {
    match verdict.disposition() {
        Disposition::Quarantine => MailboxRef::Special(SpecialUse::Junk),
        Disposition::Deliver | Disposition::Reject => MailboxRef::Inbox,
    }
}

/// What a message that was judged so and is placed there is announced as.
pub(crate) fn received_as(mailbox: MailboxRef, verdict: &Verdict) -> ReceivedAs {
    match mailbox {
        MailboxRef::Special(SpecialUse::Junk) => ReceivedAs::Spam,
        MailboxRef::Blocked => ReceivedAs::Blocked,
        MailboxRef::Inbox | MailboxRef::Special(_) | MailboxRef::Id(_) if verdict.is_unauthenticated() => {
            ReceivedAs::Unauthenticated
        }
        MailboxRef::Inbox | MailboxRef::Special(_) | MailboxRef::Id(_) => ReceivedAs::Plain,
    }
}

/// One placing for each inbox.
fn placings(
    recipients: &[LocalRecipient],
    id: EmailId,
    (mailbox, verdict): (MailboxRef, &Verdict),
    internal_date: InternalDate,
) -> Vec<Placing> {
    let place = |(index, recipient): (usize, &LocalRecipient)| Placing {
        inbox: recipient.inbox,
        mailbox,
        email_id: if index == 0 { id } else { EmailId::new() },
        flags: MessageFlags::default(),
        internal_date,
        thread: ThreadChoice::Find,
        announce: Some(Announce {
            organization: recipient.organization,
            received_as: received_as(mailbox, verdict),
        }),
    };
    recipients.iter().enumerate().map(place).collect()
}

/// Says which address is full, for the reply.
fn name_inbox(error: IntakeError, recipients: &[LocalRecipient]) -> IntakeError {
    let IntakeError::Mail(MailError::OverQuota(inbox)) = error else {
        return error;
    };
    match recipients.iter().find(|recipient| recipient.inbox == inbox) {
        Some(recipient) => IntakeError::OverQuota(recipient.address.clone()),
        None => error,
    }
}
