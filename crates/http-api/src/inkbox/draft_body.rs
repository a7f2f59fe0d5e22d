//! What drafts are to be, read from the dialect's JSON (inkbox.md §8).

use super::call::Caller;
use super::failure::{Answer, Failure};
use super::files::{AttachmentBody, attachments};
use super::letter::{ForwardMode, Recipients, bare_id, check_subject, check_tracking, people};
use super::messages;
use super::send::context;
use super::wire::given;
use crate::State;
use crate::wire::OneOrMany;
use axum::http::StatusCode;
use postroom_drafts::{Draft, DraftChange, GivenContext, GivenLetter, NewDraft, NewKind, Passing};
use postroom_identity::{InboxRecord, Permission};
use postroom_mailstore::ThreadChoice;
use postroom_message::{Mailbox, OutgoingAttachment, attachments as attached};
use postroom_types::{EmailId, ThreadId, Uid};
use serde::Deserialize;

/// Most Message-IDs of References that a caller gives.
const MAX_REFERENCES: usize = 100;
/// Octets of all files of a draft.
const MAX_ATTACHMENT_OCTETS: u64 = 25 << 20;

/// A draft to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateBody {
    recipients: Option<Recipients>,
    subject: Option<String>,
    body_text: Option<String>,
    body_html: Option<String>,
    reply_to: Option<OneOrMany>,
    thread_id: Option<String>,
    in_reply_to_message_id: Option<String>,
    references: Option<Vec<String>>,
    attachments: Option<Vec<AttachmentBody>>,
    track_opens: Option<bool>,
    forward_message_id: Option<String>,
    forward_mode: Option<ForwardMode>,
    forward_note_text: Option<String>,
    forward_note_html: Option<String>,
    include_original_attachments: Option<bool>,
}

/// Whom a draft goes to; `null` takes a list away.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipientsChange {
    #[serde(default, deserialize_with = "given")]
    to: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    cc: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    bcc: Option<Option<Vec<String>>>,
}

/// What to change of a draft; `null` takes a value away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateBody {
    generation: u32,
    #[serde(default, deserialize_with = "given")]
    recipients: Option<Option<RecipientsChange>>,
    #[serde(default, deserialize_with = "given")]
    subject: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    body_text: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    body_html: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    reply_to: Option<Option<OneOrMany>>,
    #[serde(default, deserialize_with = "given")]
    thread_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    in_reply_to_message_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    references: Option<Option<Vec<String>>>,
    track_opens: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    forward_note_text: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    forward_note_html: Option<Option<String>>,
}

/// Files to be added to a draft.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesBody {
    generation: u32,
    attachments: Vec<AttachmentBody>,
}

/// A version of a draft.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionBody {
    generation: u32,
}

impl VersionBody {
    pub(super) fn generation(&self) -> Answer<Uid> {
        version(self.generation)
    }
}

/// A number that no version has is that of an older one: the client is told to look again.
pub(super) fn version(generation: u32) -> Answer<Uid> {
    let text = "the draft was changed meanwhile";
    Uid::new(generation).ok_or_else(|| Failure::conflict("draft_generation_conflict", text))
}

impl CreateBody {
    pub(super) async fn read(self, state: &State, caller: &Caller, inbox: &InboxRecord) -> Answer<NewDraft> {
        let kind = self.kind(state, caller, inbox).await?;
        let html = self.forward_note_html.or(self.body_html);
        check_tracking(self.track_opens, html.is_some())?;
        let answered = answered(
            state,
            caller,
            inbox,
            self.in_reply_to_message_id.map(Some),
            self.references.map(Some),
        );
        let mut context = answered.await?;
        if let Some(thread) = self.thread_id {
            context.thread = Some(Some(thread_of(state, caller, inbox, &thread).await?));
        }
        let recipients = self.recipients.unwrap_or_default();
        let subject = self.subject.map(check_subject).transpose()?;
        Ok(NewDraft {
            letter: GivenLetter {
                to: Some(people("recipients.to", recipients.to)?),
                cc: Some(people("recipients.cc", recipients.cc)?),
                bcc: Some(people("recipients.bcc", recipients.bcc)?),
                reply_to: Some(people("reply_to", self.reply_to.map(OneOrMany::into_vec))?),
                subject,
                plain: Some(self.forward_note_text.or(self.body_text)),
                attachments: attachments("attachments", self.attachments.unwrap_or_default(), html.is_some())?,
                html: Some(html),
            },
            kind,
            passing: Passing {
                wrapped: self.forward_mode == Some(ForwardMode::Wrapped),
                without_files: self.include_original_attachments == Some(false),
                new_thread: true,
            },
            context,
            ..NewDraft::default()
        })
    }

    async fn kind(&self, state: &State, caller: &Caller, inbox: &InboxRecord) -> Answer<NewKind> {
        let options = self.forward_mode.is_some()
            || self.include_original_attachments.is_some()
            || self.forward_note_text.is_some()
            || self.forward_note_html.is_some();
        let Some(source) = &self.forward_message_id else {
            return match options {
                true => Err(Failure::field(
                    "forward_message_id",
                    "forward options need forward_message_id",
                )),
                false => Ok(NewKind::Message),
            };
        };
        if self.in_reply_to_message_id.is_some() {
            let text = "a draft answers a message or passes one on, not both";
            return Err(Failure::field("forward_message_id", text));
        }
        caller.require(Permission::MessageRead)?;
        let id: Option<EmailId> = source.parse().ok();
        let found = match id {
            Some(id) => messages::find(state, caller, inbox, id).await.ok(),
            None => None,
        };
        let unknown = || Failure::field("forward_message_id", "there is no such message in this mailbox");
        let of = found.ok_or_else(unknown)?.record.email_id;
        Ok(NewKind::Forward { of })
    }
}

impl UpdateBody {
    pub(super) async fn read(self, state: &State, caller: &Caller, inbox: &InboxRecord) -> Answer<DraftChange> {
        check_tracking(self.track_opens, self.body_html.as_ref().is_some_and(Option::is_some))?;
        let mut context = answered(state, caller, inbox, self.in_reply_to_message_id, self.references).await?;
        match self.thread_id {
            None => {}
            Some(None) => context.thread = Some(None),
            Some(Some(thread)) => context.thread = Some(Some(thread_of(state, caller, inbox, &thread).await?)),
        }
        let recipients = match self.recipients {
            None => RecipientsChange::default(),
            Some(Some(recipients)) => recipients,
            Some(None) => RecipientsChange {
                to: Some(None),
                cc: Some(None),
                bcc: Some(None),
            },
        };
        let list = |name: &str, given: Option<Option<Vec<String>>>| -> Answer<Option<Vec<Mailbox>>> {
            given.map(|given| people(name, given)).transpose()
        };
        let subject = self.subject.map(|given| check_subject(given.unwrap_or_default()));
        Ok(DraftChange {
            letter: GivenLetter {
                to: list("recipients.to", recipients.to)?,
                cc: list("recipients.cc", recipients.cc)?,
                bcc: list("recipients.bcc", recipients.bcc)?,
                reply_to: list("reply_to", self.reply_to.map(|given| given.map(OneOrMany::into_vec)))?,
                subject: subject.transpose()?,
                plain: self.forward_note_text.or(self.body_text),
                html: self.forward_note_html.or(self.body_html),
                attachments: Vec::new(),
            },
            context,
            generation: Some(version(self.generation)?),
            ..DraftChange::default()
        })
    }
}

impl FilesBody {
    /// With what is in the draft already.
    pub(super) fn read(self, there: &Draft) -> Answer<DraftChange> {
        let root = &there.summary.root;
        let generation = version(self.generation)?;
        if self.attachments.is_empty() {
            return Err(Failure::field("attachments", "attachments has none"));
        }
        let html = postroom_drafts::has_html(&there.summary);
        let files = attachments("attachments", self.attachments, html)?;
        let added: u64 = files.iter().map(|file| file.content.len() as u64).sum();
        let all: u64 = attached(root).iter().map(|file| file.size_octets).sum::<u64>() + added;
        if all > MAX_ATTACHMENT_OCTETS {
            let text = format!("attachments have at most {} MB together", MAX_ATTACHMENT_OCTETS >> 20);
            return Err(Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "attachments_too_large",
                text,
            ));
        }
        let is_taken = |file: &OutgoingAttachment| {
            let mut there = attached(root).into_iter();
            file.content_id.is_some() && there.any(|other| other.content_id == file.content_id)
        };
        if files.iter().any(is_taken) {
            return Err(Failure::field("attachments", "two attachments have one content_id"));
        }
        Ok(DraftChange {
            letter: GivenLetter {
                attachments: files,
                ..GivenLetter::default()
            },
            generation: Some(generation),
            ..DraftChange::default()
        })
    }
}

/// What a draft answers, as it is given.
async fn answered(
    state: &State,
    caller: &Caller,
    inbox: &InboxRecord,
    named: Option<Option<String>>,
    references: Option<Option<Vec<String>>>,
) -> Answer<GivenContext> {
    let mut answered = GivenContext::default();
    match named {
        None => {}
        Some(None) => {
            answered.in_reply_to = Some(None);
            answered.references = Some(Vec::new());
            answered.thread = Some(None);
        }
        Some(Some(named)) => {
            let context = context(state, caller, inbox, Some(&named)).await?;
            answered.in_reply_to = Some(context.in_reply_to);
            answered.references = Some(context.references);
            answered.thread = Some(match context.thread {
                ThreadChoice::Given(thread) => Some(thread),
                ThreadChoice::Find | ThreadChoice::New => None,
            });
        }
    }
    if let Some(references) = references {
        let references = references.unwrap_or_default();
        if references.len() > MAX_REFERENCES {
            let text = format!("references has at most {MAX_REFERENCES} Message-IDs");
            return Err(Failure::field("references", text));
        }
        let bare = references.iter().map(|id| bare_id("references", id).map(str::to_owned));
        answered.references = Some(bare.collect::<Answer<Vec<String>>>()?);
    }
    Ok(answered)
}

/// A thread of the mailbox.
async fn thread_of(state: &State, caller: &Caller, inbox: &InboxRecord, given: &str) -> Answer<ThreadId> {
    caller.require(Permission::MessageRead)?;
    let unknown = || Failure::field("thread_id", "there is no such thread in this mailbox");
    let thread: ThreadId = given.parse().map_err(|_| unknown())?;
    match state.mailstore().has_thread(inbox.id, thread).await? {
        true => Ok(thread),
        false => Err(unknown()),
    }
}
