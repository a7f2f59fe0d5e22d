//! Mail from outside to local inboxes, and messages that a client brings itself (APPEND).

use crate::error::IntakeError;
use crate::trace::trace_fields;
use bytes::Bytes;
use postroom_mailstore::{MailError, MailboxRef, Mailstore, NewMessage, Origin, Placed, Placing, ThreadChoice};
use postroom_message::{Disposition, Verdict, count_received, is_authentication_results_of, remove_fields, summarize};
use postroom_types::{EmailAddress, EmailId, InboxId, MessageFlags, ReversePath, SpecialUse, Summary};
use std::net::IpAddr;
use std::sync::Arc;

/// What intake needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Our name in trace fields.
    pub hostname: String,
    /// Largest message, octets. Default 50 MiB.
    pub max_message_octets: u64,
    /// Most Received fields before a message counts as looping. Default 100, as RFC 5321 §6.3 advises.
    pub max_received: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hostname: "localhost".into(),
            max_message_octets: 50 << 20,
            max_received: 100,
        }
    }
}

/// A message from outside with its accepted recipients.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The client's EHLO or HELO argument.
    pub client: String,
    /// Whether it said EHLO.
    pub extended: bool,
    /// Its address.
    pub peer: IpAddr,
    /// Whether the session ran over TLS.
    pub tls: bool,
    /// Whether the transaction used SMTPUTF8.
    pub smtputf8: bool,
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// The local inboxes it is for; not empty.
    pub recipients: Vec<LocalRecipient>,
    /// The message as it came.
    pub content: Bytes,
    /// What verification said.
    pub verdict: Verdict,
}

/// One recipient that is an inbox of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRecipient {
    /// The inbox.
    pub inbox: InboxId,
    /// The address as given in RCPT.
    pub address: EmailAddress,
}

/// A message was taken, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id in the first recipient's inbox; also in Received and in every log line.
    pub id: EmailId,
    /// Octets as stored.
    pub octets: u64,
    /// Where it went, one for each inbox.
    pub placed: Vec<Placed>,
}

/// The door. One for the whole server.
pub struct Intake {
    mailstore: Arc<Mailstore>,
    options: Options,
}

impl Intake {
    /// A door to this mail store.
    #[must_use]
    pub fn new(mailstore: Arc<Mailstore>, options: Options) -> Self {
        Self { mailstore, options }
    }

    /// What it was made with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Delivers to every recipient or to none, in one commit. Durable on return.
    ///
    /// # Errors
    /// [`IntakeError`]: nothing was kept, or for [`MailError::Unavailable`] the outcome is unknown and the client
    /// should send again.
    pub async fn deliver_local(&self, incoming: Incoming) -> Result<Accepted, IntakeError> {
        self.check(&incoming)?;
        let id = EmailId::new();
        let now = jiff::Timestamp::now();
        let incoming = Incoming {
            content: self.without_forgeries(&incoming.content),
            ..incoming
        };
        let prefix = trace_fields(&incoming, &self.options.hostname, id, now).into_bytes();
        let mailbox = match incoming.verdict.disposition() {
            Disposition::Quarantine => MailboxRef::Special(SpecialUse::Junk),
            Disposition::Deliver | Disposition::Reject => MailboxRef::Inbox,
        };
        let message = NewMessage {
            summary: Arc::new(summary_below(&incoming.content, prefix.len())),
            body: incoming.content,
            prefix,
            origin: Origin::Received,
            received_at: now.as_millisecond(),
            verdict: incoming.verdict.encode(),
            shared_body: None,
        };
        let octets = (message.prefix.len() + message.body.len()) as u64;
        let placings = placings(&incoming.recipients, id, mailbox, now.as_second());
        let placed = self
            .mailstore
            .deliver(&message, placings)
            .await
            .map_err(|error| name_inbox(error, &incoming.recipients))?;
        Ok(Accepted { id, octets, placed })
    }

    /// Appends a message that a client brings (RFC 9051 §6.3.12). It is kept byte for byte, without trace fields.
    /// `internal_date` is in seconds since 1970; `None` is now.
    ///
    /// # Errors
    /// As for [`deliver_local`](Self::deliver_local).
    pub async fn append(
        &self,
        inbox: InboxId,
        mailbox: &str,
        content: Bytes,
        flags: MessageFlags,
        internal_date: Option<i64>,
    ) -> Result<Placed, IntakeError> {
        self.check_size(&content)?;
        let now = jiff::Timestamp::now();
        let message = NewMessage {
            summary: Arc::new(summary_below(&content, 0)),
            body: content,
            prefix: Vec::new(),
            origin: Origin::Imported,
            received_at: now.as_millisecond(),
            verdict: Vec::new(),
            shared_body: None,
        };
        let date = internal_date.unwrap_or_else(|| now.as_second());
        Ok(self.mailstore.append(inbox, mailbox, &message, flags, date).await?)
    }

    fn check(&self, incoming: &Incoming) -> Result<(), IntakeError> {
        self.check_size(&incoming.content)?;
        let hops = count_received(&incoming.content);
        if hops > self.options.max_received {
            return Err(IntakeError::Loop { hops });
        }
        match incoming.verdict.disposition() {
            Disposition::Reject => Err(IntakeError::DmarcReject {
                domain: incoming.verdict.dmarc.domain.clone(),
            }),
            Disposition::Deliver | Disposition::Quarantine => Ok(()),
        }
    }

    fn check_size(&self, content: &Bytes) -> Result<(), IntakeError> {
        let octets = content.len() as u64;
        if octets > self.options.max_message_octets {
            Err(IntakeError::TooBig { octets })
        } else {
            Ok(())
        }
    }

    /// RFC 8601 §5: results that claim to be ours but came from outside are removed.
    fn without_forgeries(&self, content: &Bytes) -> Bytes {
        remove_fields(content, |name, value| {
            is_authentication_results_of(&self.options.hostname, name, value)
        })
    }
}

/// The summary of content that stands below `prefix_octets` of trace fields.
fn summary_below(content: &[u8], prefix_octets: usize) -> Summary {
    let mut summary = summarize(content);
    summary.root.lower(prefix_octets as u64);
    summary
}

/// One placing for each inbox: two addresses of one inbox are one delivery.
fn placings(recipients: &[LocalRecipient], id: EmailId, mailbox: MailboxRef, internal_date: i64) -> Vec<Placing> {
    let mut placings: Vec<Placing> = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        if placings.iter().all(|placing| placing.inbox != recipient.inbox) {
            let email_id = if placings.is_empty() { id } else { EmailId::new() };
            placings.push(Placing {
                inbox: recipient.inbox,
                mailbox,
                email_id,
                flags: MessageFlags::default(),
                internal_date,
                thread: ThreadChoice::Find,
            });
        }
    }
    placings
}

/// Says which address is full, for the reply.
fn name_inbox(error: MailError, recipients: &[LocalRecipient]) -> IntakeError {
    let MailError::OverQuota(inbox) = error else {
        return IntakeError::Mail(error);
    };
    match recipients.iter().find(|recipient| recipient.inbox == inbox) {
        Some(recipient) => IntakeError::OverQuota(recipient.address.clone()),
        None => IntakeError::Mail(error),
    }
}
