//! Which of the copies there are can be trusted.
//!
//! What always holds: a copy that is not trusted stays until a good one takes its name, or another manifest does without it.
//! So what is good in it is not lost.

use super::manifest::Entry;
use super::octets::sum;
use super::target::Target;
use crate::Progress;
use postroom_types::Lsn;
use std::path::Path;

impl<P: FnMut(Progress)> Target<P> {
    /// Reads every file that the manifest names. One that is not what was written is not trusted: it is copied anew.
    pub(super) fn verify(&mut self) {
        let all = std::mem::take(&mut self.have);
        self.expect(all.values().map(|entry| entry.octets).sum());
        for (name, entry) in all {
            let octets = entry.octets;
            match fault(&self.place(&entry.stored), &entry) {
                None => self.keep(&name, entry),
                Some(what) => self.fail(name, entry, what),
            }
            self.add_done(octets);
        }
    }

    /// A copy of the earlier backup is not what was written.
    pub(super) fn fail(&mut self, name: String, entry: Entry, what: String) {
        self.failed.insert(name.clone(), what);
        self.earlier.insert(name, entry);
    }

    /// An earlier copy that is not trusted as a whole.
    pub(super) fn earlier(&self, name: &str) -> Option<&Entry> {
        self.earlier.get(name)
    }

    /// Such a copy, if it is to stay for all that.
    pub(super) fn take_earlier(&mut self, name: &str) -> Option<Entry> {
        self.failed.remove(name);
        self.earlier.remove(name)
    }

    /// This journal file may have been damaged when it was copied.
    pub(super) fn doubt(&mut self, file: Lsn) {
        self.doubts.insert(file);
    }

    /// The journal files that may have been damaged when they were copied.
    pub(super) fn doubtful(&self) -> impl Iterator<Item = Lsn> {
        self.doubts.iter().copied()
    }

    /// It is not what it should be: the next copy is made anew.
    pub(super) fn distrust(&mut self, name: &str) {
        self.have.remove(name);
    }

    /// Another copy is about to be made beside it; what was good in it is not lost with it.
    pub(super) fn outdate(&mut self, name: &str) {
        if let Some(entry) = self.have.remove(name) {
            self.earlier.insert(name.to_owned(), entry);
        }
    }
}

fn fault(place: &Path, entry: &Entry) -> Option<String> {
    match sum(place, entry.octets) {
        Ok(sha256) if sha256 == entry.sha256 => None,
        Ok(_) => Some("its SHA-256 was not that of the manifest".to_owned()),
        Err(error) => Some(format!("it could not be read: {error}")),
    }
}
