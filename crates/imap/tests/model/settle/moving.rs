//! Messages that come and go: COPY, MOVE, APPEND, REPLACE, EXPUNGE, beside the truth.

use super::Settling;
use crate::client::{Check, ensure};
use crate::command::New;
use crate::parse::{Value, number_set};

impl Settling<'_> {
    /// Pairs of all COPYUID codes.
    pub(crate) fn copied(&mut self, to: &str) -> Check<Vec<(u32, u32)>> {
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

    pub(crate) fn copy(&mut self, named: &[u32], to: &str) -> Check {
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

    pub(crate) fn moved(&mut self, named: &[u32], to: &str) -> Check {
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
    pub(crate) fn check_gone(&self, uids: &[u32]) -> Check {
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

    pub(crate) fn append(&mut self, to: &str, messages: &[New], replaces: Option<u32>) -> Check {
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

    pub(crate) fn expunge(&mut self, uids: Option<&[u32]>) -> Check {
        if self.read_only {
            return self.must_be(false);
        }
        self.must_be(true)?;
        let mut gone = self.expunge_marked(uids)?;
        gone.retain(|uid| self.before.contains(uid));
        self.check_gone(&gone)
    }

    pub(crate) fn close(&mut self) -> Check {
        self.must_be(true)?;
        ensure!(self.heard.code("HIGHESTMODSEQ").is_none(), "CLOSE tells HIGHESTMODSEQ");
        if !self.read_only {
            self.expunge_marked(None)?;
        }
        Ok(())
    }

    /// Those marked go, also those that the client was not told of.
    pub(crate) fn expunge_marked(&mut self, uids: Option<&[u32]>) -> Check<Vec<u32>> {
        let id = self.selected()?;
        let mut due = self.truth.boxes[&id].uids();
        due.retain(|uid| uids.is_none_or(|uids| uids.contains(uid)));
        due.retain(|uid| self.truth.boxes[&id].messages[uid].flags.contains("\\deleted"));
        due.iter().for_each(|uid| drop(self.truth.expunge(id, *uid)));
        Ok(due)
    }
}
