//! What became of a message as a whole.

use crate::model::ItemState;
use crate::rows::{ItemRow, read_report};
use crate::{Queue, QueueError, keys};
use postroom_message::ReportKind;
use postroom_store::scan_prefix;
use postroom_types::EmailId;

/// What is true of some recipient of a message. All `false` of a message that is no longer known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// It is under way, or kept back for now.
    pub open: bool,
    /// The next server took it, or an inbox here did.
    pub delivered: bool,
    /// It did not reach somebody, now or by a later report.
    pub bounced: bool,
    /// It takes long: the sender was told, by this server or another.
    pub delayed: bool,
    /// Somebody called it junk.
    pub complained: bool,
    /// It was taken back, or is kept back by the loop breaker.
    pub rejected: bool,
}

impl Queue {
    /// What became of a message, as far as its history is kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn fate(&self, message: EmailId) -> Result<Fate, QueueError> {
        let store = &*self.shared.store;
        let mut fate = Fate::default();
        let mut is_reported = false;
        let mut items = scan_prefix(store, &keys::items(message));
        while let Some((_, value)) = items.next().await? {
            let row = ItemRow::read(&value)?;
            fate.add(&row);
            is_reported |= row.reports > 0;
        }
        if is_reported {
            let mut reports = scan_prefix(store, &keys::reports_of(message));
            while let Some((_, value)) = reports.next().await? {
                fate.add_report(read_report(&value)?.kind);
            }
        }
        Ok(fate)
    }
}

impl Fate {
    fn add(&mut self, row: &ItemRow) {
        self.delayed |= row.delay_told;
        match row.state {
            ItemState::Delivered => self.delivered = true,
            ItemState::Bounced | ItemState::Expired | ItemState::Held => self.bounced = true,
            ItemState::Cancelled => self.rejected = true,
            // On hold since it came: by the loop breaker, and not by the operator.
            ItemState::OnHold => {
                self.open = true;
                self.rejected |= row.changed_at == row.created_at;
            }
            ItemState::Queued | ItemState::Attempting => self.open = true,
        }
    }

    fn add_report(&mut self, kind: ReportKind) {
        match kind {
            ReportKind::Failed => self.bounced = true,
            ReportKind::Delayed => self.delayed = true,
            ReportKind::Complaint => self.complained = true,
            ReportKind::Delivered | ReportKind::Relayed | ReportKind::Expanded => {}
        }
    }
}
