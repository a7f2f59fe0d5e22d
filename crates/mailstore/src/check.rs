//! Is what is stored of an inbox consistent? For tests and for `fsck`; nothing may change meanwhile.
//!
//! Everything that is kept twice is compared: counters with rows, placements with messages, messages with bodies,
//! indexes with what they point to, the feed with the modseq.

mod bodies;
mod rows;

use crate::inbox::counter_record;
use crate::keys::{self, inbox_lane, mailbox_lane};
use crate::rows::{Arrival, FlagsRow, InboxRow, MessageRow};
use crate::{MailError, Mailstore};
use postroom_store::{CounterRecord, scan_prefix};
use postroom_types::{EmailId, Flag, InboxId, MailboxId, ModSeq, Uid};
use rows::Found;
use std::collections::BTreeSet;
use std::fmt;

/// What is wrong, as sentences.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, fault: impl fmt::Display) {
        self.0.push(fault.to_string());
    }

    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }
}

impl Mailstore {
    /// Everything that is wrong with what is stored of an inbox; empty if nothing is. Nothing may change meanwhile.
    ///
    /// # Errors
    /// The store's own. Rows that do not decode are findings, not errors.
    pub async fn check_consistency(&self, inbox: InboxId) -> Result<Vec<String>, MailError> {
        let mut faults = Faults::default();
        let mut found = Found::default();
        let mut rows = scan_prefix(&*self.store, &keys::inbox_prefix(inbox)).page_pairs(2000);
        while let Some((key, value)) = rows.next().await? {
            if let Err(fault) = found.take(&key, &value) {
                faults.add(format!("row {}: {fault}", key.escape_ascii()));
            }
        }
        match (&found.inbox_row, &found.inbox_counters) {
            (Some(row), Some(counters)) => {
                check_inbox(&found, row, counters, &mut faults);
                check_feed(&found, counters, &mut faults);
            }
            // Removed; what is left waits for `purge_inbox`.
            (None, None) => return Ok(Vec::new()),
            _ => faults.add("the inbox has no row or no counters"),
        }
        check_mailboxes(&found, &mut faults);
        check_placements(&found, &mut faults);
        check_messages(&found, &mut faults);
        check_indexes(&found, &mut faults);
        self.check_bodies(&found, &mut faults).await?;
        Ok(faults.0)
    }
}

fn check_inbox(found: &Found, row: &InboxRow, counters: &CounterRecord, faults: &mut Faults) {
    let messages = counters.0[inbox_lane::MESSAGES];
    let octets: u64 = found.messages.values().map(MessageRow::size_octets).sum();
    faults.check(messages == found.messages.len() as u64, || {
        format!("the inbox counts {messages} messages but has {}", found.messages.len())
    });
    faults.check(counters.0[inbox_lane::OCTETS] == octets, || {
        format!(
            "the inbox counts {} octets but has {octets}",
            counters.0[inbox_lane::OCTETS]
        )
    });
    for role in row.roles {
        faults.check(found.mailboxes.contains_key(&role), || {
            format!("a mailbox with a role is gone: {role}")
        });
    }
    faults.check(found.tree.is_some(), || "the inbox has no tree row".into());
    let mut uses = BTreeSet::new();
    for (id, mailbox) in &found.mailboxes {
        let alone = mailbox.special_use.is_none_or(|special_use| uses.insert(special_use));
        faults.check(alone, || format!("mailbox {id}: another one has its special use"));
    }
    let mut uid_validities = BTreeSet::new();
    for (id, mailbox) in &found.mailboxes {
        let number = mailbox.uid_validity;
        faults.check(uid_validities.insert(number), || {
            format!("mailbox {id}: UIDVALIDITY {number} is used twice")
        });
        faults.check(u64::from(number.get()) <= counters.0[inbox_lane::UID_VALIDITY], || {
            format!("mailbox {id}: UIDVALIDITY {number} was never given out")
        });
    }
}

fn check_feed(found: &Found, counters: &CounterRecord, faults: &mut Faults) {
    let now = counters.0[inbox_lane::MODSEQ];
    let numbers: Vec<u64> = found.feed.keys().map(|modseq| modseq.0).collect();
    for pair in numbers.windows(2) {
        faults.check(pair[0] + 1 == pair[1], || {
            format!("the feed has a gap between {} and {}", pair[0], pair[1])
        });
    }
    // Modseq 1 is the making of the inbox, which has no row; a trimmed feed may be empty.
    if let Some(last) = numbers.last() {
        faults.check(*last == now, || format!("the feed ends at {last}, the modseq is {now}"));
    }
    let lsns: Vec<_> = found.feed.values().map(|entry| entry.lsn).collect();
    faults.check(lsns.windows(2).all(|pair| pair[0] <= pair[1]), || {
        "the feed's lsns do not ascend".into()
    });
    faults.check(found.tree.is_none_or(|version| version <= ModSeq(now)), || {
        "the tree is newer than the modseq".into()
    });
    for ((mailbox, uid), flags) in &found.flags {
        faults.check(flags.modseq <= ModSeq(now) && flags.modseq > ModSeq(0), || {
            format!(
                "mailbox {mailbox} UID {uid}: modseq {} was never given out",
                flags.modseq
            )
        });
    }
}

fn check_mailboxes(found: &Found, faults: &mut Faults) {
    let mut leaves = BTreeSet::new();
    for (id, mailbox) in &found.mailboxes {
        faults.check(leaves.insert((mailbox.parent, mailbox.leaf.as_str())), || {
            format!("mailbox {id}: another one has the name {:?}", mailbox.leaf)
        });
        let parent_is_there = mailbox
            .parent
            .is_none_or(|parent| found.mailboxes.contains_key(&parent));
        faults.check(parent_is_there, || format!("mailbox {id}: its parent is gone"));
        faults.check(found.has_root(*id), || format!("mailbox {id}: it lies below itself"));
        match (found.counters.get(id), found.highest.get(id)) {
            (Some(counters), Some(highest)) => check_mailbox(found, *id, counters, *highest, faults),
            _ => faults.add(format!("mailbox {id}: no counters or no highest modseq")),
        }
    }
    let known = |id: &MailboxId| found.mailboxes.contains_key(id) || found.condemned.contains(id);
    for id in found.counters.keys().filter(|id| !found.mailboxes.contains_key(id)) {
        faults.add(format!("counters of no mailbox: {id}"));
    }
    for id in found.highest.keys().filter(|id| !known(id)) {
        faults.add(format!("highest modseq of no mailbox: {id}"));
    }
    for id in found.floors.keys().filter(|id| !known(id)) {
        faults.add(format!("expunge floor of no mailbox: {id}"));
    }
    for (id, uid) in &found.expunged {
        faults.check(known(id), || format!("expunges of no mailbox: {id}"));
        faults.check(!found.flags.contains_key(&(*id, *uid)), || {
            format!("mailbox {id} UID {uid}: expunged but there")
        });
    }
}

fn check_mailbox(found: &Found, id: MailboxId, counters: &CounterRecord, highest: ModSeq, faults: &mut Faults) {
    let mut counted = CounterRecord::default();
    counted.0[mailbox_lane::UID] = counters.0[mailbox_lane::UID];
    for ((_, uid), flags) in found.flags.range((id, Uid::MIN)..).take_while(|((of, _), _)| *of == id) {
        let size = found.messages.get(&flags.email_id).map_or(0, MessageRow::size_octets);
        counted.0[mailbox_lane::EXISTS] += 1;
        counted.0[mailbox_lane::UNSEEN] += u64::from(!flags.flags.system.contains(Flag::Seen));
        counted.0[mailbox_lane::DELETED] += u64::from(flags.flags.system.contains(Flag::Deleted));
        counted.0[mailbox_lane::OCTETS] += size;
        faults.check(u64::from(uid.get()) <= counters.0[mailbox_lane::UID], || {
            format!("mailbox {id} UID {uid}: was never given out")
        });
        faults.check(flags.modseq <= highest, || {
            format!(
                "mailbox {id} UID {uid}: modseq {} is above the mailbox's {highest}",
                flags.modseq
            )
        });
    }
    faults.check(counted == *counters, || {
        format!("mailbox {id}: counters say {:?}, rows {:?}", counters.0, counted.0)
    });
}

fn check_placements(found: &Found, faults: &mut Faults) {
    for ((mailbox, uid), flags) in &found.flags {
        let FlagsRow { email_id, arrival, .. } = flags;
        let here = format!("mailbox {mailbox} UID {uid}");
        let known = found.mailboxes.contains_key(mailbox) || found.condemned.contains(mailbox);
        faults.check(known, || format!("{here}: no such mailbox"));
        let message = found.messages.get(email_id);
        let names_it = |row: &MessageRow| row.placements.contains(&(*mailbox, u64::from(uid.get())));
        faults.check(message.is_some_and(names_it), || {
            format!("{here}: message {email_id} does not know of it")
        });
        let says_where = |row: &MessageRow| flags.whole.is_none() || flags.whole == row.whole();
        faults.check(message.is_none_or(says_where), || {
            format!("{here}: its bytes are not where the message row says")
        });
        match found.metadata.get(&(*mailbox, *uid)) {
            None => faults.add(format!("{here}: no metadata row")),
            Some(meta) => {
                let same = meta.email_id == *email_id
                    && message.is_some_and(|row| {
                        row.thread_id == meta.thread_id
                            && row.size_octets() == meta.size_octets
                            && row.summary_blob == meta.summary_blob
                    });
                faults.check(same, || format!("{here}: the metadata row is that of another message"));
                let doubled = |arrival: &Arrival| (arrival.internal_date, arrival.size_octets);
                let same = arrival
                    .as_ref()
                    .is_none_or(|arrival| doubled(arrival) == (meta.internal_date, meta.size_octets));
                faults.check(same, || {
                    format!("{here}: date or size are not those of the metadata row")
                });
            }
        }
    }
    for (mailbox, uid) in found.metadata.keys().filter(|place| !found.flags.contains_key(place)) {
        faults.add(format!("mailbox {mailbox} UID {uid}: a metadata row without flags"));
    }
}

fn check_messages(found: &Found, faults: &mut Faults) {
    for (id, row) in &found.messages {
        faults.check(!row.placements.is_empty(), || format!("message {id}: no placement"));
        for (mailbox, uid) in &row.placements {
            let uid = u32::try_from(*uid).ok().and_then(Uid::new);
            let flags = uid.and_then(|uid| found.flags.get(&(*mailbox, uid)));
            faults.check(flags.is_some_and(|flags| flags.email_id == *id), || {
                format!("message {id}: not in mailbox {mailbox} as UID {uid:?}")
            });
        }
        faults.check(found.threads.contains(&(row.thread_id, *id)), || {
            format!("message {id}: not a member of its thread")
        });
    }
}

fn check_indexes(found: &Found, faults: &mut Faults) {
    for (thread, id) in &found.threads {
        let member = found.messages.get(id).is_some_and(|row| row.thread_id == *thread);
        faults.check(member, || format!("thread {thread}: message {id} is not in it"));
    }
    for (key, index) in &found.index {
        let matches = |row: &MessageRow| {
            row.message_id.is_some_and(|hash| key[..16] == hash)
                && (key[16..] == row.body_hash[..8] || key[16..] == [0; 8] && row.is_named)
                && row.thread_id == index.thread_id
                && row.received_at == index.received_at
        };
        let good = found.messages.get(&index.email_id).is_some_and(matches);
        faults.check(good, || {
            format!("the Message-ID row of message {} is wrong", index.email_id)
        });
    }
}

/// Reads an id at the end of a key.
fn id_of(key: &[u8]) -> Result<[u8; 16], String> {
    keys::trailing_id(key).ok_or_else(|| "a key that is too short".to_owned())
}

fn email_of(key: &[u8]) -> Result<EmailId, String> {
    id_of(key).map(EmailId::from_bytes)
}

fn mailbox_of(key: &[u8]) -> Result<MailboxId, String> {
    id_of(key).map(MailboxId::from_bytes)
}

fn counters_of(value: &[u8]) -> Result<CounterRecord, String> {
    counter_record(value).map_err(|error| error.to_string())
}
