//! The embedded store: an fdatasync'd journal as the truth, sled as a disposable index.
//!
//! What always holds:
//! - A commit is answered only when its record is in the journal and synced, and the index shows it.
//! - Whatever happens to the index, it can be built again from the journal. So nothing is removed because the index does
//!   not know of it: what cannot be undone is decided by snapshot and journal alone.
//! - Nothing that may block runs on the async executor.
//!
//! ```text
//! lock            held while the store is open
//! store.id        the store's name, and the machine's run and the folder it was last opened in
//! clean           there only after a clean close
//! journal/        00000000000000000001.log, named by the first lsn in it; rolled at 256 MiB
//! bodies/         bodies of more than 1 MiB, one file each
//! index/          sled
//! index.distrusted    why the next start makes the index anew, if it failed while in use
//! snapshot/       what the journal up to the lsn in the name makes; `unfinished` while one is made
//! ```

mod backup;
mod blobs;
mod boot;
mod calls;
mod check;
mod committer;
mod error;
mod files;
mod hot;
mod identity;
mod index;
mod journal;
mod keeper;
mod options;
mod quiet;
mod record;
mod replay;
mod snapshot;
mod state;
mod truth;

pub use backup::{BackedUp, BackupError, Beside, Damaged, Restored, backup, restore};
pub use boot::{Loss, Progress};
pub use check::{Checked, check_journal};
pub use error::OpenError;
pub use keeper::Tidied;
pub use options::Options;
pub use state::Statistics;

use blobs::Bodies;
use committer::{Committer, Request};
use files::Folder;
use index::Index;
use keeper::{Keeper, Rounds};
use postroom_store::StoreError;
use postroom_types::Lsn;
use state::SharedState;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Commits that may wait for the committer; more wait for a place.
const QUEUE_COMMITS: usize = 1024;
/// Reads that may run at once, each on a thread of the runtime's blocking pool.
const READERS: usize = 16;

/// An open store.
#[derive(Debug)]
pub struct SledStore {
    options: Options,
    folder: Folder,
    /// Why the index was made anew.
    renewed: Option<String>,
    /// `None` once closed.
    index: RwLock<Option<Arc<Index>>>,
    bodies: Arc<Bodies>,
    readers: Arc<Semaphore>,
    shared: Arc<SharedState>,
    keeper: Arc<Keeper>,
    rounds: Mutex<Option<Rounds>>,
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Held for as long as the store is; the last field, so that it goes last.
    _lock: File,
}

impl SledStore {
    /// Opens the store in a folder, made if it is missing. Blocks, perhaps for minutes if the index must be built anew.
    ///
    /// # Errors
    /// See [`OpenError`]; a journal that is corrupt is left as it is.
    pub fn open(folder: &Path, options: Options, mut progress: impl FnMut(Progress)) -> Result<Arc<Self>, OpenError> {
        let folder = Folder::new(folder);
        folder.create()?;
        let lock = folder.lock()?;
        let boot::Booted {
            store,
            journal,
            index,
            renewed,
            next,
        } = boot::boot(&folder, &options, &mut progress)?;

        let index = Arc::new(index);
        let shared = Arc::new(SharedState::new(folder.clone(), Lsn(next.0 - 1)));
        let keeper = Keeper::new(folder.clone(), store, options.clone(), Arc::clone(&shared))?;
        let keeper = Arc::new(keeper);
        let (sender, queue) = mpsc::channel(QUEUE_COMMITS);
        let committer = Committer {
            folder: folder.clone(),
            store,
            journal,
            index: Arc::clone(&index),
            next,
            min_free: options.min_free_octets,
            shared: Arc::clone(&shared),
            queue,
        };
        let thread = std::thread::Builder::new().name("committer".into());
        let thread = thread.spawn(move || committer.run());
        let thread = thread.map_err(error::at(folder.path()))?;
        let bodies = Arc::new(Bodies::new(folder.journal(), folder.bodies(), options.open_files));
        let parts = keeper::Parts {
            keeper: Arc::clone(&keeper),
            index: Arc::clone(&index),
            bodies: Arc::clone(&bodies),
            queue: sender.clone(),
        };
        let rounds = options.tidy_every.map(|every| Rounds::start(parts, every));
        let rounds = rounds.transpose().map_err(error::at(folder.path()))?;
        Ok(Arc::new(Self {
            bodies,
            keeper,
            rounds: Mutex::new(rounds),
            options,
            folder,
            renewed,
            index: RwLock::new(Some(index)),
            readers: Arc::new(Semaphore::new(READERS)),
            shared,
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            _lock: lock,
        }))
    }

    /// Turns true when the store has failed (an I/O error, a failed sync): every later call is answered with
    /// [`StoreError::Unavailable`], and the process should stop, so that a restart can find out what is on disk.
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<bool> {
        self.shared.failed()
    }

    /// Why the index there was could not be used and was made anew when the store was opened; `None` if it could, or there
    /// was none.
    #[must_use]
    pub fn renewed(&self) -> Option<&str> {
        self.renewed.as_deref()
    }

    /// What was written since the store was opened.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    /// Finishes what is queued and closes the store, so that the next start needs no replay. Later calls are answered
    /// with [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store had failed or was closed, or the index cannot be synced: then the next
    /// start replays or builds the index anew, and nothing is lost.
    pub async fn close(&self) -> Result<(), StoreError> {
        let queue = lock(&self.queue).take().ok_or_else(|| self.shared.unavailable())?;
        self.index.write().unwrap_or_else(PoisonError::into_inner).take();
        self.keeper.stop();
        let rounds = lock(&self.rounds).take();
        let _ = tokio::task::spawn_blocking(move || drop(rounds)).await;
        let (reply, closed) = oneshot::channel();
        let sent = queue.send(Request::Close(reply)).await;
        sent.map_err(|_| self.shared.unavailable())?;
        closed.await.unwrap_or_else(|_| Err(self.shared.unavailable()))
    }

    /// Takes a snapshot if one is due, forgets bodies that nobody has owned for the time of grace, and removes journal
    /// files that nobody needs, and files of bodies that no commit named when the store was opened. Without room for a
    /// snapshot there is none, and the rest is done. Done every [`Options::tidy_every`] without being asked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store is closed or there is no space; what was done stays done.
    pub async fn tidy(&self) -> Result<Tidied, StoreError> {
        let queue = lock(&self.queue).clone().ok_or_else(|| self.shared.unavailable())?;
        let (keeper, index, bodies) = (Arc::clone(&self.keeper), self.index()?, Arc::clone(&self.bodies));
        let round = tokio::task::spawn_blocking(move || keeper.tidy(&index, &bodies, &queue));
        let ended = |_| Err(StoreError::Unavailable("the round of upkeep ended early".into()));
        round.await.unwrap_or_else(ended)
    }

    fn index(&self) -> Result<Arc<Index>, StoreError> {
        if self.shared.has_failed() {
            return Err(self.shared.unavailable());
        }
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.clone().ok_or_else(|| self.shared.unavailable())
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.keeper.stop();
        lock(&self.rounds).take();
        // Without a sender the committer finishes what is queued and ends; the index and the lock go after it.
        lock(&self.queue).take();
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
