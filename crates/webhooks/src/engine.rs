//! A worker for each webhook that is enabled.

use crate::bodies::Render;
use crate::keys::{self, Name};
use crate::worker::{End, Worker};
use crate::{WebhookError, Webhooks};
use postroom_store::prefix_end;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two looks at all that may be cleared away, and before the first.
const TIDY_AFTER: Duration = Duration::from_secs(3600);
const FIRST_TIDY_AFTER: Duration = Duration::from_secs(60);
/// Before a worker that failed is started again. It doubles each time up to the longest, and begins anew with one that
/// worked for longer than that.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Webhooks that changed.
#[derive(Default)]
pub(crate) struct Nudges {
    names: Mutex<HashSet<Name>>,
    wake: Notify,
}

impl Nudges {
    pub(crate) fn add(&self, name: Name) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        self.wake.notify_one();
    }

    async fn take(&self) -> HashSet<Name> {
        loop {
            let names = std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
            if !names.is_empty() {
                return names;
            }
            self.wake.notified().await;
        }
    }
}

/// The workers, by webhook; each can be told that its webhook changed.
#[derive(Default)]
struct Workers {
    /// Each ends with a nudge.
    pauses: JoinSet<()>,
    tasks: JoinSet<End>,
    running: HashMap<Name, Running>,
    /// The last pauses of those that failed.
    failed: HashMap<Name, Duration>,
    names: HashMap<Id, Name>,
}

/// A worker at work.
struct Running {
    changed: Arc<Notify>,
    began: Instant,
}

impl Webhooks {
    /// Sends events until the token is cancelled. Requests that are open then are dropped: their events are sent again
    /// after the next start.
    pub async fn run(self: Arc<Self>, render: Arc<dyn Render>, shutdown: CancellationToken) {
        let (working, tidying) = (Arc::clone(&self).work(render), self.tidy_now_and_then());
        shutdown
            .run_until_cancelled(async { tokio::join!(working, tidying) })
            .await;
    }

    async fn tidy_now_and_then(&self) {
        let mut wait = FIRST_TIDY_AFTER;
        loop {
            tokio::time::sleep(wait).await;
            wait = TIDY_AFTER;
            if let Err(error) = self.tidy().await {
                tracing::warn!(reason = %error, "cannot tidy webhooks and their logs");
            }
        }
    }

    async fn work(self: Arc<Self>, render: Arc<dyn Render>) {
        let mut workers = Workers::default();
        let names = loop {
            match self.start_up().await {
                Ok(names) => break names,
                Err(error) => {
                    tracing::warn!(reason = %error, "cannot read the webhooks");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        for name in names {
            workers.start(&self, &render, name);
        }
        loop {
            tokio::select! {
                names = self.nudges.take() => {
                    for name in names {
                        match workers.running.get(&name) {
                            Some(running) => running.changed.notify_one(),
                            None => workers.start(&self, &render, name),
                        }
                    }
                }
                Some(ended) = workers.tasks.join_next_with_id() => {
                    match workers.ended(ended) {
                        Next::Rest => {}
                        Next::Start(name) => workers.start(&self, &render, name),
                        Next::StartLater(name, pause) => {
                            let webhooks = Arc::clone(&self);
                            workers.pauses.spawn(async move {
                                tokio::time::sleep(pause).await;
                                webhooks.nudges.add(name);
                            });
                        }
                    }
                }
            }
        }
    }

    /// All webhooks. What is to be tried again of those that are gone is cleared away: a crash may have come between.
    async fn start_up(&self) -> Result<Vec<Name>, WebhookError> {
        let names = self.names().await?;
        let known: HashSet<Name> = names.iter().copied().collect();
        let (mut low, high) = (keys::RETRIES.to_vec(), prefix_end(keys::RETRIES));
        loop {
            let page = self.store.range(&low, &high, false, 1).await?;
            let first = page.pairs.first().and_then(|(key, _)| keys::read_name(key));
            low = match (first, page.resume) {
                (Some(name), _) => {
                    if !known.contains(&name) {
                        self.clear_retries(name).await?;
                    }
                    prefix_end(&keys::retries(name))
                }
                (None, Some(resume)) if page.more => [resume.as_slice(), &[0]].concat(),
                (None, _) => return Ok(names),
            };
        }
    }
}

impl Workers {
    fn start(&mut self, webhooks: &Arc<Webhooks>, render: &Arc<dyn Render>, name: Name) {
        let changed = Arc::new(Notify::new());
        let worker = Worker::run(Arc::clone(webhooks), Arc::clone(render), name, Arc::clone(&changed));
        let id = self.tasks.spawn(worker).id();
        let began = Instant::now();
        self.running.insert(name, Running { changed, began });
        self.names.insert(id, name);
    }

    fn ended(&mut self, ended: Result<(Id, End), tokio::task::JoinError>) -> Next {
        while self.pauses.try_join_next().is_some() {}
        let (id, end) = match ended {
            Ok((id, end)) => (id, Ok(end)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(name) = self.names.remove(&id) else {
            return Next::Rest;
        };
        let running = self.running.remove(&name);
        match end {
            Ok(End::Idle) => {
                self.failed.remove(&name);
                // It changed just after the worker saw that there was nothing to do.
                match running.is_some_and(|running| was_notified(&running.changed)) {
                    true => Next::Start(name),
                    false => Next::Rest,
                }
            }
            Ok(End::Failed(error)) => {
                tracing::warn!(webhook = %name.1, reason = %error, "cannot send events");
                Next::StartLater(name, self.pause(name, running))
            }
            Err(error) => {
                tracing::error!(webhook = %name.1, reason = %error, "sending events broke off");
                Next::StartLater(name, self.pause(name, running))
            }
        }
    }

    /// How long one that failed rests.
    fn pause(&mut self, name: Name, running: Option<Running>) -> Duration {
        let worked = running.is_some_and(|running| running.began.elapsed() > LONGEST_PAUSE);
        let before = self.failed.get(&name).filter(|_| !worked);
        let pause = before.map_or(PAUSE, |before| (*before * 2).min(LONGEST_PAUSE));
        self.failed.insert(name, pause);
        pause
    }
}

/// What to do about a webhook whose worker ended.
enum Next {
    Rest,
    Start(Name),
    StartLater(Name, Duration),
}

/// Whether a notification waits.
fn was_notified(changed: &Notify) -> bool {
    let mut waiting = std::pin::pin!(changed.notified());
    waiting.as_mut().enable()
}
