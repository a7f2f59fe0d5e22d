//! Counts over time (agentmail.md §16), made of what the feed keeps and of what is there.
//!
//! What always holds: one call looks at a bounded number of events and messages; a range that holds more is a 400.

mod usage;

use super::call::Call;
use super::failure::{Answer, Failure};
use super::operations::{EVERYWHERE, Kind, Operation, Parameter};
use super::wire::Asked;
use crate::State;
use crate::model::time;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::get;
use postroom_feed::{Event, ReceivedAs, What};
use postroom_identity::Permission;
use postroom_types::InboxId;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind }
}

const START: Parameter = parameter("start", Kind::Time);
const END: Parameter = parameter("end", Kind::Time);
const PERIOD: Parameter = parameter("period", Kind::Number);
const LIMIT: Parameter = parameter("limit", Kind::Number);
const DESCENDING: Parameter = parameter("descending", Kind::Flag);
const EVENTS: &[Parameter] = &[
    parameter("event_types", Kind::Texts),
    START,
    END,
    PERIOD,
    LIMIT,
    DESCENDING,
];
const USAGE: &[Parameter] = &[
    parameter("usage_types", Kind::Texts),
    START,
    END,
    PERIOD,
    LIMIT,
    DESCENDING,
];
const RATES: &[Parameter] = &[
    parameter("rate_types", Kind::Texts),
    START,
    END,
    PERIOD,
    parameter("window", Kind::Number),
    LIMIT,
    DESCENDING,
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::get("metrics.queryEvents", EVERYWHERE, "/metrics/events", || get(events))
        .needs(Permission::MetricsRead)
        .asks(EVENTS)
        .answers::<EventMetrics>(),
    // As older clients ask for it.
    Operation::get("metrics.query", EVERYWHERE, "/metrics", || get(events))
        .needs(Permission::MetricsRead)
        .asks(EVENTS)
        .answers::<EventMetrics>(),
    Operation::get("metrics.queryUsage", EVERYWHERE, "/metrics/usage", || get(usage::usage))
        .needs(Permission::MetricsRead)
        .asks(USAGE)
        .answers::<usage::UsageMetrics>(),
    Operation::get("metrics.queryRates", EVERYWHERE, "/metrics/rates", || get(rates))
        .needs(Permission::MetricsRead)
        .asks(RATES)
        .answers::<RateMetrics>(),
];

/// Most events looked at for one answer.
const MAX_EVENTS: usize = 200_000;
/// Most points of one series.
const MAX_POINTS: i64 = 1000;
const DAY_MS: i64 = 86_400_000;

/// How often something happened in the period that begins here.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct CountPoint {
    timestamp: String,
    count: u64,
}

/// Series by type of event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = HashMap<String, Vec<CountPoint>>)]
struct EventMetrics(BTreeMap<&'static str, Vec<CountPoint>>);

/// A share of what was sent in the window that ends here.
#[derive(Debug, Serialize, ToSchema)]
struct RatePoint {
    timestamp: String,
    rate: Option<f64>,
    sent: u64,
}

/// Series by type of rate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = HashMap<String, Vec<RatePoint>>)]
struct RateMetrics(BTreeMap<&'static str, Vec<RatePoint>>);

/// Which part of time is asked about, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) period: Option<i64>,
    pub(super) limit: Option<usize>,
    pub(super) descending: bool,
}

impl Span {
    pub(super) fn read(asked: &Asked) -> Answer<Self> {
        let now = jiff::Timestamp::now().as_millisecond();
        let end = asked.time("end")?.unwrap_or(now).min(now);
        let start = asked.time("start")?.unwrap_or(end - DAY_MS);
        if start < now - 90 * DAY_MS {
            return Err(Failure::field("start", "start lies within the last 90 days"));
        }
        if start > end {
            return Err(Failure::field("start", "start lies before end"));
        }
        let period = asked.number("period", 1..=86_400)?;
        let span = Self {
            start,
            end,
            period: period.and_then(|seconds| i64::try_from(seconds * 1000).ok()),
            limit: asked
                .number("limit", 1..=u64::from(u32::MAX))?
                .and_then(|limit| usize::try_from(limit).ok()),
            descending: asked.flag("descending")?,
        };
        match span.period {
            Some(period) if (end - start) / period > MAX_POINTS => Err(too_wide()),
            _ => Ok(span),
        }
    }

    /// The beginning of the period in which a time lies.
    fn bucket(&self, at: i64) -> i64 {
        match self.period {
            Some(period) => self.start + (at - self.start).div_euclid(period) * period,
            None => at,
        }
    }

    /// Turned round and cut as asked.
    pub(super) fn shaped<T>(&self, mut points: Vec<T>) -> Vec<T> {
        if self.descending {
            points.reverse();
        }
        points.truncate(self.limit.unwrap_or(usize::MAX));
        points
    }
}

fn too_wide() -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "query_range_too_wide",
        "ask for a shorter time or a longer period",
    )
}

/// The events of the scope within the span, in order.
async fn within(state: &State, call: &Call, span: &Span) -> Answer<Vec<Event>> {
    let scope = &call.scope;
    let feed = state.feed();
    let mut after = feed.since(scope.organization, span.start).await?;
    let mut seen: HashMap<InboxId, bool> = HashMap::new();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let page = feed.page(scope.organization, after, postroom_feed::MAX_PAGE).await?;
        looked_at += page.events.len();
        if looked_at > MAX_EVENTS {
            return Err(too_wide());
        }
        let is_past = page.events.last().is_some_and(|event| event.at > span.end);
        for event in page.events {
            if (span.start..=span.end).contains(&event.at) && sees(state, call, &mut seen, event.inbox).await? {
                found.push(event);
            }
        }
        if is_past || !page.more {
            return Ok(found);
        }
        after = page.next;
    }
}

/// Whether the scope has the inbox; events without one are the organization's.
async fn sees(state: &State, call: &Call, seen: &mut HashMap<InboxId, bool>, inbox: Option<InboxId>) -> Answer<bool> {
    let scope = &call.scope;
    if scope.pod.is_none() && scope.inbox.is_none() {
        return Ok(true);
    }
    let Some(inbox) = inbox else { return Ok(false) };
    if let Some(known) = seen.get(&inbox) {
        return Ok(*known);
    }
    // One that was deleted belongs to no scope any more.
    let sees = state
        .identity()
        .inbox(inbox)
        .await
        .is_ok_and(|inbox| scope.sees(&inbox));
    seen.insert(inbox, sees);
    Ok(sees)
}

/// The name of an event's type (agentmail.md §14).
pub(super) const fn event_type(what: &What) -> &'static str {
    match what {
        What::Received { received_as, .. } => match received_as {
            ReceivedAs::Plain => "message.received",
            ReceivedAs::Spam => "message.received.spam",
            ReceivedAs::Blocked => "message.received.blocked",
            ReceivedAs::Unauthenticated => "message.received.unauthenticated",
        },
        What::Sent { .. } => "message.sent",
        What::Delivered { .. } => "message.delivered",
        What::Bounced { .. } => "message.bounced",
        What::Complained { .. } => "message.complained",
        What::Rejected { .. } => "message.rejected",
        What::DomainVerified { .. } => "domain.verified",
    }
}

async fn events(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<EventMetrics>> {
    let span = Span::read(&asked)?;
    let wanted = asked.texts("event_types")?;
    let mut series: BTreeMap<&'static str, Vec<(i64, u64)>> = BTreeMap::new();
    for event in within(&state, &call, &span).await? {
        let kind = event_type(&event.what);
        if !(wanted.is_empty() || wanted.iter().any(|name| name == kind)) {
            continue;
        }
        let (counts, at) = (series.entry(kind).or_default(), span.bucket(event.at));
        match counts.last_mut() {
            // Without a period, each event stands for itself.
            Some((last, count)) if span.period.is_some() && *last == at => *count += 1,
            _ => counts.push((at, 1)),
        }
    }
    let points = |counts: Vec<(i64, u64)>| {
        let point = |(at, count)| CountPoint {
            timestamp: time(at),
            count,
        };
        span.shaped(counts.into_iter().map(point).collect())
    };
    let series = series.into_iter().map(|(kind, counts)| (kind, points(counts)));
    Ok(Json(EventMetrics(series.collect())))
}

/// What a window has seen.
#[derive(Clone, Copy, Default)]
struct Tally {
    sent: u64,
    bounced: u64,
    complained: u64,
}

async fn rates(Shared(state): Shared<State>, call: Call, asked: Asked) -> Answer<Json<RateMetrics>> {
    let span = Span::read(&asked)?;
    let wanted = asked.texts("rate_types")?;
    let period = span.period.unwrap_or((span.end - span.start).max(1));
    let window = asked
        .number("window", 1..=90 * 86_400)?
        .map(|seconds| seconds as i64 * 1000);
    let window = window.unwrap_or(period);
    if window % period != 0 {
        return Err(Failure::field("window", "window is a multiple of period"));
    }
    let with_window = Span {
        start: span.start - window + period,
        ..span
    };
    let mut tallies: BTreeMap<i64, Tally> = BTreeMap::new();
    for event in within(&state, &call, &with_window).await? {
        let tally = tallies.entry((event.at - span.start).div_euclid(period)).or_default();
        match &event.what {
            What::Sent { .. } => tally.sent += 1,
            What::Bounced { .. } => tally.bounced += 1,
            What::Complained { .. } => tally.complained += 1,
            _ => {}
        }
    }
    let steps = (span.end - span.start).div_euclid(period) + 1;
    let mut series: BTreeMap<&'static str, Vec<RatePoint>> = BTreeMap::new();
    for step in 0..steps {
        let mut total = Tally::default();
        for (_, tally) in tallies.range(step + 1 - window / period..=step) {
            total.sent += tally.sent;
            total.bounced += tally.bounced;
            total.complained += tally.complained;
        }
        for (kind, count) in [("bounce", total.bounced), ("complaint", total.complained)] {
            if wanted.is_empty() || wanted.iter().any(|name| name == kind) {
                series.entry(kind).or_default().push(RatePoint {
                    timestamp: time(span.start + step * period),
                    rate: (total.sent > 0).then(|| count as f64 / total.sent as f64),
                    sent: total.sent,
                });
            }
        }
    }
    let series = series.into_iter().map(|(kind, points)| (kind, span.shaped(points)));
    Ok(Json(RateMetrics(series.collect())))
}
