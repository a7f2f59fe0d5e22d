//! The commit that changes labels of several messages.

use super::outcome::{Fate, Outcome};
use crate::change::{Change, Delta};
use crate::flags::{Reflag, reflag, same};
use crate::labels::known::KnownPlacement;
use crate::relocate::place_again;
use crate::rows::{Arrival, FlagsRow, InboxRow, MessageRow, MetaRow};
use crate::{Cause, MailError, Mailstore, keys};
use postroom_store::{CommitBuilder, Key, MAX_COMMIT_OPERATIONS, Patch, Value};
use postroom_types::{InboxId, MailboxId, MessageFlags, Uid};
use std::collections::BTreeMap;

/// Most mailboxes that one commit changes, since one feed row tells of all of them.
const MAX_MAILBOXES: usize = 24;

/// UIDs allotted in a mailbox: the counter operation, and how many are left.
struct Allotted {
    operation: usize,
    left: u64,
}

/// See the module.
pub(super) struct Relabeling {
    change: Change,
    inbox: InboxId,
    now_seconds: i64,
    /// The metadata rows of what moves.
    metas: BTreeMap<Key, Value>,
    allotted: BTreeMap<MailboxId, Allotted>,
    tally: Tally,
}

/// A message row on its way to a new value.
struct NewRow {
    row: MessageRow,
    value: Option<Value>,
    patches: Vec<Patch>,
    /// A placement goes.
    is_less: bool,
}

impl Relabeling {
    pub(super) fn commit(
        mail: &Mailstore,
        inbox: InboxId,
        roles: &InboxRow,
        changing: &[&Outcome],
        metas: BTreeMap<Key, Value>,
    ) -> Result<CommitBuilder, MailError> {
        let mut change = Change::begin(CommitBuilder::new(), inbox, mail.now());
        let mut arrivals: BTreeMap<MailboxId, usize> = BTreeMap::new();
        for to in changing.iter().flat_map(|outcome| outcome.arrivals()) {
            *arrivals.entry(to).or_default() += 1;
        }
        let mut allotted = BTreeMap::new();
        for (mailbox, count) in arrivals {
            let operation = change.allot_uids(mailbox, count, Cause::Placed, None);
            let left = count as u64;
            allotted.insert(mailbox, Allotted { operation, left });
        }
        let mut relabeling = Self {
            change,
            inbox,
            now_seconds: mail.now_seconds(),
            metas,
            allotted,
            tally: Tally::default(),
        };
        for outcome in changing {
            relabeling.add(outcome)?;
            for (label, added) in outcome.label_changes(roles) {
                relabeling.change.tell_label(label, added, outcome.known.email_id);
            }
        }
        let Self { mut change, tally, .. } = relabeling;
        if tally.mailboxes() > MAX_MAILBOXES {
            return Err(MailError::Limit("too many mailboxes"));
        }
        tally.finish(&mut change);
        let builder = change.finish();
        if builder.operations() > MAX_COMMIT_OPERATIONS {
            return Err(MailError::Limit("too many placements"));
        }
        Ok(builder)
    }

    fn add(&mut self, outcome: &Outcome) -> Result<(), MailError> {
        let known = &outcome.known;
        let mut new = NewRow {
            row: MessageRow {
                home: outcome.home,
                other_home: outcome.other_home,
                ..known.row.clone()
            },
            value: None,
            patches: Vec::new(),
            is_less: false,
        };
        let placements = known.placements.iter().zip(&outcome.placements);
        let stays = placements.clone().filter(|(_, (_, fate))| *fate == Fate::Stays);
        new.row.placements = stays.map(|(was, _)| (was.mailbox, u64::from(was.uid.get()))).collect();
        for (at, (was, (flags, fate))) in placements.enumerate() {
            match fate {
                // What stays as it is counts for the labels too.
                Fate::Stays if same(&was.flags.flags, flags) => {
                    let key = keys::flags(self.inbox, was.mailbox, u64::from(was.uid.get()));
                    self.change.builder.require(key, was.value.clone());
                }
                Fate::Stays => self.tally.reflag(was, flags),
                Fate::Moves(to) => {
                    let more = outcome.more.filter(|more| more.like == at).map(|more| more.mailbox);
                    self.relocate(was, flags, *to, more, &mut new)?;
                }
                Fate::Goes => {
                    self.change.remove_placement(was.mailbox, was.uid, was.value.clone());
                    self.tally.leave(was, known.row.size_octets());
                    new.is_less = true;
                }
            }
        }
        // Asked to be unchanged also if only flags change, so that no placement is added meanwhile that keeps the old.
        let key = keys::message(self.inbox, known.email_id);
        self.change.builder.require(key.clone(), known.value.clone());
        if let Some(value) = new.value {
            self.change.builder.put_patched(key, value, new.patches);
        } else if new.is_less {
            let value = new
                .row
                .write()
                .ok_or(MailError::Limit("too many placements of one message"))?;
            self.change.builder.put(key, value);
        }
        Ok(())
    }

    /// Moves a placement, and puts one more like it into a second mailbox.
    fn relocate(
        &mut self,
        was: &KnownPlacement,
        flags: &MessageFlags,
        to: MailboxId,
        more: Option<MailboxId>,
        new: &mut NewRow,
    ) -> Result<(), MailError> {
        let meta_key = keys::metadata(self.inbox, was.mailbox, u64::from(was.uid.get()));
        let meta = self.metas.remove(&meta_key).ok_or(MailError::Unavailable)?;
        let row = FlagsRow {
            flags: flags.clone(),
            arrival: Some(Arrival {
                saved_at: Some(self.now_seconds),
                ..MetaRow::raw(&meta)?.arrival()
            }),
            ..was.flags.clone()
        };
        let octets = new.row.size_octets();
        self.change.remove_placement(was.mailbox, was.uid, was.value.clone());
        self.tally.leave(was, octets);
        for mailbox in std::iter::once(to).chain(more) {
            let allotted = self.allotted.get_mut(&mailbox).ok_or(MailError::Unavailable)?;
            allotted.left -= 1;
            let (operation, minus) = (allotted.operation, allotted.left);
            self.change.put_placement(mailbox, operation, minus, &row, meta.clone());
            let (value, patches) = place_again(&mut new.row, mailbox, operation, &[minus])
                .ok_or(MailError::Limit("too many placements of one message"))?;
            new.value = Some(value);
            new.patches.extend(patches);
            self.tally.arrive(flags, mailbox, octets);
        }
        Ok(())
    }
}

/// What a commit does to mailboxes.
#[derive(Default)]
struct Tally {
    arriving: BTreeMap<MailboxId, Delta>,
    leaving: BTreeMap<MailboxId, (Delta, Vec<Uid>)>,
    reflags: BTreeMap<MailboxId, Vec<Reflag>>,
}

impl Tally {
    fn mailboxes(&self) -> usize {
        self.arriving.len() + self.leaving.len() + self.reflags.len()
    }

    fn finish(self, change: &mut Change) {
        // Arrivals first: within one mailbox the counts must not fall below zero on the way.
        for (mailbox, delta) in self.arriving {
            change.count_mailbox(mailbox, delta);
        }
        for (mailbox, (delta, mut uids)) in self.leaving {
            uids.sort_unstable();
            change.count_mailbox(mailbox, delta);
            change.tell_expunged(mailbox, uids, Vec::new());
        }
        for (mailbox, mut reflags) in self.reflags {
            reflags.sort_unstable_by_key(|reflag| reflag.uid);
            reflag(change, mailbox, &reflags);
        }
    }

    fn reflag(&mut self, was: &KnownPlacement, flags: &MessageFlags) {
        let new_row = FlagsRow {
            flags: flags.clone(),
            ..was.flags.clone()
        };
        self.reflags.entry(was.mailbox).or_default().push(Reflag {
            uid: was.uid,
            old: was.value.clone(),
            old_row: was.flags.clone(),
            new_row,
        });
    }

    fn arrive(&mut self, flags: &MessageFlags, to: MailboxId, octets: u64) {
        self.arriving.entry(to).or_default().add(flags.system, octets);
    }

    fn leave(&mut self, was: &KnownPlacement, octets: u64) {
        let (delta, uids) = self.leaving.entry(was.mailbox).or_default();
        delta.remove(was.flags.flags.system, octets);
        uids.push(was.uid);
    }
}
