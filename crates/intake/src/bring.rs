//! Mail that an inbox had elsewhere, brought along in files.
//!
//! What always holds: the caller chooses each message's id, by its date alone, so that bringing it again stores nothing
//! twice; it keeps its date and its octets, gets no trace fields, and nobody is told of it.

use crate::{Intake, IntakeError};
use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_mailstore::{MailError, MailboxRef, NewMessage, Placing, ThreadChoice};
use postroom_message::sent_date;
use postroom_types::{EmailAddress, EmailId, Flag, Flags, InboxId, InternalDate, MessageFlags, SpecialUse};

/// Mail is not from before this; seconds since 1970.
const EARLIEST: i64 = 0;

/// A message to be brought.
#[derive(Clone, Debug)]
pub struct ToBring<'a> {
    /// It.
    pub content: Bytes,
    /// When it came, as far as that is known from elsewhere than its Date field; seconds since 1970 UTC.
    pub came_at: Option<i64>,
    /// It is not from later than this, seconds since 1970 UTC, whatever it says: the same each time it is brought.
    pub latest: i64,
    /// Further addresses of who wrote what goes to Sent.
    pub also: &'a [&'a str],
    /// Whether it counts as read.
    pub is_read: bool,
    /// Another id under which it may be there.
    pub earlier_id: Option<EmailId>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// The inbox has it.
    Stored,
    /// The inbox had it before, octet by octet.
    Duplicate,
}

impl Intake {
    /// Stores a message: in Sent if one of the inbox's addresses wrote it, or one of `also`, else in INBOX. Its date is that
    /// of its Date field; if that says none, or one that is not possible, it is `came_at`, else `latest`. `id_at` gives the
    /// id of a message of a date, in milliseconds since 1970 UTC; it has to begin with that, as a UUID of version 7 does.
    /// Durable on return; done once for each id.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    pub async fn bring(
        &self,
        inbox: &InboxRecord,
        ToBring {
            content,
            came_at,
            latest,
            also,
            is_read,
            earlier_id,
        }: ToBring<'_>,
        id_at: impl Fn(i64) -> EmailId + Send,
    ) -> Result<Brought, IntakeError> {
        self.check_size(content.len() as u64)?;
        let mut message = self.imported(content).await?;
        let said = message.summary.envelope.date.as_deref().and_then(sent_date);
        let date = [said.map(|date| date.at), came_at]
            .into_iter()
            .flatten()
            .find(|date| (EARLIEST..=latest).contains(date))
            .unwrap_or(latest);
        message.received_at = date.saturating_mul(1000);
        let id = id_at(message.received_at);
        for id in std::iter::once(id).chain(earlier_id) {
            if self.mailstore.message(inbox.id, id).await?.is_some() {
                return Ok(Brought::Stored);
            }
        }
        self.check_storage(inbox.id).await?;
        if self.has_alike(inbox, &message).await? {
            return Ok(Brought::Duplicate);
        }
        let mailbox = match is_own(inbox, &message, also) {
            true => MailboxRef::Special(SpecialUse::Sent),
            false => MailboxRef::Inbox,
        };
        let flags = match is_read {
            true => MessageFlags::system(Flags::NONE.with(Flag::Seen)),
            false => MessageFlags::default(),
        };
        let placing = Placing {
            inbox: inbox.id,
            mailbox,
            email_id: id,
            flags,
            internal_date: InternalDate::utc(date),
            thread: ThreadChoice::Find,
            announce: None,
        };
        self.mailstore.deliver(&message, vec![placing]).await?;
        self.identity.note_stored(inbox.organization, message.octets());
        Ok(Brought::Stored)
    }

    /// Remembers that an inbox has messages that were brought under ids which do not begin with their dates.
    ///
    /// # Errors
    /// Those of the mailstore; it may be called again.
    pub async fn note_undated(&self, inbox: InboxId) -> Result<(), IntakeError> {
        Ok(self.mailstore.note_undated(inbox).await?)
    }

    /// Whether the inbox has this message already, under whatever id.
    async fn has_alike(&self, inbox: &InboxRecord, message: &NewMessage) -> Result<bool, MailError> {
        match &message.summary.message_id {
            Some(id) => self.mailstore.has_content(inbox.id, id, &message.body).await,
            None => Ok(false),
        }
    }
}

/// Whether the owner of the inbox wrote a message.
fn is_own(inbox: &InboxRecord, message: &NewMessage, also: &[&str]) -> bool {
    let authors = message.summary.envelope.from.iter().flatten();
    authors
        .filter_map(|author| {
            let local_part = std::str::from_utf8(author.mailbox.as_deref()?).ok()?;
            let domain = std::str::from_utf8(author.host.as_deref()?).ok()?;
            Some(EmailAddress::parse(&format!("{local_part}@{domain}")).ok()?.folded())
        })
        .any(|author| {
            let text = author.to_string();
            inbox.addresses().any(|own| *own == author) || also.contains(&text.as_str())
        })
}
