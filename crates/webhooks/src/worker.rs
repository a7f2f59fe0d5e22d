//! One webhook at work: new events in their order, and those that are to be tried again.
//!
//! What always holds:
//! - The stored cursor moves past an event only together with the row that says when it is tried again, if it failed.
//! - No more events are looked at ahead of the stored cursor than [`WINDOW`].
//! - Everything stored is stored on condition that the webhook is still the one it was stored for.

mod outcome;
mod send;

use crate::bodies::Render;
use crate::endpoint::Outcome;
use crate::hub::Hub;
use crate::keys::{self, Name};
use crate::log::{Logged, drop_bodies};
use crate::model::Webhook;
use crate::rows::{self, Progress};
use crate::stored::Owner;
use crate::subscription::Subscription;
use crate::{WebhookError, Webhooks};
use postroom_feed::Cursor;
use postroom_identity::Standing;
use postroom_store::{CommitBuilder, Key, Value};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Attempts that are remembered.
pub(crate) const ATTEMPTS_KEPT: usize = 10;
/// Octets that are remembered of why one failed.
pub(crate) const MAX_FAILURE_OCTETS: usize = 80;
/// Events under way or waiting for an earlier one.
const WINDOW: usize = 512;
/// Events or rows that are looked at at a time.
const PIECE: usize = 64;
/// Outcomes that are stored together at most.
const MAX_UNSAVED: usize = 128;
/// And octets of bodies that are logged.
const MAX_UNSAVED_OCTETS: usize = 1 << 20;
/// The log is trimmed after so many attempts.
const TRIM_AFTER: usize = 256;
/// How long an outcome waits for others to be stored with.
const SAVE_AFTER: Duration = Duration::from_millis(100);
/// How often it is looked whether the webhook's owner is still there, and that events were passed over is stored.
const LOOK_AFTER: Duration = Duration::from_secs(600);
/// How often it is looked whether what a suspension, or a deletion that can be taken back, holds back may go.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// Why a worker ended.
pub(crate) enum End {
    /// There is nothing to do: the webhook is gone or not enabled.
    Idle,
    /// The store failed.
    Failed(WebhookError),
}

/// An event of the window.
struct Slot {
    event: Cursor,
    /// `None` while it is under way.
    outcome: Option<Outcome>,
}

/// An attempt that ended.
struct Done {
    event: Cursor,
    /// For one that was tried again: its row, and how many attempts there were before.
    retry: Option<(Key, u8)>,
    outcome: Outcome,
    logged: Option<Logged>,
}

pub(crate) struct Worker {
    webhooks: Arc<Webhooks>,
    render: Arc<dyn Render>,
    hub: Arc<Hub>,
    name: Name,
    row: Value,
    webhook: Arc<Webhook>,
    subscription: Subscription,
    progress: Progress,
    /// In the order of the feed.
    window: VecDeque<Slot>,
    /// How far the feed was read into the window.
    read: Cursor,
    sending: JoinSet<Done>,
    new_sending: usize,
    again_sending: usize,
    /// Rows that are being tried again, and those that came to an end (`true`) but are not yet stored as such.
    retrying: HashMap<Key, bool>,
    /// When to look for rows that are due; milliseconds since 1970.
    next_due: Option<i64>,
    unsaved: CommitBuilder,
    outcomes: usize,
    /// Octets of bodies among that.
    unsaved_octets: usize,
    /// Attempts that were logged since the log was trimmed.
    logged: usize,
    /// When there was first something to be stored.
    unsaved_since: Option<Instant>,
    /// Whether events were passed since the cursor was stored.
    moved: bool,
    looked: Option<Instant>,
    /// Whether its organization is suspended: nothing is sent.
    suspended: bool,
}

impl Worker {
    pub(crate) async fn run(webhooks: Arc<Webhooks>, render: Arc<dyn Render>, name: Name, changed: Arc<Notify>) -> End {
        let outcome = match Self::open(webhooks, render, name).await {
            Ok(Some(worker)) => worker.work(&changed).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        outcome.map_or_else(End::Failed, |()| End::Idle)
    }

    async fn open(webhooks: Arc<Webhooks>, render: Arc<dyn Render>, name: Name) -> Result<Option<Self>, WebhookError> {
        let found = webhooks.load(name).await?;
        let Some((row, webhook)) = found.filter(|(_, webhook)| webhook.enabled) else {
            // Of one that was paused, nothing is delivered later.
            webhooks.clear_retries(name).await?;
            return Ok(None);
        };
        let progress = webhooks.progress(name).await?;
        let progress = match progress.filter(|progress| progress.start == webhook.start) {
            Some(progress) => progress,
            None => {
                webhooks.clear_retries(name).await?;
                Progress::begin(webhook.start)
            }
        };
        Ok(Some(Self {
            hub: webhooks.hubs.of(name.0),
            render,
            name,
            row,
            subscription: webhook.subscription(),
            webhook: Arc::new(webhook),
            read: progress.cursor,
            progress,
            window: VecDeque::new(),
            sending: JoinSet::new(),
            new_sending: 0,
            again_sending: 0,
            retrying: HashMap::new(),
            next_due: Some(0),
            unsaved: CommitBuilder::new(),
            outcomes: 0,
            unsaved_octets: 0,
            logged: 0,
            unsaved_since: None,
            moved: false,
            looked: None,
            suspended: false,
            webhooks,
        }))
    }

    async fn work(mut self, changed: &Notify) -> Result<(), WebhookError> {
        let mut news = self.hub.news();
        loop {
            if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AFTER) && !self.look().await? {
                return Ok(());
            }
            self.suspended = self.webhooks.standing(self.name.0).await? != Standing::Active;
            if self.suspended && self.progress.failing_since.take().is_some() {
                // What nobody tries does not fail: the time begins anew afterwards.
                self.count_unsaved();
            }
            news.mark_unchanged();
            let caught_up = self.suspended || self.send_new().await?;
            if self.wants_saving() && !self.save().await? {
                return Ok(());
            }
            if !self.suspended {
                self.send_again().await?;
            }
            let wait = self.wait();
            tokio::select! {
                Some(done) = self.sending.join_next() => {
                    self.note(done.map_err(broken)?);
                    // Those that ended at the same time are noted together.
                    while let Some(done) = self.sending.try_join_next() {
                        self.note(done.map_err(broken)?);
                    }
                    if self.is_hopeless() {
                        return self.disable().await;
                    }
                }
                () = arrived(&mut news), if caught_up => {}
                () = changed.notified() => {
                    if !self.reload().await? {
                        return Ok(());
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn wants_saving(&self) -> bool {
        let Some(since) = self.unsaved_since else { return false };
        let many = self.outcomes >= MAX_UNSAVED || self.unsaved_octets >= MAX_UNSAVED_OCTETS;
        many || self.is_due() || since.elapsed() >= SAVE_AFTER
    }

    /// How long there is nothing to do unless something happens.
    fn wait(&self) -> Duration {
        let mut wait = self.webhooks.options.poll;
        if let Some(since) = self.unsaved_since {
            wait = wait.min(SAVE_AFTER.saturating_sub(since.elapsed()));
        }
        if self.suspended {
            return wait.min(ASK_AFTER);
        }
        match self.next_due {
            Some(due) if due > self.webhooks.now() => {
                let milliseconds = u64::try_from(due - self.webhooks.now()).unwrap_or(0);
                wait.min(Duration::from_millis(milliseconds))
            }
            Some(_) if self.is_due() => Duration::ZERO,
            _ => wait,
        }
    }

    /// Stores what came to an end; whether the webhook still is what it was, or what it became goes on from here.
    async fn save(&mut self) -> Result<bool, WebhookError> {
        let mut unsaved = std::mem::take(&mut self.unsaved);
        unsaved.put(keys::state(self.name), rows::write_progress(&self.progress));
        loop {
            let mut builder = unsaved.clone();
            builder.require(keys::webhook(self.name), self.row.clone());
            match self.webhooks.commit(builder).await {
                Ok(true) => break,
                Ok(false) => {}
                // A store that is nearly full refuses bodies first. What was sent counts more than what is kept of it:
                // without this it would be sent again and again.
                Err(WebhookError::Full) if drop_bodies(&mut unsaved) => continue,
                Err(error) => return Err(error),
            }
            if !self.reload().await? {
                return Ok(false);
            }
        }
        self.outcomes = 0;
        self.unsaved_octets = 0;
        self.unsaved_since = None;
        self.moved = false;
        self.retrying.retain(|_, ended| !*ended);
        if self.logged >= TRIM_AFTER {
            self.logged = 0;
            self.webhooks.trim_log(self.name).await?;
        }
        Ok(true)
    }

    /// Reads the webhook anew; `false` if this worker has nothing more to do with it.
    async fn reload(&mut self) -> Result<bool, WebhookError> {
        let Some((row, webhook)) = self.webhooks.load(self.name).await? else {
            return Ok(false);
        };
        if !webhook.enabled || webhook.start != self.webhook.start {
            // Whoever comes next begins anew.
            self.webhooks.clear_retries(self.name).await?;
            self.webhooks.nudges.add(self.name);
            return Ok(false);
        }
        self.row = row;
        self.subscription = webhook.subscription();
        self.webhook = Arc::new(webhook);
        Ok(true)
    }

    /// Whether there is still somebody to whom the webhook belongs; if not, it goes.
    async fn look(&mut self) -> Result<bool, WebhookError> {
        self.looked = Some(Instant::now());
        if self.webhooks.owner(&self.webhook.scope).await? != Owner::Gone {
            return if self.moved { self.save().await } else { Ok(true) };
        }
        tracing::info!(webhook = %self.webhook.id, "webhook removed with what it belonged to");
        self.webhooks.remove(self.row.clone(), &self.webhook).await?;
        Ok(false)
    }

    /// Pauses the webhook: its endpoint has failed for too long.
    async fn disable(mut self) -> Result<(), WebhookError> {
        loop {
            let mut webhook = (*self.webhook).clone();
            webhook.enabled = false;
            webhook.updated_at = self.webhooks.now();
            let mut builder = CommitBuilder::new();
            let row = rows::write_webhook(&webhook);
            builder.replace(keys::webhook(self.name), self.row.clone(), row);
            builder.put(keys::state(self.name), rows::write_progress(&self.progress));
            if self.webhooks.commit(builder).await? {
                tracing::warn!(webhook = %webhook.id, "webhook disabled: its endpoint failed for too long");
                return self.webhooks.clear_retries(self.name).await;
            }
            if !self.reload().await? {
                return Ok(());
            }
        }
    }
}

/// Waits for news; for ever if there will be none.
async fn arrived(news: &mut watch::Receiver<Cursor>) {
    if news.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn broken(error: tokio::task::JoinError) -> WebhookError {
    postroom_store::StoreError::Unavailable(error.to_string().into()).into()
}
