//! Text that may be longer than a value of the store, in a row and further ones behind it.
//!
//! What always holds: it is written only in a commit that replaces a row which each change of it makes anew, so of two
//! writers at once the second reads again. The first row says how many parts follow and which change wrote them; a reader
//! that finds parts of another change reads again.

use crate::attempts::ATTEMPTS;
use crate::record::{decode, encode};
use crate::{Identity, IdentityError};
use postroom_store::{CommitBuilder, Key, StoreError, Value};

/// Rows of this format hold their text whole; see [`decode`].
const WHOLE: u8 = 1;
/// Rows of this format: the change that wrote them (8 octets); in the first row the number of parts (1 octet), in the
/// others a piece of the text.
const PARTS: u8 = 2;
const PART_OCTETS: usize = 4000;

/// The key of a part of the text at `first`.
fn part_of(first: &Key, part: u8) -> Key {
    [&first[..], &[part]].concat()
}

/// Adds the writing of a text to a commit. `written_at` differs for each change of it; `old_parts` are those to be
/// replaced.
pub(crate) fn put(builder: &mut CommitBuilder, first: &Key, text: Option<&str>, written_at: i64, old_parts: u8) {
    let mut parts = 0;
    match text {
        None => {
            builder.delete(first.clone());
        }
        Some(text) => {
            let whole = encode(&text);
            if whole.len() <= PART_OCTETS {
                builder.put(first.clone(), whole);
            } else {
                let head = [&[PARTS][..], &written_at.to_be_bytes()].concat();
                for (part, piece) in (0..=u8::MAX).zip(text.as_bytes().chunks(PART_OCTETS)) {
                    builder.put(part_of(first, part), [&head, piece].concat());
                    parts = part + 1;
                }
                builder.put(first.clone(), [&head[..], &[parts]].concat());
            }
        }
    }
    for part in parts..old_parts {
        builder.delete(part_of(first, part));
    }
}

/// What a first row says.
enum First {
    Whole(String),
    Parts { head: Vec<u8>, parts: u8 },
}

fn first_row(value: &Value) -> Result<First, StoreError> {
    match value.as_slice() {
        [WHOLE, ..] => Ok(First::Whole(decode(value)?)),
        [PARTS, _, _, _, _, _, _, _, _, parts] => Ok(First::Parts {
            head: value[..value.len() - 1].to_vec(),
            parts: *parts,
        }),
        _ => Err(StoreError::Corrupt("a text in parts".into())),
    }
}

impl Identity {
    /// A text, with the number of rows beside the first one.
    pub(crate) async fn text_in_parts(&self, first: &Key) -> Result<(Option<String>, u8), IdentityError> {
        for _ in 0..ATTEMPTS {
            let Some(value) = self.store.get(first).await? else {
                return Ok((None, 0));
            };
            let (head, parts) = match first_row(&value)? {
                First::Whole(text) => return Ok((Some(text), 0)),
                First::Parts { head, parts } => (head, parts),
            };
            let rows: Vec<Key> = (0..parts).map(|part| part_of(first, part)).collect();
            let mut text = Vec::new();
            let mut is_whole = true;
            for row in self.store.get_many(&rows).await? {
                match row.as_deref().and_then(|row| row.strip_prefix(head.as_slice())) {
                    Some(piece) => text.extend_from_slice(piece),
                    None => is_whole = false,
                }
            }
            if is_whole {
                let text = String::from_utf8(text).map_err(|_| StoreError::Corrupt("a text in parts".into()))?;
                return Ok((Some(text), parts));
            }
            tokio::task::yield_now().await;
        }
        Err(IdentityError::Busy)
    }

    /// Every row that a text may have.
    pub(crate) async fn rows_of_text(&self, first: &Key) -> Result<Vec<Key>, IdentityError> {
        let (_, parts) = self.text_in_parts(first).await?;
        let rows = (0..parts).map(|part| part_of(first, part));
        Ok(rows.chain([first.clone()]).collect())
    }
}
