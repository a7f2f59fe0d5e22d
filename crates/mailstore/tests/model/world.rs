//! A mailstore and its model, side by side.

use crate::common::{Fixture, NOW, seen};
use crate::operation::{NAMES, Op, content};
use crate::reference::{Box_, Item, Model, sorted};
use postroom_mailstore::{MailError, MailboxRef, Origin};
use postroom_types::{Flag, InternalDate, MailboxId, MessageFlags, Uid};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct World {
    pub(crate) f: Fixture,
    pub(crate) model: Model,
    /// Mailboxes that cannot be deleted, whatever their name is now.
    pub(crate) needed: BTreeSet<MailboxId>,
}

impl World {
    pub(crate) async fn new(f: Fixture) -> Self {
        let mut model = Model::default();
        for info in f.mail.mailboxes(f.inbox).await.unwrap() {
            let mailbox = Box_ {
                id: info.id,
                next: 1,
                items: BTreeMap::new(),
            };
            model.boxes.insert(info.name, mailbox);
        }
        let needed = model.boxes.values().map(|mailbox| mailbox.id).collect();
        Self { f, model, needed }
    }

    pub(crate) async fn apply(&mut self, op: Op) {
        let Self { f, model, .. } = self;
        match op {
            Op::Deliver { mailbox, number } => {
                let name = NAMES[mailbox];
                let Some(target) = model.boxes.get(name).map(|found| found.id) else {
                    return;
                };
                let placed = f
                    .deliver_to(&content(number, Origin::Received), MailboxRef::Id(target))
                    .await
                    .unwrap();
                let twin = model.twin(number);
                assert_eq!(placed.duplicate, twin.is_some());
                let message = match twin {
                    None => model.add(number, Origin::Received),
                    // One more placement of what was sent, in each mailbox one; or of what is about to go.
                    Some(twin) if !model.is_to_stay(twin, name) => twin,
                    Some(_) => return,
                };
                assert_eq!(model.put(name, message, MessageFlags::default()), placed.uid);
            }
            Op::Submit { mailbox, number } => {
                let name = NAMES[mailbox];
                let Some(target) = model.boxes.get(name).map(|found| found.id) else {
                    return;
                };
                let placed = f
                    .deliver_to(&content(number, Origin::Sent), MailboxRef::Id(target))
                    .await
                    .unwrap();
                assert!(!placed.duplicate);
                let message = model.add(number, Origin::Sent);
                assert_eq!(model.put(name, message, MessageFlags::default()), placed.uid);
            }
            Op::Append { mailbox, number } => {
                let name = NAMES[mailbox];
                let new = content(number, Origin::Imported);
                let appended = f
                    .mail
                    .append(f.inbox, name, &new, seen(), InternalDate::utc(NOW / 1000))
                    .await;
                if !model.boxes.contains_key(name) {
                    assert!(matches!(appended, Err(MailError::NoSuchMailbox)));
                    return;
                }
                let message = model.add(number, Origin::Imported);
                assert_eq!(model.put(name, message, seen()), appended.unwrap().uid);
            }
            Op::AppendMany {
                mailbox,
                number,
                count,
                replaces,
            } => self.append_many(NAMES[mailbox], number, count, replaces).await,
            Op::Store {
                mailbox,
                which,
                mode,
                flags,
                unchanged,
            } => self.store(NAMES[mailbox], which, mode, flags, unchanged).await,
            Op::Expunge {
                mailbox,
                which,
                only_deleted,
            } => {
                let name = NAMES[mailbox];
                let uids = model.chosen(name, which);
                let Some(found) = model.boxes.get_mut(name) else { return };
                let is_due = |uid: &&Uid| !only_deleted || found.items[uid].flags.system.contains(Flag::Deleted);
                let due: Vec<Uid> = uids.iter().filter(is_due).copied().collect();
                let gone = f.mail.expunge(f.inbox, found.id, &uids, only_deleted).await.unwrap();
                assert_eq!(gone, due);
                let items = std::mem::take(&mut found.items);
                let (left, kept) = items.into_iter().partition(|(uid, _)| due.contains(uid));
                found.items = kept;
                let id = found.id;
                self.haunts(id, &left);
            }
            Op::Move { mailbox, which, to } => self.transfer(NAMES[mailbox], which, NAMES[to], true).await,
            Op::Copy { mailbox, which, to } => self.transfer(NAMES[mailbox], which, NAMES[to], false).await,
            Op::Create { mailbox } => self.create(NAMES[mailbox]).await,
            Op::Delete { mailbox } => self.delete(NAMES[mailbox]).await,
            Op::Rename { from, to } => self.rename(NAMES[from], NAMES[to]).await,
            Op::Poll => self.poll().await,
            Op::Age { days } => {
                f.advance(days);
                while !f.mail.maintain(f.inbox, 50).await.unwrap() {}
            }
        }
    }

    /// Who has the mailbox open can still see what left it.
    pub(crate) fn haunts(&self, mailbox: MailboxId, left: &BTreeMap<Uid, Item>) {
        let Some(replica) = self.model.replicas.get(&mailbox) else {
            return;
        };
        for (uid, item) in left {
            let ghost = replica.shared.ghost(*uid).expect("a ghost");
            let expected = self.model.messages[item.message].0.to_string();
            assert_eq!(ghost.meta.summary.as_ref().unwrap().subject_text, expected);
            assert_eq!(sorted(&ghost.state.flags), sorted(&item.flags));
            assert_eq!(ghost.state.size_octets, ghost.content.octets());
        }
    }
}
