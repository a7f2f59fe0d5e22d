//! `postroom thread …`

use super::Result;
use super::api::Api;
use super::call::{Call, given};
use super::download;
use super::place::Place;
use super::show::Shown;
use super::table::THREADS;
use crate::cli::client::ThreadVerb;
use serde_json::json;

pub(super) async fn thread(api: &Api, verb: &ThreadVerb) -> Result<()> {
    let one = |id: &str| Place::v0(&["threads", id]);
    let call = match verb {
        ThreadVerb::Ls { within, filter, paging } => {
            let threads = api.within(within).await?.then(&["threads"]);
            Call::list(threads, paging, &THREADS).filter(filter, ["senders", "recipients"])
        }
        ThreadVerb::Search {
            query,
            within,
            time,
            paging,
        } => {
            let threads = api.within(within).await?.then(&["threads", "search"]);
            Call::list(threads, paging, &THREADS).asks("q", [query]).time(time)
        }
        ThreadVerb::Show { id, paging } => Call::get(one(id)).paged(paging, "messages").shown(Shown::Thread),
        ThreadVerb::Label { id, labels } => {
            let body = given(json!({ "add_labels": labels.add, "remove_labels": labels.remove }));
            Call::patch(one(id), body)
        }
        ThreadVerb::Rm { id, for_good: true } => Call::delete(one(id)),
        ThreadVerb::Rm { id, .. } => Call::patch(one(id), json!({ "add_labels": ["trash"] })),
        ThreadVerb::Attachment { id, attachment, target } => {
            return download::save(api, &one(id).then(&["attachments", attachment]), target).await;
        }
    };
    call.run(api).await
}
