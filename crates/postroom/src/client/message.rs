//! `postroom message …`

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::failure::{Exit, Failure};
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
            several => return each(api, inbox, several, "messages", &Shown::Thread, Call::get).await,
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
            let change = given(json!({ "add_labels": labels.add, "remove_labels": labels.remove }));
            match &id[..] {
                [id] => Call::patch(messages(api, inbox).await?.then(&[&name(id)]), change),
                several => {
                    let update = |place| Call::patch(place, change.clone());
                    return each(api, inbox, several, "updates", &Shown::Fields, update).await;
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
        MessageVerb::Captured {
            id: None, after, limit, ..
        } => Call::get(Place::own(&["captured"]))
            .asks("limit", [limit])
            .asks("after", after)
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

/// The same call for each of several messages. One that is not there keeps nothing from the others, and is told in the
/// end.
async fn each(
    api: &Api,
    inbox: &str,
    ids: &[String],
    rows: &str,
    shown: &Shown,
    call: impl Fn(Place) -> Call<'static>,
) -> Result<()> {
    let messages = messages(api, inbox).await?;
    let (mut answers, mut missing, mut ended) = (Vec::new(), Vec::new(), Ok(()));
    for id in ids {
        match call(messages.clone().then(&[&name(id)])).answer(api).await {
            Ok(answer) => answers.push(answer),
            Err(failure) if failure.exit() == Exit::NotFound => missing.push(id.as_str()),
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        }
    }
    show::print(api, &json!({ "count": answers.len(), rows: answers }), shown)?;
    if !missing.is_empty() && ended.is_ok() {
        ended = Err(Failure::not_found(format!("not found: {}", missing.join(", "))));
    }
    ended
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
    use super::super::stub::{Stub, whole};
    use super::*;
    use crate::cli::client::Labels;

    #[tokio::test]
    async fn each_of_several_is_read_whole_and_a_missing_one_is_told() {
        let stub = Stub::new(vec![
            ("get /v0/inboxes/a@b/messages/1@x", 200, whole(r#"{"text":"one"}"#)),
            ("get /v0/inboxes/a@b/messages/3@x", 200, whole(r#"{"text":"three"}"#)),
            ("patch /v0/inboxes/a@b/messages/3@x", 200, whole("{}")),
        ])
        .await;
        let (inbox, all) = ("a@b".to_owned(), ["1@x", "2@x", "3@x"].map(str::to_owned));
        let show = |id: &[String]| MessageVerb::Show {
            inbox: inbox.clone(),
            id: id.to_vec(),
        };
        let failure = message(&stub.api, &show(&all)).await.expect_err("one is missing");
        assert_eq!(
            (failure.exit(), failure.to_string().as_str()),
            (Exit::NotFound, "not found: 2@x")
        );
        assert_eq!(stub.asked().len(), 3);
        let two = [all[0].clone(), all[2].clone()];
        assert!(message(&stub.api, &show(&two)).await.is_ok());
        let labels = Labels {
            add: vec!["x".to_owned()],
            remove: Vec::new(),
        };
        let label = MessageVerb::Label {
            inbox: inbox.clone(),
            id: all[1..].to_vec(),
            labels,
        };
        let failure = message(&stub.api, &label).await.expect_err("one is missing");
        assert_eq!(failure.exit(), Exit::NotFound);
        let last = stub.asked().pop();
        assert_eq!(last.as_deref(), Some("patch /v0/inboxes/a@b/messages/3@x"));
    }

    #[tokio::test]
    async fn captured_mail_goes_on_where_a_list_ended() {
        let rows = vec![(
            "get /postroom/v1/captured?limit=20&after=c1",
            200,
            whole(r#"{"captured":[],"next":null}"#),
        )];
        let stub = Stub::new(rows).await;
        let verb = MessageVerb::Captured {
            id: None,
            raw: false,
            after: Some("c1".to_owned()),
            limit: 20,
        };
        let done = message(&stub.api, &verb).await;
        assert!(done.is_ok(), "{:?}", stub.asked());
    }

    #[test]
    fn messages_have_two_names() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(name(id), format!("<{id}@postroom.invalid>"));
        assert_eq!(name("<a/b@c>"), "<a/b@c>");
        assert_eq!(name("a@c"), "a@c");
    }
}
