//! An inbox on a store in memory, and short ways to use it.

#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use postroom_mailstore::{
    FlagMode, MailError, MailboxRef, Mailstore, NewMessage, Options, Origin, Placed, Placing, SharedMailbox,
    ThreadChoice,
};
use postroom_store::{CommitBuilder, MemoryStore, SharedStore, commit_once};
use postroom_types::{EmailId, Flag, Flags, InboxId, InternalDate, Keyword, MailboxId, MessageFlags, ModSeq, Uid};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A fixed beginning of time, milliseconds.
pub(crate) const NOW: i64 = 1_700_000_000_000;

pub(crate) struct Fixture {
    pub(crate) mail: Arc<Mailstore>,
    pub(crate) store: SharedStore,
    pub(crate) inbox: InboxId,
    pub(crate) clock: Arc<AtomicI64>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::on(MemoryStore::new()).await
    }

    pub(crate) async fn hostile(seed: u64) -> Self {
        Self::on(MemoryStore::hostile(seed)).await
    }

    pub(crate) async fn on(store: SharedStore) -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let told = Arc::clone(&clock);
        let options = Options {
            clock: Arc::new(move || told.load(Ordering::SeqCst)),
            max_mailboxes: 40,
            ..Options::default()
        };
        let mail = Arc::new(Mailstore::new(Arc::clone(&store), options));
        let inbox = add_inbox(&mail, 1 << 40).await;
        Self {
            mail,
            store,
            inbox,
            clock,
        }
    }

    pub(crate) fn advance(&self, days: i64) -> i64 {
        self.clock.fetch_add(days * 86_400_000, Ordering::SeqCst) + days * 86_400_000
    }

    pub(crate) async fn id(&self, name: &str) -> MailboxId {
        self.mail.mailbox_id(self.inbox, name).await.unwrap()
    }

    pub(crate) async fn deliver(&self, message: &NewMessage) -> Placed {
        self.deliver_to(message, MailboxRef::Inbox).await.unwrap()
    }

    pub(crate) async fn deliver_to(&self, message: &NewMessage, mailbox: MailboxRef) -> Result<Placed, MailError> {
        let placing = placing(self.inbox, mailbox, message);
        Ok(self.mail.deliver(message, vec![placing]).await?[0])
    }

    pub(crate) async fn uids(&self, mailbox: MailboxId) -> Vec<u32> {
        let shared = self.mail.open_shared(self.inbox, mailbox).await.unwrap();
        shared.snapshot().uids.iter().map(|uid| uid.get()).collect()
    }

    pub(crate) async fn content(&self, email_id: EmailId) -> Option<Vec<u8>> {
        let content = self.mail.content(self.inbox, email_id).await.unwrap()?;
        let bytes = self.mail.read(&content, 0..u64::MAX).await.unwrap();
        bytes.map(|bytes| bytes.to_vec())
    }

    pub(crate) async fn flag(&self, mailbox: MailboxId, uid: Uid, mode: FlagMode, flag: Flag) {
        let flags = MessageFlags::system(Flags::NONE.with(flag));
        self.mail
            .store_flags(self.inbox, mailbox, &[uid], mode, &flags, None)
            .await
            .unwrap();
    }

    pub(crate) async fn assert_consistent(&self) {
        let faults = self.mail.check_consistency(self.inbox).await.unwrap();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// What a session knows of a mailbox, from news alone.
pub(crate) struct Replica {
    pub(crate) shared: Arc<SharedMailbox>,
    pub(crate) cursor: ModSeq,
    /// The last UID it was told.
    pub(crate) last: Option<Uid>,
    pub(crate) known: BTreeMap<Uid, (MessageFlags, ModSeq)>,
}

impl Replica {
    pub(crate) async fn open(mail: &Mailstore, inbox: InboxId, mailbox: MailboxId) -> Result<Self, MailError> {
        let shared = mail.open_shared(inbox, mailbox).await?;
        let snapshot = shared.snapshot();
        let mut replica = Self {
            cursor: snapshot.modseq,
            last: snapshot.uids.last().copied(),
            known: BTreeMap::new(),
            shared,
        };
        replica.learn(&snapshot.uids);
        Ok(replica)
    }

    /// Brings the mailbox up to date and takes the news.
    pub(crate) async fn poll(&mut self, mail: &Mailstore) -> Result<(), MailError> {
        mail.refresh(&self.shared).await?;
        self.listen();
        Ok(())
    }

    /// Takes the news.
    pub(crate) fn listen(&mut self) {
        let news = self.shared.news(self.cursor, self.last);
        assert!(news.now >= self.cursor && news.highest_modseq <= news.now);
        for uid in &news.expunged {
            self.known.remove(uid);
        }
        if let Some(present) = &news.present {
            assert!(news.expunged.is_empty());
            self.known.retain(|uid, _| present.binary_search(uid).is_ok());
        }
        for (uid, flags, modseq) in news.flags {
            assert!(modseq > self.cursor && Some(uid) <= self.last);
            let known = self.known.get_mut(&uid).expect("flags of what is known");
            *known = (flags, modseq);
        }
        assert!(news.appended.iter().all(|uid| Some(*uid) > self.last), "told twice");
        self.last = news.appended.last().copied().or(self.last);
        self.cursor = news.now;
        self.learn(&news.appended);
    }

    fn learn(&mut self, uids: &[Uid]) {
        for (uid, state) in uids.iter().zip(self.shared.states(uids)) {
            // Gone between the news and this, to be told next time.
            let state = state.map_or_else(
                || (MessageFlags::default(), ModSeq(0)),
                |state| (state.flags, state.modseq),
            );
            self.known.insert(*uid, state);
        }
    }

    /// What it knows, to be compared.
    pub(crate) fn flags(&self) -> Vec<(Uid, MessageFlags)> {
        let flags = |(uid, (flags, _)): (&Uid, &(MessageFlags, ModSeq))| (*uid, flags.clone());
        self.known.iter().map(flags).collect()
    }
}

pub(crate) async fn add_inbox(mail: &Mailstore, quota: u64) -> InboxId {
    let inbox = InboxId::new();
    let once = [b"i".as_slice(), inbox.as_bytes()].concat();
    let mut builder = CommitBuilder::new();
    builder.put_new(once.clone(), vec![1]);
    mail.add_inbox(&mut builder, inbox, quota);
    commit_once(&**mail.store(), builder.build(), &once).await.unwrap();
    inbox
}

pub(crate) fn placing(inbox: InboxId, mailbox: MailboxRef, message: &NewMessage) -> Placing {
    Placing {
        inbox,
        mailbox,
        email_id: EmailId::new(),
        flags: MessageFlags::default(),
        internal_date: InternalDate::utc(message.received_at / 1000),
        thread: ThreadChoice::Find,
        announce: None,
    }
}

pub(crate) fn message(content: &str) -> NewMessage {
    let prefix = "Received: from a by b\r\n";
    let whole = format!("{prefix}{content}");
    NewMessage {
        body: Bytes::copy_from_slice(content.as_bytes()),
        prefix: prefix.into(),
        summary: Arc::new(postroom_message::summarize(whole.as_bytes())),
        origin: Origin::Received,
        received_at: NOW,
        verdict: vec![7, 7],
        shared_body: None,
    }
}

/// A message with a Message-ID, in reply to others.
pub(crate) fn numbered(number: u32, references: &str) -> NewMessage {
    message(&format!(
        "Message-ID: <m{number}@x>\r\nReferences: {references}\r\nSubject: number {number}\r\n\r\nbody {number}\r\n"
    ))
}

pub(crate) fn keyword(text: &str) -> Keyword {
    Keyword::new(text).unwrap()
}

pub(crate) fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

pub(crate) fn seen() -> MessageFlags {
    MessageFlags::system(Flags::NONE.with(Flag::Seen))
}

pub(crate) fn deleted() -> MessageFlags {
    MessageFlags::system(Flags::NONE.with(Flag::Deleted))
}
