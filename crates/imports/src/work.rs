//! The worker: one job at a time, one message after the other.

use crate::job::{Job, Status};
use crate::reading::{read, with_crlf};
use crate::{ImportError, Imports, keys, now_ms};
use bytes::Bytes;
use postroom_archive::{Bounds, Entry};
use postroom_identity::{IdentityError, InboxRecord};
use postroom_intake::{Brought, IntakeError, ToBring};
use postroom_mailstore::MailError;
use postroom_store::scan_prefix;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often it is looked for jobs without being told of any, and for those whose time is over.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long a job is left alone that cannot go on now.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// Messages read ahead of the one that is stored.
const AHEAD: usize = 2;
/// How far a job is is stored after so many messages that came in, or so long.
const SAVE_MESSAGES: u64 = 50;
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Most entries of an archive.
const MAX_ENTRIES: usize = 100_000;
/// Most messages of a file.
const MAX_MESSAGES: usize = 1_000_000;

/// Why a job goes no further.
enum Stop {
    /// It is at the end of its file.
    End,
    /// It has failed; for the user.
    Failed(String),
    /// Somebody else has ended it.
    Ended,
    /// Not now; it is tried again.
    Later,
}

impl Imports {
    /// Works through the jobs until `shutdown`. To be called once.
    pub async fn run(&self, shutdown: CancellationToken) {
        self.sweep_files().await;
        let mut is_noted = false;
        while !shutdown.is_cancelled() {
            if !is_noted {
                match self.note_undated().await {
                    Ok(()) => is_noted = true,
                    Err(error) => tracing::warn!(%error, "inboxes with imported mail are not made known yet"),
                }
            }
            // Before that no job may expire: what it knows would be lost.
            let turn = match is_noted {
                true => self.turn(&shutdown).await,
                false => Ok(false),
            };
            let pause = match turn {
                Ok(true) => continue,
                Ok(false) if is_noted => LOOK_EVERY,
                Ok(false) => AFTER_TROUBLE,
                Err(error) => {
                    tracing::warn!(%error, "imports have to wait");
                    AFTER_TROUBLE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.queued.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does one job, if one waits; whether there may be more.
    ///
    /// # Errors
    /// Those of the store; the job is tried again.
    pub async fn turn(&self, shutdown: &CancellationToken) -> Result<bool, ImportError> {
        self.expire().await?;
        let Some((job, inbox)) = self.next().await? else {
            return Ok(false);
        };
        let id = job.id;
        let job = self
            .change(job.inbox, id, |job| {
                if job.status.is_final() {
                    return Err(ImportError::State("it has ended"));
                }
                job.status = Status::Running;
                job.attempts = job.attempts.saturating_add(1);
                job.started_at = job.started_at.or_else(|| Some(now_ms()));
                Ok(())
            })
            .await?;
        let (mut job, stop) = match job.attempts > self.options.attempts {
            true => (
                job,
                Stop::Failed("the server stopped again and again while it read this file".into()),
            ),
            false => self.take_in(job, &inbox, shutdown).await?,
        };
        let (status, error) = match stop {
            Stop::Later => {
                // Left in good order: that was no failed attempt.
                job.attempts = 0;
                self.save(&job).await?;
                return Ok(false);
            }
            Stop::Ended => {
                self.remove_file(id).await;
                return Ok(true);
            }
            Stop::End => (Status::Completed, None),
            Stop::Failed(error) => (Status::Failed, Some(error)),
        };
        (job.status, job.error) = (status, error);
        self.save(&job).await?;
        self.remove_file(id).await;
        tracing::info!(inbox = %job.inbox, job = %id, imported = job.imported, status = ?job.status, "import ended");
        Ok(true)
    }

    /// The next job that can be worked on. One whose inbox may come back waits for it; one whose inbox is gone is
    /// forgotten.
    async fn next(&self) -> Result<Option<(Job, InboxRecord)>, ImportError> {
        let mut rows = scan_prefix(&*self.store, keys::QUEUED);
        while let Some((key, _)) = rows.next().await? {
            let Some(id) = keys::last_id(&key) else { continue };
            let job = match self.found(id).await {
                Ok(Some((_, job))) => job,
                Ok(None) => {
                    self.clear(vec![key]).await?;
                    continue;
                }
                // It keeps no other from its turn.
                Err(error) => {
                    tracing::error!(job = %id, %error, "an import cannot be read");
                    continue;
                }
            };
            match self.identity.inbox(job.inbox).await {
                Ok(inbox) => return Ok(Some((job, inbox))),
                Err(IdentityError::NoSuchInbox) => {
                    if !self.identity.is_hidden(job.inbox).await? {
                        self.forget(&job).await?;
                    }
                }
                Err(error) => tracing::error!(job = %id, %error, "the inbox of an import cannot be read"),
            }
        }
        Ok(None)
    }

    /// Takes in what is left of a job's file; the job as it is then, stored but for its end.
    async fn take_in(
        &self,
        mut job: Job,
        inbox: &InboxRecord,
        shutdown: &CancellationToken,
    ) -> Result<(Job, Stop), ImportError> {
        let (path, bounds, format) = (self.file(job.id), self.bounds(), job.format);
        let (sender, mut entries) = mpsc::channel(AHEAD);
        let skip = job.processed;
        let stop = CancellationToken::new();
        // However this ends, nobody reads on.
        let _stopped = stop.clone().drop_guard();
        let reading = tokio::task::spawn_blocking(move || read(&path, format, bounds, skip, stop, &sender));
        let (mut saved, begun_at) = ((job.imported, Instant::now()), job.processed);
        let mut look = tokio::time::interval(SAVE_EVERY);
        loop {
            let next = tokio::select! {
                () = shutdown.cancelled() => return Ok((job, Stop::Later)),
                // What is read may give nothing for long.
                _ = look.tick() => match self.found(job.id).await? {
                    Some((_, now)) if !now.status.is_final() => continue,
                    _ => return Ok((job, Stop::Ended)),
                },
                next = entries.recv() => next,
            };
            let Some(entry) = next else { break };
            if let Some(stop) = self.take(&mut job, inbox, entry).await? {
                // How far it is, so that nothing is looked at twice.
                return Ok(match self.save(&job).await? {
                    true => (job, stop),
                    false => (job, Stop::Ended),
                });
            }
            if job.processed > begun_at {
                job.attempts = 0;
            }
            if job.imported - saved.0 >= SAVE_MESSAGES || saved.1.elapsed() >= SAVE_EVERY {
                if !self.save(&job).await? {
                    return Ok((job, Stop::Ended));
                }
                saved = (job.imported, Instant::now());
            }
        }
        let stop = match reading.await {
            Ok(Ok(())) => Stop::End,
            Ok(Err(error)) => Stop::Failed(error.to_string()),
            Err(error) => {
                tracing::error!(job = %job.id, %error, "reading an import broke off");
                Stop::Failed("the file cannot be read".into())
            }
        };
        Ok((job, stop))
    }

    /// Takes in one message. `Some`: the job goes no further.
    async fn take(&self, job: &mut Job, inbox: &InboxRecord, entry: Entry) -> Result<Option<Stop>, ImportError> {
        let (content, came_at) = match entry {
            Entry::TooLarge => {
                job.processed += 1;
                job.failed += 1;
                return Ok(None);
            }
            Entry::Message { content, .. } if content.contains(&0) || content.is_empty() => {
                job.processed += 1;
                job.unsafe_messages += 1;
                return Ok(None);
            }
            Entry::Unsafe => {
                job.processed += 1;
                job.unsafe_messages += 1;
                return Ok(None);
            }
            Entry::Message { content, came_at } => (Bytes::from(with_crlf(content)), came_at),
        };
        let own: Vec<&str> = job.original_addresses.iter().flatten().map(String::as_str).collect();
        let letter = ToBring {
            content,
            came_at,
            latest: job.began_at().div_euclid(1000),
            also: &own,
            is_read: job.mark_as_read,
            earlier_id: job.earlier_id(job.processed),
        };
        let id_at = |came_at| job.message_id(job.processed, came_at);
        match self.intake.bring(inbox, letter, id_at).await {
            Ok(Brought::Stored) => job.imported += 1,
            Ok(Brought::Duplicate) => job.duplicates += 1,
            Err(IntakeError::Mail(MailError::OverQuota(_))) => {
                return Ok(Some(Stop::Failed(
                    "mail_import_quota_exceeded: the mailbox is full".into(),
                )));
            }
            // Gone meanwhile, or hidden: the next look tells.
            Err(IntakeError::Mail(MailError::NoSuchInbox(_))) => return Ok(Some(Stop::Later)),
            // What is damaged stays so: waiting would hold up all other jobs.
            Err(IntakeError::Mail(error @ (MailError::Full | MailError::Unavailable | MailError::Store(_))))
                if !error.is_damage() =>
            {
                tracing::warn!(job = %job.id, %error, "an import has to wait");
                tokio::time::sleep(AFTER_TROUBLE).await;
                return Ok(Some(Stop::Later));
            }
            Err(error) => {
                tracing::info!(job = %job.id, place = job.processed, %error, "a message was not imported");
                job.failed += 1;
            }
        }
        job.processed += 1;
        Ok(None)
    }

    /// Stores how far a job is; `false` if somebody has ended it meanwhile.
    async fn save(&self, now: &Job) -> Result<bool, ImportError> {
        let saved = self
            .change(now.inbox, now.id, |job| {
                if job.status.is_final() {
                    return Err(ImportError::State("it has ended"));
                }
                let kept = job.clone();
                *job = Job {
                    updated_at: kept.updated_at,
                    expires_at: kept.expires_at,
                    ..now.clone()
                };
                Ok(())
            })
            .await;
        match saved {
            Ok(_) => Ok(true),
            Err(ImportError::State(_) | ImportError::NoSuchJob) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            message_octets: usize::try_from(self.intake.options().max_message_octets).unwrap_or(usize::MAX >> 1),
            unpacked_octets: self.options.max_unpacked_octets,
            entries: MAX_ENTRIES,
            messages: MAX_MESSAGES,
        }
    }
}
