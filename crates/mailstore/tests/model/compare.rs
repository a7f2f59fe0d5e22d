//! Whether both sides agree.

use crate::common::{Replica, uid};
use crate::reference::{Box_, Item, sorted};
use crate::world::World;
use postroom_mailstore::MailError;
use postroom_types::{Flag, MailboxId, Uid};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// A client that has every mailbox open hears what it missed, and then knows all.
    pub(crate) async fn poll(&mut self) {
        let Self { f, model, .. } = self;
        let ids: BTreeMap<MailboxId, &Box_> = model.boxes.values().map(|found| (found.id, found)).collect();
        for (id, replica) in &mut model.replicas {
            let (since, before) = (replica.cursor, replica.flags());
            let polled = replica.poll(&f.mail).await;
            let Some(mailbox) = ids.get(id) else {
                assert!(matches!(polled, Err(MailError::NoSuchMailbox)));
                continue;
            };
            polled.unwrap();
            let expected: Vec<_> = mailbox
                .items
                .iter()
                .map(|(uid, item)| (*uid, sorted(&item.flags)))
                .collect();
            let known: Vec<_> = replica.flags();
            let known: Vec<_> = known.iter().map(|(uid, flags)| (*uid, sorted(flags))).collect();
            assert_eq!(known, expected);

            // A client that was away since then is told all that went, and nothing that is there.
            let among = [(uid(1), uid(u32::MAX))];
            let vanished = f.mail.vanished(&replica.shared, since, &among).await.unwrap();
            let vanished: BTreeSet<u32> = vanished
                .iter()
                .flat_map(|(first, last)| first.get()..=last.get())
                .collect();
            for (uid, _) in before {
                assert_eq!(vanished.contains(&uid.get()), !mailbox.items.contains_key(&uid));
            }
            assert!(mailbox.items.keys().all(|uid| !vanished.contains(&uid.get())));
            assert!(vanished.iter().all(|uid| *uid < mailbox.next));
        }
        model.replicas.retain(|id, _| ids.contains_key(id));
        for id in ids.keys() {
            if !model.replicas.contains_key(id) {
                let replica = Replica::open(&f.mail, f.inbox, *id).await.unwrap();
                model.replicas.insert(*id, replica);
            }
        }
    }

    pub(crate) async fn compare(&self) {
        let Self { f, model, .. } = self;
        for (name, mailbox) in &model.boxes {
            let uids: Vec<Uid> = mailbox.items.keys().copied().collect();
            let shared = f.mail.open_shared(f.inbox, mailbox.id).await.unwrap();
            let snapshot = shared.snapshot();
            assert_eq!(*snapshot.uids, *uids, "{name}");
            let status = f.mail.status(f.inbox, mailbox.id).await.unwrap();
            assert_eq!(
                (snapshot.uid_next, snapshot.highest_modseq),
                (status.uid_next, status.highest_modseq)
            );
            let is_unseen = |(_, item): &(&Uid, &Item)| !item.flags.system.contains(Flag::Seen);
            assert_eq!(
                snapshot.first_unseen,
                mailbox.items.iter().find(is_unseen).map(|(uid, _)| *uid)
            );
            let in_use: BTreeSet<_> = mailbox.items.values().flat_map(|item| &item.flags.keywords).collect();
            assert!(snapshot.keywords.iter().eq(in_use));
            let count = |flag: Flag, is: bool| {
                let has = |item: &&Item| item.flags.system.contains(flag) == is;
                u32::try_from(mailbox.items.values().filter(has).count()).unwrap()
            };
            assert_eq!(status.uid_next, uid(mailbox.next));
            assert_eq!(
                (status.unseen, status.deleted),
                (count(Flag::Seen, false), count(Flag::Deleted, true))
            );
            let metas = f.mail.metadata(f.inbox, mailbox.id, &uids, true).await.unwrap();
            for (meta, state) in metas.iter().zip(shared.states(&uids)) {
                let state = state.unwrap();
                assert_eq!(
                    (meta.internal_date, meta.size_octets),
                    (state.internal_date, state.size_octets)
                );
                assert!(state.saved_at.is_some());
            }
            for (meta, item) in metas.iter().zip(mailbox.items.values()) {
                let expected = model.messages[item.message].0.to_string();
                assert_eq!(meta.summary.as_ref().unwrap().subject_text, expected);
            }
        }
        assert_eq!(f.mail.count(f.inbox).await.unwrap(), model.alive().len() as u64);
        f.assert_consistent().await;
    }
}
