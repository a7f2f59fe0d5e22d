//! `postroom list …`, `webhook …` and `metrics …`.

use super::Result;
use super::api::Api;
use super::call::{Call, given, pairs};
use super::place::Place;
use super::show::Shown;
use super::table::{ENTRIES, WEBHOOKS};
use crate::cli::client::{ListVerb, Listed, MetricsVerb, Points, WebhookVerb};
use serde_json::json;

pub(super) async fn list(api: &Api, verb: &ListVerb) -> Result<()> {
    let call = match verb {
        ListVerb::Add { list, entry, reason } => {
            let body = given(json!({ "entry": entry, "reason": reason }));
            Call::post(listed(api, list).await?, body)
        }
        ListVerb::Ls { list, paging } => Call::list(listed(api, list).await?, paging, &ENTRIES),
        ListVerb::Show { list, entry } => Call::get(listed(api, list).await?.then(&[entry])),
        ListVerb::Rm { list, entry } => Call::delete(listed(api, list).await?.then(&[entry])),
    };
    call.run(api).await
}

async fn listed(api: &Api, list: &Listed) -> Result<Place> {
    let scope = api.within(&list.within).await?;
    Ok(scope.then(&["lists", &list.direction, &list.kind]))
}

pub(super) async fn webhook(api: &Api, verb: &WebhookVerb) -> Result<()> {
    let one = |id: &str| Place::v0(&["webhooks", id]);
    let call = match verb {
        WebhookVerb::Add {
            target,
            within,
            kind,
            only_pod,
            only_inbox,
            header,
            client_id,
        } => {
            let body = given(json!({
                "url": target,
                "event_types": kind,
                "pod_ids": only_pod,
                "inbox_ids": only_inbox,
                "headers": pairs(header, ':')?,
                "client_id": client_id,
            }));
            Call::post(api.within(within).await?.then(&["webhooks"]), body)
        }
        WebhookVerb::Ls { within, paging } => {
            Call::list(api.within(within).await?.then(&["webhooks"]), paging, &WEBHOOKS)
        }
        WebhookVerb::Show { id } => Call::get(one(id)),
        WebhookVerb::Update {
            id,
            kind,
            add_pod,
            remove_pod,
            add_inbox,
            remove_inbox,
            enable,
            disable,
        } => {
            let body = given(json!({
                "event_types": kind,
                "add_pod_ids": add_pod,
                "remove_pod_ids": remove_pod,
                "add_inbox_ids": add_inbox,
                "remove_inbox_ids": remove_inbox,
                "enabled": (*enable || *disable).then_some(*enable),
            }));
            Call::patch(one(id), body)
        }
        WebhookVerb::Rm { id } => Call::delete(one(id)),
        WebhookVerb::Headers { id, set, remove } if set.is_empty() && remove.is_empty() => {
            Call::get(one(id).then(&["headers"]))
        }
        WebhookVerb::Headers { id, set, remove } => {
            let body = given(json!({ "headers": pairs(set, ':')?, "remove_headers": remove }));
            Call::patch(one(id).then(&["headers"]), body)
        }
    };
    call.run(api).await
}

pub(super) async fn metrics(api: &Api, verb: &MetricsVerb) -> Result<()> {
    let (points, window, what, types, columns): (_, _, _, _, &'static [&'static str]) = match verb {
        MetricsVerb::Events(points) => (points, &None, "events", "event_types", &["type", "timestamp", "count"]),
        MetricsVerb::Usage(points) => (points, &None, "usage", "usage_types", &["type", "timestamp", "value"]),
        MetricsVerb::Rates { points, window } => (
            points,
            window,
            "rates",
            "rate_types",
            &["type", "timestamp", "rate", "sent"],
        ),
    };
    let place = api.within(&points.within).await?.then(&["metrics", what]);
    let call = asked(Call::get(place), points)
        .asks(types, &points.kind)
        .asks("window", window);
    call.shown(Shown::Series(columns)).run(api).await
}

fn asked<'a>(call: Call<'a>, points: &Points) -> Call<'a> {
    call.asks("start", &points.start)
        .asks("end", &points.end)
        .asks("period", points.period)
        .asks("limit", points.limit)
        .flag("descending", points.descending)
}
