//! The mark that content may have been sent, where a crash must not end what never left.
//!
//! What always holds: the mark is durable before the first octet of content is sent, and an attempt that is over, or that
//! somebody else has taken over, gets none.

use crate::attempt::OpenAttempt;
use crate::model::ItemId;
use crate::options::OnLostReply;
use crate::rows::{AttemptRow, Stage};
use crate::shared::{Shared, Tried, Tries};
use crate::{Queue, QueueError, keys};
use postroom_store::{CommitBuilder, Key};
use std::sync::Arc;

/// To be written before the first octet of content of an attempt is sent.
#[derive(Clone)]
pub struct ContentMark {
    shared: Arc<Shared>,
    shard: u8,
    items: Vec<(ItemId, u32)>,
}

impl Queue {
    /// What has to be [written](ContentMark::write) before content is sent. `None` if nothing has: under
    /// [`OnLostReply::Retry`], where a crash only makes a recipient come twice, and for an inbox here.
    #[must_use]
    pub fn content_mark(&self, attempt: &OpenAttempt) -> Option<ContentMark> {
        let wanted = attempt.is_stored && self.shared.options.on_lost_reply == OnLostReply::Hold;
        wanted.then(|| ContentMark {
            shared: Arc::clone(&self.shared),
            shard: attempt.claim.line.shard,
            items: attempt.items.clone(),
        })
    }
}

impl ContentMark {
    /// Notes that content follows. Durable on return; writing it again does nothing.
    ///
    /// # Errors
    /// [`QueueError::Withdrawn`]: the attempt is over. [`QueueError::LeaseLost`], [`QueueError::Full`],
    /// [`QueueError::Busy`] and those of the store: no content may be sent.
    pub async fn write(&self) -> Result<(), QueueError> {
        let wanted: Vec<Key> = self
            .items
            .iter()
            .map(|(item, number)| keys::attempt(*item, *number))
            .collect();
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let rows = self.shared.store.get_many(&wanted).await?;
            let mut builder = CommitBuilder::new();
            self.shared.fence(&mut builder, self.shard)?;
            let mut marked = 0;
            for (key, old) in wanted.iter().zip(rows) {
                let old = old.ok_or(QueueError::Withdrawn)?;
                let row = AttemptRow::read(&old)?;
                match row.stage {
                    Stage::Ended(_) => return Err(QueueError::Withdrawn),
                    Stage::Content => marked += 1,
                    Stage::Open => {
                        let stage = Stage::Content;
                        builder.replace(key.clone(), old, AttemptRow { stage, ..row }.write());
                    }
                }
            }
            if marked == wanted.len() {
                return Ok(());
            }
            match self.shared.try_commit(builder.build()).await? {
                Tried::Done => return Ok(()),
                Tried::Conflict(key) => self.shared.check_fence(&key, self.shard).await?,
                Tried::Unknown => {}
            }
        }
    }
}
