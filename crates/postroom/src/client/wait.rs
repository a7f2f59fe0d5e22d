//! `postroom message wait`: waits as long as it is told, in pieces that the server is willing to wait.
//!
//! What always holds: from the first answer on there is a cursor, so that nothing is missed between two pieces, or while
//! the server is away.

use super::Result;
use super::api::Api;
use super::call::Call;
use super::failure::{Exit, Failure};
use super::place::Place;
use super::show::{self, Shown};
use crate::cli::client::Wait;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest wait of one request, a little below what the server grants.
const PIECE_SECONDS: u64 = 50;
/// Before a server that is away is asked again.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn wait(api: &Api, wanted: &Wait) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(wanted.timeout);
    // Whoever repeats a request with its key is the one that asked first.
    let consumer = wanted.consume.then(consumer);
    // The first answer comes at once, and tells the cursor.
    let (mut since, mut seconds, mut last) = (wanted.since.clone(), 0, Value::Null);
    loop {
        let call = call(wanted, &since, seconds).once(consumer.as_deref());
        match call.answer(api).await {
            Ok(answer) if !answer["message"].is_null() => return print(api, &answer),
            Ok(answer) => {
                if let Some(next) = answer["next"].as_str() {
                    next.clone_into(&mut since);
                }
                last = answer;
            }
            Err(failure) if last.is_null() || !failure.is_passing() || Instant::now() >= until => return Err(failure),
            Err(_) => sleep(PAUSE).await,
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        seconds = left.as_millis().div_ceil(1000).min(u128::from(PIECE_SECONDS)) as u64;
    }
    if api.json {
        show::print(api, &last, &Shown::Fields)?;
    }
    let next = last["next"].as_str().unwrap_or_default();
    let text = format!("nothing came within {} s; to go on: --since {next}", wanted.timeout);
    Err(Failure::new(Exit::Late, text))
}

/// Something that nobody else sends.
fn consumer() -> String {
    let id = postroom_types::EmailId::new();
    format!("wait-{id}")
}

fn call<'a>(wanted: &Wait, since: &str, seconds: u64) -> Call<'a> {
    Call::get(Place::own(&["inboxes", &wanted.inbox, "wait"]))
        .asks("since", [since])
        .asks("timeout", [seconds])
        .asks("from", &wanted.from)
        .asks("subject", &wanted.subject)
        .asks("thread", &wanted.thread)
        .asks("extract", &wanted.extract)
        .asks("purpose", &wanted.purpose)
        .asks("dmarc", wanted.dmarc.then_some("pass"))
        .flag("consume", wanted.consume)
        .flag("include_spam", wanted.spam)
        .flag("include_unauthenticated", wanted.unauthenticated)
}

/// The message, or of what was to be read out of it that alone.
fn print(api: &Api, answer: &Value) -> Result<()> {
    if api.json {
        return show::print(api, answer, &Shown::Fields);
    }
    let extraction = &answer["extraction"];
    let read_out = ["code", "link"].into_iter().find_map(|what| extraction[what].as_str());
    match read_out {
        Some(text) => show::copy(format!("{}\n", show::one_line(text)).as_bytes()),
        None => show::print(api, &answer["message"], &Shown::Message),
    }
}
