//! Deciding by what has to be read: headers, and texts.
//!
//! What always holds: a search holds at most [`BATCH_OCTETS`] of what it reads, or one longer message; of those with a
//! batch there are as many as processors, of those with a longer message two.

use super::cache::MailboxColumns;
use super::candidate::{Known, Memory};
use super::program::{Program, Truth};
use super::run::{Undecided, Wanted, Wanting, elsewhere, is_of_header};
use crate::content::Content;
use crate::rows::{MessageRow, TextPlace, read_text};
use crate::shared::{Row, SharedMailbox};
use crate::{MailError, Mailstore};
use bytes::Bytes;
use postroom_message::{RawMessage, fold_standing, parse_search_text};
use postroom_store::{FoundBlob, StoreError};
use postroom_types::{BlobId, EmailId};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Messages whose rows are read at once.
const PIECE: usize = 500;
/// Most octets that are read at once.
const BATCH_OCTETS: u64 = 4 << 20;
/// A message of which more is read is read alone.
const LONG_OCTETS: u64 = 1 << 20;
/// Most octets of leaves times messages in one job: each leaf searches the text anew.
const SEARCHED_OCTETS: u64 = 256 << 20;

/// What is read of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Header,
    Text,
}

/// A message and where it is.
struct Item {
    undecided: Undecided,
    content: Content,
    text: TextPlace,
}

impl Item {
    /// What has to be read for its header, or text.
    fn wanted(&self, reading: Reading) -> (BlobId, Range<u64>) {
        let prefix = self.content.prefix.len() as u64;
        let header = 0..self.undecided.body_offset.saturating_sub(prefix);
        let range = match (reading, self.text) {
            (Reading::Text, TextPlace::Blob(id, octets)) => return (id, 0..octets),
            (Reading::Header, _) | (Reading::Text, TextPlace::Content { body: false }) => header,
            (Reading::Text, TextPlace::Content { body: true } | TextPlace::Nowhere) => 0..self.content.body_octets,
        };
        (self.content.blob, range.start..range.end.min(self.content.body_octets))
    }

    fn octets(&self, reading: Reading) -> u64 {
        let (_, range) = self.wanted(reading);
        self.content.prefix.len() as u64 + range.end - range.start
    }
}

impl Mailstore {
    /// Those that match among messages that rows and columns do not decide.
    pub(super) async fn matching_texts(
        &self,
        shared: &SharedMailbox,
        mut undecided: Vec<Undecided>,
        program: &Arc<Program>,
        columns: &Arc<MailboxColumns>,
    ) -> Result<Vec<Row>, MailError> {
        let mut matching = Vec::new();
        while !undecided.is_empty() {
            let rest = undecided.split_off(undecided.len().min(PIECE));
            let items = self.places(shared, std::mem::replace(&mut undecided, rest)).await?;
            let (asking, silent): (Vec<Item>, Vec<Item>) =
                items.into_iter().partition(|item| item.undecided.asks_header);
            let (found, asked) = self.judge(program, columns, asking, Reading::Header).await?;
            matching.extend(found);
            if program.has_text {
                let items = silent.into_iter().chain(asked).collect();
                matching.extend(self.judge(program, columns, items, Reading::Text).await?.0);
            }
        }
        Ok(matching)
    }

    /// Where the messages are; those that are gone are left out.
    async fn places(&self, shared: &SharedMailbox, undecided: Vec<Undecided>) -> Result<Vec<Item>, MailError> {
        let there = undecided.iter().filter(|undecided| undecided.candidate.ghost.is_none());
        let ids: Vec<EmailId> = there.map(|undecided| undecided.email_id).collect();
        let mut values = self.message_values(shared.inbox(), &ids).await?.into_iter();
        let mut items = Vec::with_capacity(undecided.len());
        for undecided in undecided {
            let (content, text) = match &undecided.candidate.ghost {
                Some(ghost) => (ghost.content.clone(), TextPlace::Nowhere),
                None => {
                    let Some(value) = values.next().flatten() else { continue };
                    let row = MessageRow::read(&value)?;
                    let text = row.text;
                    (row.content(), text)
                }
            };
            items.push(Item {
                undecided,
                content,
                text,
            });
        }
        Ok(items)
    }

    /// Reads the messages and asks the program again: those that match, and those that are still undecided.
    async fn judge(
        &self,
        program: &Arc<Program>,
        columns: &Arc<MailboxColumns>,
        items: Vec<Item>,
        reading: Reading,
    ) -> Result<(Vec<Row>, Vec<Item>), MailError> {
        let leaves = program.leaves.len().max(1) as u64;
        let batch_octets = (SEARCHED_OCTETS / leaves).clamp(1, BATCH_OCTETS);
        let wanting = Wanting::default();
        let (mut matching, mut undecided) = (Vec::new(), Vec::new());
        let mut items = items.into_iter().peekable();
        while let Some(first) = items.next() {
            let mut octets = first.octets(reading);
            let is_long = octets > LONG_OCTETS;
            let _turn = if is_long {
                self.searches.long_turn().await
            } else {
                self.searches.turn().await
            };
            let mut batch = vec![first];
            while !is_long && octets < batch_octets {
                let room = (batch_octets - octets).min(LONG_OCTETS);
                let Some(item) = items.next_if(|item| item.octets(reading) <= room) else {
                    break;
                };
                octets += item.octets(reading);
                batch.push(item);
            }
            let wanted: Vec<_> = batch.iter().map(|item| item.wanted(reading)).collect();
            let blobs = readable(self.store.blobs(&wanted).await, &batch)?;
            let (program, columns) = (Arc::clone(program), Arc::clone(columns));
            let wanted = wanting.wanted();
            let (decided, rest) =
                elsewhere(move || by_reading(&program, &columns, batch, blobs, (reading, &wanted))).await?;
            matching.extend(decided);
            undecided.extend(rest);
        }
        Ok((matching, undecided))
    }
}

/// What was read. A body that is damaged is as one that is gone: its message does not match, and the others may.
fn readable(found: Vec<FoundBlob>, items: &[Item]) -> Result<Vec<Option<Bytes>>, MailError> {
    let read = |(found, item): (FoundBlob, &Item)| match found {
        Err(StoreError::Corrupt(error)) => {
            tracing::error!(msg = %item.undecided.email_id, %error, "cannot search a message");
            Ok(None)
        }
        found => Ok(found?),
    };
    found.into_iter().zip(items).map(read).collect()
}

fn by_reading(
    program: &Program,
    columns: &MailboxColumns,
    batch: Vec<Item>,
    blobs: Vec<Option<Bytes>>,
    (reading, wanted): (Reading, &Wanted),
) -> (Vec<Row>, Vec<Item>) {
    let (mut matching, mut undecided) = (Vec::new(), Vec::new());
    let (mut stack, mut hint, mut scratch) = (Vec::new(), 0, Vec::new());
    let mut memory = Memory::default();
    for (mut item, blob) in batch.into_iter().zip(blobs) {
        // Without a body it is gone, or as good as that.
        let Some(blob) = blob else { continue };
        let raw = RawMessage {
            prefix: &item.content.prefix,
            body: &blob,
        };
        let parsed;
        let (header, text) = match (reading, item.text) {
            (Reading::Header, _) => (Some(header_of(raw)), None),
            (Reading::Text, TextPlace::Blob(..)) => match read_text(&blob) {
                Ok(text) => (None, Some(text)),
                Err(_) => continue,
            },
            (Reading::Text, TextPlace::Content { body }) => {
                let sections = (program.has_header_text, body);
                let header = fold_standing(raw, item.undecided.body_offset, sections, &mut scratch);
                (None, Some(scratch.split_at(header)))
            }
            (Reading::Text, TextPlace::Nowhere) => {
                parsed = parse_search_text(raw);
                (None, Some((parsed.header.as_bytes(), parsed.body.as_bytes())))
            }
        };
        let columns = columns.read();
        let candidate = &item.undecided.candidate;
        let Some(line) = columns.find(candidate.row.uid, &mut hint) else {
            continue;
        };
        let known = Known {
            candidate,
            line: Some((&columns, line)),
            header: header.as_deref(),
            text,
        };
        let ask = |leaf: usize| match wanted.get() {
            true => known.ask(program, leaf, &mut memory),
            // Nobody waits for the answer.
            false => Truth::No,
        };
        match program.decide(&mut stack, ask) {
            Truth::Yes => matching.push(candidate.row),
            Truth::No => {}
            Truth::Maybe => {
                let tell = |leaf: usize| match is_of_header(&program.leaves[leaf]) {
                    true => known.ask(program, leaf, &mut memory),
                    false => Truth::Maybe,
                };
                let told = (0..program.leaves.len()).map(tell).collect();
                drop(columns);
                item.undecided.candidate.told = told;
                undecided.push(item);
            }
        }
    }
    (matching, undecided)
}

/// The header section of what was read of it: prefix and all of the rest.
fn header_of(raw: RawMessage<'_>) -> Cow<'_, [u8]> {
    if raw.prefix.is_empty() {
        Cow::Borrowed(raw.body)
    } else {
        Cow::Owned([raw.prefix, raw.body].concat())
    }
}
