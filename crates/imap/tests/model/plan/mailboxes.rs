//! Commands on mailboxes by name.

use super::{MADE, NAMES, Planner};
use crate::command::{Command, What};

impl Planner<'_> {
    pub(crate) fn named(&mut self, verb: &'static str, what: fn(String) -> What) -> Command {
        let name = if self.dice.chance(90) {
            self.dice.pick(&MADE)
        } else {
            self.dice.pick(&NAMES)
        };
        Command::line(verb, false, format!("{verb} {name}"), what(name.to_owned()))
    }

    pub(crate) fn rename(&mut self) -> Command {
        let from = if self.dice.chance(20) {
            "INBOX"
        } else {
            self.dice.pick(&MADE)
        };
        let to = self.dice.pick(&MADE);
        Command::line(
            "RENAME",
            false,
            format!("RENAME {from} {to}"),
            What::Rename(from.to_owned(), to.to_owned()),
        )
    }

    pub(crate) fn subscribe(&mut self) -> Command {
        let name = self.dice.pick(&MADE);
        let on = self.dice.chance(60);
        let verb = if on { "SUBSCRIBE" } else { "UNSUBSCRIBE" };
        Command::line(
            verb,
            false,
            format!("{verb} {name}"),
            What::Subscribe(name.to_owned(), on),
        )
    }

    pub(crate) fn list(&mut self) -> Command {
        let status = self.client.can("LIST-STATUS") && self.dice.chance(50);
        let returns = if status {
            " RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))"
        } else {
            ""
        };
        Command::line("LIST", false, format!("LIST \"\" *{returns}"), What::List { status })
    }

    pub(crate) fn status(&mut self) -> Command {
        let name = self.dice.pick(&NAMES);
        let mut items = vec!["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"];
        for (item, capability) in [("SIZE", "STATUS=SIZE"), ("DELETED", "IMAP4REV2")] {
            if self.client.can(capability) {
                items.push(item);
            }
        }
        if self.client.dialect.condstore() {
            items.push("HIGHESTMODSEQ");
        }
        Command::line(
            "STATUS",
            false,
            format!("STATUS {name} ({})", items.join(" ")),
            What::Status(name.to_owned()),
        )
    }
}
