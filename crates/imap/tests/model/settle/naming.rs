//! Commands on mailboxes by name, beside the truth.

use super::Settling;
use crate::client::{Check, ensure};
use crate::parse::Value;
use std::collections::{BTreeMap, BTreeSet};

impl Settling<'_> {
    pub(crate) fn create(&mut self, name: &str) -> Check {
        if self.truth.names.contains_key(name) {
            return self.must_be(false);
        }
        self.must_be(true)?;
        self.truth.create_all(name);
        Ok(())
    }

    pub(crate) fn delete(&mut self, name: &str) -> Check {
        let id = self.truth.names.get(name).copied();
        let Some(id) = id.filter(|id| !self.truth.needed.contains(id) && !self.truth.has_children(name)) else {
            return self.must_be(false);
        };
        self.must_be(true)?;
        ensure!(
            self.heard.code("CLOSED").is_some() == (self.id == Some(id)),
            "CLOSED goes with the selected mailbox and no other"
        );
        self.truth.names.remove(name);
        self.truth.boxes.remove(&id);
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Check {
        let is = |name: &str| self.truth.names.contains_key(name);
        if !is(from) || is(to) || (to.starts_with(&format!("{from}/")) && from != "INBOX") {
            return self.must_be(false);
        }
        self.must_be(true)?;
        if from != "INBOX" {
            self.truth.rename(from, to);
            return Ok(());
        }
        // The messages move, INBOX stays (RFC 9051 §6.3.6).
        self.truth.create_all(to);
        let (inbox, target) = (self.truth.names["INBOX"], self.truth.names[to]);
        for uid in self.truth.boxes[&inbox].uids() {
            let message = self.truth.expunge(inbox, uid).ok_or("it was there")?;
            self.truth.put(target, None, message)?;
        }
        Ok(())
    }

    pub(crate) fn subscribe(&mut self, name: &str, on: bool) -> Check {
        self.must_be(true)?;
        if on {
            self.truth.subscribed.insert(name.to_owned());
        } else {
            self.truth.subscribed.remove(name);
        }
        Ok(())
    }

    pub(crate) fn list(&mut self, status: bool) -> Check {
        self.must_be(true)?;
        let mut names = BTreeSet::new();
        for line in self.heard.data("LIST") {
            let (Some(attributes), Some(name)) =
                (line.first().and_then(Value::list), line.get(2).and_then(Value::text))
            else {
                return Err("LIST without its parts".to_owned());
            };
            let has = |attribute: &str| attributes.iter().any(|value| value.word() == attribute);
            ensure!(
                has("\\HASCHILDREN") == self.truth.has_children(&name),
                "children of {name}: {attributes:?}"
            );
            ensure!(
                has("\\HASCHILDREN") != has("\\HASNOCHILDREN"),
                "children of {name}: {attributes:?}"
            );
            ensure!(names.insert(name.clone()), "{name} is listed twice");
        }
        let right: BTreeSet<String> = self.truth.names.keys().cloned().collect();
        ensure!(names == right, "{names:?} are listed, {right:?} are there");
        let told: BTreeSet<String> = self
            .heard
            .data("STATUS")
            .filter_map(|line| line.first()?.text())
            .collect();
        ensure!(
            told == if status { right } else { BTreeSet::new() },
            "STATUS of {told:?}"
        );
        for name in told {
            self.check_status(&name)?;
        }
        Ok(())
    }

    pub(crate) fn status(&mut self, name: &str) -> Check {
        if !self.truth.names.contains_key(name) {
            return self.must_be(false);
        }
        self.must_be(true)?;
        self.check_status(name)
    }

    fn check_status(&mut self, name: &str) -> Check {
        let line = self
            .heard
            .data("STATUS")
            .find(|line| line.first().and_then(Value::text).as_deref() == Some(name));
        let items = line.and_then(|line| line.get(1)?.list()).ok_or("no STATUS")?;
        let items: BTreeMap<String, u64> = items
            .chunks(2)
            .filter_map(|pair| Some((pair.first()?.word(), pair.get(1)?.number()?)))
            .collect();
        if let Some(validity) = items.get("UIDVALIDITY") {
            self.truth
                .valid(name, u32::try_from(*validity).map_err(|_| "a large UIDVALIDITY")?)?;
        }
        let mailbox = self.truth.by_name(name).ok_or("it was there")?;
        let without = |flag: &str| mailbox.count(|message| !message.flags.contains(flag));
        for (item, told) in &items {
            let right = match item.as_str() {
                "MESSAGES" => mailbox.messages.len() as u64,
                "UIDNEXT" => mailbox.next.into(),
                "UNSEEN" => without("\\seen"),
                "DELETED" => mailbox.messages.len() as u64 - without("\\deleted"),
                "SIZE" => mailbox
                    .messages
                    .values()
                    .map(|message| message.mail.octets.len() as u64)
                    .sum(),
                "HIGHESTMODSEQ" => {
                    ensure!(
                        mailbox.highest.holds(*told),
                        "HIGHESTMODSEQ {told} is not in {:?}",
                        mailbox.highest
                    );
                    continue;
                }
                _ => continue,
            };
            ensure!(*told == right, "{item} of {name} is {told}, should be {right}");
        }
        Ok(())
    }
}
