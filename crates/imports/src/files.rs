//! Uploaded files: written under another name until they are whole.
//!
//! What always holds: a job has one upload at a time, an organization two; what is written leaves room on the disk, and is
//! gone when the upload ends without its file being whole.

use crate::job::{Job, JobId};
use crate::{ImportError, Imports, keys};
use postroom_store::{StoreError, scan_prefix};
use postroom_types::OrganizationId;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

/// Uploads of one organization at once.
const UPLOADS_AN_ORGANIZATION: usize = 2;
/// Jobs of an organization whose files are counted; one with more has to wait.
const COUNTED: usize = 1000;
/// What an upload has besides its file: the form around it.
const AROUND_OCTETS: u64 = 64 << 10;
/// How often it is looked for what is left of the disk, in octets.
const LOOK_EVERY: u64 = 64 << 20;

/// The uploads under way.
pub(crate) type Uploads = Arc<Mutex<HashMap<JobId, (OrganizationId, CancellationToken)>>>;

/// The only upload of its job, as long as it lives.
pub(crate) struct Turn {
    uploads: Uploads,
    id: JobId,
    stopped: CancellationToken,
    part: PathBuf,
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before another may begin with the same name; there is none once the file is whole.
        let _ = std::fs::remove_file(&self.part);
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.remove(&self.id);
    }
}

/// A file on its way in. Dropped before it is handed back whole, it is removed.
pub struct Upload {
    file: File,
    octets: u64,
    most: u64,
    spare: u64,
    whole: PathBuf,
    turn: Turn,
}

impl Imports {
    pub(crate) fn file(&self, id: JobId) -> PathBuf {
        self.options.folder.join(id.to_string())
    }

    pub(crate) async fn begin_upload(&self, job: &Job, told: u64) -> Result<Upload, ImportError> {
        let organization = self.identity.inbox(job.inbox).await?.organization;
        // What never fits does not wait until it does.
        let largest = self.options.max_file_octets.min(self.options.waiting_octets);
        let least = told.saturating_sub(AROUND_OCTETS);
        if least > largest {
            return Err(ImportError::TooLarge(largest));
        }
        fs::create_dir_all(&self.options.folder).await?;
        let waiting = self.waiting(organization, job.id).await?;
        let (turn, others) = self.turn_of(organization, job.id)?;
        // Each of those under way may become as large as any.
        let taken = waiting.saturating_add(largest.saturating_mul(others));
        let most = self.options.waiting_octets.saturating_sub(taken);
        if most == 0 || least > most {
            return Err(ImportError::TooMuch);
        }
        let spare = self.options.spare_octets;
        leaves_room(&self.options.folder, spare.saturating_add(told))?;
        Ok(Upload {
            file: File::create(&turn.part).await.map_err(full)?,
            octets: 0,
            most: most.min(largest),
            spare,
            whole: self.file(job.id),
            turn,
        })
    }

    /// Octets of an organization's files that wait, besides that of one job.
    async fn waiting(&self, organization: OrganizationId, besides: JobId) -> Result<u64, ImportError> {
        let (mut octets, mut count) = (0_u64, 0);
        let prefix = keys::open_of(organization);
        let mut rows = scan_prefix(&*self.store, &prefix).page_pairs(100);
        while let Some((_, value)) = rows.next().await? {
            count += 1;
            if count > COUNTED {
                return Err(ImportError::TooMuch);
            }
            let Some(id) = keys::last_id(&value).filter(|id| *id != besides) else {
                continue;
            };
            match self.found(id).await {
                Ok(Some((_, job))) => octets = octets.saturating_add(job.upload_octets.unwrap_or(0)),
                Ok(None) => {}
                // It is of no use to the others that they cannot upload; the disk's bound stays.
                Err(ImportError::Store(StoreError::Corrupt(error))) => {
                    tracing::error!(job = %id, %error, "an import cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(octets)
    }

    /// The turn of a job, and how many others its organization has.
    fn turn_of(&self, organization: OrganizationId, id: JobId) -> Result<(Turn, u64), ImportError> {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        if uploads.contains_key(&id) {
            return Err(ImportError::State("the file is being uploaded already"));
        }
        let others = uploads.values().filter(|(of, _)| *of == organization).count();
        if others >= UPLOADS_AN_ORGANIZATION {
            return Err(ImportError::TooMuch);
        }
        let stopped = CancellationToken::new();
        uploads.insert(id, (organization, stopped.clone()));
        let turn = Turn {
            uploads: Arc::clone(&self.uploads),
            id,
            stopped,
            part: self.file(id).with_extension("part"),
        };
        Ok((turn, others as u64))
    }

    /// Whoever uploads the file of this job goes no further.
    pub(crate) fn stop_upload(&self, id: JobId) {
        let uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, stopped)) = uploads.get(&id) {
            stopped.cancel();
        }
    }

    /// Removes what there is of a job's file.
    pub(crate) async fn remove_file(&self, id: JobId) {
        for path in [self.file(id), self.file(id).with_extension("part")] {
            match fs::remove_file(&path).await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(file = %path.display(), %error, "cannot remove the file of an import"),
            }
        }
    }
}

impl Upload {
    /// Writes a piece.
    ///
    /// # Errors
    /// [`ImportError::TooLarge`], [`ImportError::Full`], [`ImportError::Io`], and [`ImportError::NotAllowed`] once the job
    /// has ended: the upload has failed.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), ImportError> {
        if self.turn.stopped.is_cancelled() {
            return Err(ImportError::NotAllowed);
        }
        let before = self.octets;
        self.octets = before.saturating_add(piece.len() as u64);
        if self.octets > self.most {
            return Err(ImportError::TooLarge(self.most));
        }
        if before / LOOK_EVERY != self.octets / LOOK_EVERY {
            leaves_room(&self.turn.part, self.spare)?;
        }
        self.file.write_all(piece).await.map_err(full)
    }

    /// Gives the file its name; its octets, and the turn, which lasts until the job knows of them. Durable on return.
    pub(crate) async fn finish(self) -> Result<(u64, Turn), ImportError> {
        let Self {
            mut file,
            octets,
            whole,
            turn,
            ..
        } = self;
        file.flush().await.map_err(full)?;
        file.sync_all().await.map_err(full)?;
        if turn.stopped.is_cancelled() {
            return Err(ImportError::NotAllowed);
        }
        fs::rename(&turn.part, &whole).await?;
        if let Some(folder) = whole.parent() {
            File::open(folder).await?.sync_all().await?;
        }
        Ok((octets, turn))
    }
}

/// Whether the disk has so many octets left.
fn leaves_room(path: &Path, octets: u64) -> Result<(), ImportError> {
    let disk = rustix::fs::statvfs(path).map_err(io::Error::from)?;
    match disk.f_bavail.saturating_mul(disk.f_frsize) < octets {
        true => Err(ImportError::Full),
        false => Ok(()),
    }
}

fn full(error: io::Error) -> ImportError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ImportError::Full,
        _ => ImportError::Io(error),
    }
}
