//! Reading journal files from their beginning, and telling a torn tail from corruption.
//!
//! What always holds: a file is only read here; cutting is for the caller, once it knows that nothing is lost by it. What
//! is read up to an lsn that is durable may be written to meanwhile.

use crate::error::{OpenError, at};
use crate::journal::{FILE_HEADER_OCTETS, FileHeader, JOURNAL_MAGIC, file_path};
use crate::record::{HEADER_OCTETS, Head, MAGIC, Op, Seed, decode_ops};
use memchr::memmem;
use postroom_types::Lsn;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A record that is whole.
pub(crate) struct Record {
    pub(crate) lsn: Lsn,
    pub(crate) ops: Vec<Op>,
    /// The file's first lsn, and where in it the bodies of the record begin.
    pub(crate) file: Lsn,
    pub(crate) bodies_at: u64,
    /// Octets of the record.
    pub(crate) octets: u64,
}

/// How far a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The lsn after the last whole record.
    pub(crate) next: Lsn,
    /// Where the last whole record ends; 0 if not even the header is whole.
    pub(crate) octets: u64,
}

/// One journal file of one store.
pub(crate) struct JournalFile {
    path: PathBuf,
    header: FileHeader,
    seed: Seed,
    is_last: bool,
    until: Lsn,
}

impl JournalFile {
    pub(crate) fn new(folder: &Path, store: [u8; 16], first: Lsn, is_last: bool) -> Self {
        let header = FileHeader { store, first };
        Self {
            path: file_path(folder, first),
            header,
            seed: Seed::of_store(&store),
            is_last,
            until: Lsn(u64::MAX),
        }
    }

    /// A copy of such a file, under another name.
    pub(crate) fn at(path: PathBuf, store: [u8; 16], first: Lsn, is_last: bool) -> Self {
        Self {
            path,
            ..Self::new(Path::new(""), store, first, is_last)
        }
    }

    /// Reads all records, or those up to `until`. A torn tail of the last file ends it.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] for any other break, and those of `visit`.
    pub(crate) fn read(&self, visit: &mut dyn FnMut(Record) -> Result<(), OpenError>) -> Result<End, OpenError> {
        let file = File::open(&self.path).map_err(at(&self.path))?;
        let mut input = BufReader::with_capacity(1 << 20, &file);
        let mut end = End {
            next: self.header.first,
            octets: 0,
        };
        let mut header = vec![0; FILE_HEADER_OCTETS as usize];
        let header_octets = read_full(&mut input, &mut header).map_err(at(&self.path))?;
        match FileHeader::read(&self.path, &header[..header_octets], JOURNAL_MAGIC)? {
            Some(header) if header == self.header => end.octets = FILE_HEADER_OCTETS,
            Some(_) => return Err(self.corrupt(0, "the header is of another file")),
            None => return self.broken(&file, end, "the header is broken"),
        }
        let mut payload = Vec::new();
        // What comes after `until` may just be being written.
        while end.next <= self.until {
            let mut head = [0; HEADER_OCTETS];
            match read_full(&mut input, &mut head).map_err(at(&self.path))? {
                0 => return Ok(end),
                HEADER_OCTETS => {}
                _ => return self.broken(&file, end, "a record ends early"),
            }
            let Some(head) = Head::read(&head, self.seed) else {
                return self.broken(&file, end, "not a record");
            };
            if head.lsn != end.next {
                return Err(self.corrupt(end.octets, &format!("lsn {} where {} should be", head.lsn, end.next)));
            }
            payload.clear();
            let wanted = u64::from(head.payload_octets);
            input
                .by_ref()
                .take(wanted)
                .read_to_end(&mut payload)
                .map_err(at(&self.path))?;
            if !head.fits(&payload, self.seed) {
                return self.broken(&file, end, "the CRC of a record is wrong");
            }
            let ops = decode_ops(&payload[..head.ops_octets as usize])
                .ok_or_else(|| self.corrupt(end.octets, "a record of operations unknown to this version"))?;
            let octets = HEADER_OCTETS as u64 + wanted;
            let bodies_at = end.octets + HEADER_OCTETS as u64 + u64::from(head.ops_octets);
            visit(Record {
                lsn: head.lsn,
                ops,
                file: self.header.first,
                bodies_at,
                octets,
            })?;
            end = End {
                next: Lsn(head.lsn.0 + 1),
                octets: end.octets + octets,
            };
        }
        Ok(end)
    }

    /// The file breaks off after `end`: a torn write if it is the last and no later group was written.
    fn broken(&self, file: &File, end: End, what: &str) -> Result<End, OpenError> {
        if !self.is_last {
            return Err(self.corrupt(end.octets, what));
        }
        // A header is synced before the first record is written, so after a broken one even the first is too much.
        let torn = if end.octets == 0 { Lsn(end.next.0 - 1) } else { end.next };
        match self.later_group(file, end.octets, torn).map_err(at(&self.path))? {
            None => Ok(end),
            Some(offset) => Err(self.corrupt(end.octets, &format!("{what}, and there are records from {offset} on"))),
        }
    }

    /// Where, from an offset on, a record lies of a group that begins after `torn`: it was written after a sync of what
    /// is broken.
    fn later_group(&self, file: &File, mut from: u64, torn: Lsn) -> std::io::Result<Option<u64>> {
        const CHUNK: usize = 4 << 20;
        let length = file.metadata()?.len();
        let mut chunk = vec![0; CHUNK];
        let mut payload = Vec::new();
        while from < length {
            let octets = read_full_at(file, &mut chunk, from)?;
            for place in memmem::find_iter(&chunk[..octets], MAGIC) {
                let offset = from + place as u64;
                let mut head = [0; HEADER_OCTETS];
                let head_octets = read_full_at(file, &mut head, offset)?;
                let Some(head) = Head::read(&head[..head_octets], self.seed) else {
                    continue;
                };
                if head.group <= torn || offset + u64::from(head.payload_octets) > length {
                    continue;
                }
                payload.resize(head.payload_octets as usize, 0);
                read_full_at(file, &mut payload, offset + HEADER_OCTETS as u64)?;
                if head.fits(&payload, self.seed) {
                    return Ok(Some(offset));
                }
            }
            // The magic may lie across two chunks.
            from += (octets.saturating_sub(MAGIC.len() - 1)).max(1) as u64;
        }
        Ok(None)
    }

    pub(crate) fn corrupt(&self, offset: u64, what: &str) -> OpenError {
        OpenError::Corrupt {
            file: self.path.clone(),
            offset,
            what: what.to_owned(),
        }
    }
}

/// The part of a store's journal that lies after one lsn and ends with another.
pub(crate) struct Tail<'a> {
    /// The journal's folder, and the files in it.
    pub(crate) folder: &'a Path,
    pub(crate) files: &'a [Lsn],
    pub(crate) store: [u8; 16],
    pub(crate) after: Lsn,
    /// The largest lsn there is, to read whatever there is.
    pub(crate) until: Lsn,
}

impl<'a> Tail<'a> {
    /// The files it lies in: the first of them may begin before it. The last file of all is among them in any case.
    pub(crate) fn files(&self) -> &'a [Lsn] {
        let begins = self.files.partition_point(|first| first.0 <= self.after.0 + 1);
        &self.files[begins.saturating_sub(1)..]
    }

    /// Reads these files up to `until`, and so perhaps records from before the tail.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] if one is not what was written or missing, and those of `visit`.
    pub(crate) fn read(&self, visit: &mut dyn FnMut(Record) -> Result<(), OpenError>) -> Result<End, OpenError> {
        let files = self.files();
        let mut end = End {
            next: files.first().map_or(Lsn(1), |first| *first.min(&Lsn(self.after.0 + 1))),
            octets: 0,
        };
        for (place, first) in files.iter().enumerate().take_while(|(_, first)| **first <= self.until) {
            let mut file = JournalFile::new(self.folder, self.store, *first, place + 1 == files.len());
            file.until = self.until;
            if *first != end.next {
                return Err(file.corrupt(0, &format!("begins with lsn {first}, and {} is missing", end.next)));
            }
            end = file.read(visit)?;
        }
        Ok(end)
    }
}

/// Reads until `bytes` is full or the input ends.
pub(crate) fn read_full(input: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<usize> {
    let mut octets = 0;
    while octets < bytes.len() {
        match input.read(&mut bytes[octets..]) {
            Ok(0) => break,
            Ok(more) => octets += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(octets)
}

/// Reads at an offset until `bytes` is full or the file ends.
pub(crate) fn read_full_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut octets = 0;
    while octets < bytes.len() {
        match file.read_at(&mut bytes[octets..], offset + octets as u64) {
            Ok(0) => break,
            Ok(more) => octets += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(octets)
}

#[cfg(test)]
mod tests;
