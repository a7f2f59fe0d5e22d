//! A thread as the dialect shows it (agentmail.md §9).
//!
//! What always holds: of a thread of more than 100 messages all fields but `message_count` and `created_at` tell of the
//! newest 100.

use super::failure::Answer;
use super::message_id::message_id;
use super::message_view::{AttachmentView, MessageView, addresses, attachment_views, labels, preview};
use crate::State;
use crate::model::time;
use postroom_identity::InboxRecord;
use postroom_mailstore::{Listed, THREAD_MESSAGES, ThreadListed};
use serde::Serialize;
use utoipa::ToSchema;

/// A thread in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ThreadItem)]
pub(crate) struct ThreadView {
    pub(crate) inbox_id: String,
    pub(crate) thread_id: String,
    /// Those of all its messages.
    pub(crate) labels: Vec<String>,
    /// Of its last message.
    pub(crate) timestamp: String,
    /// Of the last message received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) received_timestamp: Option<String>,
    /// Of the last message sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sent_timestamp: Option<String>,
    pub(crate) senders: Vec<String>,
    pub(crate) recipients: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// Of its last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) attachments: Vec<AttachmentView>,
    pub(crate) last_message_id: String,
    pub(crate) message_count: usize,
    pub(crate) size: u64,
    pub(crate) updated_at: String,
    pub(crate) created_at: String,
}

/// A thread with its messages, oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Thread)]
pub(crate) struct FullThread {
    #[serde(flatten)]
    pub(crate) thread: ThreadView,
    /// Messages on this page.
    pub(crate) count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
    /// There are older messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<String>,
    pub(crate) messages: Vec<MessageView>,
}

/// A thread, of which at least one message is shown.
pub(crate) async fn thread(state: &State, inbox: &InboxRecord, listed: &ThreadListed) -> Answer<Option<ThreadView>> {
    let (Some(first), Some(last)) = (listed.messages.first(), listed.messages.last()) else {
        return Ok(None);
    };
    let newest = &listed.messages[listed.messages.len().saturating_sub(THREAD_MESSAGES)..];
    let modseqs: Vec<_> = newest.iter().map(|listed| listed.modseq).collect();
    let changed = state.mailstore().changed_at(inbox.id, &modseqs).await?;
    let changed_at = changed.into_iter().flatten().max().unwrap_or(0);
    let mut all_labels = Vec::new();
    for message in newest {
        let labels = labels(state, message.record.email_id, &message.labels).await?;
        add_new(&mut all_labels, labels);
    }
    let (mut senders, mut recipients, mut attachments, mut size) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for Listed { record, summary, .. } in newest {
        let envelope = &summary.envelope;
        add_new(&mut senders, addresses(envelope.from.as_ref()));
        for list in [&envelope.to, &envelope.cc, &envelope.bcc] {
            add_new(&mut recipients, addresses(list.as_ref()));
        }
        attachments.extend(attachment_views(record.email_id, &summary.root));
        size += record.size_octets();
    }
    let last_of = |is: fn(&Listed) -> bool| newest.iter().rev().find(|listed| is(listed));
    let at = |listed: &Listed| time(listed.record.received_at);
    let has_subject = first.summary.envelope.subject.is_some();
    Ok(Some(ThreadView {
        inbox_id: inbox.canonical.to_string(),
        thread_id: listed.thread_id.to_string(),
        labels: all_labels,
        timestamp: at(last),
        received_timestamp: last_of(|listed| listed.labels.received).map(at),
        sent_timestamp: last_of(|listed| listed.labels.sent).map(at),
        senders,
        recipients,
        subject: has_subject.then(|| first.summary.subject_text.clone()),
        preview: preview(&last.summary),
        attachments,
        last_message_id: message_id(last),
        message_count: listed.count,
        size,
        updated_at: time(changed_at.max(last.record.received_at)),
        created_at: at(first),
    }))
}

/// Adds what is not there yet.
fn add_new(all: &mut Vec<String>, more: Vec<String>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}
