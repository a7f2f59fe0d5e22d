//! What is cleared away by the clock: jobs whose time is over, and files that belong to none.

use crate::job::{Job, JobId, Status};
use crate::{ImportError, Imports, keys, now_ms};
use postroom_store::{CommitBuilder, StoreError, prefix_end, scan};

impl Imports {
    /// Gives up what waited too long for its file, and forgets what ended long ago.
    pub(crate) async fn expire(&self) -> Result<(), ImportError> {
        let mut rows = scan(&*self.store, keys::EXPIRES.to_vec(), prefix_end(keys::EXPIRES)).page_pairs(100);
        while let Some((key, _)) = rows.next().await? {
            if keys::when(&key).is_none_or(|at| at > now_ms()) {
                return Ok(());
            }
            let Some(id) = keys::last_id(&key) else { continue };
            let found = match self.found(id).await {
                Err(error @ ImportError::Store(StoreError::Corrupt(_))) => {
                    tracing::error!(job = %id, %error, "an import cannot be read");
                    continue;
                }
                found => found?,
            };
            match found {
                Some((_, job)) if job.status == Status::PendingUpload => {
                    let given_up = self.change(job.inbox, id, |job| {
                        job.status = Status::Failed;
                        job.error = Some("the file was not uploaded, or the import not started, in time".into());
                        Ok(())
                    });
                    given_up.await?;
                    self.stop_upload(id);
                    self.remove_file(id).await;
                }
                Some((_, job)) if job.status.is_final() => self.forget(&job).await?,
                // It is being worked on, and is looked at again when it has ended.
                Some(_) | None => self.clear(vec![key]).await?,
            }
        }
        Ok(())
    }

    pub(crate) async fn forget(&self, job: &Job) -> Result<(), ImportError> {
        self.stop_upload(job.id);
        self.remove_file(job.id).await;
        let mut rows = vec![
            keys::queued(job.id),
            keys::listed(job.inbox, job.id),
            keys::expires(job.expires_at, job.id),
            keys::job(job.id),
        ];
        rows.extend(job.open.clone());
        self.clear(rows).await
    }

    pub(crate) async fn clear(&self, rows: Vec<Vec<u8>>) -> Result<(), ImportError> {
        let mut builder = CommitBuilder::new();
        rows.into_iter().for_each(|row| {
            builder.delete(row);
        });
        // What is not done now is found again.
        self.store.commit(builder.build()).await?;
        Ok(())
    }

    /// Removes files that belong to no job any more.
    pub(crate) async fn sweep_files(&self) {
        let Ok(mut files) = tokio::fs::read_dir(&self.options.folder).await else {
            return;
        };
        while let Ok(Some(file)) = files.next_entry().await {
            let name = file.file_name();
            let name = name.to_str().unwrap_or_default();
            let Ok(id) = name.split('.').next().unwrap_or_default().parse::<JobId>() else {
                continue;
            };
            self.remove_ended(id).await;
        }
    }

    /// Removes the file of a job that has ended, or that there is none of.
    pub(crate) async fn remove_ended(&self, id: JobId) {
        let job = self.found(id).await;
        if matches!(&job, Ok(None)) || matches!(&job, Ok(Some((_, job))) if job.status.is_final()) {
            self.remove_file(id).await;
        }
    }
}
