//! A file of pairs: a header, blocks with their CRCs, an empty block, and how many pairs there were.
//!
//! What always holds:
//! - Who has read a file to its end without an error has read all that was written, as it was written.
//! - A file that grows for minutes takes the disk from nobody: it is synced piece by piece, so that no sync, of this or of
//!   the journal, has GiBs to write, and it ends before it has taken the last free space.

use super::MAGIC;
use crate::error::{OpenError, at};
use crate::files::check_room;
use crate::index::RawRow;
use crate::journal::{FILE_HEADER_OCTETS, FileHeader};
use crate::record::{Input, Seed, encode_bytes};
use crate::replay::read_full;
use postroom_types::Lsn;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Pairs of one block.
const BLOCK_ROWS: usize = 500;
/// Pairs are at most 4 KiB and a few octets.
const BLOCK_OCTETS: u32 = 8 << 20;
/// What is read or written at once. Many are open while a snapshot is made.
const BUFFER_OCTETS: usize = 128 << 10;
/// What is written between two syncs, and between two looks at the free space.
const SYNC_OCTETS: u64 = 32 << 20;

/// A file that is being written.
pub(crate) struct Writer {
    path: PathBuf,
    min_free_octets: u64,
    unsynced_octets: u64,
    output: BufWriter<File>,
    seed: Seed,
    block: Vec<u8>,
    rows: usize,
    count: u64,
}

impl Writer {
    /// Makes a file that is to leave this much free space, or fail with [`io::ErrorKind::StorageFull`].
    pub(crate) fn create(path: &Path, store: [u8; 16], lsn: Lsn, min_free_octets: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut output = BufWriter::with_capacity(BUFFER_OCTETS, file);
        output.write_all(&FileHeader { store, first: lsn }.to_bytes(MAGIC))?;
        check_room(path, min_free_octets)?;
        Ok(Self {
            path: path.to_path_buf(),
            min_free_octets,
            unsynced_octets: 0,
            output,
            seed: Seed::of_store(&store),
            block: Vec::new(),
            rows: 0,
            count: 0,
        })
    }

    /// Adds a pair; its key comes after those before it.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        encode_bytes(&mut self.block, key);
        encode_bytes(&mut self.block, value);
        self.rows += 1;
        self.count += 1;
        if self.rows == BLOCK_ROWS {
            self.end_block()
        } else {
            Ok(())
        }
    }

    /// Writes the end; the file, which is to be synced if it is to stay.
    pub(crate) fn finish(mut self) -> io::Result<File> {
        if self.rows > 0 {
            self.end_block()?;
        }
        self.end_block()?;
        self.block.extend(self.count.to_be_bytes());
        self.end_block()?;
        self.output.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn end_block(&mut self) -> io::Result<()> {
        let octets = u32::try_from(self.block.len()).expect("a block is a few MiB");
        self.output.write_all(&octets.to_be_bytes())?;
        self.output.write_all(&self.seed.crc(&self.block).to_be_bytes())?;
        self.output.write_all(&self.block)?;
        self.unsynced_octets += self.block.len() as u64;
        self.block.clear();
        self.rows = 0;
        match self.unsynced_octets >= SYNC_OCTETS {
            true => self.sync(),
            false => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.output.flush()?;
        self.output.get_ref().sync_data()?;
        self.unsynced_octets = 0;
        check_room(&self.path, self.min_free_octets)
    }
}

/// A file that is read.
pub(crate) struct Reader {
    path: PathBuf,
    input: BufReader<File>,
    offset: u64,
    seed: Seed,
    count: u64,
    is_over: bool,
}

impl Reader {
    /// Opens a file that this store wrote as of this lsn.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] if it is another file, [`OpenError::Io`].
    pub(crate) fn open(path: PathBuf, store: [u8; 16], lsn: Lsn) -> Result<Self, OpenError> {
        let file = File::open(&path).map_err(at(&path))?;
        let mut reader = Self {
            path,
            input: BufReader::with_capacity(BUFFER_OCTETS, file),
            offset: 0,
            seed: Seed::of_store(&store),
            count: 0,
            is_over: false,
        };
        let header = reader.take(FILE_HEADER_OCTETS as usize)?;
        match FileHeader::read(&reader.path, &header, MAGIC)? {
            Some(header) if header == (FileHeader { store, first: lsn }) => Ok(reader),
            _ => Err(reader.corrupt("the header is broken or of another file")),
        }
    }

    /// The pairs of the next block; `None` at the end.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] says where it is not what was written.
    pub(crate) fn block(&mut self) -> Result<Option<Vec<RawRow>>, OpenError> {
        if self.is_over {
            return Ok(None);
        }
        let block = self.next()?;
        if block.is_empty() {
            self.is_over = true;
            return if self.next()? == self.count.to_be_bytes() {
                Ok(None)
            } else {
                Err(self.corrupt("another number of pairs"))
            };
        }
        let rows = parse(&block).ok_or_else(|| self.corrupt("not a block of pairs"))?;
        self.count += rows.len() as u64;
        Ok(Some(rows))
    }

    fn next(&mut self) -> Result<Vec<u8>, OpenError> {
        let head = self.take(8)?;
        let mut head = Input(&head);
        let octets = head.u32().filter(|octets| *octets <= BLOCK_OCTETS);
        let (Some(octets), Some(crc)) = (octets, head.u32()) else {
            return Err(self.corrupt("not a block"));
        };
        let block = self.take(octets as usize)?;
        if self.seed.crc(&block) == crc {
            Ok(block)
        } else {
            Err(self.corrupt("the CRC of a block is wrong"))
        }
    }

    fn take(&mut self, octets: usize) -> Result<Vec<u8>, OpenError> {
        let mut bytes = vec![0; octets];
        let read = read_full(&mut self.input, &mut bytes).map_err(at(&self.path))?;
        if read < octets {
            return Err(self.corrupt("it ends early"));
        }
        self.offset += octets as u64;
        Ok(bytes)
    }

    pub(crate) fn corrupt(&self, what: &str) -> OpenError {
        OpenError::Corrupt {
            file: self.path.clone(),
            offset: self.offset,
            what: what.to_owned(),
        }
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
