//! One commit's change to one inbox: takes the modseq, collects what happened, and writes the feed row.
//!
//! What always holds: whoever adds rows through a [`Change`] gets the feed row, the mailboxes' highest modseq and the
//! wake-up with it. What is told of labels and has no room in that row follows in others, with the next modseqs.

use crate::keys::{self, inbox_lane, mailbox_lane};
use crate::marks::{Marks, room_beside};
use crate::rows::{FLAGS_MODSEQ, FeedRow, FlagsRow, Patchable, write_number, write_uids};
use crate::{Cause, FeedEvent, Marked};
use postroom_store::{CommitBuilder, Condition, Key, MAX_COMMIT_OPERATIONS, Patch, PatchPlace, PatchSource, Value};
use postroom_types::{EmailId, Flag, Flags, InboxId, MailboxId, ModSeq, Uid};

/// How the counts of a mailbox move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) exists: i64,
    pub(crate) unseen: i64,
    pub(crate) deleted: i64,
    pub(crate) octets: i64,
}

impl Delta {
    /// A message with these flags comes.
    pub(crate) fn add(&mut self, flags: Flags, octets: u64) {
        self.exists += 1;
        self.octets += signed(octets);
        self.unseen += i64::from(!flags.contains(Flag::Seen));
        self.deleted += i64::from(flags.contains(Flag::Deleted));
    }

    /// A message with these flags goes.
    pub(crate) fn remove(&mut self, flags: Flags, octets: u64) {
        self.exists -= 1;
        self.octets -= signed(octets);
        self.unseen -= i64::from(!flags.contains(Flag::Seen));
        self.deleted -= i64::from(flags.contains(Flag::Deleted));
    }

    /// Flags change.
    pub(crate) fn reflag(&mut self, old: Flags, new: Flags) {
        self.unseen += i64::from(old.contains(Flag::Seen)) - i64::from(new.contains(Flag::Seen));
        self.deleted += i64::from(new.contains(Flag::Deleted)) - i64::from(old.contains(Flag::Deleted));
    }
}

/// Sizes are below 2^33, so they fit.
pub(crate) fn signed(octets: u64) -> i64 {
    i64::try_from(octets).unwrap_or(i64::MAX)
}

/// See the module.
pub(crate) struct Change {
    pub(crate) builder: CommitBuilder,
    inbox: InboxId,
    modseq: usize,
    at: i64,
    events: Vec<Patchable>,
    touched: Vec<MailboxId>,
    pub(crate) labels: Marks,
}

impl Change {
    /// Begins a change, adding to what the commit holds already.
    pub(crate) fn begin(mut builder: CommitBuilder, inbox: InboxId, at: i64) -> Self {
        let modseq = builder.count(keys::inbox_counters(inbox), inbox_lane::MODSEQ, 1);
        Self {
            builder,
            inbox,
            modseq,
            at,
            events: Vec::new(),
            touched: Vec::new(),
            labels: Marks::default(),
        }
    }

    /// The counter operation whose result is this change's modseq.
    pub(crate) const fn modseq_operation(&self) -> usize {
        self.modseq
    }

    /// Writes the modseq at an offset of a value.
    pub(crate) const fn modseq_at(&self, offset: usize) -> Patch {
        Patch {
            source: PatchSource::Counter(self.modseq),
            minus: 0,
            place: PatchPlace::Value(offset),
        }
    }

    /// Writes the modseq at an offset of a key.
    const fn modseq_in_key(&self, offset: usize) -> Patch {
        Patch {
            source: PatchSource::Counter(self.modseq),
            minus: 0,
            place: PatchPlace::Key(offset),
        }
    }

    /// Moves lanes of the mailbox's counters.
    pub(crate) fn count_mailbox(&mut self, mailbox: MailboxId, delta: Delta) {
        let lanes = [
            (mailbox_lane::EXISTS, delta.exists),
            (mailbox_lane::UNSEEN, delta.unseen),
            (mailbox_lane::DELETED, delta.deleted),
            (mailbox_lane::OCTETS, delta.octets),
        ];
        for (lane, moved) in lanes.into_iter().filter(|(_, moved)| *moved != 0) {
            self.builder
                .count(keys::mailbox_counters(self.inbox, mailbox), lane, moved);
        }
    }

    /// Moves the inbox's usage.
    pub(crate) fn count_usage(&mut self, messages: i64, octets: i64) {
        let lanes = [(inbox_lane::MESSAGES, messages), (inbox_lane::OCTETS, octets)];
        for (lane, moved) in lanes.into_iter().filter(|(_, moved)| *moved != 0) {
            self.builder.count(keys::inbox_counters(self.inbox), lane, moved);
        }
    }

    /// Allots UIDs; the operation's result is the last of them.
    pub(crate) fn allot_uids(
        &mut self,
        mailbox: MailboxId,
        count: usize,
        cause: Cause,
        email_id: Option<EmailId>,
    ) -> usize {
        let key = keys::mailbox_counters(self.inbox, mailbox);
        let uid_operation = self
            .builder
            .count(key, mailbox_lane::UID, i64::try_from(count).unwrap_or(i64::MAX));
        self.touch(mailbox);
        self.events.push(Patchable::Appended {
            mailbox,
            uid_operation,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            cause,
            email_id,
        });
        uid_operation
    }

    /// Puts the two rows of a new placement, whose UID is `minus` below the last one allotted.
    pub(crate) fn put_placement(
        &mut self,
        mailbox: MailboxId,
        uid_operation: usize,
        minus: u64,
        flags: &FlagsRow,
        meta: Vec<u8>,
    ) {
        let uid = Patch {
            source: PatchSource::Counter(uid_operation),
            minus,
            place: PatchPlace::Key(keys::NUMBER_OF_MAILBOX_KEY),
        };
        let modseq = self.modseq_at(FLAGS_MODSEQ);
        self.builder
            .put_patched(keys::flags(self.inbox, mailbox, 0), flags.write(), vec![uid, modseq])
            .put_patched(keys::metadata(self.inbox, mailbox, 0), meta, vec![uid]);
        self.touch(mailbox);
    }

    /// Asks that the key has no value, and puts one with numbers to be filled in.
    pub(crate) fn put_new_patched(&mut self, key: Key, value: Value, patches: Vec<Patch>) {
        let mut commit = std::mem::take(&mut self.builder).build();
        commit.conditions.push((key.clone(), Condition::Absent));
        self.builder = CommitBuilder::from_commit(commit);
        self.builder.put_patched(key, value, patches);
    }

    /// Replaces the flags row of a placement.
    pub(crate) fn put_flags(&mut self, mailbox: MailboxId, uid: Uid, old: Vec<u8>, new: &FlagsRow) {
        let key = keys::flags(self.inbox, mailbox, u64::from(uid.get()));
        let modseq = self.modseq_at(FLAGS_MODSEQ);
        self.builder.require(key.clone(), old);
        self.builder.put_patched(key, new.write(), vec![modseq]);
        self.touch(mailbox);
    }

    /// Removes the two rows of a placement whose flags row is unchanged.
    pub(crate) fn remove_placement(&mut self, mailbox: MailboxId, uid: Uid, flags: Vec<u8>) {
        let uid = u64::from(uid.get());
        let key = keys::flags(self.inbox, mailbox, uid);
        self.builder.require(key.clone(), flags);
        self.builder
            .delete(key)
            .delete(keys::metadata(self.inbox, mailbox, uid));
    }

    /// Tells what happened.
    pub(crate) fn tell(&mut self, event: FeedEvent) {
        self.events.push(Patchable::Known(event));
    }

    /// Tells that messages left a mailbox, and remembers it for clients that were away.
    pub(crate) fn tell_expunged(&mut self, mailbox: MailboxId, uids: Vec<Uid>, gone: Vec<EmailId>) {
        let mut writer = crate::codec::Writer::value(32);
        writer.i64(self.at);
        write_uids(&mut writer, &uids);
        let patch = self.modseq_in_key(keys::NUMBER_OF_MAILBOX_KEY);
        let key = keys::expunged(self.inbox, mailbox, ModSeq(0));
        self.builder.put_patched(key, writer.finish(), vec![patch]);
        self.touch(mailbox);
        self.tell(FeedEvent::Expunged { mailbox, uids, gone });
    }

    /// Whether the commit keeps the limit of operations, and its feed row has room for all that is told of labels.
    pub(crate) fn fits(&self) -> bool {
        // `finish` adds a row for each mailbox, and the feed's.
        let operations = self.builder.operations() + self.touched.len() + 1;
        operations <= MAX_COMMIT_OPERATIONS && self.labels.octets() <= self.room_for_marks()
    }

    /// Octets that the feed row has left.
    fn room_for_marks(&self) -> usize {
        room_beside(&FeedRow::write(self.at, &self.events).value)
    }

    /// Marks a mailbox as changed by this commit.
    pub(crate) fn touch(&mut self, mailbox: MailboxId) {
        if !self.touched.contains(&mailbox) {
            self.touched.push(mailbox);
        }
    }

    /// Adds the rows every change writes and gives the commit back.
    pub(crate) fn finish(mut self) -> CommitBuilder {
        let highest = self.modseq_at(1);
        for mailbox in std::mem::take(&mut self.touched) {
            self.builder
                .put_patched(keys::highest(self.inbox, mailbox), write_number(0), vec![highest]);
        }
        let mut labels = std::mem::take(&mut self.labels).line_up();
        let marks = labels.take(self.room_for_marks());
        if !marks.is_empty() {
            self.tell(FeedEvent::Labels(marks));
        }
        let events = std::mem::take(&mut self.events);
        self.put_feed_row((self.modseq, 0), &events);
        self.put_marks(labels.rows());
        self.builder.wake(*self.inbox.as_bytes());
        self.builder
    }

    /// Puts what did not fit beside the events into rows behind theirs, with modseqs of their own.
    fn put_marks(&mut self, rows: Vec<Vec<Marked>>) {
        let Some(last) = rows.len().checked_sub(1) else { return };
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let modseq = self
            .builder
            .count(keys::inbox_counters(self.inbox), inbox_lane::MODSEQ, count);
        for (index, marks) in rows.into_iter().enumerate() {
            let event = Patchable::Known(FeedEvent::Labels(marks));
            self.put_feed_row((modseq, (last - index) as u64), &[event]);
        }
    }

    /// Puts the feed row of a modseq: the result of this counter operation, less so many.
    fn put_feed_row(&mut self, (operation, minus): (usize, u64), events: &[Patchable]) {
        let row = FeedRow::write(self.at, events);
        let mut patches = vec![
            Patch {
                source: PatchSource::Counter(operation),
                minus,
                place: PatchPlace::Key(keys::NUMBER_OF_FEED_KEY),
            },
            Patch {
                source: PatchSource::Lsn,
                minus: 0,
                place: PatchPlace::Value(FeedRow::LSN),
            },
        ];
        patches.extend(row.uids.iter().map(|(operation, offset)| Patch {
            source: PatchSource::Counter(*operation),
            minus: 0,
            place: PatchPlace::Value(*offset),
        }));
        self.builder
            .put_patched(keys::feed(self.inbox, ModSeq(0)), row.value, patches);
    }
}
