//! How much an inbox may send in a day, and to how many addresses it has not written before.
//!
//! What always holds: what counts is what is committed: counters of the day, moved by the commit that takes the message.
//! While submissions of an inbox are under way, all of them share one [`Day`], which counts them too, so that on one node
//! no number of them at once goes beyond the limit, and an address that several of them write to for the first time
//! counts once; several nodes may each let through what they have under way.

use crate::{Intake, SubmitError, expiry, keys};
use postroom_store::{CommitBuilder, Committed, CounterRecord, Key, StoreError, commit_once};
use postroom_types::{EmailAddress, InboxId, OrganizationId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::OnceCell;

pub(crate) const DAY_MS: i64 = 86_400_000;
/// How long an address counts as written to before.
const PEER_KEEP_MS: i64 = 365 * DAY_MS;
/// Entries of days that are over are looked for when there are more than this.
const TIDY_ABOVE: usize = 1024;

const MESSAGES: usize = 0;
const NEW_RECIPIENTS: usize = 1;
const RECIPIENTS: usize = 2;

/// How much each inbox may send in a day, unless its own record says otherwise; 0 is without limit, here and there. A day
/// is one in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendLimits {
    /// Messages. Default 1,000.
    pub messages: u32,
    /// Addresses that the inbox has not written to within a year and that are not named in the message answered.
    /// Default 200.
    pub new_recipients: u32,
}

impl Default for SendLimits {
    fn default() -> Self {
        Self {
            messages: 1000,
            new_recipients: 200,
        }
    }
}

/// What counts for one inbox; `None` is without limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) messages: Option<u32>,
    pub(crate) new_recipients: Option<u32>,
    /// All of them, known or not.
    pub(crate) recipients: Option<u32>,
}

/// Days since 1970, in UTC.
pub(crate) fn day_number(now_ms: i64) -> u32 {
    u32::try_from(now_ms.div_euclid(DAY_MS)).unwrap_or(0)
}

/// What has been used of one day.
#[derive(Debug, Default)]
struct Used {
    messages: u64,
    new_recipients: u64,
    recipients: u64,
    /// The addresses among them that were counted while this day is under way.
    strangers: HashMap<EmailAddress, Stranger>,
}

/// Why there is no place for a message.
enum NoPlace {
    /// Too much was sent already.
    Today,
    /// It is more by itself than a day takes.
    Ever,
}

/// An address that is written to for the first time.
#[derive(Debug, Default)]
struct Stranger {
    /// Submissions under way to it.
    holders: u32,
    /// One of them was committed.
    is_known: bool,
}

impl Used {
    /// Takes a place, if there is one; those of the addresses that are counted by it.
    fn take(
        &mut self,
        limit: Limit,
        recipients: u64,
        mut new: Vec<EmailAddress>,
    ) -> Result<Vec<EmailAddress>, NoPlace> {
        new.retain(|address| !self.strangers.get(address).is_some_and(|stranger| stranger.is_known));
        let added = new
            .iter()
            .filter(|address| !self.strangers.contains_key(*address))
            .count() as u64;
        let fits = |used: u64, more: u64, limit: Option<u32>| limit.is_none_or(|limit| used + more <= u64::from(limit));
        let allowed = fits(self.messages, 1, limit.messages)
            && fits(self.recipients, recipients, limit.recipients)
            && (added == 0 || fits(self.new_recipients, added, limit.new_recipients));
        if !allowed {
            let is_too_many = !fits(0, recipients, limit.recipients) || !fits(0, added, limit.new_recipients);
            return Err(if is_too_many { NoPlace::Ever } else { NoPlace::Today });
        }
        self.messages += 1;
        self.recipients += recipients;
        self.new_recipients += added;
        for address in &new {
            self.strangers.entry(address.clone()).or_default().holders += 1;
        }
        Ok(new)
    }

    /// The place was used, or is free again.
    fn settle(&mut self, recipients: u64, new: &[EmailAddress], done: bool) {
        if !done {
            self.messages = self.messages.saturating_sub(1);
            self.recipients = self.recipients.saturating_sub(recipients);
        }
        for address in new {
            let Some(stranger) = self.strangers.get_mut(address) else {
                continue;
            };
            stranger.holders = stranger.holders.saturating_sub(1);
            stranger.is_known |= done;
            if stranger.holders == 0 && !stranger.is_known {
                self.strangers.remove(address);
                self.new_recipients = self.new_recipients.saturating_sub(1);
            }
        }
    }
}

/// One day of one inbox, while something is under way there.
struct Day {
    used: OnceCell<Mutex<Used>>,
}

/// The days under way; an entry whose day nobody holds is as good as none.
#[derive(Default)]
pub(crate) struct Days(Mutex<HashMap<(InboxId, u32), Weak<Day>>>);

impl Days {
    fn day(&self, inbox: InboxId, day: u32) -> Arc<Day> {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if days.len() > TIDY_ABOVE {
            days.retain(|_, day| day.strong_count() > 0);
        }
        if let Some(found) = days.get(&(inbox, day)).and_then(Weak::upgrade) {
            return found;
        }
        let made = Arc::new(Day { used: OnceCell::new() });
        days.insert((inbox, day), Arc::downgrade(&made));
        made
    }
}

/// A place within the limits, taken before the commit. Dropped, it is free again: keep it until the commit's outcome is
/// known; then the counters have it, and the next to ask reads them.
pub(crate) struct Reservation {
    day: Arc<Day>,
    key: Key,
    recipients: u64,
    new: Vec<EmailAddress>,
    inbox: InboxId,
    done: bool,
}

impl Reservation {
    /// Adds to a commit what it uses of the day.
    pub(crate) fn count(&self, builder: &mut CommitBuilder, now_ms: i64) {
        builder.count(self.key.clone(), MESSAGES, 1);
        let recipients = i64::try_from(self.recipients).unwrap_or(i64::MAX);
        builder.count(self.key.clone(), RECIPIENTS, recipients);
        if self.new.is_empty() {
            return;
        }
        let new = i64::try_from(self.new.len()).unwrap_or(i64::MAX);
        builder.count(self.key.clone(), NEW_RECIPIENTS, new);
        let until = now_ms + PEER_KEEP_MS;
        for address in &self.new {
            let key = keys::peer(self.inbox, address);
            // Of two that write to an address for the first time at once, one looks again and finds it known.
            expiry::add(builder, until, &key);
            builder.put_new(key, expiry::value(until, &[]));
        }
    }

    /// The commit was done.
    pub(crate) fn keep(mut self) {
        self.done = true;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(used) = self.day.used.get() {
            let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
            used.settle(self.recipients, &self.new, self.done);
        }
    }
}

impl Intake {
    /// Takes a place for one message to these addresses. `None`: this inbox has no limits, nothing is counted.
    pub(crate) async fn reserve(
        &self,
        inbox: InboxId,
        limit: Limit,
        recipients: &[EmailAddress],
        known: &[EmailAddress],
    ) -> Result<Option<Reservation>, SubmitError> {
        if limit.messages.is_none() && limit.new_recipients.is_none() && limit.recipients.is_none() {
            return Ok(None);
        }
        let now_ms = self.now_ms();
        let number = day_number(now_ms);
        let key = keys::day(inbox, number);
        // Held from before anything is read, so that what is committed meanwhile is not forgotten.
        let day = self.days.day(inbox, number);
        let used = day.used.get_or_try_init(|| self.read_day(&key)).await?;
        let new = match limit.new_recipients {
            Some(_) => self.new_recipients(inbox, recipients, known).await?,
            None => Vec::new(),
        };
        let count = recipients.len() as u64;
        let taken = used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(limit, count, new);
        let new = taken.map_err(|none| {
            let left_ms = DAY_MS - now_ms.rem_euclid(DAY_MS);
            let next_day = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)) + Duration::from_secs(1);
            let retry_after = matches!(none, NoPlace::Today).then_some(next_day);
            SubmitError::DailyLimit { retry_after }
        })?;
        Ok(Some(Reservation {
            day,
            key,
            recipients: count,
            new,
            inbox,
            done: false,
        }))
    }

    /// Takes a place for one message of an organization's day, which counts only where there is a limit: the commits of
    /// its inboxes then count in one place. `None`: there is none.
    pub(crate) async fn reserve_together(
        &self,
        organization: OrganizationId,
        messages: Option<u32>,
    ) -> Result<Option<Reservation>, SubmitError> {
        let limit = Limit {
            messages,
            new_recipients: None,
            recipients: None,
        };
        // Ids are one of a kind whatever they name, so an organization has a day as an inbox has.
        self.reserve(InboxId::from_bytes(*organization.as_bytes()), limit, &[], &[])
            .await
    }

    /// Those that the inbox has not written to before, folded, each once.
    async fn new_recipients(
        &self,
        inbox: InboxId,
        recipients: &[EmailAddress],
        known: &[EmailAddress],
    ) -> Result<Vec<EmailAddress>, StoreError> {
        let mut new: Vec<EmailAddress> = recipients.iter().map(EmailAddress::folded).collect();
        new.sort_unstable();
        new.dedup();
        new.retain(|address| !known.contains(address));
        let keys: Vec<Key> = new.iter().map(|address| keys::peer(inbox, address)).collect();
        // One whose time is over counts as known until it is removed: the day it goes matters to nobody.
        let mut rows = self.store().get_many(&keys).await?.into_iter();
        new.retain(|_| rows.next().flatten().is_none());
        Ok(new)
    }

    /// What the counters say, made if need be.
    async fn read_day(&self, key: &Key) -> Result<Mutex<Used>, SubmitError> {
        let value = match self.store().get(key).await? {
            Some(value) => value,
            None => self.make_day(key).await?,
        };
        let record = CounterRecord::from_value(&value)
            .ok_or_else(|| StoreError::Corrupt("the counters of a day cannot be read".into()))?;
        Ok(Mutex::new(Used {
            messages: record.0[MESSAGES],
            new_recipients: record.0[NEW_RECIPIENTS],
            recipients: record.0[RECIPIENTS],
            strangers: HashMap::new(),
        }))
    }

    async fn make_day(&self, key: &Key) -> Result<Vec<u8>, SubmitError> {
        let mut builder = CommitBuilder::new();
        let none = CounterRecord::default().to_value();
        builder.put_new(key.clone(), none.clone());
        expiry::add(&mut builder, self.now_ms() + 2 * DAY_MS, key);
        match commit_once(&**self.store(), builder.build(), key).await? {
            Committed::Done(_) => Ok(none),
            Committed::AlreadyDone | Committed::Conflict(_) => {
                let made = self.store().get(key).await?;
                made.ok_or(SubmitError::Unavailable)
            }
            Committed::Full => Err(SubmitError::Full),
        }
    }
}
