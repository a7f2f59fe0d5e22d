//! Commands with messages: APPEND and REPLACE.

use super::{NAMES, Planner};
use crate::command::{Command, New, What};
use crate::mail::Moment;
use crate::view::View;

impl Planner<'_> {
    pub(crate) fn message(&mut self) -> New {
        New {
            mail: self.post.write(self.dice),
            flags: self.flags(),
            date: self.dice.chance(70).then(|| Moment::some(self.dice)),
        }
    }

    /// Arguments of these messages, cut where the server has to say `+`.
    pub(crate) fn literals(&mut self, head: String, messages: &[New]) -> Vec<Vec<u8>> {
        let waits = !self.piped && (!self.client.can("LITERAL+") || self.dice.chance(50));
        let mut parts = Vec::new();
        let mut part = head.into_bytes();
        for New { mail, flags, date } in messages {
            if !flags.is_empty() {
                part.extend_from_slice(
                    format!(" ({})", flags.iter().cloned().collect::<Vec<_>>().join(" ")).as_bytes(),
                );
            }
            if let Some(date) = date {
                part.extend_from_slice(format!(" \"{}\"", date.date_time()).as_bytes());
            }
            let plus = if waits { "" } else { "+" };
            part.extend_from_slice(format!(" {{{}{plus}}}\r\n", mail.octets.len()).as_bytes());
            if waits {
                parts.push(std::mem::take(&mut part));
            }
            part.extend_from_slice(&mail.octets);
        }
        part.extend_from_slice(b"\r\n");
        parts.push(part);
        parts
    }

    pub(crate) fn append(&mut self) -> Command {
        let to = self.dice.pick(&NAMES).to_owned();
        let count = if self.client.can("MULTIAPPEND") && self.dice.chance(25) {
            2 + self.dice.below(3)
        } else {
            1
        };
        let messages: Vec<New> = (0..count).map(|_| self.message()).collect();
        Command {
            parts: self.literals(format!("APPEND {to}"), &messages),
            verb: "APPEND",
            by_uid: false,
            what: What::Append {
                to,
                messages,
                replaces: None,
            },
        }
    }

    pub(crate) fn replace(&mut self, view: &View) -> Option<Command> {
        let by_uid = self.by_uid();
        let uids = view.uids();
        let uid = *uids.get(self.dice.below(uids.len().max(1)))?;
        let number = if by_uid { uid } else { view.seq_of(uid)? };
        let to = if self.dice.chance(60) {
            view.name.clone()
        } else {
            self.dice.pick(&NAMES).to_owned()
        };
        let messages = vec![self.message()];
        let head = format!("{}REPLACE {number} {to}", if by_uid { "UID " } else { "" });
        Some(Command {
            parts: self.literals(head, &messages),
            verb: "REPLACE",
            by_uid,
            what: What::Append {
                to,
                messages,
                replaces: Some(uid),
            },
        })
    }
}
