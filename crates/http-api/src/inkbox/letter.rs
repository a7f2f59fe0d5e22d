//! What a caller wants said, read from the dialect's JSON (inkbox.md §7 "Send body").
//!
//! What always holds: what becomes a header field is one line.

use super::failure::{Answer, Failure};
use super::files::{AttachmentBody, attachments};
use crate::outgoing::given;
use crate::wire::OneOrMany;
use postroom_drafts::Letter;
use postroom_message::Mailbox;
use serde::Deserialize;

/// Longest subject, characters.
const MAX_SUBJECT_CHARS: usize = 998;

/// Whom it goes to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipients {
    pub(super) to: Option<Vec<String>>,
    pub(super) cc: Option<Vec<String>>,
    pub(super) bcc: Option<Vec<String>>,
}

/// A message to be sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendBody {
    pub(super) recipients: Recipients,
    pub(super) subject: String,
    pub(super) body_text: Option<String>,
    pub(super) body_html: Option<String>,
    pub(super) in_reply_to_message_id: Option<String>,
    pub(super) reply_to: Option<OneOrMany>,
    pub(super) attachments: Option<Vec<AttachmentBody>>,
    pub(super) track_opens: Option<bool>,
}

/// An answer to all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyAllBody {
    pub(super) subject: Option<String>,
    pub(super) body_text: Option<String>,
    pub(super) body_html: Option<String>,
    pub(super) attachments: Option<Vec<AttachmentBody>>,
    pub(super) reply_to: Option<OneOrMany>,
    pub(super) track_opens: Option<bool>,
}

/// A message to be passed on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForwardBody {
    pub(super) recipients: Recipients,
    pub(super) mode: Option<ForwardMode>,
    pub(super) subject: Option<String>,
    pub(super) body_text: Option<String>,
    pub(super) body_html: Option<String>,
    pub(super) include_original_attachments: Option<bool>,
    pub(super) additional_attachments: Option<Vec<AttachmentBody>>,
    pub(super) reply_to: Option<OneOrMany>,
    pub(super) track_opens: Option<bool>,
}

/// How a message is passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ForwardMode {
    /// Below the text.
    #[default]
    Inline,
    /// As a file.
    Wrapped,
}

impl SendBody {
    pub(super) fn read(self) -> Answer<Letter> {
        let html = self.body_html.is_some();
        check_tracking(self.track_opens, html)?;
        let to = people("recipients.to", self.recipients.to)?;
        if to.is_empty() {
            return Err(Failure::field("recipients.to", "recipients.to needs an address"));
        }
        Ok(Letter {
            to,
            cc: people("recipients.cc", self.recipients.cc)?,
            bcc: people("recipients.bcc", self.recipients.bcc)?,
            reply_to: people("reply_to", self.reply_to.map(OneOrMany::into_vec))?,
            subject: check_subject(self.subject)?,
            plain: self.body_text,
            html: self.body_html,
            attachments: attachments("attachments", self.attachments.unwrap_or_default(), html)?,
            headers: Vec::new(),
            // What comes over this API is a program's.
            automated: true,
        })
    }
}

impl ReplyAllBody {
    /// Without whom it goes to; `subject` is that of who gives none.
    pub(super) fn read(self, subject: String) -> Answer<Letter> {
        let html = self.body_html.is_some();
        check_tracking(self.track_opens, html)?;
        Ok(Letter {
            reply_to: people("reply_to", self.reply_to.map(OneOrMany::into_vec))?,
            subject: self.subject.map_or(Ok(subject), check_subject)?,
            plain: self.body_text,
            html: self.body_html,
            attachments: attachments("attachments", self.attachments.unwrap_or_default(), html)?,
            automated: true,
            ..Letter::default()
        })
    }
}

impl ForwardBody {
    /// Without what is passed on; `subject` is that of who gives none.
    pub(super) fn read(self, subject: String) -> Answer<Letter> {
        check_tracking(self.track_opens, self.body_html.is_some())?;
        let letter = Letter {
            to: people("recipients.to", self.recipients.to)?,
            cc: people("recipients.cc", self.recipients.cc)?,
            bcc: people("recipients.bcc", self.recipients.bcc)?,
            reply_to: people("reply_to", self.reply_to.map(OneOrMany::into_vec))?,
            subject: self.subject.map_or(Ok(subject), check_subject)?,
            plain: self.body_text,
            html: self.body_html,
            attachments: attachments(
                "additional_attachments",
                self.additional_attachments.unwrap_or_default(),
                // What is added is no part of anybody's HTML.
                false,
            )?,
            headers: Vec::new(),
            automated: true,
        };
        if letter.recipients().is_empty() {
            return Err(Failure::field("recipients", "recipients needs an address"));
        }
        Ok(letter)
    }
}

/// The addresses of a field.
pub(super) fn people(field: &str, given: Option<Vec<String>>) -> Answer<Vec<Mailbox>> {
    given::people(field, given.unwrap_or_default())
}

pub(super) fn check_subject(subject: String) -> Answer<String> {
    given::subject(subject, MAX_SUBJECT_CHARS)
}

/// This server tracks nobody.
pub(super) fn check_tracking(asked: Option<bool>, html: bool) -> Answer<()> {
    match (asked, html) {
        (Some(true), false) => Err(Failure::field("track_opens", "track_opens needs body_html")),
        (Some(true), true) => Err(Failure::not_supported(
            "track_opens",
            "This server does not track opens: leave track_opens out or set it to false.",
        )),
        (None | Some(false), _) => Ok(()),
    }
}

/// A Message-ID as callers write it, without its angle brackets.
pub(super) fn bare_id<'a>(field: &str, text: &'a str) -> Answer<&'a str> {
    let bare = text.trim_matches(' ');
    let bare = bare
        .strip_prefix('<')
        .and_then(|id| id.strip_suffix('>'))
        .unwrap_or(bare);
    let good = |byte: u8| byte.is_ascii_graphic() && !b"<>".contains(&byte);
    if bare.is_empty() || bare.len() > 900 || !bare.bytes().all(good) {
        return Err(Failure::field(field, format!("{field} is not a Message-ID")));
    }
    Ok(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inkbox::wire::parse;
    use serde_json::{Value, json};

    fn read(change: Value) -> Answer<Letter> {
        let mut body = json!({ "recipients": { "to": ["a@example.net"] }, "subject": "s" });
        for (name, value) in change.as_object().expect("an object") {
            body[name] = value.clone();
        }
        parse::<SendBody>(body.to_string().as_bytes())?.read()
    }

    #[test]
    fn everything_there_is() {
        let letter = read(json!({
            "recipients": { "to": ["A <a@example.net>"], "cc": ["c@example.net"], "bcc": null },
            "subject": "Grüße", "body_text": "t", "body_html": "<img src=cid:x>", "reply_to": "r@example.net",
            "track_opens": false, "in_reply_to_message_id": null,
            "attachments": [
                { "filename": "a.txt", "content_type": "text/plain", "content_base64": "Zm9v\r\nYmE=" },
                { "filename": "x.png", "content_type": "image/png", "content_base64": "", "content_id": "<x>" },
            ],
        }))
        .unwrap();
        let counts = [&letter.to, &letter.cc, &letter.bcc, &letter.reply_to].map(Vec::len);
        assert_eq!((counts, letter.automated), ([1, 1, 0, 1], true));
        let [file, picture] = &letter.attachments[..] else {
            panic!("two")
        };
        assert_eq!((&file.content[..], file.inline), (&b"fooba"[..], false));
        assert_eq!((picture.content_id.as_deref(), picture.inline), (Some("x"), true));
    }

    #[test]
    fn what_is_refused() {
        let file = |change: Value| {
            let mut file = json!({ "filename": "a.txt", "content_type": "text/plain", "content_base64": "" });
            for (name, value) in change.as_object().expect("an object") {
                file[name] = value.clone();
            }
            json!({ "attachments": [file] })
        };
        let shown =
            |id: &str| json!({ "filename": "a", "content_type": "image/png", "content_base64": "", "content_id": id });
        for bad in [
            json!({ "recipients": { "to": "a@example.net" } }),
            json!({ "recipients": { "to": [] } }),
            json!({ "recipients": { "cc": ["a@example.net"] } }),
            json!({ "recipients": { "to": ["a@example.net"], "x": 1 } }),
            json!({ "recipients": { "to": ["a@b\r\nBcc: c@d"] } }),
            json!({ "recipients": { "to": ["a@b"], "cc": ["A\n <a@b>"] } }),
            json!({ "recipients": { "to": ["a@b"], "bcc": ["nobody"] } }),
            json!({ "reply_to": "a@b\r\nX: y" }),
            json!({ "subject": null }),
            json!({ "subject": "x\r\nBcc: a@b" }),
            json!({ "subject": "x\nBcc: a@b" }),
            json!({ "subject": "x".repeat(999) }),
            json!({ "track_opens": true }),
            json!({ "unknown": 1 }),
            file(json!({ "filename": "a\r\nX: y" })),
            file(json!({ "filename": "Setup.EXE" })),
            file(json!({ "filename": "a.bat. " })),
            file(json!({ "filename": "a.scr" })),
            file(json!({ "content_type": "text/plain\r\nX: y" })),
            file(json!({ "content_base64": "Zm9" })),
            file(json!({ "url": "https://example.net/" })),
            json!({ "attachments": [shown("x")] }),
            json!({ "body_html": "x", "attachments": [shown("x"), shown("<x>")] }),
            json!({ "body_html": "x", "attachments": [shown("x\r\n")] }),
            json!({ "body_html": "x", "attachments": [shown("")] }),
            json!({ "body_html": "x", "attachments": [
                { "filename": "a", "content_type": "text/plain", "content_base64": "", "content_id": "x" }] }),
        ] {
            let failure = read(bad.clone()).expect_err("refused");
            assert_eq!(failure.status.as_u16(), 422, "{bad}");
        }
        let tracked = read(json!({ "body_html": "x", "track_opens": true })).expect_err("not here");
        assert_eq!(tracked.status.as_u16(), 501);
    }
}
