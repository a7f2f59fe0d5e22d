//! All inboxes of a store, for checks of the whole.

use crate::{MailError, Mailstore, keys};
use postroom_store::prefix_end;
use postroom_types::InboxId;

impl Mailstore {
    /// The inboxes that have rows, deleted ones whose mail is not purged yet included; in the order of their ids.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inboxes(&self) -> Result<Vec<InboxId>, MailError> {
        let mut found = Vec::new();
        let mut low = b"m".to_vec();
        let high = prefix_end(b"m");
        loop {
            // A short page may be empty, with more behind it.
            let page = self.store.range(&low, &high, false, 1).await?;
            let Some((key, _)) = page.pairs.first() else {
                match page.resume.filter(|_| page.more) {
                    Some(resume) => low = [resume.as_slice(), b"\0"].concat(),
                    None => return Ok(found),
                }
                continue;
            };
            let Some(id) = key.get(1..17).and_then(|bytes| bytes.try_into().ok()) else {
                return Ok(found);
            };
            let inbox = InboxId::from_bytes(id);
            found.push(inbox);
            low = prefix_end(&keys::inbox_prefix(inbox));
        }
    }
}
