//! A mailbox in memory, and how what was read changes it.

use super::log::Log;
use super::row::{MessageState, Row};
use super::{Keywords, SharedNews};
use crate::FlagsAt;
use postroom_types::{Flag, Keyword, MessageFlags, ModSeq, Uid};
use std::sync::{Arc, OnceLock};

/// A mailbox at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its messages, ascending.
    pub uids: Arc<[Uid]>,
    /// The UID the next message will at least get.
    pub uid_next: Uid,
    /// Modseq of its last change.
    pub highest_modseq: ModSeq,
    /// The inbox's modseq this is true of: [`SharedMailbox::news`](super::SharedMailbox::news) goes on from here.
    pub modseq: ModSeq,
    /// The first message without `\Seen`.
    pub first_unseen: Option<Uid>,
    /// Keywords in use, sorted.
    pub keywords: Vec<Keyword>,
}

/// What a reading found.
#[derive(Debug, Default)]
pub(super) struct Update {
    /// The inbox's modseq that was read up to.
    pub(super) now: ModSeq,
    /// Modseq of the mailbox's last change.
    pub(super) highest: ModSeq,
    /// One above the last UID given out.
    pub(super) uid_next: u32,
    /// New and changed messages, ascending.
    pub(super) rows: Vec<(Uid, MessageState)>,
    /// Messages that are gone, ascending.
    pub(super) expunged: Vec<Uid>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    rows: Vec<Row>,
    keywords: Keywords,
    cursor: ModSeq,
    highest: ModSeq,
    uid_next: u32,
    first_unseen: Option<Uid>,
    uids: OnceLock<Arc<[Uid]>>,
    log: Log,
}

impl State {
    /// A mailbox that was read as a whole.
    pub(super) fn loaded(update: Update) -> Self {
        let mut state = Self {
            log: Log::from(update.now),
            rows: Vec::with_capacity(update.rows.len()),
            ..Self::default()
        };
        state.apply(update);
        state
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) const fn keywords(&self) -> &Keywords {
        &self.keywords
    }

    pub(super) const fn cursor(&self) -> ModSeq {
        self.cursor
    }

    pub(super) const fn uid_next(&self) -> u32 {
        self.uid_next
    }

    pub(super) fn find(&self, uid: Uid) -> Option<&Row> {
        let place = self.rows.binary_search_by_key(&uid, |row| row.uid).ok()?;
        Some(&self.rows[place])
    }

    pub(super) fn state_of(&self, row: &Row) -> MessageState {
        MessageState {
            modseq: row.modseq,
            flags: self.flags_of(row),
            internal_date: row.internal_date(),
            size_octets: u64::from(row.size_octets),
            saved_at: row.saved_at(),
        }
    }

    fn flags_of(&self, row: &Row) -> MessageFlags {
        MessageFlags {
            system: row.flags,
            keywords: self.keywords.of(row),
        }
    }

    fn flags_at(&self, row: &Row) -> FlagsAt {
        (row.uid, self.flags_of(row), row.modseq)
    }

    fn uids(&self) -> Arc<[Uid]> {
        let make = || self.rows.iter().map(|row| row.uid).collect();
        Arc::clone(self.uids.get_or_init(make))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            uids: self.uids(),
            uid_next: Uid::new(self.uid_next).unwrap_or(Uid::MIN),
            highest_modseq: self.highest,
            modseq: self.cursor,
            first_unseen: self.first_unseen,
            keywords: self.keywords.in_use().to_vec(),
        }
    }

    pub(super) fn news(&self, cursor: ModSeq, last: Option<Uid>) -> SharedNews {
        let known = self.rows.partition_point(|row| Some(row.uid) <= last);
        let mut news = SharedNews {
            appended: self.rows[known..].iter().map(|row| row.uid).collect(),
            now: self.cursor,
            highest_modseq: self.highest,
            ..SharedNews::default()
        };
        if cursor >= self.highest || last.is_none() {
            return news;
        }
        let is_new = |row: &&Row| row.modseq > cursor && Some(row.uid) <= last;
        match self.log.since(cursor) {
            Some((flags, expunged)) => {
                let rows = flags.into_iter().filter_map(|uid| self.find(uid));
                news.flags = rows.filter(is_new).map(|row| self.flags_at(row)).collect();
                news.expunged = expunged;
                news.expunged.retain(|uid| Some(*uid) <= last);
            }
            None => {
                let rows = self.rows[..known].iter();
                news.flags = rows.filter(is_new).map(|row| self.flags_at(row)).collect();
                news.present = Some(self.uids());
            }
        }
        news
    }

    /// Goes on to what was read.
    pub(super) fn apply(&mut self, update: Update) {
        let gone = self.expunge(&update.expunged);
        let mut unseen_from = self.first_unseen;
        let mut changed = Vec::new();
        let grows = self.uid_next;
        for (uid, read) in update.rows {
            // The place of a message is never in doubt: below what was given out before, it is there or was expunged.
            let place = self.rows.binary_search_by_key(&uid, |row| row.uid);
            match place {
                Ok(place) => {
                    self.change(place, read);
                    changed.push(uid);
                }
                Err(place) if place == self.rows.len() && uid.get() >= grows => self.append(uid, read),
                Err(_) => continue,
            }
            if self.find(uid).is_some_and(is_unseen) {
                unseen_from = Some(unseen_from.map_or(uid, |from| from.min(uid)));
            }
        }
        let from = unseen_from.map_or(self.rows.len(), |from| self.rows.partition_point(|row| row.uid < from));
        self.first_unseen = self.rows[from..].iter().find(|row| is_unseen(row)).map(|row| row.uid);
        if !(changed.is_empty() && gone.is_empty()) {
            self.log.add(update.now, &changed, &gone);
        }
        self.cursor = update.now;
        self.highest = update.highest;
        self.uid_next = self.uid_next.max(update.uid_next);
    }

    /// Removes messages; those that were there.
    fn expunge(&mut self, uids: &[Uid]) -> Vec<Uid> {
        let mut gone = Vec::new();
        let Some(first) = uids.first() else { return gone };
        let mut due = uids.iter().copied().peekable();
        let begin = self.rows.partition_point(|row| row.uid < *first);
        let mut kept = begin;
        for place in begin..self.rows.len() {
            let row = self.rows[place];
            while due.next_if(|uid| *uid < row.uid).is_some() {}
            if due.next_if_eq(&row.uid).is_some() {
                self.keywords.remove(row.uid, row.keywords);
                gone.push(row.uid);
            } else {
                self.rows[kept] = row;
                kept += 1;
            }
        }
        self.rows.truncate(kept);
        if !gone.is_empty() {
            self.uids = OnceLock::new();
        }
        gone
    }

    /// Takes over flags. What was read may be from after the reading's end; then it will be told once more. It keeps its
    /// modseq, since a modseq means the same flags to all who hear of it.
    fn change(&mut self, place: usize, read: MessageState) {
        let old = self.rows[place];
        if read.modseq < old.modseq {
            return;
        }
        self.keywords.remove(old.uid, old.keywords);
        let row = &mut self.rows[place];
        row.keywords = self.keywords.put(old.uid, &read.flags.keywords);
        row.flags = read.flags.system;
        row.modseq = read.modseq;
    }

    fn append(&mut self, uid: Uid, read: MessageState) {
        self.rows.push(Row {
            modseq: read.modseq,
            internal_seconds: read.internal_date.seconds,
            uid,
            size_octets: u32::try_from(read.size_octets).unwrap_or(u32::MAX),
            saved_at: Row::pack_saved_at(read.saved_at),
            keywords: self.keywords.put(uid, &read.flags.keywords),
            flags: read.flags.system,
            internal_zone: read.internal_date.zone_quarters(),
        });
        self.uid_next = uid.get().saturating_add(1);
        self.uids = OnceLock::new();
    }
}

const fn is_unseen(row: &Row) -> bool {
    !row.flags.contains(Flag::Seen)
}
