//! What is done to messages of a mailbox.

use crate::common::{NOW, seen};
use crate::operation::{NAMES, content, flags_of};
use crate::reference::sorted;
use crate::world::World;
use postroom_mailstore::{FlagMode, MailError, Origin};
use postroom_types::{InternalDate, Uid};
use std::collections::BTreeMap;

impl World {
    pub(crate) async fn append_many(&mut self, name: &str, number: u32, count: u32, replaces: Option<(usize, u16)>) {
        let replaces = replaces.and_then(|(mailbox, which)| {
            let uid = *self.model.chosen(NAMES[mailbox], which).first()?;
            Some((NAMES[mailbox], self.model.boxes[NAMES[mailbox]].id, uid))
        });
        let messages: Vec<_> = (number..number + count)
            .map(|number| {
                (
                    content(number, Origin::Imported),
                    seen(),
                    InternalDate::new(NOW / 1000 + i64::from(number), 60 * (number % 5) as i32),
                )
            })
            .collect();
        let f = &self.f;
        let replaced = replaces.map(|(_, id, uid)| (id, uid));
        let before = f.mail.modseq(f.inbox).await.unwrap();
        let appended = f.mail.append_many(f.inbox, name, &messages, replaced).await;
        let Some(target) = self.model.boxes.get(name) else {
            assert!(matches!(appended, Err(MailError::NoSuchMailbox)));
            return;
        };
        assert_eq!(f.mail.modseq(f.inbox).await.unwrap().0, before.0 + 1, "one commit");
        let id = target.id;
        let (_, uids) = appended.unwrap();
        if let Some((name, id, uid)) = replaces {
            let item = self.model.boxes.get_mut(name).unwrap().items.remove(&uid).unwrap();
            self.haunts(id, &BTreeMap::from([(uid, item)]));
        }
        let expected: Vec<Uid> = (number..number + count)
            .map(|number| {
                let message = self.model.add(number, Origin::Imported);
                self.model.put(name, message, seen())
            })
            .collect();
        assert_eq!(uids, expected);
        let shared = self.f.mail.open_shared(self.f.inbox, id).await.unwrap();
        for (state, (message, _, date)) in shared.states(&uids).into_iter().zip(&messages) {
            let state = state.unwrap();
            assert_eq!((state.internal_date, state.size_octets), (*date, message.octets()));
            assert!(state.saved_at.unwrap() >= NOW / 1000);
        }
    }

    pub(crate) async fn store(&mut self, name: &str, which: u16, mode: u8, bits: u8, unchanged: Option<u8>) {
        let uids = self.model.chosen(name, which);
        let Some(found) = self.model.boxes.get_mut(name) else {
            return;
        };
        let flags = flags_of(bits);
        let mode = [FlagMode::Add, FlagMode::Remove, FlagMode::Replace][usize::from(mode)];
        let f = &self.f;
        let before = f.mail.modseq(f.inbox).await.unwrap();
        let modseqs = f.mail.flags(f.inbox, found.id, &uids).await.unwrap();
        let since = unchanged.filter(|_| !modseqs.is_empty());
        let since = since.map(|which| modseqs[usize::from(which) % modseqs.len()].2);
        let stored = f
            .mail
            .store_flags(f.inbox, found.id, &uids, mode, &flags, since)
            .await
            .unwrap();
        let changed = modseqs.iter().filter(|(.., at)| since.is_some_and(|since| *at > since));
        let modified: Vec<Uid> = changed.map(|(uid, ..)| *uid).collect();
        assert_eq!(stored.modified, modified);
        let uids: Vec<Uid> = uids.into_iter().filter(|uid| !modified.contains(uid)).collect();
        let mut changes = false;
        for uid in &uids {
            let item = found.items.get_mut(uid).unwrap();
            let old = item.flags.clone();
            match mode {
                FlagMode::Add => item.flags.add(&flags),
                FlagMode::Remove => item.flags.remove(&flags),
                FlagMode::Replace => item.flags = flags.clone(),
            }
            changes |= sorted(&old) != sorted(&item.flags);
        }
        let told: Vec<_> = stored.now.iter().map(|(uid, flags, _)| (*uid, sorted(flags))).collect();
        let expected: Vec<_> = uids.iter().map(|uid| (*uid, sorted(&found.items[uid].flags))).collect();
        assert_eq!(told, expected);
        let after = f.mail.modseq(f.inbox).await.unwrap();
        assert_eq!(after.0, before.0 + u64::from(changes));
    }

    pub(crate) async fn transfer(&mut self, from: &str, which: u16, to: &str, moves: bool) {
        let uids = self.model.chosen(from, which);
        let (Some(source), Some(target)) = (self.model.boxes.get(from), self.model.boxes.get(to)) else {
            return;
        };
        let (f, source, target) = (&self.f, source.id, target.id);
        let copied = if moves {
            f.mail.move_messages(f.inbox, source, &uids, target).await.unwrap()
        } else {
            match f.mail.copy(f.inbox, source, &uids, target).await {
                Err(MailError::Limit(_)) => return,
                copied => copied.unwrap(),
            }
        };
        let (mut expected, mut left) = (Vec::new(), BTreeMap::new());
        for uid in uids {
            let found = self.model.boxes.get_mut(from).unwrap();
            let item = found.items[&uid].clone();
            if moves {
                found.items.remove(&uid);
                left.insert(uid, item.clone());
            }
            expected.push((uid, self.model.put(to, item.message, item.flags)));
        }
        assert_eq!((copied.pairs, copied.gone), (expected, 0));
        self.haunts(source, &left);
    }
}
