//! Where a message waits while it comes in: small ones in memory, large ones in a file without a name.

use crate::memory::{LargeMessages, Room};
use bytes::{Bytes, BytesMut};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

/// What is kept in memory of a message that is still coming. A thousand slow clients then cost a GiB at the very most,
/// and one that sends nothing costs nothing.
const MEMORY_OCTETS: usize = 1 << 20;

/// Makes spools; one for the whole server.
#[derive(Clone)]
pub struct Spooler {
    folder: Arc<Path>,
    large: Arc<LargeMessages>,
}

/// One message that is coming in. Dropped, it leaves nothing behind.
pub struct Spool {
    spooler: Spooler,
    memory: BytesMut,
    file: Option<File>,
    octets: u64,
    trouble: Option<io::Error>,
}

impl Spooler {
    /// Spools into files of this folder, which is made if need be. Files that an earlier process left are removed.
    ///
    /// # Errors
    /// The folder cannot be made or listed.
    pub fn new(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            std::fs::remove_file(entry?.path())?;
        }
        Ok(Self {
            folder: folder.into(),
            large: Arc::new(LargeMessages::new()),
        })
    }

    /// A new, empty spool.
    #[must_use]
    pub fn spool(&self) -> Spool {
        Spool {
            spooler: self.clone(),
            memory: BytesMut::new(),
            file: None,
            octets: 0,
            trouble: None,
        }
    }
}

impl Spool {
    /// How many octets there are so far.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Takes the next bytes. Trouble is remembered and told by [`finish`](Self::finish).
    pub async fn push(&mut self, chunk: &[u8]) {
        if self.trouble.is_some() {
            return;
        }
        self.octets += chunk.len() as u64;
        if let Err(error) = self.write(chunk).await {
            self.trouble = Some(error);
            self.memory = BytesMut::new();
            self.file = None;
        }
    }

    async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        if self.memory.len() + chunk.len() <= MEMORY_OCTETS {
            self.memory.extend_from_slice(chunk);
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(nameless_file(&self.spooler.folder).await?);
        }
        let file = self.file.as_mut().expect("made just above");
        file.write_all(&self.memory).await?;
        self.memory.clear();
        file.write_all(chunk).await
    }

    /// The whole message in memory, once there is room for it. Keep the room until the message is stored.
    ///
    /// # Errors
    /// The file could not be written or read; usually the disk is full.
    pub async fn finish(self) -> io::Result<(Bytes, Option<Room>)> {
        if let Some(error) = self.trouble {
            return Err(error);
        }
        let length = usize::try_from(self.octets).map_err(io::Error::other)?;
        let room = self.spooler.large.room(length).await;
        let Some(mut file) = self.file else {
            return Ok((self.memory.freeze(), room));
        };
        file.write_all(&self.memory).await?;
        drop(self.memory);
        file.flush().await?;
        file.rewind().await?;
        let mut content = Vec::with_capacity(length);
        file.read_to_end(&mut content).await?;
        if content.len() != length {
            return Err(io::Error::other("the spool file is not what was written"));
        }
        Ok((content.into(), room))
    }
}

/// A file that is gone when it is closed, however the process ends.
async fn nameless_file(folder: &Path) -> io::Result<File> {
    let path = folder.join(postroom_types::EmailId::new().to_string());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .await?;
    tokio::fs::remove_file(&path).await?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn round_trip(total: usize) {
        let folder = std::env::temp_dir().join(format!("postroom-spool-{}", postroom_types::EmailId::new()));
        let spooler = Spooler::new(folder.clone()).unwrap();
        let content: Vec<u8> = (0..total).map(|at| (at % 251) as u8).collect();
        let mut spool = spooler.spool();
        for chunk in content.chunks(70_001) {
            spool.push(chunk).await;
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "files have no name");
        let (read, _room) = spool.finish().await.unwrap();
        assert!(read == content);
        std::fs::remove_dir(&folder).unwrap();
    }

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        for total in [
            0,
            1,
            MEMORY_OCTETS - 1,
            MEMORY_OCTETS,
            MEMORY_OCTETS + 1,
            5 * MEMORY_OCTETS,
        ] {
            round_trip(total).await;
        }
    }

    #[tokio::test]
    async fn trouble_is_told_at_the_end() {
        let folder = std::env::temp_dir().join(format!("postroom-spool-{}", postroom_types::EmailId::new()));
        let spooler = Spooler::new(folder.clone()).unwrap();
        std::fs::remove_dir(&folder).unwrap();
        let mut spool = spooler.spool();
        spool.push(&vec![0; MEMORY_OCTETS]).await;
        spool.push(b"one more").await;
        assert!(spool.finish().await.is_err());
    }
}
