//! What a delivery puts into the queue, in its own commit: inboxes beyond those that one commit takes, copies that an
//! inbox sends on, and what a report says of a message sent from here.
//!
//! What always holds: the ids are chosen once for a delivery, so that repeating its commit enqueues nothing twice; how a
//! queued message was judged when it came in is kept beside it until it has been delivered.

use crate::incoming::{Forward, LocalRecipient};
use crate::listed::Barred;
use crate::settle::trouble;
use crate::{Intake, IntakeError, SubmitError, expiry, keys};
use bytes::Bytes;
use postroom_mailstore::{MAX_PREFIX_OCTETS, MailError, NewMessage, Placing};
use postroom_message::{Report, ReportKind, fields, parse_report, unfold};
use postroom_queue::{Destination, Enqueued, ItemId, NewQueued, NewRecipient, QueueError, QueuedBody};
use postroom_store::CommitBuilder;
use postroom_types::{EmailId, ReversePath};
use std::collections::BTreeSet;

/// How long a verdict is kept: longer than anything waits in the queue.
const VERDICT_KEEP_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// A message on its way in, as far as what goes onward depends on it.
pub(crate) struct Passing<'a> {
    pub(crate) reverse_path: &'a ReversePath,
    /// Whether it came with the SMTPUTF8 parameter.
    pub(crate) smtputf8: bool,
    /// What is put on top of it here, Return-Path first.
    pub(crate) prefix: &'a [u8],
    pub(crate) content: &'a Bytes,
    pub(crate) body: QueuedBody,
    pub(crate) now_ms: i64,
}

/// What goes onward.
#[derive(Default)]
pub(crate) struct Onward {
    queued: Vec<NewQueued>,
    reports: Vec<(ItemId, Report)>,
    /// How the message was judged; empty if it was submitted here.
    verdict: Vec<u8>,
    /// The body, if it is not stored yet.
    body: Option<Bytes>,
}

impl Onward {
    pub(crate) fn new(verdict: Vec<u8>, body: Option<Bytes>) -> Self {
        Self {
            verdict,
            body,
            ..Self::default()
        }
    }

    /// Whether the queue keeps the body too.
    pub(crate) fn shares_body(&self) -> bool {
        !self.queued.is_empty()
    }

    /// The recipients of whom something bad is reported.
    pub(crate) fn failures(&self) -> Vec<ItemId> {
        let is_bad = |report: &Report| matches!(report.kind, ReportKind::Failed | ReportKind::Complaint);
        let bad = self.reports.iter().filter(|(_, report)| is_bad(report));
        bad.map(|(item, _)| *item).collect()
    }

    pub(crate) fn queue(&mut self, message: NewQueued) {
        self.queued.push(message);
    }

    /// Finds out what a report says of the recipients whose bounce addresses it came to.
    pub(crate) fn read_reports(&mut self, recipients: &[LocalRecipient], content: &[u8]) {
        // One recipient's address may be given twice.
        let items: BTreeSet<ItemId> = recipients.iter().filter_map(|recipient| recipient.bounce).collect();
        if items.is_empty() {
            return;
        }
        // Each recipient has a bounce address of its own, so a report that names several is about the first.
        let report = parse_report(content).and_then(|reports| reports.into_iter().next());
        if let Some(report) = report {
            self.reports = items.into_iter().map(|item| (item, report.clone())).collect();
        }
    }
}

impl Intake {
    /// Adds all of it to a commit.
    pub(crate) async fn add_onward(
        &self,
        onward: &Onward,
        builder: &mut CommitBuilder,
    ) -> Result<Vec<Enqueued>, IntakeError> {
        let mut body = onward.body.clone();
        let mut enqueued = Vec::with_capacity(onward.queued.len());
        for message in &onward.queued {
            // The first brings the body, the others adopt it.
            enqueued.push(self.queue.enqueue(builder, message, body.take()).map_err(of_queue)?);
            if !onward.verdict.is_empty() {
                let until = self.now_ms() + VERDICT_KEEP_MS;
                let key = keys::verdict(message.id);
                expiry::add(builder, until, &key);
                builder.put(key, expiry::value(until, &onward.verdict));
            }
        }
        for (item, report) in &onward.reports {
            self.queue.report(builder, *item, report).await.map_err(of_queue)?;
        }
        Ok(enqueued)
    }

    /// Whether an earlier commit with this was done.
    pub(crate) async fn is_onward(&self, onward: &Onward) -> Result<bool, IntakeError> {
        let Some(first) = onward.queued.first() else {
            return Ok(false);
        };
        let recipients = self.queue.recipients(first.id).await.map_err(of_queue)?;
        Ok(!recipients.is_empty())
    }

    /// How a queued message was judged when it came in. `None`: it was submitted here, or made here.
    pub(crate) async fn queued_verdict(&self, message: EmailId) -> Result<Option<Vec<u8>>, IntakeError> {
        let value = self
            .store()
            .get(&keys::verdict(message))
            .await
            .map_err(MailError::from)?;
        match value {
            Some(value) => Ok(Some(expiry::read(&value).map_err(MailError::from)?.1.to_vec())),
            None => Ok(None),
        }
    }

    /// For the inboxes that one commit does not take: the same message from the queue.
    pub(crate) fn overflow(&self, passing: &Passing<'_>, recipients: &[LocalRecipient]) -> NewQueued {
        let recipients = recipients.iter().map(|recipient| NewRecipient {
            address: recipient.address.clone(),
            destination: Destination::Inbox(recipient.inbox),
        });
        NewQueued {
            id: EmailId::new(),
            sender: None,
            organization: None,
            reverse_path: passing.reverse_path.clone(),
            verp: false,
            prefix: passing.prefix.to_vec(),
            body: passing.body,
            eight_bit: !passing.content.is_ascii() || !passing.prefix.is_ascii(),
            smtputf8: passing.smtputf8,
            recipients: recipients.collect(),
            created_at: passing.now_ms,
            held: None,
        }
    }

    /// The copy that an inbox sends on of what is placed in it: as its own, so that notices come back to it, and under the
    /// id that the message has in it, so that its trace shows where it went. Not mail that was here before
    /// (RFC 5321 §6.3), and not notices: one about the copy would be sent on as well.
    pub(crate) async fn forwarded(
        &self,
        passing: &Passing<'_>,
        forward: &Forward,
        message: &NewMessage,
        placing: &Placing,
    ) -> Result<Option<NewQueued>, IntakeError> {
        if *passing.reverse_path == ReversePath::Null || was_here(passing, forward) {
            return Ok(None);
        }
        // What is there already was sent on when it came first.
        if self.mailstore.has_duplicate(message, placing).await? {
            return Ok(None);
        }
        if forward.is_paused {
            tracing::info!(inbox = %forward.inbox, to = %forward.to, "not sent on: sending is paused");
            return Ok(None);
        }
        let destination = match self.destination(&forward.to).await {
            Ok(Destination::Inbox(inbox)) if inbox == forward.inbox => return Ok(None),
            Ok(destination) => destination,
            Err(error @ (SubmitError::NoSuchRecipient(_) | SubmitError::Malformed(_))) => {
                tracing::warn!(inbox = %forward.inbox, to = %forward.to, %error, "not sent on");
                return Ok(None);
            }
            Err(error) => {
                tracing::error!(inbox = %forward.inbox, %error, "cannot look up where mail is sent on to");
                return Err(MailError::Unavailable.into());
            }
        };
        let agent = self.identity.sending_limits(forward.lists.organization()).await;
        let agent = agent.map_err(trouble)?;
        let to = std::slice::from_ref(&forward.to);
        let refusal = self.refusal(forward.lists, agent.as_ref(), to).await.map_err(trouble)?;
        if let Some(Barred { recipient, why, .. }) = refusal {
            tracing::info!(inbox = %forward.inbox, to = %recipient, reason = why, "not sent on");
            return Ok(None);
        }
        let delivered = format!("Delivered-To: {}\r\n", forward.canonical);
        let prefix = [delivered.as_bytes(), below_return_path(passing.prefix)].concat();
        if prefix.len() > MAX_PREFIX_OCTETS {
            // Trace fields are what ends loops: without them it does not go on.
            tracing::warn!(inbox = %forward.inbox, to = %forward.to, "not sent on: too many trace fields");
            return Ok(None);
        }
        let recipient = NewRecipient {
            address: forward.to.clone(),
            destination,
        };
        Ok(Some(NewQueued {
            id: placing.email_id,
            sender: Some(forward.inbox),
            // A copy of what came in is no mail that the inbox sent.
            organization: None,
            reverse_path: ReversePath::Mailbox(forward.from.clone()),
            verp: true,
            eight_bit: !passing.content.is_ascii() || !prefix.is_ascii(),
            prefix,
            body: passing.body,
            smtputf8: passing.smtputf8,
            recipients: vec![recipient],
            created_at: passing.now_ms,
            held: None,
        }))
    }
}

/// Return-Path is for the last server alone (RFC 5321 §4.4).
fn below_return_path(prefix: &[u8]) -> &[u8] {
    match fields(prefix).next() {
        Some(field) if field.is("Return-Path") => &prefix[field.end..],
        _ => prefix,
    }
}

/// Whether Delivered-To says that the message was in this inbox.
fn was_here(passing: &Passing<'_>, forward: &Forward) -> bool {
    let name = forward.canonical.to_string();
    let mut delivered = fields(passing.prefix).chain(fields(passing.content));
    delivered.any(|field| field.is("Delivered-To") && unfold(field.value).eq_ignore_ascii_case(name.as_bytes()))
}

/// What the queue could not do, as trouble of the store.
pub(crate) fn of_queue(error: QueueError) -> IntakeError {
    IntakeError::Mail(match error {
        QueueError::Store(error) => MailError::Store(error),
        QueueError::Full => MailError::Full,
        QueueError::Invalid(reason) => MailError::Cannot(reason),
        QueueError::LeaseLost | QueueError::Withdrawn | QueueError::Busy => MailError::Unavailable,
    })
}
