//! Reading a file, beside the executor.

use crate::Format;
use postroom_archive::{ArchiveError, Bounds, Entry, read_messages};
use std::fs::File;
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Reads the file, from the place where the job is.
pub(crate) fn read(
    path: &std::path::Path,
    format: Format,
    bounds: Bounds,
    skip: u64,
    stop: CancellationToken,
    sender: &mpsc::Sender<Entry>,
) -> Result<(), ArchiveError> {
    let mut file = File::open(path)?;
    let format = match format {
        Format::Auto => guessed(&mut file)?,
        Format::Mbox => postroom_archive::Format::Mbox,
        Format::Eml => postroom_archive::Format::Eml,
        Format::Zip => postroom_archive::Format::Zip,
    };
    let file = Stoppable { file, stop };
    let mut place = 0;
    read_messages(file, format, bounds, |entry| {
        place += 1;
        if place <= skip {
            return ControlFlow::Continue(());
        }
        match sender.blocking_send(entry) {
            Ok(()) => ControlFlow::Continue(()),
            // Nobody listens any more.
            Err(_) => ControlFlow::Break(()),
        }
    })
}

/// A file that cannot be read any more once nobody wants it.
struct Stoppable {
    file: File,
    stop: CancellationToken,
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.stop.is_cancelled() {
            true => Err(std::io::Error::other("reading was given up")),
            false => self.file.read(buffer),
        }
    }
}

impl Seek for Stoppable {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

/// What a file is by its first octets.
fn guessed(file: &mut File) -> Result<postroom_archive::Format, ArchiveError> {
    let mut head = [0; 5];
    let read = file.read(&mut head)?;
    file.rewind()?;
    Ok(match &head[..read] {
        [b'P', b'K', 3 | 5, ..] => postroom_archive::Format::Zip,
        b"From " => postroom_archive::Format::Mbox,
        _ => postroom_archive::Format::Eml,
    })
}

/// Lines as mail has them: files often have bare LF.
pub(crate) fn with_crlf(content: Vec<u8>) -> Vec<u8> {
    let bare = content
        .iter()
        .enumerate()
        .filter(|(at, octet)| **octet == b'\n' && (*at == 0 || content[*at - 1] != b'\r'))
        .count();
    if bare == 0 {
        return content;
    }
    let mut lines = Vec::with_capacity(content.len() + bare);
    for (at, octet) in content.iter().enumerate() {
        if *octet == b'\n' && (at == 0 || content[at - 1] != b'\r') {
            lines.push(b'\r');
        }
        lines.push(*octet);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends() {
        for (given, expected) in [
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\r\nb\n\n", "a\r\nb\r\n\r\n"),
            ("\n", "\r\n"),
            ("a\r\n", "a\r\n"),
            ("a\rb", "a\rb"),
        ] {
            assert_eq!(with_crlf(given.into()), expected.as_bytes(), "{given:?}");
        }
    }
}
