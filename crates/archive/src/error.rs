//! Why a file cannot be read, or not further; the texts are for users.

/// Why a file cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not of the format it is said to be.
    #[error("this is no {0} file")]
    Format(&'static str),
    /// What is in it is encrypted.
    #[error("the archive is encrypted: make one without a password")]
    Encrypted,
    /// The archive has more entries than are read.
    #[error("the archive has more than {0} entries")]
    TooManyEntries(usize),
    /// The file has more messages than are read.
    #[error("the file has more than {0} messages")]
    TooManyMessages(usize),
    /// What is in the archive is larger, unpacked, than is read.
    #[error("the archive unpacks to more than {0} octets")]
    TooLarge(u64),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

impl From<zip::result::ZipError> for ArchiveError {
    fn from(error: zip::result::ZipError) -> Self {
        match error {
            zip::result::ZipError::Io(error) => Self::Io(error),
            zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED) => Self::Encrypted,
            _ => Self::Format("zip"),
        }
    }
}
