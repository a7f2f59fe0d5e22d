//! Events as they happen (server-sent events, WHATWG HTML §9.2).
//!
//! What always holds: what is not read holds up the stream, and nothing piles up; a stream whose key is revoked ends
//! at once, one whose key expires within a minute.

use super::Listener;
use crate::agentmail::failure::Failure;
use crate::pipe::{Pipe, pipe};
use crate::subscriber::rights;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use postroom_feed::Cursor;
use postroom_identity::Permission;
use postroom_types::Secret;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Between two signs of life.
const TICK: Duration = Duration::from_secs(15);
/// Events rendered at a time.
const PIECE: usize = 16;

/// Begins at once and does not end by itself.
pub(super) fn answer(listener: Listener, key: String) -> Response {
    let (pipe, body) = pipe();
    let key = Secret::new(key);
    tokio::spawn(async move {
        if let Err(error) = run(listener, &key, &pipe).await {
            tracing::debug!(reason = %error, "a stream of events ended");
        }
    });
    let fields = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // For proxies that would wait for more.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (fields, body).into_response()
}

async fn run(mut listener: Listener, key: &Secret<String>, to: &Pipe) -> io::Result<()> {
    let mut news = listener.hub.news();
    // Watched from before the key is looked at for the first time, so that no change of it falls between.
    let mut keys = listener.state.identity().watch_keys(listener.hub.organization());
    if !still_opens(&mut listener, key).await {
        return Ok(());
    }
    let mut tick = interval_at(Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopping = listener.state.stopping().clone();
    let mut checked = Instant::now();
    // So that the client knows where it stands before anything happens.
    to.send(format!("retry: 2000\nid: {}\n\n", listener.cursor)).await?;
    loop {
        let told = match listener.next(PIECE).await {
            Ok(Ok(told)) => told,
            Ok(Err(oldest)) => return to.send(gone(oldest)).await,
            Err(failure) => return Err(broken(&failure)),
        };
        for (cursor, event_type, body) in &told.events {
            let text = String::from_utf8_lossy(body);
            to.send(format!("id: {cursor}\nevent: {event_type}\ndata: {text}\n\n"))
                .await?;
        }
        if told.more {
            // Catching up may take long, and what was read before a key was revoked is the last that it shows.
            if checked.elapsed() >= TICK || keys.has_changed().unwrap_or(false) {
                checked = Instant::now();
                keys.mark_unchanged();
                if !still_opens(&mut listener, key).await {
                    return Ok(());
                }
            }
            if stopping.is_cancelled() {
                return Ok(());
            }
            continue;
        }
        tokio::select! {
            changed = news.changed() => changed.map_err(io::Error::other)?,
            Ok(()) = keys.changed() => {
                if !still_opens(&mut listener, key).await {
                    return Ok(());
                }
            }
            _ = tick.tick() => {
                checked = Instant::now();
                if !still_opens(&mut listener, key).await {
                    return Ok(());
                }
                to.send(":\n\n").await?;
            }
            () = stopping.cancelled() => return Ok(()),
        }
    }
}

/// The last event, after which the client has to begin anew.
fn gone(oldest: Cursor) -> String {
    format!("event: gone\ndata: {{\"code\":\"CURSOR_GONE\",\"oldest\":\"{oldest}\"}}\n\n")
}

/// Whether the key still opens, and for what.
async fn still_opens(listener: &mut Listener, key: &Secret<String>) -> bool {
    match listener.state.identity().authenticate_key(key.expose()).await {
        Ok(Some(principal)) => {
            listener.subscription.rights = rights(&principal);
            principal.allows(Permission::MessageRead)
        }
        Ok(None) => false,
        // A store that cannot answer does not revoke a key.
        Err(_) => true,
    }
}

fn broken(failure: &Failure) -> io::Error {
    io::Error::other(failure.body.message.clone())
}
