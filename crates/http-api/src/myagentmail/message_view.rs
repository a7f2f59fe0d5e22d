//! A message as the dialect shows it.

use super::texts::Texts;
use crate::large::Turn;
use crate::model::{address, addresses, time};
use postroom_mailstore::Listed;
use postroom_message::{Attachment, attachments, decode_words};
use postroom_types::Part;
use serde::Serialize;

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
    /// Of long texts, until they are on their way.
    #[serde(skip)]
    _turn: Turn,
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
    /// `texts` are as given.
    pub(super) fn new(listed: &Listed, texts: Texts) -> Self {
        let Listed {
            record,
            labels,
            summary,
            ..
        } = listed;
        let envelope = &summary.envelope;
        let author = envelope.from.iter().flatten().find(|entry| entry.host.is_some());
        let from = author.and_then(address);
        let to = addresses(envelope.to.as_ref());
        let received_at = time(record.received_at);
        Self {
            id: record.email_id.to_string(),
            thread_id: record.thread_id.to_string(),
            direction: if labels.sent { "outbound" } else { "inbound" },
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
            is_read: !labels.unread,
            is_starred: labels.flagged,
            is_archived: labels.archived,
            is_spam: labels.spam,
            message_id_header: envelope.message_id.as_deref().map(raw),
            in_reply_to: envelope.in_reply_to.as_deref().map(raw),
            sent_at: summary.sent_at.and_then(|seconds| seconds.checked_mul(1000)).map(time),
            created_at: received_at.clone(),
            received_at,
            size_bytes: record.size_octets(),
            attachments: attachment_views(&summary.root),
            _turn: texts.turn,
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
