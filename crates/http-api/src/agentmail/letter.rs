//! What a caller wants said, read from the dialect's JSON (agentmail.md §8 "Sending", "Attachments").
//!
//! What always holds: what becomes a header field is one line; a field of ours is not the caller's to write.

use super::failure::{Answer, Failure};
use super::fetch::{Fetched, Fetches};
use super::wire::OneOrMany;
use crate::outgoing::given;
use crate::wire::strictly;
use bytes::Bytes;
use postroom_drafts::{Letter, label_keywords};
use postroom_message::{Mailbox, OutgoingAttachment};
use postroom_types::Keyword;
use postroom_wire::base64_decode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Most recipients of one message (agentmail.md §8).
const MAX_RECIPIENTS: usize = 50;
/// Longest subject, characters.
const MAX_SUBJECT_CHARS: usize = 2_000;
/// Most attachments of one message.
const MAX_ATTACHMENTS: usize = 100;
/// Most header fields of a caller's own, and octets of them together.
const MAX_HEADERS: usize = 50;
const MAX_HEADER_OCTETS: usize = 16 << 10;
const DEFAULT_TYPE: &str = "application/octet-stream";

/// A message to be sent, or passed on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = SendMessageRequest)]
pub(super) struct SendBody {
    pub(super) to: Option<OneOrMany>,
    pub(super) cc: Option<OneOrMany>,
    pub(super) bcc: Option<OneOrMany>,
    pub(super) reply_to: Option<OneOrMany>,
    pub(super) subject: Option<String>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) labels: Option<OneOrMany>,
    pub(super) attachments: Option<Vec<AttachmentBody>>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// Not supported: only `false`.
    pub(super) track_opens: Option<bool>,
}

/// An answer to be sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ReplyToMessageRequest)]
pub(super) struct ReplyBody {
    #[serde(flatten, deserialize_with = "strictly")]
    #[schema(inline)]
    pub(super) letter: SendBody,
    /// To all that the message went to; then `to`, `cc` and `bcc` are settled.
    pub(super) reply_all: Option<bool>,
}

/// A file that goes along: exactly one of `content` and `url`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = SendAttachment)]
pub(super) struct AttachmentBody {
    filename: Option<String>,
    content_type: Option<String>,
    content_disposition: Option<Disposition>,
    /// What the HTML calls it, after `cid:`.
    content_id: Option<String>,
    /// Base64.
    content: Option<String>,
    /// Where the server fetches it.
    url: Option<String>,
}

/// Where a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SendAttachmentContentDisposition)]
enum Disposition {
    Inline,
    Attachment,
}

/// A letter as it was asked for; what it answers may fill in the rest.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) letter: Letter,
    /// Which lists of recipients are given.
    pub(super) addressed: bool,
    /// Whether there is a subject.
    pub(super) subject: bool,
    /// Labels of the copy in Sent.
    pub(super) keywords: Vec<Keyword>,
}

impl SendBody {
    /// What has to be fetched before the letter can be read.
    pub(super) fn fetches(&self) -> Answer<Fetches> {
        urls(self.attachments.as_deref().unwrap_or_default()).and_then(Fetches::of)
    }

    /// Reads it; `fetched` has what was fetched, in order.
    pub(super) fn read(self, fetched: Vec<Fetched>) -> Answer<Asked> {
        if self.track_opens == Some(true) {
            return Err(Failure::field(
                "track_opens",
                "this server does not track opens: leave track_opens out or set it to false",
            ));
        }
        let addressed = self.to.is_some() || self.cc.is_some() || self.bcc.is_some();
        let labels = self.labels.map(OneOrMany::into_vec).unwrap_or_default();
        let subject = self.subject.is_some();
        let letter = Letter {
            to: people("to", self.to)?,
            cc: people("cc", self.cc)?,
            bcc: people("bcc", self.bcc)?,
            reply_to: people("reply_to", self.reply_to)?,
            subject: self.subject.map(check_subject).transpose()?.unwrap_or_default(),
            plain: self.text,
            html: self.html,
            attachments: attachments(self.attachments.unwrap_or_default(), fetched)?,
            headers: headers(self.headers.unwrap_or_default())?,
            // What comes over this API is a program's.
            automated: true,
        };
        check_recipients(&letter)?;
        Ok(Asked {
            letter,
            addressed,
            subject,
            keywords: label_keywords(&labels).map_err(|error| Failure::field("labels", error.to_string()))?,
        })
    }
}

/// The addresses of a field.
pub(super) fn people(field: &str, given: Option<OneOrMany>) -> Answer<Vec<Mailbox>> {
    given::people(field, given.map(OneOrMany::into_vec).unwrap_or_default())
}

/// As many as the contract allows in all; that there is one at all is for who sends it.
pub(super) fn check_recipients(letter: &Letter) -> Answer<()> {
    if letter.recipients().len() > MAX_RECIPIENTS {
        let text = format!("to, cc and bcc have at most {MAX_RECIPIENTS} addresses together");
        return Err(Failure::field("to", text));
    }
    Ok(())
}

pub(super) fn check_subject(subject: String) -> Answer<String> {
    given::subject(subject, MAX_SUBJECT_CHARS)
}

/// Which names are ours to write is for who writes the message to say.
fn headers(given: BTreeMap<String, String>) -> Answer<Vec<(String, String)>> {
    let octets: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > MAX_HEADERS || octets > MAX_HEADER_OCTETS {
        let text = format!("headers has at most {MAX_HEADERS} fields and {MAX_HEADER_OCTETS} octets");
        return Err(Failure::field("headers", text));
    }
    let mut seen = Vec::with_capacity(given.len());
    for (name, value) in &given {
        if name.chars().chain(value.chars()).any(|c| c.is_control() && c != '\t') {
            return Err(Failure::field(
                "headers",
                "a header field has a control character in it",
            ));
        }
        let folded = name.to_ascii_lowercase();
        if seen.contains(&folded) {
            return Err(Failure::field("headers", format!("headers has {name:?} twice")));
        }
        seen.push(folded);
    }
    Ok(given.into_iter().collect())
}

/// Where files are to be fetched, in order. Asked before anything is fetched for a request that is none.
pub(super) fn urls(given: &[AttachmentBody]) -> Answer<Vec<String>> {
    if given.len() > MAX_ATTACHMENTS {
        let text = format!("there are at most {MAX_ATTACHMENTS} attachments");
        return Err(Failure::field("attachments", text));
    }
    let mut urls = Vec::new();
    for (place, attachment) in given.iter().enumerate() {
        if attachment.content.is_some() == attachment.url.is_some() {
            let text = "an attachment needs exactly one of content and url";
            return Err(Failure::field(&format!("attachments.{place}"), text));
        }
        urls.extend(attachment.url.clone());
    }
    Ok(urls)
}

/// Files as they are given, with what was fetched for those that are given by their URL.
pub(super) fn attachments(given: Vec<AttachmentBody>, fetched: Vec<Fetched>) -> Answer<Vec<OutgoingAttachment>> {
    let mut fetched = fetched.into_iter();
    let mut read = Vec::with_capacity(given.len());
    for (place, attachment) in given.into_iter().enumerate() {
        read.push(attachment.read(&format!("attachments.{place}"), &mut fetched)?);
    }
    Ok(read)
}

impl AttachmentBody {
    fn read(self, path: &str, fetched: &mut impl Iterator<Item = Fetched>) -> Answer<OutgoingAttachment> {
        let given = [&self.filename, &self.content_type, &self.content_id];
        if given
            .into_iter()
            .flatten()
            .any(|text| text.chars().any(char::is_control))
        {
            return Err(Failure::field(
                path,
                "an attachment's fields have no control characters",
            ));
        }
        let (content, fetched_type, fetched_name) = match self.content {
            Some(encoded) => (decoded(path, encoded)?, None, None),
            None => {
                let fetched = fetched.next().ok_or_else(Failure::internal)?;
                (fetched.bytes, fetched.content_type, fetched.filename)
            }
        };
        let content_type = self.content_type.or(fetched_type);
        Ok(OutgoingAttachment {
            filename: self.filename.or(fetched_name),
            content_type: content_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned()),
            content,
            content_id: self.content_id.filter(|id| !id.is_empty()),
            inline: self.content_disposition == Some(Disposition::Inline),
        })
    }
}

/// Base64 with or without line breaks, as MIME tools make it (RFC 2045 §6.8).
fn decoded(path: &str, mut encoded: String) -> Answer<Bytes> {
    encoded.retain(|c| !c.is_ascii_whitespace());
    let decoded = base64_decode(encoded.as_bytes());
    decoded
        .map(Bytes::from)
        .ok_or_else(|| Failure::field(path, "an attachment's content must be base64, with its padding"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agentmail::wire::parse;
    use serde_json::{Value, json};

    fn read(body: Value) -> Answer<Asked> {
        let body = parse::<SendBody>(body.to_string().as_bytes())?;
        body.fetches()?;
        body.read(Vec::new())
    }

    #[test]
    fn everything_there_is() {
        let asked = read(json!({
            "to": "A <a@example.net>", "cc": ["c@example.net"], "bcc": null, "reply_to": ["r@example.net"],
            "subject": "Grüße", "text": "t", "html": "h", "labels": ["One", "two"], "track_opens": false,
            "headers": { "X-One": "1", "List-Id": "<x.example.net>" }, "unknown": 1,
            "attachments": [
                { "filename": "ä.txt", "content_type": "text/plain; charset=utf-8", "content": "Zm9v\r\nYmE=" },
                { "content": "", "content_disposition": "inline", "content_id": "x@y" },
            ],
        }))
        .unwrap();
        let letter = &asked.letter;
        let counts = [&letter.to, &letter.cc, &letter.bcc, &letter.reply_to].map(Vec::len);
        assert_eq!((counts, asked.addressed, asked.subject), ([1, 1, 0, 1], true, true));
        let keywords: Vec<_> = asked.keywords.iter().map(Keyword::as_str).collect();
        assert_eq!((keywords, letter.headers.len()), (vec!["one", "two"], 2));
        let [file, picture] = &letter.attachments[..] else {
            panic!("two")
        };
        assert_eq!((&file.content[..], file.inline), (&b"fooba"[..], false));
        assert_eq!((picture.content_type.as_str(), picture.inline), (DEFAULT_TYPE, true));
        let nothing = read(json!({})).unwrap();
        assert!(!nothing.addressed && !nothing.subject && nothing.letter.automated);
    }

    #[test]
    fn what_is_refused() {
        let file = |value: Value| json!({ "attachments": [value] });
        let many: Vec<String> = (0..51).map(|number| format!("a{number}@example.net")).collect();
        for bad in [
            json!({ "to": 1 }),
            json!({ "to": [1] }),
            json!({ "to": [""] }),
            json!({ "to": "a@b\r\nBcc: c@d" }),
            json!({ "cc": "nobody" }),
            json!({ "to": many }),
            json!({ "subject": "x\r\nBcc: a@b" }),
            json!({ "subject": "x".repeat(2001) }),
            json!({ "track_opens": true }),
            json!({ "labels": ["sent"] }),
            json!({ "labels": ["unread"] }),
            json!({ "labels": [""] }),
            json!({ "headers": { "X-A": "a\r\nBcc: b@c" } }),
            json!({ "headers": { "X-A\n": "a" } }),
            json!({ "headers": { "X-A": "a", "x-a": "b" } }),
            json!({ "headers": { "X-A": "a".repeat(20_000) } }),
            file(json!({})),
            file(json!({ "content": "", "url": "https://example.net/" })),
            file(json!({ "content": "Zm9" })),
            file(json!({ "content": "", "filename": "a\r\nX: y" })),
            file(json!({ "content": "", "content_type": "text/plain\r\nX: y" })),
            file(json!({ "content": "", "content_id": "a\n" })),
            file(json!({ "content": "", "content_disposition": "elsewhere" })),
        ] {
            let failure = read(bad.clone()).expect_err("refused");
            assert_eq!(
                (failure.status.as_u16(), failure.body.code),
                (400, "validation_error"),
                "{bad}"
            );
        }
    }
}
