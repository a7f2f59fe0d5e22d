//! Uploaded files: written under another name until they are whole.

use crate::{ImportError, Imports, JobId};
use std::io;
use std::path::PathBuf;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

/// A file on its way in. Dropped before [`finish`](Self::finish), it is removed by the next sweep, or by the next upload.
pub struct Upload {
    file: File,
    octets: u64,
    most: u64,
    part: PathBuf,
    whole: PathBuf,
}

impl Imports {
    pub(crate) fn file(&self, id: JobId) -> PathBuf {
        self.options.folder.join(id.to_string())
    }

    pub(crate) async fn begin_upload(&self, id: JobId) -> Result<Upload, ImportError> {
        fs::create_dir_all(&self.options.folder).await?;
        let whole = self.file(id);
        let part = whole.with_extension("part");
        Ok(Upload {
            file: File::create(&part).await.map_err(full)?,
            octets: 0,
            most: self.options.max_file_octets,
            part,
            whole,
        })
    }

    /// Removes what there is of a job's file.
    pub(crate) async fn remove_file(&self, id: JobId) {
        for path in [self.file(id), self.file(id).with_extension("part")] {
            match fs::remove_file(&path).await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(file = %path.display(), %error, "cannot remove the file of an import"),
            }
        }
    }
}

impl Upload {
    /// Writes a piece.
    ///
    /// # Errors
    /// [`ImportError::TooLarge`], [`ImportError::Full`], [`ImportError::Io`]: the upload has failed.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), ImportError> {
        self.octets = self.octets.saturating_add(piece.len() as u64);
        if self.octets > self.most {
            return Err(ImportError::TooLarge(self.most));
        }
        self.file.write_all(piece).await.map_err(full)
    }

    /// Gives the file its name; its octets. Durable on return.
    pub(crate) async fn finish(self) -> Result<u64, ImportError> {
        let Self {
            mut file,
            octets,
            part,
            whole,
            ..
        } = self;
        file.flush().await.map_err(full)?;
        file.sync_all().await.map_err(full)?;
        fs::rename(&part, &whole).await?;
        if let Some(folder) = whole.parent() {
            File::open(folder).await?.sync_all().await?;
        }
        Ok(octets)
    }

    /// Removes what was written.
    pub async fn give_up(self) {
        // What stays is swept later.
        let _ = fs::remove_file(&self.part).await;
    }
}

fn full(error: io::Error) -> ImportError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ImportError::Full,
        _ => ImportError::Io(error),
    }
}
