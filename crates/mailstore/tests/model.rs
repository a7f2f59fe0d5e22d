//! A few hundred operations, compared after each with a model so naive that it is plainly right; also on a store in
//! which everything the trait allows goes wrong.

mod common;

use common::{Fixture, NOW, Replica, deleted, keyword, message, seen, uid};
use postroom_mailstore::{FlagMode, MailError, MailboxRef, NewMessage, Origin};
use postroom_types::{Flag, Flags, InternalDate, MailboxId, MessageFlags, Uid};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 6] = ["INBOX", "Archive", "Trash", "work", "work/a", "play"];

#[derive(Clone, Debug)]
enum Op {
    Deliver {
        mailbox: usize,
        number: u32,
    },
    Submit {
        mailbox: usize,
        number: u32,
    },
    Append {
        mailbox: usize,
        number: u32,
    },
    /// Several at once, of which one may replace a message.
    AppendMany {
        mailbox: usize,
        number: u32,
        count: u32,
        replaces: Option<(usize, u16)>,
    },
    Store {
        mailbox: usize,
        which: u16,
        mode: u8,
        flags: u8,
        /// Only what has not changed since this one of them.
        unchanged: Option<u8>,
    },
    Expunge {
        mailbox: usize,
        which: u16,
        only_deleted: bool,
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
    Create {
        mailbox: usize,
    },
    Delete {
        mailbox: usize,
    },
    Rename {
        from: usize,
        to: usize,
    },
    Poll,
    /// Time passes, and old rows go.
    Age {
        days: i64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let mailbox = || 0..NAMES.len();
    prop_oneof![
        6 => (mailbox(), 0..12u32).prop_map(|(mailbox, number)| Op::Deliver { mailbox, number }),
        2 => (mailbox(), 0..12u32).prop_map(|(mailbox, number)| Op::Submit { mailbox, number }),
        3 => (mailbox(), 0..12u32).prop_map(|(mailbox, number)| Op::Append { mailbox, number }),
        2 => (mailbox(), 0..12u32, 1..4u32, proptest::option::of((mailbox(), any::<u16>())))
            .prop_map(|(mailbox, number, count, replaces)| Op::AppendMany { mailbox, number, count, replaces }),
        5 => (mailbox(), any::<u16>(), 0..3u8, 0..16u8, proptest::option::of(any::<u8>()))
            .prop_map(|(mailbox, which, mode, flags, unchanged)| Op::Store { mailbox, which, mode, flags, unchanged }),
        3 => (mailbox(), any::<u16>(), any::<bool>())
            .prop_map(|(mailbox, which, only_deleted)| Op::Expunge { mailbox, which, only_deleted }),
        3 => (mailbox(), any::<u16>(), mailbox()).prop_map(|(mailbox, which, to)| Op::Move { mailbox, which, to }),
        3 => (mailbox(), any::<u16>(), mailbox()).prop_map(|(mailbox, which, to)| Op::Copy { mailbox, which, to }),
        2 => mailbox().prop_map(|mailbox| Op::Create { mailbox }),
        1 => mailbox().prop_map(|mailbox| Op::Delete { mailbox }),
        1 => (mailbox(), mailbox()).prop_map(|(from, to)| Op::Rename { from, to }),
        4 => Just(Op::Poll),
        1 => prop_oneof![Just(31), Just(95)].prop_map(|days| Op::Age { days }),
    ]
}

/// One placement: which message, and its flags.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    message: usize,
    flags: MessageFlags,
}

#[derive(Clone, Debug)]
struct Box_ {
    id: MailboxId,
    next: u32,
    items: BTreeMap<Uid, Item>,
}

#[derive(Default)]
struct Model {
    boxes: BTreeMap<String, Box_>,
    /// Number and origin of each message that ever was.
    messages: Vec<(u32, Origin)>,
    /// For each number, the message of which one that is received is a duplicate.
    first: BTreeMap<u32, usize>,
    /// What a client knows of each mailbox it has open.
    replicas: BTreeMap<MailboxId, Replica>,
}

impl Model {
    fn chosen(&self, name: &str, which: u16) -> Vec<Uid> {
        let Some(mailbox) = self.boxes.get(name) else {
            return Vec::new();
        };
        let chosen = mailbox
            .items
            .keys()
            .enumerate()
            .filter(|(index, _)| which & (1 << (index % 16)) != 0);
        chosen.map(|(_, uid)| *uid).collect()
    }

    fn alive(&self) -> BTreeSet<usize> {
        self.boxes
            .values()
            .flat_map(|mailbox| mailbox.items.values().map(|item| item.message))
            .collect()
    }

    /// The message of which a received one with this number is a duplicate.
    fn twin(&self, number: u32) -> Option<usize> {
        let first = self.first.get(&number).copied();
        first.filter(|message| self.alive().contains(message))
    }

    fn add(&mut self, number: u32, origin: Origin) -> usize {
        self.messages.push((number, origin));
        let message = self.messages.len() - 1;
        if origin != Origin::Imported && self.twin(number).is_none() {
            self.first.insert(number, message);
        }
        message
    }

    fn put(&mut self, name: &str, message: usize, flags: MessageFlags) -> Uid {
        let mailbox = self.boxes.get_mut(name).unwrap();
        let next = uid(mailbox.next);
        mailbox.next += 1;
        mailbox.items.insert(next, Item { message, flags });
        next
    }
}

fn flags_of(bits: u8) -> MessageFlags {
    let mut flags = MessageFlags::default();
    for (bit, flag) in [(1, Flag::Seen), (2, Flag::Deleted)] {
        if bits & bit != 0 {
            flags.system = flags.system.with(flag);
        }
    }
    for (bit, text) in [(4, "work"), (8, "$play")] {
        if bits & bit != 0 {
            flags.keywords.push(keyword(text));
        }
    }
    flags
}

fn content(number: u32, origin: Origin) -> NewMessage {
    NewMessage {
        origin,
        ..message(&format!(
            "Message-ID: <m{number}@x>\r\nSubject: {number}\r\n\r\nbody {number}\r\n"
        ))
    }
}

struct World {
    f: Fixture,
    model: Model,
    /// Mailboxes that cannot be deleted, whatever their name is now.
    needed: BTreeSet<MailboxId>,
}

impl World {
    async fn new(f: Fixture) -> Self {
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

    async fn apply(&mut self, op: Op) {
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
                    // Sent and come back: one more placement, but in each mailbox one.
                    Some(sent)
                        if model.messages[sent].1 == Origin::Sent
                            && model.boxes[name].items.values().all(|item| item.message != sent) =>
                    {
                        sent
                    }
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
    fn haunts(&self, mailbox: MailboxId, left: &BTreeMap<Uid, Item>) {
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

    async fn append_many(&mut self, name: &str, number: u32, count: u32, replaces: Option<(usize, u16)>) {
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

    async fn store(&mut self, name: &str, which: u16, mode: u8, bits: u8, unchanged: Option<u8>) {
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

    async fn transfer(&mut self, from: &str, which: u16, to: &str, moves: bool) {
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

    async fn create(&mut self, name: &str) {
        let created = self.f.mail.create_mailbox(self.f.inbox, name, None).await;
        if self.model.boxes.contains_key(name) {
            assert!(matches!(created, Err(MailError::AlreadyExists)));
            return;
        }
        created.unwrap();
        self.add_made().await;
    }

    /// Adds what was made to the model, parents too.
    async fn add_made(&mut self) {
        for info in self.f.mail.mailboxes(self.f.inbox).await.unwrap() {
            let mailbox = Box_ {
                id: info.id,
                next: 1,
                items: BTreeMap::new(),
            };
            self.model.boxes.entry(info.name).or_insert(mailbox);
        }
    }

    async fn delete(&mut self, name: &str) {
        let deleted = self.f.mail.delete_mailbox(self.f.inbox, name).await;
        let has_children = self
            .model
            .boxes
            .keys()
            .any(|other| other.starts_with(&format!("{name}/")));
        match deleted {
            Ok(_) => assert!(!has_children && self.model.boxes.remove(name).is_some()),
            Err(MailError::NoSuchMailbox) => assert!(!self.model.boxes.contains_key(name)),
            Err(MailError::HasChildren) => assert!(has_children),
            Err(MailError::Cannot(_)) => assert!(self.needed.contains(&self.model.boxes[name].id)),
            Err(other) => panic!("{other}"),
        }
    }

    async fn rename(&mut self, from: &str, to: &str) {
        let renamed = self.f.mail.rename_mailbox(self.f.inbox, from, to).await;
        if self.model.boxes.contains_key(to) && self.model.boxes.contains_key(from) {
            assert!(renamed.is_err());
            return;
        }
        match renamed {
            Err(MailError::NoSuchMailbox) => assert!(!self.model.boxes.contains_key(from)),
            Err(MailError::Cannot(_)) => assert!(to.starts_with(&format!("{from}/"))),
            Err(MailError::AlreadyExists) => assert!(self.model.boxes.contains_key(to)),
            Err(other) => panic!("{other}"),
            Ok(()) if from == "INBOX" => {
                self.add_made().await;
                let items = std::mem::take(&mut self.model.boxes.get_mut("INBOX").unwrap().items);
                for item in items.into_values() {
                    self.model.put(to, item.message, item.flags);
                }
            }
            Ok(()) => {
                let below = format!("{from}/");
                let moved: Vec<String> = self
                    .model
                    .boxes
                    .keys()
                    .filter(|name| *name == from || name.starts_with(&below))
                    .cloned()
                    .collect();
                for name in moved {
                    let mailbox = self.model.boxes.remove(&name).unwrap();
                    self.model.boxes.insert(format!("{to}{}", &name[from.len()..]), mailbox);
                }
                self.add_made().await;
            }
        }
    }

    /// A client that has every mailbox open hears what it missed, and then knows all.
    async fn poll(&mut self) {
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

    async fn compare(&self) {
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

fn sorted(flags: &MessageFlags) -> (Flags, Vec<String>) {
    let mut keywords: Vec<String> = flags
        .keywords
        .iter()
        .map(|keyword| keyword.as_str().to_owned())
        .collect();
    keywords.sort();
    (flags.system, keywords)
}

async fn play(f: Fixture, ops: Vec<Op>) {
    let mut world = World::new(f).await;
    for (index, op) in ops.into_iter().enumerate() {
        world.apply(op).await;
        if index % 40 == 39 {
            world.compare().await;
        }
    }
    world.poll().await;
    world.poll().await;
    world.compare().await;
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn operations_do_what_the_model_does(ops in proptest::collection::vec(op(), 50..300)) {
        run(async { play(Fixture::new().await, ops).await });
    }

    #[test]
    fn a_hostile_store_changes_nothing(seed: u64, ops in proptest::collection::vec(op(), 50..200)) {
        run(async { play(Fixture::hostile(seed).await, ops).await });
    }
}

#[test]
fn deleted_is_counted() {
    run(async {
        let f = Fixture::new().await;
        let inbox = f.id("INBOX").await;
        f.mail
            .append(
                f.inbox,
                "INBOX",
                &content(1, Origin::Imported),
                deleted(),
                InternalDate::default(),
            )
            .await
            .unwrap();
        assert_eq!(f.mail.status(f.inbox, inbox).await.unwrap().deleted, 1);
    });
}
