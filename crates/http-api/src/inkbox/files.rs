//! Files that go along with a message, read from the dialect's JSON (inkbox.md §7 "Send body").
//!
//! What always holds: what becomes a header field is one line; what the HTML shows is an image with a name of its own.

use super::failure::{Answer, Failure};
use super::letter::bare_id;
use axum::http::StatusCode;
use bytes::Bytes;
use postroom_message::OutgoingAttachment;
use postroom_wire::base64_decode;
use serde::Deserialize;

/// Most files of one message.
const MAX_ATTACHMENTS: usize = 100;
/// Octets of all files of a message, decoded.
const MAX_ATTACHMENT_OCTETS: usize = 25 << 20;
/// Programs, which no mailbox wants.
const REFUSED_EXTENSIONS: [&str; 3] = [".exe", ".bat", ".scr"];

/// A file that goes along.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttachmentBody {
    filename: String,
    content_type: String,
    content_base64: String,
    /// What the HTML calls it, after `cid:`.
    content_id: Option<String>,
}

/// Files as they are given; `html`: they may be shown in the text.
pub(super) fn attachments(field: &str, given: Vec<AttachmentBody>, html: bool) -> Answer<Vec<OutgoingAttachment>> {
    if given.len() > MAX_ATTACHMENTS {
        return Err(Failure::field(
            field,
            format!("there are at most {MAX_ATTACHMENTS} {field}"),
        ));
    }
    let (mut read, mut octets): (Vec<OutgoingAttachment>, usize) = (Vec::with_capacity(given.len()), 0);
    for (place, attachment) in given.into_iter().enumerate() {
        let path = format!("{field}.{place}");
        let attachment = attachment.read(&path, html)?;
        octets = octets.saturating_add(attachment.content.len());
        if octets > MAX_ATTACHMENT_OCTETS {
            let text = format!("{field} have at most {} MB together", MAX_ATTACHMENT_OCTETS >> 20);
            return Err(Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "attachments_too_large",
                text,
            ));
        }
        let is_same = |other: &OutgoingAttachment| other.content_id == attachment.content_id;
        if attachment.content_id.is_some() && read.iter().any(is_same) {
            return Err(Failure::field(&path, "two attachments have one content_id"));
        }
        read.push(attachment);
    }
    Ok(read)
}

impl AttachmentBody {
    fn read(self, path: &str, html: bool) -> Answer<OutgoingAttachment> {
        let given = [Some(&self.filename), Some(&self.content_type), self.content_id.as_ref()];
        if given
            .into_iter()
            .flatten()
            .any(|text| text.chars().any(char::is_control))
        {
            let text = "an attachment's fields have no control characters";
            return Err(Failure::field(path, text));
        }
        let name = self.filename.trim_end_matches(['.', ' ']).to_lowercase();
        if REFUSED_EXTENSIONS.iter().any(|extension| name.ends_with(extension)) {
            return Err(Failure::field(
                path,
                "attachments of this kind are refused: .exe, .bat, .scr",
            ));
        }
        let content_id = match self.content_id {
            None => None,
            Some(_) if !html => {
                return Err(Failure::field(
                    path,
                    "content_id is for files that the message's body_html shows",
                ));
            }
            Some(_)
                if !self
                    .content_type
                    .trim_start()
                    .to_ascii_lowercase()
                    .starts_with("image/") =>
            {
                return Err(Failure::field(path, "content_id is for images"));
            }
            Some(id) => Some(bare_id(path, &id)?.to_owned()),
        };
        let mut encoded = self.content_base64;
        encoded.retain(|c| !c.is_ascii_whitespace());
        let content = base64_decode(encoded.as_bytes()).map(Bytes::from);
        Ok(OutgoingAttachment {
            filename: Some(self.filename).filter(|name| !name.is_empty()),
            content_type: self.content_type,
            content: content.ok_or_else(|| Failure::field(path, "content_base64 must be base64, with its padding"))?,
            inline: content_id.is_some(),
            content_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_a_size_together() {
        let file = |octets: usize| AttachmentBody {
            filename: "a".into(),
            content_type: "text/plain".into(),
            content_base64: "AAAA".repeat(octets / 3),
            content_id: None,
        };
        let half = MAX_ATTACHMENT_OCTETS / 2;
        assert!(attachments("attachments", vec![file(half), file(half)], false).is_ok());
        let failure = attachments("attachments", vec![file(half), file(half + 9)], false).expect_err("too large");
        assert_eq!(failure.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
