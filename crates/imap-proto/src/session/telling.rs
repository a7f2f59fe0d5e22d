//! What is told of the selected mailbox without being asked for (RFC 9051 §7.4, §7.5, RFC 7162 §3.2).

use super::{Phase, Session};
use crate::output::Output;
use crate::question::News;
use crate::response::fetch::write_flags_only;
use crate::response::flags::announce_keywords;
use crate::response::number::write_number;
use crate::response::number_set::write_uid_set;
use crate::view::Telling;
use postroom_types::{ModSeq, SeqNum, Uid};

/// Most UIDs, or ranges of them, in one VANISHED: some clients have line buffers.
pub(crate) const IN_VANISHED: usize = 1_000;

impl Session {
    /// Takes news into the view, if a mailbox is selected.
    pub(crate) fn absorb(&mut self, mut news: News) {
        self.notify.absorb(std::mem::take(&mut news.others));
        if let Phase::Selected(view) = &mut self.phase {
            view.absorb(news);
        }
    }

    /// Tells what may be told now. If expunges were told to a client that resynchronises from them, it is to learn this
    /// HIGHESTMODSEQ as well (RFC 7162 §3.2.7).
    #[must_use]
    pub(crate) fn tell(&mut self, expunges: bool) -> Option<ModSeq> {
        self.tell_others();
        if !self.notify.tells_messages() {
            self.hold_back();
            return None;
        }
        self.tell_of_gone();
        let enabled = self.enabled;
        let Phase::Selected(view) = &mut self.phase else {
            return None;
        };
        let last = view.last_uid();
        let telling = view.tell(expunges, self.notify.tells_flags());
        let out = &mut self.out;
        // A client that is not told of flags has not learnt everything (RFC 5465 §5.1). Of its own expunges it learns this all
        // the same (RFC 7162 §3.2.7): `complete` stays below the flags that are not told.
        let learns = self.notify.tells_flags() || self.notify.expunging;
        let vanished = enabled.qresync && !telling.expunged.is_empty() && learns;
        write_expunged(out, &telling.expunged, enabled.qresync);
        write_growth(out, &telling, enabled.rev2);
        if telling.exists.is_some() {
            self.notify.counted(view, last);
        }
        for (seq, now) in telling.flags {
            announce_keywords(out, view, &now.flags);
            let modseq = enabled.condstore.then_some(now.modseq);
            let recent = view.is_recent(now.uid);
            write_flags_only(out, seq, Some(now.uid), &now.flags, recent, modseq);
        }
        let complete = view.highest_modseq();
        self.hold_back();
        vanished.then_some(complete)
    }

    /// Tells in the middle of a command that messages have come. Flags wait: told before a silent STORE is done, they would
    /// be taken for its outcome.
    pub(crate) fn tell_growth(&mut self) {
        if !self.notify.tells_messages() {
            return;
        }
        let Phase::Selected(view) = &mut self.phase else { return };
        let last = view.last_uid();
        let telling = view.tell(false, false);
        write_growth(&mut self.out, &telling, self.enabled.rev2);
        if telling.exists.is_some() {
            self.notify.counted(view, last);
        }
    }

    /// The same as [`tell`](Self::tell) while no tagged response follows.
    pub(crate) fn tell_at_once(&mut self) {
        if let Some(modseq) = self.tell(true) {
            self.highest_modseq(modseq, "Highest");
        }
    }

    /// A MODSEQ was shown above an expunge that was not told: the client, if it remembered that, would never hear of the
    /// expunge once this connection is lost. So it is told from where to resynchronise (RFC 7162 §3.2, §6).
    pub(crate) fn hold_back(&mut self) {
        let Phase::Selected(view) = &mut self.phase else { return };
        let complete = view.highest_modseq();
        if view.shows_too_much() && self.enabled.condstore {
            self.highest_modseq(complete, "Something below is still to be told");
        }
    }

    /// The client has given a CONDSTORE enabling command (RFC 7162 §3.1).
    pub(crate) fn enable_condstore(&mut self) {
        if std::mem::replace(&mut self.enabled.condstore, true) {
            return;
        }
        if let Phase::Selected(view) = &self.phase {
            let complete = view.highest_modseq();
            self.highest_modseq(complete, "Highest");
        }
    }

    /// `* OK [HIGHESTMODSEQ n] text`
    pub(crate) fn highest_modseq(&mut self, modseq: ModSeq, text: &str) {
        self.out.line(&format!("* OK [{}] {text}", highest_modseq_code(modseq)));
    }
}

/// Zero is no modseq on the wire (RFC 7162 §7): in a mailbox where nothing has happened yet it is 1.
pub(crate) fn highest_modseq_code(modseq: ModSeq) -> String {
    format!("HIGHESTMODSEQ {}", modseq.0.max(1))
}

fn write_expunged(out: &mut Output, expunged: &[(SeqNum, Uid)], qresync: bool) {
    if qresync {
        for some in expunged.chunks(IN_VANISHED) {
            out.buffer().extend_from_slice(b"* VANISHED ");
            write_uid_set(out.buffer(), some.iter().map(|(_, uid)| *uid));
            out.line("");
        }
        return;
    }
    for (seq, _) in expunged {
        write_count(out, seq.get(), "EXPUNGE");
    }
}

fn write_growth(out: &mut Output, telling: &Telling, rev2: bool) {
    if let Some(exists) = telling.exists {
        write_count(out, exists, "EXISTS");
    }
    if let Some(recent) = telling.recent.filter(|_| !rev2) {
        write_count(out, recent, "RECENT");
    }
}

/// `* n WORD`
pub(crate) fn write_count(out: &mut Output, number: u32, word: &str) {
    let buffer = out.buffer();
    buffer.extend_from_slice(b"* ");
    write_number(buffer, number.into());
    buffer.push(b' ');
    out.line(word);
}
