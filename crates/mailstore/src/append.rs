//! IMAP APPEND.

use crate::keys;
use crate::likeness::is_copy;
use crate::model::{FlagMode, MailboxRef, Origin, Placing, ThreadChoice};
use crate::rows::{MailboxRow, MessageRow, Role};
use crate::{MailError, Mailstore, NewMessage, Placed};
use postroom_store::scan_prefix;
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, MailboxId, MessageFlags, Uid};

impl Mailstore {
    /// Appends a message to a mailbox by name, durable on return. Always a message of its own, but for one case: a
    /// client that appends to Sent what it has just submitted (same Message-ID, Subject and From, parts that agree, within
    /// [`Options::sent_copy_window`](crate::Options)) gets the UID of the copy that is there, which gets its flags.
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
        if self.inbox_row(inbox).await?.role_of(id) == Some(Role::Sent)
            && let Some(placed) = self.submitted_copy(inbox, id, message).await?
        {
            // The copy was made as read; whether it is still is for its owner to say.
            let mut marks = flags;
            marks.remove(&MessageFlags::system(Flags::NONE.with(Flag::Seen)));
            self.store_flags(inbox, id, &[placed.uid], FlagMode::Add, &marks, None)
                .await?;
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
        while let Some((_, value)) = rows.next().await? {
            let index = crate::rows::IndexRow::read(&value)?;
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
            let uid = row.placements.iter().find(|(mailbox, _)| *mailbox == sent);
            let uid = uid.and_then(|(_, uid)| Uid::new(u32::try_from(*uid).ok()?));
            if let (Origin::Sent, Some(uid)) = (row.origin, uid)
                && let [meta] = self.metadata(inbox, sent, &[uid], true).await?.as_slice()
                && meta
                    .summary
                    .as_ref()
                    .is_some_and(|summary| is_copy(&message.summary, summary))
            {
                return Ok(Some(Placed {
                    inbox,
                    mailbox: sent,
                    uid_validity: MailboxRow::read(mailbox)?.uid_validity,
                    uid,
                    email_id: index.email_id,
                    thread_id: row.thread_id,
                    duplicate: true,
                }));
            }
        }
        Ok(None)
    }
}
