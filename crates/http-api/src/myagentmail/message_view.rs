//! A message as the dialect shows it.

use super::texts::Texts;
use crate::model::{address, addresses, time};
use postroom_mailstore::{MessageRecord, Origin};
use postroom_message::{Attachment, attachments, decode_words};
use postroom_types::{Flag, Flags, MailboxId, Part, Summary};
use serde::Serialize;

/// The mailboxes of an inbox that mean something here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roles {
    pub(super) inbox: MailboxId,
    pub(super) archive: Option<MailboxId>,
    pub(super) blocked: Option<MailboxId>,
    pub(super) drafts: Option<MailboxId>,
    pub(super) junk: Option<MailboxId>,
    pub(super) sent: Option<MailboxId>,
    pub(super) trash: Option<MailboxId>,
}

impl Roles {
    fn is(role: Option<MailboxId>, mailbox: MailboxId) -> bool {
        role == Some(mailbox)
    }

    /// Whether the dialect shows the message at all: neither a draft nor in the trash or among the blocked. What is also
    /// in spam is hidden all the same; what is also anywhere else is not (as with labels).
    pub(super) fn shows(&self, record: &MessageRecord) -> bool {
        let hidden = [self.trash, self.blocked]
            .map(|role| Self::is_in(role, record))
            .contains(&true);
        let apart = [self.trash, self.blocked, self.drafts, self.junk];
        let at_home = record
            .placements
            .iter()
            .any(|(mailbox, _)| !apart.contains(&Some(*mailbox)));
        at_home || Self::is_in(self.junk, record) && !hidden
    }

    /// Sent by the inbox's owner: over SMTP or the API, or put into Sent by a mail program.
    pub(super) fn is_outbound(&self, record: &MessageRecord) -> bool {
        record.origin == Origin::Sent || Self::is(self.sent, record.home)
    }

    pub(super) fn is_in(role: Option<MailboxId>, record: &MessageRecord) -> bool {
        record.placements.iter().any(|(mailbox, _)| Self::is(role, *mailbox))
    }
}

/// The message object: the schema's fields, and those that a sample application reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageView {
    id: String,
    thread_id: String,
    direction: &'static str,
    from: Option<String>,
    from_address: Option<String>,
    from_name: Option<String>,
    to: String,
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    /// Only the sender's own copy has any.
    bcc_addresses: Vec<String>,
    subject: String,
    preview: String,
    plain_body: Option<String>,
    html_body: Option<String>,
    is_read: bool,
    is_starred: bool,
    is_archived: bool,
    is_spam: bool,
    message_id_header: Option<String>,
    in_reply_to: Option<String>,
    received_at: String,
    sent_at: Option<String>,
    created_at: String,
    size_bytes: u64,
    attachments: Vec<AttachmentView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttachmentView {
    id: String,
    filename: Option<String>,
    content_type: String,
    size_bytes: u64,
}

impl MessageView {
    pub(super) fn new(record: &MessageRecord, summary: &Summary, texts: Texts, flags: Flags, roles: &Roles) -> Self {
        let envelope = &summary.envelope;
        let author = envelope.from.iter().flatten().find(|entry| entry.host.is_some());
        let from = author.and_then(address);
        let to = addresses(envelope.to.as_ref());
        let received_at = time(record.received_at);
        Self {
            id: record.email_id.to_string(),
            thread_id: record.thread_id.to_string(),
            direction: if roles.is_outbound(record) {
                "outbound"
            } else {
                "inbound"
            },
            from: from.clone(),
            from_address: from,
            from_name: author.and_then(|entry| entry.name.as_deref()).map(decode_words),
            to: to.join(", "),
            to_addresses: to,
            cc_addresses: addresses(envelope.cc.as_ref()),
            bcc_addresses: addresses(envelope.bcc.as_ref()),
            subject: summary.subject_text.clone(),
            preview: summary.preview.clone(),
            plain_body: texts.plain,
            html_body: texts.html,
            is_read: flags.contains(Flag::Seen),
            is_starred: flags.contains(Flag::Flagged),
            is_archived: Roles::is_in(roles.archive, record),
            is_spam: Roles::is_in(roles.junk, record),
            message_id_header: envelope.message_id.as_deref().map(raw),
            in_reply_to: envelope.in_reply_to.as_deref().map(raw),
            sent_at: summary.sent_at.and_then(|seconds| seconds.checked_mul(1000)).map(time),
            created_at: received_at.clone(),
            received_at,
            size_bytes: record.size_octets(),
            attachments: attachment_views(&summary.root),
        }
    }
}

/// The attachments of a message; the id of each is its place among the leaves of the message.
pub(super) fn attachment_views(root: &Part) -> Vec<AttachmentView> {
    let view = |attachment: Attachment| AttachmentView {
        id: attachment.index.to_string(),
        filename: attachment.filename,
        content_type: attachment.content_type,
        size_bytes: attachment.size_octets,
    };
    attachments(root).into_iter().map(view).collect()
}

fn raw(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim().to_owned()
}
