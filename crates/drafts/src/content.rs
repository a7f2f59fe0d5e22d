//! A draft's message as a letter, and back.

use crate::letter::{Context, Letter, new_message_id};
use crate::mailboxes::{of, one_line};
use crate::{Draft, DraftError};
use bytes::Bytes;
use postroom_identity::InboxRecord;
use postroom_mailstore::{NewMessage, Origin, ThreadChoice};
use postroom_message::{attachments, compose, forward_attachments, html_text, leaf, plain_text, summarize};
use postroom_types::{EmailId, PartBody, Summary};
use std::sync::Arc;

/// The text and the HTML of a message, as whoever wrote them gave them: line ends are LF, and the one at the end of a
/// message that is nothing but a text is the message's.
#[must_use]
pub fn texts(content: &[u8], summary: &Summary) -> (Option<String>, Option<String>) {
    let root = &summary.root;
    let is_last = matches!(root.body, PartBody::Leaf) && !root.encoding.eq_ignore_ascii_case(b"base64");
    let as_given = |text: String| {
        let without_end = text.strip_suffix("\r\n").filter(|_| is_last);
        without_end.unwrap_or(&text).replace("\r\n", "\n")
    };
    let plain = plain_text(content, root).map(as_given);
    (plain, html_text(content, root).map(as_given))
}

/// Whether there is a text in HTML.
#[must_use]
pub fn has_html(summary: &Summary) -> bool {
    let attached: Vec<usize> = attachments(&summary.root).iter().map(|file| file.index).collect();
    let mut leaves = (0..).map_while(|index| leaf(&summary.root, index).map(|part| (index, part)));
    leaves.any(|(index, part)| {
        !attached.contains(&index)
            && part.media_type.eq_ignore_ascii_case(b"text")
            && part.subtype.eq_ignore_ascii_case(b"html")
    })
}

/// The message of a draft, ready to be changed. Files whose places are in `without` are left out.
pub(crate) fn letter_of(draft: &Draft, content: &Bytes, without: &[usize]) -> (Letter, Context) {
    let (summary, envelope) = (&draft.summary, &draft.summary.envelope);
    let (plain, html) = texts(content, summary);
    let places = attachments(&summary.root)
        .into_iter()
        .map(|attachment| attachment.index);
    let files = forward_attachments(content, &summary.root);
    let kept = places.zip(files).filter(|(place, _)| !without.contains(place));
    let letter = Letter {
        to: of(envelope.to.as_ref()),
        cc: of(envelope.cc.as_ref()),
        bcc: of(envelope.bcc.as_ref()),
        reply_to: of(envelope.reply_to.as_ref()),
        subject: one_line(&summary.subject_text),
        // A draft of nothing but files has a text of nothing.
        plain: plain.filter(|text| !text.is_empty()),
        html: html.filter(|text| !text.is_empty()),
        attachments: kept.map(|(_, file)| file).collect(),
        headers: Vec::new(),
        automated: false,
    };
    let context = Context {
        thread: ThreadChoice::Given(draft.record.message.thread_id),
        answers: None,
        in_reply_to: in_reply_to(summary).map(str::to_owned),
        references: summary.references.clone(),
    };
    (letter, context)
}

/// The message that a draft says it answers, without angle brackets.
#[must_use]
pub fn in_reply_to(summary: &Summary) -> Option<&str> {
    let raw = summary.envelope.in_reply_to.as_deref()?;
    // What the field names stands before what References names.
    summary
        .ancestors
        .first()
        .map(String::as_str)
        .filter(|_| raw.contains(&b'<'))
}

/// A letter as the message of a draft, under this Message-ID or a new one.
pub(crate) fn message_of(
    inbox: &InboxRecord,
    letter: Letter,
    context: Context,
    message_id: Option<&str>,
    now_ms: i64,
) -> Result<NewMessage, DraftError> {
    let message_id = message_id.map_or_else(|| new_message_id(inbox), str::to_owned);
    let body: Bytes = compose(&letter.outgoing(inbox, context, message_id, None))?.into();
    Ok(NewMessage {
        summary: Arc::new(summarize(&body)),
        body,
        prefix: Vec::new(),
        origin: Origin::Draft,
        received_at: now_ms,
        verdict: Vec::new(),
        shared_body: None,
    })
}

/// The id of the draft that a message is.
pub(crate) fn id_of(summary: &Summary, email_id: EmailId) -> crate::DraftId {
    let named = summary
        .message_id
        .as_deref()
        .map(postroom_mailstore::Mailstore::draft_name);
    crate::DraftId(named.unwrap_or(*email_id.as_bytes()))
}
