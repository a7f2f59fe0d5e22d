//! Rounds of upkeep that come by themselves.

use super::Keeper;
use crate::blobs::Bodies;
use crate::committer::Request;
use crate::index::Index;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// What a round of upkeep works on.
pub(crate) struct Parts {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) index: Arc<Index>,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) queue: mpsc::Sender<Request>,
}

/// Rounds of upkeep on a thread of their own, until this is dropped.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// Dropped to wake the thread.
    bell: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Rounds {
    /// Starts the thread; the first round comes after `every`.
    pub(crate) fn start(parts: Parts, every: Duration) -> io::Result<Self> {
        let (bell, wake) = std::sync::mpsc::channel();
        let rounds = move || {
            let Parts {
                keeper,
                index,
                bodies,
                queue,
            } = parts;
            while wake.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = keeper.tidy(&index, &bodies, &queue) {
                    tracing::warn!(%error, "store upkeep ended early");
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-keeper".into()).spawn(rounds)?;
        Ok(Self {
            bell: Some(bell),
            thread: Some(thread),
        })
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.bell.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
