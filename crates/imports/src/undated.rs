//! What was imported when ids of messages did not begin with their dates yet: their inboxes are made known, once, so that
//! lists of a part of time have that mail too.

use crate::{ImportError, Imports, keys};
use postroom_intake::IntakeError;
use postroom_mailstore::MailError;
use postroom_store::{CommitBuilder, Outcome, scan_prefix};

impl Imports {
    /// Makes these inboxes known, unless that was done. Jobs are known for 30 days after their end.
    pub(crate) async fn note_undated(&self) -> Result<(), ImportError> {
        if self.store.get(keys::NOTED).await?.is_some() {
            return Ok(());
        }
        let mut rows = scan_prefix(&*self.store, keys::JOBS);
        while let Some((key, _)) = rows.next().await? {
            let Some(id) = keys::last_id(&key) else { continue };
            let job = match self.found(id).await {
                Ok(job) => job,
                // It keeps no other from being looked at.
                Err(error) => {
                    tracing::error!(job = %id, %error, "an import cannot be read");
                    continue;
                }
            };
            let undated = job.filter(|(_, job)| !job.is_dated && job.started_at.is_some());
            if let Some((_, job)) = undated {
                self.intake.note_undated(job.inbox).await.map_err(|error| match error {
                    IntakeError::Mail(MailError::Full) => ImportError::Full,
                    IntakeError::Mail(MailError::Store(error)) => error.into(),
                    _ => ImportError::Busy,
                })?;
            }
        }
        let mut done = CommitBuilder::new();
        done.put(keys::NOTED.to_vec(), keys::MARK.to_vec());
        match self.store.commit(done.build()).await? {
            Outcome::Done(_) => Ok(()),
            Outcome::Full => Err(ImportError::Full),
            Outcome::Conflict(_) | Outcome::Unknown => Err(ImportError::Busy),
        }
    }
}
