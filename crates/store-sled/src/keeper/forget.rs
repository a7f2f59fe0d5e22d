//! Bodies that nobody owns any more are forgotten.
//!
//! What always holds: a body is forgotten only if by snapshot and journal no key keeps it alive, and, when the committer
//! comes to it a moment later, none by the index either: that tells of a key that came back meanwhile.

use super::round::{Round, failed};
use crate::blobs::own_path;
use crate::committer::Chore;
use crate::files::remove_if_there;
use crate::identity::hex;
use crate::index::At;
use postroom_store::StoreError;
use postroom_types::BlobId;
use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bodies that snapshot and journal are asked about at once: each time they are read twice.
const ASKED: usize = 50_000;
/// Bodies forgotten by one commit.
const STEP: usize = 500;

impl Round<'_> {
    /// Forgets the bodies that have been dead for the time of grace, and notes those that died since the last round.
    pub(super) fn forget_dead(&self) -> Result<usize, StoreError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let grace = self.keeper.options.blob_grace.as_secs();
        let mut forgotten = 0;
        let mut dead = HashMap::new();
        self.each_blob(&mut |row| {
            let since = self.index.dead_since(row.id)?;
            match (self.index.is_alive(row.id)?, since) {
                (true, None) => {}
                (true, Some(_)) => self.index.note_dead(row.id, None)?,
                (false, None) if grace > 0 => self.index.note_dead(row.id, Some(now))?,
                (false, Some(since)) if now.saturating_sub(since) < grace => {}
                (false, _) => _ = dead.insert(row.id, row.location.at),
            }
            if dead.len() >= ASKED {
                forgotten += self.forget(std::mem::take(&mut dead))?;
            }
            Ok(())
        })?;
        Ok(forgotten + self.forget(dead)?)
    }

    /// Forgets these, of which the index says that they are dead; how many were.
    fn forget(&self, mut dead: HashMap<BlobId, At>) -> Result<usize, StoreError> {
        if dead.is_empty() {
            return Ok(0);
        }
        let ids = dead.keys().copied().collect();
        let alive = self.truth(&|truth| truth.alive(&ids))?;
        dead.retain(|id, _| !alive.contains(id));
        // The journal was read after the index: a key may have come back meanwhile, and may be gone again by now. Only what
        // is so twice is no moment's difference.
        let unknown = self.dead_among(alive)?;
        if !unknown.is_empty() {
            let alive = self.truth(&|truth| truth.alive(&unknown))?;
            if let Some(id) = self.dead_among(alive)?.into_iter().next() {
                return Err(self.lie(&format!("it knows no owner of the body {}", hex(&id.0))));
            }
        }
        let ids: Vec<BlobId> = dead.keys().copied().collect();
        let mut forgotten = 0;
        for ids in ids.chunks(STEP) {
            let chores = ids.iter().map(|id| Chore::Forget(*id)).collect();
            for id in self.ask(chores)? {
                forgotten += 1;
                self.index.note_dead(id, None)?;
                if let Some(At::Own(number)) = dead.get(&id) {
                    let path = own_path(&self.keeper.folder.bodies(), id, *number);
                    self.bodies.let_go(&path);
                    remove_if_there(&path).map_err(failed)?;
                }
            }
        }
        Ok(forgotten)
    }

    /// Those of which the index says that they are dead.
    fn dead_among(&self, ids: HashSet<BlobId>) -> Result<HashSet<BlobId>, StoreError> {
        let mut dead = HashSet::new();
        for id in ids {
            if !self.index.is_alive(id)? {
                dead.insert(id);
            }
        }
        Ok(dead)
    }
}
