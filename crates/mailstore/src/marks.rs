//! What a commit tells of labels, row of the feed by row.
//!
//! What always holds: nothing is left untold: what does not fit beside the events of a commit stands in rows of its own, which
//! the same commit writes.

use crate::Marked;
use crate::change::Change;
use crate::rows::FeedRow;
use postroom_store::MAX_VALUE_OCTETS;
use postroom_types::EmailId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::vec;

/// Octets of the id of a message.
const EMAIL_ID: usize = 16;

/// Labels given (`true`) and taken, and of which messages.
#[derive(Default)]
pub(crate) struct Marks(BTreeMap<(String, bool), BTreeSet<EmailId>>);

impl Marks {
    pub(crate) fn add(&mut self, label: String, added: bool, message: EmailId) {
        self.0.entry((label, added)).or_default().insert(message);
    }

    /// Octets that they take in one row, at most.
    pub(crate) fn octets(&self) -> usize {
        let marks = self.0.iter();
        marks
            .map(|((label, _), messages)| mark_octets(label) + EMAIL_ID * messages.len())
            .sum()
    }

    /// In their order, to be taken from the front.
    pub(crate) fn line_up(self) -> Line {
        let marks = self.0.into_iter();
        let waiting = marks.map(|((label, added), messages)| {
            let messages: Vec<EmailId> = messages.into_iter().collect();
            (label, added, messages.into_iter())
        });
        Line(waiting.collect())
    }
}

/// Marks that wait for their row.
pub(crate) struct Line(VecDeque<(String, bool, vec::IntoIter<EmailId>)>);

impl Line {
    /// As many of the first ones as have room in so many octets.
    pub(crate) fn take(&mut self, mut room: usize) -> Vec<Marked> {
        let mut marks = Vec::new();
        while let Some((label, added, messages)) = self.0.front_mut() {
            let fixed = mark_octets(label);
            let fitting = room.saturating_sub(fixed) / EMAIL_ID;
            let taken: Vec<EmailId> = messages.take(fitting).collect();
            if taken.is_empty() {
                break;
            }
            room -= fixed + EMAIL_ID * taken.len();
            let is_last = messages.len() == 0;
            marks.push(Marked {
                label: label.clone(),
                added: *added,
                messages: taken,
            });
            if !is_last {
                break;
            }
            self.0.pop_front();
        }
        marks
    }

    /// All that are left, each row of its own as full as can be.
    pub(crate) fn rows(mut self) -> Vec<Vec<Marked>> {
        let room = room_beside(&FeedRow::write(0, &[]).value);
        let mut rows = Vec::new();
        while !self.0.is_empty() {
            match self.take(room) {
                // Longer than a row: no label of ours is.
                marks if marks.is_empty() => drop(self.0.pop_front()),
                marks => rows.push(marks),
            }
        }
        rows
    }
}

impl Change {
    /// Tells that a message has a label now that it had not, or the other way round.
    pub(crate) fn tell_label(&mut self, label: impl Into<String>, added: bool, message: EmailId) {
        self.labels.add(label.into(), added, message);
    }
}

/// Octets that marks may take beside what a row has already.
pub(crate) fn room_beside(row: &[u8]) -> usize {
    MAX_VALUE_OCTETS.saturating_sub(row.len() + 8)
}

/// Octets that a mark takes beside its messages, at most: lengths and the like take less than these eight.
const fn mark_octets(label: &str) -> usize {
    label.len() + 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeedEvent;
    use crate::rows::Patchable;

    /// All are told, in order, in rows that are as long as may be and no longer.
    #[test]
    fn rows_hold_everything() {
        for (labels, messages) in [(1, 1), (1, 253), (3, 100), (40, 20), (2, 5000)] {
            let mut marks = Marks::default();
            for label in 0..labels {
                for _ in 0..messages {
                    marks.add(format!("{}{label:02}", "x".repeat(30)), label % 2 == 0, EmailId::new());
                }
            }
            let all: Vec<_> = marks
                .0
                .iter()
                .flat_map(|(name, ids)| ids.iter().map(move |id| (name.clone(), *id)))
                .collect();
            let mut line = marks.line_up();
            let first = line.take(1000);
            let rows = line.rows();
            let few = rows.len() <= (labels * (messages + 3) * EMAIL_ID).div_ceil(3500) + 1;
            assert!(few, "{} rows of {labels} labels, {messages} messages", rows.len());
            for marks in &rows {
                let row = FeedRow::write(i64::MAX, &[Patchable::Known(FeedEvent::Labels(marks.clone()))]);
                assert!(row.value.len() <= MAX_VALUE_OCTETS, "{}", row.value.len());
            }
            let told = [first].into_iter().chain(rows).flatten();
            let told: Vec<_> = told
                .flat_map(|mark| {
                    mark.messages
                        .into_iter()
                        .map(move |id| ((mark.label.clone(), mark.added), id))
                })
                .collect();
            assert_eq!(told, all);
        }
    }
}
