//! Running totals: what was there at a time, of what is there now. What was deleted since is not counted.

use super::{Span, too_wide};
use crate::State;
use crate::agentmail::call::Call;
use crate::agentmail::failure::Answer;
use crate::agentmail::wire::Asked;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use postroom_identity::{InboxRecord, PageOf};
use postroom_types::ThreadId;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

/// Inboxes and messages read at a time.
const PAGE: usize = 500;
/// Most messages looked at for one answer.
const MAX_MESSAGES: usize = 200_000;

/// A total at a time.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::agentmail) struct UsagePoint {
    timestamp: String,
    value: u64,
}

/// Series by type of usage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = HashMap<String, Vec<UsagePoint>>)]
pub(super) struct UsageMetrics(BTreeMap<&'static str, Vec<UsagePoint>>);

/// What is there, and when it came: milliseconds since 1970 and how much, in any order.
#[derive(Default)]
struct Grown {
    /// What was there before the span.
    base: u64,
    later: Vec<(i64, u64)>,
}

impl Grown {
    fn add(&mut self, at: i64, much: u64, span: &Span) {
        if at < span.start {
            self.base += much;
        } else {
            self.later.push((at, much));
        }
    }

    fn series(mut self, times: &[i64]) -> Vec<UsagePoint> {
        self.later.sort_unstable();
        let (mut total, mut next) = (self.base, 0);
        let mut points = Vec::with_capacity(times.len());
        for at in times {
            while let Some((came, much)) = self.later.get(next)
                && came <= at
            {
                total += much;
                next += 1;
            }
            points.push(UsagePoint {
                timestamp: time(*at),
                value: total,
            });
        }
        points
    }
}

pub(super) async fn usage(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<UsageMetrics>> {
    let span = Span::read(&asked)?;
    let wanted = asked.texts("usage_types")?;
    let asks = |kind: &str| wanted.is_empty() || wanted.iter().any(|name| name == kind);
    let times: Vec<i64> = match span.period {
        Some(period) => (0..=(span.end - span.start) / period)
            .map(|step| span.start + step * period)
            .collect(),
        None => vec![span.end],
    };
    let scope = &call.scope;
    let mut grown: BTreeMap<&'static str, Grown> = BTreeMap::new();
    let identity = state.identity();
    if scope.inbox.is_none() && asks("domain_count") {
        grown.entry("domain_count").or_default().base = identity.domain_count(scope.organization, scope.pod).await?;
    }
    if scope.pod.is_none() && asks("pod_count") {
        let pods = grown.entry("pod_count").or_default();
        for pod in identity.pods(scope.organization).await? {
            pods.add(pod.created_at, 1, &span);
        }
    }
    let inboxes = inboxes(&state, &call).await?;
    if scope.inbox.is_none() && asks("inbox_count") {
        let count = grown.entry("inbox_count").or_default();
        inboxes.iter().for_each(|inbox| count.add(inbox.created_at, 1, &span));
    }
    if ["message_count", "storage_bytes", "thread_count"].into_iter().any(asks) {
        mail(&state, &inboxes, &span, &mut grown).await?;
        grown.retain(|kind, _| asks(kind));
    }
    let series = grown
        .into_iter()
        .map(|(kind, grown)| (kind, span.shaped(grown.series(&times))));
    Ok(Json(UsageMetrics(series.collect())))
}

async fn inboxes(state: &State, call: &Call) -> Answer<Vec<InboxRecord>> {
    let scope = &call.scope;
    if let Some(own) = &scope.inbox {
        return Ok(vec![InboxRecord::clone(own)]);
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = PageOf {
            after,
            ascending: true,
            limit: PAGE,
        };
        let page = state
            .identity()
            .inbox_page(scope.organization, scope.pod, &page)
            .await?;
        all.extend(page.inboxes);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

async fn mail(
    state: &State,
    inboxes: &[InboxRecord],
    span: &Span,
    grown: &mut BTreeMap<&'static str, Grown>,
) -> Answer<()> {
    let (mut messages, mut storage, mut threads) = (Grown::default(), Grown::default(), Grown::default());
    let mut looked_at = 0;
    for inbox in inboxes {
        let mut first: HashMap<ThreadId, i64> = HashMap::new();
        let mut before = None;
        loop {
            let page = state.mailstore().messages(inbox.id, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.email_id);
            looked_at += page.len();
            if looked_at > MAX_MESSAGES {
                return Err(too_wide());
            }
            for record in &page {
                messages.add(record.received_at, 1, span);
                storage.add(record.received_at, record.size_octets(), span);
                // Newest first: the last one seen is where the thread begins.
                first.insert(record.thread_id, record.received_at);
            }
        }
        first.into_values().for_each(|at| threads.add(at, 1, span));
    }
    grown.insert("message_count", messages);
    grown.insert("storage_bytes", storage);
    grown.insert("thread_count", threads);
    Ok(())
}
