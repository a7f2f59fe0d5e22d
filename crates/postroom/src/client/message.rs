//! `postroom message …`

use super::api::Api;
use super::{given, history, show};
use crate::Outcome;
use crate::cli::{ApiArgs, Content, MessageVerb, Recipients};
use postroom_wire::base64_encode;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

pub(crate) async fn message(args: &ApiArgs, verb: &MessageVerb) -> Outcome<()> {
    let api = Api::new(args)?;
    let answer = match verb {
        MessageVerb::List { inbox, limit, offset } => {
            let path = api.inbox_path(inbox).await?;
            api.get(&format!("{path}/messages?limit={limit}&offset={offset}"))
                .await?
        }
        MessageVerb::Show { inbox, id } => api.get(&message_path(&api, inbox, "messages", id).await?).await?,
        MessageVerb::Delete { inbox, id } => api.delete(&message_path(&api, inbox, "messages", id).await?).await?,
        MessageVerb::Send {
            inbox,
            recipients,
            subject,
            content,
        } => {
            let path = format!("{}/send", api.inbox_path(inbox).await?);
            api.post(&path, &letter(Some(recipients), Some(subject), content, true)?)
                .await?
        }
        MessageVerb::Reply {
            inbox,
            id,
            all,
            content,
        } => {
            let route = if *all { "reply-all" } else { "reply" };
            let path = message_path(&api, inbox, route, id).await?;
            api.post(&path, &letter(None, None, content, true)?).await?
        }
        MessageVerb::Forward {
            inbox,
            id,
            recipients,
            content,
        } => {
            let path = message_path(&api, inbox, "forward", id).await?;
            // The message speaks for itself: nothing has to be said above it.
            api.post(&path, &letter(Some(recipients), None, content, false)?)
                .await?
        }
        MessageVerb::Trace { inbox, id } => {
            let path = api.own_inbox_path(inbox).await?;
            let path = format!("{path}/messages/{}/trace", Api::segment(id));
            return history::print(&api.get(&path).await?, args.json);
        }
        MessageVerb::Captured { id, raw, limit } => match id {
            None => {
                let list = api.get(&format!("/postroom/v1/captured?limit={limit}")).await?;
                return show::print(
                    &list,
                    args.json,
                    "captured",
                    &["id", "capturedAt", "from", "to", "subject"],
                );
            }
            Some(id) if *raw => {
                let path = format!("/postroom/v1/captured/{}/raw", Api::segment(id));
                return show::copy(&api.octets(&path).await?);
            }
            Some(id) => api.get(&format!("/postroom/v1/captured/{}", Api::segment(id))).await?,
        },
    };
    show::print(&answer, args.json, "messages", &["id", "receivedAt", "from", "subject"])
}

async fn message_path(api: &Api, inbox: &str, route: &str, id: &str) -> Outcome<String> {
    Ok(format!("{}/{route}/{}", api.inbox_path(inbox).await?, Api::segment(id)))
}

/// The body of a request that sends. What is not given as text is read from standard input, if it is needed.
fn letter(
    recipients: Option<&Recipients>,
    subject: Option<&String>,
    content: &Content,
    text_needed: bool,
) -> Outcome<Value> {
    let text = match &content.text {
        None if text_needed && content.html.is_none() => Some(standard_input()?),
        text => text.clone(),
    };
    let attachments = content.attach.iter().map(|file| attachment(file));
    let attachments = attachments.collect::<Outcome<Vec<Value>>>()?;
    Ok(given(&json!({
        "to": recipients.map(|recipients| &recipients.to),
        "cc": recipients.map(|recipients| &recipients.cc),
        "bcc": recipients.map(|recipients| &recipients.bcc),
        "subject": subject,
        "plainBody": text,
        "htmlBody": content.html,
        "attachments": attachments,
        "automated": !content.personal,
    })))
}

fn standard_input() -> Outcome<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn attachment(file: &Path) -> Outcome<Value> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(json!({ "filename": name, "contentType": media_type(file), "content": base64_encode(&bytes) }))
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
