//! `postroom draft …`

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::download;
use super::letter::drafted;
use super::place::Place;
use super::show::Shown;
use super::table::DRAFTS;
use crate::cli::client::{DraftVerb, One};
use serde_json::{Value, json};

pub(super) async fn draft(api: &Api, verb: &DraftVerb) -> Result<()> {
    let call = match verb {
        DraftVerb::Create {
            inbox,
            drafted: content,
            label,
            in_reply_to,
            all,
            forward_of,
            client_id,
        } => {
            let further = given(json!({
                "labels": label,
                "in_reply_to": in_reply_to,
                "reply_all": all.then_some(true),
                "forward_of": forward_of,
                "client_id": client_id,
            }));
            let body = joined(drafted(content, "attachments")?, further);
            Call::post(api.inbox(inbox).await?.then(&["drafts"]), body).shown(Shown::Message)
        }
        DraftVerb::Ls {
            within,
            label,
            time,
            paging,
        } => Call::list(api.within(within).await?.then(&["drafts"]), paging, &DRAFTS)
            .asks("labels", label)
            .time(time),
        DraftVerb::Show(one) => Call::get(place(api, one).await?).shown(Shown::Message),
        DraftVerb::Update {
            one,
            drafted: content,
            clear,
            detach,
            add_label,
            remove_label,
        } => {
            let further = given(json!({
                "remove_attachments": detach,
                "add_labels": add_label,
                "remove_labels": remove_label,
            }));
            let mut body = joined(drafted(content, "add_attachments")?, further);
            for field in clear {
                body[field] = Value::Null;
            }
            Call::patch(place(api, one).await?, body).shown(Shown::Message)
        }
        DraftVerb::Send {
            one,
            add_label,
            remove_label,
            idempotency_key,
        } => {
            let body = given(json!({ "add_labels": add_label, "remove_labels": remove_label }));
            let call = Call::post(place(api, one).await?.then(&["send"]), body);
            call.once(idempotency_key.as_deref())
        }
        DraftVerb::Rm(one) => Call::delete(place(api, one).await?),
        DraftVerb::Attachment {
            one,
            attachment,
            target,
        } => {
            let attachment = place(api, one).await?.then(&["attachments", attachment]);
            return download::save(api, &attachment, target).await;
        }
    };
    call.run(api).await
}

async fn place(api: &Api, one: &One) -> Result<Place> {
    Ok(api.inbox(&one.inbox).await?.then(&["drafts", &one.id]))
}

/// The fields of both.
fn joined(mut one: Value, other: Value) -> Value {
    for (name, value) in other.as_object().into_iter().flatten() {
        one[name] = value.clone();
    }
    one
}
