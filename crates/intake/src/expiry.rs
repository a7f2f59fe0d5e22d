//! Rows that are of no use after some time, and their removal in small steps.
//!
//! What always holds: a row that is to go has an expiry row, written in the same commit; who finds a row whose time is
//! over treats it as gone, whether it was removed or not.

use crate::{Intake, keys};
use postroom_store::{CommitBuilder, Key, Outcome, StoreError, Value, scan};

/// Rows removed in one commit.
const PIECE: usize = 100;

pub(crate) const FORMAT: u8 = 1;

/// A value that begins with its format and the time it counts until, in milliseconds since 1970.
pub(crate) fn value(until_ms: i64, rest: &[u8]) -> Value {
    [&[FORMAT][..], &until_ms.to_be_bytes(), rest].concat()
}

/// The rest of such a value, and its time.
pub(crate) fn read(value: &[u8]) -> Result<(i64, &[u8]), StoreError> {
    let corrupt = || StoreError::Corrupt("an intake row of an unknown format".into());
    let rest = value.strip_prefix(&[FORMAT]).ok_or_else(corrupt)?;
    let (until, rest) = rest.split_first_chunk::<8>().ok_or_else(corrupt)?;
    Ok((i64::from_be_bytes(*until), rest))
}

/// Adds to a commit that a row of it may go then.
pub(crate) fn add(builder: &mut CommitBuilder, until_ms: i64, key: &[u8]) {
    builder.put(keys::expiry(until_ms, key), vec![FORMAT]);
}

impl Intake {
    /// Removes rows whose time is over, at most about `budget` of them; `true` when none is left. To be called now and
    /// then, by one task.
    ///
    /// # Errors
    /// The store's own; what was not removed is found again.
    pub async fn maintain(&self, budget: usize) -> Result<bool, StoreError> {
        let mut removed = 0;
        while removed < budget {
            let due = self.due(PIECE.min(budget - removed)).await?;
            if due.is_empty() {
                return Ok(true);
            }
            removed += due.len();
            self.remove(due).await?;
        }
        Ok(false)
    }

    async fn due(&self, limit: usize) -> Result<Vec<Key>, StoreError> {
        let high = keys::expiry(self.now_ms(), &[]);
        let mut rows = scan(&**self.store(), keys::EXPIRY.to_vec(), high).page_pairs(limit);
        let mut due = Vec::new();
        while due.len() < limit {
            let Some((key, _)) = rows.next().await? else { break };
            due.push(key);
        }
        Ok(due)
    }

    /// A row that was renewed stays: it has another expiry row.
    async fn remove(&self, due: Vec<Key>) -> Result<(), StoreError> {
        let named: Vec<Key> = due
            .iter()
            .filter_map(|key| keys::expiring(key))
            .map(<[u8]>::to_vec)
            .collect();
        let values = self.store().get_many(&named).await?;
        let mut builder = CommitBuilder::new();
        for (key, value) in named.into_iter().zip(values) {
            let Some(value) = value else { continue };
            if keys::is_day(&key) {
                builder.delete(key);
            } else if read(&value)?.0 <= self.now_ms() {
                builder.require(key.clone(), value);
                builder.delete(key);
            }
        }
        for key in due {
            builder.delete(key);
        }
        match self.store().commit(builder.build()).await? {
            Outcome::Done(_) => Ok(()),
            // Renewed at this moment, or the outcome is unknown: the next round sees.
            Outcome::Conflict(_) | Outcome::Full | Outcome::Unknown => Ok(()),
        }
    }
}
