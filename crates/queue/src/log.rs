//! One line for each outcome, always with the same field names: where is my message?

use crate::model::{ItemId, ItemState};
use crate::rows::ItemRow;

/// Says what became of an item.
pub(crate) fn outcome(id: ItemId, row: &ItemRow) {
    let ItemRow {
        address,
        attempts,
        contact,
        reason,
        ..
    } = row;
    let (msg, to, attempt, host, code, reason) =
        (id.message, address, attempts, &contact.host, reason.code, &reason.text);
    match row.state {
        ItemState::Delivered => tracing::info!(%msg, %to, attempt, host, code, reason, "delivered"),
        ItemState::Queued => {
            let retry_after_seconds = row.due_at.saturating_sub(row.changed_at).max(0) / 1000;
            tracing::info!(%msg, %to, attempt, host, code, reason, retry_after_seconds, "deferred");
        }
        ItemState::Bounced => tracing::info!(%msg, %to, attempt, host, code, reason, "bounced"),
        ItemState::Expired => tracing::info!(%msg, %to, attempt, host, code, reason, "expired"),
        ItemState::Cancelled => tracing::info!(%msg, %to, attempt, host, code, reason, "cancelled"),
        ItemState::OnHold | ItemState::Held => tracing::info!(%msg, %to, attempt, host, code, reason, "held"),
        ItemState::Attempting => {}
    }
}
