//! A message as the dialect shows it (agentmail.md §8), to clients, to webhooks and to all others who are told of it.

use super::failure::{Answer, Failure};
use super::message_id::{attachment_id, message_id};
use crate::State;
use crate::model::time;
use crate::myagentmail::texts::{self, Texts};
use crate::outgoing::mailboxes::one_line;
use postroom_identity::InboxRecord;
use postroom_mailstore::{Labels, Listed};
use postroom_message::{attachments, decode_words, extract_html, extract_text, fields, plain_part, unfold};
use postroom_types::{AddressEntry, EmailId, Part, Summary};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How much of each text is shown, octets as stored: of a message alone, and of one of very many.
const MAX_TEXT_OCTETS: u64 = 4 << 20;
const MIN_TEXT_OCTETS: u64 = 128 << 10;
/// How much of all plain texts of an answer is shown, and of all that are HTML.
const ALL_TEXT_OCTETS: u64 = 16 << 20;
/// How much of a header section is shown.
const MAX_HEADER_OCTETS: u64 = 64 << 10;

/// Labels that say what became of a message that was sent.
pub(crate) const FATES: [&str; 5] = ["delivered", "bounced", "delayed", "complained", "rejected"];

/// What is shown of messages beside what a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing.
    Item,
    /// The header fields.
    Headers,
    /// The header fields and the texts.
    Bodies,
}

/// A message; in lists without its texts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageView {
    pub(crate) inbox_id: String,
    pub(crate) thread_id: String,
    pub(crate) message_id: String,
    pub(crate) labels: Vec<String>,
    pub(crate) timestamp: String,
    pub(crate) from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<Vec<String>>,
    pub(crate) to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) cc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) bcc: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) html: Option<String>,
    /// The text without what it quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extracted_text: Option<String>,
    /// The HTML without what it quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extracted_html: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) attachments: Vec<AttachmentView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_reply_to: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) references: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) headers: Option<BTreeMap<String, String>>,
    /// Octets of the message as it is stored.
    pub(crate) size: u64,
    pub(crate) updated_at: String,
    pub(crate) created_at: String,
}

/// What is attached to a message, or stands in it beside its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Attachment)]
pub(crate) struct AttachmentView {
    pub(crate) attachment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filename: Option<String>,
    /// Octets, decoded.
    pub(crate) size: u64,
    pub(crate) content_type: String,
    /// `inline` or `attachment`.
    pub(crate) content_disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_id: Option<String>,
}

/// A message, with its texts and header fields or without; `None` if it is gone.
pub(crate) async fn by_email_id(
    state: &State,
    inbox: &InboxRecord,
    id: EmailId,
    bodies: bool,
) -> Answer<Option<MessageView>> {
    let listed = state.mailstore().list_of(inbox.id, &[id]).await?;
    let detail = if bodies { Detail::Bodies } else { Detail::Item };
    Ok(messages(state, inbox, &listed, detail).await?.pop())
}

/// Messages in their order; those whose bytes are gone by now are left out.
pub(crate) async fn messages(
    state: &State,
    inbox: &InboxRecord,
    listed: &[Listed],
    detail: Detail,
) -> Answer<Vec<MessageView>> {
    let modseqs: Vec<_> = listed.iter().map(|listed| listed.modseq).collect();
    let changed = state.mailstore().changed_at(inbox.id, &modseqs).await?;
    let share = ALL_TEXT_OCTETS / (listed.len() as u64).max(1);
    let text_octets = share.clamp(MIN_TEXT_OCTETS, MAX_TEXT_OCTETS);
    let mut views = Vec::with_capacity(listed.len());
    for (listed, changed_at) in listed.iter().zip(changed) {
        let mut view = MessageView::new(inbox, listed, changed_at);
        view.labels = labels(state, listed.record.email_id, &listed.labels).await?;
        if detail != Detail::Item {
            match add_headers(state, listed, &mut view).await {
                Ok(()) => {}
                Err(failure) if is_gone(&failure) => continue,
                Err(failure) => return Err(failure),
            }
        }
        if detail == Detail::Bodies {
            let (content, root) = (&listed.record.content, &listed.summary.root);
            match texts::read(state.mailstore(), content, root, text_octets).await {
                Ok(texts) => view.add_texts(texts),
                Err(crate::error::ApiError::NotFound) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        views.push(view);
    }
    Ok(views)
}

fn is_gone(failure: &Failure) -> bool {
    failure.status == axum::http::StatusCode::NOT_FOUND
}

/// The labels of a message, what became of one that was sent included.
pub(crate) async fn labels(state: &State, email_id: EmailId, labels: &Labels) -> Answer<Vec<String>> {
    let mut names = labels.names();
    if labels.sent {
        let fate = state.queue().fate(email_id).await?;
        let told = [
            fate.delivered,
            fate.bounced,
            fate.delayed,
            fate.complained,
            fate.rejected,
        ];
        let told = told.into_iter().zip(FATES).filter(|(is, _)| *is);
        names.extend(told.map(|(_, label)| label.to_owned()));
    }
    Ok(names)
}

async fn add_headers(state: &State, listed: &Listed, view: &mut MessageView) -> Answer<()> {
    let end = listed.summary.root.body_offset.min(MAX_HEADER_OCTETS);
    let read = state.mailstore().read(&listed.record.content, 0..end).await?;
    let header = read.ok_or_else(Failure::not_found)?;
    let mut headers = BTreeMap::new();
    for field in fields(&header) {
        let name = String::from_utf8_lossy(field.name).into_owned();
        let value = decode_words(&unfold(field.value)).trim().to_owned();
        // Of several the one on top: the newest of trace fields, and what programs take of others.
        headers.entry(name).or_insert(value);
    }
    view.headers = Some(headers);
    Ok(())
}

impl MessageView {
    fn new(inbox: &InboxRecord, listed: &Listed, changed_at: Option<i64>) -> Self {
        let Listed { record, summary, .. } = listed;
        let envelope = &summary.envelope;
        let in_reply_to = envelope.in_reply_to.as_deref().and_then(first_id);
        Self {
            inbox_id: inbox.canonical.to_string(),
            thread_id: record.thread_id.to_string(),
            message_id: message_id(listed),
            labels: Vec::new(),
            timestamp: time(record.received_at),
            from: addresses(envelope.from.as_ref()).into_iter().next().unwrap_or_default(),
            reply_to: envelope.reply_to.as_ref().map(|entries| addresses(Some(entries))),
            to: addresses(envelope.to.as_ref()),
            cc: addresses(envelope.cc.as_ref()),
            bcc: addresses(envelope.bcc.as_ref()),
            subject: envelope.subject.is_some().then(|| summary.subject_text.clone()),
            preview: preview(summary),
            text: None,
            html: None,
            extracted_text: None,
            extracted_html: None,
            attachments: attachment_views(record.email_id, &summary.root),
            in_reply_to,
            references: summary.references.iter().map(|id| format!("<{id}>")).collect(),
            headers: None,
            size: record.size_octets(),
            updated_at: time(changed_at.unwrap_or(record.received_at).max(record.received_at)),
            created_at: time(record.received_at),
        }
    }

    fn add_texts(&mut self, texts: Texts) {
        self.extracted_text = texts.plain.as_deref().map(|text| extract_text(text).into_owned());
        self.extracted_html = texts.html.as_deref().map(|html| extract_html(html).into_owned());
        (self.text, self.html) = (texts.plain, texts.html);
    }
}

/// The preview, if it was made of a plain text and not of HTML.
pub(crate) fn preview(summary: &Summary) -> Option<String> {
    let has_text = plain_part(&summary.root).is_some();
    Some(summary.preview.clone()).filter(|preview| has_text && !preview.is_empty())
}

/// Everything but the text itself.
pub(crate) fn attachment_views(email_id: EmailId, root: &Part) -> Vec<AttachmentView> {
    let view = |attachment: postroom_message::Attachment| AttachmentView {
        attachment_id: attachment_id(email_id, attachment.index),
        filename: attachment.filename,
        size: attachment.size_octets,
        content_type: attachment.content_type,
        content_disposition: if attachment.inline { "inline" } else { "attachment" },
        content_id: attachment.content_id,
    };
    attachments(root).into_iter().map(view).collect()
}

/// The addresses of a field, without the groups around them: `a@b` or `Name <a@b>`.
pub(crate) fn addresses(entries: Option<&Vec<AddressEntry>>) -> Vec<String> {
    entries.into_iter().flatten().filter_map(address).collect()
}

fn address(entry: &AddressEntry) -> Option<String> {
    let address = crate::model::address(entry)?;
    let name = one_line(&entry.name.as_deref().map(decode_words).unwrap_or_default());
    Some(match name.as_str() {
        "" => address,
        name if name.contains(is_special) => {
            format!("\"{}\" <{address}>", name.replace('\\', "\\\\").replace('"', "\\\""))
        }
        name => format!("{name} <{address}>"),
    })
}

/// What a name has to be quoted for, if it is to be read again (RFC 5322 §3.2.3; a full stop does no harm).
fn is_special(c: char) -> bool {
    "()<>[]:;@\\,\"".contains(c)
}

/// The first Message-ID of a field, with its brackets.
fn first_id(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let start = text.find('<')?;
    let end = start + text[start..].find('>')?;
    Some(text[start..=end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;

    #[test]
    fn addresses_can_be_read_again() {
        let content = b"To: a@b.c, Ann <ann@b.c>, \"Bee, \\\"B\\\"\" <bee@b.c>, =?utf-8?q?Zo=C3=AB?= <z@b.c>, T: x@y;, J. R. <j@b.c>\r\n\r\n";
        let to = summarize(content).envelope.to;
        assert_eq!(
            addresses(to.as_ref()),
            [
                "a@b.c",
                "Ann <ann@b.c>",
                "\"Bee, \\\"B\\\"\" <bee@b.c>",
                "Zoë <z@b.c>",
                "x@y",
                "J. R. <j@b.c>"
            ]
        );
    }

    #[test]
    fn previews_are_of_plain_text() {
        let of = |content: &str| preview(&summarize(content.as_bytes()));
        assert_eq!(of("Subject: x\r\n\r\nhello"), Some("hello".into()));
        assert_eq!(of("Content-Type: text/html\r\n\r\n<p>hello</p>"), None);
        assert_eq!(of("Subject: x\r\n\r\n"), None);
        assert_eq!(of("Content-Type: text/plain; name=a.txt\r\n\r\nhello"), None);
    }

    #[test]
    fn the_first_of_several_ids() {
        assert_eq!(first_id(b" (x) <a@b> <c@d>").as_deref(), Some("<a@b>"));
        assert_eq!(first_id(b"rubbish"), None);
        assert_eq!(first_id(b"> <"), None);
    }
}
