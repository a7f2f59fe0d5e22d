//! Programs and people at mail clients, at random: the labels are what the mailboxes say, and what the events tell.

use crate::common::{Fixture, keyword};
use crate::setup::{SENT, change, mail};
use postroom_mailstore::{FlagMode, LabelPlace, Labels, MailboxRef, NewMessage, Origin};
use postroom_types::{EmailId, Flag, MailboxId, MessageFlags, Uid};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 5] = ["INBOX", "Archive", "Spam", "Trash", "Blocked"];
const LABELS: [&str; 6] = ["spam", "trash", "blocked", "unread", "work", "to do"];

/// What a program, or a person at a mail client, does.
#[derive(Clone, Debug)]
enum Op {
    Deliver {
        sent: bool,
    },
    Update {
        which: u16,
        add: u8,
        remove: u8,
    },
    Remove {
        which: u16,
    },
    Store {
        mailbox: usize,
        which: u16,
        remove: bool,
        flags: u8,
    },
    Move {
        mailbox: usize,
        which: u16,
        to: usize,
    },
    Copy {
        mailbox: usize,
        which: u16,
        to: usize,
    },
    Expunge {
        mailbox: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let mailbox = || 0..NAMES.len();
    prop_oneof![
        3 => any::<bool>().prop_map(|sent| Op::Deliver { sent }),
        6 => (any::<u16>(), any::<u8>(), any::<u8>()).prop_map(|(which, add, remove)| Op::Update { which, add, remove }),
        1 => any::<u16>().prop_map(|which| Op::Remove { which: which & 3 }),
        3 => (mailbox(), any::<u16>(), any::<bool>(), 0..8u8)
            .prop_map(|(mailbox, which, remove, flags)| Op::Store { mailbox, which, remove, flags }),
        2 => (mailbox(), any::<u16>(), mailbox()).prop_map(|(mailbox, which, to)| Op::Move { mailbox, which, to }),
        1 => (mailbox(), any::<u16>(), mailbox()).prop_map(|(mailbox, which, to)| Op::Copy { mailbox, which, to }),
        1 => mailbox().prop_map(|mailbox| Op::Expunge { mailbox }),
    ]
}

fn chosen<T: Copy>(all: &[T], which: u16) -> Vec<T> {
    let chosen = all
        .iter()
        .enumerate()
        .filter(|(index, _)| which & (1 << (index % 16)) != 0);
    chosen.map(|(_, one)| *one).collect()
}

fn names(bits: u8) -> Vec<&'static str> {
    (0..LABELS.len())
        .filter(|bit| bits & (1 << bit) != 0)
        .map(|bit| LABELS[bit])
        .collect()
}

struct World {
    f: Fixture,
    ids: Vec<EmailId>,
    boxes: Vec<MailboxId>,
    count: u32,
    /// The labels of messages, as the events tell.
    told: BTreeMap<EmailId, BTreeSet<String>>,
    followed: Option<LabelPlace>,
}

impl World {
    async fn new(f: Fixture) -> Self {
        let mut boxes = Vec::new();
        for name in NAMES {
            boxes.push(f.id(name).await);
        }
        Self {
            f,
            ids: Vec::new(),
            boxes,
            count: 0,
            told: BTreeMap::new(),
            followed: None,
        }
    }

    async fn uids(&self, mailbox: MailboxId) -> Vec<Uid> {
        let shared = self.f.mail.open_shared(self.f.inbox, mailbox).await.unwrap();
        shared.snapshot().uids.to_vec()
    }

    async fn apply(&mut self, op: Op) {
        let (store, inbox) = (&self.f.mail, self.f.inbox);
        match op {
            Op::Deliver { sent } => {
                self.count += 1;
                let origin = if sent { Origin::Sent } else { Origin::Received };
                let message = NewMessage {
                    origin,
                    ..mail(self.count)
                };
                let mailbox = if sent { SENT } else { MailboxRef::Inbox };
                self.ids
                    .push(self.f.deliver_to(&message, mailbox).await.unwrap().email_id);
            }
            Op::Update { which, add, remove } => {
                let ids = chosen(&self.ids, which);
                let asked = change(&names(add), &names(remove));
                let changed = store.update_labels(inbox, &ids, &asked).await.unwrap();
                for (id, told) in changed {
                    self.check_change(id, &told, &names(add), &names(remove)).await;
                }
            }
            Op::Remove { which } => {
                for id in chosen(&self.ids, which) {
                    store.delete_message(inbox, id).await.unwrap();
                }
            }
            Op::Store {
                mailbox,
                which,
                remove,
                flags,
            } => {
                let uids = chosen(&self.uids(self.boxes[mailbox]).await, which);
                let mut wanted = MessageFlags::default();
                for (bit, flag) in [(1, Flag::Seen), (2, Flag::Deleted)] {
                    if flags & bit != 0 {
                        wanted.system = wanted.system.with(flag);
                    }
                }
                if flags & 4 != 0 {
                    wanted.keywords.push(keyword("Work"));
                }
                let mode = if remove { FlagMode::Remove } else { FlagMode::Add };
                store
                    .store_flags(inbox, self.boxes[mailbox], &uids, mode, &wanted, None)
                    .await
                    .unwrap();
            }
            Op::Move { mailbox, which, to } => {
                let uids = chosen(&self.uids(self.boxes[mailbox]).await, which);
                store
                    .move_messages(inbox, self.boxes[mailbox], &uids, self.boxes[to])
                    .await
                    .unwrap();
            }
            Op::Copy { mailbox, which, to } => {
                let uids = chosen(&self.uids(self.boxes[mailbox]).await, which & 7);
                store
                    .copy(inbox, self.boxes[mailbox], &uids, self.boxes[to])
                    .await
                    .unwrap();
            }
            Op::Expunge { mailbox } => {
                let uids = self.uids(self.boxes[mailbox]).await;
                store.expunge(inbox, self.boxes[mailbox], &uids, true).await.unwrap();
            }
        }
    }

    /// After a change a message has what was added, and not what was taken away; it is in one place.
    async fn check_change(&self, id: EmailId, told: &Labels, add: &[&str], remove: &[&str]) {
        let record = self.f.mail.message(self.f.inbox, id).await.unwrap().unwrap();
        let stored = self.f.mail.labels(self.f.inbox, &[record]).await.unwrap().remove(0);
        assert_eq!(*told, stored);
        let place = ["trash", "blocked", "spam"]
            .into_iter()
            .find(|place| add.contains(place) && !remove.contains(place));
        for label in add.iter().filter(|label| !remove.contains(label)) {
            let is_place = ["trash", "blocked", "spam"].contains(label);
            assert_eq!(
                told.contains(label),
                !is_place || place == Some(label),
                "{label} of {told:?}"
            );
        }
        for label in remove {
            assert!(!told.contains(label), "{label} of {told:?}");
        }
    }

    /// Who follows the label events knows the labels.
    async fn follow(&mut self) {
        let (store, inbox) = (&self.f.mail, self.f.inbox);
        loop {
            let page = store.label_events(inbox, self.followed, true, 100).await.unwrap();
            let next = page.events.last().map(|event| event.place).or(page.next);
            self.followed = next.or(self.followed);
            for event in page.events {
                // Of a message that is new its labels are known from the beginning.
                let Some(labels) = self.told.get_mut(&event.message) else {
                    continue;
                };
                let changes = match event.added {
                    true => labels.insert(event.label.clone()),
                    false => labels.remove(&event.label),
                };
                assert!(changes, "{event:?} of a message with {labels:?}");
            }
            if page.next.is_none() {
                break;
            }
        }
        for id in &self.ids {
            let Some(record) = store.message(inbox, *id).await.unwrap() else {
                self.told.remove(id);
                continue;
            };
            let labels = store.labels(inbox, &[record]).await.unwrap().remove(0);
            let names: BTreeSet<String> = labels.names().into_iter().collect();
            let told = self.told.entry(*id).or_insert_with(|| names.clone());
            assert_eq!(*told, names, "as the events tell, and as it is");
        }
    }

    /// The labels are what the mailboxes say, read in the other way round.
    async fn check(&self) {
        let (store, inbox) = (&self.f.mail, self.f.inbox);
        let mut seen_in: BTreeMap<EmailId, Vec<(String, MessageFlags)>> = BTreeMap::new();
        for info in store.mailboxes(inbox).await.unwrap() {
            let uids = self.uids(info.id).await;
            let flags = store.flags(inbox, info.id, &uids).await.unwrap();
            let ids = store.email_ids(inbox, info.id, &uids).await.unwrap();
            for ((_, id), (_, flags, _)) in ids.into_iter().zip(flags) {
                seen_in.entry(id).or_default().push((info.name.clone(), flags));
            }
        }
        let alive: BTreeSet<EmailId> = seen_in.keys().copied().collect();
        for id in &self.ids {
            let Some(record) = store.message(inbox, *id).await.unwrap() else {
                assert!(!alive.contains(id));
                continue;
            };
            let labels = store.labels(inbox, &[record]).await.unwrap().remove(0);
            let places = &seen_in[id];
            let is_deleted = |flags: &MessageFlags| flags.system.contains(Flag::Deleted);
            let all_deleted = places.iter().all(|(_, flags)| is_deleted(flags));
            let live: Vec<&str> = places
                .iter()
                .filter(|(_, flags)| all_deleted || !is_deleted(flags))
                .map(|(name, _)| name.as_str())
                .collect();
            let hidden = live.iter().all(|name| ["Spam", "Trash", "Blocked"].contains(name));
            for (label, name) in [("spam", "Spam"), ("trash", "Trash"), ("blocked", "Blocked")] {
                assert_eq!(
                    labels.contains(label),
                    hidden && live.contains(&name),
                    "{label}: {places:?}"
                );
            }
            let is_seen = places.iter().any(|(_, flags)| flags.system.contains(Flag::Seen));
            assert_eq!(labels.contains("unread"), !is_seen);
            let has = |text: &str| places.iter().any(|(_, flags)| flags.keywords.contains(&keyword(text)));
            assert_eq!(labels.contains("work"), has("work"));
            assert_eq!(labels.contains("to do"), has("to=20do"));
        }
    }
}

async fn play(f: Fixture, ops: Vec<Op>) {
    let mut world = World::new(f).await;
    for op in ops {
        world.apply(op).await;
        world.check().await;
        world.follow().await;
    }
    world.f.assert_consistent().await;
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn both_faces_agree(ops in proptest::collection::vec(op(), 1..30)) {
        run(async { play(Fixture::new().await, ops).await });
    }

    #[test]
    fn both_faces_agree_when_all_goes_wrong(ops in proptest::collection::vec(op(), 1..15), seed: u64) {
        run(async { play(Fixture::hostile(seed).await, ops).await });
    }
}
