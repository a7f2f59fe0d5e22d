//! What links to attachments and messages lead to: `/postroom/v1/download/{token}`, without a key.
//!
//! What always holds:
//! - A token is signed with a key that never leaves the store; it opens one part of one message until it expires, and no
//!   longer than the message and its inbox exist.
//! - Bytes flow as the client takes them; of a part of any size a few hundred kilobytes are in memory.
//! - A browser saves what it gets, and runs nothing of it.

mod octets;
mod token;

use crate::State;
use crate::error::ApiError;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::header::{self, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use octets::streamed;
pub(crate) use octets::whole;
use postroom_mailstore::{Content, Mailstore};
use postroom_message::{Attachment, TransferDecoder, attachments, html_text, leaf, plain_text, readable_html};
use postroom_types::{Part, PartBody};
use std::sync::Arc;
pub(crate) use token::{Download, DownloadKey, What};

/// How much of a text is turned into UTF-8, octets as stored.
const MAX_TEXT_OCTETS: u64 = 4 << 20;

pub(crate) fn routes() -> Router<State> {
    Router::new().route("/postroom/v1/download/{token}", get(download))
}

async fn download(
    Shared(state): Shared<State>,
    axum::extract::Path(token): axum::extract::Path<String>,
) -> Result<Response, ApiError> {
    let mailstore = state.mailstore();
    let download = state.download_key().open(mailstore.store(), &token).await?;
    let now = jiff::Timestamp::now().as_millisecond();
    let download = download.filter(|download| now < download.expires_at);
    downloaded(&state, &download.ok_or(ApiError::NotFound)?, given_name).await
}

/// What an attachment of a message is called, in a dialect.
pub(crate) type Naming = fn(&Part, &Attachment) -> Option<String>;

/// As whoever sent it calls it.
pub(crate) fn given_name(_: &Part, attachment: &Attachment) -> Option<String> {
    attachment.filename.clone()
}

/// What a token opens.
pub(crate) async fn downloaded(state: &State, download: &Download, name: Naming) -> Result<Response, ApiError> {
    let mailstore = state.mailstore();
    let Download {
        inbox, message, what, ..
    } = *download;
    // Of an inbox that is deleted the mail is still there for a while.
    state.identity().inbox(inbox).await?;
    let listed = mailstore.list_of(inbox, &[message]).await?.pop();
    let listed = listed.ok_or(ApiError::NotFound)?;
    let (content, root) = (listed.record.content, &listed.summary.root);
    match what {
        What::Raw => {
            let length = content.octets();
            let body = whole(mailstore, content);
            let length = [(header::CONTENT_LENGTH, length.to_string())];
            Ok((about("message/rfc822", Some("message.eml")), length, body).into_response())
        }
        What::Text(index) => {
            let (attachment, part) = attached(root, usize::from(index))?;
            let text = text(mailstore, &content, part).await?;
            let name = name(root, &attachment);
            Ok((about("text/plain; charset=utf-8", name.as_deref()), text).into_response())
        }
        What::Part(index) => file(mailstore, content, root, usize::from(index), name),
    }
}

/// An attachment of a message, and the part that it is.
fn attached(root: &Part, index: usize) -> Result<(Attachment, &Part), ApiError> {
    let mut found = attachments(root).into_iter();
    let attachment = found.find(|attachment| attachment.index == index);
    attachment.zip(leaf(root, index)).ok_or(ApiError::NotFound)
}

/// An attachment of a message, decoded on the way to who asked for it.
pub(crate) fn file(
    mailstore: &Arc<Mailstore>,
    content: Content,
    root: &Part,
    index: usize,
    name: Naming,
) -> Result<Response, ApiError> {
    let (attachment, part) = attached(root, index)?;
    let range = part.body_offset..part.end_offset;
    let content_type = safe_type(&attachment.content_type);
    // An enclosed message is given as it stands: it has no encoding of its own (RFC 2046 §5.2.1).
    let decoder = match part.body {
        PartBody::Leaf => TransferDecoder::of(&part.encoding),
        PartBody::Multipart(_) | PartBody::Message(_) => TransferDecoder::identity(),
    };
    let body = streamed(mailstore, content, range, decoder);
    Ok((about(content_type, name(root, &attachment).as_deref()), body).into_response())
}

/// The fields of an answer with bytes from outside in it.
fn about(content_type: &str, filename: Option<&str>) -> [(HeaderName, String); 5] {
    [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, disposition(filename)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".into()),
        (header::CACHE_CONTROL, "private, no-store".into()),
    ]
}

/// A media type as it may stand in a header field; what is none is bytes.
fn safe_type(content_type: &str) -> &str {
    let token = |text: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !text.is_empty() && text.bytes().all(good)
    };
    match content_type.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) && content_type.len() <= 127 => content_type,
        _ => "application/octet-stream",
    }
}

/// `attachment` with the name in both forms (RFC 6266 §4.3).
fn disposition(filename: Option<&str>) -> String {
    let Some(name) = filename else {
        return "attachment".into();
    };
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_control() || c == '/' || c == '\\' {
                '_'
            } else {
                c
            }
        })
        .take(200)
        .collect();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii() && c != '"' && c != '%' { c } else { '_' })
        .collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// A text part in UTF-8, cut if it is long.
async fn text(mailstore: &Mailstore, content: &Content, part: &Part) -> Result<String, ApiError> {
    let end = part.end_offset.min(part.body_offset.saturating_add(MAX_TEXT_OCTETS));
    let bytes = mailstore
        .read(content, part.body_offset..end)
        .await?
        .ok_or(ApiError::NotFound)?;
    let is_html = part.subtype.eq_ignore_ascii_case(b"html");
    let alone = Part {
        subtype: if is_html { b"html".to_vec() } else { b"plain".to_vec() },
        // As if it were the text of the message.
        disposition: None,
        params: part
            .params
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"charset"))
            .cloned()
            .collect(),
        header_offset: 0,
        body_offset: 0,
        end_offset: bytes.len() as u64,
        ..part.clone()
    };
    Ok(match is_html {
        true => html_text(&bytes, &alone).map(|html| readable_html(&html)),
        false => plain_text(&bytes, &alone),
    }
    .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn names_and_types_from_outside_are_harmless() {
        for (name, expected) in [
            ("a.txt", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"),
            (
                "é\"\r\nX: y.pdf",
                "attachment; filename=\"____X: y.pdf\"; filename*=UTF-8''%C3%A9%22__X%3A%20y.pdf",
            ),
            ("../x", "attachment; filename=\".._x\"; filename*=UTF-8''.._x"),
        ] {
            assert_eq!(disposition(Some(name)), expected);
        }
        assert_eq!(disposition(None), "attachment");
        for (given, expected) in [
            ("text/html", "text/html"),
            ("image/svg+xml", "image/svg+xml"),
            ("text/x\r\nA: b", "application/octet-stream"),
            ("text", "application/octet-stream"),
            ("/", "application/octet-stream"),
        ] {
            assert_eq!(safe_type(given), expected);
        }
    }
}
