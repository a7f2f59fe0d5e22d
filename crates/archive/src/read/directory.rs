//! The end of a zip archive (APPNOTE 4.3.12 to 4.3.16), looked at before a library that trusts it sees the file.
//!
//! What always holds: the library finds one end only, the one that was looked at here, and reads no more octets than an
//! honest archive of this size takes.

use super::Bounds;
use crate::ArchiveError;
use std::cell::Cell;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom};
use std::rc::Rc;

/// Largest directory; what is in it is kept in memory.
const MAX_DIRECTORY: u64 = 64 << 20;
/// An end of the directory without its comment, and with the longest.
const END: usize = 22;
const LONGEST_END: u64 = 22 + 65_535;
/// Of a 64-bit end, and of what points to it.
const END_64: usize = 56;
const LOCATOR: usize = 20;
const ENTRY: usize = 46;
/// What is read of an entry besides its content, buffers and all.
const AROUND_AN_ENTRY: u64 = 64 << 10;

/// Where the directory is.
struct Directory {
    start: u64,
    octets: u64,
    entries: u64,
}

/// The file as the library sees it: up to the end of its directory, and then an end that we wrote.
pub(super) struct View<R> {
    file: R,
    directory: Directory,
    end: Vec<u8>,
    at: u64,
    /// Octets that may still be read.
    left: u64,
    is_open: Rc<Cell<bool>>,
}

impl<R: Read + Seek> View<R> {
    /// Looks at the file's end and at its directory.
    pub(super) fn new(mut file: R, bounds: Bounds) -> Result<Self, ArchiveError> {
        let length = file.seek(SeekFrom::End(0))?;
        let directory = find(&mut file, length)?;
        if directory.entries > bounds.entries as u64 {
            return Err(ArchiveError::TooManyEntries(bounds.entries));
        }
        if directory.octets > MAX_DIRECTORY {
            return Err(ArchiveError::Format("zip"));
        }
        check(
            &read_at(&mut file, directory.start, directory.octets)?,
            directory.entries,
        )?;
        let around = directory.entries.saturating_mul(AROUND_AN_ENTRY);
        let left = length.saturating_mul(4).saturating_add(around).saturating_add(1 << 20);
        Ok(Self {
            file,
            end: written(&directory),
            directory,
            at: 0,
            left,
            is_open: Rc::new(Cell::new(false)),
        })
    }

    /// Until this is set, nothing below the directory is shown: nobody is to look for another end there.
    pub(super) fn is_open(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.is_open)
    }

    const fn directory_end(&self) -> u64 {
        self.directory.start + self.directory.octets
    }
}

impl<R: Read + Seek> Read for View<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = self.directory_end();
        let wanted = buffer.len() as u64;
        let count = if let Some(into) = self.at.checked_sub(end) {
            let rest = self
                .end
                .get(usize::try_from(into).unwrap_or(usize::MAX)..)
                .unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            count
        } else if !self.is_open.get() && self.at < self.directory.start {
            let count = usize::try_from(wanted.min(self.directory.start - self.at)).unwrap_or(buffer.len());
            buffer[..count].fill(0);
            count
        } else {
            let count = usize::try_from(wanted.min(end - self.at)).unwrap_or(buffer.len());
            self.file.seek(SeekFrom::Start(self.at))?;
            self.file.read(&mut buffer[..count])?
        };
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| Error::other("the archive reads its octets over and over"))?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Read + Seek> Seek for View<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => (self.directory_end() + self.end.len() as u64).checked_add_signed(by),
        };
        self.at = at.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

fn read_at(file: &mut (impl Read + Seek), at: u64, octets: u64) -> Result<Vec<u8>, ArchiveError> {
    file.seek(SeekFrom::Start(at))?;
    let mut content = Vec::new();
    file.take(octets).read_to_end(&mut content)?;
    Ok(content)
}

/// A number of up to eight octets, the lowest first.
fn number(octets: &[u8], at: usize, width: usize) -> u64 {
    let octets = octets.get(at..at + width).unwrap_or_default();
    octets
        .iter()
        .rev()
        .fold(0, |number, octet| number << 8 | u64::from(*octet))
}

fn find(file: &mut (impl Read + Seek), length: u64) -> Result<Directory, ArchiveError> {
    const NO_ZIP: ArchiveError = ArchiveError::Format("zip");
    let tail_start = length.saturating_sub(LONGEST_END + LOCATOR as u64);
    let tail = read_at(file, tail_start, length - tail_start)?;
    // The last one whose comment ends with the file.
    let ends_it = |at: &usize| tail.len() >= at + END && number(&tail, at + 20, 2) == (tail.len() - at - END) as u64;
    let at = memchr::memmem::rfind_iter(&tail, b"PK\x05\x06")
        .find(ends_it)
        .ok_or(NO_ZIP)?;
    let end = &tail[at..];
    let fields = (number(end, 10, 2), number(end, 12, 4), number(end, 16, 4));
    let is_large = fields.0 == 0xFFFF || fields.1 == 0xFFFF_FFFF || fields.2 == 0xFFFF_FFFF;
    let locator = at.checked_sub(LOCATOR).map(|at| &tail[at..]);
    let locator = locator.filter(|locator| is_large && locator.starts_with(b"PK\x06\x07"));
    let ((entries, octets, start), above) = match locator {
        None => (fields, tail_start + at as u64),
        Some(locator) => {
            let above = number(locator, 8, 8);
            let end = read_at(file, above, END_64 as u64)?;
            if end.len() < END_64 || !end.starts_with(b"PK\x06\x06") {
                return Err(NO_ZIP);
            }
            ((number(&end, 32, 8), number(&end, 40, 8), number(&end, 48, 8)), above)
        }
    };
    match start.checked_add(octets) {
        Some(end) if end == above => Ok(Directory { start, octets, entries }),
        _ => Err(NO_ZIP),
    }
}

/// The directory has as many entries as its end says, and nothing that could be taken for another end.
fn check(directory: &[u8], entries: u64) -> Result<(), ArchiveError> {
    let mut rest = directory;
    for _ in 0..entries {
        let lengths = [28, 30, 32].map(|at| usize::try_from(number(rest, at, 2)).unwrap_or(usize::MAX));
        let length = ENTRY + lengths.iter().sum::<usize>();
        rest = match rest.get(length..) {
            Some(next) if rest.starts_with(b"PK\x01\x02") => next,
            _ => return Err(ArchiveError::Format("zip")),
        };
    }
    if !rest.is_empty() || memchr::memmem::find(directory, b"PK\x05\x06").is_some() {
        return Err(ArchiveError::Format("zip"));
    }
    Ok(())
}

/// An end in its 64-bit form, which suits archives of any size.
fn written(directory: &Directory) -> Vec<u8> {
    let mut end = b"PK\x06\x06".to_vec();
    end.extend((END_64 as u64 - 12).to_le_bytes());
    end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [directory.entries, directory.entries, directory.octets, directory.start] {
        end.extend(number.to_le_bytes());
    }
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend((directory.start + directory.octets).to_le_bytes());
    end.extend([1, 0, 0, 0]);
    end.extend(b"PK\x05\x06\0\0\0\0");
    end.extend([0xFF; 12]);
    end.extend([0, 0]);
    end
}
