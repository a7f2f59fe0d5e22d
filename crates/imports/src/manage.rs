//! What the owner of an inbox does with its imports.

use crate::job::{Job, JobId, JobWish, Status};
use crate::{ImportError, Imports, Upload, keys, now_ms};
use postroom_store::{CommitBuilder, Outcome, Value, prefix_end, scan};
use postroom_types::{EmailId, InboxId, Secret};
use sha2::{Digest, Sha256};

/// How often a change is tried again when others were faster.
const TRIES: usize = 60;
/// Jobs of an inbox looked at for where messages came from.
const LOOKED_AT: usize = 200;
const DAY_MS: i64 = 86_400_000;
/// How long a job waits for its file and for its beginning.
const PENDING_MS: i64 = DAY_MS;
/// How long it is known what came of a job.
const KEPT_MS: i64 = 30 * DAY_MS;

/// What allows an upload. Told here only.
#[derive(Clone, Debug)]
pub struct UploadTicket {
    /// The form has to carry it.
    pub token: Secret<String>,
    /// How long it counts.
    pub expires_in_seconds: u64,
}

/// Some imports of an inbox.
#[derive(Clone, Debug, Default)]
pub struct JobPage {
    /// They, the newest first.
    pub jobs: Vec<Job>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Imports {
    /// Makes a job, and says where its file may be uploaded.
    ///
    /// # Errors
    /// [`ImportError::TooMany`], [`ImportError::Invalid`]; those of the store and of the inbox.
    pub async fn create(&self, inbox: InboxId, wish: &JobWish) -> Result<(Job, UploadTicket), ImportError> {
        if wish.original_addresses.as_ref().is_some_and(|all| all.len() > 50) {
            return Err(ImportError::Invalid("original_addresses has at most 50 entries"));
        }
        let organization = self.identity.inbox(inbox).await?.organization;
        let (ticket, hash) = self.ticket();
        let now = now_ms();
        let addresses = wish.original_addresses.as_ref();
        let mut job = Job {
            id: JobId::new(),
            inbox,
            status: Status::PendingUpload,
            format: wish.format,
            original_addresses: addresses.map(|all| all.iter().map(|address| address.folded().to_string()).collect()),
            mark_as_read: wish.mark_as_read,
            upload_octets: None,
            processed: 0,
            imported: 0,
            duplicates: 0,
            failed: 0,
            unsafe_messages: 0,
            error: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
            upload_hash: Some(hash),
            upload_until: self.upload_until(now),
            expires_at: now + PENDING_MS,
            open: None,
            attempts: 0,
            is_dated: true,
        };
        for place in 0..self.options.jobs_an_inbox {
            let open = keys::open(organization, inbox, place);
            if self.store.get(&open).await?.is_some() {
                continue;
            }
            job.open = Some(open.clone());
            if self.made(&job, open).await? {
                return Ok((job, ticket));
            }
        }
        Err(ImportError::TooMany)
    }

    /// Stores a new job at its place; `false` if somebody else has taken that.
    async fn made(&self, job: &Job, place: Vec<u8>) -> Result<bool, ImportError> {
        let mut builder = CommitBuilder::new();
        builder.put_new(keys::job(job.id), job.write());
        builder.put_new(place, keys::open_value(job.id));
        builder.put(keys::listed(job.inbox, job.id), keys::MARK.to_vec());
        builder.put(keys::expires(job.expires_at, job.id), keys::MARK.to_vec());
        match postroom_store::commit_once(&*self.store, builder.build(), &keys::job(job.id)).await? {
            postroom_store::Committed::Full => Err(ImportError::Full),
            postroom_store::Committed::Conflict(_) => Ok(false),
            postroom_store::Committed::Done(_) | postroom_store::Committed::AlreadyDone => Ok(true),
        }
    }

    /// A job of an inbox.
    ///
    /// # Errors
    /// [`ImportError::NoSuchJob`]; those of the store.
    pub async fn get(&self, inbox: InboxId, id: JobId) -> Result<Job, ImportError> {
        Ok(self.owned(inbox, id).await?.1)
    }

    /// Up to `limit` jobs of an inbox, the newest first, older than one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, inbox: InboxId, before: Option<JobId>, limit: usize) -> Result<JobPage, ImportError> {
        let low = keys::jobs(inbox);
        let high = before.map_or_else(|| prefix_end(&low), |id| keys::listed(inbox, id));
        let mut rows = scan(&*self.store, low, high).reverse().page_pairs(limit.clamp(1, 200));
        let mut page = JobPage::default();
        while let Some((key, _)) = rows.next().await? {
            if page.jobs.len() == limit {
                page.more = true;
                break;
            }
            let Some(id) = keys::last_id(&key) else { continue };
            if let Some((_, job)) = self.found(id).await? {
                page.jobs.push(job);
            }
        }
        Ok(page)
    }

    /// The jobs that messages of an inbox came by, in their order; `None` of those that came otherwise, or by a job that is
    /// not known any more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn jobs_of(&self, inbox: InboxId, messages: &[EmailId]) -> Result<Vec<Option<JobId>>, ImportError> {
        let jobs = self.list(inbox, None, LOOKED_AT).await?.jobs;
        let of = |message: &EmailId| jobs.iter().find(|job| job.made(*message)).map(|job| job.id);
        Ok(messages.iter().map(of).collect())
    }

    /// Allows the upload anew; what allowed it before does so no more.
    ///
    /// # Errors
    /// [`ImportError::NoSuchJob`]; [`ImportError::State`] once it has begun.
    pub async fn renew_upload(&self, inbox: InboxId, id: JobId) -> Result<UploadTicket, ImportError> {
        let (ticket, hash) = self.ticket();
        self.change(inbox, id, |job| {
            if job.status != Status::PendingUpload {
                return Err(ImportError::State("the import has begun already"));
            }
            job.upload_hash = Some(hash);
            job.upload_until = self.upload_until(now_ms());
            Ok(())
        })
        .await?;
        Ok(ticket)
    }

    /// Whether a file may be uploaded with this ticket.
    ///
    /// # Errors
    /// [`ImportError::NotAllowed`]; those of the store.
    pub async fn check_ticket(&self, id: JobId, token: &str) -> Result<(), ImportError> {
        let (_, job) = self.found(id).await?.ok_or(ImportError::NotAllowed)?;
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let is_known = job.upload_hash == Some(hash) && job.upload_until > now_ms();
        if !is_known || job.status != Status::PendingUpload {
            return Err(ImportError::NotAllowed);
        }
        Ok(())
    }

    /// Begins an upload for who has its ticket, of so many octets if that was told.
    ///
    /// # Errors
    /// [`ImportError::NotAllowed`]; [`ImportError::State`] while another upload of the job is under way;
    /// [`ImportError::TooMuch`], [`ImportError::Full`]; those of the disk.
    pub async fn upload(&self, id: JobId, token: &str, told: Option<u64>) -> Result<Upload, ImportError> {
        self.check_ticket(id, token).await?;
        let (_, job) = self.found(id).await?.ok_or(ImportError::NotAllowed)?;
        self.begin_upload(&job, told.unwrap_or(0)).await
    }

    /// Ends an upload: the file is whole. Durable on return.
    ///
    /// # Errors
    /// [`ImportError::NotAllowed`] if the job has gone on meanwhile; those of the disk and the store.
    pub async fn uploaded(&self, id: JobId, upload: Upload) -> Result<(), ImportError> {
        let (_, job) = self.found(id).await?.ok_or(ImportError::NotAllowed)?;
        let (octets, _turn) = upload.finish().await?;
        let kept = self
            .change(job.inbox, id, |job| {
                if job.status != Status::PendingUpload {
                    return Err(ImportError::NotAllowed);
                }
                job.upload_octets = Some(octets);
                Ok(())
            })
            .await;
        if let Err(ImportError::NotAllowed | ImportError::NoSuchJob) = kept {
            // It has ended meanwhile, or goes on with the file that was there.
            self.remove_ended(id).await;
        }
        kept.map(|_| ())
    }

    /// Says that a job is to begin.
    ///
    /// # Errors
    /// [`ImportError::NoSuchJob`]; [`ImportError::State`] without a file, or once it has begun.
    pub async fn start(&self, inbox: InboxId, id: JobId) -> Result<Job, ImportError> {
        let started = self
            .change(inbox, id, |job| match (job.status, job.upload_octets) {
                (Status::PendingUpload, None) => Err(ImportError::State("the file was not uploaded yet")),
                (Status::PendingUpload, Some(_)) => {
                    job.status = Status::Queued;
                    job.upload_hash = None;
                    Ok(())
                }
                _ => Err(ImportError::State("the import has begun already")),
            })
            .await?;
        self.queued.notify_one();
        Ok(started)
    }

    /// Gives a job up; what was taken in stays.
    ///
    /// # Errors
    /// [`ImportError::NoSuchJob`]; [`ImportError::State`] once it has ended.
    pub async fn cancel(&self, inbox: InboxId, id: JobId) -> Result<Job, ImportError> {
        let cancelled = self
            .change(inbox, id, |job| {
                if job.status.is_final() {
                    return Err(ImportError::State("the import has ended already"));
                }
                job.status = Status::Cancelled;
                Ok(())
            })
            .await?;
        self.stop_upload(id);
        self.remove_file(id).await;
        Ok(cancelled)
    }

    pub(crate) async fn found(&self, id: JobId) -> Result<Option<(Value, Job)>, ImportError> {
        match self.store.get(&keys::job(id)).await? {
            None => Ok(None),
            Some(value) => {
                let job = Job::read(&value)?;
                Ok(Some((value, job)))
            }
        }
    }

    async fn owned(&self, inbox: InboxId, id: JobId) -> Result<(Value, Job), ImportError> {
        let found = self.found(id).await?.filter(|(_, job)| job.inbox == inbox);
        found.ok_or(ImportError::NoSuchJob)
    }

    /// Changes a job, and its rows in the indexes with it.
    pub(crate) async fn change(
        &self,
        inbox: InboxId,
        id: JobId,
        change: impl Fn(&mut Job) -> Result<(), ImportError>,
    ) -> Result<Job, ImportError> {
        for _ in 0..TRIES {
            let (old, before) = self.owned(inbox, id).await?;
            let mut job = before.clone();
            change(&mut job)?;
            let now = now_ms();
            job.updated_at = now.max(before.updated_at);
            let mut builder = CommitBuilder::new();
            if job.status.is_final() && !before.status.is_final() {
                job.finished_at = Some(now);
                job.upload_hash = None;
                job.expires_at = now + KEPT_MS;
                builder.delete(keys::expires(before.expires_at, id));
                builder.put(keys::expires(job.expires_at, id), keys::MARK.to_vec());
                builder.delete(keys::queued(id));
                if let Some(open) = job.open.take() {
                    builder.delete(open);
                }
            }
            if job.status == Status::Queued {
                builder.put(keys::queued(id), keys::MARK.to_vec());
            }
            builder.replace(keys::job(id), old, job.write());
            match self.store.commit(builder.build()).await? {
                Outcome::Done(_) => return Ok(job),
                // Of an unknown outcome the next reading tells; a change that was done is then refused, or the same again.
                Outcome::Conflict(_) => tokio::task::yield_now().await,
                Outcome::Unknown if self.is_done(id, &job).await? => return Ok(job),
                Outcome::Unknown => {}
                Outcome::Full => return Err(ImportError::Full),
            }
        }
        Err(ImportError::Busy)
    }

    async fn is_done(&self, id: JobId, job: &Job) -> Result<bool, ImportError> {
        Ok(self.found(id).await?.is_some_and(|(_, now)| now == *job))
    }

    fn ticket(&self) -> (UploadTicket, [u8; 32]) {
        let token = postroom_identity::random_token();
        let hash = Sha256::digest(token.expose().as_bytes()).into();
        let ticket = UploadTicket {
            token,
            expires_in_seconds: self.options.upload_within.as_secs(),
        };
        (ticket, hash)
    }

    fn upload_until(&self, now: i64) -> i64 {
        let within = i64::try_from(self.options.upload_within.as_millis()).unwrap_or(i64::MAX);
        now.saturating_add(within)
    }
}
