//! SEARCH, SORT and THREAD.

use super::Planner;
use crate::command::{Command, What};
use crate::search::{Key, SortBy};
use crate::view::View;

impl Planner<'_> {
    pub(crate) fn key(&mut self, view: &View) -> Key {
        let saved = self.client.saved.as_ref().filter(|_| self.client.can("SEARCHRES"));
        Key::make(self.dice, view, saved, self.client.dialect.condstore(), 0)
    }

    pub(crate) fn search(&mut self, view: &View) -> Command {
        let by_uid = self.by_uid();
        let key = self.key(view);
        let mut returns = None;
        let mut asks = String::new();
        if self.client.can("ESEARCH") && self.dice.chance(50) {
            let mut chosen: Vec<&'static str> = ["MIN", "MAX", "COUNT", "ALL"]
                .into_iter()
                .filter(|_| self.dice.chance(40))
                .collect();
            if self.client.can("PARTIAL") && !chosen.contains(&"ALL") && self.dice.chance(40) {
                chosen.push(
                    self.dice
                        .pick(&["PARTIAL 1:2", "PARTIAL 4:2", "PARTIAL -1:-3", "PARTIAL 90:99"]),
                );
            }
            if self.client.can("SEARCHRES") && self.dice.chance(40) {
                chosen.push("SAVE");
            }
            asks = format!("RETURN ({}) ", chosen.join(" "));
            returns = Some(if chosen.is_empty() { vec!["ALL"] } else { chosen });
        }
        let text = format!("{}SEARCH {asks}{}", if by_uid { "UID " } else { "" }, key.text());
        Command::line("SEARCH", by_uid, text, What::Search { key, returns })
    }

    pub(crate) fn sort(&mut self, view: &View) -> Command {
        let by_uid = self.by_uid();
        let key = self.key(view);
        let count = 1 + self.dice.below(2);
        let by: Vec<(bool, SortBy)> = (0..count)
            .map(|_| (self.dice.chance(30), self.dice.pick(&SortBy::ALL)))
            .collect();
        let words: Vec<String> = by
            .iter()
            .map(|(reverse, by)| format!("{}{}", if *reverse { "REVERSE " } else { "" }, by.text()))
            .collect();
        let text = format!(
            "{}SORT ({}) UTF-8 {}",
            if by_uid { "UID " } else { "" },
            words.join(" "),
            key.text()
        );
        Command::line("SORT", by_uid, text, What::Sort { key, by })
    }

    pub(crate) fn thread(&mut self, view: &View) -> Command {
        let by_uid = self.by_uid();
        let key = self.key(view);
        let algorithm = self.dice.pick(&["REFERENCES", "ORDEREDSUBJECT"]);
        let text = format!(
            "{}THREAD {algorithm} UTF-8 {}",
            if by_uid { "UID " } else { "" },
            key.text()
        );
        Command::line("THREAD", by_uid, text, What::Thread(key))
    }
}
