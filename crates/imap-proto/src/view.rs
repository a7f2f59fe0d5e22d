//! One client's numbering of one mailbox: what it has been told, and what it has not.
//!
//! Always holds: `told` ascends and is exactly what the client believes to be there, so that the message with sequence
//! number n is its n-th. What has happened since waits beside it until it may be told: new messages at any time,
//! expunges never during FETCH, STORE and SEARCH (RFC 9051 §7.5.1).
//!
//! The client knows everything up to the modseq `complete`, and that is the one it may resynchronise from: a MODSEQ above
//! it that it was told of may have an untold expunge below it (RFC 7162 §3.2).

mod context;
mod contexts;
mod difference;
mod numbers;
mod pieces;
#[cfg(test)]
mod tests;

pub(crate) use context::Context;
pub(crate) use contexts::Contexts;
pub(crate) use difference::Difference;
pub(crate) use pieces::Pieces;

use crate::question::{FlagsNow, News, Selected};
use numbers::Numbers;
use postroom_types::{Keyword, MailboxId, MessageFlags, ModSeq, SeqNum, Uid, UidValidity};
use std::collections::BTreeMap;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Of the mailbox; in tests there may be none.
    id: Option<MailboxId>,
    uid_validity: Option<UidValidity>,
    told: Numbers,
    /// Of `told`, those that are gone; ascending.
    expunged: Vec<Uid>,
    /// New and not told; ascending, all above `told`.
    appended: Vec<Uid>,
    /// New flags of told messages.
    flags: BTreeMap<Uid, (MessageFlags, ModSeq)>,
    recent_from: Option<Uid>,
    /// Above `recent_from`, and not `\Recent` all the same; ascending.
    not_recent: Vec<Uid>,
    /// The keywords the last FLAGS response has named.
    keywords: Vec<Keyword>,
    read_only: bool,
    /// No message that has been here, told or not, has this UID or a higher one.
    uid_next: Option<Uid>,
    /// Up to here the news have come: also beyond what was shown meanwhile, or what was shown is not to be relied on.
    highest: ModSeq,
    /// Up to here the client knows everything.
    complete: ModSeq,
    /// The highest MODSEQ the client was told of since it last learnt where it stands.
    shown: ModSeq,
    /// Searches whose results the client follows.
    pub(crate) contexts: Contexts,
}

/// What is to be told now, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Telling {
    /// Who is gone, ascending, with the number for EXPUNGE: as it is after the ones before (RFC 9051 §7.5.1).
    pub(crate) expunged: Vec<(SeqNum, Uid)>,
    /// EXISTS, if the mailbox grew.
    pub(crate) exists: Option<u32>,
    /// RECENT, if the mailbox grew or `\Recent` messages went: clients need not count these down (RFC 3501 §7.3.2).
    pub(crate) recent: Option<u32>,
    /// FETCH responses with new flags.
    pub(crate) flags: Vec<(SeqNum, FlagsNow)>,
}

impl View {
    pub(crate) fn new(selected: &Selected, read_only: bool) -> Self {
        Self {
            id: Some(selected.id),
            uid_validity: Some(selected.uid_validity),
            told: Numbers::new(selected.uids.clone()),
            recent_from: selected.recent_from,
            keywords: selected.keywords.clone(),
            read_only,
            uid_next: Some(selected.uid_next),
            highest: selected.highest_modseq,
            complete: selected.highest_modseq,
            ..Self::default()
        }
    }

    #[cfg(test)]
    pub(crate) fn of(uids: Vec<Uid>) -> Self {
        Self {
            told: Numbers::new(uids.into()),
            ..Self::default()
        }
    }

    /// All that have come since are not recent; there are none.
    #[cfg(test)]
    pub(crate) fn of_not_recent(not_recent: Vec<Uid>) -> Self {
        Self {
            recent_from: Some(Uid::MIN),
            not_recent,
            ..Self::default()
        }
    }

    /// Which mailbox it is.
    pub(crate) const fn id(&self) -> Option<MailboxId> {
        self.id
    }

    /// Its UIDVALIDITY, which no other mailbox of the inbox has or had.
    pub(crate) const fn uid_validity(&self) -> Option<UidValidity> {
        self.uid_validity
    }

    /// EXAMINE.
    pub(crate) const fn read_only(&self) -> bool {
        self.read_only
    }

    /// How many messages the client knows of.
    pub(crate) fn exists(&self) -> u32 {
        u32::try_from(self.told.len()).unwrap_or(u32::MAX)
    }

    /// How many of these are `\Recent`.
    pub(crate) fn recent(&self) -> u32 {
        let Some(from) = self.recent_from else { return 0 };
        let not_recent = self
            .not_recent
            .iter()
            .filter(|uid| self.seq_of(**uid).is_some())
            .count();
        self.exists() - (self.told.below(from) + not_recent) as u32
    }

    pub(crate) const fn recent_from(&self) -> Option<Uid> {
        self.recent_from
    }

    /// Above [`recent_from`](Self::recent_from), those that are not `\Recent`.
    pub(crate) fn not_recent(&self) -> &[Uid] {
        &self.not_recent
    }

    /// Whether a message is `\Recent` in this session.
    pub(crate) fn is_recent(&self, uid: Uid) -> bool {
        self.recent_from.is_some_and(|from| uid >= from) && self.not_recent.binary_search(&uid).is_err()
    }

    /// IMAP4rev2 has no `\Recent` (RFC 9051 §E).
    pub(crate) fn forget_recent(&mut self) {
        self.recent_from = None;
        self.not_recent = Vec::new();
    }

    /// The keywords the client knows of.
    pub(crate) fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    /// Takes in keywords that are about to be told. Whether one of them is new to the client.
    pub(crate) fn learn(&mut self, keywords: &[Keyword]) -> bool {
        let known = self.keywords.len();
        for keyword in keywords {
            if !self.keywords.contains(keyword) {
                self.keywords.push(keyword.clone());
            }
        }
        self.keywords.len() > known
    }

    /// The messages the client knows of, ascending.
    pub(crate) fn to_vec(&self) -> Vec<Uid> {
        self.told.to_vec()
    }

    /// All messages that are known to be there, ascending: also those that the client was not told of.
    pub(crate) fn with_untold(&self) -> Vec<Uid> {
        let mut all = self.to_vec();
        all.extend_from_slice(&self.appended);
        all
    }

    /// Of the messages the client knows of, those from `first` to `last`, both included, at most `limit`.
    pub(crate) fn between(&self, first: Uid, last: Uid, limit: usize) -> impl Iterator<Item = Uid> {
        self.told.between(first, last, limit)
    }

    pub(crate) fn last_uid(&self) -> Option<Uid> {
        self.told.last()
    }

    /// The highest UID a message may ever have had that is or was here. `None`: there was none.
    pub(crate) fn highest_uid(&self) -> Option<Uid> {
        let before_next = self.uid_next.and_then(|next| Uid::new(next.get() - 1));
        before_next.max(self.last_uid())
    }

    /// Translates this client's number, also of a message that is gone and not told.
    pub(crate) fn uid_of(&self, seq: SeqNum) -> Option<Uid> {
        self.told.at(seq.get() as usize - 1)
    }

    /// This client's number of a message it was told of.
    pub(crate) fn seq_of(&self, uid: Uid) -> Option<SeqNum> {
        SeqNum::new(u32::try_from(self.told.index_of(uid)? + 1).ok()?)
    }

    /// Whether the message is known to be gone, and the client was not told.
    pub(crate) fn is_gone(&self, uid: Uid) -> bool {
        self.expunged.binary_search(&uid).is_ok()
    }

    /// Up to here the client knows everything: where it may resynchronise from.
    pub(crate) const fn highest_modseq(&self) -> ModSeq {
        self.complete
    }

    /// Takes in news. What is known already, or was never told, changes nothing.
    pub(crate) fn absorb(&mut self, news: News) {
        self.contexts.try_again();
        self.highest = self.highest.max(news.highest_modseq.unwrap_or_default());
        let mut last = self.appended.last().copied().or(self.told.last());
        for uid in news.appended {
            if last.is_none_or(|last| uid > last) {
                self.appended.push(uid);
                self.contexts.has_come(uid);
                last = Some(uid);
            }
        }
        let counts_as_recent = |uid: &Uid| self.recent_from.is_some_and(|from| *uid >= from);
        self.not_recent
            .extend(news.not_recent.into_iter().filter(counts_as_recent));
        for FlagsNow { uid, flags, modseq } in news.flags {
            if self.told.index_of(uid).is_some() {
                self.contexts.flags_have_changed(uid);
                self.flags.insert(uid, (flags, modseq));
            }
        }
        let mut gone = news.expunged;
        if let Some(present) = news.present {
            let waiting = self.appended.iter().copied();
            let known = self.told.to_vec().into_iter().chain(waiting);
            gone.extend(known.filter(|uid| present.binary_search(uid).is_err()));
        }
        self.absorb_expunges(gone);
    }

    fn absorb_expunges(&mut self, mut gone: Vec<Uid>) {
        if gone.is_empty() {
            return;
        }
        gone.sort_unstable();
        for uid in &gone {
            self.flags.remove(uid);
            let was_told = self.told.index_of(*uid).is_some();
            self.contexts.is_gone(*uid, was_told);
            if was_told {
                self.expunged.push(*uid);
            }
        }
        self.expunged.sort_unstable();
        self.expunged.dedup();
        // UIDs are not used again, so what was never told may be forgotten: only its UID was taken.
        self.uid_next = self
            .uid_next
            .max(gone.last().and_then(|last| Uid::new(last.get().checked_add(1)?)));
        self.appended.retain(|uid| gone.binary_search(uid).is_err());
    }

    /// These flags were told by other means: the response to FETCH or STORE.
    pub(crate) fn flags_told(&mut self, uid: Uid) {
        self.flags.remove(&uid);
    }

    /// A FETCH response is about to show this MODSEQ.
    pub(crate) fn modseq_shown(&mut self, modseq: ModSeq) {
        self.shown = self.shown.max(modseq);
    }

    /// The client has changed these flags itself and wants no word of it. A change by others that waits to be told
    /// is told with the outcome (RFC 3501 §6.4.6, note on `.SILENT`).
    pub(crate) fn flags_changed_silently(&mut self, now: &FlagsNow) {
        if let Some(waiting) = self.flags.get_mut(&now.uid) {
            *waiting = (now.flags.clone(), now.modseq);
        }
    }

    /// Takes out what may be told, and counts it as told. The rest goes on waiting.
    pub(crate) fn tell(&mut self, expunges: bool, flags: bool) -> Telling {
        let mut telling = Telling::default();
        if expunges && !self.expunged.is_empty() {
            let recent = self.recent();
            telling.expunged = self.tell_expunges();
            telling.recent = Some(self.recent()).filter(|now| *now != recent);
        }
        if !self.appended.is_empty() {
            for uid in std::mem::take(&mut self.appended) {
                self.told.push(uid);
            }
            telling.exists = Some(self.exists());
            telling.recent = Some(self.recent());
        }
        if flags {
            telling.flags = self.tell_flags();
        }
        if self.expunged.is_empty() && self.flags.is_empty() {
            self.complete = self.highest;
        }
        telling
    }

    /// Whether the client was shown a MODSEQ from which it must not resynchronise. Asked once after it was shown.
    pub(crate) fn shows_too_much(&mut self) -> bool {
        std::mem::take(&mut self.shown) > self.complete
    }

    fn tell_flags(&mut self) -> Vec<(SeqNum, FlagsNow)> {
        let mut told = Vec::new();
        for (uid, (flags, modseq)) in std::mem::take(&mut self.flags) {
            if let Some(seq) = self.seq_of(uid) {
                told.push((seq, FlagsNow { uid, flags, modseq }));
                self.shown = self.shown.max(modseq);
            }
        }
        told
    }

    fn tell_expunges(&mut self) -> Vec<(SeqNum, Uid)> {
        let gone = std::mem::take(&mut self.expunged);
        let numbered = gone.iter().enumerate().filter_map(|(told, uid)| {
            let index = self.told.index_of(*uid)?;
            Some((SeqNum::new(u32::try_from(index - told + 1).ok()?)?, *uid))
        });
        let numbered = numbered.collect();
        self.told.remove(&gone);
        numbered
    }
}
