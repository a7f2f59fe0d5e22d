//! Answers the questions of the IMAP machine.

use crate::fault::{of_intake, of_login, of_mail};
use crate::selected::{SelectedMailbox, goodbye};
use crate::service::Service;
use bytes::Bytes;
use postroom_identity::{Login, LoginError, Purpose};
use postroom_imap_proto::{Answer, Fault, News, Question, Server};
use postroom_intake::Spool;
use postroom_mailstore::Mailstore;
use postroom_net::Answerer;
use postroom_types::{BlobSpan, InboxId, Lsn, MessageFlags, Uid, UidValidity};
use postroom_wire::{Credentials, Evidence, ScramProof};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The answer to a failed login never waits longer than so many times the first.
const MOST_DELAYS: u32 = 5;
/// After the store has failed to say what is new, it is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// One session's answers.
pub struct Session {
    pub(crate) service: Arc<Service>,
    peer: IpAddr,
    pub(crate) login: Option<Login>,
    /// Wake-ups of the inbox, since login.
    wake_ups: Option<watch::Receiver<Lsn>>,
    /// A wake-up came and what it is about was not looked at yet.
    awake: bool,
    pub(crate) selected: Option<SelectedMailbox>,
    spool: Spool,
    failed_logins: u32,
}

impl Session {
    pub(crate) fn new(service: Arc<Service>, peer: IpAddr) -> Self {
        let spool = service.spooler.spool();
        Self {
            service,
            peer,
            login: None,
            wake_ups: None,
            awake: false,
            selected: None,
            spool,
            failed_logins: 0,
        }
    }

    /// Whose inbox it is.
    pub(crate) fn inbox(&self) -> Result<InboxId, Fault> {
        self.login.as_ref().map(|login| login.inbox.id).ok_or(Fault::Internal)
    }

    /// Gives what we prove ourselves with to a client that has shown a proof.
    async fn log_in(&mut self, credentials: &Credentials) -> Result<Option<[u8; 32]>, Fault> {
        match self.check(credentials).await {
            Ok((login, server_signature)) => {
                let topic = Mailstore::topic(login.inbox.id);
                self.wake_ups = Some(self.service.mailstore.store().watch(topic));
                // What was revoked between the check and the watch is found at the first look.
                self.awake = true;
                self.login = Some(login);
                Ok(server_signature)
            }
            Err(error) => {
                let fault = of_login(&error);
                self.failed_logins += 1;
                tokio::time::sleep(self.service.failure_delay * self.failed_logins.min(MOST_DELAYS)).await;
                Err(fault)
            }
        }
    }

    async fn check(&self, credentials: &Credentials) -> Result<(Login, Option<[u8; 32]>), LoginError> {
        let (identity, source, purpose) = (&self.service.identity, self.peer, Purpose::Imap);
        let user = credentials.user.as_str();
        match &credentials.evidence {
            Evidence::Password(password) => {
                let login = identity.login(user, password, source, purpose).await?;
                Ok((login, None))
            }
            Evidence::Token(token) => {
                let user = Some(user).filter(|user| !user.is_empty());
                let login = identity.login_with_token(user, token, source, purpose).await?;
                Ok((login, None))
            }
            Evidence::Scram(ScramProof { auth_message, proof }) => {
                let proved = identity.login_with_proof(user, auth_message, proof, source, purpose);
                let (login, server_signature) = proved.await?;
                Ok((login, Some(server_signature)))
            }
        }
    }

    /// Takes a wake-up, if one came.
    fn notice(&mut self) {
        if let Some(wake_ups) = &mut self.wake_ups
            && wake_ups.has_changed().unwrap_or(false)
        {
            wake_ups.borrow_and_update();
            self.awake = true;
        }
    }

    /// Looks at what happened: whether the session may go on, and what is new in its mailbox. `None`: it cannot be
    /// found out now.
    async fn look(&mut self) -> Option<News> {
        self.notice();
        if self.awake {
            let login = self.login.as_ref()?;
            match self.service.identity.credentials_current(login).await {
                Ok(true) => {}
                Ok(false) => return Some(goodbye("The credentials are no longer valid")),
                Err(error) => {
                    tracing::warn!(%error, "cannot check credentials");
                    return None;
                }
            }
        }
        match self.poll().await {
            Ok(news) => {
                self.awake = false;
                Some(news)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read what is new");
                None
            }
        }
    }

    async fn may_append(&mut self, name: &str, octets: u64) -> Result<(), Fault> {
        // What was handed over and not appended is void.
        self.spool = self.service.spooler.spool();
        if octets > self.service.intake.options().max_message_octets {
            return Err(Fault::TooBig);
        }
        let (inbox, _) = self.find(name).await?;
        let usage = self.service.mailstore.usage(inbox).await.map_err(|e| of_mail(&e))?;
        if usage.octets >= usage.quota_octets {
            Err(Fault::OverQuota)
        } else {
            Ok(())
        }
    }

    async fn append(
        &mut self,
        name: &str,
        flags: MessageFlags,
        internal_date: Option<i64>,
    ) -> Result<(UidValidity, Uid), Fault> {
        let inbox = self.inbox()?;
        Self::check_keywords(&flags)?;
        let spool = std::mem::replace(&mut self.spool, self.service.spooler.spool());
        let (content, _room) = spool.finish().await.map_err(|error| {
            tracing::error!(%error, "cannot spool a message");
            Fault::Unavailable
        })?;
        let octets = content.len();
        let intake = &self.service.intake;
        let placed = intake.append(inbox, name, content, flags, internal_date).await;
        let placed = placed.map_err(|error| of_intake(&error))?;
        tracing::info!(msg = %placed.email_id, %inbox, peer = %self.peer, octets, "appended");
        Ok((placed.uid_validity, placed.uid))
    }
}

impl Answerer for Session {
    type Machine = Server;

    async fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Login(credentials) => Answer::Login(self.log_in(&credentials).await),
            Question::Mailboxes => Answer::Mailboxes(self.mailboxes().await),
            Question::Status(name) => Answer::Status(self.status(&name).await),
            Question::Select { name, read_only } => Answer::Selected(self.select(&name, read_only).await),
            Question::Unselect => {
                self.selected = None;
                Answer::Done(Ok(()))
            }
            Question::Create(name) => Answer::Done(self.create(&name).await),
            Question::Delete(name) => Answer::Done(self.delete(&name).await),
            Question::Rename { from, to } => Answer::Done(self.rename(&from, &to).await),
            Question::Subscribe { name, subscribed } => Answer::Done(self.subscribe(&name, subscribed).await),
            Question::AppendStart { name, octets } => Answer::Done(self.may_append(&name, octets).await),
            Question::Append {
                name,
                flags,
                internal_date,
            } => Answer::Appended(self.append(&name, flags, internal_date).await),
            Question::Fetch { uids, items } => Answer::Fetched(self.fetch(&uids, &items).await),
            Question::Store { uids, change } => Answer::Stored(self.store(&uids, &change).await),
            Question::Copy { uids, to } => Answer::Copied(self.copy(&uids, &to).await),
            Question::Move { uids, to } => Answer::Copied(self.move_messages(&uids, &to).await),
            Question::Expunge(uids) => Answer::Done(self.expunge(&uids).await),
            Question::Search { among, program } => Answer::Found(self.search(&among, &program).await),
            Question::Poll => Answer::News(self.look().await.unwrap_or_default()),
        }
    }

    async fn body(&mut self, chunk: Bytes) {
        self.spool.push(&chunk).await;
    }

    async fn body_end(&mut self) {}

    /// Cancel safe: what a wake-up was about stays to be looked at until it was, and looking changes what counts as
    /// told only at its end.
    async fn news(&mut self) -> News {
        loop {
            if !self.awake {
                let Some(wake_ups) = &mut self.wake_ups else {
                    return std::future::pending().await;
                };
                if wake_ups.changed().await.is_err() {
                    // The store is closing; the shutdown ends the session.
                    return std::future::pending().await;
                }
                self.awake = true;
            }
            match self.look().await {
                Some(news) if is_empty(&news) => {}
                Some(news) => return news,
                None => tokio::time::sleep(RETRY).await,
            }
        }
    }

    async fn read_blob(&mut self, span: BlobSpan) -> Option<Bytes> {
        match self.service.mailstore.read_blob(span).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "cannot read a stored body");
                None
            }
        }
    }
}

/// Whether there is nothing that a client would be told.
fn is_empty(news: &News) -> bool {
    news.appended.is_empty() && news.flags.is_empty() && news.expunged.is_empty() && news.bye.is_none()
}
