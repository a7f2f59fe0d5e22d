//! Is what is stored of the feed consistent? For tests and for `fsck`; nothing may change meanwhile.

use crate::{Feed, FeedError, keys, row};
use postroom_store::scan_prefix;

impl Feed {
    /// Everything that is wrong with what is stored of the feed; empty if nothing is. Nothing may change meanwhile.
    ///
    /// # Errors
    /// The store's own. Rows that do not decode are findings, not errors.
    pub async fn check_consistency(&self) -> Result<Vec<String>, FeedError> {
        let mut faults = Vec::new();
        let mut trimmed = None;
        let mut rows = scan_prefix(&*self.store, keys::ALL);
        while let Some((key, value)) = rows.next().await? {
            if let Some((organization, cursor)) = keys::read_event(&key) {
                if row::read(&value).is_err() {
                    faults.push(format!("organization {organization}: event {cursor} does not decode"));
                }
                // The same for many events on end.
                if trimmed.is_none_or(|(of, _)| of != organization) {
                    trimmed = Some((organization, self.trimmed(organization).await.unwrap_or_default()));
                }
                if trimmed.is_some_and(|(_, last)| cursor <= last) {
                    faults.push(format!(
                        "organization {organization}: event {cursor} is said to be gone"
                    ));
                }
            } else if keys::read_trimmed(&key).is_none() || row::read_trimmed(&value).is_err() {
                faults.push(format!("row {}: it does not decode", key.escape_ascii()));
            }
        }
        Ok(faults)
    }
}
