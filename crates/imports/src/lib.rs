//! Mail that is brought along: a file of messages is uploaded, then taken into a mailbox one message after the other.
//!
//! What always holds:
//! - A job and how far it is are in the store; its file is in a folder under the job's id, of a bounded size, and is gone
//!   once the job has ended.
//! - A message gets an id that follows from its job and its place in the file, so whatever is done again after a crash
//!   stores nothing twice. It is announced to nobody.
//! - One job is worked on at a time. A job that was cancelled goes no further than the message at hand.

mod error;
mod files;
mod job;
mod keys;
mod manage;
mod reading;
mod sweep;
mod undated;
mod work;

pub use error::ImportError;
pub use files::Upload;
pub use job::{Format, Job, JobId, JobWish, Status};
pub use manage::{JobPage, UploadTicket};

use postroom_identity::Identity;
use postroom_intake::Intake;
use postroom_store::SharedStore;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where files are kept until they are taken in.
    pub folder: PathBuf,
    /// Largest file. Default 2 GiB.
    pub max_file_octets: u64,
    /// Most octets that come out of an archive. Default 8 GiB.
    pub max_unpacked_octets: u64,
    /// Most jobs of one inbox that have not ended. Default 5.
    pub jobs_an_inbox: u8,
    /// Most octets of files of one organization that wait. Default 8 GiB.
    pub waiting_octets: u64,
    /// Octets that stay free where files are kept. Default 1 GiB.
    pub spare_octets: u64,
    /// How often a job may be begun without coming any further: what stops the server is not begun for ever. Default 2.
    pub attempts: u32,
    /// How long a file may be uploaded after it was asked where to. Default 1 hour.
    pub upload_within: Duration,
}

impl Options {
    /// The defaults, with this folder.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            max_file_octets: 2 << 30,
            max_unpacked_octets: 8 << 30,
            jobs_an_inbox: 5,
            waiting_octets: 8 << 30,
            spare_octets: 1 << 30,
            attempts: 2,
            upload_within: Duration::from_secs(60 * 60),
        }
    }
}

/// All imports. One for the whole server.
pub struct Imports {
    store: SharedStore,
    identity: Arc<Identity>,
    intake: Arc<Intake>,
    options: Options,
    queued: Notify,
    uploads: files::Uploads,
}

impl Imports {
    /// Imports through this door; all must be on this store.
    #[must_use]
    pub fn new(store: SharedStore, identity: Arc<Identity>, intake: Arc<Intake>, options: Options) -> Self {
        Self {
            store,
            identity,
            intake,
            options,
            queued: Notify::new(),
            uploads: files::Uploads::default(),
        }
    }

    /// What it was made with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
