//! `postroom message …`

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::letter::{Envelope, letter, personal};
use super::place::Place;
use super::show::{self, Shown};
use super::table::{ATTACHMENTS, CAPTURED, MESSAGES};
use super::{download, history, wait};
use crate::cli::client::{Content, MessageVerb, One, Recipients};
use serde_json::{Value, json};

pub(super) async fn message(api: &Api, verb: &MessageVerb) -> Result<()> {
    let call = match verb {
        MessageVerb::Ls { inbox, filter, paging } => {
            Call::list(messages(api, inbox).await?, paging, &MESSAGES).filter(filter, ["from", "to"])
        }
        MessageVerb::Search {
            inbox,
            query,
            time,
            paging,
        } => Call::list(messages(api, inbox).await?.then(&["search"]), paging, &MESSAGES)
            .asks("q", [query])
            .time(time),
        MessageVerb::Show { inbox, id } => match &id[..] {
            [id] => Call::get(messages(api, inbox).await?.then(&[&name(id)])).shown(Shown::Message),
            several => {
                let names: Vec<String> = several.iter().map(|id| name(id)).collect();
                let batch = messages(api, inbox).await?.then(&["batch-get"]);
                Call::post(batch, json!({ "message_ids": names })).shown(Shown::Thread)
            }
        },
        MessageVerb::Send {
            inbox,
            recipients,
            subject,
            content,
        } => {
            let body = letter(&envelope(recipients, Some(subject)), content, true)?;
            send(api, inbox, None, "send", content, body).await?
        }
        MessageVerb::Reply { one, all, content } => {
            let body = letter(&Envelope::default(), content, true)?;
            let route = if *all { "reply-all" } else { "reply" };
            send(api, &one.inbox, Some(&one.id), route, content, body).await?
        }
        MessageVerb::ReplyAll { one, content } => {
            let body = letter(&Envelope::default(), content, true)?;
            send(api, &one.inbox, Some(&one.id), "reply-all", content, body).await?
        }
        MessageVerb::Forward {
            one,
            recipients,
            subject,
            content,
        } => {
            // The message speaks for itself: nothing has to be said above it.
            let body = letter(&envelope(recipients, subject.as_deref()), content, false)?;
            send(api, &one.inbox, Some(&one.id), "forward", content, body).await?
        }
        MessageVerb::Label { inbox, id, labels } => {
            let (add, remove) = (&labels.add, &labels.remove);
            match &id[..] {
                [id] => Call::patch(
                    messages(api, inbox).await?.then(&[&name(id)]),
                    given(json!({ "add_labels": add, "remove_labels": remove })),
                ),
                several => {
                    let names: Vec<String> = several.iter().map(|id| name(id)).collect();
                    let batch = messages(api, inbox).await?.then(&["batch-update"]);
                    let body = json!({ "message_ids": names, "add_labels": add, "remove_labels": remove });
                    Call::post(batch, given(body))
                }
            }
        }
        MessageVerb::Rm { one, for_good: true } => Call::delete(place(api, one).await?),
        MessageVerb::Rm { one, .. } => Call::patch(place(api, one).await?, json!({ "add_labels": ["trash"] })),
        MessageVerb::Raw { one, target } => {
            return download::save(api, &place(api, one).await?.then(&["raw"]), target).await;
        }
        MessageVerb::Attachment {
            one,
            attachment: Some(id),
            target,
        } => return download::save(api, &place(api, one).await?.then(&["attachments", id]), target).await,
        MessageVerb::Attachment { one, .. } => {
            let message = api.get(&place(api, one).await?).await?;
            let list = json!({ "attachments": show::items(&message["attachments"]) });
            return show::print(api, &list, &Shown::Table(&ATTACHMENTS));
        }
        MessageVerb::Wait(wanted) => return wait::wait(api, wanted).await,
        MessageVerb::Trace(one) => return history::print(api, &api.get(&trace(&one.inbox, &one.id)).await?),
        MessageVerb::Captured { id: None, limit, .. } => Call::get(Place::own(&["captured"]))
            .asks("limit", [limit])
            .shown(Shown::Table(&CAPTURED)),
        MessageVerb::Captured {
            id: Some(id),
            raw: true,
            ..
        } => return download::print(api, &Place::own(&["captured", id, "raw"])).await,
        MessageVerb::Captured { id: Some(id), .. } => Call::get(Place::own(&["captured", id])),
    };
    call.run(api).await
}

async fn messages(api: &Api, inbox: &str) -> Result<Place> {
    Ok(api.inbox(inbox).await?.then(&["messages"]))
}

async fn place(api: &Api, one: &One) -> Result<Place> {
    Ok(messages(api, &one.inbox).await?.then(&[&name(&one.id)]))
}

/// What the AgentMail API calls a message. The queue, the captured mail and the MyAgentMail API tell its id instead, a
/// UUID, under which it can be found as well.
fn name(id: &str) -> String {
    let is_uuid = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    match is_uuid {
        true => format!("<{id}@postroom.invalid>"),
        false => id.to_owned(),
    }
}

fn envelope<'a>(recipients: &'a Recipients, subject: Option<&'a str>) -> Envelope<'a> {
    Envelope {
        to: &recipients.to,
        copies: Some(&recipients.copies),
        subject,
    }
}

/// Sends something new, or what another message is the source of.
async fn send<'a>(
    api: &Api,
    inbox: &str,
    source: Option<&str>,
    route: &str,
    content: &'a Content,
    body: Value,
) -> Result<Call<'a>> {
    let key = content.idempotency_key.as_deref();
    if content.personal {
        let place = Place::v1(&["inboxes", &api.inbox_id(inbox).await?, route]);
        let place = match source {
            None => place,
            Some(source) => place.then(&[&id(api, inbox, source).await?]),
        };
        return Ok(Call::post(place, personal(body)).once(key));
    }
    let place = messages(api, inbox).await?;
    let place = match source {
        None => place.then(&[route]),
        Some(source) => place.then(&[&name(source), route]),
    };
    Ok(Call::post(place, body).once(key))
}

/// The id under which the MyAgentMail API knows a message; its trace tells it.
async fn id(api: &Api, inbox: &str, message: &str) -> Result<String> {
    let trace = api.get(&trace(inbox, message)).await?;
    Ok(trace["id"].as_str().unwrap_or_default().to_owned())
}

fn trace(inbox: &str, message: &str) -> Place {
    Place::own(&["inboxes", inbox, "messages", message, "trace"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_two_names() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(name(id), format!("<{id}@postroom.invalid>"));
        assert_eq!(name("<a/b@c>"), "<a/b@c>");
        assert_eq!(name("a@c"), "a@c");
    }
}
