//! What must hold in the end, whatever the servers did.

use crate::world::{Sent, World};
use postroom_message::{Report, ReportKind};
use postroom_queue::{AttemptOutcome, ItemState, RecipientStatus};
use postroom_testkit::remote::Taken;

/// Checks every recipient of every message; `what` names the scenario in failures.
pub(crate) async fn check(world: &World, sent: &[Sent], what: &str) {
    let taken: Vec<_> = world.net.servers().flat_map(|server| server.taken()).collect();
    let faults: Vec<_> = world.net.servers().flat_map(|server| server.faults()).collect();
    assert_eq!(faults, Vec::<String>::new(), "{what}");
    let notices = world.notices().await;
    let mut failures = 0;
    for message in sent {
        let recipients = world.queue.recipients(message.id).await.expect("a working store");
        assert!(!recipients.is_empty(), "{what}: {} is forgotten", message.message_id);
        for status in &recipients {
            failures += usize::from(status.state != ItemState::Delivered);
            check_recipient(world, message, status, &taken, what).await;
            check_notices(message, status, &notices, what);
        }
    }
    let told = notices
        .iter()
        .filter(|notice| notice.kind == ReportKind::Failed)
        .count();
    assert_eq!(told, failures, "{what}: one notice of each failure");
}

async fn check_recipient(world: &World, message: &Sent, status: &RecipientStatus, taken: &[Taken], what: &str) {
    let what = format!(
        "{what}: {} to {}, {:?}",
        message.message_id, status.address, status.state
    );
    assert!(status.state.is_final(), "{what}");
    let address = status.address.to_string();
    let here = |taken: &&Taken| taken.message_id == message.message_id && taken.recipient == address;
    let taken: Vec<_> = taken.iter().filter(here).collect();
    let acknowledged = taken.iter().filter(|taken| taken.acknowledged).count();
    let attempts = world.queue.attempts(status.id).await.expect("a working store");
    let came_to = |outcome| attempts.iter().filter(|attempt| attempt.outcome == outcome).count();
    let shown = format!("{what}\n{attempts:#?}");

    assert_eq!(
        acknowledged,
        usize::from(status.state == ItemState::Delivered),
        "{shown}"
    );
    assert_eq!(came_to(AttemptOutcome::Delivered), acknowledged, "{shown}");
    assert_eq!(came_to(AttemptOutcome::Open), 0, "{shown}");
    // Taken without a word: the attempt says that it does not know.
    assert!(
        taken.len() - acknowledged <= came_to(AttemptOutcome::Uncertain),
        "{shown}"
    );
    let last = attempts.last().map(|attempt| attempt.outcome);
    match status.state {
        ItemState::Delivered => assert_eq!(last, Some(AttemptOutcome::Delivered), "{shown}"),
        ItemState::Bounced => assert_eq!(last, Some(AttemptOutcome::Bounced), "{shown}"),
        ItemState::Expired => {
            let days = (status.changed_at - status.created_at) / 86_400_000;
            assert!((5..6).contains(&days), "expired after {days} days: {shown}");
        }
        _ => panic!("not a state this can come to: {shown}"),
    }
    for taken in taken {
        assert_eq!(&*taken.content, message.content.as_slice(), "{what}");
        assert!(
            taken.reverse_path.starts_with("b=") && taken.reverse_path.ends_with("@here.example"),
            "{what}"
        );
    }
}

/// The sender hears once of a failure, at most once of a delay, and of nothing else.
fn check_notices(message: &Sent, status: &RecipientStatus, notices: &[Report], what: &str) {
    let address = status.address.to_string();
    let count = |kind| {
        let fits = |notice: &&Report| {
            notice.kind == kind
                && notice.final_recipient.as_deref() == Some(&address)
                && notice.original_message_id.as_deref() == Some(&message.message_id)
        };
        notices.iter().filter(fits).count()
    };
    let what = format!("{what}: {} to {address}, {:?}", message.message_id, status.state);
    let failed = usize::from(status.state != ItemState::Delivered);
    assert_eq!(count(ReportKind::Failed), failed, "{what}\n{notices:#?}");
    assert!(count(ReportKind::Delayed) <= 1, "{what}\n{notices:#?}");
    assert_eq!(
        count(ReportKind::Delivered) + count(ReportKind::Relayed),
        0,
        "{what}\n{notices:#?}"
    );
}
