//! IMAP APPEND.

use crate::keys;
use crate::likeness::{Whole, is_copy, may_be_copy};
use crate::model::{FlagMode, MailboxRef, Origin, Placing, ThreadChoice};
use crate::rows::{IndexRow, MailboxRow, MessageRow, Role};
use crate::{MailError, Mailstore, NewMessage, Placed};
use bytes::Bytes;
use postroom_store::scan_prefix;
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, MailboxId, MessageFlags, Uid};
use std::sync::Arc;

/// Most messages with the same Message-ID that are looked at. Beyond, what is appended is kept.
const NAMESAKES: usize = 100;
/// Most of them that are read and compared.
const COMPARED: usize = 8;
/// Octets of a message that are compared while others wait.
const COMPARED_IN_PLACE: usize = 64 << 10;

impl Mailstore {
    /// Appends a message to a mailbox by name, durable on return. Always a message of its own, but for one case: a
    /// client that appends to Sent what it has just submitted, within
    /// [`Options::sent_copy_window`](crate::Options), gets the UID of the copy that is there, which gets its flags. Only
    /// if nothing is lost thereby: Message-ID, Subject, authors and recipients are the same, so are the words of all texts
    /// and the octets of all attachments; nobody is in its Bcc who is not in that of the copy; and neither of them has
    /// `\Deleted`.
    ///
    /// # Errors
    /// [`MailError::NoSuchMailbox`] and those of [`deliver`](Self::deliver). A caller that repeats an append after
    /// [`MailError::Unavailable`] may store the message twice; use [`deliver`](Self::deliver) to avoid it.
    pub async fn append(
        &self,
        inbox: InboxId,
        mailbox: &str,
        message: &NewMessage,
        flags: MessageFlags,
        internal_date: InternalDate,
    ) -> Result<Placed, MailError> {
        let id = self.mailbox_id(inbox, mailbox).await?;
        if !flags.system.contains(Flag::Deleted)
            && self.inbox_row(inbox).await?.role_of(id) == Some(Role::Sent)
            && let Some(placed) = self.submitted_copy(inbox, id, message).await?
            && self.mark_copy(&placed, &flags).await?
        {
            return Ok(placed);
        }
        let placing = Placing {
            inbox,
            mailbox: MailboxRef::Id(id),
            email_id: EmailId::new(),
            flags,
            internal_date,
            thread: ThreadChoice::Find,
            announce: None,
        };
        let placed = self.deliver(message, vec![placing]).await?;
        placed.into_iter().next().ok_or(MailError::Unavailable)
    }

    /// Gives a copy the flags of what was appended. False if it is not there any more, or about to go.
    async fn mark_copy(&self, copy: &Placed, flags: &MessageFlags) -> Result<bool, MailError> {
        // The copy was made as read; whether it is still is for its owner to say.
        let mut marks = flags.clone();
        marks.remove(&MessageFlags::system(Flags::NONE.with(Flag::Seen)));
        let (inbox, mailbox, uids) = (copy.inbox, copy.mailbox, [copy.uid]);
        let stored = self
            .store_flags(inbox, mailbox, &uids, FlagMode::Add, &marks, None)
            .await?;
        let mut now = stored.now.iter();
        Ok(now.any(|(_, flags, _)| !flags.system.contains(Flag::Deleted)))
    }

    /// The copy of a submitted message that is in Sent already.
    async fn submitted_copy(
        &self,
        inbox: InboxId,
        sent: MailboxId,
        message: &NewMessage,
    ) -> Result<Option<Placed>, MailError> {
        let Some(message_id) = &message.summary.message_id else {
            return Ok(None);
        };
        let prefix = keys::message_ids(inbox, &crate::deliver::message_id_hash(message_id));
        let mut rows = scan_prefix(&*self.store, &prefix);
        let mut compared = 0;
        for _ in 0..NAMESAKES {
            let Some((_, value)) = rows.next().await? else { break };
            let index = IndexRow::read(&value)?;
            let age = message.received_at.abs_diff(index.received_at);
            if u128::from(age) > self.options.sent_copy_window.as_millis() {
                continue;
            }
            let keys = [keys::message(inbox, index.email_id), keys::mailbox(inbox, sent)];
            let values = self.store.get_many(&keys).await?;
            let [Some(row), Some(mailbox)] = values.as_slice() else {
                continue;
            };
            let row = MessageRow::read(row)?;
            let thread_id = row.thread_id;
            let Some((uid, copy)) = self.alike(inbox, sent, message, row).await? else {
                continue;
            };
            if is_copy_of(message, copy).await {
                return Ok(Some(Placed {
                    inbox,
                    mailbox: sent,
                    uid_validity: MailboxRow::read(mailbox)?.uid_validity,
                    uid,
                    email_id: index.email_id,
                    thread_id,
                    duplicate: true,
                }));
            }
            compared += 1;
            if compared == COMPARED {
                break;
            }
        }
        Ok(None)
    }

    /// A message that was submitted, is in Sent to stay, and may be what is appended: its UID there, and all of it.
    async fn alike(
        &self,
        inbox: InboxId,
        sent: MailboxId,
        message: &NewMessage,
        row: MessageRow,
    ) -> Result<Option<(Uid, Whole)>, MailError> {
        if row.origin != Origin::Sent {
            return Ok(None);
        }
        let here = row.placements.iter().filter(|(mailbox, _)| *mailbox == sent);
        let uids: Vec<Uid> = here
            .filter_map(|(_, uid)| Uid::new(u32::try_from(*uid).ok()?))
            .collect();
        let flags = self.flags(inbox, sent, &uids).await?;
        let mut stays = flags
            .iter()
            .filter(|(_, flags, _)| !flags.system.contains(Flag::Deleted));
        let Some((uid, ..)) = stays.next() else { return Ok(None) };
        let meta = self.metadata(inbox, sent, &[*uid], true).await?.pop();
        let summary = meta.and_then(|meta| meta.summary);
        let Some(summary) = summary.filter(|summary| may_be_copy(&message.summary, summary)) else {
            return Ok(None);
        };
        let content = row.content();
        let from = content.prefix.len() as u64;
        let Some(body) = self.read(&content, from..content.octets()).await? else {
            return Ok(None);
        };
        let whole = Whole {
            summary: Arc::new(summary),
            prefix: content.prefix.into(),
            body,
        };
        Ok(Some((*uid, whole)))
    }
}

async fn is_copy_of(message: &NewMessage, submitted: Whole) -> bool {
    let appended = Whole {
        summary: Arc::clone(&message.summary),
        prefix: Bytes::copy_from_slice(&message.prefix),
        body: message.body.clone(),
    };
    if appended.body.len() + submitted.body.len() <= COMPARED_IN_PLACE {
        return is_copy(&appended, &submitted);
    }
    let compare = move || is_copy(&appended, &submitted);
    // What cannot be compared is kept.
    tokio::task::spawn_blocking(compare).await.unwrap_or(false)
}
