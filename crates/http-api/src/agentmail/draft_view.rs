//! A draft as the dialect shows it (agentmail.md §10).

use super::failure::{Answer, Failure};
use super::message_view::{AttachmentView, addresses, preview};
use crate::State;
use crate::model::{hex, time};
use postroom_drafts::{Draft, SendStatus, in_reply_to, texts};
use postroom_identity::InboxRecord;
use postroom_message::{Attachment, attachments};
use postroom_types::{AddressEntry, Summary};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// What a draft is called that is to go by itself.
const SCHEDULED: &str = "scheduled";

/// How far the sending of a draft is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DraftSendStatus)]
pub(super) enum Status {
    Scheduled,
    Sending,
    Failed,
}

/// A draft, as a list shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DraftItem)]
pub(super) struct DraftItem {
    inbox_id: String,
    draft_id: String,
    labels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cc: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bcc: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    attachments: Vec<AttachmentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forward_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_at: Option<String>,
    updated_at: String,
}

/// A draft.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Draft)]
pub(super) struct DraftView {
    #[serde(flatten)]
    item: DraftItem,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    references: Vec<String>,
    created_at: String,
}

impl DraftItem {
    pub(super) fn new(inbox: &InboxRecord, draft: &Draft) -> Self {
        let (summary, envelope) = (&draft.summary, &draft.summary.envelope);
        let mut labels = draft.labels.clone();
        if draft.send_at.is_some() {
            labels.push(SCHEDULED.to_owned());
        }
        Self {
            inbox_id: inbox.canonical.to_string(),
            draft_id: draft.id.to_string(),
            labels,
            to: people(envelope.to.as_ref()),
            cc: people(envelope.cc.as_ref()),
            bcc: people(envelope.bcc.as_ref()),
            subject: Some(summary.subject_text.clone()).filter(|subject| !subject.is_empty()),
            preview: preview(summary),
            attachments: attachment_views(summary),
            in_reply_to: in_reply_to(summary).map(bracketed),
            forward_of: draft.forward_of.as_deref().map(bracketed),
            send_status: draft.send_status.map(|status| match status {
                SendStatus::Scheduled => Status::Scheduled,
                SendStatus::Sending => Status::Sending,
                SendStatus::Failed => Status::Failed,
            }),
            send_at: draft.send_at.map(time),
            updated_at: time(draft.updated_at),
        }
    }
}

impl DraftView {
    /// With its texts, which are read.
    pub(super) async fn new(state: &State, inbox: &InboxRecord, draft: &Draft) -> Answer<Self> {
        let content = state.drafts().content(draft).await?;
        let (plain, html) = texts(&content, &draft.summary);
        Ok(Self {
            item: DraftItem::new(inbox, draft),
            client_id: draft.client_id.clone(),
            reply_to: people(draft.summary.envelope.reply_to.as_ref()),
            // A message always has a text; who gave none sees none.
            text: plain.filter(|text| !text.is_empty()),
            html: html.filter(|html| !html.is_empty()),
            references: draft.summary.references.iter().map(|id| bracketed(id)).collect(),
            created_at: time(draft.created_at),
        })
    }
}

/// The addresses of a field; none if it has none.
fn people(entries: Option<&Vec<AddressEntry>>) -> Option<Vec<String>> {
    Some(addresses(entries)).filter(|found| !found.is_empty())
}

fn bracketed(id: &str) -> String {
    format!("<{id}>")
}

/// The attachments of a draft with their ids. A draft is written anew with each change, so they are called by what they
/// are: the id stays as long as the file does.
pub(super) fn named_attachments(summary: &Summary) -> Vec<(String, Attachment)> {
    let mut named: Vec<(String, Attachment)> = Vec::new();
    for attachment in attachments(&summary.root) {
        let what = (
            &attachment.filename,
            &attachment.content_type,
            attachment.size_octets,
            &attachment.content_id,
            attachment.inline,
        );
        let hash = Sha256::digest(format!("{what:?}").as_bytes());
        let base = hex(&hash[..12]);
        let equal = named.iter().filter(|(id, _)| id.starts_with(&base)).count();
        named.push((format!("{base}.{equal}"), attachment));
    }
    named
}

fn attachment_views(summary: &Summary) -> Vec<AttachmentView> {
    let view = |(id, attachment): (String, Attachment)| AttachmentView {
        attachment_id: id,
        filename: attachment.filename,
        size: attachment.size_octets,
        content_type: attachment.content_type,
        content_disposition: if attachment.inline { "inline" } else { "attachment" },
        content_id: attachment.content_id,
    };
    named_attachments(summary).into_iter().map(view).collect()
}

/// The place among the leaves of the message of the attachment with this id.
pub(super) fn attachment_place(summary: &Summary, id: &str) -> Answer<usize> {
    let found = named_attachments(summary).into_iter().find(|(named, _)| named == id);
    found
        .map(|(_, attachment)| attachment.index)
        .ok_or_else(Failure::not_found)
}
