//! The readable texts of a message, read part by part, so that a large attachment is never opened to show three lines.

use crate::State;
use crate::error::ApiError;
use crate::large::{self, Turn};
use bytes::Bytes;
use postroom_mailstore::{Content, Mailstore};
use postroom_message::{html_part, html_text, plain_part, plain_text};
use postroom_types::{Part, PartBody};

/// The texts; cut if a part is longer than asked for.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) plain: Option<String>,
    pub(crate) html: Option<String>,
    /// Whether the message ends with its text: then the last line end may be that of the message.
    is_last: bool,
    /// Of long ones; to be kept until they are on their way.
    pub(crate) turn: Turn,
}

impl Texts {
    /// As whoever wrote them gave them: line ends are LF. Of a message that is nothing but a text, the line end at its end
    /// is taken for the message's; with any other part beside the text every line end is the text's.
    pub(crate) fn into_given(self) -> Self {
        let is_last = self.is_last;
        let as_given = |text: String| {
            let text = if is_last {
                text.strip_suffix("\r\n").unwrap_or(&text)
            } else {
                &text
            };
            text.replace("\r\n", "\n")
        };
        Self {
            plain: self.plain.map(as_given),
            html: self.html.map(as_given),
            ..self
        }
    }
}

/// Reads the first plain and the first HTML text, each at most `limit` octets as stored.
pub(crate) async fn read(mailstore: &Mailstore, content: &Content, root: &Part, limit: u64) -> Result<Texts, ApiError> {
    Ok(fetch_both(mailstore, content, root, limit).await?.decoded())
}

/// Reads them as [`Texts::into_given`] gives them, however long they are. Those of a long message take a turn, which they
/// keep, and are decoded beside the executor.
///
/// # Errors
/// [`ApiError::Busy`]: no turn came.
pub(crate) async fn whole(state: &State, content: &Content, root: &Part) -> Result<Texts, ApiError> {
    let parts = [plain_part(root), html_part(root)].into_iter().flatten();
    let octets = parts.map(|part| part.end_offset.saturating_sub(part.body_offset)).sum();
    let turn = state.turns().take(octets).await?;
    let stored = fetch_both(state.mailstore(), content, root, u64::MAX).await?;
    let given = move || {
        let mut texts = stored.decoded().into_given();
        texts.turn = turn;
        Ok(texts)
    };
    large::work(octets, given).await
}

/// The texts as they are stored.
struct Stored {
    plain: Option<(Bytes, Part)>,
    html: Option<(Bytes, Part)>,
    is_last: bool,
}

impl Stored {
    fn decoded(self) -> Texts {
        Texts {
            plain: self.plain.and_then(|(bytes, part)| plain_text(&bytes, &part)),
            html: self.html.and_then(|(bytes, part)| html_text(&bytes, &part)),
            is_last: self.is_last,
            turn: None,
        }
    }
}

async fn fetch_both(mailstore: &Mailstore, content: &Content, root: &Part, limit: u64) -> Result<Stored, ApiError> {
    let is_base64 = root.encoding.eq_ignore_ascii_case(b"base64");
    let mut stored = Stored {
        plain: None,
        html: None,
        is_last: matches!(root.body, PartBody::Leaf) && !is_base64,
    };
    if let Some(part) = plain_part(root) {
        stored.plain = Some(fetch(mailstore, content, part, limit).await?);
    }
    if let Some(part) = html_part(root) {
        stored.html = Some(fetch(mailstore, content, part, limit).await?);
    }
    Ok(stored)
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
        let body = |part: Option<&Part>| {
            let part = part.expect("there is one");
            &message[part.body_offset as usize..part.end_offset as usize]
        };
        assert_eq!(
            (body(plain_part(&root)), body(html_part(&root))),
            (&b"shown"[..], &b"<b>shown</b>"[..])
        );
    }
}
