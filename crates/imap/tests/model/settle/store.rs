//! STORE beside the truth.

use super::Settling;
use crate::client::{Check, ensure};
use crate::command::What;
use crate::parse::{Value, number_set};

impl Settling<'_> {
    pub(crate) fn store(&mut self, named: &[u32]) -> Check {
        let What::Store {
            mode,
            flags,
            silent,
            unchanged_since,
            ..
        } = &self.command.what
        else {
            return Ok(());
        };
        if self.read_only {
            return self.must_be(false);
        }
        let id = self.selected()?;
        let live = self.live(named)?;
        let refused = self.refused(&live, *unchanged_since)?;
        let stored: Vec<u32> = live.iter().copied().filter(|uid| !refused.contains(uid)).collect();
        ensure!(
            self.heard.is_ok() || live.len() < named.len() || !refused.is_empty(),
            "{:?} to STORE",
            self.heard.condition
        );
        for uid in stored {
            let before = self.truth.boxes[&id].messages[&uid].flags.clone();
            self.truth.set_flags(id, uid, *mode, flags);
            let now = &self.truth.boxes[&id].messages[&uid].flags;
            let told: Vec<_> = self
                .heard
                .fetched
                .iter()
                .filter(|fetched| fetched.uid == Some(uid))
                .collect();
            if !silent {
                let last = told.iter().rev().find_map(|fetched| fetched.flags.as_ref());
                ensure!(
                    last == Some(now),
                    "STORE of UID {uid} tells {last:?}, should be {now:?}"
                );
            }
            if self.client.dialect.condstore() && before != *now {
                ensure!(
                    told.iter().any(|fetched| fetched.modseq.is_some()),
                    "STORE of UID {uid} tells no MODSEQ"
                );
            }
        }
        Ok(())
    }

    /// Messages of a MODIFIED code, which are those that have changed since.
    pub(crate) fn refused(&self, live: &[u32], unchanged_since: Option<u64>) -> Check<Vec<u32>> {
        let Some(code) = self.heard.code("MODIFIED") else {
            let changed = |uid: &&u32| {
                unchanged_since
                    .is_some_and(|since| self.truth.boxes[&self.id.unwrap_or(0)].messages[*uid].modseq.after >= since)
            };
            let changed: Vec<_> = live.iter().filter(changed).collect();
            ensure!(changed.is_empty(), "no MODIFIED, though {changed:?} have changed");
            return Ok(Vec::new());
        };
        let since = unchanged_since.ok_or("MODIFIED without a condition")?;
        let numbers = number_set(&code.first().and_then(Value::text).ok_or("MODIFIED without numbers")?)?;
        let uid = |number: u32| match self.command.by_uid {
            true => Some(number),
            false => self.before.get(number as usize - 1).copied(),
        };
        let refused: Vec<u32> = numbers.into_iter().filter_map(uid).collect();
        let mailbox = &self.truth.boxes[&self.selected()?];
        for uid in live {
            let modseq = mailbox.messages[uid].modseq;
            let is = refused.contains(uid);
            ensure!(
                !is || modseq.upto > since,
                "UID {uid} is MODIFIED, but has MODSEQ {modseq:?}"
            );
            ensure!(
                is || modseq.after < since,
                "UID {uid} is stored, but has MODSEQ {modseq:?}"
            );
        }
        Ok(refused)
    }
}
