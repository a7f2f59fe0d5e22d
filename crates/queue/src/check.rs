//! Is what is stored of the queue consistent? For tests and for `fsck`; nothing may change meanwhile.
//!
//! Everything that is kept twice is compared: items with their message, with the due index, with their attempts and
//! reports; messages with their items and bodies. A message whose recipients are all final may still be there: the next
//! pass of upkeep lets it go.

use crate::codec::Corrupt;
use crate::keys::{self, DueRow, LineId};
use crate::model::{ItemId, ItemState, QueuedBody};
use crate::rows::{AttemptRow, CapturedRow, ItemRow, LeaseRow, MessageRow, Stage, read_report};
use crate::{Queue, QueueError};
use postroom_store::{Key, Scan, Store, StoreError, Value, prefix_end, scan, scan_prefix};
use postroom_types::EmailId;

/// What is wrong, as sentences.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }

    /// A row that decodes; one that does not is a fault.
    fn read<T>(&mut self, key: &[u8], row: Result<T, Corrupt>) -> Option<T> {
        let fault = |Corrupt(what)| {
            self.0
                .push(format!("row {}: a {what} that does not decode", key.escape_ascii()));
        };
        row.map_err(fault).ok()
    }
}

impl Queue {
    /// Everything that is wrong with what is stored of the queue; empty if nothing is. Nothing may change meanwhile.
    ///
    /// # Errors
    /// The store's own. Rows that do not decode are findings, not errors.
    pub async fn check_consistency(&self) -> Result<Vec<String>, QueueError> {
        let check = Check {
            store: &*self.shared.store,
        };
        let mut faults = Faults::default();
        check.messages(&mut faults).await?;
        check.items(&mut faults).await?;
        check.due(&mut faults).await?;
        check.history(&mut faults).await?;
        check.captured(&mut faults).await?;
        check.leases(&mut faults).await?;
        Ok(faults.0)
    }
}

struct Check<'a> {
    store: &'a dyn Store,
}

impl<'a> Check<'a> {
    fn all(&self, kind: &[u8]) -> Scan<'a> {
        scan(self.store, kind.to_vec(), prefix_end(kind))
    }

    async fn messages(&self, faults: &mut Faults) -> Result<(), QueueError> {
        let mut rows = self.all(keys::MESSAGES);
        while let Some((key, value)) = rows.next().await? {
            let (Some(id), Some(row)) = (keys::message_of(&key), faults.read(&key, MessageRow::read(&value))) else {
                continue;
            };
            let items = scan_prefix(self.store, &keys::items(id)).collect().await?;
            faults.check(items.len() == usize::from(row.recipients), || {
                format!("message {id}: {} items for {} recipients", items.len(), row.recipients)
            });
            self.body(&format!("message {id}"), row.body, faults).await?;
        }
        Ok(())
    }

    async fn body(&self, what: &str, body: QueuedBody, faults: &mut Faults) -> Result<(), QueueError> {
        let found = match self.store.blob(body.blob, 0..u64::MAX).await {
            Err(StoreError::Corrupt(why)) => {
                faults.0.push(format!("{what}: {why}"));
                return Ok(());
            }
            found => found?,
        };
        let octets = found.as_ref().map(|bytes| bytes.len() as u64);
        faults.check(octets == Some(body.octets), || match octets {
            None => format!("{what}: its body is gone"),
            Some(octets) => format!("{what}: its body has {octets} octets instead of {}", body.octets),
        });
        Ok(())
    }

    async fn items(&self, faults: &mut Faults) -> Result<(), QueueError> {
        let mut rows = self.all(keys::ITEMS);
        while let Some((key, value)) = rows.next().await? {
            let (Some(id), Some(row)) = (
                keys::item_of(&key, keys::ITEMS),
                faults.read(&key, ItemRow::read(&value)),
            ) else {
                continue;
            };
            let item = name(id);
            let has_message = self.store.get(&keys::message(id.message)).await?.is_some();
            faults.check(row.state.is_final() || has_message, || {
                format!("item {item}: it is not final, and its message is gone")
            });
            if let Some(due) = row.due_key(id) {
                let is_due = self.store.get(&due).await?.is_some();
                faults.check(is_due, || format!("item {item}: it waits, and is not in the due index"));
            }
            self.last_attempt(id, &row, faults).await?;
            let reports = scan_prefix(self.store, &keys::reports(id)).collect().await?;
            faults.check(reports.len() == usize::from(row.reports), || {
                format!("item {item}: {} reports instead of {}", reports.len(), row.reports)
            });
        }
        Ok(())
    }

    /// The last attempt that an item counts is in its history, and is open while the item is being attempted.
    async fn last_attempt(&self, id: ItemId, row: &ItemRow, faults: &mut Faults) -> Result<(), QueueError> {
        let item = name(id);
        let is_open = row.state == ItemState::Attempting;
        faults.check(!is_open || row.attempts > 0, || {
            format!("item {item}: it is being attempted for the zeroth time")
        });
        if row.attempts == 0 {
            return Ok(());
        }
        let key = keys::attempt(id, row.attempts);
        match self.store.get(&key).await? {
            None => faults
                .0
                .push(format!("item {item}: attempt {} is not in its history", row.attempts)),
            Some(value) => {
                if let Some(attempt) = faults.read(&key, AttemptRow::read(&value)) {
                    let ended = matches!(attempt.stage, Stage::Ended(_));
                    faults.check(ended != is_open, || {
                        format!(
                            "item {item}: it is {:?}, and its last attempt {:?}",
                            row.state, attempt.stage
                        )
                    });
                }
            }
        }
        Ok(())
    }

    /// Each row of the due index is that of an item that waits, where it says that it stands.
    async fn due(&self, faults: &mut Faults) -> Result<(), QueueError> {
        let mut rows = self.all(keys::DUE);
        while let Some((key, value)) = rows.next().await? {
            let Some(row) = faults.read(&key, DueRow::read(&key, &value).ok_or(Corrupt("row of the due index"))) else {
                continue;
            };
            let item = name(row.item);
            faults.check(row.line == LineId::of(&row.destination), || {
                format!("item {item}: it is lined up for another destination than its due row names")
            });
            let found = self.store.get(&keys::item(row.item)).await?;
            let found = found.and_then(|value| ItemRow::read(&value).ok());
            faults.check(found.is_some_and(|found| found.due_key(row.item) == Some(key)), || {
                format!("item {item}: it is in the due index where it does not stand")
            });
        }
        Ok(())
    }

    /// Attempts and reports belong to items.
    async fn history(&self, faults: &mut Faults) -> Result<(), QueueError> {
        for (kind, octets) in [(keys::ATTEMPTS, 4), (keys::REPORTS, 1)] {
            let mut rows = self.all(kind);
            let mut last: Option<(ItemId, bool)> = None;
            while let Some((key, value)) = rows.next().await? {
                self.read_history(kind, &key, &value, faults);
                let of_item = &key[..key.len().saturating_sub(octets)];
                let Some(id) = keys::item_of(of_item, kind) else {
                    faults.0.push(format!("row {}: of no item", key.escape_ascii()));
                    continue;
                };
                let known = match last.filter(|(of, _)| *of == id) {
                    Some((_, known)) => known,
                    None => self.store.get(&keys::item(id)).await?.is_some(),
                };
                last = Some((id, known));
                faults.check(known, || format!("row {}: of an item that is gone", key.escape_ascii()));
            }
        }
        Ok(())
    }

    fn read_history(&self, kind: &[u8], key: &Key, value: &Value, faults: &mut Faults) {
        if kind == keys::ATTEMPTS {
            faults.read(key, AttemptRow::read(value));
        } else {
            faults.read(key, read_report(value));
        }
    }

    async fn captured(&self, faults: &mut Faults) -> Result<(), QueueError> {
        let mut rows = self.all(keys::CAPTURED);
        while let Some((key, value)) = rows.next().await? {
            let (Some(id), Some(row)) = (
                keys::item_of(&key, keys::CAPTURED),
                faults.read(&key, CapturedRow::read(&value)),
            ) else {
                continue;
            };
            self.body(&format!("captured message {}", name(id)), row.body, faults)
                .await?;
        }
        Ok(())
    }

    async fn leases(&self, faults: &mut Faults) -> Result<(), QueueError> {
        for shard in 0..keys::SHARDS {
            let key = keys::lease(shard);
            if let Some(value) = self.store.get(&key).await? {
                faults.read(&key, LeaseRow::read(&value));
            }
        }
        Ok(())
    }
}

/// An item, for people.
fn name(ItemId { message, recipient }: ItemId) -> String {
    let message: EmailId = message;
    format!("{message}/{recipient}")
}
