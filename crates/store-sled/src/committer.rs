//! One thread that makes commits durable, a group at a time.
//!
//! What always holds:
//! - Nobody gets an answer before the group is synced, not even a conflict: it may be with a commit of the same group.
//! - The index is written only after the journal is synced, and each commit is answered once the index shows it.
//! - No timer: the next group forms while the disk syncs.
//! - After a fatal failure nothing is written any more, and everybody is told.

mod chores;
mod group;

pub(crate) use chores::Chore;

use chores::{forgotten, record_of};

use crate::blobs::OwnBody;
use crate::error::Trouble;
use crate::files::{Folder, free_octets, sync_tree};
use crate::identity::{CleanMark, write_clean_mark};
use crate::index::{Entry, Index};
use crate::journal::Journal;
use crate::quiet::catch_quietly;
use crate::state::SharedState;
use group::{Group, Member};
use postroom_store::{Commit, Outcome, StoreError};
use postroom_types::{BlobId, Lsn};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Most commits of a group.
const GROUP_COMMITS: usize = 256;
/// A group takes no further commit once it has this many octets.
const GROUP_OCTETS: usize = 8 << 20;
/// How long a close waits for the last readers.
const READERS_PATIENCE: Duration = Duration::from_secs(10);

/// What the thread is asked to do.
pub(crate) enum Request {
    Commit(Box<Order>),
    /// Do these chores; answered, with the bodies that were forgotten, when they are durable and visible.
    Upkeep(Vec<Chore>, oneshot::Sender<Forgotten>),
    /// Close the index and write the clean mark, once this is the only holder of the index.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// The bodies that were forgotten.
pub(crate) type Forgotten = Result<Vec<BlobId>, StoreError>;

/// A commit that waits.
pub(crate) struct Order {
    pub(crate) commit: Commit,
    /// Its bodies that are in files of their own already.
    pub(crate) own: Vec<OwnBody>,
    pub(crate) octets: usize,
    pub(crate) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// Where in the journal something was written.
#[derive(Clone, Copy, Default)]
struct Place {
    file: Lsn,
    offset: u64,
}

/// The thread's belongings.
pub(crate) struct Committer {
    pub(crate) folder: Folder,
    pub(crate) store: [u8; 16],
    pub(crate) journal: Journal,
    pub(crate) index: Arc<Index>,
    pub(crate) next: Lsn,
    pub(crate) min_free: u64,
    pub(crate) shared: Arc<SharedState>,
    pub(crate) queue: mpsc::Receiver<Request>,
}

impl Committer {
    /// Works until the store is closed, dropped or failed.
    pub(crate) fn run(mut self) {
        // What panics here is sled, over a page that it reads for a commit.
        let worked = catch_quietly(|| self.work());
        if let Err(why) = &worked {
            self.shared.distrust_index(why);
        }
        self.refuse_the_rest(None);
        if let Ok(Some(reply)) = worked {
            self.close(reply);
        }
    }

    /// Does what is asked for; who asked to close, if that is why it ended.
    fn work(&mut self) -> Option<oneshot::Sender<Result<(), StoreError>>> {
        let mut held = None;
        while let Some(request) = held.take().or_else(|| self.queue.blocking_recv()) {
            let done = match request {
                Request::Close(reply) => return Some(reply),
                Request::Upkeep(chores, reply) => self.do_chores(chores, reply),
                Request::Commit(order) => {
                    let mut orders = vec![*order];
                    held = self.drain(&mut orders);
                    self.commit(orders)
                }
            };
            if let Err(why) = done {
                self.shared.fail(&why);
                break;
            }
        }
        self.refuse_the_rest(held);
        None
    }

    /// Takes what else is queued, up to the bounds of a group; returns what did not fit.
    fn drain(&mut self, orders: &mut Vec<Order>) -> Option<Request> {
        let mut octets = orders.iter().map(|order| order.octets).sum::<usize>();
        while orders.len() < GROUP_COMMITS && octets < GROUP_OCTETS {
            match self.queue.try_recv() {
                Ok(Request::Commit(order)) if octets + order.octets <= GROUP_OCTETS => {
                    octets += order.octets;
                    orders.push(*order);
                }
                Ok(request) => return Some(request),
                Err(_) => break,
            }
        }
        None
    }

    /// Makes a group durable and visible, and answers it. `Err` is why the store must stop.
    fn commit(&mut self, orders: Vec<Order>) -> Result<(), String> {
        let mut group = Group::new(&self.index, self.journal.seed(), self.next);
        let free = free_octets(self.folder.path()).unwrap_or(u64::MAX);
        for order in orders {
            group.add(order, |commit| has_room(commit, free, self.min_free));
        }
        let group = group.finish();
        if let Some(why) = self.trouble() {
            // What was resolved may be so because of what the index did not show.
            group.members.into_iter().for_each(Member::give_up);
            return Err(why);
        }
        let (place, mut failure) = match self.write(&group.records, group.commits) {
            Ok(place) => (place, None),
            // The conflicts too: they may be with what was not done.
            Err(Trouble::Full) => {
                group.members.into_iter().for_each(Member::refuse);
                return Ok(());
            }
            Err(Trouble::Fatal(why)) => (Place::default(), Some(why)),
        };
        let mut members = group.members;
        if failure.is_none() {
            let entries = members.iter_mut().filter_map(|member| member.entry.take());
            failure = self.show(entries.collect(), place).err();
        }
        for member in members {
            member.answer(failure.is_some(), &self.shared.topics);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Does the chores of upkeep, as a commit of their own.
    fn do_chores(&mut self, chores: Vec<Chore>, reply: oneshot::Sender<Forgotten>) -> Result<(), String> {
        let record = record_of(chores, &self.index, self.journal.seed(), self.next);
        if let Some(why) = self.trouble() {
            let _ = reply.send(Err(StoreError::Unavailable(why.as_str().into())));
            return Err(why);
        }
        let written = match record {
            Ok(Some((record, entry))) => self.write(&record, 1).map(|place| (entry, place)),
            Ok(None) => {
                let _ = reply.send(Ok(Vec::new()));
                return Ok(());
            }
            Err(error) => {
                let _ = reply.send(Err(error));
                return Ok(());
            }
        };
        let done = match written {
            Ok((entry, place)) => {
                let forgotten = forgotten(&entry);
                self.show(vec![entry], place).map(|()| forgotten)
            }
            Err(Trouble::Full) => {
                let _ = reply.send(Err(StoreError::Unavailable("no space".into())));
                return Ok(());
            }
            Err(Trouble::Fatal(why)) => Err(why),
        };
        let _ = reply.send(done.clone().map_err(|why| StoreError::Unavailable(why.into())));
        done.map(drop)
    }

    /// Why nothing may be written any more: the index has met damage, here or elsewhere, or somebody else has failed the
    /// store, perhaps because what the index shows is not so.
    fn trouble(&self) -> Option<String> {
        if let Some(why) = self.index.damage() {
            self.shared.distrust_index(why);
        }
        self.shared.why().map(str::to_owned)
    }

    /// Makes records durable, if there are any.
    fn write(&mut self, records: &[u8], commits: usize) -> Result<Place, Trouble> {
        if records.is_empty() {
            return Ok(Place::default());
        }
        let (file, offset) = self.journal.append(records, self.next)?;
        self.shared.count(commits, records.len());
        self.next = Lsn(self.next.0 + commits as u64);
        Ok(Place { file, offset })
    }

    /// Makes durable commits visible. Their entries count from the beginning of what was written with them.
    fn show(&self, mut entries: Vec<Entry>, place: Place) -> Result<(), String> {
        let Some(last) = entries.last().map(|entry| entry.lsn) else {
            return Ok(());
        };
        for entry in &mut entries {
            entry.file = place.file;
            entry.bodies_at += place.offset;
        }
        if let Err(error) = self.index.apply(entries) {
            let why = error.to_string();
            self.shared.distrust_index(&why);
            return Err(why);
        }
        self.shared.set_stable(last);
        Ok(())
    }

    fn close(self, reply: oneshot::Sender<Result<(), StoreError>>) {
        let Self {
            folder,
            store,
            journal,
            index,
            next,
            shared,
            ..
        } = self;
        let (file, octets) = journal.end();
        let mark = CleanMark {
            id: store,
            file,
            octets,
            lsn: Lsn(next.0 - 1),
        };
        let closed = close_index(index, &shared, &folder).and_then(|()| {
            write_clean_mark(&folder, &mark).map_err(|error| StoreError::Unavailable(error.to_string().into()))
        });
        let _ = reply.send(closed);
    }

    fn refuse_the_rest(&mut self, held: Option<Request>) {
        self.queue.close();
        let mut next = held;
        while let Some(request) = next.take().or_else(|| self.queue.try_recv().ok()) {
            match request {
                Request::Commit(order) => drop(order.reply.send(Err(self.shared.unavailable()))),
                Request::Close(reply) => drop(reply.send(Err(self.shared.unavailable()))),
                Request::Upkeep(_, reply) => drop(reply.send(Err(self.shared.unavailable()))),
            }
        }
    }
}

/// Below the floor, mail is refused first; below an eighth of it everything that is not only a deletion. sled's own
/// threads panic when there is no space at all.
fn has_room(commit: &Commit, free: u64, min_free: u64) -> bool {
    let brings_bodies = commit.blobs.iter().any(|blob| !blob.adopt);
    let floor = if brings_bodies { min_free } else { min_free / 8 };
    free >= floor || (commit.puts.is_empty() && commit.blobs.is_empty())
}

/// sled's `flush` starts writing but does not wait for the disk, so its files are synced here once it let them go. What has
/// failed is not written any more.
fn close_index(mut index: Arc<Index>, shared: &SharedState, folder: &Folder) -> Result<(), StoreError> {
    let begin = Instant::now();
    let index = loop {
        match Arc::try_unwrap(index) {
            Ok(index) => break index,
            Err(_) if begin.elapsed() > READERS_PATIENCE => {
                return Err(StoreError::Unavailable("somebody still reads".into()));
            }
            Err(held) => index = held,
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    if shared.has_failed() {
        return Err(shared.unavailable());
    }
    let flushed = shared.with_index(&index, || index.flush());
    if let Err(why) = index.close() {
        shared.distrust_index(&why);
        return Err(shared.unavailable());
    }
    flushed?;
    sync_tree(&folder.index()).map_err(|error| StoreError::Unavailable(error.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use postroom_store::{BlobPut, CommitBuilder};
    use postroom_types::BlobId;

    #[test]
    fn mail_is_refused_first_and_deletions_never() {
        let mut mail = CommitBuilder::new();
        let blob = BlobPut {
            id: BlobId::new(),
            bytes: Bytes::from_static(b"x"),
            witness: vec![1],
            adopt: false,
        };
        mail.put(vec![1], vec![1]).blob(blob);
        let mut flag = CommitBuilder::new();
        flag.put(vec![1], vec![1]);
        let mut purge = CommitBuilder::new();
        purge.delete(vec![1]);
        let (mail, flag, purge) = (mail.build(), flag.build(), purge.build());
        for (free, expected) in [(800, [true; 3]), (799, [false, true, true]), (99, [false, false, true])] {
            assert_eq!(
                [&mail, &flag, &purge].map(|commit| has_room(commit, free, 800)),
                expected,
                "{free} free"
            );
        }
    }
}
