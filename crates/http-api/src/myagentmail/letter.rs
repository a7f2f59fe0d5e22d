//! What a caller wants sent, read from the dialect's JSON.

use crate::error::{ApiError, invalid};
use crate::outgoing::mailboxes;
use crate::request::Fields;
use bytes::Bytes;
use postroom_drafts::Letter;
use postroom_message::{Mailbox, OutgoingAttachment};
use postroom_wire::base64_decode;
use serde_json::Value;

/// Longest subject, characters.
const MAX_SUBJECT_CHARS: usize = 2_000;
/// Most attachments of one message.
const MAX_ATTACHMENTS: usize = 100;
const DEFAULT_TYPE: &str = "application/octet-stream";

/// A letter as far as it is given.
#[derive(Debug)]
pub(super) struct Given {
    /// Without its subject.
    pub(super) letter: Letter,
    pub(super) subject: Option<String>,
    /// Whether it is meant for those who never wrote to the inbox as well.
    pub(super) verified: bool,
}

/// All fields that a letter can have. `null` is the same as leaving one out.
pub(super) fn read(mut fields: Fields) -> Result<Given, ApiError> {
    let fields = &mut fields;
    let verified = fields.flag("verified")?.unwrap_or(false);
    let subject = fields.text("subject")?;
    if let Some(subject) = &subject {
        check_subject(subject)?;
    }
    let letter = Letter {
        to: list(fields, "to")?,
        cc: list(fields, "cc")?,
        bcc: list(fields, "bcc")?,
        reply_to: list(fields, "replyTo")?,
        subject: String::new(),
        plain: fields.text("plainBody")?,
        html: fields.text("htmlBody")?,
        attachments: attachments(fields)?,
        headers: Vec::new(),
        automated: fields.flag("automated")?.unwrap_or(true),
    };
    Ok(Given {
        letter,
        subject,
        verified,
    })
}

pub(super) fn check_subject(subject: &str) -> Result<(), ApiError> {
    if subject.chars().any(|c| c.is_control() && c != '\t') {
        return Err(invalid("subject has a control character in it"));
    }
    if subject.chars().count() > MAX_SUBJECT_CHARS {
        return Err(invalid(format!("subject has at most {MAX_SUBJECT_CHARS} characters")));
    }
    Ok(())
}

/// One text, or an array of them; each may hold several addresses.
pub(super) fn list(fields: &mut Fields, name: &str) -> Result<Vec<Mailbox>, ApiError> {
    let mut found = Vec::new();
    match fields.take(name) {
        None => {}
        Some(Value::String(text)) => mailboxes::parse(name, &text, &mut found)?,
        Some(Value::Array(texts)) => {
            for text in texts {
                let text = text.as_str().ok_or_else(|| wrong_list(name))?;
                if text.trim().is_empty() {
                    return Err(invalid(format!("{name} has an empty address in it")));
                }
                mailboxes::parse(name, text, &mut found)?;
            }
        }
        Some(_) => return Err(wrong_list(name)),
    }
    Ok(found)
}

fn wrong_list(name: &str) -> ApiError {
    invalid(format!("{name} must be a string or an array of strings"))
}

pub(super) fn attachments(fields: &mut Fields) -> Result<Vec<OutgoingAttachment>, ApiError> {
    let given = match fields.take("attachments") {
        None => return Ok(Vec::new()),
        Some(Value::Array(given)) => given,
        Some(_) => return Err(invalid("attachments must be an array")),
    };
    if given.len() > MAX_ATTACHMENTS {
        return Err(invalid(format!("there are at most {MAX_ATTACHMENTS} attachments")));
    }
    given.into_iter().map(attachment).collect()
}

fn attachment(value: Value) -> Result<OutgoingAttachment, ApiError> {
    let Value::Object(object) = value else {
        return Err(invalid("an attachment must be an object"));
    };
    let mut fields = Fields::from(object);
    let encoded = fields
        .text("content")?
        .ok_or_else(|| invalid("an attachment needs content, in base64"))?;
    let content_type = fields.text("contentType")?.unwrap_or_else(|| DEFAULT_TYPE.to_owned());
    if !is_media_type(&content_type) {
        return Err(invalid("an attachment's contentType has the form type/subtype"));
    }
    let (filename, content_id) = (one_line(&mut fields, "filename")?, one_line(&mut fields, "contentId")?);
    Ok(OutgoingAttachment {
        filename,
        content_type,
        content: decoded(encoded)?,
        content_id,
        inline: fields.flag("inline")?.unwrap_or(false),
    })
}

fn one_line(fields: &mut Fields, name: &str) -> Result<Option<String>, ApiError> {
    let text = fields.text(name)?;
    if text.iter().any(|text| text.chars().any(char::is_control)) {
        return Err(invalid(format!("an attachment's {name} has a control character in it")));
    }
    Ok(text)
}

/// Base64 with or without line breaks, as MIME tools make it (RFC 2045 §6.8).
fn decoded(mut encoded: String) -> Result<Bytes, ApiError> {
    encoded.retain(|c| !c.is_ascii_whitespace());
    let decoded = base64_decode(encoded.as_bytes());
    decoded
        .map(Bytes::from)
        .ok_or_else(|| invalid("an attachment's content must be base64, with its padding"))
}

/// `type/subtype` of tokens (RFC 2045 §5.1), without parameters.
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.len() <= 255
        && text
            .split_once('/')
            .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(body: Value) -> Result<Given, ApiError> {
        let Value::Object(object) = body else {
            panic!("an object")
        };
        read(Fields::from(object))
    }

    #[test]
    fn everything_there_is() {
        let Given {
            letter,
            subject,
            verified,
        } = parsed(json!({
            "to": "A <a@example.net>, b@example.net", "cc": ["c@example.net"], "bcc": ["d@example.net", "e@example.net"],
            "replyTo": "r@example.net", "subject": "Grüße", "plainBody": "p", "htmlBody": "h", "verified": true,
            "automated": false,
            "attachments": [
                { "filename": "ä.txt", "contentType": "text/plain", "content": "Zm9v\r\nYmE=" },
                { "content": "", "inline": true, "contentId": "x@y" },
            ],
        }))
        .unwrap();
        assert_eq!(
            (
                letter.to.len(),
                letter.cc.len(),
                letter.bcc.len(),
                letter.reply_to.len()
            ),
            (2, 1, 2, 1)
        );
        assert_eq!(
            (subject.as_deref(), letter.automated, verified),
            (Some("Grüße"), false, true)
        );
        let [file, picture] = &letter.attachments[..] else {
            panic!("two")
        };
        assert_eq!(
            (&file.content[..], file.filename.as_deref()),
            (&b"fooba"[..], Some("ä.txt"))
        );
        assert_eq!((picture.content_type.as_str(), picture.inline), (DEFAULT_TYPE, true));
        let Given { letter, subject, .. } = parsed(json!({ "to": null, "attachments": null })).unwrap();
        assert!(letter.to.is_empty() && letter.automated && subject.is_none());
    }

    #[test]
    fn what_is_refused() {
        let file = |name: &str, value: Value| {
            let mut file = json!({ "filename": "a", "contentType": "text/plain", "content": "" });
            file[name] = value;
            json!({ "attachments": [file] })
        };
        for bad in [
            json!({ "to": 1 }),
            json!({ "to": [1] }),
            json!({ "to": [""] }),
            json!({ "to": { "email": "a@b" } }),
            json!({ "to": "a@b\r\nBcc: c@d" }),
            json!({ "cc": ["a@b\n"] }),
            json!({ "bcc": "N\u{0} <a@b>" }),
            json!({ "replyTo": "a@b\r" }),
            json!({ "subject": "x\r\nBcc: a@b" }),
            json!({ "subject": "x\u{0}" }),
            json!({ "subject": 1 }),
            json!({ "subject": "x".repeat(2001) }),
            json!({ "plainBody": 1 }),
            json!({ "htmlBody": ["x"] }),
            json!({ "verified": "yes" }),
            json!({ "automated": 0 }),
            json!({ "attachments": {} }),
            json!({ "attachments": ["x"] }),
            json!({ "attachments": vec![json!({ "content": "" }); 101] }),
            file("filename", json!("a\r\nX: y")),
            file("filename", json!(1)),
            file("contentId", json!("a\n")),
            file("contentType", json!("text")),
            file("contentType", json!("text/plain\r\nX: y")),
            file("contentType", json!("text/plain; charset=x")),
            file("content", json!("Zm9")),
            file("content", json!("Zm9v!")),
            file("content", json!(null)),
            file("inline", json!("no")),
        ] {
            assert!(matches!(parsed(bad.clone()), Err(ApiError::Invalid(_))), "{bad}");
        }
    }
}
