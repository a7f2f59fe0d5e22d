//! A draft as the dialect shows it.

use super::message_view::{AttachmentView, attachment_views};
use super::texts;
use crate::State;
use crate::error::ApiError;
use crate::model::{addresses, time};
use postroom_drafts::{Draft, in_reply_to};
use postroom_types::EmailId;
use serde::Serialize;

/// The draft object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DraftView {
    id: String,
    inbox_id: String,
    thread_id: String,
    to: Vec<String>,
    cc: Vec<String>,
    bcc: Vec<String>,
    reply_to: Vec<String>,
    subject: String,
    preview: String,
    plain_body: Option<String>,
    html_body: Option<String>,
    reply_to_message_id: Option<String>,
    attachments: Vec<AttachmentView>,
    /// When it is to go by itself, as another dialect may have said.
    send_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl DraftView {
    /// Whether it answers this message.
    pub(super) fn answers(&self, message: EmailId) -> bool {
        self.reply_to_message_id.as_deref() == Some(&message.to_string())
    }

    /// With its texts, each cut after so many octets as stored.
    ///
    /// # Errors
    /// [`ApiError::NotFound`]: it was changed or removed meanwhile.
    pub(super) async fn new(state: &State, draft: &Draft, text_octets: u64) -> Result<Self, ApiError> {
        let (summary, envelope) = (&draft.summary, &draft.summary.envelope);
        let texts = texts::read(state.mailstore(), draft.content(), &summary.root, text_octets)
            .await?
            .into_given();
        // A message always has a text; who gave none sees none.
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let answered = match in_reply_to(summary) {
            Some(id) => state.mailstore().find_message_id(draft.inbox, id).await?,
            None => None,
        };
        Ok(Self {
            id: draft.id.to_string(),
            inbox_id: draft.inbox.to_string(),
            thread_id: draft.record.message.thread_id.to_string(),
            to: addresses(envelope.to.as_ref()),
            cc: addresses(envelope.cc.as_ref()),
            bcc: addresses(envelope.bcc.as_ref()),
            reply_to: addresses(envelope.reply_to.as_ref()),
            subject: summary.subject_text.clone(),
            preview: summary.preview.clone(),
            plain_body: given(texts.plain),
            html_body: given(texts.html),
            reply_to_message_id: answered.map(|id| id.to_string()),
            attachments: attachment_views(&summary.root),
            send_at: draft.send_at.map(time),
            created_at: time(draft.created_at),
            updated_at: time(draft.updated_at),
        })
    }
}
