//! One try to copy the store as it is now.

use super::bodies::{OwnBodies, note};
use super::lost::{end_of, journal_name};
use super::manifest::{Entry, is_below};
use super::octets::{cut, is_same, sum};
use super::source::{Halt, Source};
use super::target::Target;
use super::{BackupError, Beside};
use crate::Progress;
use crate::boot::Known;
use crate::error::{OpenError, at};
use crate::files::Folder;
use crate::identity::read_clean_mark;
use crate::index::{At, RawRow, Row};
use crate::journal::{FILE_HEADER_OCTETS, file_path, list};
use crate::replay::{End, JournalFile};
use crate::snapshot;
use postroom_types::{BlobId, Lsn};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Octets at the journal's end that are looked at again: more than a group of commits has.
const LAST_OCTETS: u64 = 32 << 20;

/// One try.
pub(super) struct Round<'a, P> {
    pub(super) folder: &'a Folder,
    pub(super) store: [u8; 16],
    pub(super) beside: &'a [Beside],
    /// Copies of journal files that are not read otherwise are read too.
    pub(super) verify: bool,
    pub(super) target: &'a mut Target<P>,
    /// Bodies that were missing in an earlier round.
    pub(super) missing: &'a mut BTreeSet<BlobId>,
}

/// What a round has come to.
pub(super) struct Reached {
    pub(super) lsn: Lsn,
    /// The names of all files of the backup.
    pub(super) names: BTreeSet<String>,
    /// The bodies that the store has lost: their names, and what is wrong. Those of the journal are named by its file and
    /// where in it they lie.
    pub(super) damaged: BTreeMap<String, String>,
}

impl<P: FnMut(Progress)> Round<'_, P> {
    /// Copies what is not there yet.
    pub(super) fn run(mut self) -> Result<Reached, Halt> {
        // In this order: all that a snapshot shows is in the journal by the time the journal's end is read, and bodies
        // are looked for once it is known which.
        let mut names = BTreeSet::new();
        let (mut own, mut named) = (OwnBodies::new(), BTreeSet::new());
        let mark = read_clean_mark(self.folder)?.filter(|mark| mark.id == self.store);
        let known = Known::beside_index(self.folder, self.store, mark.as_ref())?;
        let lsns = snapshot::list(&self.folder.snapshots()).map_err(at(self.folder.snapshots()))?;
        let covered = lsns.last().copied().unwrap_or_default();
        if covered != Lsn(0) {
            names.insert(self.snapshot(covered, &mut own, &mut named)?);
        }
        let (lsn, last) = self.journal(covered, &mut own, &mut names)?;
        // A store that lacks its end makes no backup that could be opened.
        known.map_or(Ok(()), |known| known.reached_by(&last.path, Lsn(lsn.0 + 1)))?;
        self.target.check_reached(lsn)?;
        let mut damaged = self.bodies(own, &mut names)?;
        damaged.extend(self.inline(covered, &named, &mut names)?);
        for beside in self.beside {
            names.extend(self.small(beside)?);
        }
        self.check_end(&last)?;
        Ok(Reached { lsn, names, damaged })
    }

    /// Copies it, and takes note of the bodies with files of their own and of the journal files that have others.
    fn snapshot(&mut self, lsn: Lsn, own: &mut OwnBodies, named: &mut BTreeSet<Lsn>) -> Result<String, Halt> {
        let path = snapshot::path_of(&self.folder.snapshots(), lsn);
        let file = file_name(&path);
        let name = format!("store/snapshot/{file}");
        let stored = format!("snapshot/{file}");
        if let Some(entry) = self.target.have(&name).cloned() {
            self.check_same(lsn, &Source::open(path.clone())?, &entry)?;
        } else {
            let source = Source::open(path.clone())?;
            self.target.expect(source.octets);
            let (_, entry) = self.target.copy(source.as_pair(), source.octets, stored)?;
            self.target.keep(&name, entry);
        }
        let mut visit = |rows: Vec<RawRow>| {
            for (key, value) in &rows {
                let Some(Row::Body(id, location, _)) = Row::of(key, value) else {
                    continue;
                };
                match location.at {
                    At::Own(number) => _ = own.insert(id, (number, location.octets, location.crc)),
                    At::Journal { file, .. } => _ = named.insert(file),
                }
            }
            Ok(())
        };
        match snapshot::read(&self.target.place("snapshot"), self.store, lsn, &mut visit) {
            Ok(()) => Ok(name),
            Err(error @ OpenError::Corrupt { .. }) => {
                self.target.distrust(&name);
                Err(Halt::Again(of_source(error, &path)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// An error if a copy of a snapshot is another one's than the store has by now. If the store's is damaged, the copy is
    /// the better one.
    fn check_same(&self, lsn: Lsn, source: &Source, entry: &Entry) -> Result<(), Halt> {
        let place = self.target.place(&entry.stored);
        let copy = File::open(&place).map_err(at(&place))?;
        let is_like = source.octets == entry.octets
            && matches!(is_same((&place, &copy), source.as_pair(), 0..entry.octets), Ok(true));
        let is_whole = |folder: &Path| snapshot::read(folder, self.store, lsn, &mut |_| Ok(())).is_ok();
        let is_other = !is_like && is_whole(&self.folder.snapshots()) && is_whole(&self.target.place("snapshot"));
        match is_other {
            true => Err(self.target.parted(lsn).into()),
            false => Ok(()),
        }
    }

    /// Copies the journal up to its last whole record; the lsn of that, and the file it is in.
    fn journal(
        &mut self,
        covered: Lsn,
        own: &mut OwnBodies,
        names: &mut BTreeSet<String>,
    ) -> Result<(Lsn, Source), Halt> {
        let folder = self.folder.journal();
        let files = list(&folder)?;
        let Some((newest, older)) = files.split_last() else {
            return Err(BackupError::NoStore(self.folder.path().to_path_buf()).into());
        };
        if files[0].0 > covered.0 + 1 {
            return Err(Halt::Again(BackupError::Changing));
        }
        let mut next = files[0];
        for (first, following) in older.iter().zip(&files[1..]) {
            let source = Source::open(file_path(&folder, *first))?;
            let name = journal_name(*first);
            let is_new = self.copy_journal(&name, &source, false)?;
            names.insert(name.clone());
            // What a replay from the snapshot does not read harms nothing but the bodies in it.
            next = match following.0 <= covered.0 + 1 {
                true => {
                    if is_new || self.verify {
                        self.look_through(&name, *first, *following)?;
                    }
                    *following
                }
                false => self.read_journal(&name, (*first, &source), next, false, own)?.next,
            };
        }
        let source = Source::open(file_path(&folder, *newest))?;
        let name = journal_name(*newest);
        self.copy_journal(&name, &source, true)?;
        let end = self.read_journal(&name, (*newest, &source), next, true, own)?;
        // A file whose header was just being written has nothing in it.
        if end.octets >= FILE_HEADER_OCTETS {
            names.insert(name);
        }
        Ok((Lsn(end.next.0 - 1), source))
    }

    /// Takes note of a copy that may not have all its records whole: between it and the next file there may also have been
    /// others, which upkeep has removed.
    fn look_through(&mut self, name: &str, file: Lsn, following: Lsn) -> Result<(), Halt> {
        let entry = self.target.have(name).expect("it was copied");
        if end_of(&self.target.place(&entry.stored), self.store, file)? != Some(following) {
            self.target.doubt(file);
        }
        Ok(())
    }

    /// Copies what is not there yet of a file; the last one may have grown, or even have been cut. Whether anything was.
    fn copy_journal(&mut self, name: &str, source: &Source, is_last: bool) -> Result<bool, Halt> {
        let octets = source.octets;
        let known = self.target.have(name).cloned();
        if let Some(entry) = &known
            && entry.octets == octets
            && !is_last
        {
            return Ok(false);
        }
        if let Some(entry) = known.filter(|entry| entry.octets <= octets) {
            self.target.expect(octets - entry.octets);
            if self.target.grow(source.as_pair(), octets, &entry)? {
                let has_grown = octets > entry.octets;
                if has_grown {
                    let sha256 = sum(&self.target.place(&entry.stored), octets)?;
                    let entry = Entry {
                        octets,
                        sha256,
                        ..entry
                    };
                    self.target.keep(name, entry);
                }
                return Ok(has_grown);
            }
        }
        self.target.outdate(name);
        let stored = self.target.free_name("journal", file_name(&source.path));
        self.target.expect(octets);
        let (_, entry) = self.target.copy(source.as_pair(), octets, stored)?;
        self.target.keep(name, entry);
        Ok(true)
    }

    /// Reads the copy of a file, which checks it, and cuts off what is not a whole record.
    fn read_journal(
        &mut self,
        name: &str,
        (first, source): (Lsn, &Source),
        expected: Lsn,
        is_last: bool,
        own: &mut OwnBodies,
    ) -> Result<End, Halt> {
        if first != expected {
            return Err(Halt::Again(BackupError::Changing));
        }
        let entry = self.target.have(name).cloned().expect("it was copied");
        let place = self.target.place(&entry.stored);
        let copy = JournalFile::at(place.clone(), self.store, first, is_last);
        let mut visit = |record: crate::replay::Record| {
            record.ops.iter().for_each(|op| note(op, own));
            Ok(())
        };
        let end = match copy.read(&mut visit) {
            Ok(end) => end,
            Err(error @ OpenError::Corrupt { .. }) => {
                self.target.distrust(name);
                return Err(Halt::Again(of_source(error, &source.path)));
            }
            Err(error) => return Err(error.into()),
        };
        if end.octets < entry.octets {
            cut(&place, end.octets)?;
            let octets = end.octets;
            let sha256 = sum(&place, octets)?;
            self.target.keep(
                name,
                Entry {
                    octets,
                    sha256,
                    ..entry
                },
            );
        }
        Ok(end)
    }

    fn small(&mut self, beside: &Beside) -> Result<Option<String>, Halt> {
        let Beside { name, path } = beside;
        if !is_below(name) || name.contains(['\n', '\t']) || name.starts_with("store/") {
            let what = "its name cannot be kept".into();
            return Err(BackupError::Damaged {
                file: path.clone(),
                what,
            }
            .into());
        }
        match fs::read(path) {
            Ok(bytes) => self.target.keep_small(name, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error).into()),
        }
        Ok(Some(name.clone()))
    }

    /// A group that could not be written whole is cut off again and answered with "not done": it must not be in here.
    fn check_end(&self, last: &Source) -> Result<(), Halt> {
        let name = format!("store/journal/{}", file_name(&last.path));
        let Some(entry) = self.target.have(&name) else {
            return Ok(());
        };
        let place = self.target.place(&entry.stored);
        let copy = File::open(&place).map_err(at(&place))?;
        let range = entry.octets.saturating_sub(LAST_OCTETS)..entry.octets;
        match is_same((&place, &copy), last.as_pair(), range)? {
            true => Ok(()),
            false => Err(Halt::Again(BackupError::Changing)),
        }
    }
}

/// What is wrong with a fresh copy is wrong with the source.
fn of_source(error: OpenError, path: &Path) -> BackupError {
    BackupError::Files(match error {
        OpenError::Corrupt { offset, what, .. } => OpenError::Corrupt {
            file: path.to_path_buf(),
            offset,
            what,
        },
        other => other,
    })
}

/// The names of the store's files are made here, of digits and letters.
pub(super) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
