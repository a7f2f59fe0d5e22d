//! Bodies in journal files that no replay reads any more, since the snapshot covers them.
//!
//! What always holds:
//! - Whether such a file is what was written matters for its bodies alone: one that is damaged costs those of them that
//!   are not there with their CRC.
//! - Which bodies there are is said by the snapshot and the journal after it, which must be whole for that.

use crate::error::OpenError;
use crate::identity::hex;
use crate::index::{At, Row};
use crate::journal::file_path;
use crate::record::Op;
use crate::replay::{JournalFile, Record, read_full_at};
use crate::snapshot;
use postroom_types::{BlobId, Lsn};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Where the journal lies in the data folder.
const JOURNAL: &str = "store/journal";
/// Bodies of one file that are told one by one; of more, how many there are.
const TOLD: usize = 50;

/// The copy of a store, wherever its files lie.
pub(super) struct Copies {
    pub(super) store: [u8; 16],
    /// The folder of the snapshot.
    pub(super) snapshots: PathBuf,
    /// Its lsn; 0 if there is none.
    pub(super) covered: Lsn,
    /// The journal's files.
    pub(super) journal: BTreeMap<Lsn, PathBuf>,
}

/// A body that lies in a journal file.
pub(super) struct Body {
    id: BlobId,
    pub(super) offset: u64,
    octets: u64,
    crc: u32,
}

impl Body {
    /// Its octets, if that is what the file has there.
    pub(super) fn read(&self, file: &File) -> Option<Vec<u8>> {
        let end = self.offset.checked_add(self.octets)?;
        if file.metadata().ok()?.len() < end {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(self.octets).ok()?];
        // A disk that does not give it back has lost it too.
        let octets = read_full_at(file, &mut bytes, self.offset).ok()?;
        (octets == bytes.len() && crc32fast::hash(&bytes) == self.crc).then_some(bytes)
    }
}

impl Copies {
    /// Whether a replay goes without this file.
    pub(super) fn is_covered(&self, file: Lsn) -> bool {
        self.following(file).is_some_and(|next| next.0 <= self.covered.0 + 1)
    }

    fn following(&self, file: Lsn) -> Option<Lsn> {
        self.journal
            .range(Lsn(file.0 + 1)..)
            .next()
            .map(|(following, _)| *following)
    }

    /// The bodies that lie in these files, which the snapshot must cover, in their order there. A body that was written
    /// elsewhere or forgotten since is none of them.
    pub(super) fn bodies_in(&self, files: &BTreeSet<Lsn>) -> Result<BTreeMap<Lsn, Vec<Body>>, OpenError> {
        let mut found = HashMap::new();
        if files.is_empty() || self.covered == Lsn(0) {
            return Ok(BTreeMap::new());
        }
        snapshot::read(&self.snapshots, self.store, self.covered, &mut |rows| {
            for (key, value) in &rows {
                if let Some(Row::Body(id, location, _)) = Row::of(key, value)
                    && let At::Journal { file, offset } = location.at
                    && files.contains(&file)
                {
                    let (octets, crc) = (location.octets, location.crc);
                    found.insert(id, (file, offset, octets, crc));
                }
            }
            Ok(())
        })?;
        self.replay(&mut |record| {
            for op in &record.ops {
                if let Op::Body { id, .. } | Op::Forget(id) = op {
                    found.remove(id);
                }
            }
        })?;
        let mut bodies: BTreeMap<Lsn, Vec<Body>> = BTreeMap::new();
        for (id, (file, offset, octets, crc)) in found {
            let body = Body {
                id,
                offset,
                octets,
                crc,
            };
            bodies.entry(file).or_default().push(body);
        }
        bodies
            .values_mut()
            .for_each(|bodies| bodies.sort_by_key(|body| body.offset));
        Ok(bodies)
    }

    /// Visits the records after the snapshot.
    fn replay(&self, visit: &mut dyn FnMut(Record)) -> Result<(), OpenError> {
        for (first, path) in self.journal.iter().filter(|(first, _)| !self.is_covered(**first)) {
            let is_last = self.following(*first).is_none();
            let file = JournalFile::at(path.clone(), self.store, *first, is_last);
            file.read(&mut |record| {
                if record.lsn > self.covered {
                    visit(record);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The lsn after the last record of a file that another one follows; `None` if not all its records are whole.
pub(super) fn end_of(path: &Path, store: [u8; 16], file: Lsn) -> Result<Option<Lsn>, OpenError> {
    match JournalFile::at(path.to_path_buf(), store, file, false).read(&mut |_| Ok(())) {
        Ok(end) => Ok(Some(end.next)),
        Err(OpenError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name of a journal file in the data folder.
pub(super) fn journal_name(file: Lsn) -> String {
    file_path(Path::new(JOURNAL), file).display().to_string()
}

/// The journal file of that name, or in which a body of that name lies.
pub(super) fn journal_of(name: &str) -> Option<Lsn> {
    let name = name.strip_prefix(JOURNAL)?.strip_prefix('/')?;
    let file = name.split_once(':').map_or(name, |(file, _)| file);
    file.strip_suffix(".log")?.parse().ok().map(Lsn)
}

/// What there is to say of a journal file that is not what was written and has lost these bodies: names, and what is wrong.
pub(super) fn told(file: Lsn, what: &str, lost: &[Body]) -> impl Iterator<Item = (String, String)> {
    let name = journal_name(file);
    let all = match lost.len() {
        0 => Some(format!("{what}; no body is lost by it")),
        count if count > TOLD => Some(format!("{what}; {count} bodies are lost by it")),
        _ => None,
    };
    let all = all.map(|all| (name.clone(), all));
    let bodies = lost.iter().take(TOLD).map(move |body| {
        let Body { id, offset, octets, .. } = body;
        let what = format!("{what}; the body {} of {octets} octets is lost", hex(&id.0));
        (format!("{name}:{offset}"), what)
    });
    all.into_iter().chain(bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_and_of_bodies_in_them() {
        let name = journal_name(Lsn(47));
        assert_eq!(name, "store/journal/00000000000000000047.log");
        for (name, expected) in [
            (name.clone(), Some(Lsn(47))),
            (format!("{name}:123"), Some(Lsn(47))),
            ("store/bodies/47.log".into(), None),
            ("store/journal/x.log".into(), None),
            ("store/journal/47".into(), None),
        ] {
            assert_eq!(journal_of(&name), expected, "{name}");
        }
    }

    #[test]
    fn many_are_counted() {
        let body = |offset| Body {
            id: BlobId([7; 16]),
            offset,
            octets: 9,
            crc: 0,
        };
        for (count, lines) in [(0, 1), (1, 1), (TOLD, TOLD), (TOLD + 1, TOLD + 1)] {
            let lost: Vec<_> = (0..count as u64).map(body).collect();
            let told: BTreeMap<_, _> = told(Lsn(1), "it is damaged", &lost).collect();
            assert_eq!(told.len(), lines);
        }
    }
}
