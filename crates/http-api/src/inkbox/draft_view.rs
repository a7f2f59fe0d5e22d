//! A draft as the dialect shows it (inkbox.md §8).
//!
//! What always holds: `send_state` is `draft` or `sending`, never `uncertain`. The one commit that takes a draft for sending
//! says so in its row, so whoever reads the draft finds it unsent, or gone and its message in Sent. Only whoever asked for
//! the sending may be left without an answer: it hears 409 `draft_delivery_uncertain`, and the draft tells what became of it.

use super::failure::Answer;
use super::letter::ForwardMode;
use super::message_view::{AttachmentView, attachment_views, has_attachments};
use crate::State;
use crate::model::{addresses, time};
use crate::myagentmail::texts;
use postroom_drafts::{Draft, in_reply_to};
use postroom_identity::InboxRecord;
use serde::Serialize;

/// How much of each text is shown, octets as stored.
const MAX_TEXT_OCTETS: u64 = 4 << 20;

/// A draft; in lists without its details.
#[derive(Debug, Serialize)]
pub(super) struct DraftView {
    id: String,
    mailbox_id: String,
    from_address: String,
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
    subject: Option<String>,
    snippet: Option<String>,
    has_attachments: bool,
    attachment_count: usize,
    generation: u32,
    send_state: &'static str,
    /// This server tracks nobody.
    track_opens: bool,
    created_at: String,
    updated_at: String,
    #[serde(flatten)]
    detail: Option<DetailView>,
}

/// What is shown of a draft alone. What stands above a message that is passed on is the text of the draft.
#[derive(Debug, Serialize)]
struct DetailView {
    body_text: Option<String>,
    body_html: Option<String>,
    reply_to: Option<String>,
    thread_id: Option<String>,
    message_id: Option<String>,
    in_reply_to: Option<String>,
    references: Vec<String>,
    forward_source_message_id: Option<String>,
    forward_mode: Option<ForwardMode>,
    forward_note_text: Option<String>,
    forward_note_html: Option<String>,
    include_original_attachments: Option<bool>,
    attachment_metadata: Vec<AttachmentView>,
}

impl DraftView {
    /// For lists.
    pub(super) fn item(state: &State, inbox: &InboxRecord, draft: &Draft) -> Self {
        let (summary, envelope) = (&draft.summary, &draft.summary.envelope);
        let is_being_sent = state.drafts().is_being_sent(draft.inbox, draft.id);
        Self {
            id: draft.id.to_string(),
            mailbox_id: draft.inbox.to_string(),
            from_address: inbox.primary.to_string(),
            to_addresses: addresses(envelope.to.as_ref()),
            cc_addresses: addresses(envelope.cc.as_ref()),
            bcc_addresses: addresses(envelope.bcc.as_ref()),
            subject: Some(summary.subject_text.clone()).filter(|subject| !subject.is_empty()),
            snippet: Some(summary.preview.clone()).filter(|preview| !preview.is_empty()),
            has_attachments: has_attachments(&summary.root),
            attachment_count: attachment_views(&summary.root).len(),
            generation: draft.generation().get(),
            send_state: if is_being_sent { "sending" } else { "draft" },
            track_opens: false,
            created_at: time(draft.created_at),
            updated_at: time(draft.updated_at),
            detail: None,
        }
    }

    /// With its details.
    pub(super) async fn full(state: &State, inbox: &InboxRecord, draft: &Draft) -> Answer<Self> {
        let summary = &draft.summary;
        let texts = texts::read(state.mailstore(), draft.content(), &summary.root, MAX_TEXT_OCTETS)
            .await?
            .into_given();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (plain, html) = (given(texts.plain), given(texts.html));
        let passing = draft.passes_on.map(|(_, passing)| passing);
        let reply_to = addresses(summary.envelope.reply_to.as_ref()).join(", ");
        let detail = DetailView {
            forward_note_text: plain.clone().filter(|_| passing.is_some()),
            forward_note_html: html.clone().filter(|_| passing.is_some()),
            body_text: plain,
            body_html: html,
            reply_to: Some(reply_to).filter(|reply_to| !reply_to.is_empty()),
            thread_id: draft.thread.map(|thread| thread.to_string()),
            message_id: summary.message_id.as_ref().map(|id| format!("<{id}>")),
            in_reply_to: in_reply_to(summary).map(|id| format!("<{id}>")),
            references: summary.references.iter().map(|id| format!("<{id}>")).collect(),
            forward_source_message_id: draft.passes_on.map(|(source, _)| source.to_string()),
            forward_mode: passing.map(|passing| match passing.wrapped {
                true => ForwardMode::Wrapped,
                false => ForwardMode::Inline,
            }),
            include_original_attachments: passing.map(|passing| !passing.without_files),
            attachment_metadata: attachment_views(&summary.root),
        };
        Ok(Self {
            detail: Some(detail),
            ..Self::item(state, inbox, draft)
        })
    }
}
