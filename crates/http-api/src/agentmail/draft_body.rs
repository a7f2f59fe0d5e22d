//! What drafts are to be, read from the dialect's JSON (agentmail.md §10).

use super::call::Call;
use super::draft_view::attachment_place;
use super::failure::{Answer, Failure};
use super::fetch::Fetches;
use super::letter::{AttachmentBody, attachments, check_subject, people, urls};
use super::listing::may_see;
use super::message_id::find;
use super::wire::{OneOrMany, given, time};
use crate::State;
use crate::large::{self, Raw, Turn};
use postroom_drafts::{Draft, DraftChange, GivenLetter, NewDraft, NewKind, Sending};
use postroom_identity::Permission;
use postroom_intake::Idempotency;
use postroom_message::OutgoingAttachment;
use postroom_types::EmailId;
use serde::Deserialize;
use utoipa::ToSchema;

/// Longest client id (agentmail.md §3).
const MAX_CLIENT_ID_OCTETS: usize = 256;

/// What is to be kept until what was read is stored.
type Turns = (Turn, Turn);

/// A draft to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateDraftRequest)]
pub(super) struct CreateDraftBody {
    labels: Option<OneOrMany>,
    reply_to: Option<OneOrMany>,
    to: Option<OneOrMany>,
    cc: Option<OneOrMany>,
    bcc: Option<OneOrMany>,
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
    attachments: Option<Vec<AttachmentBody>>,
    /// The message that it answers; fills in recipients, subject and thread.
    in_reply_to: Option<String>,
    /// The message that it passes on; its text and files are added when the draft is sent.
    forward_of: Option<String>,
    /// With `in_reply_to`: to all that the message went to; then `to`, `cc` and `bcc` are settled.
    reply_all: Option<bool>,
    /// When it is to go by itself.
    send_at: Option<String>,
    client_id: Option<String>,
}

/// What to change of a draft; `null` takes a value away.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateDraftRequest)]
pub(super) struct UpdateDraftBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<OneOrMany>)]
    reply_to: Option<Option<OneOrMany>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<OneOrMany>)]
    to: Option<Option<OneOrMany>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<OneOrMany>)]
    cc: Option<Option<OneOrMany>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<OneOrMany>)]
    bcc: Option<Option<OneOrMany>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    subject: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    text: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    html: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    send_at: Option<Option<String>>,
    add_attachments: Option<Vec<AttachmentBody>>,
    remove_attachments: Option<OneOrMany>,
    add_labels: Option<OneOrMany>,
    remove_labels: Option<OneOrMany>,
}

/// Labels that the sent message gets beside those of the draft, and those that it does not get.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SendDraftRequest)]
pub(super) struct SendDraftBody {
    add_labels: Option<OneOrMany>,
    remove_labels: Option<OneOrMany>,
}

impl CreateDraftBody {
    /// What the draft is for; what it refers to has to be something that the key may read.
    pub(super) async fn kind(&self, state: &State, call: &Call) -> Answer<NewKind> {
        let all = self.reply_all.unwrap_or(false);
        let named = async |id: &str| -> Answer<EmailId> {
            call.require(Permission::MessageRead)?;
            let found = find(state, call.inbox()?.id, id, may_see(call)).await?;
            Ok(found.record.email_id)
        };
        match (&self.in_reply_to, &self.forward_of) {
            (Some(_), Some(_)) => Err(Failure::field(
                "forward_of",
                "a draft has one of in_reply_to and forward_of",
            )),
            (None, _) if all => Err(Failure::field("reply_all", "reply_all needs in_reply_to")),
            (None, None) => Ok(NewKind::Message),
            (Some(id), None) => Ok(NewKind::Reply {
                of: named(id).await?,
                all,
            }),
            (None, Some(id)) => Ok(NewKind::Forward { of: named(id).await? }),
        }
    }

    pub(super) async fn read(self, state: &State, raw: Raw, kind: NewKind) -> Answer<(NewDraft, Turns)> {
        let (files, turns) = files(state, raw, self.attachments).await?;
        let list = |name: &str, given: Option<OneOrMany>| given.map(|given| people(name, Some(given))).transpose();
        let new = NewDraft {
            letter: GivenLetter {
                to: list("to", self.to)?,
                cc: list("cc", self.cc)?,
                bcc: list("bcc", self.bcc)?,
                reply_to: list("reply_to", self.reply_to)?,
                subject: self.subject.map(check_subject).transpose()?,
                plain: self.text.map(Some),
                html: self.html.map(Some),
                attachments: files,
            },
            kind,
            labels: texts(self.labels),
            send_at: send_at(self.send_at)?,
            client_id: self.client_id.map(check_client_id).transpose()?,
            ..NewDraft::default()
        };
        Ok((new, turns))
    }
}

impl UpdateDraftBody {
    /// What it makes of the draft that is there.
    pub(super) async fn read(self, state: &State, raw: Raw, there: &Draft) -> Answer<(DraftChange, Turns)> {
        let (files, turns) = files(state, raw, self.add_attachments).await?;
        let mut removed = Vec::new();
        for id in texts(self.remove_attachments) {
            let place = attachment_place(&there.summary, &id);
            let unknown = |_| Failure::field("remove_attachments", format!("there is no attachment {id:?}"));
            removed.push(place.map_err(unknown)?);
        }
        let list = |name: &str, given: Option<Option<OneOrMany>>| given.map(|given| people(name, given)).transpose();
        let subject = self.subject.map(|given| check_subject(given.unwrap_or_default()));
        let change = DraftChange {
            letter: GivenLetter {
                to: list("to", self.to)?,
                cc: list("cc", self.cc)?,
                bcc: list("bcc", self.bcc)?,
                reply_to: list("reply_to", self.reply_to)?,
                subject: subject.transpose()?,
                plain: self.text,
                html: self.html,
                attachments: files,
            },
            remove_attachments: removed,
            version: Some(there.email_id()),
            add_labels: texts(self.add_labels),
            remove_labels: texts(self.remove_labels),
            send_at: self.send_at.map(send_at).transpose()?,
            ..DraftChange::default()
        };
        Ok((change, turns))
    }
}

impl SendDraftBody {
    pub(super) fn read(self, idempotency: Option<Idempotency>) -> Sending {
        Sending {
            add_labels: texts(self.add_labels),
            remove_labels: texts(self.remove_labels),
            idempotency,
            ..Sending::default()
        }
    }
}

/// The files of a body, fetched where they are given by a URL.
async fn files(
    state: &State,
    raw: Raw,
    given: Option<Vec<AttachmentBody>>,
) -> Answer<(Vec<OutgoingAttachment>, Turns)> {
    let (octets, turn) = (raw.octets(), raw.turn);
    let given = given.unwrap_or_default();
    let fetches = Fetches::of(urls(&given)?)?;
    let room = state.turns().take_fetches(fetches.octets(state)).await?;
    let fetched = fetches.fetch(state).await?;
    let work = move || Ok(attachments(given, fetched));
    Ok((large::work(octets, work).await??, (turn, room)))
}

fn texts(given: Option<OneOrMany>) -> Vec<String> {
    given.map(OneOrMany::into_vec).unwrap_or_default()
}

fn send_at(given: Option<String>) -> Answer<Option<i64>> {
    given.map(|text| time("send_at", &text)).transpose()
}

fn check_client_id(id: String) -> Answer<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if (1..=MAX_CLIENT_ID_OCTETS).contains(&id.len()) && id.bytes().all(good) {
        return Ok(id);
    }
    Err(Failure::field(
        "client_id",
        "client_id has 1 to 256 of the characters A-Za-z0-9-._~",
    ))
}
