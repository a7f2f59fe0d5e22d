//! How a store is kept.

use std::time::Duration;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for the index's pages, in octets. Default 64 MiB.
    pub cache_octets: u64,
    /// Memory for values read or written lately, in octets; they are answered without a blocking thread. Default 8 MiB.
    pub hot_octets: usize,
    /// A journal file is not grown beyond this, in octets. Default 256 MiB.
    pub roll_octets: u64,
    /// Free space, in octets, below which commits with new bodies are answered with [`Outcome::Full`](postroom_store::Outcome::Full); below an eighth
    /// of it, all that do more than delete. Default 512 MiB: the index's own threads panic on a full disk.
    pub min_free_octets: u64,
    /// Names this run of the machine in place of the kernel's boot id: with the same name as the last time, the page
    /// cache is taken to be the same.
    pub boot_id: Option<String>,
    /// How often bodies without an owner, snapshots and old journal files are looked after. Default 6 h; `None`: only
    /// by [`SledStore::tidy`](crate::SledStore::tidy).
    pub tidy_every: Option<Duration>,
    /// How long a body that nobody owns any more is kept, for sessions that were not told. Default 1 h.
    pub blob_grace: Duration,
    /// A snapshot is taken when the journal has grown by this many octets (and by the size of the last snapshot) since
    /// the last one. Default 256 MiB.
    pub snapshot_octets: u64,
    /// Journal and body files kept open for reading. Default 64.
    pub open_files: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_octets: 64 << 20,
            hot_octets: 8 << 20,
            roll_octets: 256 << 20,
            min_free_octets: 512 << 20,
            boot_id: None,
            tidy_every: Some(Duration::from_secs(6 * 3600)),
            blob_grace: Duration::from_secs(3600),
            snapshot_octets: 256 << 20,
            open_files: 64,
        }
    }
}
