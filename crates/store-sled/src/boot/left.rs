//! A store as it was left, before anything of it is changed.

use super::{distrusted, store_of};
use crate::Options;
use crate::error::OpenError;
use crate::files::Folder;
use crate::identity::{CleanMark, Running, read_clean_mark, read_identity, remove_clean_mark};
use crate::index::Index;
use crate::journal::{file_path, list};
use crate::quiet::catch_quietly;
use crate::replay::{End, JournalFile};
use crate::snapshot;
use postroom_types::Lsn;
use std::fs;

use super::known::Known;

/// What a start finds.
pub(super) struct Left {
    pub(super) store: [u8; 16],
    /// The journal's files; at least one.
    pub(super) files: Vec<Lsn>,
    /// This run of the machine, in this folder.
    pub(super) running: Running,
    /// Whether it is the one that the store was last open in.
    pub(super) is_continued: bool,
    /// The mark, if it is of this store.
    mark: Option<CleanMark>,
    /// Whether the journal still ends where it ended when the mark was made.
    is_clean: bool,
}

impl Left {
    /// Looks at a folder that is locked; `None` if there is no store in it.
    pub(super) fn look(folder: &Folder, options: &Options) -> Result<Option<Self>, OpenError> {
        let identity = read_identity(folder)?;
        let files = list(&folder.journal())?;
        let store = match (&identity, files.first()) {
            (Some(identity), Some(_)) => identity.id,
            (None, Some(first)) => store_of(&file_path(&folder.journal(), *first))?,
            (None, None) if snapshot::list_of(folder)?.is_empty() => return Ok(None),
            (_, None) => {
                let what = "the journal of this store is missing".to_owned();
                return Err(OpenError::Corrupt {
                    file: folder.journal(),
                    offset: 0,
                    what,
                });
            }
        };
        let running = Running::now(folder, options.boot_id.as_deref())?;
        let is_continued = identity.is_some_and(|identity| running.continues(&identity.running));
        let mark = read_clean_mark(folder)?.filter(|mark| mark.id == store);
        let is_clean = mark.as_ref().is_some_and(|mark| is_end(mark, &files, folder));
        Ok(Some(Self {
            store,
            files,
            running,
            is_continued,
            mark,
            is_clean,
        }))
    }

    /// The mark, if the journal still ends where it ended then.
    pub(super) fn clean(&self) -> Option<&CleanMark> {
        self.mark.as_ref().filter(|_| self.is_clean)
    }

    /// What anything beside the index knows of.
    pub(super) fn known(&self, folder: &Folder) -> Result<Option<Known>, OpenError> {
        Known::beside_index(folder, self.store, self.mark.as_ref())
    }

    /// What the index knows of, if it can be trusted. What vouched for it is gone on return: it was opened.
    pub(super) fn known_to_index(&self, folder: &Folder, options: &Options) -> Result<Option<Known>, OpenError> {
        let is_trusted = self.is_continued || self.is_clean;
        if !folder.index().exists() || distrusted(folder, is_trusted).is_some() {
            return Ok(None);
        }
        if self.is_clean {
            remove_clean_mark(folder)?;
        }
        let applied = catch_quietly(|| {
            let index = Index::open(&folder.index(), &self.store, options.cache_octets, options.hot_octets)?;
            index.applied().map_err(|error| error.to_string())
        });
        // One that does not read knows nothing.
        let lsn = applied.and_then(|applied| applied).ok();
        Ok(lsn.map(|lsn| Known {
            lsn,
            by: folder.index(),
        }))
    }

    /// An error if the journal does not reach what is known. Reads no more of it than that takes.
    pub(super) fn check(&self, known: &Known, folder: &Folder) -> Result<(), OpenError> {
        let Some(mark) = self.clean() else {
            return known.check(folder, self.store, &self.files);
        };
        known.reached_by(&file_path(&folder.journal(), mark.file), Lsn(mark.lsn.0 + 1))
    }

    /// The last file, and where it ends.
    pub(super) fn end(&self, folder: &Folder) -> Result<(Lsn, End), OpenError> {
        let last = *self.files.last().expect("there is a first file");
        let file = JournalFile::new(&folder.journal(), self.store, last, true);
        Ok((last, file.read(&mut |_| Ok(()))?))
    }
}

fn is_end(mark: &CleanMark, files: &[Lsn], folder: &Folder) -> bool {
    let octets = fs::metadata(file_path(&folder.journal(), mark.file)).map(|metadata| metadata.len());
    files.last() == Some(&mark.file) && octets.is_ok_and(|octets| octets == mark.octets)
}
