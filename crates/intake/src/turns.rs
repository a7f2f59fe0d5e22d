//! The loop breaker: two machines that answer each other come to rest.
//!
//! What always holds: an answer of a machine to a machine is counted in the commit that takes it, for its thread and the
//! one it answers. Above the maximum within a day it is kept back, not lost: the operator can let it go. Machines that
//! answer with messages of their own, in no thread, are seen if both are inboxes here: then all that either writes to
//! the other in a day is counted, and what counts is the lesser of the two numbers, since a loop needs both.

use crate::answered::Answered;
use crate::limits::{DAY_MS, day_number};
use crate::{Intake, SubmitError, expiry, keys};
use postroom_store::{CommitBuilder, CounterRecord, Key, StoreError, Value};
use postroom_types::InboxId;

/// How long turns are counted together, from the first.
const WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

const MESSAGES: usize = 0;

/// How many messages in no thread make a turn: two that work together write more than two that answer each other.
const UNTHREADED: u32 = 4;

/// One more turn of a conversation between machines.
pub(crate) struct Turn {
    key: Key,
    count: Count,
    until_ms: i64,
    /// The key is new, or its time was over.
    is_first: bool,
    /// Whether this one is beyond the maximum.
    is_too_many: bool,
}

/// How a turn is counted.
enum Count {
    /// In a row that says so many; no two answers in one thread are decided at once.
    Row { old: Option<Value>, turns: u32 },
    /// In a counter, which any number of messages move at once.
    Counter,
}

impl Turn {
    /// Adds it to a commit.
    pub(crate) fn count(&self, builder: &mut CommitBuilder) {
        let key = self.key.clone();
        match &self.count {
            Count::Row { old, turns } => {
                let value = expiry::value(self.until_ms, &turns.to_be_bytes());
                match old {
                    None => builder.put_new(key, value),
                    Some(old) => builder.replace(key, old.clone(), value),
                };
            }
            Count::Counter if self.is_first => {
                let mut record = CounterRecord::default();
                record.0[MESSAGES] = 1;
                builder.put_new(key, record.to_value());
            }
            Count::Counter => {
                builder.count(key, MESSAGES, 1);
            }
        }
        if self.is_first {
            expiry::add(builder, self.until_ms, &self.key);
        }
    }

    /// Whether the message is to be kept back.
    pub(crate) const fn is_too_many(&self) -> bool {
        self.is_too_many
    }
}

impl Intake {
    /// The turn that an answer to this message is; `None` if a person has a part in it.
    pub(crate) async fn turn(&self, inbox: InboxId, answered: Option<&Answered>) -> Result<Option<Turn>, SubmitError> {
        let Some((answered, peer)) = answered.and_then(|answered| Some((answered, answered.peer()?))) else {
            return Ok(None);
        };
        let key = keys::turns(inbox, answered.thread_id, peer);
        let old = self.store().get(&key).await?;
        let now_ms = self.now_ms();
        let counted = match &old {
            Some(value) => read(value)?,
            None => (0, 0),
        };
        let is_first = counted.0 <= now_ms;
        let (until_ms, before) = if is_first { (now_ms + WINDOW_MS, 0) } else { counted };
        let turns = before.saturating_add(1);
        Ok(Some(Turn {
            key,
            count: Count::Row { old, turns },
            until_ms,
            is_first,
            is_too_many: turns > self.options.max_automated_turns,
        }))
    }

    /// The turn that a message of a machine in no thread is, to another inbox here.
    pub(crate) async fn unthreaded_turn(&self, inbox: InboxId, peer: InboxId) -> Result<Turn, SubmitError> {
        let now_ms = self.now_ms();
        let day = day_number(now_ms);
        let pairs = [keys::pair(inbox, peer, day), keys::pair(peer, inbox, day)];
        let values = self.store().get_many(&pairs).await?;
        let count = |value: &Option<Value>| {
            let record = value.as_deref().and_then(CounterRecord::from_value);
            record.map_or(0, |record| record.0[MESSAGES])
        };
        let (before, answers) = (count(&values[0]), count(&values[1]));
        let most = u64::from(self.options.max_automated_turns.saturating_mul(UNTHREADED));
        let [key, _] = pairs;
        Ok(Turn {
            key,
            count: Count::Counter,
            until_ms: now_ms + 2 * DAY_MS,
            is_first: values[0].is_none(),
            is_too_many: before.saturating_add(1).min(answers) > most,
        })
    }
}

fn read(value: &[u8]) -> Result<(i64, u32), StoreError> {
    let (until, rest) = expiry::read(value)?;
    let turns = rest.try_into().map(u32::from_be_bytes);
    let turns = turns.map_err(|_| StoreError::Corrupt("a row of turns cannot be read".into()))?;
    Ok((until, turns))
}
