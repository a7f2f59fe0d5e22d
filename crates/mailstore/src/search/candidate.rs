//! What is known of a message while a program is asked of it.

use super::columns::{Columns, Line};
use super::program::{Leaf, Program, Truth};
use super::texts::TextId;
use crate::shared::{Ghost, Keywords, Row, SharedMailbox};
use postroom_message::{address_text, fields, fold, header_values, parse_address_list};
use postroom_types::{AddressEntry, AddressField, Flags, Keyword, Uid};
use std::sync::Arc;

/// A message that may match.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) row: Row,
    /// Its keywords, if the program asks for any.
    keywords: Vec<Keyword>,
    /// What is left of it, if it is expunged.
    pub(super) ghost: Option<Arc<Ghost>>,
    /// What its header says to the leaves of the program; empty if it was not asked.
    pub(super) told: Vec<Truth>,
}

impl Candidate {
    /// Those of `uids` (ascending) that are there, or that are remembered.
    pub(super) fn of(shared: &SharedMailbox, uids: &[Uid], program: &Program) -> Vec<Self> {
        let (mut found, missing) = shared.with_rows(|rows, keywords| pick(rows, keywords, uids, program.has_keyword));
        let ghosts = missing
            .into_iter()
            .filter_map(|uid| shared.ghost(uid))
            .map(Self::of_ghost);
        let there = found.len();
        found.extend(ghosts);
        if found.len() > there {
            found.sort_unstable_by_key(|candidate| candidate.row.uid);
        }
        found
    }

    fn of_ghost(ghost: Arc<Ghost>) -> Self {
        let state = &ghost.state;
        Self {
            row: Row {
                modseq: state.modseq,
                internal_seconds: state.internal_date.seconds,
                uid: ghost.uid,
                size_octets: u32::try_from(state.size_octets).unwrap_or(u32::MAX),
                saved_at: state.saved_at.and_then(|at| u32::try_from(at).ok()).unwrap_or(0),
                keywords: crate::shared::KeywordSet::NONE,
                flags: state.flags.system,
                internal_zone: state.internal_date.zone_quarters(),
            },
            keywords: state.flags.keywords.clone(),
            ghost: Some(ghost),
            told: Vec::new(),
        }
    }
}

/// Those of `uids` (ascending) that are remembered alone.
pub(super) fn ghosts(shared: &SharedMailbox, uids: &[Uid]) -> Vec<Arc<Ghost>> {
    let mut missing = Vec::new();
    shared.with_rows(|rows, _| {
        let mut at = 0;
        for uid in uids {
            if place(rows, &mut at, *uid).is_none() {
                missing.push(*uid);
            }
        }
    });
    missing.into_iter().filter_map(|uid| shared.ghost(uid)).collect()
}

/// The row of a message. `at` is where it is looked for first, and becomes the place after it; UIDs are asked ascending.
fn place<'a>(rows: &'a [Row], at: &mut usize, uid: Uid) -> Option<&'a Row> {
    // Most often the next one.
    if rows.get(*at).is_none_or(|row| row.uid != uid) {
        *at += rows[*at..].partition_point(|row| row.uid < uid);
    }
    let row = rows.get(*at).filter(|row| row.uid == uid)?;
    *at += 1;
    Some(row)
}

fn pick(rows: &[Row], keywords: &Keywords, uids: &[Uid], with_keywords: bool) -> (Vec<Candidate>, Vec<Uid>) {
    let mut found = Vec::with_capacity(uids.len());
    let mut missing = Vec::new();
    let mut at = 0;
    for uid in uids {
        match place(rows, &mut at, *uid) {
            Some(row) => found.push(Candidate {
                row: *row,
                keywords: if with_keywords { keywords.of(row) } else { Vec::new() },
                ghost: None,
                told: Vec::new(),
            }),
            None => missing.push(*uid),
        }
    }
    (found, missing)
}

/// Answers kept by text, so that each text is searched once for all messages that have it.
#[derive(Default)]
pub(super) struct Memory(Vec<Vec<Option<bool>>>);

impl Memory {
    /// Leaves for which answers are kept; a program with more has them searched for each message.
    const LEAVES: usize = 16;

    fn ask(&mut self, leaf: usize, id: TextId, columns: &Columns, search: impl FnOnce(&[u8]) -> bool) -> bool {
        if leaf >= Self::LEAVES {
            return search(columns.texts.get(id));
        }
        if self.0.len() <= leaf {
            self.0.resize_with(leaf + 1, Vec::new);
        }
        let answers = &mut self.0[leaf];
        if answers.len() <= id.index() {
            answers.resize(columns.texts.len(), None);
        }
        *answers[id.index()].get_or_insert_with(|| search(columns.texts.get(id)))
    }
}

/// What is known of a candidate now.
pub(super) struct Known<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) line: Option<(&'a Columns, &'a Line)>,
    /// The header section as it stands.
    pub(super) header: Option<&'a [u8]>,
    /// Header and body as folded text.
    pub(super) text: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Known<'a> {
    pub(super) fn rows(candidate: &'a Candidate) -> Self {
        Self {
            candidate,
            line: None,
            header: None,
            text: None,
        }
    }

    /// What a leaf says of the message.
    pub(super) fn ask(&self, program: &Program, leaf: usize, memory: &mut Memory) -> Truth {
        if let Some(told) = self.candidate.told.get(leaf)
            && *told != Truth::Maybe
        {
            return *told;
        }
        let row = &self.candidate.row;
        let line = self.line.map(|(_, line)| line);
        match &program.leaves[leaf] {
            Leaf::Always => Truth::Yes,
            Leaf::Uids(ranges) => {
                let at = ranges.partition_point(|(_, last)| *last < row.uid);
                ranges.get(at).is_some_and(|(first, _)| *first <= row.uid).into()
            }
            Leaf::UidFrom(from) => from.is_some_and(|from| row.uid >= from).into(),
            Leaf::Flags(wanted) => (wanted.difference(row.flags) == Flags::NONE).into(),
            Leaf::Keyword(keyword) => self.candidate.keywords.contains(keyword).into(),
            Leaf::Larger(octets) => (u64::from(row.size_octets) > *octets).into(),
            Leaf::Smaller(octets) => (u64::from(row.size_octets) < *octets).into(),
            Leaf::Arrived(days) => days.hold(row.internal_date().day()).into(),
            // Without a save date as RFC 8514 §4.3 has it where none are kept.
            Leaf::Saved(days) => match row.saved_at() {
                Some(seconds) => days.hold_at(seconds),
                None => days.hold(row.internal_date().day()),
            }
            .into(),
            Leaf::ArrivedFrom(from) => (row.internal_seconds >= *from).into(),
            Leaf::ArrivedUpTo(until) => (row.internal_seconds <= *until).into(),
            Leaf::ModSeq(modseq) => (row.modseq >= *modseq).into(),
            Leaf::EmailId(id) => line.map_or(Truth::Maybe, |line| (Some(line.email_id) == *id).into()),
            Leaf::ThreadId(id) => line.map_or(Truth::Maybe, |line| (Some(line.thread_id) == *id).into()),
            Leaf::Sent(days) => {
                let days = *days;
                line.map_or(Truth::Maybe, |line| {
                    line.sent_day().is_some_and(|day| days.hold(day)).into()
                })
            }
            Leaf::Address(field, needle) => {
                let Some((columns, line)) = self.line else {
                    return Truth::Maybe;
                };
                match line.address(*field) {
                    TextId::NONE => Truth::No,
                    id if id != TextId::LONG && !needle.has_quote => {
                        memory.ask(leaf, id, columns, |text| needle.is_in(text)).into()
                    }
                    _ => self.of_header(|header| {
                        addresses_have(header, *field, |text| needle.is_in(text), needle.has_quote)
                    }),
                }
            }
            Leaf::Subject(needle) => {
                let Some((columns, line)) = self.line else {
                    return Truth::Maybe;
                };
                match line.subject {
                    TextId::NONE => Truth::No,
                    TextId::LONG => self.of_header(|header| {
                        let first = header_values(header, "Subject").into_iter().next();
                        first.is_some_and(|subject| needle.is_in(fold(&subject).as_bytes()))
                    }),
                    id => memory.ask(leaf, id, columns, |text| needle.is_in(text)).into(),
                }
            }
            Leaf::Header(name, needle) => self.of_header(|header| {
                header_values(header, name)
                    .iter()
                    .any(|value| needle.is_in(fold(value).as_bytes()))
            }),
            Leaf::Body(needle) => self.text.map_or(Truth::Maybe, |(_, body)| needle.is_in(body).into()),
            Leaf::Text(needle) => self.text.map_or(Truth::Maybe, |(header, body)| {
                (needle.is_in(header) || needle.is_in(body)).into()
            }),
        }
    }

    fn of_header(&self, truth: impl FnOnce(&[u8]) -> bool) -> Truth {
        self.header.map_or(Truth::Maybe, |header| truth(header).into())
    }
}

/// Whether an address field has a text, told from the header. With a quotation mark the field is searched as it is
/// written, so that no question arises of what is quoted.
fn addresses_have(header: &[u8], field: AddressField, is_in: impl Fn(&[u8]) -> bool, as_written: bool) -> bool {
    let name = match field {
        AddressField::From => "From",
        AddressField::To => "To",
        AddressField::Cc => "Cc",
        AddressField::Bcc => "Bcc",
    };
    if as_written {
        let values = header_values(header, name);
        return values.iter().any(|value| is_in(fold(value).as_bytes()));
    }
    let mut fields = fields(header).filter(|field| field.is(name)).peekable();
    if fields.peek().is_none() {
        return false;
    }
    let entries: Vec<AddressEntry> = fields.flat_map(|field| parse_address_list(field.value)).collect();
    is_in(fold(&address_text(&entries)).as_bytes())
}
