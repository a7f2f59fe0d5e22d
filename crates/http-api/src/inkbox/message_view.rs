//! A message as the dialect shows it (inkbox.md §7 "Message object"), to clients and to webhooks.

use super::failure::Answer;
use super::imports;
use super::names::named;
use crate::State;
use crate::agentmail;
use crate::error::ApiError;
use crate::large::Turn;
use crate::model::{address, addresses, time};
use crate::myagentmail::texts::{self, Texts};
use crate::outgoing::mailboxes::one_line;
use postroom_drafts::{Audience, audience, mailboxes_of};
use postroom_identity::InboxRecord;
use postroom_intake::{Submitted, is_own_address};
use postroom_mailstore::{Listed, Origin};
use postroom_message::{Mailbox, attachments, decode_words};
use postroom_types::{EmailAddress, EmailId, Envelope, Part};
use serde::Serialize;
use std::sync::Arc;

/// What is shown of messages beside what a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing.
    Item,
    /// The texts, the attachments, and what it answers.
    Bodies,
    /// The same, of each text the beginning: what events tell of, and who has done something that cannot wait for a turn.
    Beginnings,
}

/// How much of each text is a beginning, octets as stored.
const TEXT_BEGINNING: u64 = 4 << 20;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    pub(crate) const fn of(listed: &Listed) -> Self {
        if listed.labels.sent {
            Self::Outbound
        } else {
            Self::Inbound
        }
    }
}

/// A message; in lists without its details.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MessageView {
    pub(crate) id: String,
    pub(crate) mailbox_id: String,
    pub(crate) thread_id: String,
    /// The Message-ID, in angle brackets.
    pub(crate) message_id: String,
    pub(crate) from_address: String,
    pub(crate) from_display_name: Option<String>,
    pub(crate) to_addresses: Vec<String>,
    pub(crate) cc_addresses: Vec<String>,
    pub(crate) subject: Option<String>,
    pub(crate) snippet: Option<String>,
    pub(crate) direction: Direction,
    pub(crate) status: &'static str,
    pub(crate) is_read: bool,
    pub(crate) is_starred: bool,
    pub(crate) has_attachments: bool,
    pub(crate) created_at: String,
    /// This server tracks nobody.
    pub(crate) first_opened_at: Option<String>,
    pub(crate) open_count: u32,
    pub(crate) import_job_id: Option<String>,
    #[serde(flatten)]
    pub(crate) detail: Option<DetailView>,
}

/// What is shown of a message alone.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DetailView {
    pub(crate) body_text: Option<String>,
    pub(crate) body_html: Option<String>,
    pub(crate) bcc_addresses: Vec<String>,
    pub(crate) in_reply_to: Option<String>,
    pub(crate) references: Vec<String>,
    pub(crate) attachment_metadata: Vec<AttachmentView>,
    pub(crate) ses_message_id: Option<String>,
    pub(crate) updated_at: String,
    pub(crate) reply_all_recipients: RecipientsView,
    /// Of long texts, until they are on their way.
    #[serde(skip)]
    _turn: Arc<Turn>,
}

/// A file of a message or of a draft.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AttachmentView {
    pub(crate) part_index: usize,
    pub(crate) filename: String,
    pub(crate) content_type: String,
    /// Octets, decoded.
    pub(crate) size: u64,
    pub(crate) content_id: Option<String>,
    pub(crate) is_inline: bool,
}

/// Whom an answer to all goes to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RecipientsView {
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
}

/// A message; `None` if it is gone. Drafts too.
pub(crate) async fn by_email_id(
    state: &State,
    inbox: &InboxRecord,
    id: EmailId,
    detail: Detail,
) -> Answer<Option<MessageView>> {
    let listed = state.mailstore().list_of(inbox.id, &[id]).await?;
    Ok(messages(state, inbox, &listed, detail).await?.pop())
}

/// Messages in their order; those whose bytes are gone by now are left out.
pub(crate) async fn messages(
    state: &State,
    inbox: &InboxRecord,
    listed: &[Listed],
    detail: Detail,
) -> Answer<Vec<MessageView>> {
    let mut views = Vec::with_capacity(listed.len());
    for listed in listed {
        let detail = match detail {
            Detail::Item => None,
            Detail::Bodies | Detail::Beginnings => match details(state, inbox, listed, detail).await? {
                None => continue,
                some => some,
            },
        };
        views.push(MessageView::new(inbox, listed, status(state, listed).await?, detail));
    }
    name_imports(state, inbox, listed, &mut views).await?;
    Ok(views)
}

/// Tells of those that came by an import which one it was.
async fn name_imports(state: &State, inbox: &InboxRecord, listed: &[Listed], views: &mut [MessageView]) -> Answer<()> {
    let imported = listed.iter().filter(|listed| listed.record.origin == Origin::Imported);
    let ids: Vec<EmailId> = imported.map(|listed| listed.record.email_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let jobs = state
        .imports()
        .jobs_of(inbox.id, &ids)
        .await
        .map_err(imports::failure)?;
    for (id, job) in ids.iter().zip(jobs) {
        let id = id.to_string();
        if let Some(view) = views.iter_mut().find(|view| view.id == id) {
            view.import_job_id = job.map(|job| job.to_string());
        }
    }
    Ok(())
}

/// What became of it, in the dialect's words.
async fn status(state: &State, listed: &Listed) -> Answer<&'static str> {
    if Direction::of(listed) == Direction::Inbound {
        return Ok("received");
    }
    let fate = state.queue().fate(listed.record.email_id).await?;
    Ok(match () {
        () if fate.rejected => "failed",
        () if fate.bounced => "bounced",
        () if fate.open => "queued",
        () if fate.delivered => "delivered",
        () => "sent",
    })
}

async fn details(state: &State, inbox: &InboxRecord, listed: &Listed, detail: Detail) -> Answer<Option<DetailView>> {
    let (content, root) = (&listed.record.content, &listed.summary.root);
    let texts = match detail {
        Detail::Bodies => texts::whole(state, content, root).await,
        Detail::Item | Detail::Beginnings => {
            let read = texts::read(state.mailstore(), content, root, TEXT_BEGINNING).await;
            read.map(Texts::into_given)
        }
    };
    let texts = match texts {
        Ok(texts) => texts,
        Err(ApiError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let changed = state.mailstore().changed_at(inbox.id, &[listed.modseq]).await?;
    let changed_at = changed.into_iter().flatten().next().unwrap_or(0);
    Ok(Some(DetailView::new(inbox, listed, texts, changed_at)))
}

impl MessageView {
    fn new(inbox: &InboxRecord, listed: &Listed, status: &'static str, detail: Option<DetailView>) -> Self {
        let Listed { record, summary, .. } = listed;
        let envelope = &summary.envelope;
        let author = envelope.from.iter().flatten().find(|entry| entry.host.is_some());
        let name = author.and_then(|entry| entry.name.as_deref());
        let name = name.map(|name| one_line(&decode_words(name)));
        Self {
            id: record.email_id.to_string(),
            mailbox_id: inbox.id.to_string(),
            thread_id: record.thread_id.to_string(),
            message_id: message_id(listed),
            from_address: author.and_then(address).unwrap_or_default(),
            from_display_name: name.filter(|name| !name.is_empty()),
            to_addresses: addresses(envelope.to.as_ref()),
            cc_addresses: addresses(envelope.cc.as_ref()),
            subject: envelope.subject.is_some().then(|| summary.subject_text.clone()),
            snippet: Some(summary.preview.clone()).filter(|preview| !preview.is_empty()),
            direction: Direction::of(listed),
            status,
            is_read: !listed.labels.unread,
            is_starred: listed.labels.flagged,
            has_attachments: has_attachments(&summary.root),
            created_at: time(record.received_at),
            first_opened_at: None,
            open_count: 0,
            import_job_id: None,
            detail,
        }
    }

    /// A message that was sent and is gone by now, for who asks again with the key of the request that sent it.
    pub(crate) fn gone(inbox: &InboxRecord, submitted: &Submitted) -> Self {
        let now = time(jiff::Timestamp::now().as_millisecond());
        Self {
            id: submitted.id.to_string(),
            mailbox_id: inbox.id.to_string(),
            thread_id: submitted.thread_id.to_string(),
            message_id: format!("<{}>", submitted.message_id),
            from_address: inbox.primary.to_string(),
            from_display_name: inbox.display_name.clone(),
            to_addresses: Vec::new(),
            cc_addresses: Vec::new(),
            subject: None,
            snippet: None,
            direction: Direction::Outbound,
            status: "deleted",
            is_read: true,
            is_starred: false,
            has_attachments: false,
            created_at: now.clone(),
            first_opened_at: None,
            open_count: 0,
            import_job_id: None,
            detail: Some(DetailView {
                body_text: None,
                body_html: None,
                bcc_addresses: Vec::new(),
                in_reply_to: None,
                references: Vec::new(),
                attachment_metadata: Vec::new(),
                ses_message_id: None,
                updated_at: now,
                reply_all_recipients: RecipientsView::default(),
                _turn: Arc::default(),
            }),
        }
    }
}

impl DetailView {
    fn new(inbox: &InboxRecord, listed: &Listed, texts: Texts, changed_at: i64) -> Self {
        let Listed { record, summary, .. } = listed;
        let outbound = Direction::of(listed) == Direction::Outbound;
        let all = everybody(inbox, &summary.envelope, outbound);
        let shown = |list: &[Mailbox]| list.iter().map(|mailbox| mailbox.address.to_string()).collect();
        Self {
            body_text: texts.plain,
            body_html: texts.html,
            bcc_addresses: addresses(summary.envelope.bcc.as_ref()),
            in_reply_to: postroom_drafts::in_reply_to(summary).map(|id| format!("<{id}>")),
            references: summary.references.iter().map(|id| format!("<{id}>")).collect(),
            attachment_metadata: attachment_views(&summary.root),
            ses_message_id: None,
            updated_at: time(changed_at.max(record.received_at)),
            reply_all_recipients: RecipientsView {
                to: shown(&all.to),
                cc: shown(&all.cc),
            },
            _turn: Arc::new(texts.turn),
        }
    }
}

/// Whom an answer to all goes to: the sender, and as copies the rest; of what the inbox sent, whom that went to. Never the
/// inbox itself, unless nobody else is there.
pub(crate) fn everybody(inbox: &InboxRecord, envelope: &Envelope, outbound: bool) -> Audience {
    if outbound {
        return audience(inbox, envelope, true, true);
    }
    let mut all = audience(inbox, envelope, false, false);
    let others = mailboxes_of(envelope.to.as_ref())
        .into_iter()
        .chain(mailboxes_of(envelope.cc.as_ref()));
    let mut seen: Vec<EmailAddress> = all.to.iter().map(|mailbox| mailbox.address.folded()).collect();
    for mailbox in others {
        let address = mailbox.address.folded();
        if !is_own_address(inbox, &address) && !seen.contains(&address) {
            seen.push(address);
            all.cc.push(mailbox);
        }
    }
    all
}

/// The Message-ID; of a message without one, an id of ours.
fn message_id(listed: &Listed) -> String {
    match &listed.summary.message_id {
        Some(id) => format!("<{id}>"),
        None => agentmail::own_message_id(listed.record.email_id),
    }
}

/// Whether there is anything but what the HTML shows in its place.
pub(crate) fn has_attachments(root: &Part) -> bool {
    let is_shown_in_text =
        |attachment: &postroom_message::Attachment| attachment.inline && attachment.content_id.is_some();
    !attachments(root).iter().all(is_shown_in_text)
}

pub(crate) fn attachment_views(root: &Part) -> Vec<AttachmentView> {
    let view = |(filename, attachment): (String, postroom_message::Attachment)| AttachmentView {
        part_index: attachment.index,
        filename,
        content_type: attachment.content_type,
        size: attachment.size_octets,
        content_id: attachment.content_id,
        is_inline: attachment.inline,
    };
    named(root).into_iter().map(view).collect()
}
