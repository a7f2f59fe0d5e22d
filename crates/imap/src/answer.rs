//! Answers the questions of the IMAP machine.

use crate::fault::{fault_for, fault_for_intake, fault_for_login};
use crate::fetch::{Place, fetch};
use crate::news::{Follower, Wakes, is_empty};
use crate::options::Options;
use crate::recent::Recent;
use crate::search::search;
use bytes::Bytes;
use postroom_identity::{Identity, Login, Purpose};
use postroom_imap_proto as imap;
use postroom_imap_proto::{Answer, ChangeMode, Fault, FetchItems, FlagChange, FlagsNow, MailboxEntry, News, Question, Server};
use postroom_intake::{Intake, Spool, Spooler};
use postroom_mailstore::{FlagMode, MailError, Mailstore};
use postroom_net::{Answerer, Peer};
use postroom_types::{BlobSpan, InboxId, MailboxId, MessageFlags, Secret, Uid, UidValidity};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What all IMAP sessions share.
pub struct Service {
    identity: Arc<Identity>,
    mailstore: Arc<Mailstore>,
    intake: Arc<Intake>,
    spooler: Spooler,
    recent: Recent,
    protocol: Arc<imap::Options>,
    login_delay: Duration,
}

/// One session's answers.
pub struct Session {
    service: Arc<Service>,
    peer: IpAddr,
    failed_logins: u32,
    user: Option<User>,
    selected: Option<Follower>,
    spool: Spool,
}

/// Who is logged in.
struct User {
    login: Login,
    wakes: Wakes,
}

impl Service {
    /// A service on these parts.
    #[must_use]
    pub fn new(identity: Arc<Identity>, mailstore: Arc<Mailstore>, intake: Arc<Intake>, spooler: Spooler, options: Options) -> Self {
        Self {
            identity,
            mailstore,
            intake,
            spooler,
            recent: Recent::default(),
            protocol: Arc::new(options.protocol),
            login_delay: options.login_delay,
        }
    }

    /// The machine and the answers for a new connection.
    #[must_use]
    pub fn session(self: &Arc<Self>, peer: &Peer) -> (Server, Session) {
        let session = Session {
            service: Arc::clone(self),
            peer: peer.address.ip().to_canonical(),
            failed_logins: 0,
            user: None,
            selected: None,
            spool: self.spooler.spool(),
        };
        (Server::new(Arc::clone(&self.protocol), Instant::now()), session)
    }
}

impl Session {
    async fn login(&mut self, user: &str, password: &Secret<String>) -> Result<(), Fault> {
        let service = Arc::clone(&self.service);
        match service.identity.login(user, password, self.peer, Purpose::Imap).await {
            Ok(login) => {
                let wakes = Wakes::new(&service.mailstore, login.inbox.id);
                self.user = Some(User { login, wakes });
                Ok(())
            }
            Err(error) => {
                self.failed_logins += 1;
                tokio::time::sleep(service.login_delay * self.failed_logins).await;
                Err(fault_for_login(&error))
            }
        }
    }

    /// The inbox; the machine asks about mail only after a login.
    fn inbox(&self) -> Result<InboxId, Fault> {
        self.user.as_ref().map(|user| user.login.inbox.id).ok_or(Fault::AuthorizationFailed)
    }

    /// The selected mailbox; the machine asks about messages only when there is one.
    fn place(&self) -> Result<Place<'_>, Fault> {
        let mailbox = self.selected.as_ref().ok_or(Fault::NoSuchMailbox)?.mailbox;
        Ok(Place { mailstore: &self.service.mailstore, inbox: self.inbox()?, mailbox })
    }

    async fn mailbox_named(&self, name: &str) -> Result<MailboxId, Fault> {
        self.service.mailstore.mailbox_id(self.inbox()?, name).await.map_err(|error| fault_for(&error))
    }

    async fn mailboxes(&self) -> Result<Vec<MailboxEntry>, Fault> {
        let inbox = self.inbox()?;
        let mailstore = &self.service.mailstore;
        let found = mailstore.mailboxes(inbox).await.map_err(|error| fault_for(&error))?;
        let names: BTreeSet<&str> = found.iter().map(|mailbox| mailbox.name.as_str()).collect();
        let subscriptions = mailstore.subscriptions(inbox).await.map_err(|error| fault_for(&error))?;
        // A subscription may outlive its mailbox (RFC 3501 §6.3.6).
        let gone = subscriptions.into_iter().filter(|name| !names.contains(name.as_str())).map(|name| MailboxEntry {
            name,
            exists: false,
            subscribed: true,
            special_use: None,
            marked: None,
        });
        let gone: Vec<_> = gone.collect();
        let entries = found.into_iter().map(|mailbox| MailboxEntry {
            name: mailbox.name,
            exists: true,
            subscribed: mailbox.subscribed,
            special_use: mailbox.special_use,
            marked: None,
        });
        Ok(entries.chain(gone).collect())
    }

    async fn status(&self, name: &str) -> Result<imap::StatusData, Fault> {
        let id = self.mailbox_named(name).await?;
        let status = self.service.mailstore.status(self.inbox()?, id).await.map_err(|error| fault_for(&error))?;
        let recent = status.uid_next.get().saturating_sub(self.service.recent.from(id).get());
        Ok(imap::StatusData {
            messages: status.messages,
            recent: recent.min(status.messages),
            uid_next: status.uid_next,
            uid_validity: status.uid_validity,
            unseen: status.unseen,
            deleted: status.deleted,
            size_octets: status.size_octets,
            highest_modseq: status.highest_modseq,
        })
    }

    async fn select(&mut self, name: &str, read_only: bool) -> Result<imap::Selected, Fault> {
        self.selected = None;
        let inbox = self.inbox()?;
        let id = self.mailbox_named(name).await?;
        let open = self.service.mailstore.open(inbox, id).await.map_err(|error| fault_for(&error))?;
        self.selected = Some(Follower::new(inbox, &open, read_only));
        let recent = &self.service.recent;
        let recent_from = Some(recent.from(id));
        if let Some(last) = open.uids.last().filter(|_| !read_only) {
            recent.tell(id, *last);
        }
        Ok(imap::Selected {
            id,
            uid_validity: open.uid_validity,
            uid_next: open.uid_next,
            highest_modseq: open.highest_modseq,
            uids: open.uids,
            recent_from,
            first_unseen: open.first_unseen,
            keywords: open.keywords,
        })
    }

    async fn append_start(&mut self, name: &str, octets: u64) -> Result<(), Fault> {
        self.spool = self.service.spooler.spool();
        self.mailbox_named(name).await?;
        if octets > self.service.intake.options().max_message_octets {
            return Err(Fault::TooBig);
        }
        let usage = self.service.mailstore.usage(self.inbox()?).await.map_err(|error| fault_for(&error))?;
        if usage.octets >= usage.quota_octets { Err(Fault::OverQuota) } else { Ok(()) }
    }

    async fn append(&mut self, name: &str, flags: MessageFlags, date: Option<i64>) -> Result<(UidValidity, Uid), Fault> {
        let spool = std::mem::replace(&mut self.spool, self.service.spooler.spool());
        let (content, _room) = spool.finish().await.map_err(|error| {
            tracing::error!(%error, "cannot spool a message");
            Fault::Unavailable
        })?;
        let placed = self.service.intake.append(self.inbox()?, name, content, flags, date).await;
        placed.map(|placed| (placed.uid_validity, placed.uid)).map_err(|error| fault_for_intake(&error))
    }

    async fn fetch(&mut self, uids: &[Uid], items: &FetchItems) -> Result<Vec<imap::Fetched>, Fault> {
        let found = fetch(self.place()?, uids, items).await.map_err(|error| fault_for(&error))?;
        if let Some(selected) = &mut self.selected {
            selected.remember_own(&found.stored);
        }
        Ok(found.messages)
    }

    async fn store(&mut self, uids: &[Uid], change: &FlagChange) -> Result<Vec<FlagsNow>, Fault> {
        let mode = match change.mode {
            ChangeMode::Add => FlagMode::Add,
            ChangeMode::Remove => FlagMode::Remove,
            ChangeMode::Replace => FlagMode::Replace,
        };
        let at = self.place()?;
        let stored = at.mailstore.store_flags(at.inbox, at.mailbox, uids, mode, &change.flags).await;
        let stored = stored.map_err(|error| fault_for(&error))?;
        if let Some(selected) = &mut self.selected {
            selected.remember_own(&stored);
        }
        Ok(stored.into_iter().map(|(uid, flags, modseq)| FlagsNow { uid, flags, modseq }).collect())
    }

    async fn copy(&self, uids: &[Uid], to: &str, moving: bool) -> Result<imap::Copied, Fault> {
        let at = self.place()?;
        let target = self.mailbox_named(to).await?;
        let copied = match moving {
            true => at.mailstore.move_messages(at.inbox, at.mailbox, uids, target).await,
            false => at.mailstore.copy(at.inbox, at.mailbox, uids, target).await,
        };
        let copied = copied.map_err(|error| fault_for(&error))?;
        Ok(imap::Copied { uid_validity: copied.uid_validity, pairs: copied.pairs })
    }

    async fn expunge(&self, uids: &[Uid]) -> Result<(), Fault> {
        let at = self.place()?;
        at.mailstore.expunge(at.inbox, at.mailbox, uids, true).await.map(|_| ()).map_err(|error| fault_for(&error))
    }

    /// What happened in the selected mailbox.
    async fn poll(&mut self) -> News {
        let Some(selected) = &mut self.selected else { return News::default() };
        match selected.changed(&self.service.mailstore, &self.service.recent).await {
            Ok(news) => news,
            Err(MailError::NoSuchInbox(_)) => bye("Inbox deleted"),
            Err(error) => {
                // Told at the next wake-up or command instead; nothing is lost, since the cursor did not move.
                tracing::warn!(%error, "cannot read what happened in a mailbox");
                News::default()
            }
        }
    }

    async fn still_welcome(&self) -> bool {
        let Some(user) = &self.user else { return true };
        match self.service.identity.credentials_current(&user.login).await {
            Ok(current) => current,
            Err(error) => {
                tracing::warn!(%error, "cannot check whether a session may stay");
                true
            }
        }
    }

    async fn done(&self, work: impl Future<Output = Result<(), MailError>>) -> Result<(), Fault> {
        work.await.map_err(|error| fault_for(&error))
    }
}

fn bye(text: &'static str) -> News {
    News { bye: Some(text), ..News::default() }
}

impl Answerer for Session {
    type Machine = Server;

    async fn answer(&mut self, question: Question) -> Answer {
        let service = Arc::clone(&self.service);
        let mailstore = &service.mailstore;
        let inbox = self.inbox();
        match question {
            Question::Login { user, password } => Answer::Login(self.login(&user, &password).await),
            Question::Mailboxes => Answer::Mailboxes(self.mailboxes().await),
            Question::Status(name) => Answer::Status(self.status(&name).await),
            Question::Select { name, read_only } => Answer::Selected(self.select(&name, read_only).await),
            Question::Unselect => {
                self.selected = None;
                Answer::Done(Ok(()))
            }
            Question::Create(name) => Answer::Done(match inbox {
                Ok(inbox) => mailstore.create_mailbox(inbox, &name).await.map(|_| ()).map_err(|error| fault_for(&error)),
                Err(fault) => Err(fault),
            }),
            Question::Delete(name) => Answer::Done(match inbox {
                Ok(inbox) => self.done(mailstore.delete_mailbox(inbox, &name)).await,
                Err(fault) => Err(fault),
            }),
            Question::Rename { from, to } => Answer::Done(match inbox {
                Ok(inbox) => self.done(mailstore.rename_mailbox(inbox, &from, &to)).await,
                Err(fault) => Err(fault),
            }),
            Question::Subscribe { name, subscribed } => Answer::Done(match inbox {
                Ok(inbox) => self.done(mailstore.subscribe(inbox, &name, subscribed)).await,
                Err(fault) => Err(fault),
            }),
            Question::AppendStart { name, octets } => Answer::Done(self.append_start(&name, octets).await),
            Question::Append { name, flags, internal_date } => Answer::Appended(self.append(&name, flags, internal_date).await),
            Question::Fetch { uids, items } => Answer::Fetched(self.fetch(&uids, &items).await),
            Question::Store { uids, change } => Answer::Stored(self.store(&uids, &change).await),
            Question::Copy { uids, to } => Answer::Copied(self.copy(&uids, &to, false).await),
            Question::Move { uids, to } => Answer::Copied(self.copy(&uids, &to, true).await),
            Question::Expunge(uids) => Answer::Done(self.expunge(&uids).await),
            Question::Search { among, program } => Answer::Found(match self.place() {
                Ok(place) => search(place, &among, &program).await.map_err(|error| fault_for(&error)),
                Err(fault) => Err(fault),
            }),
            Question::Poll => Answer::News(self.poll().await),
        }
    }

    async fn body(&mut self, chunk: Bytes) {
        self.spool.push(&chunk).await;
    }

    async fn body_end(&mut self) {}

    async fn news(&mut self) -> News {
        loop {
            match &mut self.user {
                Some(user) => user.wakes.wait().await,
                None => std::future::pending().await,
            }
            // From here to the return an await may be the last one: the wake-up stays pending until its news are taken.
            let news = if self.still_welcome().await { self.poll().await } else { bye("Credentials no longer valid") };
            if let Some(user) = &mut self.user {
                user.wakes.done();
            }
            if !is_empty(&news) {
                return news;
            }
        }
    }

    async fn read_blob(&mut self, span: BlobSpan) -> Option<Bytes> {
        match self.service.mailstore.read_blob(span).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "cannot read a body");
                None
            }
        }
    }
}
