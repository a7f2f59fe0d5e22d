//! Reading journal files from their beginning, and telling a torn tail from corruption.
//!
//! What always holds: a file is only read here; cutting is for the caller, once it knows that nothing is lost by it.

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
}

impl JournalFile {
    pub(crate) fn new(folder: &Path, store: [u8; 16], first: Lsn, is_last: bool) -> Self {
        let header = FileHeader { store, first };
        Self {
            path: file_path(folder, first),
            header,
            seed: Seed::of_store(&store),
            is_last,
        }
    }

    /// Reads all records. A torn tail of the last file ends it.
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
        loop {
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
mod tests {
    use super::*;
    use crate::record::encode;
    use std::fs;

    const STORE: [u8; 16] = [7; 16];
    const FIRST: Lsn = Lsn(10);

    /// A file of groups with these numbers of records; where each record ends, after the header's end.
    fn file_of(groups: &[u64]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = FileHeader {
            store: STORE,
            first: FIRST,
        }
        .to_bytes(JOURNAL_MAGIC);
        let mut ends = vec![bytes.len()];
        let mut next = FIRST.0;
        for records in groups {
            for lsn in next..next + records {
                let ops = [Op::Put(vec![lsn as u8], vec![1; 5])];
                encode(
                    &mut bytes,
                    Seed::of_store(&STORE),
                    Lsn(lsn),
                    Lsn(next),
                    &ops,
                    &[b"a body"],
                );
                ends.push(bytes.len());
            }
            next += records;
        }
        (bytes, ends)
    }

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("postroom-replay-{}", uuid::Uuid::now_v7().simple()));
            fs::create_dir(&folder).expect("made");
            Self(folder)
        }

        /// Reads these bytes as a file; how far, and the lsns seen.
        fn read(&self, bytes: &[u8], is_last: bool) -> (Result<End, OpenError>, Vec<u64>) {
            fs::write(file_path(&self.0, FIRST), bytes).expect("written");
            let mut lsns = Vec::new();
            let file = JournalFile::new(&self.0, STORE, FIRST, is_last);
            let end = file.read(&mut |record| {
                lsns.push(record.lsn.0);
                Ok(())
            });
            (end, lsns)
        }

        /// The file must be read up to this many records.
        fn reads(&self, bytes: &[u8], ends: &[usize], records: usize, what: &str) {
            let (end, lsns) = self.read(bytes, true);
            let expected = End {
                next: Lsn(FIRST.0 + records as u64),
                octets: ends[records] as u64,
            };
            assert_eq!(end.expect(what), expected, "{what}");
            assert_eq!(lsns, (FIRST.0..expected.next.0).collect::<Vec<_>>(), "{what}");
        }

        /// The file must be refused, at the end of this many records.
        fn refuses(&self, bytes: &[u8], is_last: bool, at: usize, what: &str) {
            match self.read(bytes, is_last).0 {
                Err(OpenError::Corrupt { offset, .. }) => assert_eq!(offset, at as u64, "{what}"),
                other => panic!("{what}: {other:?}"),
            }
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_tail_torn_anywhere_ends_at_the_last_whole_record() {
        let scratch = Scratch::new();
        let (bytes, ends) = file_of(&[1, 3]);
        for cut in ends[0]..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            scratch.reads(&bytes[..cut], &ends, whole, &format!("cut at {cut}"));
            let mut zeros = bytes[..cut].to_vec();
            zeros.resize(bytes.len() + 100, 0);
            scratch.reads(&zeros, &ends, whole, &format!("zeros from {cut}"));
            if !ends.contains(&cut) {
                scratch.refuses(
                    &bytes[..cut],
                    false,
                    ends[whole],
                    &format!("cut at {cut}, not the last file"),
                );
            }
        }
        for cut in 0..ends[0] {
            let (end, _) = scratch.read(&bytes[..cut], true);
            assert_eq!(
                end.expect("torn"),
                End { next: FIRST, octets: 0 },
                "header cut at {cut}"
            );
        }
    }

    /// The pages of one write reach the disk in any order, so within the last group anything may be missing.
    #[test]
    fn a_hole_in_the_last_group_is_torn_and_before_it_is_corruption() {
        let scratch = Scratch::new();
        let (bytes, ends) = file_of(&[2, 1, 3]);
        for place in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[place] ^= 0x10;
            let what = format!("a bit flipped at {place}");
            let record = ends.iter().position(|end| place < *end).expect("within the file");
            match record {
                0 => scratch.refuses(&broken, true, 0, &what),
                1..=3 => scratch.refuses(&broken, true, ends[record - 1], &what),
                _ => scratch.reads(&broken, &ends, record - 1, &what),
            }
        }
    }

    #[test]
    fn a_record_in_the_wrong_place_is_corruption() {
        let scratch = Scratch::new();
        let (mut bytes, ends) = file_of(&[1, 1, 1]);
        bytes.drain(ends[1]..ends[2]);
        scratch.refuses(&bytes, true, ends[1], "a record is missing");
    }

    #[test]
    fn what_a_peer_sends_is_no_record() {
        let scratch = Scratch::new();
        let (mut bytes, ends) = file_of(&[1]);
        // A broken record, then one of another store with a later group.
        bytes.extend([1; 50]);
        encode(
            &mut bytes,
            Seed::of_store(&[8; 16]),
            Lsn(99),
            Lsn(99),
            &[],
            &[b"forged"],
        );
        scratch.reads(&bytes, &ends, 1, "a record of another store");
        encode(&mut bytes, Seed::of_store(&STORE), Lsn(99), Lsn(99), &[], &[b"ours"]);
        scratch.refuses(&bytes, true, ends[1], "a record of ours");
    }
}
