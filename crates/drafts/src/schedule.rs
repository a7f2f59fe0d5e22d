//! What goes by itself when it is time.
//!
//! What always holds: what is due is found in the store, so a start finds what a crash left; what is remembered here is
//! only what need not be tried again at once.

use crate::row::{self, DraftRow, Stored, WHEN, empty_value, named, when, when_key};
use crate::{DraftError, DraftId, Drafts, Sending};
use postroom_identity::{IdentityError, Standing};
use postroom_intake::SubmitError;
use postroom_mailstore::MailError;
use postroom_store::{CommitBuilder, Key, prefix_end, scan};
use postroom_types::InboxId;
use std::collections::HashMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest pause between two looks; others may schedule what this node does not hear of.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause before what could not be done for the moment is tried again.
const AGAIN_MS: i64 = 15_000;
/// A scheduled draft whose message is gone may be one that is being saved again: so long it is waited for.
const MISSING_MS: i64 = 60_000;
/// Pause between two rounds of clearing away.
const TIDY_EVERY_MS: i64 = 600_000;
/// Least pause before what a limit of the day refused is tried again.
const LIMITED_MS: i64 = 60_000;
/// Pause before a draft is looked at again whose organization may not send: many may be due there at once.
const BARRED_MS: i64 = 600_000;
/// So long after its time a draft that limits refuse is given up.
const GIVE_UP_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// What is remembered between two looks.
#[derive(Default)]
struct Memory {
    /// Not before this time, milliseconds since 1970.
    not_before: HashMap<Key, i64>,
    /// Since when a message is missing.
    missing: HashMap<Key, i64>,
}

/// What is to be done with what was due.
enum Next {
    /// Nothing more.
    Done,
    /// It is to be tried again.
    Later,
    /// Its organization may not send, nor will before long.
    Barred,
    /// Its message is not there.
    Missing,
}

impl Drafts {
    /// Sends what is due, when it is due, and clears away what is left of drafts that are gone; until it is told to stop.
    /// To be called once on each node.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut memory = Memory::default();
        let mut sweep = crate::tidy::Sweep::default();
        let mut tidy_at = self.now_ms();
        while !shutdown.is_cancelled() {
            let pause = match self.turn(&mut memory, &shutdown).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for drafts that are due");
                    LOOK_EVERY
                }
            };
            if self.now_ms() >= tidy_at {
                tidy_at = self.now_ms() + TIDY_EVERY_MS;
                if let Err(error) = self.tidy(&mut sweep, &shutdown).await {
                    tracing::warn!(%error, "cannot clear away what is left of drafts");
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.scheduled.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does all that is due once. What a task does again and again; here for who has no task.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn work(&self) -> Result<(), DraftError> {
        self.turn(&mut Memory::default(), &CancellationToken::new()).await?;
        Ok(())
    }

    /// Does what is due, and says how long nothing more is.
    async fn turn(&self, memory: &mut Memory, shutdown: &CancellationToken) -> Result<Duration, DraftError> {
        let now = self.now_ms();
        memory.not_before.retain(|_, at| *at > now);
        memory.missing.retain(|_, since| now - *since < 2 * MISSING_MS);
        let mut due = scan(&**self.store(), WHEN.to_vec(), prefix_end(WHEN)).page_pairs(100);
        while let Some((key, _)) = due.next().await? {
            let at = when(&key).unwrap_or(0);
            if at > now {
                let wait = u64::try_from(at - now).unwrap_or(0);
                return Ok(LOOK_EVERY.min(Duration::from_millis(wait)));
            }
            if shutdown.is_cancelled() {
                break;
            }
            if memory.not_before.contains_key(&key) {
                continue;
            }
            match self.look_at(&key, at).await {
                Ok(Next::Done) => {}
                Ok(Next::Later) => {
                    memory.not_before.insert(key, now + AGAIN_MS);
                }
                Ok(Next::Barred) => {
                    memory.not_before.insert(key, now + BARRED_MS);
                }
                Ok(Next::Missing) => {
                    let since = *memory.missing.entry(key.clone()).or_insert(now);
                    if now - since >= MISSING_MS {
                        self.cancel(&key).await?;
                    } else {
                        memory.not_before.insert(key, now + AGAIN_MS);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a draft that is due has to wait");
                    memory.not_before.insert(key, now + AGAIN_MS);
                }
            }
        }
        Ok(LOOK_EVERY)
    }

    async fn look_at(&self, key: &Key, at: i64) -> Result<Next, DraftError> {
        let Some((inbox, id)) = named(key) else {
            self.clear(key.clone()).await?;
            return Ok(Next::Done);
        };
        let row = self.stored(inbox, id).await?.map(|stored| stored.row);
        match row.filter(|row| row.due_at().map(|due| due.max(0)) == Some(at)) {
            Some(row) if row.sent.is_some() => {
                self.finish(inbox, id).await?;
                Ok(Next::Done)
            }
            Some(row) => self.send_due(inbox, id, at, row.send_at.unwrap_or(at)).await,
            // It has another row by now, or none.
            _ => {
                self.clear(key.clone()).await?;
                Ok(Next::Done)
            }
        }
    }

    /// Sends what is due `at` this time, and was to go at `send_at`.
    async fn send_due(&self, inbox: InboxId, id: DraftId, at: i64, send_at: i64) -> Result<Next, DraftError> {
        let record = match self.identity.inbox(inbox).await {
            Ok(record) => record,
            Err(IdentityError::NoSuchInbox) => {
                // What is hidden only for a while goes when it is there again.
                if self.identity.is_hidden(inbox).await? {
                    return Ok(Next::Barred);
                }
                self.erase(inbox, id, |row| row.due_at() == Some(at)).await?;
                return Ok(Next::Done);
            }
            Err(error) => return Err(error.into()),
        };
        // Before anything of the draft is read, which may be large.
        if self.identity.standing(record.organization).await? == Standing::Suspended {
            return Ok(waits(inbox, id, &SubmitError::Suspended));
        }
        if !self.identity.has_storage(record.organization).await? {
            let full = SubmitError::StorageLimit;
            return match self.now_ms() - send_at > GIVE_UP_MS {
                true => self.fail(inbox, id, at, &full.into()).await,
                false => Ok(waits(inbox, id, &full)),
            };
        }
        let is_due = |row: Option<&DraftRow>| row.is_some_and(|row| row.due_at() == Some(at) && row.sent.is_none());
        match self.send_if(&record, id, &Sending::default(), is_due).await {
            Ok(submitted) => {
                tracing::info!(msg = %submitted.id, %inbox, draft = %id, "sent a draft at its time");
                Ok(Next::Done)
            }
            Err(DraftError::BeingSent) => Ok(Next::Later),
            Err(DraftError::NotFound) => match self.stored(inbox, id).await? {
                Some(Stored { row, .. }) if row.due_at() == Some(at) => Ok(Next::Missing),
                _ => Ok(Next::Done),
            },
            Err(error) if passes(&error) => Err(error),
            // It was so only since it was asked above.
            Err(DraftError::Submit(error @ (SubmitError::Suspended | SubmitError::StorageLimit))) => {
                Ok(waits(inbox, id, &error))
            }
            Err(DraftError::Submit(SubmitError::DailyLimit {
                retry_after: Some(retry_after),
            })) => self.put_off(inbox, id, at, retry_after).await,
            Err(error) => {
                tracing::warn!(%inbox, draft = %id, reason = %error, "a draft was not sent at its time");
                self.fail(inbox, id, at, &error).await
            }
        }
    }

    /// Leaves a draft as it is for a while: what is due while nothing may leave goes when it may again.
    /// Notes that a draft was refused; it is not tried again by itself.
    async fn fail(&self, inbox: InboxId, id: DraftId, at: i64, error: &DraftError) -> Result<Next, DraftError> {
        self.note(inbox, id, at, |row| row.refused(&error.to_string())).await
    }

    /// Puts off a draft that the limits of the day refused: another day has others. One that is refused for many days is
    /// refused for good.
    async fn put_off(&self, inbox: InboxId, id: DraftId, at: i64, retry_after: Duration) -> Result<Next, DraftError> {
        let pause = i64::try_from(retry_after.as_millis()).unwrap_or(i64::MAX);
        let again = self.now_ms().saturating_add(pause.clamp(LIMITED_MS, DAY_MS));
        tracing::info!(%inbox, draft = %id, retry_after_seconds = retry_after.as_secs(), "a draft is put off: daily limit");
        self.note(inbox, id, at, |row| match row.send_at {
            Some(time) if again - time > GIVE_UP_MS => {
                let retry_after = Some(retry_after);
                row.refused(&SubmitError::DailyLimit { retry_after }.to_string())
            }
            _ => Ok(DraftRow {
                retry_at: Some(again),
                ..row.clone()
            }),
        })
        .await
    }

    /// Notes in the row of a draft that is due what came of it.
    async fn note(
        &self,
        inbox: InboxId,
        id: DraftId,
        at: i64,
        noted: impl Fn(&DraftRow) -> Result<DraftRow, DraftError>,
    ) -> Result<Next, DraftError> {
        let Some(stored) = self.stored(inbox, id).await? else {
            return Ok(Next::Done);
        };
        if stored.row.due_at() != Some(at) || stored.row.sent.is_some() {
            return Ok(Next::Done);
        }
        let row = noted(&stored.row)?;
        let mut builder = CommitBuilder::new();
        row::put(&mut builder, (inbox, id), Some(&stored), &row)?;
        Ok(if self.commit(builder).await? {
            Next::Done
        } else {
            Next::Later
        })
    }

    /// Gives up a scheduled draft whose message is gone.
    async fn cancel(&self, key: &Key) -> Result<(), DraftError> {
        let (Some((inbox, id)), Some(at)) = (named(key), when(key)) else {
            return Ok(());
        };
        tracing::info!(%inbox, draft = %id, "a scheduled draft is gone, so it does not go");
        self.forget(inbox, id, |row| row.sent.is_none() && row.due_at() == Some(at))
            .await
    }

    /// Removes a row of the schedule that says nothing any more.
    async fn clear(&self, key: Key) -> Result<(), DraftError> {
        let mut builder = CommitBuilder::new();
        if let (Some((inbox, id)), Some(at)) = (named(&key), when(&key)) {
            // Unless just now it was made to say something again: asked in the commit.
            match self.stored(inbox, id).await? {
                Some(stored) if stored.row.due_at().map(|due| due.max(0)) == Some(at) => return Ok(()),
                Some(stored) => {
                    builder.require(row::row_key(inbox, id), stored.value);
                }
                None => {
                    builder.require(when_key(at, inbox, id), empty_value());
                }
            }
        }
        builder.delete(key);
        self.commit(builder).await?;
        Ok(())
    }
}

/// What is due while nothing may leave goes when it may again.
fn waits(inbox: InboxId, id: DraftId, reason: &SubmitError) -> Next {
    tracing::debug!(%inbox, draft = %id, %reason, "a draft that is due has to wait");
    Next::Barred
}

/// Whether it may go well the next time without anybody doing anything.
fn passes(error: &DraftError) -> bool {
    let mail = |error: &MailError| matches!(error, MailError::Full | MailError::Unavailable | MailError::Store(_));
    let identity = |error: &IdentityError| {
        matches!(
            error,
            IdentityError::Full | IdentityError::Busy | IdentityError::Store(_) | IdentityError::Mail(_)
        )
    };
    match error {
        DraftError::Unavailable => true,
        DraftError::Mail(error) => mail(error),
        DraftError::Identity(error) => identity(error),
        DraftError::Submit(SubmitError::Unavailable | SubmitError::Full | SubmitError::Queue(_)) => true,
        DraftError::Submit(SubmitError::Mail(error)) => mail(error),
        DraftError::Submit(SubmitError::Identity(error)) => identity(error),
        DraftError::Submit(_)
        | DraftError::NotFound
        | DraftError::NoSuchSource
        | DraftError::BeingSent
        | DraftError::Stale
        | DraftError::AlreadySent(_)
        | DraftError::Invalid(_)
        | DraftError::Compose(_) => false,
    }
}
