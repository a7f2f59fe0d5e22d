//! SORT (RFC 5256 §3, RFC 5957).

use super::cache::MailboxColumns;
use super::texts::{Ranks, TextId};
use crate::shared::Row;
use postroom_types::{SortBy, SortKey};

/// Whether a criterion is told from the columns.
pub(super) const fn needs_columns(key: SortKey) -> bool {
    !matches!(key.by, SortBy::Arrival | SortBy::Size)
}

/// Puts messages, ascending by UID, in order. Those without a line are gone and left out, if `columns` are given.
pub(super) fn sorted(rows: Vec<Row>, columns: Option<&MailboxColumns>, keys: &[SortKey]) -> Vec<Row> {
    let mut rows = rows;
    let mut values: Vec<u64> = Vec::with_capacity(rows.len() * keys.len());
    match columns {
        None => {
            for row in &rows {
                values.extend(keys.iter().map(|key| reversed(*key, of_row(row, key.by))));
            }
        }
        Some(mailbox) => {
            let columns = mailbox.read();
            let ranks = if keys.iter().any(|key| needs_ranks(key.by)) {
                mailbox.ranks(&columns)
            } else {
                Ranks::default()
            };
            let mut hint = 0;
            rows.retain(|row| {
                let Some(line) = columns.find(row.uid, &mut hint) else {
                    return false;
                };
                let rank = |id: TextId| u64::from(ranks.of(id));
                values.extend(keys.iter().map(|key| {
                    let value = match key.by {
                        SortBy::Arrival | SortBy::Size => of_row(row, key.by),
                        SortBy::Date => ascending(line.sent_at.unwrap_or(row.internal_seconds)),
                        SortBy::Cc => rank(line.first_cc),
                        SortBy::From => rank(line.first_from),
                        SortBy::To => rank(line.first_to),
                        SortBy::Subject => rank(line.base_subject),
                        SortBy::DisplayFrom => rank(line.display_from),
                        SortBy::DisplayTo => rank(line.display_to),
                    };
                    reversed(*key, value)
                }));
                true
            });
        }
    }
    let width = keys.len();
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    let of = |index: u32| &values[index as usize * width..][..width];
    // The last criterion is always the place in the mailbox, never reversed.
    order.sort_unstable_by(|a, b| of(*a).cmp(of(*b)).then(a.cmp(b)));
    order.into_iter().map(|index| rows[index as usize]).collect()
}

const fn needs_ranks(by: SortBy) -> bool {
    !matches!(by, SortBy::Arrival | SortBy::Size | SortBy::Date)
}

fn of_row(row: &Row, by: SortBy) -> u64 {
    match by {
        SortBy::Size => u64::from(row.size_octets),
        _ => ascending(row.internal_seconds),
    }
}

/// A signed number as an unsigned one in the same order.
pub(super) const fn ascending(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

const fn reversed(key: SortKey, value: u64) -> u64 {
    if key.reverse { !value } else { value }
}
