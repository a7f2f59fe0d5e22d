//! The signature of an inbox, below what it says.
//!
//! What always holds: each form that the text has gets the signature in that form; a form that the text has not is not made.

use crate::{Letter, texts};
use bytes::Bytes;
use postroom_identity::Signature;
use postroom_message::{readable_html, replace_texts};
use postroom_types::Summary;

impl Letter {
    /// With a signature below its text, if that is enabled. One that is kept as HTML alone is put below plain text as
    /// people read it.
    #[must_use]
    pub fn signed(self, signature: &Signature) -> Self {
        Self {
            plain: self.plain.map(|text| below_plain(text, signature)),
            html: self.html.map(|html| below_html(html, signature)),
            ..self
        }
    }
}

/// A message as it was saved, with a signature below its text. What is signed or encrypted, and text that is for programs
/// to read, is left as it is; nothing else of the message changes.
pub(crate) fn below_saved(content: &Bytes, summary: &Summary, signature: &Signature) -> Bytes {
    if !signature.enabled {
        return content.clone();
    }
    let (plain, html) = texts(content, summary);
    // A message of nothing but files has a text of nothing.
    let is_given = |text: &String| !text.is_empty();
    let plain = plain.filter(is_given).map(|text| below_plain(text, signature));
    let html = html.filter(is_given).map(|html| below_html(html, signature));
    let signed = replace_texts(content, &summary.root, plain.as_deref(), html.as_deref());
    signed.map_or_else(|| content.clone(), Bytes::from)
}

fn below_plain(text: String, signature: &Signature) -> String {
    let readable = || {
        signature
            .html
            .as_deref()
            .map(|html| readable_html(html).trim().to_owned())
    };
    below(text, signature, signature.text.clone().or_else(readable), "\n\n")
}

fn below_html(html: String, signature: &Signature) -> String {
    below(html, signature, signature.html.clone(), "<br><br>\n")
}

fn below(text: String, signature: &Signature, form: Option<String>, between: &str) -> String {
    match form.filter(|form| signature.enabled && !form.is_empty()) {
        Some(form) => format!("{text}{between}{form}"),
        None => text,
    }
}
