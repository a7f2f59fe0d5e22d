//! The same request twice is one message.
//!
//! What always holds: the row is put under Absent in the commit that takes the message, so of equal requests at the same
//! time exactly one is done; the others find its answer.

use crate::{Idempotency, Intake, KeyScope, SubmitError, Submitted, expiry, keys};
use postroom_identity::InboxRecord;
use postroom_store::{CommitBuilder, Key, StoreError, Value};
use postroom_types::{EmailId, ThreadId};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long an answer is known.
const fn keep_ms(scope: KeyScope) -> i64 {
    match scope {
        KeyScope::Inbox | KeyScope::Organization => DAY_MS,
        KeyScope::Operation(_) => 7 * DAY_MS,
    }
}

/// The row of one request.
pub(crate) struct Replay {
    key: Key,
    keep_ms: i64,
    fingerprint: [u8; 32],
    /// A row whose time is over, to be replaced.
    old: Option<Value>,
}

/// What is known of a request.
pub(crate) enum Known {
    /// Nothing: it is to be done.
    New(Option<Replay>),
    /// It was done.
    Done(Submitted),
}

/// The keys of requests that are under way on this node.
pub(crate) type RunningKeys = Arc<Mutex<HashSet<Key>>>;

/// A request under way with its idempotency key, until this is dropped.
#[derive(Debug)]
pub struct Running {
    key: Key,
    running: RunningKeys,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.key);
    }
}

impl Intake {
    /// Says that a request with this idempotency key is under way. What fails frees the key.
    ///
    /// # Errors
    /// [`SubmitError::KeyInUse`]: another is.
    pub fn begin(&self, inbox: &InboxRecord, scope: KeyScope, key: &str) -> Result<Running, SubmitError> {
        let key = keys::idempotency(inbox, scope, key);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(key.clone()) {
            return Err(SubmitError::KeyInUse);
        }
        Ok(Running {
            key,
            running: Arc::clone(&self.running),
        })
    }

    /// The answer to a request that was done before, for callers whose request names things that may be gone by now.
    ///
    /// # Errors
    /// [`SubmitError::KeyReused`]; those of the store.
    pub async fn replayed(
        &self,
        inbox: &InboxRecord,
        idempotency: &Idempotency,
    ) -> Result<Option<Submitted>, SubmitError> {
        match self.recall(inbox, Some(idempotency)).await? {
            Known::Done(submitted) => Ok(Some(submitted)),
            Known::New(_) => Ok(None),
        }
    }

    /// The answer to whatever request was done with this key.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn answer_of(
        &self,
        inbox: &InboxRecord,
        scope: KeyScope,
        key: &str,
    ) -> Result<Option<Submitted>, SubmitError> {
        let Some(value) = self.store().get(&keys::idempotency(inbox, scope, key)).await? else {
            return Ok(None);
        };
        let (until, rest) = expiry::read(&value)?;
        if until <= self.now_ms() {
            return Ok(None);
        }
        Ok(Some(decode(rest)?.1))
    }

    /// Whether a request was done before.
    pub(crate) async fn recall(
        &self,
        inbox: &InboxRecord,
        idempotency: Option<&Idempotency>,
    ) -> Result<Known, SubmitError> {
        let Some(Idempotency {
            scope,
            key,
            fingerprint,
        }) = idempotency
        else {
            return Ok(Known::New(None));
        };
        let key = keys::idempotency(inbox, *scope, key);
        let mut replay = Replay {
            key,
            keep_ms: keep_ms(*scope),
            fingerprint: *fingerprint,
            old: None,
        };
        let Some(value) = self.store().get(&replay.key).await? else {
            return Ok(Known::New(Some(replay)));
        };
        let (until, rest) = expiry::read(&value)?;
        if until <= self.now_ms() {
            replay.old = Some(value);
            return Ok(Known::New(Some(replay)));
        }
        let (stored, submitted) = decode(rest)?;
        if stored == *fingerprint {
            Ok(Known::Done(submitted))
        } else {
            Err(SubmitError::KeyReused)
        }
    }

    /// Adds to a commit that the request is done with this answer.
    pub(crate) fn remember(&self, builder: &mut CommitBuilder, replay: &Replay, submitted: &Submitted) {
        let until = self.now_ms() + replay.keep_ms;
        let value = expiry::value(until, &encode(&replay.fingerprint, submitted));
        match &replay.old {
            None => builder.put_new(replay.key.clone(), value),
            Some(old) => builder.replace(replay.key.clone(), old.clone(), value),
        };
        expiry::add(builder, until, &replay.key);
    }
}

/// Fingerprint, id, thread, octets, held, Message-ID.
fn encode(fingerprint: &[u8; 32], submitted: &Submitted) -> Vec<u8> {
    [
        &fingerprint[..],
        &submitted.id.as_bytes()[..],
        &submitted.thread_id.as_bytes()[..],
        &submitted.octets.to_be_bytes(),
        &[u8::from(submitted.held)],
        submitted.message_id.as_bytes(),
    ]
    .concat()
}

fn decode(bytes: &[u8]) -> Result<([u8; 32], Submitted), StoreError> {
    let parsed = (|| {
        let (fingerprint, rest) = bytes.split_first_chunk::<32>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (thread_id, rest) = rest.split_first_chunk::<16>()?;
        let (octets, rest) = rest.split_first_chunk::<8>()?;
        let (held, message_id) = rest.split_first()?;
        let submitted = Submitted {
            id: EmailId::from_bytes(*id),
            thread_id: ThreadId::from_bytes(*thread_id),
            message_id: String::from_utf8(message_id.to_vec()).ok()?,
            octets: u64::from_be_bytes(*octets),
            replayed: true,
            held: *held != 0,
        };
        Some((*fingerprint, submitted))
    })();
    parsed.ok_or_else(|| StoreError::Corrupt("an idempotency row that cannot be read".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_stored_and_read_again() {
        let submitted = Submitted {
            id: EmailId::new(),
            thread_id: ThreadId::new(),
            message_id: "x@example.test".into(),
            octets: 1234,
            replayed: true,
            held: true,
        };
        let bytes = encode(&[7; 32], &submitted);
        assert_eq!(decode(&bytes).unwrap(), ([7; 32], submitted));
        for end in 0..bytes.len() - "x@example.test".len() {
            assert!(decode(&bytes[..end]).is_err(), "{end}");
        }
    }
}
