//! Mail as files: mbox, eml and zip, read and written; no mailbox, no store, no runtime.
//!
//! What always holds: nothing is larger in memory than one message; a file that is not what it claims to be, or grows
//! beyond its bounds, is an error and never a panic; no name in an archive is ever used as a path.

mod error;
mod mbox;
mod read;
mod zip_stream;

pub use error::ArchiveError;
pub use mbox::{FromLine, MboxEntry, MboxReader, MboxWriter};
pub use read::{Bounds, Entry, Format, read_messages};
pub use zip_stream::ZipStream;
