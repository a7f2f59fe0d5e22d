//! What becomes of an item when an attempt ends: a pure function.

use crate::model::{ItemId, ItemState, Outcome, Reason};
use crate::options::{OnLostReply, Options};
use crate::rows::{ItemRow, Wish};
use crate::schedule::milliseconds;
use crate::view::AttemptOutcome;

/// What the sender is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Notice {
    /// It was not delivered, or nobody knows and it is not tried again.
    Failed,
    /// It takes longer.
    Delayed,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) row: ItemRow,
    pub(crate) outcome: AttemptOutcome,
    pub(crate) notice: Option<Notice>,
}

/// The item after this attempt ended so.
pub(crate) fn decide(id: ItemId, old: &ItemRow, outcome: &Outcome, options: &Options, now: i64) -> Decision {
    let (outcome, reason) = match outcome {
        Outcome::Delivered(reason) => (AttemptOutcome::Delivered, reason),
        Outcome::Deferred(reason) => (AttemptOutcome::Deferred, reason),
        Outcome::Bounced(reason) => (AttemptOutcome::Bounced, reason),
        Outcome::Uncertain(reason) => (AttemptOutcome::Uncertain, reason),
    };
    let mut row = ItemRow {
        wish: Wish::None,
        changed_at: now,
        reason: reason.clone(),
        ..old.clone()
    };
    let lost = outcome == AttemptOutcome::Uncertain && options.on_lost_reply == OnLostReply::Hold;
    let (state, notice) = match (outcome, old.wish) {
        (AttemptOutcome::Delivered, _) => (ItemState::Delivered, None),
        (_, Wish::Cancel) => (ItemState::Cancelled, None),
        (AttemptOutcome::Bounced, _) => (ItemState::Bounced, Some(Notice::Failed)),
        _ if lost => (ItemState::Held, Some(Notice::Failed)),
        (_, Wish::Hold) => (ItemState::OnHold, None),
        (_, Wish::None) => retry(id, &mut row, options, now),
    };
    row.state = state;
    Decision { row, outcome, notice }
}

/// The next attempt, if there is time for one, and one word to the sender when it takes long.
fn retry(id: ItemId, row: &mut ItemRow, options: &Options, now: i64) -> (ItemState, Option<Notice>) {
    let schedule = &options.schedule;
    let Some(due_at) = schedule.next_attempt(id.message, row.aged_from(), row.attempts, now, options.lifetime) else {
        return (ItemState::Expired, Some(Notice::Failed));
    };
    row.due_at = due_at;
    let is_late = now.saturating_sub(row.aged_from()) >= milliseconds(options.delay_notice);
    let tell = is_late && !row.delay_told;
    row.delay_told |= tell;
    (ItemState::Queued, tell.then_some(Notice::Delayed))
}

/// The outcome of an item of which the worker said nothing.
pub(crate) fn not_tried() -> Outcome {
    Outcome::Deferred(Reason {
        text: "Not tried this time".into(),
        ..Reason::default()
    })
}

/// The outcome of an attempt that was found open.
pub(crate) fn found_open() -> Outcome {
    Outcome::Uncertain(Reason {
        code: 0,
        status: "4.4.2".into(),
        text: "The server stopped during this attempt; how far it came is not known".into(),
    })
}

/// The outcome of an attempt that was found open, of which it is known that it did not come to the content.
pub(crate) fn found_unsent() -> Outcome {
    Outcome::Deferred(Reason {
        code: 0,
        status: "4.3.2".into(),
        text: "The server stopped before it sent the message".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Contact, Destination};
    use postroom_types::{Domain, EmailAddress, EmailId, ReversePath};

    const HOUR: i64 = 3_600_000;

    fn item(attempts: u32, wish: Wish) -> ItemRow {
        let domain = Domain::parse("example.test").unwrap();
        ItemRow {
            state: ItemState::Attempting,
            wish,
            delay_told: false,
            reports: 0,
            attempts,
            created_at: 0,
            due_at: 0,
            changed_at: 0,
            size_octets: 1,
            sender: None,
            organization: None,
            reverse_path: ReversePath::Null,
            address: EmailAddress::parse("a@example.test").unwrap(),
            destination: Destination::Domain(domain),
            reason: Reason::default(),
            contact: Contact::default(),
            held_back_ms: 0,
            held_back_until: 0,
        }
    }

    #[test]
    fn states_and_notices() {
        use AttemptOutcome as O;
        use ItemState as S;
        let id = ItemId {
            message: EmailId::from_bytes([1; 16]),
            recipient: 0,
        };
        let reason = Reason::default;
        let mut options = Options::new("mx.example.test".into(), Domain::parse("example.test").unwrap());
        let mut check = |on_lost_reply, outcome: Outcome, wish, hours: i64, state, kind, notice| {
            options.on_lost_reply = on_lost_reply;
            let decision = decide(id, &item(3, wish), &outcome, &options, hours * HOUR);
            let seen = (decision.row.state, decision.outcome, decision.notice);
            assert_eq!(seen, (state, kind, notice), "{outcome:?} {wish:?} at {hours} h");
            assert_eq!(decision.row.wish, Wish::None);
        };
        let (retry, hold) = (OnLostReply::Retry, OnLostReply::Hold);
        let (failed, delayed) = (Some(Notice::Failed), Some(Notice::Delayed));
        for wish in [Wish::None, Wish::Hold, Wish::Cancel] {
            check(
                retry,
                Outcome::Delivered(reason()),
                wish,
                1,
                S::Delivered,
                O::Delivered,
                None,
            );
        }
        for (wish, at, state, notice) in [
            (Wish::None, 1, S::Queued, None),
            (Wish::None, 4, S::Queued, delayed),
            (Wish::None, 119, S::Queued, delayed),
            (Wish::None, 120, S::Expired, failed),
            (Wish::Hold, 120, S::OnHold, None),
            (Wish::Cancel, 120, S::Cancelled, None),
        ] {
            check(retry, Outcome::Deferred(reason()), wish, at, state, O::Deferred, notice);
            check(
                retry,
                Outcome::Uncertain(reason()),
                wish,
                at,
                state,
                O::Uncertain,
                notice,
            );
        }
        check(
            retry,
            Outcome::Bounced(reason()),
            Wish::None,
            1,
            S::Bounced,
            O::Bounced,
            failed,
        );
        check(
            retry,
            Outcome::Bounced(reason()),
            Wish::Hold,
            1,
            S::Bounced,
            O::Bounced,
            failed,
        );
        check(
            retry,
            Outcome::Bounced(reason()),
            Wish::Cancel,
            1,
            S::Cancelled,
            O::Bounced,
            None,
        );
        check(
            hold,
            Outcome::Uncertain(reason()),
            Wish::None,
            1,
            S::Held,
            O::Uncertain,
            failed,
        );
        check(
            hold,
            Outcome::Uncertain(reason()),
            Wish::Hold,
            1,
            S::Held,
            O::Uncertain,
            failed,
        );
        check(
            hold,
            Outcome::Uncertain(reason()),
            Wish::Cancel,
            1,
            S::Cancelled,
            O::Uncertain,
            None,
        );
        check(
            hold,
            Outcome::Deferred(reason()),
            Wish::None,
            1,
            S::Queued,
            O::Deferred,
            None,
        );
    }

    #[test]
    fn time_held_back_is_no_age() {
        let options = Options::new("mx.example.test".into(), Domain::parse("example.test").unwrap());
        let id = ItemId {
            message: EmailId::from_bytes([1; 16]),
            recipient: 0,
        };
        let late = |held_back_ms| {
            let row = ItemRow {
                held_back_ms,
                ..item(3, Wish::None)
            };
            decide(id, &row, &not_tried(), &options, 121 * HOUR).row.state
        };
        assert_eq!((late(0), late(2 * HOUR)), (ItemState::Expired, ItemState::Queued));
    }

    #[test]
    fn delay_is_told_once() {
        let options = Options::new("mx.example.test".into(), Domain::parse("example.test").unwrap());
        let id = ItemId {
            message: EmailId::from_bytes([1; 16]),
            recipient: 0,
        };
        let first = decide(id, &item(3, Wish::None), &not_tried(), &options, 5 * HOUR);
        assert_eq!(first.notice, Some(Notice::Delayed));
        let second = decide(id, &first.row, &not_tried(), &options, 9 * HOUR);
        assert_eq!(second.notice, None);
    }
}
