//! What is to be sent, as the API takes it.

use super::Result;
use super::call::{given, pairs};
use super::failure::Failure;
use crate::cli::client::{Content, Copies, Drafted};
use postroom_wire::base64_encode;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a message goes with besides its content; nothing of it where the server settles it.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub(super) to: &'a [String],
    pub(super) copies: Option<&'a Copies>,
    pub(super) subject: Option<&'a str>,
}

/// The body of a request that sends. Unless it says so by itself, as what is passed on does, a message has a text: it is
/// read from standard input if it is not given.
pub(super) fn letter(envelope: &Envelope<'_>, content: &Content, text_needed: bool) -> Result<Value> {
    let text = match &content.text {
        None if text_needed && content.html.is_none() => Some(standard_input()?),
        text => text.as_deref().map(given_text).transpose()?,
    };
    Ok(given(json!({
        "to": envelope.to,
        "cc": envelope.copies.map(|copies| &copies.cc),
        "bcc": envelope.copies.map(|copies| &copies.bcc),
        "reply_to": content.reply_to,
        "subject": envelope.subject,
        "text": text,
        "html": content.html,
        "labels": content.label,
        "headers": pairs(&content.header, ':')?,
        "attachments": attachments(&content.attach)?,
    })))
}

/// The same as the MyAgentMail API takes it, which alone can be told that a person wrote it.
pub(super) fn personal(mut letter: Value) -> Value {
    let attachments = letter["attachments"].as_array_mut().map(std::mem::take);
    let attachments = attachments.into_iter().flatten().map(|mut file| {
        file["contentType"] = file["content_type"].take();
        given(file)
    });
    given(json!({
        "to": letter["to"],
        "cc": letter["cc"],
        "bcc": letter["bcc"],
        "subject": letter["subject"],
        "plainBody": letter["text"],
        "htmlBody": letter["html"],
        "attachments": attachments.collect::<Vec<_>>(),
        "automated": false,
    }))
}

/// What is in a draft; its files are called so.
pub(super) fn drafted(drafted: &Drafted, files: &str) -> Result<Value> {
    let mut body = json!({
        "to": drafted.to,
        "cc": drafted.copies.cc,
        "bcc": drafted.copies.bcc,
        "reply_to": drafted.reply_to,
        "subject": drafted.subject,
        "text": drafted.text.as_deref().map(given_text).transpose()?,
        "html": drafted.html,
        "send_at": drafted.send_at,
    });
    body[files] = attachments(&drafted.attach)?.into();
    Ok(given(body))
}

fn given_text(text: &str) -> Result<String> {
    match text {
        "-" => standard_input(),
        text => Ok(text.to_owned()),
    }
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn attachments(files: &[PathBuf]) -> Result<Vec<Value>> {
    files.iter().map(|file| attachment(file)).collect()
}

fn attachment(file: &Path) -> Result<Value> {
    let bytes = std::fs::read(file).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(json!({ "filename": name, "content_type": media_type(file), "content": base64_encode(&bytes) }))
}

/// By the name's extension; anything unknown is just bytes.
fn media_type(file: &Path) -> &'static str {
    let extension = file
        .extension()
        .map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("txt" | "log" | "md") => "text/plain",
        Some("html" | "htm") => "text/html",
        Some("csv") => "text/csv",
        Some("ics") => "text/calendar",
        Some("pdf") => "application/pdf",
        Some("json") => "application/json",
        Some("zip") => "application/zip",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote() {
        let letter = json!({
            "to": ["a@b"], "subject": "s", "text": "t",
            "attachments": [{ "filename": "f", "content_type": "text/plain", "content": "Zg==" }],
        });
        let expected = json!({
            "to": ["a@b"], "subject": "s", "plainBody": "t", "automated": false,
            "attachments": [{ "filename": "f", "contentType": "text/plain", "content": "Zg==" }],
        });
        assert_eq!(personal(letter), expected);
        assert_eq!(
            personal(json!({ "html": "h" })),
            json!({ "htmlBody": "h", "automated": false })
        );
    }
}
