//! `postroom queue …`

use super::api::Api;
use super::{given, history, show};
use crate::Outcome;
use crate::cli::{ApiArgs, QueueVerb, Which};
use serde_json::{Value, json};

const COLUMNS: [&str; 7] = [
    "message",
    "recipient",
    "address",
    "state",
    "attempts",
    "nextAttemptAt",
    "reason",
];

pub(crate) async fn queue(args: &ApiArgs, verb: &QueueVerb) -> Outcome<()> {
    let api = Api::new(args)?;
    let answer = match verb {
        QueueVerb::Ls {
            inbox,
            state,
            domain,
            after,
            limit,
        } => {
            let mut query = format!("limit={limit}");
            for (name, value) in [("inbox", inbox), ("state", state), ("domain", domain), ("after", after)] {
                if let Some(value) = value {
                    query.push_str(&format!("&{name}={}", Api::segment(value)));
                }
            }
            api.get(&format!("/postroom/v1/queue?{query}")).await?
        }
        QueueVerb::Show { message } => {
            let path = format!("/postroom/v1/queue/{}", Api::segment(message));
            return history::print(&api.get(&path).await?, args.json);
        }
        QueueVerb::Retry(which) => act(&api, which, "retry").await?,
        QueueVerb::Hold(which) => act(&api, which, "hold").await?,
        QueueVerb::Cancel(which) => act(&api, which, "cancel").await?,
        QueueVerb::Flush => api.post("/postroom/v1/queue/flush", &json!({})).await?,
    };
    show::print(&answer, args.json, "queue", &COLUMNS)?;
    if let (false, Some(next)) = (args.json, answer["next"].as_str()) {
        eprintln!("postroom: there is more: --after {next}");
    }
    Ok(())
}

async fn act(api: &Api, which: &Which, verb: &str) -> Outcome<Value> {
    let path = format!("/postroom/v1/queue/{}/{verb}", Api::segment(&which.message));
    api.post(&path, &given(&json!({ "recipient": which.recipient }))).await
}
