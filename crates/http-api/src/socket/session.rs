//! One connection: it waits for what the client says, for events, and for the clock.

use super::{Heard, Speech};
use crate::State;
use crate::agentmail::call::{Scope, scope_of_key};
use crate::agentmail::failure::{Answer, Failure};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use axum::http::StatusCode;
use bytes::Bytes;
use postroom_feed::{Cursor, FeedError};
use postroom_identity::{Permission, Principal};
use postroom_types::Secret;
use postroom_webhooks::{Hub, Subscription};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// How often the client is asked whether it is there, and the key whether it still opens where nobody said that it changed.
const TICK: Duration = Duration::from_secs(30);
/// How long a client may be silent, and a frame on its way.
const PATIENCE: Duration = Duration::from_secs(75);
/// Events looked at between two looks at what the client says.
const PIECE: usize = 64;

pub(super) struct Session<S> {
    state: State,
    speech: S,
    key: Secret<String>,
    principal: Principal,
    scope: Scope,
    hub: Arc<Hub>,
    listening: Option<Listening>,
}

/// What a client subscribed to, and how far it was told.
struct Listening {
    subscription: Subscription,
    cursor: Cursor,
    /// There is more to tell now.
    behind: bool,
}

/// Why a connection ends.
type Ended = Option<CloseFrame>;

impl<S: Speech> Session<S> {
    pub(super) fn new(state: State, key: Secret<String>, principal: Principal, scope: Scope, speech: S) -> Self {
        Self {
            hub: state.hubs().of(principal.organization),
            state,
            speech,
            key,
            principal,
            scope,
            listening: None,
        }
    }

    pub(super) async fn run(mut self, mut socket: WebSocket) {
        if let Err(Some(frame)) = self.serve(&mut socket).await {
            // Who does not take it is cut off all the same.
            let _ = timeout(Duration::from_secs(2), socket.send(Message::Close(Some(frame)))).await;
        }
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        let mut news = self.hub.news();
        // Watched from before the key is looked at for the first time, so that no change of it falls between.
        let mut keys = self.state.identity().watch_keys(self.principal.organization);
        self.check_key().await?;
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopping = self.state.stopping().clone();
        let mut heard = Instant::now();
        if let Some(greeting) = self.speech.greeting() {
            tell(socket, greeting).await?;
        }
        loop {
            let behind = self.listening.as_ref().is_some_and(|listening| listening.behind);
            tokio::select! {
                said = socket.recv() => {
                    heard = Instant::now();
                    match said {
                        Some(Ok(Message::Text(text))) => self.hear(socket, &text).await?,
                        Some(Ok(Message::Binary(_))) => {
                            tell(socket, self.speech.error(&Failure::invalid("frames are text"))).await?;
                        }
                        // Pings are answered below us.
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    }
                }
                changed = news.changed(), if !behind => {
                    // The hub is held, so it goes on.
                    changed.map_err(|_| close(close_code::ERROR, "internal error"))?;
                    if let Some(listening) = &mut self.listening {
                        listening.behind = true;
                    }
                }
                Ok(()) = keys.changed() => self.check_key().await?,
                () = std::future::ready(()), if behind => self.tell_events(socket).await?,
                _ = tick.tick() => {
                    if heard.elapsed() > PATIENCE {
                        return Err(close(close_code::POLICY, "no sign of life"));
                    }
                    self.check_key().await?;
                    if let Some(ping) = self.speech.ping() {
                        tell(socket, ping).await?;
                    }
                    send(socket, Message::Ping(Bytes::new())).await?;
                }
                () = stopping.cancelled() => return Err(close(close_code::AWAY, "the server stops")),
            }
        }
    }

    async fn hear(&mut self, socket: &mut WebSocket, text: &str) -> Result<(), Ended> {
        match self.answer(text).await {
            Ok(None) => Ok(()),
            Ok(Some(answer)) => tell(socket, answer).await,
            Err(failure) => tell(socket, self.speech.error(&failure)).await,
        }
    }

    async fn answer(&mut self, text: &str) -> Answer<Option<String>> {
        match self
            .speech
            .hear(&self.state, &self.principal, &self.scope, text)
            .await?
        {
            Heard::Nothing => Ok(None),
            Heard::Subscribe {
                subscription,
                after,
                answer,
            } => {
                self.subscribe(subscription, after).await?;
                Ok(Some(answer))
            }
        }
    }

    /// It goes on where the subscription before it was.
    async fn subscribe(&mut self, subscription: Subscription, after: Option<Cursor>) -> Answer<()> {
        let before = self.listening.as_ref().map(|listening| listening.cursor);
        let cursor = match (after, before) {
            (Some(after), _) => {
                self.hub.page(after, 1).await.map_err(gone)?;
                after
            }
            (None, Some(before)) => before,
            (None, None) => self.state.hubs().feed().newest(),
        };
        self.listening = Some(Listening {
            subscription,
            cursor,
            behind: true,
        });
        Ok(())
    }

    /// Tells some of what happened.
    async fn tell_events(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        let Some(listening) = &mut self.listening else {
            return Ok(());
        };
        let page = match self.hub.page(listening.cursor, PIECE).await {
            Ok(page) => page,
            Err(error) => {
                tell(socket, self.speech.error(&gone(error))).await?;
                return Err(close(close_code::ERROR, "events are gone, or cannot be read"));
            }
        };
        for placed in &page.events {
            if listening.subscription.passes(placed) {
                let rights = listening.subscription.rights;
                let body = self.hub.body(&self.state, S::DIALECT, placed, rights).await;
                // What cannot be told now is told after the client has come back.
                let body = body.map_err(|_| close(close_code::AGAIN, "try again"))?;
                if let Some(text) = body.and_then(|body| Utf8Bytes::try_from(body).ok()) {
                    send(socket, Message::Text(text)).await?;
                }
            }
            listening.cursor = placed.event.cursor;
        }
        listening.cursor = page.next;
        listening.behind = page.more;
        Ok(())
    }

    /// Whether the key still opens, and what.
    async fn check_key(&mut self) -> Result<(), Ended> {
        let found = self.state.identity().authenticate_key(self.key.expose()).await;
        // A store that cannot answer does not revoke a key.
        let Ok(found) = found else { return Ok(()) };
        let found = found.filter(|principal| principal.allows(Permission::MessageRead));
        let principal = found.ok_or_else(|| close(close_code::POLICY, "the key opens nothing any more"))?;
        if principal.permissions != self.principal.permissions {
            if let Some(listening) = &mut self.listening {
                listening.subscription.rights = S::rights(&principal);
            }
            self.principal = principal;
        }
        if let Ok(scope) = scope_of_key(&self.state, &self.principal).await {
            self.scope = scope;
        }
        Ok(())
    }
}

/// The events that were asked for are not there any more: the client reads everything anew and goes on from the newest.
fn gone(error: FeedError) -> Failure {
    match error {
        FeedError::Gone { oldest } => {
            let text =
                format!("events after this one are no longer kept; the oldest that can be named is evt_{oldest}");
            Failure::new(StatusCode::GONE, "gone", text)
        }
        FeedError::Store(_) => Failure::from(error),
    }
}

fn close(code: u16, reason: &'static str) -> Ended {
    Some(CloseFrame {
        code,
        reason: reason.into(),
    })
}

async fn tell(socket: &mut WebSocket, text: String) -> Result<(), Ended> {
    send(socket, Message::Text(text.into())).await
}

/// Waits until the frame is on its way: that is what keeps a slow reader from being told more than it takes.
async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Ended> {
    match timeout(PATIENCE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(None),
    }
}
