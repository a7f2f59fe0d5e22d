//! The bodies of an inbox: each is read, and one that is damaged is told and hides nothing.

use super::Faults;
use super::rows::Found;
use crate::rows::{TextPlace, read_summary, read_text};
use crate::{MailError, Mailstore};
use bytes::Bytes;
use postroom_store::StoreError;
use postroom_types::BlobId;
use sha2::{Digest, Sha256};

impl Mailstore {
    pub(super) async fn check_bodies(&self, found: &Found, faults: &mut Faults) -> Result<(), MailError> {
        for (id, row) in &found.messages {
            if let Some(body) = self
                .whole(row.blob, || format!("message {id}: its body"), faults)
                .await?
            {
                let hashed = usize::try_from(row.hashed_from).ok().and_then(|from| body.get(from..));
                let hash = hashed.map(|hashed| <[u8; 32]>::from(Sha256::digest(hashed)));
                let same = body.len() as u64 == row.body_octets && hash == Some(row.body_hash);
                faults.check(same, || format!("message {id}: its body is not what was stored"));
            }
            if let Some(blob) = row.summary_blob {
                let name = || format!("message {id}: its long summary");
                if let Some(summary) = self.whole(blob, name, faults).await? {
                    let good = read_summary(&summary).is_ok();
                    faults.check(good, || format!("message {id}: its long summary does not read"));
                }
            }
            if let TextPlace::Blob(blob, octets) = row.text {
                let name = || format!("message {id}: its search text");
                if let Some(text) = self.whole(blob, name, faults).await? {
                    let good = text.len() as u64 == octets && read_text(&text).is_ok();
                    faults.check(good, || format!("message {id}: its search text does not read"));
                }
            }
        }
        Ok(())
    }

    /// All of a blob; `None` if it is gone or damaged, which is a fault of this one thing.
    async fn whole(
        &self,
        blob: BlobId,
        name: impl Fn() -> String,
        faults: &mut Faults,
    ) -> Result<Option<Bytes>, MailError> {
        match self.store.blob(blob, 0..u64::MAX).await {
            Ok(Some(bytes)) => return Ok(Some(bytes)),
            Ok(None) => faults.add(format!("{} is gone", name())),
            Err(StoreError::Corrupt(error)) => faults.add(format!("{} is damaged: {error}", name())),
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }
}
