//! What becomes of the placements of one message that is put somewhere by its labels or its folder.
//!
//! What always holds: of several placements that would go to the same mailbox one goes there and the others go away, with
//! their marks added to it; so a message is nowhere twice that was not. What its owner sent to itself is in Sent and in
//! another place; put into one, it remembers both, and goes back to both.

use super::{Known, Labels};
use crate::Origin;
use crate::flags::{check_keywords, same};
use crate::rows::{InboxRow, Role};
use postroom_types::{Flag, MailboxId, MessageFlags};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What becomes of one placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays where it is.
    Stays,
    /// It gets another mailbox.
    Moves(MailboxId),
    /// It goes away: another one stands for it.
    Goes,
}

/// One more placement: in which mailbox, like which of those that move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct More {
    pub(super) like: usize,
    pub(super) mailbox: MailboxId,
}

/// Where moving leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// Nowhere, or from one home to another that takes its part.
    About,
    /// To a place that is no home.
    Away,
    /// Home, from there; of what went away from two places, to this one besides.
    Home(Option<MailboxId>),
}

/// What becomes of one message.
pub(super) struct Outcome {
    pub(super) known: Known,
    /// For each placement its flags and what becomes of it.
    pub(super) placements: Vec<(MessageFlags, Fate)>,
    pub(super) more: Option<More>,
    /// Where it is at home then.
    pub(super) home: MailboxId,
    pub(super) other_home: Option<MailboxId>,
}

impl Outcome {
    /// Of a message whose placements get these flags and are to go to these mailboxes; `home` is where it is at home then.
    pub(super) fn new(
        roles: &InboxRow,
        known: Known,
        wished: Vec<(MessageFlags, Option<MailboxId>)>,
        leads: Leads,
        home: MailboxId,
    ) -> Self {
        let moves = wished.iter().any(|(_, to)| to.is_some());
        let other_home = match leads {
            _ if !moves => known.row.other_home,
            Leads::About => known.row.other_home,
            Leads::Away => other_home(roles, &known),
            Leads::Home(_) => None,
        };
        let mut outcome = Self {
            placements: Vec::with_capacity(wished.len()),
            more: None,
            home,
            other_home,
            known,
        };
        outcome.gather(roles, wished, leads);
        outcome
    }

    fn gather(&mut self, roles: &InboxRow, wished: Vec<(MessageFlags, Option<MailboxId>)>, leads: Leads) {
        let [sent, inbox] = [Role::Sent, Role::Inbox].map(|role| roles.id_of(role));
        let was_deleted = |at: usize| self.known.placements[at].flags.flags.system.contains(Flag::Deleted);
        let none_lives = (0..wished.len()).all(was_deleted);
        // Which placement stands in a mailbox that others are to go to.
        let mut stands: BTreeMap<MailboxId, usize> = BTreeMap::new();
        for (at, (_, to)) in wished.iter().enumerate() {
            if to.is_none() && (none_lives || !was_deleted(at)) {
                stands.entry(self.known.placements[at].mailbox).or_insert(at);
            }
        }
        let goes_home = matches!(leads, Leads::Home(_)) && self.known.row.origin == Origin::Sent;
        let mut stood_for: Vec<(usize, usize)> = Vec::new();
        for (at, (flags, to)) in wished.into_iter().enumerate() {
            let fate = match to {
                None => Fate::Stays,
                Some(to) => {
                    // What was sent and stands in Sent was received too.
                    let is_second = goes_home && to == sent && stands.contains_key(&sent);
                    let to = if is_second { inbox } else { to };
                    match stands.entry(to) {
                        Entry::Vacant(place) => {
                            place.insert(at);
                            Fate::Moves(to)
                        }
                        Entry::Occupied(place) => {
                            stood_for.push((*place.get(), at));
                            Fate::Goes
                        }
                    }
                }
            };
            self.placements.push((flags, fate));
        }
        for (stander, at) in stood_for {
            self.add_marks(stander, at);
        }
        let first = self
            .placements
            .iter()
            .position(|(_, fate)| matches!(fate, Fate::Moves(_)));
        if let (Leads::Home(Some(mailbox)), Some(like)) = (leads, first)
            && !stands.contains_key(&mailbox)
        {
            self.more = Some(More { like, mailbox });
        }
    }

    /// Gives a placement the marks of another, as far as there is room.
    fn add_marks(&mut self, stander: usize, at: usize) {
        let theirs = self.placements[at].0.clone();
        let flags = &mut self.placements[stander].0;
        let mut both = flags.clone();
        both.add(&theirs);
        match check_keywords(&both) {
            Ok(()) => *flags = both,
            Err(_) => flags.system = both.system,
        }
    }

    /// Whether anything is to be written.
    pub(super) fn changes(&self) -> bool {
        let mut placements = self.known.placements.iter().zip(&self.placements);
        placements.any(|(was, (flags, fate))| *fate != Fate::Stays || !same(&was.flags.flags, flags))
    }

    /// The labels it gets, with `true`, and those it loses.
    pub(super) fn label_changes(&self, roles: &InboxRow) -> Vec<(String, bool)> {
        self.known.labels(roles).changes(&self.labels(roles))
    }

    /// Its labels then.
    pub(super) fn labels(&self, roles: &InboxRow) -> Labels {
        let placements = self.known.placements.iter().zip(&self.placements);
        let now = placements.filter_map(|(was, (flags, fate))| match fate {
            Fate::Stays => Some((was.mailbox, flags)),
            Fate::Moves(to) => Some((*to, flags)),
            Fate::Goes => None,
        });
        let more = self
            .more
            .iter()
            .map(|more| (more.mailbox, &self.placements[more.like].0));
        Labels::compute(roles, self.known.row.origin, &self.known.row.verdict, now.chain(more))
    }

    /// The mailboxes that get a placement, each as often as it does.
    pub(super) fn arrivals(&self) -> impl Iterator<Item = MailboxId> {
        let moved = self.placements.iter().filter_map(|(_, fate)| match fate {
            Fate::Moves(to) => Some(*to),
            Fate::Stays | Fate::Goes => None,
        });
        moved.chain(self.more.iter().map(|more| more.mailbox))
    }
}

/// The place, beside its home, that a message goes back to which is about to leave both: of Sent and another place the one
/// that is not its home. What is away already goes back to where it did before.
fn other_home(roles: &InboxRow, known: &Known) -> Option<MailboxId> {
    let placements = || known.placements.iter();
    let is_deleted = |flags: &MessageFlags| flags.system.contains(Flag::Deleted);
    let none_lives = placements().all(|placed| is_deleted(&placed.flags.flags));
    let live = placements().filter(|placed| none_lives || !is_deleted(&placed.flags.flags));
    let homes: Vec<MailboxId> = live
        .map(|placed| placed.mailbox)
        .filter(|mailbox| roles.role_of(*mailbox).is_none_or(Role::is_home))
        .collect();
    let [sent, inbox] = [Role::Sent, Role::Inbox].map(|role| roles.id_of(role));
    if homes.is_empty() {
        return known.row.other_home;
    }
    if known.row.origin != Origin::Sent || !homes.contains(&sent) {
        return None;
    }
    if known.row.home != sent {
        return Some(sent);
    }
    let others = || homes.iter().copied().filter(|mailbox| *mailbox != sent);
    others().find(|mailbox| *mailbox == inbox).or_else(|| others().next())
}
