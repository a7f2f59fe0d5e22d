//! SEARCH, SORT and THREAD, on what is there now: the mail store knows how.

use crate::answer::Session;
use crate::fault::of_mail;
use postroom_imap_proto::{Fault, Found};
use postroom_types::{SearchKey, SortKey, ThreadAlgorithm, Threads, Uid};

impl Session {
    pub(crate) async fn search(&self, among: &[Uid], program: &SearchKey) -> Result<Found, Fault> {
        let shared = self.fresh().await?;
        let found = self.service.mailstore.search(&shared, among, program).await;
        found.map(told).map_err(|e| of_mail(&e))
    }

    pub(crate) async fn sort(&self, among: &[Uid], program: &SearchKey, keys: &[SortKey]) -> Result<Found, Fault> {
        let shared = self.fresh().await?;
        let found = self.service.mailstore.sort(&shared, among, program, keys).await;
        found.map(told).map_err(|e| of_mail(&e))
    }

    pub(crate) async fn thread(
        &self,
        among: &[Uid],
        program: &SearchKey,
        algorithm: ThreadAlgorithm,
    ) -> Result<Threads, Fault> {
        let shared = self.fresh().await?;
        let threads = self.service.mailstore.threads(&shared, among, program, algorithm).await;
        threads.map_err(|e| of_mail(&e))
    }
}

fn told(found: postroom_mailstore::Found) -> Found {
    Found {
        uids: found.uids,
        modseqs: found.modseqs,
    }
}
