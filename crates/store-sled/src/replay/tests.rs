//! Torn tails and corruption, at every place.

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
