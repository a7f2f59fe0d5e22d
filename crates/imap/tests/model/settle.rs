//! The end of a command, beside the truth: what had to be said, and what is true from now on.

mod fetch;
mod found;
mod moving;
mod naming;
mod store;

use crate::client::{Check, Client, Heard, ensure};
use crate::command::{Command, What};
use crate::truth::{Mailbox, Span, Truth};
use crate::view::{Flags, View};
use std::collections::BTreeMap;

pub(crate) struct Settling<'a> {
    pub(crate) client: &'a mut Client,
    pub(crate) truth: &'a mut Truth,
    pub(crate) command: &'a Command,
    pub(crate) heard: &'a Heard,
    /// The view's UIDs and mailbox before the command.
    pub(crate) before: &'a [u32],
    pub(crate) id: Option<u32>,
    pub(crate) read_only: bool,
}

impl Settling<'_> {
    /// Checks everything, and brings the truth up to date.
    pub(crate) fn settle(mut self) -> Check {
        let old: BTreeMap<u32, Flags> = match self.id {
            Some(id) => self.truth.boxes.get(&id).map(flags_now).unwrap_or_default(),
            None => BTreeMap::new(),
        };
        self.apply()?;
        self.check_fetched(&old)?;
        self.check_view()
    }

    fn apply(&mut self) -> Check {
        let command = self.command;
        match &command.what {
            What::Noop | What::Idle | What::Unselect => self.must_be(true),
            What::Select { name, .. } => self.select(name),
            What::Fetch { uids, .. } => self.fetch(&self.named(uids)),
            What::Store { uids, .. } => self.store(&self.named(uids)),
            What::Copy { uids, to } => self.copy(&self.named(uids), to),
            What::Move { uids, to } => self.moved(&self.named(uids), to),
            What::Append { to, messages, replaces } => self.append(to, messages, *replaces),
            What::Expunge { uids } => self.expunge(uids.as_deref()),
            What::Search { key, returns } => self.search(key, returns.as_deref()),
            What::Sort { key, by } => self.sort(key, by),
            What::Thread(key) => self.thread(key),
            What::Close => self.close(),
            What::Create(name) => self.create(name),
            What::Delete(name) => self.delete(name),
            What::Rename(from, to) => self.rename(from, to),
            What::List { status } => self.list(*status),
            What::Status(name) => self.status(name),
            What::Subscribe(name, on) => self.subscribe(name, *on),
        }
    }

    pub(crate) fn must_be(&self, ok: bool) -> Check {
        ensure!(
            self.heard.is_ok() == ok,
            "{:?}, should be {}",
            self.heard.condition,
            if ok { "OK" } else { "NO" }
        );
        Ok(())
    }

    /// Of these, the messages that the client still numbers, and those it has yet to learn of.
    fn named(&self, uids: &[u32]) -> Vec<u32> {
        let last = self.before.last().copied().unwrap_or(0);
        let mailbox = self.id.and_then(|id| self.truth.boxes.get(&id));
        let is_new = |uid: u32| uid > last && mailbox.is_some_and(|mailbox| mailbox.messages.contains_key(&uid));
        let counts = |uid: &u32| self.before.contains(uid) || is_new(*uid);
        uids.iter().copied().filter(counts).collect()
    }

    pub(crate) fn selected(&self) -> Check<u32> {
        self.id.ok_or_else(|| "nothing was selected".to_owned())
    }

    /// Of these messages, those that are there.
    fn live(&self, uids: &[u32]) -> Check<Vec<u32>> {
        let there = &self.truth.boxes[&self.selected()?].messages;
        Ok(uids.iter().copied().filter(|uid| there.contains_key(uid)).collect())
    }

    fn select(&mut self, name: &str) -> Check {
        if self.id.is_some() && self.client.can("QRESYNC") {
            ensure!(
                self.heard.code("CLOSED").is_some(),
                "the mailbox before was left without CLOSED"
            );
        }
        let Some(id) = self.truth.names.get(name).copied() else {
            return self.must_be(false);
        };
        self.must_be(true)?;
        let view = self.client.view.as_mut().ok_or("not selected")?;
        view.id = id;
        let resyncs = matches!(&self.command.what, What::Select { resync: Some(cache), .. } if cache.uid_validity == view.uid_validity);
        ensure!(
            resyncs || self.heard.fetched.is_empty(),
            "SELECT tells changes to who knows nothing"
        );
        self.truth.valid(name, view.uid_validity)?;
        let mailbox = &self.truth.boxes[&id];
        ensure!(
            view.messages.len() == mailbox.messages.len(),
            "{} EXISTS, but there are {}",
            view.messages.len(),
            mailbox.messages.len()
        );
        ensure!(
            view.uid_next == mailbox.next,
            "UIDNEXT {}, should be {}",
            view.uid_next,
            mailbox.next
        );
        let highest = self.heard.code_number("HIGHESTMODSEQ");
        ensure!(
            highest.is_none_or(|highest| mailbox.highest.holds(highest)),
            "HIGHESTMODSEQ {highest:?}, should be in {:?}",
            mailbox.highest
        );
        for uid in &self.heard.vanished_earlier {
            ensure!(
                !mailbox.messages.contains_key(uid),
                "VANISHED (EARLIER) of UID {uid}, which is there"
            );
        }
        for (known, uid) in view.messages.iter().zip(mailbox.messages.keys()) {
            ensure!(
                known.uid.is_none_or(|known| known == *uid),
                "{known:?} stands where UID {uid} is"
            );
        }
        agree(view, mailbox)
    }

    /// Whatever was told of a message's flags is what they are, or were when the command began.
    fn check_fetched(&mut self, old: &BTreeMap<u32, Flags>) -> Check {
        let id = self.client.view.as_ref().map(|view| view.id).or(self.id);
        let Some(mailbox) = id.and_then(|id| self.truth.boxes.get_mut(&id)) else {
            return Ok(());
        };
        for fetched in &self.heard.fetched {
            let Some(uid) = fetched.uid else { continue };
            let message = match mailbox.messages.get_mut(&uid) {
                Some(message) => message,
                None => match mailbox.ghosts.get_mut(&uid) {
                    Some((message, _)) => message,
                    None => return Err(format!("FETCH of UID {uid}, which never was")),
                },
            };
            if let Some(flags) = &fetched.flags {
                let right = *flags == message.flags || old.get(&uid) == Some(flags);
                ensure!(
                    right,
                    "flags of UID {uid} are told as {flags:?}, but are {:?}",
                    message.flags
                );
            }
            if let Some(modseq) = fetched.modseq {
                let old_value =
                    old.get(&uid).is_some_and(|flags| *flags != message.flags) && modseq <= message.modseq.after;
                ensure!(
                    message.modseq.holds(modseq) || old_value,
                    "MODSEQ of UID {uid} is told as {modseq}, but is in {:?}",
                    message.modseq
                );
                if !old_value {
                    message.modseq = Span {
                        after: modseq - 1,
                        upto: modseq,
                    };
                }
            }
        }
        Ok(())
    }

    /// What the client believes never was otherwise; and below its HIGHESTMODSEQ it is all that is true.
    fn check_view(&self) -> Check {
        let Some(view) = &self.client.view else { return Ok(()) };
        let Some(mailbox) = self.truth.boxes.get(&view.id) else {
            return Ok(());
        };
        for uid in view.uids() {
            ensure!(
                mailbox.remembered(uid).is_some(),
                "UID {uid} is believed, and never was"
            );
        }
        for known in &view.messages {
            let Some(uid) = known.uid else { continue };
            if let Some((_, span)) = mailbox.ghosts.get(&uid) {
                ensure!(
                    span.upto > view.highest,
                    "UID {uid} is gone since {span:?}, and the client, at HIGHESTMODSEQ {}, does not know",
                    view.highest
                );
            }
            if let (Some(message), Some(flags)) = (mailbox.messages.get(&uid), &known.flags) {
                ensure!(
                    *flags == message.flags || message.modseq.upto > view.highest,
                    "flags of UID {uid} are {:?} since {:?}, and the client, at HIGHESTMODSEQ {}, believes {flags:?}",
                    message.flags,
                    message.modseq,
                    view.highest
                );
            }
        }
        if matches!(self.command.what, What::Noop) {
            in_step(view, mailbox)?;
        }
        Ok(())
    }
}

fn flags_now(mailbox: &Mailbox) -> BTreeMap<u32, Flags> {
    let gone = mailbox
        .ghosts
        .iter()
        .map(|(uid, (message, _))| (*uid, message.flags.clone()));
    mailbox
        .messages
        .iter()
        .map(|(uid, message)| (*uid, message.flags.clone()))
        .chain(gone)
        .collect()
}

/// What is believed of flags is true.
pub(crate) fn agree(view: &View, mailbox: &Mailbox) -> Check {
    for known in &view.messages {
        let (Some(uid), Some(flags)) = (known.uid, &known.flags) else {
            continue;
        };
        let message = mailbox
            .messages
            .get(&uid)
            .ok_or_else(|| format!("UID {uid} is believed to be there"))?;
        ensure!(
            *flags == message.flags,
            "flags of UID {uid} are believed {flags:?}, but are {:?}",
            message.flags
        );
        ensure!(
            known
                .modseq
                .is_none_or(|modseq| view.highest == 0 || message.modseq.holds(modseq)),
            "MODSEQ of UID {uid} is believed {:?}, but is in {:?}",
            known.modseq,
            message.modseq
        );
    }
    Ok(())
}

/// All is told: the client's numbering is that of the mailbox.
pub(crate) fn in_step(view: &View, mailbox: &Mailbox) -> Check {
    let there = mailbox.uids();
    ensure!(
        view.messages.len() == there.len(),
        "{} messages are believed, {} are there",
        view.messages.len(),
        there.len()
    );
    for (known, uid) in view.messages.iter().zip(&there) {
        ensure!(
            known.uid.is_none_or(|known| known == *uid),
            "{known:?} stands where UID {uid} is"
        );
    }
    agree(view, mailbox)
}
