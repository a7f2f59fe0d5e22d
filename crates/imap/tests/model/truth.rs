//! What is really there: mailboxes by name, messages by UID, and how late each changed.
//!
//! A MODSEQ is not predicted but enclosed: what a step changed got one above the inbox's modseq before the step, and not
//! above that after it. Once a server has named it, it is that number.

use crate::client::{Check, ensure};
use crate::mail::{Mail, Moment};
use crate::view::Flags;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A number above `after`, and at most `upto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) after: u64,
    pub(crate) upto: u64,
}

impl Span {
    pub(crate) const fn holds(self, number: u64) -> bool {
        self.after < number && number <= self.upto
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) mail: Arc<Mail>,
    /// All placements of one message have the same.
    pub(crate) email: u32,
    pub(crate) flags: Flags,
    /// INTERNALDATE; `None` is when it came.
    pub(crate) date: Option<Moment>,
    pub(crate) modseq: Span,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox {
    pub(crate) uid_validity: Option<u32>,
    /// The next UID is this or above.
    pub(crate) next: u32,
    pub(crate) messages: BTreeMap<u32, Message>,
    /// Messages that are gone, as they were, and the MODSEQ of that.
    pub(crate) ghosts: BTreeMap<u32, (Message, Span)>,
    pub(crate) highest: Span,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) boxes: BTreeMap<u32, Mailbox>,
    pub(crate) names: BTreeMap<String, u32>,
    pub(crate) subscribed: BTreeSet<String>,
    /// Mailboxes that no one can delete.
    pub(crate) needed: BTreeSet<u32>,
    /// What the step under way changes gets a MODSEQ in here.
    pub(crate) now: Span,
    /// EMAILIDs that were told.
    email_ids: BTreeMap<u32, String>,
    next_box: u32,
    next_email: u32,
    /// UIDVALIDITYs that a name had.
    validities: BTreeMap<String, BTreeSet<u32>>,
}

/// How STORE changes flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Add,
    Remove,
    Replace,
}

impl Mode {
    pub(crate) fn apply(self, flags: &Flags, change: &Flags) -> Flags {
        match self {
            Self::Add => flags.union(change).cloned().collect(),
            Self::Remove => flags.difference(change).cloned().collect(),
            Self::Replace => change.clone(),
        }
    }
}

impl Truth {
    pub(crate) fn create(&mut self, name: &str) -> u32 {
        self.next_box += 1;
        let mailbox = Mailbox {
            next: 1,
            highest: Span {
                after: 0,
                upto: self.now.upto,
            },
            ..Mailbox::default()
        };
        self.boxes.insert(self.next_box, mailbox);
        self.names.insert(name.to_owned(), self.next_box);
        self.next_box
    }

    /// Makes the missing parents too.
    pub(crate) fn create_all(&mut self, name: &str) {
        for (at, _) in name.match_indices('/') {
            if !self.names.contains_key(&name[..at]) {
                self.create(&name[..at]);
            }
        }
        self.create(name);
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Mailbox> {
        self.boxes.get(self.names.get(name)?)
    }

    pub(crate) fn mailbox(&mut self, id: u32) -> &mut Mailbox {
        self.boxes.get_mut(&id).expect("ids are of mailboxes that were made")
    }

    pub(crate) fn has_children(&self, name: &str) -> bool {
        let below = format!("{name}/");
        self.names.keys().any(|other| other.starts_with(&below))
    }

    /// A server says a mailbox has this UIDVALIDITY.
    pub(crate) fn valid(&mut self, name: &str, uid_validity: u32) -> Check {
        let id = self.names[name];
        let mailbox = self.boxes.get_mut(&id).expect("names are of mailboxes");
        match mailbox.uid_validity {
            Some(known) => ensure!(
                known == uid_validity,
                "UIDVALIDITY of {name} was {known} and is {uid_validity}"
            ),
            None => {
                let used = self.validities.entry(name.to_owned()).or_default();
                ensure!(
                    used.insert(uid_validity),
                    "UIDVALIDITY {uid_validity} of the new {name} was that of another"
                );
                mailbox.uid_validity = Some(uid_validity);
            }
        }
        Ok(())
    }

    pub(crate) fn new_email(&mut self) -> u32 {
        self.next_email += 1;
        self.next_email
    }

    /// A message of its own; its UID may be told, else it is the next.
    pub(crate) fn add(
        &mut self,
        id: u32,
        uid: Option<u32>,
        mail: Arc<Mail>,
        flags: Flags,
        date: Option<Moment>,
    ) -> Check<u32> {
        let message = Message {
            email: self.new_email(),
            mail,
            flags,
            date,
            modseq: self.now,
        };
        self.put(id, uid, message)
    }

    pub(crate) fn put(&mut self, id: u32, uid: Option<u32>, mut message: Message) -> Check<u32> {
        let now = self.now;
        message.modseq = now;
        let mailbox = self.mailbox(id);
        let uid = uid.unwrap_or(mailbox.next);
        ensure!(
            uid >= mailbox.next,
            "a new message got UID {uid}, but {} was next",
            mailbox.next
        );
        mailbox.next = uid + 1;
        mailbox.highest = now;
        mailbox.messages.insert(uid, message);
        Ok(uid)
    }

    pub(crate) fn set_flags(&mut self, id: u32, uid: u32, mode: Mode, change: &Flags) {
        let now = self.now;
        let mailbox = self.mailbox(id);
        let Some(message) = mailbox.messages.get_mut(&uid) else {
            return;
        };
        let flags = mode.apply(&message.flags, change);
        if flags != message.flags {
            message.flags = flags;
            message.modseq = now;
            mailbox.highest = now;
        }
    }

    pub(crate) fn expunge(&mut self, id: u32, uid: u32) -> Option<Message> {
        let now = self.now;
        let mailbox = self.mailbox(id);
        let message = mailbox.messages.remove(&uid)?;
        mailbox.ghosts.insert(uid, (message.clone(), now));
        mailbox.highest = now;
        Some(message)
    }

    /// Where the message of this placement is.
    pub(crate) fn placements(&self, (id, uid): (u32, u32)) -> BTreeSet<(u32, u32)> {
        let Some(message) = self.boxes[&id].messages.get(&uid) else {
            return BTreeSet::new();
        };
        let all = self
            .boxes
            .iter()
            .flat_map(|(id, mailbox)| mailbox.messages.iter().map(|(uid, other)| (*id, *uid, other.email)));
        all.filter(|(.., email)| *email == message.email)
            .map(|(id, uid, _)| (id, uid))
            .collect()
    }

    /// A server says a message has this EMAILID: all placements of it have, and no other message (RFC 8474 §5.1).
    pub(crate) fn identify(&mut self, id: u32, uid: u32, told: String) -> Check {
        let Some(message) = self.boxes[&id].remembered(uid) else {
            return Ok(());
        };
        let email = message.email;
        let other = self
            .email_ids
            .iter()
            .find(|(_, known)| **known == told)
            .map(|(email, _)| *email);
        let known = self.email_ids.entry(email).or_insert_with(|| told.clone());
        ensure!(
            *known == told && other.is_none_or(|other| other == email),
            "EMAILID of UID {uid} is {told}, was {known}"
        );
        Ok(())
    }

    /// What was done since gets MODSEQs up to this.
    pub(crate) fn close_span(&mut self, upto: u64) {
        self.now.upto = upto;
        for mailbox in self.boxes.values_mut() {
            let open = |span: &mut Span| span.upto = span.upto.min(upto);
            open(&mut mailbox.highest);
            mailbox
                .messages
                .values_mut()
                .for_each(|message| open(&mut message.modseq));
            mailbox.ghosts.values_mut().for_each(|(_, span)| open(span));
        }
    }

    /// The mailbox and those below it get another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let below = format!("{from}/");
        let moved: Vec<String> = self
            .names
            .keys()
            .filter(|name| *name == from || name.starts_with(&below))
            .cloned()
            .collect();
        for name in moved {
            let id = self.names.remove(&name).expect("it was just found");
            let new = format!("{to}{}", &name[from.len()..]);
            // A mailbox keeps its UIDVALIDITY under another name, also if one made later had that name before.
            if let Some(uid_validity) = self.boxes[&id].uid_validity {
                self.validities.entry(new.clone()).or_default().insert(uid_validity);
            }
            self.names.insert(new, id);
        }
        for (at, _) in to.match_indices('/') {
            if !self.names.contains_key(&to[..at]) {
                self.create(&to[..at]);
            }
        }
    }
}

impl Mailbox {
    pub(crate) fn uids(&self) -> Vec<u32> {
        self.messages.keys().copied().collect()
    }

    pub(crate) fn count(&self, test: impl Fn(&Message) -> bool) -> u64 {
        self.messages.values().filter(|message| test(message)).count() as u64
    }

    /// A message that is there, or was.
    pub(crate) fn remembered(&self, uid: u32) -> Option<&Message> {
        self.messages.get(&uid).or_else(|| Some(&self.ghosts.get(&uid)?.0))
    }
}
