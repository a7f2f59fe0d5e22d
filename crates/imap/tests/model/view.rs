//! What a client believes of the mailbox it has selected, and what it keeps of it for the next connection.

use crate::client::{Check, Fetched, ensure};
use crate::parse::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Flags and keywords, in small letters; `\Recent` is left out.
pub(crate) type Flags = BTreeSet<String>;

pub(crate) fn flags_of(value: &Value) -> Check<Flags> {
    let list = value.list().ok_or("FLAGS without a list")?;
    let all: Vec<String> = list.iter().map(|flag| flag.word().to_ascii_lowercase()).collect();
    let set: Flags = all.iter().cloned().collect();
    ensure!(set.len() == all.len() && !set.contains(""), "odd flags: {all:?}");
    Ok(set.into_iter().filter(|flag| flag != "\\recent").collect())
}

/// A message as a client knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<Flags>,
    /// The highest MODSEQ told.
    pub(crate) modseq: Option<u64>,
    /// The MODSEQ that the flags were told with.
    pub(crate) flags_at: Option<u64>,
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) name: String,
    /// Which mailbox of the truth it is.
    pub(crate) id: u32,
    pub(crate) read_only: bool,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) messages: Vec<Known>,
    /// HIGHESTMODSEQ as RFC 7162 §6 makes a client compute it: 0 if it keeps none.
    pub(crate) highest: u64,
    /// The last HIGHESTMODSEQ since the last tagged response.
    pub(crate) highest_told: Option<u64>,
    /// The highest MODSEQ of a FETCH response since the last tagged response.
    pub(crate) highest_fetched: u64,
}

/// What a client keeps of a mailbox: all messages below `next` that were there when `highest` was.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    pub(crate) name: String,
    pub(crate) uid_validity: u32,
    pub(crate) highest: u64,
    pub(crate) next: u32,
    pub(crate) messages: BTreeMap<u32, Known>,
}

impl View {
    pub(crate) fn uids(&self) -> Vec<u32> {
        self.messages.iter().filter_map(|known| known.uid).collect()
    }

    /// Number of the first message whose UID is not known.
    pub(crate) fn first_unknown(&self) -> Option<u32> {
        let at = self.messages.iter().position(|known| known.uid.is_none())?;
        Some(at as u32 + 1)
    }

    pub(crate) fn find(&self, uid: u32) -> Option<&Known> {
        self.messages.iter().find(|known| known.uid == Some(uid))
    }

    pub(crate) fn seq_of(&self, uid: u32) -> Option<u32> {
        let at = self.messages.iter().position(|known| known.uid == Some(uid))?;
        Some(at as u32 + 1)
    }

    pub(crate) fn grow(&mut self, count: u32) -> Check {
        ensure!(
            count as usize >= self.messages.len(),
            "EXISTS shrinks from {} to {count}",
            self.messages.len()
        );
        self.messages.resize(count as usize, Known::default());
        Ok(())
    }

    pub(crate) fn expunge(&mut self, seq: u32) -> Check {
        let at = (seq as usize).wrapping_sub(1);
        ensure!(at < self.messages.len(), "EXPUNGE {seq} of {}", self.messages.len());
        self.messages.remove(at);
        Ok(())
    }

    pub(crate) fn vanish(&mut self, uid: u32) -> Check {
        if let Some(at) = self.messages.iter().position(|known| known.uid == Some(uid)) {
            self.messages.remove(at);
            return Ok(());
        }
        // One that was counted, but not named yet: it stands between those that are known around it.
        let before = self
            .messages
            .iter()
            .rposition(|known| known.uid.is_some_and(|known| known < uid));
        let at = before.map_or(0, |before| before + 1);
        ensure!(
            self.messages.get(at).is_some_and(|known| known.uid.is_none()),
            "VANISHED of UID {uid}, which was not there"
        );
        self.messages.remove(at);
        Ok(())
    }

    /// Takes a FETCH response in and gives the message's UID, if it is known.
    pub(crate) fn fetched(&mut self, fetched: &Fetched) -> Check<Option<u32>> {
        let at = (fetched.seq as usize).wrapping_sub(1);
        ensure!(
            at < self.messages.len(),
            "FETCH of {}, but {} exist",
            fetched.seq,
            self.messages.len()
        );
        if let Some(uid) = fetched.uid {
            let believed = self.messages[at].uid;
            ensure!(
                believed.is_none_or(|believed| believed == uid),
                "message {} has UID {uid}, but had {believed:?}",
                fetched.seq
            );
            let below = self.messages[..at].iter().rev().find_map(|known| known.uid);
            let above = self.messages[at + 1..].iter().find_map(|known| known.uid);
            ensure!(
                below.is_none_or(|below| below < uid) && above.is_none_or(|above| uid < above),
                "UID {uid} stands between {below:?} and {above:?}"
            );
            self.messages[at].uid = Some(uid);
        }
        let known = &mut self.messages[at];
        if let Some(modseq) = fetched.modseq {
            ensure!(modseq > 0, "MODSEQ 0");
            let before = known.modseq.unwrap_or(0);
            ensure!(
                modseq >= before,
                "MODSEQ of {:?} falls from {before} to {modseq}",
                known.uid
            );
            if let (Some(flags), Some(believed)) = (&fetched.flags, &known.flags) {
                ensure!(
                    known.flags_at != Some(modseq) || flags == believed,
                    "flags of {:?} changed from {believed:?} to {flags:?} at one MODSEQ, {modseq}",
                    known.uid
                );
            }
            known.modseq = Some(modseq);
            self.highest_fetched = self.highest_fetched.max(modseq);
        }
        if let Some(flags) = &fetched.flags {
            known.flags = Some(flags.clone());
            known.flags_at = fetched.modseq;
        }
        Ok(known.uid)
    }

    /// A tagged response came: RFC 7162 §6 says what HIGHESTMODSEQ is now.
    pub(crate) fn synchronise(&mut self) {
        let fetched = std::mem::take(&mut self.highest_fetched);
        self.highest = self.highest_told.take().unwrap_or(self.highest.max(fetched));
    }

    /// What is kept: messages are known in full up to the first that is not.
    pub(crate) fn into_cache(self) -> Option<Cache> {
        if self.highest == 0 {
            return None;
        }
        let full = |known: &Known| Some((known.uid?, known.flags.is_some().then(|| known.clone())?));
        let messages: BTreeMap<u32, Known> = self.messages.iter().map_while(full).collect();
        let next = match messages.len() == self.messages.len() {
            true => messages
                .keys()
                .last()
                .map_or(self.uid_next, |last| self.uid_next.max(last + 1)),
            false => messages.keys().last().map_or(1, |last| last + 1),
        };
        Some(Cache {
            name: self.name,
            uid_validity: self.uid_validity,
            highest: self.highest,
            next,
            messages,
        })
    }
}
