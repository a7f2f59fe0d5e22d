//! The model: mailboxes as maps.

use crate::common::{Replica, uid};
use postroom_mailstore::Origin;
use postroom_types::{Flag, Flags, MailboxId, MessageFlags, Uid};
use std::collections::{BTreeMap, BTreeSet};

/// One placement: which message, and its flags.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) message: usize,
    pub(crate) flags: MessageFlags,
}

#[derive(Clone, Debug)]
pub(crate) struct Box_ {
    pub(crate) id: MailboxId,
    pub(crate) next: u32,
    pub(crate) items: BTreeMap<Uid, Item>,
}

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) boxes: BTreeMap<String, Box_>,
    /// Number and origin of each message that ever was.
    pub(crate) messages: Vec<(u32, Origin)>,
    /// For each number, the message of which one that is received is a duplicate.
    pub(crate) first: BTreeMap<u32, usize>,
    /// What a client knows of each mailbox it has open.
    pub(crate) replicas: BTreeMap<MailboxId, Replica>,
}

impl Model {
    pub(crate) fn chosen(&self, name: &str, which: u16) -> Vec<Uid> {
        let Some(mailbox) = self.boxes.get(name) else {
            return Vec::new();
        };
        let chosen = mailbox
            .items
            .keys()
            .enumerate()
            .filter(|(index, _)| which & (1 << (index % 16)) != 0);
        chosen.map(|(_, uid)| *uid).collect()
    }

    pub(crate) fn alive(&self) -> BTreeSet<usize> {
        self.boxes
            .values()
            .flat_map(|mailbox| mailbox.items.values().map(|item| item.message))
            .collect()
    }

    /// The message of which a received one with this number is a duplicate.
    pub(crate) fn twin(&self, number: u32) -> Option<usize> {
        let first = self.first.get(&number).copied();
        first.filter(|message| self.alive().contains(message))
    }

    /// Whether a message has a placement without `\Deleted`: one that was sent, in this mailbox.
    pub(crate) fn is_to_stay(&self, message: usize, name: &str) -> bool {
        let is_sent = self.messages[message].1 == Origin::Sent;
        let boxes = self.boxes.iter().filter(|(at, _)| !is_sent || at.as_str() == name);
        boxes
            .flat_map(|(_, mailbox)| mailbox.items.values())
            .any(|item| item.message == message && !item.flags.system.contains(Flag::Deleted))
    }

    pub(crate) fn add(&mut self, number: u32, origin: Origin) -> usize {
        self.messages.push((number, origin));
        let message = self.messages.len() - 1;
        if origin != Origin::Imported && self.twin(number).is_none() {
            self.first.insert(number, message);
        }
        message
    }

    pub(crate) fn put(&mut self, name: &str, message: usize, flags: MessageFlags) -> Uid {
        let mailbox = self.boxes.get_mut(name).unwrap();
        let next = uid(mailbox.next);
        mailbox.next += 1;
        mailbox.items.insert(next, Item { message, flags });
        next
    }
}

pub(crate) fn sorted(flags: &MessageFlags) -> (Flags, Vec<String>) {
    let mut keywords: Vec<String> = flags
        .keywords
        .iter()
        .map(|keyword| keyword.as_str().to_owned())
        .collect();
    keywords.sort();
    (flags.system, keywords)
}
