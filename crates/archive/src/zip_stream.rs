//! A zip archive that is sent while it is made: of nothing larger than a piece has to be known beforehand.

use crate::ArchiveError;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// Writes an archive; what is ready is taken out piece by piece. In memory stays what the directory at the end needs of
/// each entry.
pub struct ZipStream {
    writer: ZipWriter<StreamWriter<Ready>>,
    ready: Ready,
}

/// What was written and not yet taken.
#[derive(Clone, Default)]
struct Ready(Arc<Mutex<Vec<u8>>>);

impl Write for Ready {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Default for ZipStream {
    fn default() -> Self {
        let ready = Ready::default();
        Self {
            writer: ZipWriter::new_stream(ready.clone()),
            ready,
        }
    }
}

impl ZipStream {
    /// Begins an entry; what is written next is in it.
    ///
    /// # Errors
    /// [`ArchiveError`] if there is such an entry already.
    pub fn begin(&mut self, name: &str) -> Result<(), ArchiveError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            // Quick rather than small: it is made while somebody waits.
            .compression_level(Some(1))
            .large_file(true);
        Ok(self.writer.start_file(name, options)?)
    }

    /// How much is ready by now.
    #[must_use]
    pub fn ready_octets(&self) -> usize {
        self.ready.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What is ready by now.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        let mut ready = self.ready.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *ready)
    }

    /// Ends the archive; what is left of it.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn finish(self) -> Result<Vec<u8>, ArchiveError> {
        let Self { writer, ready } = self;
        writer.finish()?;
        let mut left = ready.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *left))
    }
}

impl Write for ZipStream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.writer.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};
    use zip::ZipArchive;

    #[test]
    fn what_is_taken_is_an_archive() {
        let mut stream = ZipStream::default();
        let mut file = Vec::new();
        let large: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        for (name, content) in [("a/b.txt", &b"hello"[..]), ("ü.mbox", &large), ("empty", b"")] {
            stream.begin(name).unwrap();
            for piece in content.chunks(1000) {
                stream.write_all(piece).unwrap();
                file.extend(stream.take());
            }
        }
        // It is sent while it is made.
        assert!(file.len() > 100_000);
        file.extend(stream.finish().unwrap());
        let mut archive = ZipArchive::new(Cursor::new(file)).unwrap();
        assert_eq!(archive.len(), 3);
        for (name, content) in [("a/b.txt", &b"hello"[..]), ("ü.mbox", &large), ("empty", b"")] {
            let mut found = Vec::new();
            archive.by_name(name).unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, content, "{name}");
        }
    }
}
