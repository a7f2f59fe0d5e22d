//! FETCH beside the truth.

use super::Settling;
use crate::client::{Check, ensure};
use crate::command::What;
use crate::parse::Value;
use crate::truth::{Mode, Span};
use crate::view::Flags;

impl Settling<'_> {
    pub(crate) fn fetch(&mut self, named: &[u32]) -> Check {
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
        // Where only the exact MODSEQ would tell, what the server did decides.
        let told = |uid: u32| {
            self.heard.fetched.iter().any(|fetched| {
                fetched.uid == Some(uid)
                    && asked
                        .iter()
                        .all(|item| fetched.items.contains_key(&response_name(item)))
            })
        };
        let changes = |uid: u32, span: Span| {
            changed_since.is_none_or(|since| span.after >= since || (span.upto > since && told(uid)))
        };
        let mut due: Vec<u32> = Vec::new();
        for uid in named {
            let Some(message) = self.truth.boxes[&id].remembered(*uid) else {
                continue;
            };
            // What is gone is told as it was; which MODSEQ that counts for is left open.
            if changes(*uid, message.modseq) && (changed_since.is_none() || live.contains(uid)) {
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
    pub(crate) fn check_vanished(&self, named: &[u32], since: u64) -> Check {
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
    pub(crate) fn check_items(&self, uid: u32, asked: &[&'static str]) -> Check {
        let mailbox = &self.truth.boxes[&self.selected()?];
        let message = mailbox.remembered(uid).ok_or("it was there")?;
        let told: Vec<_> = self
            .heard
            .fetched
            .iter()
            .filter(|fetched| fetched.uid == Some(uid))
            .collect();
        for item in asked {
            let name = response_name(item);
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
}

/// How a FETCH response calls an item.
fn response_name(item: &str) -> String {
    item.replace(".PEEK", "").replace(".30>", ">")
}
