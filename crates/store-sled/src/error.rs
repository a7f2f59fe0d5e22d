//! What can go wrong, and what it means. sled's types end here; nothing above has heard of them.

use postroom_types::Lsn;
use rustix::io::Errno;
use std::io;
use std::path::PathBuf;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the folder open.
    #[error("{0} is in use by another process")]
    Locked(PathBuf),
    /// The journal is not what was written; nothing was changed. An operator decides: restore, or cut by hand.
    #[error("{file} is corrupt at offset {offset}: {what}")]
    Corrupt {
        /// Which file.
        file: PathBuf,
        /// Where in it, in octets.
        offset: u64,
        /// What was found there.
        what: String,
    },
    /// The journal is whole as far as it goes, and ends before what other files were made of; nothing was changed. Its end,
    /// or files of it, were lost or left behind.
    #[error(
        "the journal ends with lsn {end}, in {file}, but {by} knows of lsn {known}: its end, or files of it, are missing"
    )]
    Lost {
        /// The journal's last file.
        file: PathBuf,
        /// The last lsn in it.
        end: Lsn,
        /// What knows of more: the clean mark, a snapshot or the index.
        by: PathBuf,
        /// The last lsn that this knows of.
        known: Lsn,
    },
    /// Written by a later version.
    #[error("{file} was written by a later version: its format is {found}, this version knows up to {known}")]
    Format {
        /// Which file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The latest one known.
        known: u32,
    },
    /// The index cannot be built, though it is made anew.
    #[error("the index does not open: {0}")]
    Index(String),
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Adds the path to an I/O error.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.into();
    move |error| OpenError::Io { path, error }
}

/// What was being done to a file when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Making a file, or writing to it: what was written can be cut off again.
    Write,
    /// Syncing or cutting: what is on disk is not known any more.
    Settle,
}

/// What a failed step means for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// No space: cut off what was written and go on.
    Full,
    /// Stop. A failed sync is never repeated: the kernel may have dropped the pages and say "done" the next time.
    Fatal,
}

/// Decides what a failed step means.
pub(crate) fn meaning(step: Step, error: &io::Error) -> Meaning {
    match (step, error.kind()) {
        (Step::Write, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Meaning::Full,
        (Step::Write | Step::Settle, _) => Meaning::Fatal,
    }
}

/// Why something was not written.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// No space; nothing is left of it.
    Full,
    /// The store must stop.
    Fatal(String),
}

impl Trouble {
    /// The trouble that a failed step on this file is.
    pub(crate) fn from_step(step: Step, path: &std::path::Path, error: &io::Error) -> Self {
        match meaning(step, error) {
            Meaning::Full => Self::Full,
            Meaning::Fatal => Self::Fatal(format!("{}: {error}", path.display())),
        }
    }
}

/// What an error of sled says of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexError {
    /// What is in it is not what was written, and a restart would meet the same: it is to be made anew.
    Damaged,
    /// The system refused something, which has nothing to do with what is in it.
    Refused,
}

/// Decides what an error of sled says of the index.
pub(crate) fn index_error(error: &sled::Error) -> IndexError {
    match error {
        // A file that ends early, and a disk that does not give back what it was given, are damage too.
        sled::Error::Io(error)
            if error.kind() != io::ErrorKind::UnexpectedEof
                && error.raw_os_error() != Some(Errno::IO.raw_os_error()) =>
        {
            IndexError::Refused
        }
        sled::Error::Unsupported(_) => IndexError::Refused,
        sled::Error::Io(_)
        | sled::Error::Corruption { .. }
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => IndexError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use io::ErrorKind::{Interrupted, Other, PermissionDenied, QuotaExceeded, StorageFull};

    #[test]
    fn what_of_the_index_is_damage() {
        let io = |errno| sled::Error::Io(io::Error::from_raw_os_error(errno));
        for (error, expected) in [
            (sled::Error::Corruption { at: None, bt: () }, IndexError::Damaged),
            (sled::Error::ReportableBug("no such page".into()), IndexError::Damaged),
            (
                sled::Error::Io(io::ErrorKind::UnexpectedEof.into()),
                IndexError::Damaged,
            ),
            // EIO; ENOSPC, EMFILE.
            (io(5), IndexError::Damaged),
            (io(28), IndexError::Refused),
            (io(24), IndexError::Refused),
        ] {
            assert_eq!(index_error(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn only_a_write_without_space_lets_the_store_go_on() {
        for (step, kind, expected) in [
            (Step::Write, StorageFull, Meaning::Full),
            (Step::Write, QuotaExceeded, Meaning::Full),
            (Step::Write, Other, Meaning::Fatal),
            (Step::Write, PermissionDenied, Meaning::Fatal),
            (Step::Settle, StorageFull, Meaning::Fatal),
            (Step::Settle, Interrupted, Meaning::Fatal),
        ] {
            assert_eq!(meaning(step, &kind.into()), expected, "{step:?} {kind:?}");
        }
        // The errno values themselves: 28 ENOSPC, 122 EDQUOT, 5 EIO.
        for (errno, expected) in [(28, Meaning::Full), (122, Meaning::Full), (5, Meaning::Fatal)] {
            assert_eq!(
                meaning(Step::Write, &io::Error::from_raw_os_error(errno)),
                expected,
                "errno {errno}"
            );
        }
    }
}
