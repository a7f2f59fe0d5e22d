//! A mailbox of which the naive reader knows all.

use crate::common::{Fixture, NOW, keyword, message, placing};
use crate::naive::{DAY, Known, ReadMessage, naive};
use crate::pool::POOL;
use postroom_mailstore::{Found, MailboxRef, Placing, SharedMailbox};
use postroom_types::{
    Flags, InternalDate, MailboxId, MessageFlags, ModSeq, SearchKey, SortBy, SortKey, ThreadAlgorithm, Uid,
};
use std::sync::Arc;

pub(crate) struct Mailbox {
    pub(crate) fixture: Fixture,
    pub(crate) shared: Arc<SharedMailbox>,
    pub(crate) id: MailboxId,
    pub(crate) known: Vec<Known>,
}

/// Half of the messages are of another zone: with the time of [`NOW`], in one it is the next day, in one the same.
fn zone_of(flags: u8) -> i32 {
    match flags % 4 {
        0 => 14 * 60,
        1 => -(11 * 60 + 30),
        _ => 0,
    }
}

impl Mailbox {
    pub(crate) async fn fill(fixture: Fixture, picks: &[(usize, u8, i64)]) -> Self {
        let id = fixture.id("INBOX").await;
        let mut known = Vec::new();
        for (pick, flags, days) in picks {
            let (message, read) = &POOL[pick / 2][pick % 2];
            let mut initial = MessageFlags::system(Flags::from_bits(*flags));
            if flags & 32 != 0 {
                initial.keywords.push(keyword("work"));
            }
            if flags & 64 != 0 {
                initial.keywords.push(keyword("$Label1"));
            }
            fixture.advance(1);
            let now = fixture.clock.load(std::sync::atomic::Ordering::SeqCst) / 1000;
            let placing = Placing {
                flags: initial,
                internal_date: InternalDate::new(NOW / 1000 + days * DAY, zone_of(*flags)),
                ..placing(fixture.inbox, MailboxRef::Inbox, message)
            };
            let placed = fixture.mail.deliver(message, vec![placing.clone()]).await.unwrap()[0];
            known.push(Known {
                uid: placed.uid,
                read: Arc::clone(read),
                flags: placing.flags,
                modseq: ModSeq(0),
                internal_date: placing.internal_date,
                saved_at: now,
                email_id: placed.email_id,
                thread_id: placed.thread_id,
            });
        }
        let shared = fixture.mail.open_shared(fixture.inbox, id).await.unwrap();
        let states = shared.states(&known.iter().map(|known| known.uid).collect::<Vec<_>>());
        for (known, state) in known.iter_mut().zip(states) {
            known.modseq = state.unwrap().modseq;
        }
        Self {
            fixture,
            shared,
            id,
            known,
        }
    }

    pub(crate) fn among(&self) -> Vec<Uid> {
        self.known.iter().map(|known| known.uid).collect()
    }

    pub(crate) fn now(&self) -> i64 {
        self.fixture
            .clock
            .load(std::sync::atomic::Ordering::SeqCst)
            .div_euclid(1000)
    }

    pub(crate) fn expected(&self, program: &SearchKey) -> Vec<u32> {
        let matching = self.known.iter().filter(|known| naive(known, program, self.now()));
        matching.map(|known| known.uid.get()).collect()
    }

    pub(crate) async fn found(&self, program: &SearchKey) -> Vec<u32> {
        let found = self
            .fixture
            .mail
            .search(&self.shared, &self.among(), program)
            .await
            .unwrap();
        numbers(&found)
    }

    pub(crate) async fn sorted(&self, by: SortBy, reverse: bool) -> Vec<u32> {
        let keys = [SortKey { by, reverse }];
        let found = self
            .fixture
            .mail
            .sort(&self.shared, &self.among(), &SearchKey::All, &keys)
            .await;
        numbers(&found.unwrap())
    }

    pub(crate) async fn threads(&self, algorithm: ThreadAlgorithm) -> Vec<(u32, u32)> {
        let threads = self
            .fixture
            .mail
            .threads(&self.shared, &self.among(), &SearchKey::All, algorithm)
            .await;
        let shown = |(depth, uid): (u32, Option<Uid>)| (depth, uid.map_or(0, Uid::get));
        threads.unwrap().into_iter().map(shown).collect()
    }
}

pub(crate) fn numbers(found: &Found) -> Vec<u32> {
    found.uids.iter().map(|uid| uid.get()).collect()
}

pub(crate) async fn mailbox_of(headers: &[&str]) -> Mailbox {
    let fixture = Fixture::new().await;
    let mut mailbox = Mailbox::fill(fixture, &[]).await;
    for (at, header) in headers.iter().enumerate() {
        let mut message = message(&format!("{header}\r\n\r\n{}", "x".repeat(headers.len() - at)));
        message.received_at = NOW + 1000 * at as i64;
        let placed = mailbox.fixture.deliver(&message).await;
        mailbox.known.push(Known {
            uid: placed.uid,
            read: Arc::new(ReadMessage::new([message.prefix.as_slice(), &message.body].concat())),
            flags: MessageFlags::default(),
            modseq: ModSeq(0),
            internal_date: InternalDate::utc(message.received_at / 1000),
            saved_at: 0,
            email_id: placed.email_id,
            thread_id: placed.thread_id,
        });
    }
    mailbox.fixture.mail.refresh(&mailbox.shared).await.unwrap();
    mailbox
}
