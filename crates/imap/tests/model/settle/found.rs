//! Results of SEARCH, SORT and THREAD beside a naive evaluation over the messages that the session numbers.
//!
//! Messages that are gone and not told may be among the results or not (RFC 2180 §4.3), and so may those of which only
//! the exact MODSEQ would tell.

use super::Settling;
use crate::client::{Check, ensure};
use crate::parse::{Value, number_set};
use crate::search::{Key, SortBy, sorted};
use std::collections::{BTreeMap, BTreeSet};

/// What a search has to find.
struct Hits {
    certain: BTreeSet<u32>,
    /// May be found or not.
    open: BTreeSet<u32>,
}

impl Settling<'_> {
    fn hits(&self, key: &Key) -> Check<Hits> {
        let mailbox = &self.truth.boxes[&self.selected()?];
        let mut hits = Hits {
            certain: BTreeSet::new(),
            open: BTreeSet::new(),
        };
        for uid in self.before {
            match mailbox.messages.get(uid).map(|message| key.matches(*uid, message)) {
                Some(Some(true)) => hits.certain.insert(*uid),
                Some(Some(false)) => false,
                Some(None) | None => hits.open.insert(*uid),
            };
        }
        Ok(hits)
    }

    /// A number of a result as a UID.
    fn uid(&self, number: u32) -> Check<u32> {
        let uid = match self.command.by_uid {
            true => self.before.iter().find(|uid| **uid == number),
            false => self.before.get((number as usize).wrapping_sub(1)),
        };
        uid.copied()
            .ok_or_else(|| format!("{number} is found, which is not there"))
    }

    fn uids(&self, values: &[Value]) -> Check<Vec<u32>> {
        let number = |value: &Value| {
            value
                .number()
                .and_then(|number| u32::try_from(number).ok())
                .ok_or("no number")
        };
        values.iter().map(|value| self.uid(number(value)?)).collect()
    }

    pub(crate) fn search(&mut self, key: &Key, returns: Option<&[&'static str]>) -> Check {
        self.must_be(true)?;
        let hits = self.hits(key)?;
        if let Some(returns) = returns {
            self.client.saved = None;
            return self.extended(&hits, returns, key.asks_modseq());
        }
        if self.client.dialect.rev2() {
            return self.extended(&hits, &["ALL"], key.asks_modseq());
        }
        let found: Vec<&[Value]> = self.heard.data("SEARCH").collect();
        let [found] = found[..] else {
            return Err(format!("{} SEARCH responses", found.len()));
        };
        let (numbers, rest) = found.split_at(found.iter().take_while(|value| value.list().is_none()).count());
        let uids = self.uids(numbers)?;
        ensure!(
            !key.asks_modseq() || uids.is_empty() || !rest.is_empty(),
            "SEARCH of MODSEQ tells none"
        );
        self.compare(&uids, &hits)
    }

    fn compare(&self, uids: &[u32], hits: &Hits) -> Check {
        let found: BTreeSet<u32> = uids.iter().copied().collect();
        ensure!(found.len() == uids.len(), "found twice: {uids:?}");
        let missing: Vec<_> = hits.certain.difference(&found).collect();
        let wrong: Vec<_> = found
            .iter()
            .filter(|uid| !hits.certain.contains(uid) && !hits.open.contains(uid))
            .collect();
        ensure!(
            missing.is_empty() && wrong.is_empty(),
            "found {found:?}: {missing:?} are missing, {wrong:?} are wrong"
        );
        Ok(())
    }

    /// ESEARCH (RFC 4731 §3, RFC 9051 §7.3.4) and what SAVE leaves in `$` (RFC 5182 §2.1, §2.4, RFC 9394 §3.2).
    fn extended(&mut self, hits: &Hits, returns: &[&'static str], modseq: bool) -> Check {
        let told = self.heard.data("ESEARCH").next();
        let mut results: BTreeMap<String, Value> = BTreeMap::new();
        if let Some(told) = told {
            let mut words = told.iter();
            let tag = words.next().and_then(|tag| tag.list()?.get(1)?.text());
            ensure!(tag.is_some_and(|tag| tag.starts_with('t')), "ESEARCH without its tag");
            let mut words = words.peekable();
            let by_uid = words.next_if(|word| word.word() == "UID").is_some();
            ensure!(by_uid == self.command.by_uid, "ESEARCH with or without UID");
            let words: Vec<_> = words.collect();
            for pair in words.chunks(2) {
                let [name, value] = pair else {
                    return Err("ESEARCH result without its value".to_owned());
                };
                results.insert(name.word(), (*value).clone());
            }
        } else {
            ensure!(returns == ["SAVE"], "no ESEARCH");
        }
        let numbers = match results.get("ALL") {
            Some(all) => Some(number_set(&all.text().ok_or("ALL without a set")?)?),
            None if returns.contains(&"ALL") => Some(Vec::new()),
            None => None,
        };
        let mut found = None;
        if let Some(numbers) = numbers {
            let uids: Vec<u32> = numbers
                .into_iter()
                .map(|number| self.uid(number))
                .collect::<Check<_>>()?;
            self.compare(&uids, hits)?;
            found = Some(uids.into_iter().collect::<BTreeSet<u32>>());
        }
        if hits.open.is_empty() {
            found = Some(hits.certain.clone());
        }
        let Some(found) = found else { return Ok(()) };
        self.check_results(&found, returns, &results)?;
        let chosen = chosen(found, returns);
        ensure!(
            !modseq || chosen.is_empty() || told.is_none() || results.contains_key("MODSEQ"),
            "ESEARCH tells no MODSEQ"
        );
        if returns.contains(&"SAVE") {
            self.client.saved = Some(chosen);
        }
        Ok(())
    }

    fn check_results(&self, found: &BTreeSet<u32>, returns: &[&str], results: &BTreeMap<String, Value>) -> Check {
        for (name, uid) in [("MIN", found.first()), ("MAX", found.last())] {
            let told = results
                .get(name)
                .map(|value| self.uids(std::slice::from_ref(value)))
                .transpose()?;
            let wanted = uid.filter(|_| returns.contains(&name)).map(|uid| vec![*uid]);
            ensure!(told == wanted, "{name} is {told:?}, should be {wanted:?}");
        }
        if let Some(part) = part(returns) {
            let told = results.get("PARTIAL").and_then(Value::list).ok_or("no PARTIAL")?;
            let [range, set] = told else {
                return Err(format!("PARTIAL is {told:?}"));
            };
            ensure!(
                range.text().is_some_and(|range| range == part.shown()),
                "PARTIAL of {range:?}"
            );
            let numbers = match set.word().as_str() {
                "NIL" => Vec::new(),
                set => number_set(set)?,
            };
            let told = numbers
                .into_iter()
                .map(|number| self.uid(number))
                .collect::<Check<Vec<u32>>>()?;
            ensure!(
                told == part.of(found),
                "PARTIAL is {told:?}, should be {:?}",
                part.of(found)
            );
        }
        let told = results.get("COUNT").and_then(Value::number);
        let wanted = returns.contains(&"COUNT").then_some(found.len() as u64);
        ensure!(told == wanted, "COUNT is {told:?}, should be {wanted:?}");
        Ok(())
    }

    pub(crate) fn sort(&mut self, key: &Key, by: &[(bool, SortBy)]) -> Check {
        self.must_be(true)?;
        let mut hits = self.hits(key)?;
        let mailbox = &self.truth.boxes[&self.selected()?];
        let told = self.heard.data("SORT").next().ok_or("no SORT response")?;
        let (numbers, rest) = told.split_at(told.iter().take_while(|value| value.list().is_none()).count());
        let found = self.uids(numbers)?;
        ensure!(
            !key.asks_modseq() || found.is_empty() || !rest.is_empty(),
            "SORT of MODSEQ tells none"
        );
        self.compare(&found, &hits)?;
        if by.iter().any(|(_, by)| *by == SortBy::Arrival) {
            hits.certain.retain(|uid| mailbox.messages[uid].date.is_some());
        }
        let right = sorted(
            hits.certain.iter().map(|uid| (*uid, &mailbox.messages[uid])).collect(),
            by,
        );
        let found = only(&found, &hits.certain);
        ensure!(found == right, "sorted as {found:?}, should be {right:?}");
        Ok(())
    }

    /// Replies have their parent's subject, so the threads of either algorithm are the messages of one base subject.
    pub(crate) fn thread(&mut self, key: &Key) -> Check {
        self.must_be(true)?;
        let hits = self.hits(key)?;
        let mailbox = &self.truth.boxes[&self.selected()?];
        let mut all = Vec::new();
        let mut threads = BTreeSet::new();
        for thread in self.heard.data("THREAD").next().ok_or("no THREAD response")? {
            let mut numbers = Vec::new();
            flatten(thread, &mut numbers)?;
            let uids: Vec<u32> = numbers
                .into_iter()
                .map(|number| self.uid(number))
                .collect::<Check<_>>()?;
            let certain: BTreeSet<u32> = uids.iter().copied().filter(|uid| hits.certain.contains(uid)).collect();
            all.extend(uids);
            if !certain.is_empty() {
                threads.insert(certain);
            }
        }
        self.compare(&all, &hits)?;
        let mut by_subject: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for uid in &hits.certain {
            by_subject
                .entry(&mailbox.messages[uid].mail.base)
                .or_default()
                .insert(*uid);
        }
        let right: BTreeSet<_> = by_subject.into_values().collect();
        ensure!(threads == right, "threads are {threads:?}, should be {right:?}");
        Ok(())
    }
}

/// What is told and saved: the part and the ends, if only these were asked for; else all.
fn chosen(found: BTreeSet<u32>, returns: &[&str]) -> BTreeSet<u32> {
    let (min, max, part) = (returns.contains(&"MIN"), returns.contains(&"MAX"), part(returns));
    if returns.contains(&"ALL") || returns.contains(&"COUNT") || !(min || max || part.is_some()) {
        return found;
    }
    let ends = [found.first().filter(|_| min), found.last().filter(|_| max)];
    let mut chosen: BTreeSet<u32> = ends.into_iter().flatten().copied().collect();
    chosen.extend(part.iter().flat_map(|part| part.of(&found)));
    chosen
}

/// The range of PARTIAL (RFC 9394 §3.1).
struct Part {
    first: usize,
    last: usize,
    from_end: bool,
}

fn part(returns: &[&str]) -> Option<Part> {
    let range = returns.iter().find_map(|name| name.strip_prefix("PARTIAL "))?;
    let (a, b) = range.split_once(':')?;
    let place = |text: &str| text.trim_start_matches('-').parse::<usize>().ok();
    let (a, b) = (place(a)?, place(b)?);
    Some(Part {
        first: a.min(b),
        last: a.max(b),
        from_end: range.starts_with('-'),
    })
}

impl Part {
    fn of(&self, found: &BTreeSet<u32>) -> Vec<u32> {
        let mut found: Vec<u32> = found.iter().copied().collect();
        if self.from_end {
            found.reverse();
        }
        let mut part: Vec<u32> = found.into_iter().take(self.last).skip(self.first - 1).collect();
        part.sort_unstable();
        part
    }

    fn shown(&self) -> String {
        let sign = if self.from_end { "-" } else { "" };
        format!("{sign}{}:{sign}{}", self.first, self.last)
    }
}

fn flatten(value: &Value, numbers: &mut Vec<u32>) -> Check {
    match value {
        Value::List(values) => values.iter().try_for_each(|value| flatten(value, numbers)),
        _ => {
            let number = value.number().and_then(|number| u32::try_from(number).ok());
            numbers.push(number.ok_or("no number in a thread")?);
            Ok(())
        }
    }
}

/// Of what was found, only these.
fn only(found: &[u32], of: &BTreeSet<u32>) -> Vec<u32> {
    found.iter().copied().filter(|uid| of.contains(uid)).collect()
}
