//! Answers the questions of the IMAP machine.

use crate::append::Appending;
use crate::selected::{SelectedMailbox, goodbye};
use crate::service::Service;
use crate::watch::Watching;
use bytes::Bytes;
use postroom_identity::Login;
use postroom_imap_proto::{Answer, Fault, News, Question, Server};
use postroom_mailstore::BlobReader;
use postroom_net::Answerer;
use postroom_types::{BlobSpan, InboxId, Lsn};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// After the store has failed to say what is new, it is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// One session's answers. What few sessions have, and seldom, is boxed: most sessions idle.
pub struct Session {
    pub(crate) service: Arc<Service>,
    pub(crate) peer: IpAddr,
    pub(crate) login: Option<Box<Login>>,
    /// Wake-ups of the inbox, since login.
    pub(crate) wake_ups: Option<watch::Receiver<Lsn>>,
    /// A wake-up came and what it is about was not looked at yet.
    pub(crate) awake: bool,
    pub(crate) selected: Option<SelectedMailbox>,
    /// What was handed over for APPEND.
    pub(crate) appending: Option<Box<Appending>>,
    /// What NOTIFY asks for.
    pub(crate) watching: Option<Box<Watching>>,
    /// Room for large decoded parts, until they have been sent: then the next question comes.
    pub(crate) decoded: Option<OwnedSemaphorePermit>,
    /// How far the body has come that is being sent.
    streamed: Option<Box<BlobReader>>,
    pub(crate) failed_logins: u32,
}

impl Session {
    pub(crate) const fn new(service: Arc<Service>, peer: IpAddr) -> Self {
        Self {
            service,
            peer,
            login: None,
            wake_ups: None,
            awake: false,
            selected: None,
            appending: None,
            watching: None,
            decoded: None,
            streamed: None,
            failed_logins: 0,
        }
    }

    /// Whose inbox it is.
    pub(crate) fn inbox(&self) -> Result<InboxId, Fault> {
        self.login.as_ref().map(|login| login.inbox.id).ok_or(Fault::Internal)
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

    /// Looks at what happened: whether the session may go on, and what is new in its mailbox and in those it watches.
    /// `None`: it cannot be found out now, and nothing counts as told.
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
        let looked = match self.refresh().await {
            Ok(Some(end)) => return Some(end),
            Ok(None) => self.elsewhere().await,
            Err(error) => Err(error),
        };
        match looked {
            // Nothing is awaited from here on: what counts as told is told.
            Ok(elsewhere) => {
                self.awake = false;
                let mut news = self.take_news();
                news.others = self.take_others(elsewhere);
                Some(news)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot read what is new");
                None
            }
        }
    }
}

impl Answerer for Session {
    type Machine = Server;

    async fn answer(&mut self, question: Question) -> Answer {
        self.decoded = None;
        self.streamed = None;
        if let Some(refusal) = self.refusal(&question) {
            return refusal;
        }
        match question {
            Question::Login(credentials) => Answer::Login(self.log_in(&credentials).await),
            Question::Mailboxes => Answer::Mailboxes(self.mailboxes().await),
            Question::Status(name) => Answer::Status(self.status(&name).await),
            Question::Statuses(names) => Answer::Statuses(self.statuses(&names).await),
            Question::DeletedOctets(name) => Answer::DeletedOctets(self.deleted_octets(&name).await),
            Question::Quota => Answer::Quota(self.quota().await),
            Question::Select { name, read_only } => Answer::Selected(self.select(&name, read_only).await),
            Question::Vanished { since, among } => Answer::Vanished(self.vanished(since, &among).await),
            Question::Unselect => {
                self.selected = None;
                Answer::Done(Ok(()))
            }
            Question::Create { name, special_use } => Answer::Created(self.create(&name, special_use).await),
            Question::Delete(name) => Answer::Deleted(self.delete(&name).await),
            Question::Rename { from, to } => Answer::Done(self.rename(&from, &to).await),
            Question::Subscribe { name, subscribed } => Answer::Done(self.subscribe(&name, subscribed).await),
            Question::AppendStart { name, octets } => Answer::Done(self.append_start(&name, octets).await),
            Question::AppendMore { octets } => Answer::Done(self.append_more(octets)),
            Question::AppendUrl(url) => Answer::Done(self.append_url(&url).await),
            Question::Append {
                name,
                messages,
                replaces,
            } => Answer::Appended(self.append(&name, messages, replaces).await),
            Question::Fetch {
                uids,
                items,
                changed_since,
            } => Answer::Fetched(self.fetch(&uids, &items, changed_since).await),
            Question::Store {
                uids,
                change,
                unchanged_since,
            } => Answer::Stored(self.store(&uids, &change, unchanged_since).await),
            Question::Copy { uids, to } => Answer::Copied(self.copy(&uids, &to).await),
            Question::Move { uids, to } => Answer::Copied(self.move_messages(&uids, &to).await),
            Question::Expunge(uids) => Answer::Done(self.expunge(&uids).await),
            Question::Search { among, program } => Answer::Found(self.search(&among, &program).await),
            Question::Sort { among, program, keys } => Answer::Found(self.sort(&among, &program, &keys).await),
            Question::Thread {
                among,
                program,
                algorithm,
            } => Answer::Threads(self.thread(&among, &program, algorithm).await),
            Question::Watch(watches) => Answer::Watching(self.watch(watches).await),
            Question::Poll => Answer::News(self.look().await.unwrap_or_default()),
        }
    }

    async fn body(&mut self, chunk: Bytes) {
        if let Some(appending) = &mut self.appending {
            appending.push(&chunk).await;
        }
    }

    async fn body_end(&mut self) {
        if let Some(appending) = &mut self.appending {
            appending.end_message();
        }
    }

    /// Cancel safe: what a wake-up was about stays to be looked at until it was, and looking changes what counts as
    /// told only at its end.
    async fn news(&mut self) -> News {
        self.decoded = None;
        self.streamed = None;
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
            // In a box: an idle session owns no room for it.
            match Box::pin(self.look()).await {
                Some(news) if is_empty(&news) => {}
                Some(news) => return news,
                None => tokio::time::sleep(RETRY).await,
            }
        }
    }

    /// A body that is sent whole, and is not what was stored, has no last octets: the connection ends before them.
    async fn read_blob(&mut self, span: BlobSpan) -> Option<Bytes> {
        let mut reader = match self.streamed.take() {
            Some(reader) if reader.is_at(span.id, span.offset) => reader,
            _ => Box::new(BlobReader::at(span.id, span.offset)),
        };
        match self.service.mailstore.read_on(&mut reader, span.octets).await {
            Ok(bytes) => {
                self.streamed = Some(reader);
                bytes
            }
            Err(error) => {
                tracing::error!(%error, "cannot read a stored body");
                if error.is_damage() {
                    self.service.damaged.note(span.id);
                }
                None
            }
        }
    }
}

/// Whether there is nothing that a client would be told.
const fn is_empty(news: &News) -> bool {
    news.appended.is_empty()
        && news.flags.is_empty()
        && news.expunged.is_empty()
        && news.present.is_none()
        && news.others.is_empty()
        && news.bye.is_none()
}
