//! What the sender's organization is told: events in the commits that move recipients to a final state, and in those that
//! take down what was reported later.
//!
//! What always holds: each of these commits asks that the rows are those it was decided on, so each event comes once.

use crate::model::{ItemId, ItemState};
use crate::rows::ItemRow;
use postroom_feed::{NewEvent, What, announce};
use postroom_message::{Report, ReportKind};
use postroom_store::CommitBuilder;

/// How a recipient can end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Delivered,
    BouncedForGood,
    BouncedForNow,
    Cancelled,
}

impl End {
    const ALL: [Self; 4] = [
        Self::Delivered,
        Self::BouncedForGood,
        Self::BouncedForNow,
        Self::Cancelled,
    ];

    const fn of(state: ItemState) -> Option<Self> {
        match state {
            ItemState::Delivered => Some(Self::Delivered),
            ItemState::Bounced => Some(Self::BouncedForGood),
            // The sender gets a failure notice, and another message may fare better.
            ItemState::Expired | ItemState::Held => Some(Self::BouncedForNow),
            ItemState::Cancelled => Some(Self::Cancelled),
            ItemState::Queued | ItemState::Attempting | ItemState::OnHold => None,
        }
    }
}

/// Announces what recipients of one message become, one event for each way to end. Those that are not final yet add
/// nothing, nor does mail of which nobody is told.
pub(crate) fn announce_ends<'a>(
    builder: &mut CommitBuilder,
    recipients: impl Iterator<Item = (ItemId, &'a ItemRow)> + Clone,
) {
    for end in End::ALL {
        let mut ended = recipients
            .clone()
            .filter(|(_, row)| End::of(row.state) == Some(end))
            .peekable();
        let Some((ItemId { message, .. }, first)) = ended.peek().copied() else {
            continue;
        };
        let recipients = ended.map(|(id, _)| id.recipient).collect();
        let what = match end {
            End::Delivered => What::Delivered { message, recipients },
            End::BouncedForGood | End::BouncedForNow => What::Bounced {
                message,
                recipients,
                permanent: end == End::BouncedForGood,
            },
            End::Cancelled => What::Rejected {
                message,
                reason: "Cancelled".into(),
            },
        };
        announce_one(builder, first, first.changed_at, what);
    }
}

/// Announces what a report says of a recipient, if that is news after the earlier ones.
pub(crate) fn announce_report(
    builder: &mut CommitBuilder,
    (id, row): (ItemId, &ItemRow),
    report: &Report,
    earlier: &[ReportKind],
    now: i64,
) {
    if earlier.contains(&report.kind) {
        return;
    }
    let (message, recipients) = (id.message, vec![id.recipient]);
    let what = match report.kind {
        // Told when it bounced here.
        ReportKind::Failed if row.state == ItemState::Bounced => return,
        ReportKind::Failed => What::Bounced {
            message,
            recipients,
            // RFC 3463 §2: class 4 is a persistent transient failure.
            permanent: !report.status.starts_with('4'),
        },
        ReportKind::Complaint => What::Complained { message, recipients },
        ReportKind::Delayed | ReportKind::Delivered | ReportKind::Relayed | ReportKind::Expanded => return,
    };
    announce_one(builder, row, now, what);
}

fn announce_one(builder: &mut CommitBuilder, row: &ItemRow, at: i64, what: What) {
    if let Some(organization) = row.organization {
        let inbox = row.sender;
        announce(builder, organization, &[NewEvent { at, inbox, what }]);
    }
}
