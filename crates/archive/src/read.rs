//! The messages of a file, whatever its format.

use crate::{ArchiveError, MboxEntry, MboxReader};
use directory::View;
use std::io::{BufRead, BufReader, Read, Seek};
use std::ops::ControlFlow;
use zip::ZipArchive;

mod directory;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Messages one after the other.
    Mbox,
    /// One message.
    Eml,
    /// An archive of the other two, by the names of its entries; what else is in it is passed over.
    Zip,
}

/// How much of a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Largest message; larger ones are passed over.
    pub message_octets: usize,
    /// Most octets of all entries of an archive together, unpacked.
    pub unpacked_octets: u64,
    /// Most entries of an archive.
    pub entries: usize,
    /// Most messages of a file, and of all entries of an archive together.
    pub messages: usize,
}

/// What is next in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A message.
    Message {
        /// As it stands there.
        content: Vec<u8>,
        /// When it came, as the line above it in an mbox says; seconds since 1970 UTC.
        came_at: Option<i64>,
    },
    /// A message that is larger than wanted.
    TooLarge,
    /// A file of an archive whose name leads out of it; it is not read.
    Unsafe,
}

/// Reads the messages of a file in their order, until `take` breaks off. The same file gives the same messages in the same
/// order each time.
///
/// # Errors
/// [`ArchiveError`]; what came before it was taken.
pub fn read_messages(
    file: impl Read + Seek,
    format: Format,
    bounds: Bounds,
    mut take: impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), ArchiveError> {
    match format {
        Format::Mbox => read_mbox(BufReader::new(file), bounds, &mut 0, &mut take).map(|_| ()),
        Format::Eml => read_eml(file, bounds, &mut take).map(|_| ()),
        Format::Zip => read_zip(file, bounds, &mut take),
    }
}

fn read_mbox(
    file: impl BufRead,
    bounds: Bounds,
    messages: &mut usize,
    take: &mut impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ArchiveError> {
    let mut reader = MboxReader::new(file, bounds.message_octets);
    while let Some(entry) = reader.next()? {
        *messages += 1;
        if *messages > bounds.messages {
            return Err(ArchiveError::TooManyMessages(bounds.messages));
        }
        let entry = match entry {
            MboxEntry::Message { from, content } => Entry::Message {
                content,
                came_at: from.time(),
            },
            MboxEntry::TooLarge => Entry::TooLarge,
        };
        if take(entry).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn read_eml(
    file: impl Read,
    bounds: Bounds,
    take: &mut impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ArchiveError> {
    let mut content = Vec::new();
    let most = bounds.message_octets as u64;
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Ok(take(Entry::TooLarge));
    }
    // Some editors put it before any text in UTF-8; no field name has it.
    if content.starts_with(BYTE_ORDER_MARK) {
        content.drain(..BYTE_ORDER_MARK.len());
    }
    if !begins_with_a_field(&content) {
        return Err(ArchiveError::Format("eml"));
    }
    Ok(take(Entry::Message { content, came_at: None }))
}

/// A message begins with a field (RFC 5322 §2.2): printable octets, then a colon.
fn begins_with_a_field(content: &[u8]) -> bool {
    let name = content
        .iter()
        .take_while(|octet| octet.is_ascii_graphic() && **octet != b':')
        .count();
    name > 0 && content[name..].trim_ascii_start().starts_with(b":")
}

fn read_zip(
    file: impl Read + Seek,
    bounds: Bounds,
    take: &mut impl FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), ArchiveError> {
    let view = View::new(file, bounds)?;
    let is_open = view.is_open();
    let mut archive = ZipArchive::new(BufReader::new(view))?;
    is_open.set(true);
    // Before the first message is taken, so that an archive is taken or refused.
    let mut wanted = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        if entry.encrypted() {
            return Err(ArchiveError::Encrypted);
        }
        let format = format_of(entry.name()).filter(|_| entry.is_file());
        wanted.extend(format.map(|format| (index, format, leads_out(entry.name()))));
    }
    let (mut left, mut messages) = (bounds.unpacked_octets, 0);
    for (index, format, is_unsafe) in wanted {
        if is_unsafe {
            match take(Entry::Unsafe) {
                ControlFlow::Break(()) => return Ok(()),
                ControlFlow::Continue(()) => continue,
            }
        }
        // What an entry says of its size is not to be trusted: what comes out of it counts.
        let mut entry = Counted {
            inner: archive.by_index(index)?,
            left: &mut left,
        };
        let read = match format {
            Format::Mbox => read_mbox(BufReader::new(&mut entry), bounds, &mut messages, take),
            Format::Eml | Format::Zip => read_eml(&mut entry, bounds, take),
        };
        match read {
            // One file that is no message does not keep the others.
            Err(ArchiveError::Format(_)) => {}
            Err(ArchiveError::Io(error)) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                return Err(ArchiveError::TooLarge(bounds.unpacked_octets));
            }
            Err(error) => return Err(error),
            Ok(ControlFlow::Break(())) => return Ok(()),
            Ok(ControlFlow::Continue(())) => {}
        }
    }
    Ok(())
}

/// Whether a name, used as a path on any system, would lead out of the archive. It is not used so; but who makes such names
/// means no good. It keeps no other from being read.
fn leads_out(name: &str) -> bool {
    let is_absolute = name.starts_with(['/', '\\']) || name.as_bytes().get(1) == Some(&b':');
    is_absolute || name.contains('\0') || name.split(['/', '\\']).any(|part| part == "..")
}

/// By the end of its name; files that some systems put beside others, and folders of them, are none.
fn format_of(name: &str) -> Option<Format> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    if file.starts_with('.') || folder.split('/').any(|part| part == "__MACOSX") {
        return None;
    }
    let (_, extension) = file.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "eml" => Some(Format::Eml),
        "mbox" => Some(Format::Mbox),
        _ => None,
    }
}

/// Counts what comes out of an entry against what may come out of all.
struct Counted<'a, R> {
    inner: R,
    left: &'a mut u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        *self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
