//! The end of a command, beside the truth: what had to be said, and what is true from now on.

use crate::client::{Check, Client, Heard, ensure};
use crate::command::{Command, New, What};
use crate::parse::{Value, number_set};
use crate::truth::{Mode, Truth};
use crate::view::{Flags, View};
use std::collections::{BTreeMap, BTreeSet};

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

    /// Of these, the messages that the client still numbers.
    fn named(&self, uids: &[u32]) -> Vec<u32> {
        uids.iter().copied().filter(|uid| self.before.contains(uid)).collect()
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

    fn fetch(&mut self, named: &[u32]) -> Check {
        let What::Fetch {
            asked,
            seen,
            changed_since,
            vanished,
            ..
        } = &self.command.what
        else {
            return Ok(());
        };
        let id = self.selected()?;
        let live = self.live(named)?;
        let changes = |span: crate::truth::Span| changed_since.is_none_or(|since| span.after >= since);
        let mut due: Vec<u32> = Vec::new();
        for uid in named {
            let Some(message) = self.truth.boxes[&id].remembered(*uid) else {
                continue;
            };
            // What is gone is told as it was; which MODSEQ that counts for is left open.
            if changes(message.modseq) && (changed_since.is_none() || live.contains(uid)) {
                due.push(*uid);
            }
        }
        if *seen && !self.read_only {
            let flags = Flags::from(["\\seen".to_owned()]);
            due.iter()
                .filter(|uid| live.contains(uid))
                .for_each(|uid| self.truth.set_flags(id, *uid, Mode::Add, &flags));
        }
        ensure!(
            self.heard.is_ok() || (*seen && live.len() < named.len()),
            "{:?} to FETCH",
            self.heard.condition
        );
        for uid in &self.heard.vanished_earlier {
            ensure!(!live.contains(uid), "VANISHED (EARLIER) of UID {uid}, which is there");
        }
        for uid in due {
            self.check_items(uid, asked)?;
        }
        for fetched in &self.heard.fetched {
            let id_told = fetched
                .items
                .get("EMAILID")
                .and_then(|value| value.list()?.first()?.text());
            if let (Some(uid), Some(told)) = (fetched.uid, id_told) {
                self.truth.identify(id, uid, told)?;
            }
        }
        if *vanished {
            self.check_vanished(named, changed_since.unwrap_or(0))?;
        }
        Ok(())
    }

    /// Who asks which messages have vanished is told of all (RFC 7162 §3.2.6).
    fn check_vanished(&self, named: &[u32], since: u64) -> Check {
        let mailbox = &self.truth.boxes[&self.selected()?];
        let view = self.client.view.as_ref().ok_or("not selected")?;
        for uid in named {
            let gone = mailbox.ghosts.get(uid).is_some_and(|(_, span)| span.after >= since);
            let told = self.heard.vanished_earlier.contains(uid) || view.find(*uid).is_none();
            ensure!(!gone || told, "UID {uid} has vanished, and is not told");
        }
        Ok(())
    }

    /// All items asked for were told of a message, and are right. Flags and MODSEQ are looked at elsewhere.
    fn check_items(&self, uid: u32, asked: &[&'static str]) -> Check {
        let mailbox = &self.truth.boxes[&self.selected()?];
        let message = mailbox.remembered(uid).ok_or("it was there")?;
        let told: Vec<_> = self
            .heard
            .fetched
            .iter()
            .filter(|fetched| fetched.uid == Some(uid))
            .collect();
        for item in asked {
            let name = item.replace(".PEEK", "").replace(".30>", ">");
            let found = told.iter().rev().find_map(|fetched| fetched.items.get(&name));
            let found = found.ok_or_else(|| format!("FETCH of UID {uid} tells no {name}"))?;
            let right = match name.as_str() {
                "BODY[]" => matches!(found, Value::Text(octets) if *octets == message.mail.octets),
                "BODY[HEADER]" => matches!(found, Value::Text(octets) if octets == message.mail.header()),
                "BODY[TEXT]" => matches!(found, Value::Text(octets) if octets == message.mail.text()),
                "BODY[]<7>" => matches!(found, Value::Text(octets) if *octets == message.mail.octets[7..37]),
                "BINARY[1]" => matches!(found, Value::Text(octets) if octets == message.mail.body.as_bytes()),
                "ENVELOPE" => found.list().and_then(|list| list.get(1)?.text()).as_ref() == Some(&message.mail.subject),
                "BODYSTRUCTURE" => found.list().is_some_and(|list| list.len() > 7),
                "EMAILID" => found.list().is_some_and(|list| list.len() == 1),
                "SAVEDATE" => found.text().is_some_and(|date| date.len() == 26),
                "RFC822.SIZE" => found.number() == Some(message.mail.octets.len() as u64),
                "UID" => found.number() == Some(uid.into()),
                "INTERNALDATE" => message.date.is_none_or(|date| found.text() == Some(date.date_time())),
                _ => true,
            };
            ensure!(
                right,
                "FETCH of UID {uid} ({}) tells {name} {found:?}",
                message.mail.number
            );
        }
        Ok(())
    }

    fn store(&mut self, named: &[u32]) -> Check {
        let What::Store {
            mode,
            flags,
            silent,
            unchanged_since,
            ..
        } = &self.command.what
        else {
            return Ok(());
        };
        if self.read_only {
            return self.must_be(false);
        }
        let id = self.selected()?;
        let live = self.live(named)?;
        let refused = self.refused(&live, *unchanged_since)?;
        let stored: Vec<u32> = live.iter().copied().filter(|uid| !refused.contains(uid)).collect();
        ensure!(
            self.heard.is_ok() || live.len() < named.len() || !refused.is_empty(),
            "{:?} to STORE",
            self.heard.condition
        );
        for uid in stored {
            let before = self.truth.boxes[&id].messages[&uid].flags.clone();
            self.truth.set_flags(id, uid, *mode, flags);
            let now = &self.truth.boxes[&id].messages[&uid].flags;
            let told: Vec<_> = self
                .heard
                .fetched
                .iter()
                .filter(|fetched| fetched.uid == Some(uid))
                .collect();
            if !silent {
                let last = told.iter().rev().find_map(|fetched| fetched.flags.as_ref());
                ensure!(
                    last == Some(now),
                    "STORE of UID {uid} tells {last:?}, should be {now:?}"
                );
            }
            if self.client.dialect.condstore() && before != *now {
                ensure!(
                    told.iter().any(|fetched| fetched.modseq.is_some()),
                    "STORE of UID {uid} tells no MODSEQ"
                );
            }
        }
        Ok(())
    }

    /// Messages of a MODIFIED code, which are those that have changed since.
    fn refused(&self, live: &[u32], unchanged_since: Option<u64>) -> Check<Vec<u32>> {
        let Some(code) = self.heard.code("MODIFIED") else {
            let changed = |uid: &&u32| {
                unchanged_since
                    .is_some_and(|since| self.truth.boxes[&self.id.unwrap_or(0)].messages[*uid].modseq.after >= since)
            };
            let changed: Vec<_> = live.iter().filter(changed).collect();
            ensure!(changed.is_empty(), "no MODIFIED, though {changed:?} have changed");
            return Ok(Vec::new());
        };
        let since = unchanged_since.ok_or("MODIFIED without a condition")?;
        let numbers = number_set(&code.first().and_then(Value::text).ok_or("MODIFIED without numbers")?)?;
        let uid = |number: u32| match self.command.by_uid {
            true => Some(number),
            false => self.before.get(number as usize - 1).copied(),
        };
        let refused: Vec<u32> = numbers.into_iter().filter_map(uid).collect();
        let mailbox = &self.truth.boxes[&self.selected()?];
        for uid in live {
            let modseq = mailbox.messages[uid].modseq;
            let is = refused.contains(uid);
            ensure!(
                !is || modseq.upto > since,
                "UID {uid} is MODIFIED, but has MODSEQ {modseq:?}"
            );
            ensure!(
                is || modseq.after < since,
                "UID {uid} is stored, but has MODSEQ {modseq:?}"
            );
        }
        Ok(refused)
    }

    /// Pairs of all COPYUID codes.
    fn copied(&mut self, to: &str) -> Check<Vec<(u32, u32)>> {
        let mut pairs = Vec::new();
        for code in self.heard.codes.iter().filter(|code| code[0].word() == "COPYUID") {
            let [_, validity, from, to_set] = code.as_slice() else {
                return Err("COPYUID without its parts".to_owned());
            };
            let validity = validity
                .number()
                .and_then(|number| u32::try_from(number).ok())
                .ok_or("no UIDVALIDITY")?;
            self.truth.valid(to, validity)?;
            let set = |value: &Value| number_set(&value.text().ok_or("no set")?);
            let (from, to_set) = (set(from)?, set(to_set)?);
            ensure!(
                from.len() == to_set.len(),
                "COPYUID of {} to {}",
                from.len(),
                to_set.len()
            );
            pairs.extend(from.into_iter().zip(to_set));
        }
        Ok(pairs)
    }

    fn copy(&mut self, named: &[u32], to: &str) -> Check {
        let id = self.selected()?;
        let live = self.live(named)?;
        let Some(target) = self.truth.names.get(to).copied() else {
            // Nowhere is as good as anywhere for no message.
            return if named.is_empty() { Ok(()) } else { self.must_be(false) };
        };
        if !self.heard.is_ok() {
            ensure!(live.len() < named.len(), "{:?} to COPY", self.heard.condition);
            return Ok(());
        }
        let pairs = self.copied(to)?;
        let sources: Vec<u32> = pairs.iter().map(|(from, _)| *from).collect();
        ensure!(sources == live, "copied {sources:?}, should be {live:?}");
        for (from, uid) in pairs {
            let message = self.truth.boxes[&id].messages[&from].clone();
            self.truth.put(target, Some(uid), message)?;
        }
        Ok(())
    }

    fn moved(&mut self, named: &[u32], to: &str) -> Check {
        let id = self.selected()?;
        let live = self.live(named)?;
        let target = self.truth.names.get(to).copied();
        let Some(target) = target.filter(|_| !self.read_only) else {
            return if live.is_empty() { Ok(()) } else { self.must_be(false) };
        };
        if !self.heard.is_ok() && self.heard.code("COPYUID").is_none() {
            ensure!(
                live.len() < named.len() || target == id,
                "{:?} to MOVE",
                self.heard.condition
            );
            return Ok(());
        }
        let pairs = self.copied(to)?;
        let sources: Vec<u32> = pairs.iter().map(|(from, _)| *from).collect();
        ensure!(sources == live, "moved {sources:?}, should be {live:?}");
        for (from, uid) in pairs {
            let message = self.truth.expunge(id, from).ok_or("it was there")?;
            self.truth.put(target, Some(uid), message)?;
        }
        self.check_gone(&sources)
    }

    /// The client was told that these are gone; with QRESYNC, also of which HIGHESTMODSEQ that is.
    fn check_gone(&self, uids: &[u32]) -> Check {
        let view = self.client.view.as_ref().ok_or("not selected")?;
        let left: Vec<_> = uids.iter().filter(|uid| view.find(**uid).is_some()).collect();
        ensure!(left.is_empty(), "{left:?} are gone, and the client was not told");
        if self.client.dialect.qresync() && !uids.is_empty() {
            ensure!(
                self.heard.code("HIGHESTMODSEQ").is_some(),
                "messages are gone, and HIGHESTMODSEQ is not told"
            );
        }
        Ok(())
    }

    fn append(&mut self, to: &str, messages: &[New], replaces: Option<u32>) -> Check {
        let Some(target) = self.truth.names.get(to).copied() else {
            return self.must_be(false);
        };
        let gone = match replaces {
            Some(uid) => self.read_only || self.live(&[uid])?.is_empty(),
            None => false,
        };
        if gone {
            return self.must_be(false);
        }
        self.must_be(true)?;
        let code = self.heard.code("APPENDUID").ok_or("no APPENDUID")?.to_vec();
        let validity = code
            .first()
            .and_then(Value::number)
            .and_then(|number| u32::try_from(number).ok());
        self.truth.valid(to, validity.ok_or("APPENDUID without UIDVALIDITY")?)?;
        let uids = number_set(&code.get(1).and_then(Value::text).ok_or("APPENDUID without UIDs")?)?;
        ensure!(
            uids.len() == messages.len(),
            "{} appended, but {uids:?} told",
            messages.len()
        );
        for (uid, New { mail, flags, date }) in uids.into_iter().zip(messages) {
            self.truth.add(target, Some(uid), mail.clone(), flags.clone(), *date)?;
        }
        if let Some(uid) = replaces {
            let id = self.selected()?;
            self.truth.expunge(id, uid);
            self.check_gone(&[uid])?;
        }
        Ok(())
    }

    fn expunge(&mut self, uids: Option<&[u32]>) -> Check {
        if self.read_only {
            return self.must_be(false);
        }
        self.must_be(true)?;
        let gone = self.expunge_marked(uids)?;
        self.check_gone(&gone)
    }

    fn close(&mut self) -> Check {
        self.must_be(true)?;
        ensure!(self.heard.code("HIGHESTMODSEQ").is_none(), "CLOSE tells HIGHESTMODSEQ");
        if !self.read_only {
            self.expunge_marked(None)?;
        }
        Ok(())
    }

    /// Of the messages that the client knew, those marked go.
    fn expunge_marked(&mut self, uids: Option<&[u32]>) -> Check<Vec<u32>> {
        let id = self.selected()?;
        let mut due = self.live(self.before)?;
        due.retain(|uid| uids.is_none_or(|uids| uids.contains(uid)));
        due.retain(|uid| self.truth.boxes[&id].messages[uid].flags.contains("\\deleted"));
        due.iter().for_each(|uid| drop(self.truth.expunge(id, *uid)));
        Ok(due)
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
                    message.modseq = crate::truth::Span {
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

fn flags_now(mailbox: &crate::truth::Mailbox) -> BTreeMap<u32, Flags> {
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
pub(crate) fn agree(view: &View, mailbox: &crate::truth::Mailbox) -> Check {
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
pub(crate) fn in_step(view: &View, mailbox: &crate::truth::Mailbox) -> Check {
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

/// Of what was found, only these.
pub(crate) fn only(found: &[u32], of: &BTreeSet<u32>) -> Vec<u32> {
    found.iter().copied().filter(|uid| of.contains(uid)).collect()
}
