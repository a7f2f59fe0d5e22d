//! `postroom queue …`

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::history;
use super::place::Place;
use super::show::Shown;
use super::table::QUEUE;
use crate::cli::client::{QueueVerb, Which};
use serde_json::json;

pub(super) async fn queue(api: &Api, verb: &QueueVerb) -> Result<()> {
    let queue = |more: &[&str]| Place::own(&["queue"]).then(more);
    let act = |which: &Which, deed: &str| {
        Call::post(
            queue(&[&which.message, deed]),
            given(json!({ "recipient": which.recipient })),
        )
    };
    let call = match verb {
        QueueVerb::Ls {
            inbox,
            state,
            domain,
            after,
            limit,
        } => {
            let inbox = match inbox {
                Some(inbox) => Some(api.inbox_id(inbox).await?),
                None => None,
            };
            Call::get(queue(&[]))
                .asks("limit", [limit])
                .asks("inbox", inbox)
                .asks("state", state)
                .asks("domain", domain)
                .asks("after", after)
                .shown(Shown::Table(&QUEUE))
        }
        QueueVerb::Show { message } => return history::print(api, &api.get(&queue(&[message])).await?),
        QueueVerb::Retry(which) => act(which, "retry"),
        QueueVerb::Hold(which) => act(which, "hold"),
        QueueVerb::Cancel(which) => act(which, "cancel"),
        QueueVerb::Flush => Call::post(queue(&["flush"]), json!({})),
    };
    call.run(api).await
}
