//! Snapshots of the index, so that building it anew does not begin with the first commit.
//!
//! What always holds:
//! - A snapshot with lsn S holds what the journal up to S makes, and perhaps some of what comes after: it is taken
//!   while commits go on. Operations are absolute, so replaying from S + 1 makes it right.
//! - It is whole and on disk before it has its name.

use crate::error::{OpenError, at};
use crate::files::{remove_if_there, sync_dir};
use crate::index::{Index, RawRow};
use crate::journal::{FILE_HEADER_OCTETS, FileHeader};
use crate::record::{Input, Seed, encode_bytes};
use crate::replay::read_full;
use postroom_types::Lsn;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(crate) const MAGIC: &[u8; 8] = b"prSnapsh";
const UNFINISHED: &str = "unfinished";
/// Pairs of one block.
const BLOCK_ROWS: usize = 500;
/// Pairs are at most 4 KiB and a few octets.
const BLOCK_OCTETS: u32 = 8 << 20;

/// A snapshot's path.
pub(crate) fn path_of(folder: &Path, lsn: Lsn) -> PathBuf {
    folder.join(format!("{:020}.snap", lsn.0))
}

/// The lsns of the snapshots there are, ascending.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<Lsn>> {
    let mut lsns = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let lsn = name
            .to_str()
            .and_then(|name| name.strip_suffix(".snap"))
            .and_then(|lsn| lsn.parse().ok());
        lsns.extend(lsn.map(Lsn));
    }
    lsns.sort_unstable();
    Ok(lsns)
}

/// Removes all but the newest, and what was not finished.
pub(crate) fn remove_old(folder: &Path) -> io::Result<()> {
    let lsns = list(folder)?;
    for lsn in lsns.iter().rev().skip(1) {
        fs::remove_file(path_of(folder, *lsn))?;
    }
    remove_if_there(&folder.join(UNFINISHED))
}

/// Takes a snapshot, durable on return; its lsn.
///
/// # Errors
/// Nothing is left of it. `stop` ends it with `Interrupted`.
pub(crate) fn write(folder: &Path, store: [u8; 16], index: &Index, stop: &dyn Fn() -> bool) -> io::Result<Lsn> {
    let unfinished = folder.join(UNFINISHED);
    let written = write_unnamed(&unfinished, store, index, stop);
    let named = written.and_then(|lsn| fs::rename(&unfinished, path_of(folder, lsn)).map(|()| lsn));
    if named.is_err() {
        remove_if_there(&unfinished)?;
    }
    sync_dir(folder)?;
    named
}

fn write_unnamed(path: &Path, store: [u8; 16], index: &Index, stop: &dyn Fn() -> bool) -> io::Result<Lsn> {
    let seed = Seed::of_store(&store);
    // Before the first pair is read: all up to here is in the index, so all of it will be in the snapshot.
    let lsn = index.applied().map_err(io::Error::other)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    let mut output = BufWriter::with_capacity(1 << 20, &file);
    output.write_all(&FileHeader { store, first: lsn }.to_bytes(MAGIC))?;
    let (mut after, mut count) = (None, 0u64);
    loop {
        let rows = index
            .rows_after(after.as_deref(), BLOCK_ROWS)
            .map_err(io::Error::other)?;
        let Some((last, _)) = rows.last() else { break };
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        after = Some(last.clone());
        count += rows.len() as u64;
        let mut block = Vec::new();
        for (key, value) in &rows {
            encode_bytes(&mut block, key);
            encode_bytes(&mut block, value);
        }
        write_block(&mut output, seed, &block)?;
    }
    // An empty block, then how many pairs there were.
    write_block(&mut output, seed, &[])?;
    write_block(&mut output, seed, &count.to_be_bytes())?;
    output.flush()?;
    drop(output);
    file.sync_all()?;
    Ok(lsn)
}

fn write_block(output: &mut impl Write, seed: Seed, block: &[u8]) -> io::Result<()> {
    let octets = u32::try_from(block.len()).expect("a block is a few MiB");
    output.write_all(&octets.to_be_bytes())?;
    output.write_all(&seed.crc(block).to_be_bytes())?;
    output.write_all(block)
}

/// Reads a snapshot.
///
/// # Errors
/// [`OpenError::Corrupt`] says where it is not what was written; and those of `visit`.
pub(crate) fn read(
    folder: &Path,
    store: [u8; 16],
    lsn: Lsn,
    visit: &mut dyn FnMut(Vec<RawRow>) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let path = path_of(folder, lsn);
    let file = File::open(&path).map_err(at(&path))?;
    let mut input = Blocks {
        path: &path,
        input: BufReader::with_capacity(1 << 20, file),
        offset: 0,
        store,
    };
    input.header(lsn)?;
    let mut count = 0u64;
    loop {
        let block = input.next()?;
        if block.is_empty() {
            break;
        }
        let rows = parse(&block).ok_or_else(|| input.corrupt("not a block of pairs"))?;
        count += rows.len() as u64;
        visit(rows)?;
    }
    if input.next()? == count.to_be_bytes() {
        Ok(())
    } else {
        Err(input.corrupt("another number of pairs"))
    }
}

fn parse(block: &[u8]) -> Option<Vec<RawRow>> {
    let mut input = Input(block);
    let mut rows = Vec::new();
    while !input.0.is_empty() {
        rows.push((input.bytes()?, input.bytes()?));
    }
    Some(rows)
}

/// The blocks of a snapshot that is read.
struct Blocks<'a> {
    path: &'a Path,
    input: BufReader<File>,
    offset: u64,
    store: [u8; 16],
}

impl Blocks<'_> {
    fn header(&mut self, lsn: Lsn) -> Result<(), OpenError> {
        let header = self.take(FILE_HEADER_OCTETS as usize)?;
        let expected = FileHeader {
            store: self.store,
            first: lsn,
        };
        match FileHeader::read(self.path, &header, MAGIC)? {
            Some(header) if header == expected => Ok(()),
            _ => Err(self.corrupt("the header is broken or of another file")),
        }
    }

    fn next(&mut self) -> Result<Vec<u8>, OpenError> {
        let head = self.take(8)?;
        let mut head = Input(&head);
        let octets = head.u32().filter(|octets| *octets <= BLOCK_OCTETS);
        let (Some(octets), Some(crc)) = (octets, head.u32()) else {
            return Err(self.corrupt("not a block"));
        };
        let block = self.take(octets as usize)?;
        if Seed::of_store(&self.store).crc(&block) == crc {
            Ok(block)
        } else {
            Err(self.corrupt("the CRC of a block is wrong"))
        }
    }

    fn take(&mut self, octets: usize) -> Result<Vec<u8>, OpenError> {
        let mut bytes = vec![0; octets];
        let read = read_full(&mut self.input, &mut bytes).map_err(at(self.path))?;
        if read < octets {
            return Err(self.corrupt("it ends early"));
        }
        self.offset += octets as u64;
        Ok(bytes)
    }

    fn corrupt(&self, what: &str) -> OpenError {
        OpenError::Corrupt {
            file: self.path.to_path_buf(),
            offset: self.offset,
            what: what.to_owned(),
        }
    }
}
