//! Sending a commit until its outcome is known.

use crate::{Commit, Condition, Key, Outcome, Receipt, Store, StoreError};

/// How often a commit is sent while the outcome stays unknown.
const TRIES: usize = 16;

/// What came of a commit with a once-key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Done by this call.
    Done(Receipt),
    /// The once-key was there already: an earlier commit did it.
    AlreadyDone,
    /// Not done: this condition or counter does not hold (or did not for a moment: read again before deciding).
    Conflict(Key),
    /// Not done: out of space.
    Full,
}

/// Sends a commit that puts `once_key` under [`Condition::Absent`], again after [`Outcome::Unknown`].
///
/// # Errors
/// Those of [`Store::commit`]; [`StoreError::Unavailable`] also if the outcome stays unknown. Then the same commit may
/// be sent again later.
pub async fn commit_once(store: &dyn Store, mut commit: Commit, once_key: &[u8]) -> Result<Committed, StoreError> {
    // First, so that most repetitions conflict on this key.
    let is_once = |(key, condition): &(Key, Condition)| key == once_key && *condition == Condition::Absent;
    match commit.conditions.iter().position(is_once) {
        Some(place) => commit.conditions[..=place].rotate_right(1),
        None => return Err(StoreError::Invalid("the once-key is not put under Absent".into())),
    }
    for _ in 0..TRIES {
        match store.commit(commit.clone()).await? {
            Outcome::Done(receipt) => return Ok(Committed::Done(receipt)),
            Outcome::Conflict(key) if key == once_key => return Ok(Committed::AlreadyDone),
            // A conflict with what its first time changed may be seen before the one on the once-key.
            Outcome::Conflict(key) => {
                let already = store.get(once_key).await?.is_some();
                return Ok(if already {
                    Committed::AlreadyDone
                } else {
                    Committed::Conflict(key)
                });
            }
            Outcome::Full => return Ok(Committed::Full),
            Outcome::Unknown => tokio::task::yield_now().await,
        }
    }
    Err(StoreError::Unavailable("the outcome of a commit stays unknown".into()))
}
