//! The readable texts of a message, read part by part, so that a large attachment is never opened to show three lines.

use crate::error::ApiError;
use bytes::Bytes;
use postroom_mailstore::{Content, Mailstore};
use postroom_message::{attachments, html_text, leaf, plain_text};
use postroom_types::{Part, PartBody};
use std::collections::HashSet;

/// The texts; cut if a part is longer than asked for.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) plain: Option<String>,
    pub(crate) html: Option<String>,
}

/// Reads the first plain and the first HTML text, each at most `limit` octets as stored.
pub(crate) async fn read(mailstore: &Mailstore, content: &Content, root: &Part, limit: u64) -> Result<Texts, ApiError> {
    let mut texts = Texts::default();
    if let Some(part) = first(root, b"plain") {
        let (bytes, part) = fetch(mailstore, content, part, limit).await?;
        texts.plain = plain_text(&bytes, &part);
    }
    if let Some(part) = first(root, b"html") {
        let (bytes, part) = fetch(mailstore, content, part, limit).await?;
        texts.html = html_text(&bytes, &part);
    }
    Ok(texts)
}

fn first<'a>(root: &'a Part, subtype: &[u8]) -> Option<&'a Part> {
    let attached: HashSet<usize> = attachments(root).iter().map(|attachment| attachment.index).collect();
    let mut leaves = (0..).map_while(|index| leaf(root, index).map(|part| (index, part)));
    let found = leaves.find(|(index, part)| !attached.contains(index) && part.subtype.eq_ignore_ascii_case(subtype));
    found.map(|(_, part)| part)
}

/// The stored octets of a part's body, and the part as if it stood alone at the beginning of them.
async fn fetch(mailstore: &Mailstore, content: &Content, part: &Part, limit: u64) -> Result<(Bytes, Part), ApiError> {
    let end = part.end_offset.min(part.body_offset.saturating_add(limit));
    let bytes = mailstore
        .read(content, part.body_offset..end)
        .await?
        .ok_or(ApiError::NotFound)?;
    let alone = Part {
        header_offset: 0,
        body_offset: 0,
        end_offset: bytes.len() as u64,
        body: PartBody::Leaf,
        ..part.clone()
    };
    Ok((bytes, alone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_message::summarize;

    #[test]
    fn texts_are_told_from_attachments() {
        let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/plain; name=a.txt\r\n\r\nattached\r\n\
            --b\r\nContent-Type: text/html\r\n\r\n<b>shown</b>\r\n\
            --b\r\nContent-Type: TEXT/Plain\r\n\r\nshown\r\n--b--\r\n";
        let root = summarize(message).root;
        let body = |subtype| {
            let part = first(&root, subtype).expect("there is one");
            &message[part.body_offset as usize..part.end_offset as usize]
        };
        assert_eq!((body(b"plain"), body(b"html")), (&b"shown"[..], &b"<b>shown</b>"[..]));
        assert!(first(&root, b"csv").is_none());
    }
}
