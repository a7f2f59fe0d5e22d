//! Labels are a view of placements, flags and origin: whatever is done over the API or over IMAP, both faces agree.

mod common;

use common::{Fixture, keyword, message, placing};
use postroom_mailstore::{
    FlagMode, LabelChange, LabelPlace, Labels, MailError, MailboxRef, NewMessage, Origin, Placed, is_reserved_keyword,
};
use postroom_types::{EmailId, Flag, Flags, MailboxId, MessageFlags, SpecialUse, Uid};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SENT: MailboxRef = MailboxRef::Special(SpecialUse::Sent);

fn change(add: &[&str], remove: &[&str]) -> LabelChange {
    LabelChange::new(add, remove).unwrap()
}

fn mail(number: u32) -> NewMessage {
    message(&format!(
        "Message-ID: <m{number}@x>\r\nSubject: {number}\r\n\r\nbody {number}\r\n"
    ))
}

async fn labels(f: &Fixture, id: EmailId) -> Vec<String> {
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    f.mail.labels(f.inbox, &[record]).await.unwrap().remove(0).names()
}

async fn update(f: &Fixture, id: EmailId, add: &[&str], remove: &[&str]) -> Vec<String> {
    let changed = f
        .mail
        .update_labels(f.inbox, &[id], &change(add, remove))
        .await
        .unwrap();
    let told = changed[0].1.names();
    assert_eq!(told, labels(f, id).await, "what is told is what is stored");
    told
}

async fn places(f: &Fixture, id: EmailId) -> Vec<MailboxId> {
    let record = f.mail.message(f.inbox, id).await.unwrap().unwrap();
    record.placements.into_iter().map(|(mailbox, _)| mailbox).collect()
}

#[tokio::test]
async fn labels_move_and_mark() {
    let f = Fixture::new().await;
    let Placed { email_id, mailbox, .. } = f.deliver(&mail(1)).await;
    assert_eq!(labels(&f, email_id).await, ["received", "unread"]);
    assert_eq!(update(&f, email_id, &["Work"], &["unread"]).await, ["received", "work"]);
    let modseq = f.mail.modseq(f.inbox).await.unwrap();
    assert_eq!(update(&f, email_id, &["work"], &["unread"]).await, ["received", "work"]);
    assert_eq!(f.mail.modseq(f.inbox).await.unwrap(), modseq, "nothing was changed");
    assert_eq!(
        update(&f, email_id, &["trash"], &[]).await,
        ["received", "trash", "work"]
    );
    assert_eq!(places(&f, email_id).await, [f.id("Trash").await]);
    assert_eq!(update(&f, email_id, &["spam"], &[]).await, ["received", "spam", "work"]);
    assert_eq!(places(&f, email_id).await, [f.id("Spam").await]);
    assert_eq!(update(&f, email_id, &[], &["spam", "work"]).await, ["received"]);
    assert_eq!(places(&f, email_id).await, [mailbox]);
    assert_eq!(
        update(&f, email_id, &["unread"], &["trash"]).await,
        ["received", "unread"]
    );
    f.assert_consistent().await;
}

#[tokio::test]
async fn they_go_home() {
    let f = Fixture::new().await;
    let sent = NewMessage {
        origin: Origin::Sent,
        ..mail(1)
    };
    let sent = f.deliver_to(&sent, SENT).await.unwrap();
    update(&f, sent.email_id, &["trash"], &[]).await;
    assert_eq!(update(&f, sent.email_id, &[], &["trash"]).await, ["sent", "unread"]);
    assert_eq!(places(&f, sent.email_id).await, [f.id("Sent").await]);

    let work = f.mail.create_mailbox(f.inbox, "work", None).await.unwrap();
    let filed = f.deliver_to(&mail(2), MailboxRef::Id(work)).await.unwrap();
    update(&f, filed.email_id, &["blocked"], &[]).await;
    update(&f, filed.email_id, &[], &["blocked"]).await;
    assert_eq!(places(&f, filed.email_id).await, [work]);
    update(&f, filed.email_id, &["spam"], &[]).await;
    f.mail.delete_mailbox(f.inbox, "work").await.unwrap();
    update(&f, filed.email_id, &[], &["spam"]).await;
    assert_eq!(
        places(&f, filed.email_id).await,
        [f.id("INBOX").await],
        "its home is no more"
    );
    // What came into Spam belongs to INBOX.
    let junk = f
        .deliver_to(&mail(3), MailboxRef::Special(SpecialUse::Junk))
        .await
        .unwrap();
    update(&f, junk.email_id, &[], &["spam"]).await;
    assert_eq!(places(&f, junk.email_id).await, [f.id("INBOX").await]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn all_placements_or_those_that_count() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let trash = f.id("Trash").await;
    f.mail
        .copy(f.inbox, placed.mailbox, &[placed.uid], trash)
        .await
        .unwrap();
    assert_eq!(
        labels(&f, placed.email_id).await,
        ["received", "unread"],
        "it is still in INBOX"
    );
    // What a client without MOVE does.
    f.flag(placed.mailbox, placed.uid, FlagMode::Add, Flag::Deleted).await;
    assert_eq!(labels(&f, placed.email_id).await, ["received", "unread", "trash"]);
    assert_eq!(
        update(&f, placed.email_id, &[], &["trash"]).await,
        ["received", "unread"]
    );
    f.mail
        .expunge(f.inbox, placed.mailbox, &[placed.uid], true)
        .await
        .unwrap();
    assert_eq!(labels(&f, placed.email_id).await, ["received", "unread"]);
    f.mail
        .copy(
            f.inbox,
            placed.mailbox,
            &f.mail
                .open_shared(f.inbox, placed.mailbox)
                .await
                .unwrap()
                .snapshot()
                .uids,
            f.id("Archive").await,
        )
        .await
        .unwrap();
    update(&f, placed.email_id, &["trash", "x"], &[]).await;
    assert_eq!(places(&f, placed.email_id).await, [trash, trash]);
    f.assert_consistent().await;
}

#[tokio::test]
async fn a_note_to_oneself_is_sent_and_received() {
    let f = Fixture::new().await;
    let sent = NewMessage {
        origin: Origin::Sent,
        ..mail(1)
    };
    let sent = f.deliver_to(&sent, SENT).await.unwrap();
    let again = f.deliver(&mail(1)).await;
    assert_eq!(again.email_id, sent.email_id);
    assert_eq!(labels(&f, sent.email_id).await, ["received", "sent", "unread"]);
}

#[tokio::test]
async fn drafts_are_drafts_alone() {
    let f = Fixture::new().await;
    let draft = f
        .deliver_to(&mail(1), MailboxRef::Special(SpecialUse::Drafts))
        .await
        .unwrap();
    assert_eq!(labels(&f, draft.email_id).await, ["draft"]);
}

#[tokio::test]
async fn keywords_of_other_programs_are_labels() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let flags = MessageFlags {
        system: Flags::NONE,
        keywords: vec![keyword("$Forwarded"), keyword("to=20do"), keyword("=61")],
    };
    f.mail
        .store_flags(f.inbox, placed.mailbox, &[placed.uid], FlagMode::Add, &flags, None)
        .await
        .unwrap();
    assert_eq!(
        labels(&f, placed.email_id).await,
        ["received", "unread", "$forwarded", "a", "to do"]
    );
    // There already, though written otherwise.
    let modseq = f.mail.modseq(f.inbox).await.unwrap();
    update(&f, placed.email_id, &["a", "To Do"], &[]).await;
    assert_eq!(f.mail.modseq(f.inbox).await.unwrap(), modseq);
    assert_eq!(
        update(&f, placed.email_id, &[], &["a", "to do"]).await,
        ["received", "unread", "$forwarded"]
    );
}

#[tokio::test]
async fn several_at_once_or_none() {
    let f = Fixture::new().await;
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(f.deliver(&mail(number)).await.email_id);
    }
    let before = f.mail.modseq(f.inbox).await.unwrap();
    let changed = f
        .mail
        .update_labels(f.inbox, &ids, &change(&["trash", "x"], &["unread"]))
        .await
        .unwrap();
    assert_eq!(changed.len(), 100);
    assert_eq!(f.mail.modseq(f.inbox).await.unwrap().0, before.0 + 1, "one commit");
    let gone = EmailId::new();
    let some = [ids[3], gone, ids[1], ids[3]];
    let changed = f
        .mail
        .update_labels(f.inbox, &some, &change(&[], &["trash"]))
        .await
        .unwrap();
    let order: Vec<EmailId> = changed.iter().map(|(id, _)| *id).collect();
    assert_eq!(order, [ids[3], ids[1]]);
    ids.push(gone);
    assert!(matches!(
        f.mail.update_labels(f.inbox, &ids, &change(&["y"], &[])).await,
        Err(MailError::Limit(_))
    ));
    f.assert_consistent().await;
}

#[tokio::test]
async fn what_the_server_says_is_not_for_others() {
    for label in [
        "sent",
        "Received",
        "draft",
        "unauthenticated",
        "delivered",
        "opened",
        "scheduled",
        "",
        " ",
        "a\u{1}",
    ] {
        assert!(LabelChange::new(&[label], &[]).is_err(), "{label:?}");
        assert!(LabelChange::new(&[], &[label]).is_err(), "{label:?}");
    }
    assert!(LabelChange::new(&["x".repeat(256)], &[]).is_err());
    assert!(is_reserved_keyword(&keyword("trash")) && !is_reserved_keyword(&keyword("read")));
}

#[tokio::test]
async fn deleting_is_for_good() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    f.mail
        .copy(f.inbox, placed.mailbox, &[placed.uid], f.id("Archive").await)
        .await
        .unwrap();
    assert!(f.mail.delete_message(f.inbox, placed.email_id).await.unwrap());
    assert!(!f.mail.delete_message(f.inbox, placed.email_id).await.unwrap());
    assert_eq!(f.mail.usage(f.inbox).await.unwrap().messages, 0);
    let root = f.deliver(&mail(2)).await;
    for number in 3..150 {
        let content = format!("Message-ID: <m{number}@x>\r\nIn-Reply-To: <m2@x>\r\n\r\nbody {number}\r\n");
        assert_eq!(f.deliver(&message(&content)).await.thread_id, root.thread_id);
    }
    let other = f.deliver(&mail(200)).await;
    assert_eq!(f.mail.delete_thread(f.inbox, root.thread_id).await.unwrap(), 148);
    assert_eq!(f.uids(root.mailbox).await.len(), 1);
    assert!(f.mail.message(f.inbox, other.email_id).await.unwrap().is_some());
    f.assert_consistent().await;
}

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

#[tokio::test]
async fn names_are_told_apart() {
    let f = Fixture::new().await;
    let first = f.deliver(&mail(1)).await;
    let same = message("Message-ID: <m1@x>\r\nSubject: another\r\n\r\nanother body\r\n");
    let second = f.deliver(&same).await;
    let record = |id| f.mail.message(f.inbox, id);
    assert!(record(first.email_id).await.unwrap().unwrap().is_named);
    assert!(!record(second.email_id).await.unwrap().unwrap().is_named);
    assert_eq!(
        f.mail.find_message_ids(f.inbox, "m1@x").await.unwrap(),
        [first.email_id, second.email_id]
    );
    // What is sent bears the Message-ID of its draft, which is never called by it.
    let draft = f
        .deliver_to(&mail(2), MailboxRef::Special(SpecialUse::Drafts))
        .await
        .unwrap();
    assert!(!record(draft.email_id).await.unwrap().unwrap().is_named);
    let sent = NewMessage {
        origin: Origin::Sent,
        ..message("Message-ID: <m2@x>\r\n\r\nas it was sent\r\n")
    };
    let sent = f.deliver_to(&sent, SENT).await.unwrap();
    assert!(record(sent.email_id).await.unwrap().unwrap().is_named);
    let nameless = f.deliver(&message("Subject: x\r\n\r\nx\r\n")).await;
    assert!(!record(nameless.email_id).await.unwrap().unwrap().is_named);
}

/// However many messages with one Message-ID come at once, one is called by it, and it is found by it.
#[tokio::test]
async fn names_are_given_once_in_a_race() {
    for seed in 0..20 {
        let f = Arc::new(Fixture::hostile(seed).await);
        let race = (0..8).map(|number| {
            let f = Arc::clone(&f);
            tokio::spawn(async move {
                let new = message(&format!(
                    "Message-ID: <same@x>\r\nSubject: {number}\r\n\r\n{number}\r\n"
                ));
                // On a hostile store it may take a second call.
                let placing = placing(f.inbox, MailboxRef::Inbox, &new);
                loop {
                    match f.mail.deliver(&new, vec![placing.clone()]).await {
                        Ok(placed) => return placed[0].email_id,
                        Err(MailError::Unavailable) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        let mut named = Vec::new();
        for task in race.collect::<Vec<_>>() {
            let id = task.await.unwrap();
            if f.mail.message(f.inbox, id).await.unwrap().unwrap().is_named {
                named.push(id);
            }
        }
        assert_eq!(named.len(), 1, "{seed}: {named:?}");
        assert_eq!(f.mail.find_message_id(f.inbox, "same@x").await.unwrap(), Some(named[0]));
        assert_eq!(f.mail.find_message_ids(f.inbox, "same@x").await.unwrap().len(), 8);
        f.mail.delete_message(f.inbox, named[0]).await.unwrap();
        assert_eq!(f.mail.find_message_ids(f.inbox, "same@x").await.unwrap().len(), 7);
        f.assert_consistent().await;
    }
}

/// Labels are those of the whole message: what is done to one of two placements may change none, or others.
#[tokio::test]
async fn label_events_are_of_the_whole_message() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let (inbox, archive, trash) = (placed.mailbox, f.id("Archive").await, f.id("Trash").await);
    let copy = f.mail.copy(f.inbox, inbox, &[placed.uid], archive).await.unwrap().pairs[0].1;
    let mut seen = None;
    let mut check = async |f: &Fixture, expected: &[&str]| {
        let page = f.mail.label_events(f.inbox, seen, true, 100).await.unwrap();
        let told: Vec<String> = page
            .events
            .iter()
            .map(|event| format!("{}{}", if event.added { "+" } else { "-" }, event.label))
            .collect();
        seen = page.events.last().map(|event| event.place).or(seen);
        assert_eq!(told, expected);
    };
    check(&f, &[]).await;
    // One of two goes to Trash: the message is not there, since the other is not.
    let moved = f
        .mail
        .move_messages(f.inbox, inbox, &[placed.uid], trash)
        .await
        .unwrap();
    check(&f, &[]).await;
    f.flag(archive, copy, FlagMode::Add, Flag::Seen).await;
    check(&f, &["-unread"]).await;
    // The other one too: it was read already.
    f.flag(trash, moved.pairs[0].1, FlagMode::Add, Flag::Seen).await;
    f.flag(archive, copy, FlagMode::Remove, Flag::Seen).await;
    check(&f, &[]).await;
    // What is marked as deleted does not count, and then it is gone.
    f.flag(archive, copy, FlagMode::Add, Flag::Deleted).await;
    check(&f, &["+trash"]).await;
    f.mail.expunge(f.inbox, archive, &[copy], true).await.unwrap();
    check(&f, &[]).await;
    f.mail.copy(f.inbox, trash, &[moved.pairs[0].1], inbox).await.unwrap();
    check(&f, &["-trash"]).await;
}

/// What is done to labels by any face is told, once, newest first or oldest first, page by page.
#[tokio::test]
async fn label_events() {
    let f = Fixture::new().await;
    let placed = f.deliver(&mail(1)).await;
    let id = placed.email_id;
    // A mail client marks it read and flags it with a keyword, then throws it away.
    f.flag(placed.mailbox, placed.uid, FlagMode::Add, Flag::Seen).await;
    let keyword = MessageFlags {
        keywords: vec![keyword("later")],
        ..MessageFlags::default()
    };
    let uids = [placed.uid];
    f.mail
        .store_flags(f.inbox, placed.mailbox, &uids, FlagMode::Add, &keyword, None)
        .await
        .unwrap();
    let trash = f.id("Trash").await;
    f.mail
        .move_messages(f.inbox, placed.mailbox, &uids, trash)
        .await
        .unwrap();
    // The API takes it back, and marks it unread.
    update(&f, id, &["unread", "urgent"], &["trash", "later"]).await;

    let expected = ["-unread", "+later", "+trash", "-later", "-trash", "+unread", "+urgent"];
    for ascending in [true, false] {
        for limit in [1, 2, 100] {
            let (mut told, mut after) = (Vec::new(), None);
            loop {
                let page = f.mail.label_events(f.inbox, after, ascending, limit).await.unwrap();
                assert!(page.events.len() <= limit);
                for event in &page.events {
                    assert_eq!(event.message, id);
                    told.push(format!("{}{}", if event.added { "+" } else { "-" }, event.label));
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            if !ascending {
                told.reverse();
            }
            // Within one commit the order says nothing.
            assert_eq!(told[..3], expected[..3], "{ascending} {limit}");
            told[3..].sort();
            let mut rest = expected[3..].to_vec();
            rest.sort_unstable();
            assert_eq!(told[3..], rest, "{ascending} {limit}");
        }
    }
    f.assert_consistent().await;
}
